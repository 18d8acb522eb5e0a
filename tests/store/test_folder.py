"""What a run folder refuses, what it keeps, and what it forgets."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from heedful.errors import StoreError
from heedful.store import RunFolder, check_place, read_manifest, stage_files

SETTINGS = {"model": {"id": "pico", "dtype": "float32"}, "tasks": ("a", "b"), "seed": 1}


def write_stage(run: RunFolder, name: str, text: str, *, inputs: object = None, reads: tuple[str, ...] = ()) -> bool:
    """A stage of one file; whether it had to run."""
    stage = run.stage(name, inputs={"value": inputs}, reads=reads)
    if stage.done:
        return False
    stage.write(f"{name}.txt", text)
    stage.finish()
    return True


def test_settings_of_any_json_kind_reopen(tmp_path: Path) -> None:
    for _ in range(2):
        with RunFolder.open(tmp_path / "run", SETTINGS) as run:
            assert run.manifest.settings["tasks"] == ["a", "b"]
    assert read_manifest(tmp_path / "run").settings["seed"] == 1


def test_other_settings_are_refused_by_name_and_overwritten_on_request(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SETTINGS) as run:
        write_stage(run, "one", "1")
    (tmp_path / "my notes.txt").write_text("keep me")
    other = {"model": {"id": "pico", "dtype": "bfloat16"}, "tasks": ["a", "b"], "seed": 2, "new": None}
    with pytest.raises(StoreError) as caught:
        RunFolder.open(tmp_path, other)
    assert caught.value.cause == (
        f"{tmp_path} holds a run with other settings (there → now): "
        'model.dtype "float32" → "bfloat16", new (none) → null, seed 1 → 2'
    )
    assert caught.value.cure == "choose another --out, or start this one anew with --overwrite (what it holds is lost)"
    assert (tmp_path / "one.txt").exists()
    with RunFolder.open(tmp_path, other, overwrite=True) as run:
        assert not (tmp_path / "one.txt").exists()
        assert not run.stage("one").done
    assert (tmp_path / "my notes.txt").read_text() == "keep me"


def test_long_settings_that_differ_in_the_middle_are_told_apart(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, {"system": "a" * 200 + "b" + "a" * 200}).close()
    with pytest.raises(StoreError, match=r"system .* → .*"):
        RunFolder.open(tmp_path, {"system": "a" * 200 + "c" + "a" * 200})


def test_another_schema_version_is_refused_and_overwritten_on_request(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SETTINGS, schema_version=1) as run:
        write_stage(run, "one", "1")
    with pytest.raises(StoreError, match="was written by schema version 1, this is 2"):
        RunFolder.open(tmp_path, SETTINGS, schema_version=2)
    with RunFolder.open(tmp_path, SETTINGS, schema_version=2, overwrite=True) as run:
        assert write_stage(run, "one", "1")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_strangers_folder_is_left_as_it_is(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"is not empty and not a heedful run: it holds thesis\.tex"):
        RunFolder.open(tmp_path, SETTINGS, overwrite=overwrite)
    (tmp_path / "manifest.json").write_text('{"name": "a browser extension"}')
    with pytest.raises(StoreError, match=r"manifest\.json was not written by heedful"):
        RunFolder.open(tmp_path, SETTINGS, overwrite=overwrite)
    (tmp_path / "manifest.json").write_text('{"format": "heed')
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read"):
        RunFolder.open(tmp_path, SETTINGS, overwrite=overwrite)
    with pytest.raises(StoreError, match=r"thesis\.tex is a file, not a folder"):
        RunFolder.open(tmp_path / "thesis.tex", SETTINGS, overwrite=overwrite)
    assert sorted(os.listdir(tmp_path)) == ["manifest.json", "thesis.tex"]


def test_an_overwritten_manifest_cannot_reach_outside(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    RunFolder.open(tmp_path / "run", SETTINGS).close()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    manifest["stages"] = {"evil": {"files": {"../precious": {}, str(tmp_path / "precious"): {}}}}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="is damaged"):
        RunFolder.open(tmp_path / "run", SETTINGS)
    RunFolder.open(tmp_path / "run", SETTINGS, overwrite=True).close()
    assert (tmp_path / "precious").exists()


def test_a_place_is_checked_without_a_trace(tmp_path: Path) -> None:
    check_place(tmp_path / "new" / "run", SETTINGS)
    assert os.listdir(tmp_path) == []
    RunFolder.open(tmp_path / "run", SETTINGS).close()
    check_place(tmp_path / "run", SETTINGS)
    with pytest.raises(StoreError, match="other settings"):
        check_place(tmp_path / "run", {**SETTINGS, "more": 1})
    check_place(tmp_path / "run", {**SETTINGS, "more": 1}, overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"file is a file, so .*file/run cannot be made"):
        check_place(tmp_path / "file" / "run", SETTINGS)
    with pytest.raises(StoreError, match="not a heedful run"):
        check_place(tmp_path, SETTINGS, overwrite=True)


def test_two_processes_cannot_share_a_folder_but_a_dead_one_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys; from heedful.store import RunFolder; run = RunFolder.open(sys.argv[1], {});"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match=rf"is in use by another process \(id {other.pid}\)"):
            RunFolder.open(tmp_path, {})
        other.kill()
    RunFolder.open(tmp_path, {}).close()


def test_a_standing_stage_is_skipped_and_what_changes_upstream_runs_again(tmp_path: Path) -> None:
    def run_all(one: object, text: str) -> list[bool]:
        with RunFolder.open(tmp_path, {}) as run:
            return [
                write_stage(run, "one", text, inputs=one),
                write_stage(run, "two", "2", reads=("one",)),
                write_stage(run, "three", "3", reads=("two",)),
                write_stage(run, "apart", "4"),
            ]

    assert run_all(1, "a") == [True, True, True, True]
    assert run_all(1, "a") == [False, False, False, False]
    # Downstream of a change is forgotten with it, though its own bytes come out the same.
    assert run_all(2, "b") == [True, True, True, False]
    with RunFolder.open(tmp_path, {}) as run:
        assert run.stage("one", inputs={"value": 3}).why == "its inputs changed: value 2 → 3"
        assert not (tmp_path / "three.txt").exists()
        assert run.stage("apart", inputs={"value": None}).done


def test_a_lost_or_damaged_file_is_made_anew_and_the_others_kept(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("shards")
        assert stage.why == "it has not run yet"
        for number in range(3):
            stage.write(f"shards/{number}", f"{number}")
        stage.finish()
        write_stage(run, "after", "x", reads=("shards",))
        (tmp_path / "shards/0").write_text("X")  # same size, another content
        (tmp_path / "shards/1").unlink()
        with pytest.raises(StoreError, match=r"shards/0 is missing or damaged: it is not what stage 'shards' wrote"):
            run.files("shards")
        stage = run.stage("shards")
        assert not stage.done
        assert stage.why == "shards/0 is missing or damaged"
        assert [stage.has(f"shards/{number}") for number in range(3)] == [False, False, True]
        for number in range(2):
            stage.write(f"shards/{number}", f"{number}")
        stage.finish()
        assert not write_stage(run, "after", "x", reads=("shards",)), "the same bytes again: downstream stands"


def test_a_flipped_bit_in_a_large_file_is_found_on_request(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("big")
        path = stage.write("big.bin", bytes(2 << 20))
        stage.finish()
        with path.open("r+b") as file:
            file.seek(1 << 20)
            file.write(b"\x01")
        assert run.files("big") == [path]
        with pytest.raises(StoreError, match=r"big\.bin is missing or damaged"):
            run.files("big", verify=True)
        os.truncate(path, 1 << 20)
        with pytest.raises(StoreError, match=r"big\.bin is missing or damaged"):
            run.files("big")


def test_scaffolding_goes_when_its_stage_ends(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("one")
        part = stage.write("parts/one/0", "x")
        stage.write("one.txt", "x")
        stage.finish()
        assert not part.exists()
        assert [path.name for path in run.files("one")] == ["one.txt"]
        assert stage.done


def test_a_full_disk_loses_nothing_that_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("one")
        stage.write("0", "x")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StoreError, match="No space left"):
                stage.write("1", "y")
    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("one")
        assert stage.why == "it was interrupted after 1 files"
        assert (stage.has("0"), stage.has("1")) == (True, False)


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
def test_a_disk_too_full_for_the_lock_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match=r"cannot write .*No space left[\s\S]*free some space"):
            RunFolder.open(tmp_path, {})
    RunFolder.open(tmp_path, {}).close()


@pytest.mark.parametrize("call", ["exists", "iterdir"])
def test_a_folder_that_may_not_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refused(path: Path, *_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, call, refused)
        with pytest.raises(StoreError, match=rf"{tmp_path} cannot be read: Permission denied"):
            RunFolder.open(tmp_path, {})


def test_files_that_may_not_be_removed_are_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with RunFolder.open(tmp_path, {}) as run:
        stage = run.stage("one")
        stage.write("one", "x")
        stage.write("parts/one/0", "x")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refused)
            with pytest.raises(StoreError, match="Permission denied"):
                stage.finish()
            with pytest.raises(StoreError, match="Permission denied"):
                run.stage("one", inputs={"other": 1})


def test_temporaries_and_orphaned_parts_of_the_dead_are_swept(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, {}).close()
    left = [tmp_path / "shards" / ".0.bin.123.heedful-tmp", tmp_path / "parts" / "one" / "0"]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_text("half a fi")
    RunFolder.open(tmp_path, {}).close()
    assert not any(path.exists() for path in left)


def test_misuse_is_a_bug_and_says_so(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        write_stage(run, "one", "1")
        two = run.stage("two")
        for name in ("../x", "/x", "", "manifest.json"):
            with pytest.raises(ValueError, match="is not a place inside the run folder"):
                two.write(name, "")
        with pytest.raises(ValueError, match=r"'one\.txt' belongs to stage 'one'"):
            two.write("one.txt", "")
        with pytest.raises(ValueError, match="not under parts/two/"):
            two.write("parts/one/0", "")
        with pytest.raises(ValueError, match="is finished"):
            run.stage("one", inputs={"value": None}).write("more.txt", "")
        with pytest.raises(StoreError, match="stage 'two' is not finished"):
            run.stage("three", reads=["two"])
    with pytest.raises(ValueError, match="is closed"):
        run.note(model="x")


def test_the_manifest_tells_a_reader_what_ran(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SETTINGS) as run:
        run.note(model={"id": "pico", "revision": "abc"})
        run.note(versions={"torch": "2"})
        write_stage(run, "one", "1", inputs={"limit": 3})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["format"] == "heedful run"
    assert manifest["facts"] == {"model": {"id": "pico", "revision": "abc"}, "versions": {"torch": "2"}}
    one = manifest["stages"]["one"]
    assert one["inputs"] == {"value": {"limit": 3}}
    assert one["files"]["one.txt"]["bytes"] == 1
    assert one["done"] is True
    assert one["seconds"] >= 0


def test_what_a_run_records_is_read_while_another_holds_it_open(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", {"seed": 1}) as run:
        run.note(model="m")
        write_stage(run, "one", "1")
        found = read_manifest(tmp_path / "run")
        assert stage_files(tmp_path / "run", found, "one", "one") == [tmp_path / "run" / "one.txt"]
        with pytest.raises(StoreError, match="stage 'two' is not finished"):
            stage_files(tmp_path / "run", found, "two")
    assert (found.settings, found.facts) == ({"seed": 1}, {"model": "m"})
    for none in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match=r"is not a run folder: it has no manifest\.json"):
            read_manifest(none)
    assert not (tmp_path / "nowhere").exists()
