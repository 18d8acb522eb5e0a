"""Every shape annotation in the package is checked while the tests run (jaxtyping with beartype)."""

from jaxtyping import install_import_hook

install_import_hook(
    ["heedful.probes", "heedful.models", "heedful.store", "heedful.lenses"], "beartype.beartype"
)
