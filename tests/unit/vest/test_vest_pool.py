"""Orders over real TLS connections to the simulated Vest: warm ones, and ones it has closed for being idle."""

import asyncio
from dataclasses import replace

import pytest
import trustme
from tests.unit.vest.desk import DEADLINE_S, FAST, a_desk, until

from deltawire.core.money import E8
from deltawire.net.api import PoolSettings
from deltawire.sim.vest_settings import VestSimSettings


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def closing_after(idle_s: float) -> VestSimSettings:
    """Have the venue close a connection nobody has used for so long."""
    return replace(FAST, keepalive_s=idle_s)


async def test_every_order_goes_over_a_warm_connection_and_the_log_proves_it(ca):
    async with a_desk(ca, PoolSettings(connections=1)) as desk:
        for _ in range(3):
            assert (await desk.trade()).filled_e8 == E8 // 100
        told = desk.log.named("order.connection")
        assert [line["reused"] for line in told] == [True, True, True]
        assert [line["requests"] for line in told] == [1, 2, 3]  # the warm-up came first
        ages = [line["age_ns"] for line in told]
        assert 0 < ages[0] < ages[1] < ages[2]
        # The venue's own count agrees: one connection carried the warm-up and all three.
        assert 4 in desk.sim.state()["http"]["requests_by_connection"]


async def test_connections_the_venue_closes_for_being_idle_are_replaced_before_an_order_needs_them(ca):
    async with a_desk(ca, PoolSettings(connections=2, keepalive_s=60.0), sim_settings=closing_after(0.15)) as desk:
        warm_at = desk.sim.state()["http"]["connections_opened"]
        # Both idle connections end several times over, and each time a warm one takes their place.
        await until(lambda: desk.sim.state()["http"]["connections_opened"] >= warm_at + 6)
        # What comes from now on stays, so that the order cannot meet the moment between an end and its replacement.
        assert desk.sim._http is not None
        desk.sim._http._kwargs["keepalive_timeout"] = 600.0
        ended_at = desk.sim.state()["http"]["connections_opened"]
        await until(lambda: desk.sim.state()["http"]["connections_opened"] >= ended_at + 2)
        pool = desk.venue._pool
        assert pool is not None
        await until(lambda: pool.idle == 2)
        order = await desk.trade()
        assert order.filled_e8 == E8 // 100
        (told,) = desk.log.named("order.connection")
        assert (told["reused"], told["requests"]) == (True, 1)
        assert not desk.log.named("vest.order.no_idle_connection")
        assert not desk.log.named("vest.order.failed")


async def test_an_idle_connection_is_used_before_the_venue_would_close_it(ca):
    async with a_desk(ca, PoolSettings(connections=2, keepalive_s=0.05), sim_settings=closing_after(2.0)) as desk:
        opened = desk.sim.state()["http"]["connections_opened"]
        async with asyncio.timeout(DEADLINE_S):
            while sum(desk.sim.state()["http"]["requests_by_connection"]) < 100:  # noqa: ASYNC110  # behind sockets
                await asyncio.sleep(0.01)
        # The REST client's own connection is not exercised and may come anew; the pool's two live on.
        assert desk.sim.state()["http"]["connections_opened"] <= opened + 1
        assert (await desk.trade()).filled_e8 == E8 // 100
