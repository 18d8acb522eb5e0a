"""Every shape annotation in the package is checked while the tests run (jaxtyping with beartype)."""

import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # tiny products gain nothing from a second thread, and lose on a busy machine

from jaxtyping import install_import_hook

install_import_hook(["heedful.probes", "heedful.models", "heedful.store", "heedful.lenses"], "beartype.beartype")
