"""What Paradex tells, as plain data: one record per kind, the same from SBE frames, JSON channels and REST.

Prices, sizes and amounts are ints in 1e-8 (`_e8`), times UTC ns (the wire has us in SBE, ms in JSON). None is null or
absent. The fields up to the texts stand in the order of the SBE layout; `sbe` relies on it.

Texts of enums are the venue's JSON words, in both encodings. A value the schema cannot name is kept as "UNKNOWN_<n>"
where it only describes; the sides and status of private records are refused instead (DecodeError): they move money.

Source: Paradex protocol reference, sections 7 to 9, state of October 2026.
"""

from dataclasses import dataclass
from typing import NamedTuple

from deltawire.core.book import Level
from deltawire.core.types import Side


class Bbo(NamedTuple):
    """Best bid and offer; a side that is missing is None."""

    venue_unix_ns: int
    seq: int
    bid: Level | None
    ask: Level | None
    market: str


class BookUpdate(NamedTuple):
    """A snapshot, or a change in which a size of 0 removes the level. Levels as the wire has them, best first.

    The best_* pairs are None outside the interactive feed (with RPI) and where the venue leaves them out (api).
    """

    venue_unix_ns: int
    seq: int
    is_snapshot: bool
    bids: list[Level]
    asks: list[Level]
    market: str
    best_bid: Level | None = None
    best_ask: Level | None = None
    relative_spread_e8: int | None = None
    best_bid_api: Level | None = None
    best_ask_api: Level | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    venue_unix_ns: int
    seq: int  # book sequence after the trade, 0 if none
    trade_id_low64: int  # deprecated: truncated, may be negative
    aggressor: Side | None  # None: the schema cannot name it
    price_e8: int
    size_e8: int
    created_unix_ns: int
    trade_type: str
    market: str
    trade_id: str | None = None


@dataclass(frozen=True, slots=True)
class MarketSummary:
    venue_unix_ns: int
    seq: int
    mark_price_e8: int
    index_price_e8: int
    last_price_e8: int
    volume_usd_24h_e8: int
    open_interest_e8: int
    funding_rate_e8: int  # truncated; prefer funding_rate_e12
    bid_price_e8: int | None
    ask_price_e8: int | None
    total_volume_e8: int  # stops at the largest int64
    price_change_rate_24h_e8: int
    mark_iv_e8: int | None
    bid_iv_e8: int | None
    ask_iv_e8: int | None
    last_iv_e8: int | None
    delta_e8: int | None
    gamma_e8: int | None
    vega_e8: int | None
    theta_e8: int | None
    rho_e8: int | None
    volga_e8: int | None
    vanna_e8: int | None
    future_funding_rate_e8: int | None
    external_fair_price_e8: int | None
    bid_size_e8: int | None
    ask_size_e8: int | None
    forward_rate_e8: int | None
    risk_free_rate_e8: int | None
    funding_rate_e12: int | None
    settlement_twap_e8: int | None
    market: str


@dataclass(frozen=True, slots=True)
class FundingData:
    venue_unix_ns: int
    seq: int
    funding_rate_e8: int
    funding_index_e8: int
    created_unix_ns: int
    funding_premium_e8: int
    funding_rate_8h_e8: int
    funding_period_hours: int
    impact_premium_rate_e8: int | None
    market: str


@dataclass(frozen=True, slots=True)
class Order:
    """One order as the venue sees it. A refusal after the reply is CLOSED with a cancel_reason: no REJECTED exists."""

    venue_unix_ns: int  # JSON: the signature timestamp
    seq: int  # grows with every update, not by one; REST and WebSocket give different ones
    status: str  # NEW, UNTRIGGERED, OPEN, CLOSED
    side: Side
    order_type: str
    instruction: str
    price_e8: int | None  # None for market types
    trigger_price_e8: int | None
    size_e8: int
    remaining_e8: int
    avg_fill_price_e8: int | None
    created_unix_ns: int
    updated_unix_ns: int
    account: str
    received_unix_ns: int
    published_unix_ns: int
    stp: str
    flags: tuple[str, ...]
    request_status: str | None
    request_type: str | None
    order_id: str
    client_id: str
    market: str
    cancel_reason: str
    request_id: str | None = None
    request_message: str | None = None

    @property
    def is_closed(self) -> bool:
        return self.status == "CLOSED"

    @property
    def filled_e8(self) -> int:
        return self.size_e8 - self.remaining_e8


@dataclass(frozen=True, slots=True)
class Fill:
    venue_unix_ns: int
    seq: int | None
    fill_type: str
    side: Side
    liquidity: str
    price_e8: int
    size_e8: int
    fee_e8: int  # positive is paid
    realized_pnl_e8: int | None
    created_unix_ns: int
    account: str
    underlying_price_e8: int
    realized_funding_e8: int
    flags: tuple[str, ...] | None
    book_seq: int | None  # book sequence after the trade, 0 for position transfers
    fill_id: str
    order_id: str
    client_id: str
    trade_id: str  # SBE only
    market: str
    fee_currency: str | None = None
    remaining_e8: int | None = None  # JSON only


@dataclass(frozen=True, slots=True)
class Position:
    """size_e8 is signed (the SBE wire has it absolute, with the side); a closed one is long with size 0."""

    venue_unix_ns: int
    seq: int
    side: Side
    size_e8: int
    entry_price_e8: int
    unrealized_pnl_e8: int
    realized_pnl_e8: int
    mark_price_e8: int | None
    liquidation_price_e8: int | None
    leverage_e8: int
    updated_unix_ns: int
    account: str
    entry_price_usd_e8: int
    cost_e8: int
    cost_usd_e8: int
    funding_index_e8: int
    unrealized_funding_e8: int
    status: str
    market: str
    last_fill_id: str


@dataclass(frozen=True, slots=True)
class Account:
    venue_unix_ns: int
    seq: int
    total_collateral_e8: int
    free_collateral_e8: int
    initial_margin_e8: int
    maintenance_margin_e8: int
    account_value_e8: int
    unrealized_pnl_e8: int | None
    updated_unix_ns: int
    account: str
    margin_cushion_e8: int
    status: str
    last_seen_notification_unix_ns: int | None
    settlement_asset: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    venue_unix_ns: int
    seq: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A frame of a template this codec does not model."""

    template_id: int


Record = Bbo | BookUpdate | Trade | MarketSummary | FundingData | Order | Fill | Position | Account | Heartbeat
