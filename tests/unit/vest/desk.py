"""A started adapter on a running simulated Vest, over real TLS connections."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

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
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

SYMBOL = "BTC-PERP"
SIZE_E8 = E8 // 100
# Quick fills, so that no test waits for the venue's delays.
FAST = replace(SETTINGS, depth_median_ms=20, depth_p90_ms=20, execution_delay_ms=(1, 5), account_delay_ms=(1, 5))
DEADLINE_S = 60


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is waited for happens behind sockets
            await asyncio.sleep(0.001)


class Desk:
    """A started adapter on a running simulator."""

    def __init__(self, venue: VestVenue, sim: VestSim, faults: Faults, log: Log) -> None:
        self.venue, self.sim, self.faults, self.log, self.ear = venue, sim, faults, log, Ear()
        self.sent = 0

    async def trade(
        self,
        side: Side = Side.BUY,
        *,
        purpose: Purpose = Purpose.ENTRY,
        reduce_only: bool = False,
        size_e8: int = SIZE_E8,
    ) -> Order:
        """Send one order and see it to its end."""
        self.sent += 1
        request = OrderRequest(
            ClientOrderId(f"order-{self.sent}"),
            TradeId("trade-1"),
            purpose,
            self.venue.instrument(SYMBOL),
            side,
            size_e8,
            (66_000 if side is Side.BUY else 54_000) * E8,
            reduce_only,
        )
        self.ear.orders[request.client_id] = Order(request)
        self.venue.submit(self.venue.prepare(request, OrderStamps()))
        await until(lambda: self.ear.orders[request.client_id].is_final)
        return self.ear.orders[request.client_id]


@contextlib.asynccontextmanager
async def a_desk(
    ca: trustme.CA, pool: PoolSettings | None = None, *, sim_settings: VestSimSettings = FAST, **changes: Any
) -> AsyncIterator[Desk]:
    """changes: to the settings of the adapter."""
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    ca.configure_trust(client_tls)
    clock, market, faults, log = SystemClock(), Market(("BTC", "ETH")), Faults(), Log()
    market.publish("vest", "BTC", quote("60000.00", "60010.00"))
    market.publish("vest", "ETH", quote("2500.000", "2500.500"))
    sim = VestSim(clock=clock, market=market, faults=faults, settings=sim_settings, log=Log())
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
        pool=pool or PoolSettings(),
        **changes,
    )
    venue = VestVenue(
        settings, network=network, client=network.rest(origin), clock=clock, log=log, rng=random.Random(2)
    )
    desk = Desk(venue, sim, faults, log)
    try:
        await venue.start(desk.ear)
        yield desk
    finally:
        await venue.close()
        await sim.stop()
