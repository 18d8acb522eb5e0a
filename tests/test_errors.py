"""An error arrives whole in another process, whatever it is made with: one that does not breaks the pool that carries it."""

from __future__ import annotations

import copy
import pickle

import pytest

from heedful.errors import HeedfulError, InputError, ModelError, StoreError, UpstreamError

ERRORS = (
    *(kind("the cause", "the cure") for kind in (HeedfulError, InputError, ModelError, StoreError)),
    UpstreamError("the cause", "the cure", retry=True, after=2.5),
    UpstreamError("the cause", "the cure", retry=False),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_its_journey(error: HeedfulError) -> None:
    error.add_note("in the third row")
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for found in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(found) is type(error)
        assert (str(found), vars(found)) == (str(error), vars(error))
