"""Orders over real TLS connections to the simulated Vest: warm ones, and ones it has closed for being idle."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import trustme
from tests.unit.sim_vest.world import PRIMARY, SETTINGS, quote
from tests.unit.vest.fake_vest import PRIMARY_KEY, Ear, Log

from deltawire.core.money import E8
from deltawire.core.order import Order
from deltawire.core.secret import Secret
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.clock import SystemClock
from deltawire.net.api import PoolSettings
from deltawire.net.sockets import SocketNetwork
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.vest_server import VestSim
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

SYMBOL = "BTC-PERP"
# Quick fills, so that no test waits for the venue's delays.
FAST = replace(SETTINGS, depth_median_ms=20, depth_p90_ms=20, execution_delay_ms=(1, 5), account_delay_ms=(1, 5))
DEADLINE_S = 10


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is waited for happens behind sockets
            await asyncio.sleep(0.001)


class Desk:
    """A started adapter on a running simulator."""

    def __init__(self, venue: VestVenue, sim: VestSim, log: Log) -> None:
        self.venue, self.sim, self.log, self.ear = venue, sim, log, Ear()
        self.sent = 0

    async def trade(self) -> Order:
        """Send one order and see it to its end."""
        self.sent += 1
        request = OrderRequest(
            ClientOrderId(f"order-{self.sent}"),
            TradeId("trade-1"),
            Purpose.ENTRY,
            self.venue.instrument(SYMBOL),
            Side.BUY,
            E8 // 100,
            66_000 * E8,
        )
        self.ear.orders[request.client_id] = Order(request)
        self.venue.submit(self.venue.prepare(request, OrderStamps()))
        await until(lambda: self.ear.orders[request.client_id].is_final)
        return self.ear.orders[request.client_id]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@contextlib.asynccontextmanager
async def a_desk(ca: trustme.CA, pool: PoolSettings, idle_s: float = 75.0) -> AsyncIterator[Desk]:
    """idle_s: after which the venue closes a connection nobody uses."""
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    ca.configure_trust(client_tls)
    clock, market, log = SystemClock(), Market(("BTC", "ETH")), Log()
    market.publish("vest", "BTC", quote("60000.00", "60010.00"))
    market.publish("vest", "ETH", quote("2500.000", "2500.500"))
    sim = VestSim(clock=clock, market=market, faults=Faults(), settings=replace(FAST, keepalive_s=idle_s), log=Log())
    sim.add_account(PRIMARY.address, 100_000 * E8)
    rest_port, ws_port = await sim.start(server_tls)
    network = SocketNetwork(now_ns=clock.mono_ns, ssl_context=client_tls, rng=random.Random(1))
    origin = f"https://127.0.0.1:{rest_port}"
    settings = VestSettings(
        rest_url=f"{origin}/v2",
        ws_url=f"wss://127.0.0.1:{ws_port}/ws-api",
        primary_address=PRIMARY.address,
        primary_private_key=Secret(PRIMARY_KEY),
        symbols=(SYMBOL,),
        pool=pool,
    )
    venue = VestVenue(
        settings, network=network, client=network.rest(origin), clock=clock, log=log, rng=random.Random(2)
    )
    desk = Desk(venue, sim, log)
    try:
        await venue.start(desk.ear)
        yield desk
    finally:
        await venue.close()
        await sim.stop()


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
    async with a_desk(ca, PoolSettings(connections=2, keepalive_s=60.0), idle_s=0.15) as desk:
        warm_at = desk.sim.state()["http"]["connections_opened"]
        # Both idle connections end several times over, and each time a warm one takes their place.
        await until(lambda: desk.sim.state()["http"]["connections_opened"] >= warm_at + 6)
        await until(lambda: desk.venue.ready)
        order = await desk.trade()
        assert order.filled_e8 == E8 // 100
        (told,) = desk.log.named("order.connection")
        assert (told["reused"], told["requests"]) == (True, 1)
        assert told["age_ns"] < 1_000_000_000
        assert not desk.log.named("vest.order.no_idle_connection")
        assert not desk.log.named("vest.order.failed")


async def test_an_idle_connection_is_used_before_the_venue_would_close_it(ca):
    async with a_desk(ca, PoolSettings(connections=2, keepalive_s=0.05), idle_s=0.5) as desk:
        opened = desk.sim.state()["http"]["connections_opened"]
        async with asyncio.timeout(DEADLINE_S):
            while sum(desk.sim.state()["http"]["requests_by_connection"]) < 60:  # noqa: ASYNC110  # behind sockets
                await asyncio.sleep(0.01)
        # The REST client's own connection is not exercised and may come anew; the pool's two live on.
        assert desk.sim.state()["http"]["connections_opened"] <= opened + 1
        assert (await desk.trade()).filled_e8 == E8 // 100
