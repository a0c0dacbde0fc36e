"""The life of one order: a table of what may follow what, and an exact account of what filled. Pure.

Fills are counted from executions and from running totals, and the larger account is believed: never their sum.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

from deltawire.core.events import (
    Acked,
    Closed,
    FilledTotal,
    FillSeen,
    InDoubt,
    NotFound,
    NotSent,
    OrderEvent,
    Rejected,
    Sent,
)
from deltawire.core.money import notional_e8
from deltawire.core.types import OrderRequest, VenueOrderId


class IllegalTransition(Exception):
    """The event cannot happen in this state; the order has not changed. The engine halts entries on it."""


class OrderState(Enum):
    """Where an order stands; FINAL has those in which it is over."""

    INTENDED = "intended"  # journalled and signed; its bytes have not left
    SENT = "sent"  # its bytes are with the connection
    OPEN = "open"  # the venue has it
    UNKNOWN = "unknown"  # it may be at the venue: full size reserved, resolved by reading (I4)
    FILLED = "filled"  # all of it
    CANCELLED = "cancelled"  # over, not wholly filled
    REJECTED = "rejected"  # in the venue's own words
    NEVER = "never"  # certainly never placed


INTENDED, SENT, OPEN, UNKNOWN, FILLED, CANCELLED, REJECTED, NEVER = OrderState
FINAL = frozenset({FILLED, CANCELLED, REJECTED, NEVER})

# What a fill leads to is OPEN here; apply() makes it FILLED once the size is complete, and makes UNKNOWN of an end
# that does not say how much filled.
NEXT: dict[OrderState, dict[type[OrderEvent], OrderState]] = {
    # InDoubt: after a crash an intent whose bytes may have left.
    INTENDED: {Sent: SENT, NotSent: NEVER, InDoubt: UNKNOWN},
    SENT: {
        Acked: OPEN,
        FillSeen: OPEN,  # a fill can overtake the acknowledgement
        FilledTotal: OPEN,
        Closed: CANCELLED,
        Rejected: REJECTED,
        NotSent: NEVER,  # the connection found out late that nothing left
        InDoubt: UNKNOWN,
    },
    OPEN: {
        Acked: OPEN,
        FillSeen: OPEN,
        FilledTotal: OPEN,
        Closed: CANCELLED,
        Rejected: REJECTED,  # Vest acknowledges receipt first and refuses afterwards
        InDoubt: UNKNOWN,  # acknowledged, then silence: it must be read
        NotFound: OPEN,  # the venue had it once; a look-up that misses it is late, not right
    },
    UNKNOWN: {
        Acked: OPEN,
        FillSeen: OPEN,
        FilledTotal: OPEN,
        Closed: CANCELLED,
        Rejected: REJECTED,
        NotSent: NEVER,
        NotFound: NEVER,  # asked after its receive window had closed; stays UNKNOWN if the venue was seen to have it
        InDoubt: UNKNOWN,
    },
    # News of a finished order is normal: replies race each other, repeat, and come late. A time-out or a look-up that
    # lost its race against the end says nothing: see AFTERTHOUGHTS.
    FILLED: {
        Acked: FILLED,
        FillSeen: FILLED,
        FilledTotal: FILLED,
        Closed: FILLED,
        Rejected: FILLED,  # the venue contradicts itself: the money counts, not the word
    },
    CANCELLED: {
        Acked: CANCELLED,
        FillSeen: CANCELLED,  # a fill that happened before the end and was told after it
        FilledTotal: CANCELLED,
        Closed: CANCELLED,
        Rejected: CANCELLED,
    },
    REJECTED: {
        Acked: REJECTED,  # the receipt came after the refusal
        FillSeen: CANCELLED,  # the venue contradicts itself: the money counts, not the word
        FilledTotal: CANCELLED,
        Closed: REJECTED,
    },
    NEVER: {
        Acked: OPEN,  # the look-up was wrong: it lives
        FillSeen: OPEN,
        FilledTotal: OPEN,
        Closed: CANCELLED,
        Rejected: REJECTED,
        NotSent: NEVER,
    },
}
# Said of an order that is over, these change nothing, in whatever way it ended: one rule instead of eight rows.
AFTERTHOUGHTS = (InDoubt, NotFound)


@dataclass(frozen=True, slots=True)
class Order:
    request: OrderRequest
    state: OrderState = INTENDED
    venue_order_id: VenueOrderId | None = None
    fills: tuple[FillSeen, ...] = ()
    total: FilledTotal = field(default=FilledTotal(0, 0, 0))
    closed_filled_e8: int = 0  # the venue's own final total, where it named one
    why: str = ""  # why it ended short or is in doubt

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def was_there(self) -> bool:
        """Whether the venue has shown that it had it: by an id of its own, or by a fill."""
        return self.venue_order_id is not None or self.filled_e8 > 0

    @property
    def filled_e8(self) -> int:
        """Size filled by the larger of the accounts we hold."""
        return max(self._seen_e8(), self.total.size_e8, self.closed_filled_e8)

    @property
    def leaves_e8(self) -> int:
        """Size that may still fill: all the rest until the order is final."""
        return 0 if self.is_final else self.request.size_e8 - self.filled_e8

    @property
    def is_priced(self) -> bool:
        """Whether the prices of all that filled are known; a final total can come before its fills."""
        return self.filled_e8 in (self._seen_e8(), self.total.size_e8)

    @property
    def notional_e8(self) -> int:
        if self._seen_e8() >= self.total.size_e8:
            return sum(notional_e8(fill.price_e8, fill.size_e8) for fill in self.fills)
        return self.total.notional_e8

    @property
    def fee_e8(self) -> int:
        if self._seen_e8() >= self.total.size_e8:
            return sum(fill.fee_e8 for fill in self.fills)
        return self.total.fee_e8

    def _seen_e8(self) -> int:
        return sum(fill.size_e8 for fill in self.fills)


def apply(order: Order, event: OrderEvent) -> Order:
    """Return the order after the event; nothing else changes an order.

    Raises IllegalTransition, with the order unchanged, for a pair missing from NEXT and for a fill past the size.
    """
    if _says_nothing(order, event):
        return order
    state = NEXT[order.state].get(type(event))
    if state is None:
        raise IllegalTransition(f"{type(event).__name__} while {order.state.name}: {order.request.client_id}")
    after = _account(order, event, state)
    if after.filled_e8 > order.request.size_e8:
        over_e8 = after.filled_e8 - order.request.size_e8
        raise IllegalTransition(f"overfilled by {over_e8}e-8: {order.request.client_id}")
    if after.filled_e8 == order.request.size_e8 and after.filled_e8 > 0:
        return replace(after, state=FILLED)
    if isinstance(event, Closed) and event.filled_e8 is None and not order.is_final:
        # Over, but how much filled is not said: a late fill would overtake a repair. It must be read first.
        return replace(after, state=UNKNOWN)
    if isinstance(event, NotFound) and order.state is UNKNOWN and order.was_there:
        return order  # the venue had it once: a look-up that misses it is late, not right
    if after.state is REJECTED and after.filled_e8 > 0:
        return replace(after, state=CANCELLED)  # refused, yet part of it filled before: the money counts
    return after


def _says_nothing(order: Order, event: OrderEvent) -> bool:
    if isinstance(event, FillSeen) and any(fill.fill_id == event.fill_id for fill in order.fills):
        return True  # replayed after a reconnect; counting it twice would double the leg
    return order.is_final and isinstance(event, AFTERTHOUGHTS)


def _account(order: Order, event: OrderEvent, state: OrderState) -> Order:
    after = replace(order, state=state)
    match event:
        case FillSeen():
            after = replace(after, fills=(*order.fills, event))
        case FilledTotal() if event.size_e8 > order.total.size_e8:
            after = replace(after, total=event)
        case Acked():
            after = replace(after, venue_order_id=event.venue_order_id)
        case Closed():
            closed_e8 = max(order.closed_filled_e8, event.filled_e8 or 0)
            after = replace(after, closed_filled_e8=closed_e8, why=event.reason or order.why)
        case Rejected():
            after = replace(after, why=f"{event.code} {event.text}".strip())
        case InDoubt() | NotSent() if not order.is_final:
            after = replace(after, why=event.reason)
        case _:
            pass
    return after
