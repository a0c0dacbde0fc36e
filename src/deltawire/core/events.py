"""What can be learned about an order. One vocabulary for every venue; adapters translate, core.order applies.

A fill reaches us in two forms: one execution (FillSeen, with the venue's id for it) or a running total
(FilledTotal). A venue may send both; the order takes the larger account, never their sum.
"""

from dataclasses import dataclass

from deltawire.core.types import VenueOrderId


@dataclass(frozen=True, slots=True)
class Sent:
    """The bytes are with the socket."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The bytes certainly never left: no connection, or refused by our own side before the write."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acked:
    """The venue accepted the request. Says nothing of fills."""

    venue_order_id: VenueOrderId


@dataclass(frozen=True, slots=True)
class FillSeen:
    fill_id: str
    price_e8: int
    size_e8: int
    fee_e8: int  # positive is paid


@dataclass(frozen=True, slots=True)
class FilledTotal:
    size_e8: int
    notional_e8: int  # sum of price times size over all fills
    fee_e8: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The venue says the order is over. filled_e8 is its own final total, None where it names none.

    An end without a total leaves the order in doubt until it is read, unless it is known to be wholly filled.
    """

    filled_e8: int | None
    reason: str  # "" when fully filled


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused by a code on the venue's list of definite refusals: it will never fill."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It may or may not be at the venue: timeout, dropped socket, 5xx, an error we cannot read."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """A look-up late enough to be trusted found no such order at the venue: it was never placed."""


OrderEvent = Sent | NotSent | Acked | FillSeen | FilledTotal | Closed | Rejected | InDoubt | NotFound
