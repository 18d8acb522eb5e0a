"""lm-eval's copy of the reference IFEval code over texts: sys.argv is the folder.

Reads checks.json, a list of [id, kwargs, texts]. Prints seconds and, for each check, which of its texts follow it.
"""

import json
import sys
import time
from pathlib import Path


def main():
    folder = Path(sys.argv[1])
    from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT

    checks = json.loads((folder / "checks.json").read_text(encoding="utf-8"))
    found, seconds = [], []
    for number, (name, kwargs, texts) in enumerate(checks):
        check = INSTRUCTION_DICT[name](f"{name}-{number}")
        check.build_description(**kwargs)
        check.check_following(texts[0])
        began = time.perf_counter()
        found.append([bool(check.check_following(text)) for text in texts])
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds, "found": found}))


if __name__ == "__main__":
    main()
