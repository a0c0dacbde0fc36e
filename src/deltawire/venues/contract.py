"""What a venue must offer, and how it reports back. The engine knows venues only through this page.

An adapter (`venues/<name>/session.py`) implements Venue over `net`; its wire codec is sans-I/O beside it. Everything an
adapter learns goes to its VenueSink by plain synchronous calls on the event loop: no queue, no task between
a frame and the engine (design section 2). tests/conformance/venues proves each sentence here on every adapter;
docs/adding-a-venue.md walks through a small one.

The life of one adapter: made, started once, closed; a closed one is not started again. Before `start` has returned only
`close` may be called. Connections lost later are reopened by the adapter for ever, with backoff, until `close`.

The life of one order, as the sink hears it:

    prepare     nothing (presign and its work neither)
    submit      Sent or NotSent, inside the call, before anything else is said of the order
    later       Acked, fills (FillSeen each with its id, or FilledTotal: see Capabilities), Closed or Rejected.
                NotSent after Sent: it turned out that nothing had left
    or          InDoubt, said when the outcome cannot be known from what was heard: no answer in time, a lost
                connection, an answer that cannot be read, an error not on the list of definite refusals. The adapter
                keeps telling what it hears after that, and never writes the order again

What may not be relied on: that an event comes once, that fills come after Acked, that nothing comes after the end. Any
such history, applied by core.order, ends in one state: what the venue did.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from deltawire.core.book import Book
from deltawire.core.entry_class import SlowClass
from deltawire.core.events import OrderEvent
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side, VenueOrderId
from deltawire.core.venue_clock import VenueClock


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


# Names of the connections a sink is told of: one for each that can fail by itself, so one venue has three, another one.
MARKET_DATA, ORDERS, PRIVATE = "market data", "orders", "private"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one venue has and another lacks: nobody asks for a venue's name to know it."""

    sees_client_id: bool  # the venue keeps our client id; else it knows an order by PreparedOrder.correlator
    cancels_by_client_id: bool  # a cancel needs no word of the venue first; else it reads the venue's id before
    cancels_on_disconnect: bool  # open orders die with the connection; no entry before the venue has confirmed it
    venue_stamps_books: bool  # books carry the venue's own time
    fills_partially: bool  # an immediate order may end partly filled
    reports_each_fill: bool  # FillSeen, one an execution; else FilledTotal, the sum so far
    recv_window_ms: int  # the venue drops an order older than this (the longest, where they differ) on arrival
    look_up_lag_ms: int = 0  # what the venue has taken may be missing from its lists for so long


@dataclass(slots=True)
class PreparedOrder:
    """A signed, encoded order: writing it is all that is left. Made once, submitted at most once (I3).

    correlator: what the venue will know it by besides our client id (request id at Paradex, nonce at Vest). Grows from
    order to order and is journalled, so that look_up works after a crash.
    payload: the exact bytes; holds a signature, so it never reaches a log, journal or repr.
    window_ms: how long after signed_unix_ms the venue takes it.
    stamps: of the trigger; an order signed ahead gets them when it is used.
    order_class: the name of the venue's slow class (OffersSlowClass), set before submit; "" is its usual one.
    """

    request: OrderRequest
    correlator: int
    signed_unix_ms: int
    payload: bytes
    window_ms: int
    stamps: OrderStamps
    order_class: str = ""

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
    """Signed position at the venue: positive is long. liquidation_price_e8: 0 where the venue names none."""

    symbol: str
    size_e8: int
    entry_price_e8: int
    liquidation_price_e8: int = 0


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


@dataclass(frozen=True, slots=True)
class Booking:
    """What fills did to the account's money, by the venue's own books. Amounts in 1e-8 of the settlement asset.

    One a fill where the venue lists fills, one an order where it sums them up; orders of other programs included.
    client_id, correlator: as in PreparedOrder; "" and 0 where the venue has none. Amounts in another coin are not here.
    """

    booking_id: str
    client_id: str
    correlator: int
    symbol: str
    size_e8: int
    notional_e8: int
    fee_e8: int  # positive is paid
    pnl_e8: int  # realised by price alone: without fee and funding
    funding_e8: int  # settled with it; positive is received
    unix_ns: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Funding settled. payment_e8: positive is received. booking_id: of the fill that settled it, "" for none."""

    payment_id: str
    booking_id: str
    symbol: str
    payment_e8: int
    unix_ns: int


@dataclass(frozen=True, slots=True)
class Money:
    """The account's money now, and what moved it since the time asked for.

    cash_e8: the settled balance, nothing unrealised in it. payments: of the markets this adapter trades. moved_e8: by
    deposits (positive) and withdrawals the venue lists, by id. step_e8: the smallest amount the venue tells; each
    amount may be wrong by less than that.
    """

    cash_e8: int
    bookings: tuple[Booking, ...]
    payments: tuple[Payment, ...]
    moved_e8: Mapping[str, int]
    step_e8: int


@dataclass(frozen=True, slots=True)
class MarketState:
    """What a venue says of a market beside its book. Prices in 1e-8; the rate in 1e-8 an hour, positive: longs pay."""

    symbol: str
    mark_price_e8: int
    index_price_e8: int
    funding_rate_e8: int
    status: str  # the venue's own word
    received_mono_ns: int


class VenueSink(Protocol):
    """The engine's ear. Calls are synchronous, on the loop, and never raise back into the adapter.

    A call may come back into the adapter (submit from on_book), so the adapter's own state is settled before it calls.
    """

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        """A book changed or became invalid. received_mono_ns: when the frame was handed to us.

        A book is invalid from the moment its truth is in question (link lost, sequence gap, unreadable frame, halt) to
        the next full picture. An old book of a quiet venue stays valid: its age is received_mono_ns, for the engine.
        """

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        """Something was learned of one of our orders, perhaps one of an earlier run. The module tells the order."""

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        """A connection came up (fit for use: authenticated, subscribed) or went down. For people and the log.

        What may be sent is said by `ready`, what may be believed by Book.valid.
        """


class Venue(Protocol):
    """One venue, one account. Implementations are in venues/<name>/session.py."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def ready(self) -> bool:
        """True: an exit submitted now leaves at once. For an entry `entry_block` must be empty besides.

        Mostly on an open, authenticated connection with protection confirmed; a venue with a second road says True
        while that one is open too, and blocks entries as long as they would have to take it.
        It may change between any two frames, so it is asked just before each trade. Says nothing of books.
        False before start and after close.
        """

    def trades(self, symbol: str) -> bool:
        """Say whether the venue would take an order in this market now, by its own fresh word; True when in doubt.

        False only in a halt or maintenance the venue itself has told of: an order would be refused, so a pair is not
        closed on the other venue alone. Never a matter of our own limits (I8).
        """

    def entry_block(self, symbol: str) -> str:
        """Say why no position may be opened in this market now, "" when nothing speaks against it.

        Maintenance, a road without protection, a used-up budget: what the venue knows and the gate cannot. Asked before
        each entry, so it looks only at what is at hand. Never asked about exits (I8).
        """

    async def start(self, sink: VenueSink) -> None:
        """Connect, authenticate, warm connections, load instruments, subscribe; `ready` is True when it returns.

        Books may still wait for their first picture. Raises Refused, OSError, TimeoutError or ValueError when it
        cannot, with everything closed again.
        """

    def instrument(self, symbol: str) -> Instrument:
        """Return the trading rules read from the venue at start. Raises KeyError for a symbol not asked for."""

    def book(self, symbol: str) -> Book:
        """Return the live book: one object for the life of the adapter, mutated in place."""

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        """Sign and encode. Fills prepared/signed/encoded stamps. Synchronous; no I/O.

        Raises ValueError for amounts the venue's format cannot carry exactly: nothing is rounded here.
        """

    def presign(self, request: OrderRequest) -> Callable[[], PreparedOrder]:
        """Prepare an order that may never be sent: take its correlator now, and return the work of signing it.

        The work touches nothing but the order, so it may run on another thread; the order it returns has empty stamps.
        Raises ValueError as prepare does.
        """

    def is_fresh(self, prepared: PreparedOrder) -> bool:
        """Say whether a presigned order may still be submitted, its receive window aside.

        False once the venue could refuse it for what was sent after it was signed, or where what it was signed with
        is no longer in force. Asked between trigger and write, so it looks only at what is at hand.
        """

    def submit(self, prepared: PreparedOrder) -> None:
        """Write the order now, synchronously; everything else comes through the sink.

        Fills the written stamp and the transport facts. Reports Sent once the bytes are with the socket (or are bound
        to get there on a connection being opened), NotSent when they certainly are not. Never retries. Never raises
        for what the network does; ValueError only for an order that was submitted before, and then nothing is written.
        """

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask to cancel an order submitted here. The outcome comes through the sink.

        Asking twice, or for an order that is over or unknown, is harmless. A refused cancel proves nothing: mostly the
        order had just filled, so the adapter reads it or reports InDoubt.
        """

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        """Read one order from the venue, also one of an earlier run; it may tell the sink what it finds.

        None: the venue shows no such order now. That means "never" only once the order's receive window has passed, by
        the venue's clock, and look_up_lag_ms after it, for bytes still on their way would be taken; whoever asks waits
        for that (engine.resolver). Raises Refused, OSError, TimeoutError or ValueError when it cannot tell.
        An adapter that blocks entries for an order in doubt frees them by a look-up made once that time has passed.
        """

    async def positions(self) -> list[PositionReport]:
        """Read what the account holds; symbols held at zero are left out. Raises as look_up does, like those below."""

    async def open_orders(self) -> list[OpenOrder]:
        """Read what the venue still holds of the account, orders of other programs included."""

    async def balance(self) -> BalanceReport: ...

    async def close(self) -> None:
        """End every connection, timer and task. Harmless when repeated, before start and after a failed one."""


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """One rate limit as we count it: calls left of `size` in `period_s`; refused: times the venue said no."""

    name: str
    left: int
    size: int
    period_s: int
    refused: int


@runtime_checkable
class TellsBudgets(Protocol):
    """A venue that counts its rate limits on our side can show them. For people; decisions use `entry_block`."""

    def budgets(self) -> list[BudgetReport]: ...


@runtime_checkable
class TellsTime(Protocol):
    """A venue whose answers carry its time. Entries stop while ours is off, and absent orders are aged by it."""

    time: VenueClock


@runtime_checkable
class OffersSlowClass(Protocol):
    """A venue that takes entries in a second class too, later and cheaper. It is said per order, at submit."""

    def slow_class(self, symbol: str) -> SlowClass | None:
        """Return the class for this market, None where there is none. Does not change once the venue is started."""

    def slow_block(self, symbol: str) -> str:
        """Say why no entry may be made in that class now, "" when nothing speaks against it. Quick, as entry_block."""


class SigningClock:
    """Implements Clock for what is signed: its date is the venue's where ours is surely wrong."""

    def __init__(self, clock: Clock, time: VenueClock) -> None:
        self._clock, self._time = clock, time

    def mono_ns(self) -> int:
        return self._clock.mono_ns()

    def unix_ns(self) -> int:
        return self._time.signing_unix_ns(self._clock.mono_ns(), self._clock.unix_ns())


@runtime_checkable
class TellsMarket(Protocol):
    """A venue that can show what it knows of a market beside its book. For people."""

    def market_state(self, symbol: str) -> MarketState | None: ...


@runtime_checkable
class KeepsBooks(Protocol):
    """A venue whose books of the account can be read. One that cannot is no less a venue: its money is not compared."""

    name: str

    async def money(self, since_unix_ns: int) -> Money:
        """Read the account's cash and all that moved it since then. Raises as Venue.look_up does."""


@runtime_checkable
class TellsAccount(Protocol):
    """A venue that can show how its account is set up. For people, once it is started."""

    @property
    def key_kind(self) -> str:
        """Return main (it may withdraw), subkey (trades only), primary (the venue has no lesser), or "": untold."""

    async def leverages(self) -> dict[str, int]:
        """Read the leverage set for each market, as far as the venue tells. Raises as look_up does."""
