"""The nouns every layer shares: sides, ids, instruments. Plain data, no behaviour beyond arithmetic."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NewType

from deltawire.core.money import ceil_to, floor_to

ClientOrderId = NewType("ClientOrderId", str)  # ours, unique for ever
VenueOrderId = NewType("VenueOrderId", str)  # theirs
TradeId = NewType("TradeId", str)  # ours: one round trip of a pair


class Side(IntEnum):
    """Which way an order goes."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Purpose(Enum):
    """Why an order is sent. Exits (everything but ENTRY) are never blocked by entry checks (I8)."""

    ENTRY = "entry"
    EXIT = "exit"
    REPAIR = "repair"  # the missing part of an entry, on the leg that did not fill
    UNWIND = "unwind"  # the filled part of an entry, given back


@dataclass(frozen=True, slots=True)
class Instrument:
    """One perpetual on one venue. All money in 1e-8 units.

    fee_rate_taker_e8: taker fee as a rate, 1e-8 (one bps is 10_000); positive is paid.
    notional_min_e8, size_max_e8, position_max_e8 (the largest position, either side) and price_band_e8 (how far from
    the mark price an order may reach, as a rate): 0 where the venue has no such rule.
    """

    venue: str
    symbol: str
    price_tick_e8: int
    size_step_e8: int
    size_min_e8: int
    size_max_e8: int
    notional_min_e8: int
    fee_rate_taker_e8: int
    position_max_e8: int = 0
    price_band_e8: int = 0

    def cap(self, side: Side, price_e8: int) -> int:
        """Round a limit price so that it never gets worse for us: a buy down, a sell up."""
        round_to = floor_to if side is Side.BUY else ceil_to
        return round_to(price_e8, self.price_tick_e8)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What the engine asks a venue for: an immediate order with a capped price (never an unpriced one)."""

    client_id: ClientOrderId
    trade_id: TradeId
    purpose: Purpose
    instrument: Instrument
    side: Side
    size_e8: int
    cap_price_e8: int
    reduce_only: bool = False
