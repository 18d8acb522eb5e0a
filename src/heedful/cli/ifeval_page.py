"""The page of `heedful ifeval`: one HTML file that opens offline, in the look of the report. Draws what was computed.

Lives beside the command and not with the report, which needs a tensor library; it shares the report's style sheet as a file.
The page runs no script and loads nothing, and every text in it is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from heedful.cli.pages import write_whole
from heedful.cli.terminal import printable
from heedful.constraints.ifeval import correction_of
from heedful.constraints.ifeval.accuracy import Accuracy
from heedful.constraints.ifeval.report import Evaluated
from heedful.errors import InputError

# What the report's style sheet asks for, and this page has not: selectors of views.
_NO_VIEWS: dict[str, Any] = {"kinds": (), "positions": (), "depth_positions": ()}
_SOURCES = {"IFEval": "Zhou et al. 2023, arXiv:2311.07911", "IFBench": "Pyatkin et al. 2025, arXiv:2507.02833"}
_OUTCOMES = {True: ("pass", "supported"), False: ("fail", "contradicted"), None: ("unscored", "undecided")}


def write_page(path: Path, found: Evaluated, name: str) -> None:
    """Write the page, wholly or not at all.

    Raises:
        InputError: jinja2 is not installed, or the place cannot be written.
    """
    write_whole(path, render_page(found, name))


def render_page(found: Evaluated, name: str) -> str:
    """The page as HTML.

    Raises:
        InputError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError as error:
        raise InputError(
            "a page needs jinja2, which is not installed", "pip install jinja2, or 'heedful[probe]'"
        ) from error
    environment = Environment(
        loader=FileSystemLoader([str(files("heedful") / room / "templates") for room in ("cli", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "visible": printable}
    style = environment.get_template("report.css.jinja").render(_NO_VIEWS)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    context = _context(found, name) | {"style": Markup(style), "style_hash": digest}
    return environment.get_template("ifeval.html.jinja").render(context)


def _context(found: Evaluated, name: str) -> dict[str, Any]:
    strict, loose = found.scores["strict"], found.scores["loose"]
    violated = [
        {
            "key": each.item.prompt.key,
            "prompt": each.item.prompt.prompt,
            "instructions": [
                {
                    "type": constraint.ifeval_id,
                    "expected": verdict.expected,
                    "strict": _OUTCOMES[strict_passed],
                    "loose": _OUTCOMES[loose_passed],
                    "said": verdict.hint or verdict.reason,
                }
                for constraint, verdict, strict_passed, loose_passed in zip(
                    each.item.prompt.instructions, each.strict, each.passed("strict"), each.passed("loose"), strict=True
                )
                if not strict_passed
            ],
        }
        for each in found.judged
        if each.strict and each.whole("strict") is not True
    ]
    return {
        "name": name,
        "benchmarks": found.benchmarks,
        "sources": "; ".join(source for benchmark, source in _SOURCES.items() if benchmark in found.benchmarks),
        "corrected": found.corrected,
        "answered": found.prompts - found.matched.missing,
        "overall": [("Prompt", strict.prompt, loose.prompt), ("Instruction", strict.instruction, loose.instruction)],
        "families": [
            (family, strict.by_family[family], loose.by_family[family], _types(found, family))
            for family in strict.by_family
        ],
        "notes": found.notes,
        "differences": found.differences,
        "corrections": {kind: correction_of(kind) for kind in strict.by_type if correction_of(kind)},
        "violated": violated,
    }


def _types(found: Evaluated, family: str) -> list[tuple[str, Accuracy, Accuracy]]:
    strict, loose = found.scores["strict"].by_type, found.scores["loose"].by_type
    return [(kind, strict[kind], loose[kind]) for kind in strict if kind.startswith(f"{family}:")]


def _share(accuracy: Accuracy) -> str:
    if accuracy.value is None:
        return "unscored"
    return f"{100 * accuracy.value:.1f} % [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"
