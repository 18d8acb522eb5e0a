"""`python -m benchmarks NAME [options]` runs one benchmark, `python -m benchmarks` lists them, `… all` runs those of speed.

Speed is measured beside the peer that a user would otherwise pick, each peer in an environment of its own under `.bench/`;
what a run finds is kept there, and `… results` writes the last of each to `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

from benchmarks.speed import results
from benchmarks.speed.peers import PEERS

HERE = Path(__file__).parent
SPEED = ("probes", "inlp", "leace", "intervals", "store", "verifying", "reading", "monitoring", "quick", "growth")
"""In the order in which `all` runs them."""


def _modules() -> dict[str, str]:
    """Name → module."""
    own = {name: f"benchmarks.speed.{name}" for name in SPEED}
    others = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("__"))
    return own | {name: f"benchmarks.{name}" for name in others} | {"verifiers": "benchmarks.verifiers.evaluate"}


def _first_line(module: str) -> str:
    file = HERE.parent / (module.replace(".", "/") + ".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]


def main() -> int:
    """Dispatch; the status is 1 where a benchmark does not exist, 2 where the table cannot be written."""
    modules = _modules()
    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name in ("all", "results"):
        if options:
            print(
                f"{name} takes no options, and was given {' '.join(options)}; run one benchmark by its name",
                file=sys.stderr,
            )
            return 2
        for each in SPEED if name == "all" else ():
            results.forget(each)
            _run(modules[each], [])
        missing = [each for each in SPEED if not results.kept(each)]
        if missing:
            print(f"the table stays as it is: {', '.join(missing)} must be measured first, here", file=sys.stderr)
            return 2
        print(results.write_table([f"{peer.name}: {', '.join(peer.requirements)}" for peer in PEERS]))
        return 0
    if name not in modules:
        if name and name not in ("-h", "--help"):
            print(f"there is no benchmark {name!r}", file=sys.stderr)
        for each, module in modules.items():
            print(f"  {each:11} {_first_line(module)}")
        print("  all         those of speed, and then their table; `results` writes the table alone")
        return int(bool(name) and name not in ("-h", "--help"))
    _run(modules[name], options)
    return 0


def _run(module: str, options: list[str]) -> None:
    sys.argv = [module, *options]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    raise SystemExit(main())
