"""Which language a text is in, as langdetect says. Knows nothing of constraints.

langdetect is IFEval's own detector; it comes with the extra `[ifeval]`. It draws random features, so it is seeded afresh for
each text: the same text always gets the same answer. Without it the answer is `missing`, and who asked must not take that
for yes or no.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

LANGUAGES = tuple(
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa pl pt ro ru sk "
    "sl so sq sv sw ta te th tl tr uk ur vi zh-cn zh-tw".split()
)
"""The codes that langdetect can answer with."""

SEED = 0


class Detected(NamedTuple):
    """What the detector says.

    Attributes:
        language: its code; None if the detector can make nothing of the text (digits only, say), or is missing.
        reason: one phrase: 'en at 0.99', or why there is none.
        missing: whether no detector is installed.
    """

    language: str | None
    reason: str
    missing: bool = False


@lru_cache(maxsize=8192)
def detect_language(text: str) -> Detected:
    """The language of a text."""
    factory = _factory()
    if factory is None:
        return Detected(None, "no language detector is installed: pip install 'heedful[ifeval]'", missing=True)
    from langdetect import LangDetectException

    detector = factory.create()
    detector.append(text)
    try:
        found = detector.get_probabilities()
    except LangDetectException as error:
        return Detected(None, f"none detected ({str(error).rstrip('.').lower()})")
    if not found:
        return Detected(None, "none detected (no language is likely)")
    return Detected(found[0].lang, f"{found[0].lang} at {found[0].prob:.2f}")


@lru_cache(maxsize=1)
def _factory() -> Any:
    try:
        from langdetect import detector_factory
    except ModuleNotFoundError:
        return None
    factory = detector_factory.DetectorFactory()  # our own: the package's global one, and its seed, stay as they are
    factory.set_seed(SEED)
    factory.load_profile(detector_factory.PROFILES_DIRECTORY)
    return factory
