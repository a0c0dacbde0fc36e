"""A started Vest adapter on a FakeVest, with the helpers its tests share."""

import contextlib
import random
from collections import deque

from tests.unit.vest.fake_vest import Ear, FakeVest, Log, settings
from tests.unit.vest.virtual import VirtualClock

from deltawire.core.money import E8
from deltawire.core.order import Order
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.venues.vest.session import VestVenue

SYMBOL = "BTC-PERP"


class Bench:
    def __init__(self, *, vest=None, **changes):
        """vest: one that is there already, for a second adapter of the same account."""
        self.clock = VirtualClock()
        self.vest = vest or FakeVest(self.clock)
        self.log, self.ear = Log(), Ear()
        self.adapter = VestVenue(
            settings(**changes),
            network=self.vest,
            client=self.vest,
            clock=self.clock,
            log=self.log,
            rng=random.Random(1),
            random_bytes=lambda n: b"\x22" * n,
        )
        self.sent = 0
        self.start_calls = []  # what `start` asked the venue

    async def start(self):
        await self.adapter.start(self.ear)

    def request(
        self, *, side=Side.BUY, size_e8=E8 // 100, cap_e8=70_000 * E8, reduce_only=False, purpose=Purpose.ENTRY
    ):
        self.sent += 1
        return OrderRequest(
            ClientOrderId(f"order-{self.sent}"),
            TradeId("trade-1"),
            purpose,
            self.adapter.instrument(SYMBOL),
            side,
            size_e8,
            cap_e8,
            reduce_only,
        )

    def prepare(self, **changes):
        request = self.request(**changes)
        self.ear.orders[request.client_id] = Order(request)
        return self.adapter.prepare(request, OrderStamps())

    def submit(self, *fates, **changes):
        """Send one order to its fate; return what was prepared."""
        self.vest.fates = deque(fates)
        prepared = self.prepare(**changes)
        self.adapter.submit(prepared)
        return prepared

    def order(self, prepared):
        return self.ear.orders[prepared.request.client_id]

    def events(self, prepared):
        return self.ear.events.get(prepared.request.client_id, [])

    def kinds(self, prepared):
        return [type(event).__name__ for event in self.events(prepared)]

    async def look_up(self, prepared):
        return await self.adapter.look_up(prepared.request.client_id, prepared.correlator, SYMBOL)


@contextlib.asynccontextmanager
async def started(**changes):
    bench = Bench(**changes)
    await bench.start()
    bench.start_calls = list(bench.vest.calls)
    bench.vest.calls.clear()
    try:
        yield bench
    finally:
        await bench.adapter.close()
