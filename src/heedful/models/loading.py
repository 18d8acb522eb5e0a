"""Load a model by the name of an embedded one, a folder, or a hub's id; say clearly why when it cannot be done.

Knows where models come from and what goes wrong on the way; nothing of what is done with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from heedful.errors import InputError, ModelError
from heedful.models.batching import is_out_of_memory, release_memory
from heedful.models.catalogue import embedded_models, verify_checksums
from heedful.models.hub import explain, first_line, offline_where_unknown, quiet
from heedful.models.language_model import LanguageModel
from heedful.models.memory import check_fits, quantisation_of, weight_bytes

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_WEIGHTS = ("*.safetensors", "*.bin")
_NEAR = 0.8  # of difflib's ratio
_GENERIC_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")


class Source(NamedTuple):
    """Where a model's files are.

    Attributes:
        name: as it was asked for.
        location: a folder, or a hub's id.
        is_folder: which of the two; a folder never touches the network.
        embedded: whether it came with the package.
    """

    name: str
    location: str
    is_folder: bool
    embedded: bool


def load(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    device_map: str | Mapping[str, Any] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    batch_tokens: int | None = None,
    check: bool = True,
) -> LanguageModel:
    """Load a causal language model, ready to generate and to be read.

    Args:
        name_or_path: an embedded model's name, a folder, or a hub's id such as 'Qwen/Qwen2.5-0.5B-Instruct'.
        device: 'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1', 'mps'.
        dtype: 'auto' (the checkpoint's own on a GPU, but bfloat16 for a Gemma in float16; float32 on a CPU, and for
            embedded models anywhere), 'float32', 'bfloat16', 'float16'.
        device_map: how accelerate places a model over several devices, e.g. 'auto'; `device` is not used then.
        revision: a hub's branch, tag or commit.
        trust_remote_code: run Python code that comes with the model.
        batch_tokens: the most tokens, padding included, in one batch; if not given, on a CPU 2,048 to read and up to
            65,536 to generate, and 16,384 elsewhere.
        check: whether to run the self-check (a few tokens; see `selfcheck`).

    Raises:
        InputError: an unknown device or dtype, or a revision of what has none.
        ModelError: there is no such model, it cannot be used, it does not fit, or it fails the self-check.
    """
    source = find_source(name_or_path)
    if source.is_folder and revision is not None:
        raise InputError(
            f"{source.name} is {'an embedded model' if source.embedded else 'a folder'} and has no revision {revision!r}",
            "leave the revision out: it names a commit, tag or branch of a hub's model",
        )
    with quiet(), nullcontext() if source.is_folder else offline_where_unknown():
        config = _config(source, revision=revision, trust_remote_code=trust_remote_code)
        if source.is_folder:
            _check_weights(source)
        # One commit for configuration, tokenizer and weights, whatever is pushed meanwhile.
        revision = getattr(config, "_commit_hash", None) or revision
        place = choose_device(device)
        chosen = choose_dtype(dtype, config, place, embedded=source.embedded)
        if device_map is None and not trust_remote_code:  # a model's own code may not build without memory
            check_fits(source.name, weight_bytes(config, chosen), place, chosen)
        if source.embedded:
            revision = verify_checksums(Path(source.location))
        elif source.is_folder:
            revision = fingerprint(Path(source.location))
        hub_revision = None if source.is_folder else revision
        return LanguageModel(
            model=_load_weights(
                source, config, hub_revision, trust_remote_code, chosen, device_map or {"": str(place)}
            ),
            tokenizer=_load_tokenizer(source, hub_revision, trust_remote_code),
            name=source.name,
            revision=revision,
            batch_tokens=batch_tokens,
            check=check,
        )


def _check_weights(source: Source) -> None:
    """Before the memory that a configuration alone would ask for is held against the machine's."""
    folder = Path(source.location)
    if not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        raise ModelError(
            f"{source.name} has a config.json and no weights ({', '.join(_WEIGHTS)})",
            "name the folder that save_pretrained() wrote, with config.json, tokenizer and weights in it",
        )


def find_source(name_or_path: str | Path) -> Source:
    """Which files a name stands for; looks at this machine only.

    Raises:
        ModelError: it is a path, and no model is there; or an embedded model's name but for a letter or two.
    """
    name = str(name_or_path)
    cards = {card.name: card for card in embedded_models()}
    if name in cards:
        return Source(name, str(cards[name].path), is_folder=True, embedded=True)
    path = Path(name).expanduser()
    if not name.strip():
        raise ModelError("the model's name is empty", f"give a folder or a hub's id (owner/name); {_known()}")
    if path.is_dir():
        if not (path / "config.json").is_file():
            _refuse_adapter(name, path / "adapter_config.json")
            raise ModelError(
                f"{name} is a folder, but not a model: it has no config.json",
                "name the folder that save_pretrained() wrote, with config.json, tokenizer and weights in it",
            )
        return Source(name, str(path), is_folder=True, embedded=False)
    if path.is_file():
        raise ModelError(
            f"{name} is a file, not a model", "name the folder with config.json, tokenizer and weights in it"
        )
    if name.count("/") > 1 or name.startswith((".", "~", "/")):
        raise ModelError(f"there is no folder {name!r}", f"check the path, or give a hub's id (owner/name); {_known()}")
    if "/" not in name and (near := get_close_matches(name, cards, 1, _NEAR)):
        # A hub's id without an owner is rare, and asking for one where there is no connection takes half a minute.
        raise ModelError(
            f"there is no model {name!r}", f"did you mean {near[0]}? A hub's model has an owner: owner/{name}"
        )
    return Source(name, name, is_folder=False, embedded=False)


def is_own_folder(name: str) -> bool:
    """Whether a name stands for a folder of the user's, and not for an embedded model or a hub's."""
    return Path(name).expanduser().is_dir() and name not in {card.name for card in embedded_models()}


def _refuse_adapter(name: str, config: Path) -> None:
    """Raises `ModelError` for a folder that holds what was trained beside a model (LoRA and the like), and not the model."""
    if config.is_file():
        try:
            base = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
        except (OSError, ValueError, AttributeError):
            base = None
        raise ModelError(
            f"{name} is an adapter{f' of {base}' if base else ''}, and not a model",
            "merge it (peft's merge_and_unload()), save_pretrained() the merged model and its tokenizer, and name that folder",
        )


def _known() -> str:
    return f"embedded models: {', '.join(card.name for card in embedded_models()) or 'none'}"


def load_config(name_or_path: str | Path, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """A model's transformers configuration, without its weights (for a hub's model, one small download).

    Raises:
        ModelError: it cannot be had, or is not of a causal language model.
    """
    source = find_source(name_or_path)
    with quiet(), nullcontext() if source.is_folder else offline_where_unknown():
        return _config(source, revision=revision, trust_remote_code=trust_remote_code)


def _config(source: Source, *, revision: str | None, trust_remote_code: bool) -> Any:
    try:
        config = AutoConfig.from_pretrained(
            source.location, revision=revision, trust_remote_code=trust_remote_code, local_files_only=source.is_folder
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        explain(error, source.name, revision)
    if config.is_encoder_decoder:
        raise ModelError(
            f"{source.name} is an encoder-decoder model ({config.model_type}), and heedful reads decoder-only models",
            "choose a causal language model, such as a Llama, Qwen, Gemma, Mistral or Phi",
        )
    own_code = "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not own_code:
        raise ModelError(
            f"{source.name} ({config.model_type}) is not a causal language model: it cannot write text",
            "choose a causal language model, such as a Llama, Qwen, Gemma, Mistral or Phi",
        )
    return config


def choose_device(device: str) -> torch.device:
    """The device that a name stands for.

    Raises:
        InputError: an unknown name, or this machine has no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"unknown device {device!r}", "give auto, cpu, cuda, cuda:1 or mps") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (place.index or 0) >= count.get(place.type, 0):
        raise InputError(f"this machine has no device {device!r}", "give auto, or cpu")
    return place


def choose_dtype(dtype: str, config: Any, place: torch.device, *, embedded: bool = False) -> torch.dtype:
    """The dtype to load a model in, see `load`.

    Raises:
        InputError: an unknown name.
        ModelError: a Gemma in float16.
    """
    if dtype not in ("auto", *DTYPES):
        raise InputError(f"unknown dtype {dtype!r}", f"give auto, {', '.join(DTYPES)}")
    overflows = config.model_type.startswith("gemma")
    if dtype != "auto":
        if overflows and dtype == "float16":
            raise ModelError(
                f"a {config.model_type} overflows in float16: its hidden states pass 65,504",
                "use --dtype bfloat16 or float32",
            )
        return DTYPES[dtype]
    own = getattr(config, "dtype", None) or getattr(config.get_text_config(decoder=True), "dtype", None)
    own = getattr(torch, own) if isinstance(own, str) else own
    if embedded or place.type == "cpu" or own not in (torch.bfloat16, torch.float16):
        return torch.float32
    if place.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float32 if overflows else torch.float16
    return torch.bfloat16 if overflows else own


def _load_tokenizer(source: Source, revision: str | None, trust_remote_code: bool) -> Any:
    """The tokenizer that the checkpoint's files describe.

    Where they name a class of no architecture in particular, AutoTokenizer may still take the architecture's own, whose
    rules of splitting replace the file's: a Qwen2 model with another tokenizer would silently read other tokens than it
    was trained on.
    """
    try:
        where: dict[str, Any] = {"revision": revision, "local_files_only": source.is_folder}
        named = get_tokenizer_config(source.location, **where)
        if named.get("tokenizer_class") in _GENERIC_TOKENIZERS and "auto_map" not in named:
            loaded: Any = PreTrainedTokenizerFast.from_pretrained(source.location, **where)
        else:
            loaded = AutoTokenizer.from_pretrained(source.location, trust_remote_code=trust_remote_code, **where)
    except Exception as error:  # whatever a tokenizer's own code raises on missing files
        if isinstance(error, OSError | ValueError) and not source.is_folder:
            explain(error, source.name, revision)
        raise ModelError(
            f"the tokenizer of {source.name} cannot be loaded: {first_line(error)}",
            "put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights",
        ) from error
    # It would warn of a prompt that is too long, which is an error here, with its cure, before the model reads it.
    loaded.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return loaded


def _load_weights(
    source: Source, config: Any, revision: str | None, trust_remote_code: bool, dtype: torch.dtype, device_map: Any
) -> Any:
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.location,
            config=config,
            revision=revision,
            trust_remote_code=trust_remote_code,
            local_files_only=source.is_folder,
            dtype=dtype,
            device_map=device_map,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, with what they are
        )
    except Exception as error:
        method = quantisation_of(config)
        if is_out_of_memory(error):
            release_memory()
            raise ModelError(
                f"memory ran out while loading {source.name}",
                "use a smaller dtype (--dtype bfloat16), --device-map auto, a quantised checkpoint or a smaller model",
            ) from error
        if method is not None:
            raise ModelError(
                f"{source.name} is quantised with {method}, which cannot be used here: {first_line(error)}",
                f"install what {method} needs on a device that it supports, or use the unquantised checkpoint",
            ) from error
        explain(error, source.name, revision)
    model, info = loaded
    missing = sorted(info["missing_keys"]) + sorted(key for key, *_ in info["mismatched_keys"])
    if missing:
        raise ModelError(
            f"{source.name} lacks {len(missing)} of its weights ({missing[0]}, …): they would be random",
            "the checkpoint is incomplete, or of another kind (a classifier, an encoder): use a causal LM's own",
        )
    return model


def fingerprint(folder: Path) -> str:
    """Which files a model's folder holds, told by their sizes and contents (4 MiB in evenly spaced blocks of large ones): the
    revision that `load` gives it, wherever it lies."""
    digest = hashlib.sha256()
    block, blocks = 1 << 16, 64
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".json", ".safetensors", ".bin", ".model", ".jinja", ".py") or not path.is_file():
            continue
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= block * blocks:
                digest.update(file.read())
            else:
                for index in range(blocks):
                    file.seek((size - block) * index // (blocks - 1))
                    digest.update(file.read(block))
    return f"sampled-sha256:{digest.hexdigest()}"
