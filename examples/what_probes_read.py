"""Rows, labels and hidden states of a study, for a probe of your own.

Run: python examples/what_probes_read.py [RUN_FOLDER]
"""

import sys

import heedful
from heedful.probes import auroc

study = heedful.open_study(sys.argv[1] if len(sys.argv) > 1 else "runs/pico-llama")
data = study.data
task, site, position = data.tasks[0], data.sites[-1], data.positions[-1]
rows = data.examples("contrast", task)
rows = rows.take(data.valid(position, rows))
[states] = data.states((site,), position, rows)  # [sample, hidden], on the study's feature scale

# A difference of means, fitted on all folds but the first, scored on the first: no base prompt is in both.
test = rows.fold == 0
trained, label = states[~test], rows.label[~test]
direction = trained[label == 1].mean(0) - trained[label == 0].mean(0)
score = float(auroc(states[test] @ direction, rows.label[test]))
print(f"{task} at {site}, {position}: AUROC {score:.2f} on {int(test.sum())} rows of base prompts that were held out")
