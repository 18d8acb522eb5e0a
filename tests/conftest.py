"""Every shape annotation in the package is checked while the tests run (jaxtyping with beartype).

No example has a deadline: a busy machine is no fault of the code.
"""

import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # tiny products gain nothing from a second thread, and lose on a busy machine

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("heedful", deadline=None)
settings.load_profile("heedful")

install_import_hook(["heedful.probes", "heedful.models", "heedful.store", "heedful.lenses"], "beartype.beartype")
