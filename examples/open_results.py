"""Open what a study found: three lines, here or in a notebook.

Run: python examples/open_results.py [RUN_FOLDER]
"""

import sys

import heedful

study = heedful.open_study(sys.argv[1] if len(sys.argv) > 1 else "runs/pico-llama")
best = study.specialists[["best_auroc", "best_low", "best_high"]].sel(probe="specialist", kind="contrast")
print(best.to_dataframe().round(2)[["best_auroc", "best_low", "best_high"]])

# Every result is an xarray Dataset whose variables say what they are.
print(study.transfer["auroc"].attrs["long_name"], "in", study.transfer["auroc"].attrs["units"])
for claim, outcome in zip(study.verdict["claim"].values, study.verdict["outcome"].values, strict=True):
    print(claim, outcome)
