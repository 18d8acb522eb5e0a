"""The lenses: from labelled rows and hidden states to labelled results, one question a file.

`fit_probes` fits once what the lenses then read; a lens is a function from a study's data and its fits to a Dataset.
"""

from collections.abc import Callable

import xarray as xr

from heedful.lenses.ablation import ablation
from heedful.lenses.baselines import baselines
from heedful.lenses.data import KINDS, Examples, Kind, StudyData
from heedful.lenses.depth import depth
from heedful.lenses.extras import extras
from heedful.lenses.extremes import extremes
from heedful.lenses.fits import PROBES, Fits, Progress, TaskFits, fit_probes
from heedful.lenses.mapped import mapped
from heedful.lenses.specialists import specialists
from heedful.lenses.specificity import specificity
from heedful.lenses.temporal import temporal
from heedful.lenses.transfer import transfer
from heedful.lenses.verdict import verdict

RESULTS_VERSION = 5
"""Raised where results of the same hidden states mean something else, or have other variables: then they are made anew."""

Lens = Callable[[StudyData, Fits], xr.Dataset]

LENSES: dict[str, Lens] = {
    "specialists": specialists,
    "baselines": lambda data, fits: baselines(data),
    "depth": depth,
    "transfer": transfer,
    "mapped": mapped,
    "ablation": ablation,
    "temporal": temporal,
    "specificity": specificity,
    "extremes": extremes,
}
"""By the name of the result file. Not among them: `verdict`, which reads their results, and `extras`, made on request."""

__all__ = [
    "KINDS",
    "LENSES",
    "PROBES",
    "RESULTS_VERSION",
    "Examples",
    "Fits",
    "Kind",
    "Lens",
    "Progress",
    "StudyData",
    "TaskFits",
    "ablation",
    "baselines",
    "depth",
    "extras",
    "extremes",
    "fit_probes",
    "mapped",
    "specialists",
    "specificity",
    "temporal",
    "transfer",
    "verdict",
]
