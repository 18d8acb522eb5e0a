"""Every shape annotation in the package is checked while the tests run (jaxtyping with beartype).

No example has a deadline: a busy machine is no fault of the code. The examples of the fast tests are the same every time, so
that luck fails nobody's change; `make test-all` draws others, and more.
"""

import gc
import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # tiny products gain nothing from a second thread, and lose on a busy machine

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("same", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("drawn", deadline=None, max_examples=200)
settings.load_profile("same")

install_import_hook(["heedful.probes", "heedful.models", "heedful.store", "heedful.lenses"], "beartype.beartype")


def pytest_collection_finish() -> None:
    """What was imported stays until the end: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
