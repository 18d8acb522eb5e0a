"""Loading by name, folder and id; and for each thing that goes wrong, a message with its cause and its cure."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import huggingface_hub
import pytest
import torch
from accelerate import dispatch_model
from huggingface_hub import constants
from tests.models.conftest import make_model, make_tokenizer
from tokenizers import normalizers
from transformers import AutoConfig, BertConfig, BertModel, LlamaForSequenceClassification, T5Config

from heedful.errors import HeedfulError, InputError, ModelError
from heedful.models import Replay, catalogue, embedded_models, load, memory
from heedful.models.hub import offline_where_unknown
from heedful.models.loading import Source, choose_device, choose_dtype, find_source, fingerprint, load_config


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint to spoil."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def test_a_folder_loads_and_works(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = load(checkpoint, device="cpu")
    assert model.dtype == torch.float32
    assert model.device.type == "cpu"
    assert model.revision is not None
    assert model.check is not None
    prompt = model.encode("the cat")
    [answer] = model.generate([prompt], [0], max_new_tokens=4)
    row = Replay(prompt, answer.token_ids, answer.eos_id, answer.answer_start)
    assert model.read_all([row], model.sites, ["prompt[-1]"]).states.shape == (4, 1, 1, 32)
    assert model.decode(model.tokens("the dog")) == "the dog"
    assert capfd.readouterr() == ("", "")


def test_dtype_and_device_map(checkpoint: Path) -> None:
    assert load(checkpoint, dtype="bfloat16", device="cpu").dtype == torch.bfloat16
    assert load(checkpoint, device_map={"": "cpu"}).dtype == torch.float32


def test_a_model_placed_by_accelerate_reads_the_same(checkpoint: Path) -> None:
    model = load(checkpoint, device="cpu")
    placed = load(checkpoint, device="cpu")
    dispatch_model(
        placed._model, {"": "cpu", "model.layers.1": "disk"}, offload_dir=checkpoint.parent, main_device="cpu"
    )
    rows = [Replay([1, 5, 6], [7, 8], 2), Replay([1], [9], None)]
    one, other = (m.read_all(rows, model.sites, ["response[-1]"], log_p=True) for m in (model, placed))
    torch.testing.assert_close(one.states, other.states)
    torch.testing.assert_close(one.log_p, other.log_p)


def test_the_revision_of_a_folder_is_its_contents(checkpoint: Path, copy: Path) -> None:
    first = load(checkpoint, device="cpu", check=False).revision
    assert load(copy, device="cpu", check=False).revision == first
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert load(copy, device="cpu", check=False).revision != first


def test_code_that_comes_with_a_model_is_a_part_of_it(copy: Path) -> None:
    first = fingerprint(copy)
    (copy / "README.md").write_text("words")
    assert fingerprint(copy) == first
    (copy / "modeling_own.py").write_text("SCALE = 1.0\n")
    second = fingerprint(copy)
    (copy / "modeling_own.py").write_text("SCALE = 2.0\n")
    assert len({first, second, fingerprint(copy)}) == 3


# --- embedded models ---


@pytest.fixture
def embedded(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model in the place of the embedded ones."""
    folder = tmp_path / "embedded" / "tiny-llama"
    shutil.move(copy, folder)
    (folder / "card.json").write_text('{"summary": "a test"}')
    (folder.parent / "not-a-model").mkdir()
    names = ["config.json", "model.safetensors", "tokenizer.json"]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))
    monkeypatch.setattr("heedful.models.loading.embedded_models", lambda: embedded_models(folder.parent))
    return folder


def test_an_embedded_model_loads_by_name(embedded: Path) -> None:
    [card] = embedded_models(embedded.parent)
    assert (card.name, card.about) == ("tiny-llama", {"summary": "a test"})
    model = load("tiny-llama")
    assert model.name == "tiny-llama"
    assert model.revision == hashlib.sha256((embedded / "SHA256SUMS").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "tokenizer.json").write_text("{}"),
            r"'tiny-llama' is damaged: tokenizer.json is not as published",
        ),
        (lambda f: (f / "tokenizer.json").unlink(), r"'tiny-llama' lacks tokenizer.json"),
        (lambda f: (f / "SHA256SUMS").unlink(), r"'tiny-llama' has no SHA256SUMS"),
    ],
)
def test_a_damaged_embedded_model_is_refused(embedded: Path, spoil: Callable[[Path], Any], message: str) -> None:
    spoil(embedded)
    with pytest.raises(ModelError, match=message + r"[\s\S]*install heedful again"):
        load("tiny-llama")


def test_the_packages_own_models_are_whole() -> None:
    for card in embedded_models():
        assert len(catalogue.verify_checksums(card.path)) == 64
        assert load(card.name).dtype == torch.float32


# --- what is not a model ---


@pytest.mark.parametrize(
    ("config", "named"),
    [('{"base_model_name_or_path": "meta-llama/Llama-3.2-1B"}', " of meta-llama/Llama-3.2-1B"), ("{", "")],
)
def test_an_adapter_is_told_from_a_model(tmp_path: Path, config: str, named: str) -> None:
    (tmp_path / "adapter_config.json").write_text(config)
    with pytest.raises(ModelError, match=rf"is an adapter{named}, and not a model\n[\s\S]*merge_and_unload\(\)"):
        load(tmp_path)


def test_paths_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"")
    for path, message in [
        (tmp_path, r"is a folder, but not a model: it has no config.json"),
        (tmp_path / "file.bin", r"is a file, not a model"),
        (tmp_path / "nowhere", r"there is no folder[\s\S]*embedded models: "),
        ("./nowhere", r"there is no folder './nowhere'"),
        (" ", r"the model's name is empty"),
    ]:
        with pytest.raises(ModelError, match=message):
            find_source(path)
    with pytest.raises(ModelError, match=r"no model 'pico_lama'[\s\S]*did you mean pico-llama"):
        find_source("pico_lama")
    assert find_source("gpt2").name == "gpt2"
    assert find_source("owner/name") == Source("owner/name", "owner/name", is_folder=False, embedded=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "no-such-type"}, r"does not know the architecture[\s\S]*pip install -U transformers"),
        ({"auto_map": {"AutoConfig": "c.C"}, "model_type": "x"}, r"Python code of its own[\s\S]*--trust-remote-code"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            r"quantised with bitsandbytes",
        ),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            r"quantised with gptq[\s\S]*unquantised checkpoint",
        ),
        ({"num_hidden_layers": 4}, r"lacks \d+ of its weights \(model.layers.3[\s\S]*would be random"),
        ({"vocab_size": 300}, r"lacks 2 of its weights \(lm_head.weight"),
        (
            {"hidden_size": 10**8, "head_dim": 8},
            r"needs [\d.]+ GiB for its weights, and cpu has .* free[\s\S]*bfloat16",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_used(copy: Path, changes: dict[str, Any], message: str) -> None:
    edit_config(copy, **changes)
    with pytest.raises(ModelError, match=message):
        load(copy, device="cpu")


def test_other_kinds_of_model_are_refused(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    T5Config(d_model=16, num_layers=1).save_pretrained(tmp_path / "t5")
    with pytest.raises(ModelError, match=r"is an encoder-decoder model \(t5\)[\s\S]*decoder-only"):
        load(tmp_path / "t5")
    AutoConfig.for_model("vit").save_pretrained(tmp_path / "vit")
    with pytest.raises(ModelError, match=r"\(vit\) is not a causal language model"):
        load(tmp_path / "vit")
    small = {"vocab_size": 320, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(**small, intermediate_size=16)).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    with pytest.raises(ModelError, match=r"lacks \d+ of its weights[\s\S]*an encoder"):
        load(tmp_path / "bert", device="cpu")
    LlamaForSequenceClassification(make_model("llama").config).save_pretrained(tmp_path / "classifier")
    tokenizer.save_pretrained(tmp_path / "classifier")
    with pytest.raises(ModelError, match=r"lacks 1 of its weights \(lm_head.weight"):
        load(tmp_path / "classifier", device="cpu")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma2"])
def test_the_tokenizer_is_the_checkpoints_and_not_the_architectures(tmp_path: Path, architecture: str) -> None:
    make_model(architecture).save_pretrained(tmp_path)
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("a", "o")
    tokenizer.save_pretrained(tmp_path)
    assert load(str(tmp_path)).tokens("the cat") == make_tokenizer()("the cot")["input_ids"]


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "config.json"])
def test_missing_and_broken_files_are_named(copy: Path, name: str) -> None:
    cause = {
        "tokenizer.json": r"tokenizer of .* cannot be loaded[\s\S]*beside the weights",
        "model.safetensors": r"cannot be loaded: [\s\S]*complete checkpoint",
        "config.json": r"cannot be loaded: [\s\S]*complete checkpoint",
    }[name]
    (copy / name).write_text("{")
    with pytest.raises(ModelError, match=cause):
        load(copy, device="cpu")
    if name != "config.json":
        (copy / name).unlink()
        cause = r"has a config\.json and no weights" if name == "model.safetensors" else cause
        (copy / "tokenizer_config.json").unlink()
        with pytest.raises(ModelError, match=cause):
            load(copy, device="cpu")


def test_a_folder_without_weights_is_named_before_its_memory_is_reckoned(copy: Path, monkeypatch) -> None:
    (copy / "model.safetensors").unlink()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)
    with pytest.raises(ModelError, match=r"has a config\.json and no weights \(\*\.safetensors, \*\.bin\)"):
        load(copy, device="cpu")


def test_a_revision_of_what_has_none_is_refused(checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder and has no revision 'v2'"):
        load(checkpoint, device="cpu", revision="v2")
    with pytest.raises(InputError, match=r"pico-llama is an embedded model and has no revision 'v2'"):
        load("pico-llama", device="cpu", revision="v2")


def test_an_empty_name_is_no_folder() -> None:
    with pytest.raises(ModelError, match="the model's name is empty"):
        load("")


def test_too_little_memory_is_said_before_anything_is_loaded(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = sum(p.numel() for p in make_model("llama").parameters())
    assert memory.parameter_count(make_model("llama").config) == needed
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2 * needed)
    load(checkpoint, device="cpu", dtype="bfloat16")
    with pytest.raises(ModelError, match=r"GiB for its weights[\s\S]*--dtype bfloat16 \(half the size\)"):
        load(checkpoint, device="cpu")


def test_quantised_weights_are_counted_by_their_bits(checkpoint: Path) -> None:
    config = make_model("llama").config
    parameters = memory.parameter_count(config)
    for settings, bits in [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8),
        ({"quant_method": "gptq", "bits": 3}, 3),
        ({"quant_method": "mxfp4"}, 4),
    ]:
        config.quantization_config = settings
        assert memory.weight_bytes(config, torch.bfloat16) == parameters * bits // 8


# --- dtype and device ---


def test_dtypes(checkpoint: Path) -> None:
    llama, gemma = (AutoConfig.for_model(kind, dtype="float16") for kind in ("llama", "gemma3_text"))
    cpu, mps = torch.device("cpu"), torch.device("mps")
    assert choose_dtype("auto", llama, cpu) == torch.float32
    assert choose_dtype("auto", llama, mps) == torch.float16
    assert choose_dtype("auto", llama, mps, embedded=True) == torch.float32
    assert choose_dtype("auto", gemma, mps) == torch.bfloat16
    assert choose_dtype("float32", gemma, mps) == torch.float32
    with pytest.raises(ModelError, match=r"overflows in float16[\s\S]*--dtype bfloat16"):
        choose_dtype("float16", gemma, cpu)
    with pytest.raises(InputError, match=r"unknown dtype 'half'[\s\S]*bfloat16"):
        choose_dtype("half", llama, cpu)


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match=r"unknown device 'gpu'"):
        choose_device("gpu")
    with pytest.raises(InputError, match=r"no device 'cuda:99'"):
        choose_device("cuda:99")


# --- the hub, played by a server on this machine ---


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A hub that knows a gated model and no other; yields the user agents that called it."""
    agents: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            agents.append(self.headers["User-Agent"])
            gated = "owner/gated" in self.path
            self.send_response(403 if gated else 404)
            unknown = "RevisionNotFound" if "/v9/" in self.path else "RepoNotFound"
            self.send_header("X-Error-Code", "GatedRepo" if gated else unknown)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    yield agents
    server.shutdown()
    thread.join()
    server.server_close()


def explained(name: str, **options: Any) -> HeedfulError:
    with pytest.raises(ModelError) as caught:
        load_config(name, **options)
    return caught.value


def test_what_the_hub_refuses_is_said(hub: list[str]) -> None:
    gated = explained("owner/gated")
    assert gated.cause == "owner/gated is gated: its owner asks you to accept terms first"
    assert "https://huggingface.co/owner/gated" in gated.cure
    missing = explained("owner/nothing")
    assert missing.cause == "the hub has no model 'owner/nothing', or it is private"
    assert "`hf auth login`" in missing.cure
    assert explained("owner/name", revision="v9").cause == "owner/name has no revision 'v9'"
    assert "telemetry/off" in hub[-1]


def test_where_nobody_knows_the_hub_it_is_not_asked(
    hub: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def unknown(host: str, *_: Any, **__: Any) -> NoReturn:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("heedful.models.hub.getproxies", dict)
    monkeypatch.setattr("heedful.models.hub.time.sleep", lambda seconds: None)
    with monkeypatch.context() as gone:
        gone.setattr("heedful.models.hub.socket.getaddrinfo", unknown)
        assert explained("owner/name").cause == "owner/name is not on this machine, and the hub cannot be reached"
        assert (hub, capfd.readouterr().err) == ([], "")
        monkeypatch.setattr("heedful.models.hub.getproxies", lambda: {"https": "http://proxy"})
        with offline_where_unknown():  # the proxy may know it
            assert not constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("heedful.models.hub.getproxies", dict)
    assert explained("owner/nothing").cause.startswith("the hub has no model")
    assert hub


def test_no_hub_and_not_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = explained("owner/name")
    assert error.cause == "owner/name is not on this machine, and the hub cannot be reached"
    assert "`heedful models` lists those that need no download" in error.cure
    assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
