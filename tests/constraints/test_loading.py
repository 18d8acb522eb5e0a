"""Constraints from files and short forms; every fault names the file, the place, the cause and the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.constraints import Include, JsonFormat, WordCount, load_constraints, load_plugin, parse_constraint
from heedful.errors import InputError

YAML = """\
# what we ask
- {id: structural/word_count, at_most: 50}
- lexical/include:
    terms: [harbour, don't]
    at_least: 2
- structural/json
"""
EXPECTED = [WordCount(at_most=50), Include(terms=("harbour", "don't"), at_least=2), JsonFormat()]


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("\ufeff" + YAML, encoding="utf-8")
    assert load_constraints(path) == EXPECTED


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(
        '[{"id": "structural/word_count", "at_most": 50}, '
        '{"lexical/include": {"terms": ["harbour", "don\'t"], "at_least": 2}}, "structural/json"]'
    )
    assert load_constraints(path) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "cause", "cure"),
    [
        ("a.yaml", b"- structural/json\n- structural/wordcount: {}\n", "line 2, entry 2: there is no", "word_count"),
        ("a.yaml", b"- structural/word_count: {at_most: yes}\n", "line 1, entry 1: structural/word_count", "at_most"),
        ("a.yaml", b"- a/b: {at_most: 5, at_most: 6}\n", "line 1, column 21: the key 'at_most' stands twice", "mend"),
        ("a.yaml", b"- [1, 2\n", "is not YAML: line 2, column 1", "mend it there"),
        ("a.yaml", b"structural/word_count: {at_most: 5}\n", "is not a list of constraints", "write one a line"),
        ("a.yaml", b"", "lists no constraints", "add one"),
        ("a.yaml", b"- 7\n", "line 1, entry 1: 7 is not a constraint", "family/name"),
        ("a.yaml", b"- structural/word_count: 7\n", "is not a constraint", "family/name"),
        ("a.yaml", b"- 2020-01-01: 3\n", 'line 1, entry 1: {"2020-01-01": 3} is not a constraint', "family/name"),
        ("a.yaml", b"- structural/json\n- caf\xe9\n", "is not UTF-8 text: byte 0xe9 at line 2 (offset 23)", "as UTF-8"),
        ("a.yaml", "- é".encode("utf-16"), "its byte order mark is that of UTF-16", "iconv -f UTF-16 -t UTF-8"),
        ("a.yaml", "- é".encode("utf-32"), "its byte order mark is that of UTF-32", "iconv -f UTF-32 -t UTF-8"),
        ("a.yaml", b"- &a [*a]\n", "nested too deeply, or in itself", "without aliases"),
        ("a.yaml", b"- 2020-13-45\n", "is not YAML: month must be in 1..12", "in quotes"),
        ("a.yaml", b"- !!int ''\n", "is not YAML: string index out of range", "in quotes"),
        ("a.yaml", b"[" * 3000, "nested too deeply, or in itself", "without aliases"),
        ("a.json", b'["structural/json", {"id": "x/y"}]', "a.json, entry 2: there is no constraint 'x/y'", "known"),
        ("a.json", b"[1,]", "is not JSON: line 1, column 4", "mend it there"),
        ("a.json", b"{}", "is not a list of constraints", "write one a line"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, name: str, content: bytes, cause: str, cure: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        load_constraints(path)
    assert cause in raised.value.cause
    assert str(path) in raised.value.cause
    assert cure in raised.value.cure


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file or directory"):
        load_constraints(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match=r"cannot read .*: Is a directory"):
        load_constraints(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("structural/json", JsonFormat()),
        ("structural/word_count:at_most=50", WordCount(at_most=50)),
        ("structural/word_count: at_least=2, at_most=50", WordCount(at_least=2, at_most=50)),
        ("lexical/include:terms=[dog, new york],at_least=2", Include(terms=("dog", "new york"), at_least=2)),
        ("lexical/include:terms=dog", Include(terms=("dog",))),
        ("lexical/include:terms='2024-99-99'", Include(terms=("2024-99-99",))),
    ],
)
def test_short_forms(text: str, expected: object) -> None:
    assert parse_constraint(text) == expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("structural/word_count:50", "cannot read '50'"),
        ("structural/word_count:at_most=5,at_most=6", "cannot read 'at_most=6'"),
        ("lexical/include:terms=[dog", "cannot read the value of 'terms'"),
        (
            "lexical/include:terms=2024-99-99",
            "the value of 'terms' in 'lexical/include:terms=2024-99-99': month must be in 1..12",
        ),
        ("lexical/include:terms=!!bool x", "cannot read the value of 'terms'"),
        ("lexical/include:terms=" + "[" * 3000, "it is nested too deeply, or in itself"),
        ("lexical/include:terms=&a [*a]", "it is nested too deeply, or in itself"),
        ("structural/wordcount:at_most=5", "there is no constraint 'structural/wordcount'"),
    ],
)
def test_bad_short_forms(text: str, cause: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_constraint(text)
    assert cause in raised.value.cause


def test_plugin(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from heedful.constraints import constraint\n"
        "@constraint('plugin/starts_with')\n"
        "def starts_with(text: str, prefix: str) -> bool:\n"
        "    'starts with {prefix}'\n"
        "    return text.startswith(prefix)\n"
    )
    load_plugin(path)
    assert parse_constraint("plugin/starts_with:prefix=Dear").check("Dear all").passed
    load_plugin(path)  # the same definition again is no clash


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        (None, "FileNotFoundError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_bad_plugins(tmp_path: Path, content: str | None, cause: str) -> None:
    path = tmp_path / "broken.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as raised:
        load_plugin(path)
    assert f"cannot load the plugin {path}: {cause}" in raised.value.cause


def test_a_plugin_module_that_is_not_there() -> None:
    with pytest.raises(InputError, match="No module named 'nosuchmodule'"):
        load_plugin("nosuchmodule")
