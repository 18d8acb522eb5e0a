"""Stage 4: every lens put to the hidden states, and what of their probes is tried on the model next.

Writes `results/`, a file a lens, with the verdict on them, and the arms.
"""

from __future__ import annotations

from functools import partial

import xarray as xr

from heedful.config import StudySettings
from heedful.lenses import LENSES, RESULTS_VERSION, ablation, fit_probes, verdict
from heedful.lenses.ablation import ERASERS, HEADLINE
from heedful.lenses.arms import fit_arms, thirds
from heedful.pipeline.data import read_data
from heedful.pipeline.intervene import ARMS_FILE, arms_bytes
from heedful.pipeline.progress import Progress
from heedful.store import RunFolder, encode_results


def probe(run: RunFolder, settings: StudySettings, progress: Progress) -> None:
    """Put every lens to the hidden states."""
    inputs = settings.model_dump(include={"folds", "seed", "erasers", "full"}) | {"arms": settings.intervenes}
    inputs |= {"lenses": list(LENSES), "results": RESULTS_VERSION}
    stage = run.stage("probe", inputs=inputs, reads=["respond", "read"])
    if stage.done:
        return
    data = read_data(run.path, run.manifest)
    fits = fit_probes(data, lambda what, done, total: progress("fitting probes", done, total))
    results: dict[str, xr.Dataset] = {}
    lenses = LENSES | {"ablation": partial(ablation, erasers=settings.erasers)}
    for number, (name, lens) in enumerate(lenses.items()):
        progress("measuring", number, len(LENSES))
        results[name] = lens(data, fits)
        stage.write(f"results/{name}.nc", encode_results(results[name]))
    stage.write("results/verdict.nc", encode_results(verdict(results)))
    erasers, sites = (tuple(ERASERS), thirds(data.sites)) if settings.full else ((HEADLINE,), ())
    arms = fit_arms(data, fits, erasers=erasers, sites=sites) if settings.intervenes else []
    stage.write(ARMS_FILE, arms_bytes(arms))
    progress("measuring", len(LENSES), len(LENSES))
    stage.finish()
