"""An adapter that has not started, and one that has, with valid books."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.unit.paradex.paradex_rig import BTC, ETH, SETTINGS, Rig, make_rig


@pytest.fixture
def impatient() -> None:
    """For tests of silence: an order without an answer is in doubt soon. All others have time on a busy machine."""


@pytest.fixture
async def unstarted(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    rig = make_rig(replace(SETTINGS, reply_timeout_s=0.05) if "impatient" in request.fixturenames else SETTINGS)
    yield rig
    await rig.venue.close()


@pytest.fixture
async def rig(unstarted: Rig) -> Rig:
    await unstarted.venue.start(unstarted.sink)
    await unstarted.sink.until(lambda: unstarted.venue.book(BTC).valid and unstarted.venue.book(ETH).valid)
    return unstarted
