"""The public channels of Paradex in JSON form, read only: what SBE frames have replaced on production and testnet.

For an environment that still serves it. Gives the same records as `sbe`, so nothing behind it knows the difference.
Source: Paradex protocol reference, section 8, WebSocket spec 1.3.1.
"""

from typing import Any

import msgspec

from deltawire.core.book import Level
from deltawire.core.money import parse_e8
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.records import Bbo, BookUpdate, FundingData, MarketSummary
from deltawire.venues.paradex.wire_json import NS_PER_MS, loose_e8

E12_PER_E8 = 10_000


class _Bbo(msgspec.Struct):
    market: str
    seq_no: int
    last_updated_at: int
    bid: str = ""
    bid_size: str = ""
    ask: str = ""
    ask_size: str = ""


class _Level(msgspec.Struct):
    side: str
    price: str
    size: str = "0"


class _Book(msgspec.Struct):
    market: str
    seq_no: int
    last_updated_at: int
    update_type: str
    inserts: list[_Level] = []
    updates: list[_Level] = []
    deletes: list[_Level] = []


class _Summary(msgspec.Struct):
    symbol: str
    mark_price: str
    underlying_price: str = ""
    last_traded_price: str = ""
    funding_rate: str = ""
    open_interest: str = ""
    created_at: int = 0


class _Funding(msgspec.Struct):
    market: str
    funding_rate: str
    funding_index: str = ""
    funding_premium: str = ""
    funding_rate_8h: str = ""
    funding_period_hours: float = 8
    created_at: int = 0


Public = Bbo | BookUpdate | MarketSummary | FundingData


def decode(channel: str, data: msgspec.Raw | bytes) -> Public | None:
    """Read public channel data; None for a channel this codec does not model. Raises DecodeError."""
    known = _READERS.get(channel.partition(".")[0])
    if known is None:
        return None
    decoder, convert = known
    try:
        record: Public = convert(decoder.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable data of {channel[:60]}: {e}") from e
    return record


def _bbo_of(raw: _Bbo) -> Bbo:
    bid, ask = _top(raw.bid, raw.bid_size), _top(raw.ask, raw.ask_size)
    return Bbo(raw.last_updated_at * NS_PER_MS, raw.seq_no, bid, ask, raw.market)


def _book_of(raw: _Book) -> BookUpdate:
    if raw.update_type not in ("s", "d"):
        raise DecodeError(f"book update of type {raw.update_type[:20]!r}")
    bids: list[Level] = []
    asks: list[Level] = []
    for levels, gone in ((raw.inserts, False), (raw.updates, False), (raw.deletes, True)):
        for level in levels:
            side = {"BUY": bids, "SELL": asks}.get(level.side)
            if side is None:
                raise DecodeError(f"level with side {level.side[:20]!r}")
            side.append((_price(level.price), 0 if gone else _size(level.size)))
    return BookUpdate(raw.last_updated_at * NS_PER_MS, raw.seq_no, raw.update_type == "s", bids, asks, raw.market)


def _summary_of(raw: _Summary) -> MarketSummary:
    rate_e8 = loose_e8(raw.funding_rate)
    nothing: dict[str, None] = dict.fromkeys(_NOT_READ)
    return MarketSummary(
        venue_unix_ns=raw.created_at * NS_PER_MS,
        seq=0,
        mark_price_e8=loose_e8(raw.mark_price),
        index_price_e8=loose_e8(raw.underlying_price),
        last_price_e8=loose_e8(raw.last_traded_price),
        volume_usd_24h_e8=0,
        open_interest_e8=loose_e8(raw.open_interest),
        funding_rate_e8=rate_e8,
        total_volume_e8=0,
        price_change_rate_24h_e8=0,
        funding_rate_e12=rate_e8 * E12_PER_E8,
        market=raw.symbol,
        **nothing,
    )


def _funding_of(raw: _Funding) -> FundingData:
    return FundingData(
        venue_unix_ns=raw.created_at * NS_PER_MS,
        seq=0,
        funding_rate_e8=loose_e8(raw.funding_rate),
        funding_index_e8=loose_e8(raw.funding_index),
        created_unix_ns=raw.created_at * NS_PER_MS,
        funding_premium_e8=loose_e8(raw.funding_premium),
        funding_rate_8h_e8=loose_e8(raw.funding_rate_8h),
        funding_period_hours=int(raw.funding_period_hours),
        impact_premium_rate_e8=None,
        market=raw.market,
    )


def _top(price: str, size: str) -> Level | None:
    """Read one side; a side that is missing comes as empty texts."""
    return (_price(price), _size(size)) if price else None


def _price(text: str) -> int:
    price_e8 = _size(text)
    if price_e8 == 0:
        raise DecodeError("level with price 0")
    return price_e8


def _size(text: str) -> int:
    try:
        value_e8 = parse_e8(text)
    except ValueError as e:
        raise DecodeError(str(e)) from e
    if value_e8 < 0:
        raise DecodeError(f"price or size {text[:40]} is negative")
    return value_e8


_NOT_READ = (
    "bid_price_e8", "ask_price_e8", "mark_iv_e8", "bid_iv_e8", "ask_iv_e8", "last_iv_e8", "delta_e8", "gamma_e8",
    "vega_e8", "theta_e8", "rho_e8", "volga_e8", "vanna_e8", "future_funding_rate_e8", "external_fair_price_e8",
    "bid_size_e8", "ask_size_e8", "forward_rate_e8", "risk_free_rate_e8", "settlement_twap_e8",
)  # fmt: skip
_READERS: dict[str, tuple[msgspec.json.Decoder[Any], Any]] = {
    "bbo": (msgspec.json.Decoder(_Bbo), _bbo_of),
    "order_book": (msgspec.json.Decoder(_Book), _book_of),
    "markets_summary": (msgspec.json.Decoder(_Summary), _summary_of),
    "funding_data": (msgspec.json.Decoder(_Funding), _funding_of),
}
