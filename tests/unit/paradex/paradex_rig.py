"""One adapter against one fake venue, and what tests do with the two."""

import random
from dataclasses import dataclass, replace
from typing import Any

from tests.unit.paradex.paradex_fake import E8, FakeParadex, MemoryLog, MemorySink, RealClock

from deltawire.core.secret import Secret
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.venues.contract import PreparedOrder
from deltawire.venues.paradex.records import BookUpdate
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.paradex.signing import public_key_of

KEY = 0x1234567890ABCDEF1234567890ABCDEF
ACCOUNT = "0x41e03b9b1c90fd176075ab16d0d223922f8cc5c6b567866c01ca83ff082a8f4"
BTC, ETH = "BTC-USD-PERP", "ETH-USD-PERP"

SETTINGS = ParadexSettings(
    rest_url="https://venue.invalid/v1",
    ws_url="wss://venue.invalid/v1",
    account_address=ACCOUNT,
    private_key=Secret(hex(KEY)),
    symbols=(BTC, ETH),
    reply_timeout_s=60.0,  # see conftest.impatient
    call_timeout_s=3.0,  # a loaded machine may stop the loop for a while
    reconnect_floor_s=0.001,
    reconnect_ceiling_s=0.01,
    resubscribe_pause_s=0.0,
)


def snapshot(market: str, seq: int = 100) -> BookUpdate:
    bids = [(100_000 * E8, E8), (99_999 * E8, 2 * E8), (99_998 * E8, 3 * E8)]
    asks = [(100_001 * E8, E8), (100_002 * E8, 2 * E8), (100_003 * E8, 3 * E8)]
    return BookUpdate(1_795_000_000_000_000_000, seq, True, bids, asks, market)


@dataclass(slots=True)
class Rig:
    settings: ParadexSettings
    fake: FakeParadex
    sink: MemorySink
    log: MemoryLog
    venue: ParadexVenue
    made: int = 0

    def prepare(
        self, *, size_e8: int = E8 // 100, side: Side = Side.BUY, purpose: Purpose = Purpose.ENTRY
    ) -> PreparedOrder:
        self.made += 1
        request = OrderRequest(
            client_id=ClientOrderId(f"t-{self.made}"),
            trade_id=TradeId("t"),
            purpose=purpose,
            instrument=self.venue.instrument(BTC),
            side=side,
            size_e8=size_e8,
            cap_price_e8=100_001 * E8,
        )
        return self.venue.prepare(request, OrderStamps())

    def submit(self, *, size_e8: int = E8 // 100, purpose: Purpose = Purpose.ENTRY) -> str:
        prepared = self.prepare(size_e8=size_e8, purpose=purpose)
        self.venue.submit(prepared)
        return prepared.request.client_id

    async def until_kinds(self, client_id: str, *kinds: str) -> None:
        await self.sink.until(lambda: self.sink.kinds(client_id)[: len(kinds)] == list(kinds))

    def restart_with(self, **changes: Any) -> "Rig":
        return make_rig(replace(self.settings, **changes), self.fake)


def make_rig(settings: ParadexSettings, fake: FakeParadex | None = None) -> Rig:
    fake = fake or FakeParadex(ACCOUNT, public_key_of(KEY), snapshots=snapshot)
    log = MemoryLog()
    venue = ParadexVenue(settings, network=fake, http=fake, clock=RealClock(), log=log, rng=random.Random(1))
    return Rig(settings, fake, MemorySink(), log, venue)
