"""Two finished studies beside each other; the page is written next to them.

Run: python examples/compare_models.py RUN_FOLDER RUN_FOLDER [OUT]
"""

import sys

import heedful

if len(sys.argv) < 3:
    sys.exit(__doc__)
first, second, *out = sys.argv[1:]
found = heedful.compare([first, second], out=out[0] if out else "runs")
for model, claims in found.claims.items():
    print(model, claims)
print("the page:", found.report)
