"""Linear erasure: fit a low-rank map that removes what a label leaves in hidden states, or turns it round.

Knows arrays only: no task, no model and no file; could be lifted out as a library with `probes`.
"""

from heedful.erasure.closed_form import fit_leace, fit_mean_flip, fit_mean_projection
from heedful.erasure.eraser import Eraser, joined, stacked
from heedful.erasure.inlp import fit_inlp
from heedful.erasure.random import random_eraser
from heedful.erasure.steering import Step, fit_step
from heedful.erasure.streaming import StreamedLeace

__all__ = [
    "Eraser",
    "Step",
    "StreamedLeace",
    "fit_inlp",
    "fit_leace",
    "fit_mean_flip",
    "fit_mean_projection",
    "fit_step",
    "joined",
    "random_eraser",
    "stacked",
]
