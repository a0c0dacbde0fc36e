"""What a venue must offer, and how it reports back. The engine knows venues only through this page.

An adapter (`venues/<name>/session.py`) implements Venue over `net`; its wire codec is sans-I/O beside it. Everything an
adapter learns goes to its VenueSink by plain synchronous calls on the event loop: no queue, no task between
a frame and the engine (design section 2).
"""

from dataclasses import dataclass
from typing import Any, Protocol

from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side, VenueOrderId


class DecodeError(ValueError):
    """The venue sent bytes outside its contract. Counted and logged; the bot goes on (I10)."""


class Refused(Exception):
    """The venue answered a call that is not an order with a definite refusal. Keeps its code and text."""

    def __init__(self, venue: str, code: str, text: str) -> None:
        super().__init__(f"{venue} refused: {code} {text}".rstrip())
        self.venue, self.code, self.text = venue, code, text


class Clock(Protocol):
    """The one source of time. Monotonic for intervals, UTC for records and venue protocols."""

    def mono_ns(self) -> int: ...
    def unix_ns(self) -> int: ...


class EventLog(Protocol):
    """Where log events go: a stable name ("ws.connected") and fields. Never given a secret."""

    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one venue has and another lacks."""

    sees_client_id: bool  # the venue keeps our client id; else orders are known by nonce
    cancels_on_disconnect: bool
    venue_stamps_books: bool  # books carry the venue's own time
    fills_partially: bool  # an immediate order may end partly filled


@dataclass(slots=True)
class PreparedOrder:
    """A signed, encoded order: writing it is all that is left. Made once, submitted at most once (I3).

    correlator: what the venue will know it by besides our client id (request id at Paradex, nonce at Vest).
    payload: the exact bytes; holds a signature, so it never reaches a log, journal or repr.
    """

    request: OrderRequest
    correlator: int
    signed_unix_ms: int
    payload: bytes
    stamps: OrderStamps

    def __repr__(self) -> str:
        return f"PreparedOrder({self.request.client_id}, correlator={self.correlator})"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The answer to a look-up: what the venue says of one order. Totals in 1e-8 units."""

    venue_order_id: VenueOrderId
    is_final: bool
    filled_e8: int
    notional_e8: int
    fee_e8: int
    reason: str  # why it ended short, "" when it did not


@dataclass(frozen=True, slots=True)
class PositionReport:
    """Signed position at the venue: positive is long."""

    symbol: str
    size_e8: int
    entry_price_e8: int


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order the venue still holds."""

    symbol: str
    venue_order_id: VenueOrderId
    client_id: str  # "" where the venue has none
    correlator: int  # nonce, 0 where the venue has none
    side: Side
    leaves_e8: int


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """Account value and free collateral in 1e-8 of the settlement asset."""

    equity_e8: int
    free_e8: int


class VenueSink(Protocol):
    """The engine's ear. Calls are synchronous, on the loop, and never raise back into the adapter."""

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        """A book changed (or became invalid). received_mono_ns: when the frame was handed to us."""

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        """Something was learned of one of our orders. May come twice, late, or in any order."""

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        """A connection ("market data", "orders", "private", ...) came up or went down."""


class Venue(Protocol):
    """One venue, one account. `start` before anything else; `close` ends every connection and task."""

    name: str
    capabilities: Capabilities

    @property
    def ready(self) -> bool:
        """False: nothing may be sent; no connection, not authenticated, or protection not confirmed."""

    async def start(self, sink: VenueSink) -> None:
        """Connect, authenticate, warm connections, load instruments, subscribe. Raises when it cannot."""

    def instrument(self, symbol: str) -> Instrument:
        """Return the trading rules read from the venue at start. Raises KeyError for a symbol not asked for."""

    def book(self, symbol: str) -> Book:
        """Return the live book: one object for the life of the adapter, mutated in place."""

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        """Sign and encode. Fills prepared/signed/encoded stamps. Synchronous; no I/O."""

    def submit(self, prepared: PreparedOrder) -> None:
        """Write the order now, synchronously; everything else comes through the sink.

        Fills the written stamp and the transport facts. Reports Sent once the bytes are with the socket, NotSent
        when they certainly are not. Later: Acked, Rejected, InDoubt, fills, Closed. Never retries.
        """

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask to cancel an order submitted here. The outcome comes through the sink; asking twice is harmless."""

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        """Read one order from the venue, or None when the venue knows no such order. Raises when it cannot tell."""

    async def positions(self) -> list[PositionReport]: ...

    async def open_orders(self) -> list[OpenOrder]: ...

    async def balance(self) -> BalanceReport: ...

    async def close(self) -> None: ...
