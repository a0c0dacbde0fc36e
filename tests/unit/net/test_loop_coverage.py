"""Says aloud when the net tests run on one loop only: a line in pytest's summary of skips."""

import asyncio

import pytest
from tests.unit.net.conftest import ASYNCIO_TLS_IS_SOUND


@pytest.mark.skipif(not ASYNCIO_TLS_IS_SOUND, reason="asyncio's TLS of this Python is broken: only uvloop was tested")
async def test_the_net_tests_know_which_loop_they_run_on(request):
    loop = asyncio.get_running_loop()
    assert type(loop).__module__.startswith("uvloop") == ("uvloop" in request.node.name)
