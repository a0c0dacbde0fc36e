"""Settings of the Paradex adapter, each with its reason."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from deltawire.core.secret import Secret


class OrderClass(Enum):
    """What the token of a session makes its orders (reference, section 15), and BY_EDGE: two sessions, one of each."""

    PRO = "pro"  # no delay, Pro fees, large order budget
    RETAIL = "retail"  # 300 ms on each order and cancel, no fee, 1000 orders a day; may take RPI orders
    BY_EDGE = "by_edge"  # Pro, but an entry is Retail where core.entry_class finds that waiting costs less than the fee


class BookFeed(StrEnum):
    """Which order-book channel the books are made of."""

    DELTAS = "deltas"  # every change, a snapshot first; bbo on top
    SNAPSHOT = "snapshot"  # the top 15 levels, whole, every 50 ms; bbo on top
    INTERACTIVE = "interactive"  # as snapshot, with the RPI orders that only Retail orders can take; no bbo


@dataclass(frozen=True, slots=True)
class ParadexSettings:
    """What one adapter needs: where the venue is, whose account, which markets, and how long to wait for what."""

    rest_url: str  # with the version path, such as https://host/v1
    ws_url: str  # without a query; the SBE parameters are added
    account_address: str  # the main account's, also with a subkey
    private_key: Secret  # of the main key or, better, a subkey
    symbols: tuple[str, ...]

    order_class: OrderClass = OrderClass.PRO
    # Of the second road, which exits take while the order socket is down: one for the order, one for a repair.
    rest_connections: int = 2

    order_connections: int = 1  # order sockets; the one with the shortest measured round trip carries orders

    # The venue drops an order older than this instead of filling it late. Its own default is 300 s.
    recv_window_ms: int = 5_000
    # No answer, or no end, of an immediate order this long after the write leaves it in doubt.
    reply_timeout_s: float = 2.0
    call_timeout_s: float = 5.0  # auth, subscribe and the like, at connect
    rest_timeout_s: float = 5.0
    connect_timeout_s: float = 5.0

    token_refresh_s: float = 180.0  # a token lives 300 s; the venue suggests renewing after 180
    auth_expiration_s: int = 1_800  # of the signed auth request: the venue's own default

    sbe: bool = True  # False: the JSON form of the channels, for an environment that still serves it
    book_feed: BookFeed = BookFeed.DELTAS
    feed_connections: int = 1  # market data sockets with the same channels; the first copy of a frame wins
    # A delta must be the last sequence plus one (the 2024 spec, still what the unthrottled channel does).
    deltas_consecutive: bool = True
    first_frame_timeout_s: float = 5.0  # an acknowledged subscription can stay silent: then it is made again
    resubscribe_pause_s: float = 1.0  # least time between two subscriptions of one book
    book_lag_s: float = 2.0  # bbo ahead of the book for this long: the book channel has died
    silence_s: float = 45.0  # no frame at all: two of the venue's idle heartbeats (20 s) have been missed

    state_poll_s: float = 5.0  # system/state; 12 of the 1500 public calls a minute that an address has
    # Entries stop so long before the releases at 04:30 UTC on weekdays, and for release_span_s after their begin (the
    # venue says about 15 minutes): in between the polled state may be ok for a moment. None: no releases here.
    release_ahead_s: int | None = None
    release_span_s: int = 900

    reconnect_floor_s: float = 0.25
    reconnect_ceiling_s: float = 10.0
    connects_max: int = 20  # in connects_window_s, both sockets together; the venue takes 600 a minute
    connects_window_s: float = 60.0
    clock_offset_max_ms: int = 500  # signatures carry our time, and the receive window must bear the difference
