"""An adapter that has not started, and one that has, with valid books."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.paradex.paradex_rig import BTC, ETH, SETTINGS, Rig, make_rig


@pytest.fixture
async def unstarted() -> AsyncIterator[Rig]:
    rig = make_rig(SETTINGS)
    yield rig
    await rig.venue.close()


@pytest.fixture
async def rig(unstarted: Rig) -> Rig:
    await unstarted.venue.start(unstarted.sink)
    await unstarted.sink.until(lambda: unstarted.venue.book(BTC).valid and unstarted.venue.book(ETH).valid)
    return unstarted
