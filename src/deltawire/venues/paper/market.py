"""What paper trading needs of a venue: its public side, and how it executes an order. The port of this package."""

from typing import Protocol, runtime_checkable

from deltawire.core.book import Book
from deltawire.core.types import Instrument
from deltawire.core.venue_clock import VenueClock
from deltawire.venues.contract import Capabilities, MarketState, VenueSink


class PublicMarket(Protocol):
    """All that a venue tells without an account. Methods mean what they mean in contract.Venue."""

    name: str
    fills_whole: bool  # one price for the whole size, or none (a house pool); else level by level (a book)
    execution_ms: tuple[int, int]  # how long the venue holds an order before it executes, least and most
    time: VenueClock

    @property
    def capabilities(self) -> Capabilities: ...
    async def start(self, sink: VenueSink) -> None: ...
    def instrument(self, symbol: str) -> Instrument: ...
    def book(self, symbol: str) -> Book: ...
    def trades(self, symbol: str) -> bool: ...
    def entry_block(self, symbol: str) -> str: ...
    def market_state(self, symbol: str) -> MarketState | None: ...
    async def ping(self) -> None:
        """Make one small public call on a kept-alive connection; how long it takes is the round trip."""

    async def close(self) -> None: ...


@runtime_checkable
class AnswersTime(Protocol):
    """A market that can be asked for the venue's time."""

    async def venue_unix_ms(self) -> int: ...
