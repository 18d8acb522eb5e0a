"""Monitors in a folder: `monitors.json` says what they are, `monitors.safetensors` holds their weights.

The JSON is written last and names the weights by their hash, so that a folder is whole or none. Beside them, who trained them
puts a page (`card.html`) and every scored response (`responses.parquet`).
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from heedful.control.monitors.conformal import Threshold
from heedful.control.monitors.forecast import Forecast
from heedful.control.monitors.monitor import Monitor, Monitors, Parity
from heedful.errors import StoreError
from heedful.models import LanguageModel
from heedful.prompts.skills import Skill
from heedful.store import atomic_write

FORMAT, SCHEMA_VERSION = "heedful monitors", 2
_READ = (1, 2)  # the first knew no count
JSON_FILE, WEIGHTS_FILE = "monitors.json", "monitors.safetensors"
CARD_FILE, RESPONSES_FILE = "card.html", "responses.parquet"
_ANEW = "train them again: heedful monitor train RUN"


def save_monitors(folder: Path | str, monitors: Monitors) -> Path:
    """Write monitors; gives the folder.

    Raises:
        StoreError: the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    if folder.is_dir() and not (folder / JSON_FILE).exists() and any(folder.iterdir()):
        raise StoreError(
            f"{folder} is not empty and holds no monitors", "name an empty folder, or one that monitors were written to"
        )
    tensors = {name: getattr(monitors, name).contiguous() for name in ("coef", "prompt_coef", "intercept")}
    weights = save_tensors(tensors)
    atomic_write(folder / WEIGHTS_FILE, weights)
    described = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "sites": monitors.sites,
        "monitors": [
            {
                "name": each.name,
                "width": each.width,
                "agree": each.agree,
                # JSON knows no infinity.
                "threshold": each.threshold._asdict() | {"value": _or_none(each.threshold.value)},
                "forecast": each.forecast._asdict(),
            }
            for each in monitors.each
        ],
        "model": dict(monitors.model),
        "parity": monitors.parity._asdict() if monitors.parity else None,
        "card": dict(monitors.card),
    }
    if monitors.skills:
        described["skills"] = [skill.model_dump(mode="json") for skill in monitors.skills]
    atomic_write(folder / JSON_FILE, json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return folder


def load_monitors(folder: Path | str, model: LanguageModel | None = None) -> Monitors:
    """Read monitors.

    Args:
        folder: which `heedful monitor train` wrote.
        model: what they are to watch; None to look at them only.

    Raises:
        StoreError: the folder holds none, is damaged, or of another schema version.
        ModelError: they were trained on another model than `model`.
    """
    folder = Path(folder)
    found = _described(folder)
    try:
        weights = (folder / WEIGHTS_FILE).read_bytes()
        if hashlib.sha256(weights).hexdigest() != found["weights_sha256"]:
            raise ValueError(f"{WEIGHTS_FILE} is not the file that {JSON_FILE} describes")
        tensors = load_tensors(weights)
        monitors = Monitors(
            sites=tuple(found["sites"]),
            each=tuple(_monitor(each) for each in found["monitors"]),
            coef=tensors["coef"],
            prompt_coef=tensors["prompt_coef"],
            intercept=tensors["intercept"],
            model=found["model"],
            parity=Parity(**found["parity"]) if found["parity"] else None,
            card=found["card"],
            skills=tuple(Skill.model_validate(each) for each in found.get("skills", ())),
        )
        if any(t.shape[:2] != (len(monitors.each), len(monitors.sites)) for t in (monitors.coef, monitors.prompt_coef)):
            raise ValueError("its weights are not those of its monitors and sites")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} holds damaged monitors: {error}", _ANEW) from error
    if model is not None:
        monitors.check_model(model)
    return monitors


def _described(folder: Path) -> dict[str, Any]:
    path = folder / JSON_FILE
    if not path.is_file():
        raise StoreError(
            f"{folder} holds no monitors: it has no {JSON_FILE}", "name a folder that holds trained monitors"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}", _ANEW) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(f"{path} does not describe monitors", "name a folder that holds trained monitors")
    if found.get("schema_version") not in _READ:
        raise StoreError(
            f"{folder} is of schema version {found.get('schema_version')}, this is {SCHEMA_VERSION}", _ANEW
        )
    return found


def _monitor(described: dict[str, Any]) -> Monitor:
    threshold = Threshold(**described["threshold"])
    if threshold.value is None:
        threshold = threshold._replace(value=-math.inf)
    forecast = Forecast(**described["forecast"])
    return Monitor(described["name"], described["width"], threshold, forecast, described.get("agree"))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
