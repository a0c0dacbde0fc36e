"""The answer to `{"cmd": "status"}` as we read it. What a newer bot adds is ignored, what an older lacks is empty."""

from typing import Any

import msgspec

Figure = str | float | int | None


class ClockStatus(msgspec.Struct):
    offset_ms: Figure = None  # ours less the venue's
    blocks: str = ""  # why no entry is signed by it


class VenueStatus(msgspec.Struct):
    ready: bool = False
    clock: ClockStatus | None = None
    links: dict[str, bool] = {}
    feed_age_ms: dict[str, Figure] = {}
    orders: int = 0
    reconnects: dict[str, int] = {}
    book_breaks: dict[str, int] = {}
    equity_usd: Figure = None
    free_usd: Figure = None


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
    open_s: Figure = None
    unhedged_ms: Figure = None
    is_rest: bool = False  # what is left is under the venue's smallest order: a person closes it there
    legs: dict[str, Figure] = {}


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
    delta_usd: Figure = None
    last_refusal: str = ""  # the rule that last held an entry back
    suspicion: str = ""  # a position that differs and is being read again, "" for none
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)


class PhaseStatus(msgspec.Struct):
    """Percentiles of one phase of the last orders, in µs."""

    n: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class LimitsStatus(msgspec.Struct):
    orders_per_minute: int = 0
    orders_per_minute_max: int = 0
    lost_today_usd: Figure = None
    daily_loss_max_usd: Figure = None
    drawdown_usd: Figure = None
    drawdown_max_usd: Figure = None


class AlarmStatus(msgspec.Struct):
    unix_ns: int = 0
    level: str = ""
    event: str = ""
    text: str = ""


class DifferenceStatus(msgspec.Struct):
    """An item on which journal and venue differ; answer: what the bot did about it."""

    kind: str = ""
    venue: str = ""
    item: str = ""
    journal: str = ""
    told: str = ""
    answer: str = ""


class Status(msgspec.Struct):
    state: str = ""
    run_id: str = ""
    simulated: bool = False
    mode: str = ""
    uptime_s: float = 0.0
    venues: dict[str, VenueStatus] = {}
    pairs: list[PairStatus] = []
    differences: list[DifferenceStatus] = []  # open ones; differences_n counts those left out here too
    differences_n: int = 0
    round_trips: int = 0
    trades: int = 0
    pnl_usd: Figure = None
    fees_usd: Figure = None
    last_latency: list[str] = []
    latency_us: dict[str, dict[str, PhaseStatus]] = {}  # by venue and phase
    limits: LimitsStatus = msgspec.field(default_factory=LimitsStatus)
    alarms: list[AlarmStatus] = []  # the last warnings and errors, oldest first
    journal: str = "ok"  # or why it cannot be written
    journal_bytes: int = 0
    halted: str = ""  # why no entry is allowed, "" when it is


def read_status(reply: dict[str, Any]) -> Status:
    """Give the reply its types. Raises msgspec.ValidationError for one that is not a status."""
    return msgspec.convert(reply, Status)
