"""Channel names of the simulated Paradex: what may be subscribed, and what a name asks for. Pure.

Source: Paradex reference, sections 7 and 8. The channels of RFQs, block trades and options are
not simulated: their names are refused as unknown ones are.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

ALL = "ALL"
PUBLIC_BY_MARKET = frozenset({"bbo", "trades", "funding_data", "markets_summary", "markets"})  # no market changes here
PRIVATE_BY_MARKET = frozenset({"orders", "fills", "funding_payments"})
PRIVATE_BARE = frozenset({"positions", "account", "tradebusts", "balance_events", "transaction", "transfers"})
BARE_MEANS_ALL = frozenset({"funding_data", "markets_summary", "markets"})
PRIVATE_KINDS = PRIVATE_BY_MARKET | PRIVATE_BARE

_BOOK = re.compile(r"order_book\.([^.@]+)\.(snapshot|deltas|interactive)(?:@15@(50|100|200|400)ms(?:@([0-9_]+))?)?")
# How a name writes the tick it groups prices by: "_" for the decimal point (specification of the channels).
TICKS_E8 = {
    "0_0000001": 10, "0_0000005": 50, "0_000001": 100, "0_00001": 1_000, "0_0001": 10_000, "0_001": 100_000,
    "0_01": 1_000_000, "0_1": 10_000_000, "1": 10**8, "10": 10**9, "100": 10**10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """kind: bbo, trades, ..., or "book" (every change) and "paced_book" (top levels at an interval)."""

    name: str
    kind: str
    market: str  # ALL for every one
    feed: str = ""  # of a paced book: snapshot, deltas, interactive
    interval_ms: int = 0
    tick_e8: int = 0  # of a paced book: prices grouped by it, 0: as they are

    scope: frozenset[str] | None = None  # of markets_summary: the markets to be told of, None for all

    @property
    def is_private(self) -> bool:
        return self.kind in PRIVATE_KINDS

    def covers(self, market: str) -> bool:
        return self.market in {ALL, market} and (self.scope is None or market in self.scope)


def parse_channel(name: str, markets: Collection[str]) -> Channel | None:
    """Read a channel's name; None when there is no such channel."""
    book = _BOOK.fullmatch(name)
    if book:
        return _book_channel(name, *book.groups()) if book[1] in markets else None
    kind, _, market = name.partition(".")
    if kind in PUBLIC_BY_MARKET | PRIVATE_BY_MARKET and market in {ALL, *markets}:
        return Channel(name, kind, market)
    return Channel(name, name, ALL) if name in PRIVATE_BARE | BARE_MEANS_ALL else None


def _book_channel(name: str, market: str, feed: str, interval: str | None, tick: str | None) -> Channel | None:
    if interval is None:
        return Channel(name, "book", market) if feed == "deltas" else None
    if feed != "interactive" and interval in {"200", "400"}:
        return None
    if tick is not None and tick not in TICKS_E8:
        return None
    return Channel(name, "paced_book", market, feed, int(interval), TICKS_E8[tick] if tick else 0)
