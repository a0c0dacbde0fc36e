"""The echoing venue as a fixture, on both loops."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop
from tests.unit.sim_network.venue_echo import Venue


def pytest_asyncio_loop_factories(config, item):
    """Run on both loops: their timers differ, and neither's may matter."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    venue = Venue()
    await venue.start()
    yield venue
    await venue.stop()
