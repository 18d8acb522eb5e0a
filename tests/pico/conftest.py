"""One pool of grammar texts for all tests of the room: drawing one takes seconds."""

from __future__ import annotations

import pytest

from heedful.pico.pool import Pool, draw_pool


@pytest.fixture(scope="session")
def pool() -> Pool:
    return draw_pool(7, 600)
