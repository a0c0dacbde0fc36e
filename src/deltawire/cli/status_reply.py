"""The answer to `{"cmd": "status"}` as we read it. What a newer bot adds is ignored, what an older lacks is empty."""

from typing import Any

import msgspec

Figure = str | float | int | None


class VenueStatus(msgspec.Struct):
    ready: bool = False
    links: dict[str, bool] = {}
    feed_age_ms: dict[str, Figure] = {}
    orders: int = 0


class BookStatus(msgspec.Struct):
    bid: Figure = None
    ask: Figure = None
    bid_size: Figure = None
    ask_size: Figure = None
    age_ms: Figure = None
    valid: bool = False


class Thresholds(msgspec.Struct):
    entry: Figure = None
    exit: Figure = None


class TradeStatus(msgspec.Struct):
    trade_id: str = ""
    phase: str = ""
    buy: str = ""
    entry_spread_bps: Figure = None
    size: Figure = None
    in_doubt: int = 0


class PairStatus(msgspec.Struct):
    """spread_bps has buy_a and buy_b: what buying on that leg and selling on the other would earn before costs."""

    id: str = ""
    state: str = ""
    spread_bps: dict[str, Figure] = {}
    edge_bps: Figure = None
    closing_spread_bps: Figure = None  # what closing would cost now; None without an open trade
    books: dict[str, BookStatus] = {}
    trade: TradeStatus | None = None
    position: dict[str, Figure] = {}
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)


class Status(msgspec.Struct):
    state: str = ""
    run_id: str = ""
    simulated: bool = False
    mode: str = ""
    uptime_s: float = 0.0
    venues: dict[str, VenueStatus] = {}
    pairs: list[PairStatus] = []
    round_trips: int = 0
    trades: int = 0
    pnl_usd: Figure = None
    fees_usd: Figure = None
    last_latency: list[str] = []
    halted: str = ""  # why no entry is allowed, "" when it is


def read_status(reply: dict[str, Any]) -> Status:
    """Give the reply its types. Raises msgspec.ValidationError for one that is not a status."""
    return msgspec.convert(reply, Status)
