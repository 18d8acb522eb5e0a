"""Rows, labels and hidden states of a study, for a probe of your own.

Run: python examples/what_probes_read.py [RUN_FOLDER]
"""

import sys

import heedful
from heedful.probes import auroc

study = heedful.open_study(sys.argv[1] if len(sys.argv) > 1 else "runs/pico-llama")
data = study.data
site, position = data.sites[-1], data.positions[-1]
# Contrast squares, if the study has them; of answers given elsewhere there are natural labels only.
choices = ((kind, task) for kind in ("contrast", "natural") for task in data.tasks)
kind, task = next((each for each in choices if len(data.examples(*each).label.unique()) == 2), (None, None))
if kind is None:
    sys.exit(f"{study.path}: no task has rows of either class")
rows = data.examples(kind, task)
rows = rows.take(data.valid(position, rows))
[states] = data.states((site,), position, rows)  # [sample, hidden], on the study's feature scale

# A difference of means, fitted on all folds but the first, scored on the first: no base prompt is in both.
test = rows.fold == 0
trained, label = states[~test], rows.label[~test]
direction = trained[label == 1].mean(0) - trained[label == 0].mean(0)
score = float(auroc(states[test] @ direction, rows.label[test]))
print(f"{task}, {kind} labels, at {site}, {position}:", end=" ")
print(f"AUROC {score:.2f} on {int(test.sum())} rows of base prompts that were held out")
