"""One venue's account held against our record: fills, prices, fees, funding, and whether the balance adds up. Pure.

The identity, from the first reading of the run on: opening + PnL realised - fees + funding + others + moved = cash.
PnL is the venue's word for each fill whose size and price agree with ours; fees are ours; funding is what was put on
record. What is left is unexplained: a deposit the venue does not list, a fee nobody told, a bust.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from deltawire.core.events import FilledTotal
from deltawire.core.money import format_e8, notional_e8
from deltawire.core.types import Instrument
from deltawire.engine.ids import is_ours
from deltawire.engine.tally import Tallied, Tally
from deltawire.journal.records import ItemKind, MoneyRow
from deltawire.venues.contract import Booking, Money, OpenOrder, Payment

# Lists are read again this far back: what a venue shows late is found, and nothing older is kept.
OVERLAP_NS = 600 * 10**9
# A venue's clock may be off ours by this much: an order that filled so near the window's edge may be outside it.
EDGE_NS = 60 * 10**9
# How many amounts of one fill the venue rounds: fee, funding, PnL, and the gain they are taken from.
ROUNDED_A_FILL = 4
ROUNDED_READINGS = 2  # the balance itself, then and now


@dataclass(frozen=True, slots=True)
class Item:
    """A difference as found, not yet believed. subject: the id of the order, fill or payment it is about."""

    kind: ItemKind
    venue: str
    item: str
    journal: str
    told: str
    subject: str = ""
    missing: FilledTotal | None = None  # what the order filled by the venue's books, which say more than ours
    remains: bool = False  # not merely told otherwise: an end with it is not clean


@dataclass(slots=True)
class _Sums:
    pnl_e8: int = 0
    others_e8: int = 0
    fills: int = 0
    bookings: int = 0

    def add(self, booking: Booking, *, ours: bool, watched: bool) -> None:
        self.bookings += 1
        if ours:
            self.pnl_e8 += booking.pnl_e8
            self.fills += 1
        else:
            # Funding of the markets we trade comes from the payments, whoever's fill settled it.
            funding_e8 = 0 if watched else booking.funding_e8
            self.others_e8 += booking.pnl_e8 - booking.fee_e8 + funding_e8


@dataclass(slots=True)
class AccountSide:
    venue: str
    tally: Tally
    instruments: dict[str, Instrument]
    known_payments: dict[str, int]  # on record, by id
    on_payment: Callable[[str, Payment, str], None]  # venue, payment, client id: put it on record
    since_unix_ns: int  # how far back the next reading goes
    is_open: bool = False
    opening_unix_ns: int = 0
    opening_e8: int = 0
    _fees_before_e8: int = 0
    _before: set[str] = field(default_factory=set)  # bookings and payments the opening balance already holds
    _recent: dict[str, Booking] = field(default_factory=dict)
    _folded: _Sums = field(default_factory=_Sums)  # of bookings too old to be read again
    _paid: dict[str, Payment] = field(default_factory=dict)  # as lately read
    _funding_e8: int = 0  # of all payments since the opening
    _moved: dict[str, int] = field(default_factory=dict)

    def take(self, money: Money, now_unix_ns: int) -> tuple[MoneyRow, list[Item]]:
        """Compare one reading, made while nothing moved. The first one opens the account."""
        if not self.is_open:
            self.is_open = True
            self.opening_unix_ns, self.opening_e8 = now_unix_ns, money.cash_e8
            self._fees_before_e8 = self.tally.fees_e8.get(self.venue, 0)
            self._before = {b.booking_id for b in money.bookings} | {p.payment_id for p in money.payments}
            self._before |= money.moved_e8.keys()
        self._recent |= {b.booking_id: b for b in money.bookings}
        self._moved |= {name: e8 for name, e8 in money.moved_e8.items() if name not in self._before}
        self._put_on_record(money)
        items = [*self._fills(), *self._funding(money.step_e8)]
        row = self._row(money)
        if abs(row.unexplained_e8) > row.tolerance_e8:
            expected = format_e8(money.cash_e8 - row.unexplained_e8)
            items.append(Item("balance", self.venue, "cash", expected, format_e8(money.cash_e8)))
        return row, items

    def resting(self, orders: Iterable[OpenOrder]) -> Iterable[Item]:
        """Yield our orders that rest: immediate orders never do, and nothing is on its way now."""
        for order in orders:
            known = self.tally.find(self.venue, order.client_id, order.correlator)
            name = known.client_id if known is not None else order.client_id
            if known is not None or is_ours(name):
                told = f"open with {format_e8(order.leaves_e8)}"
                yield Item("order", self.venue, f"order {name}", "nothing rests", told, subject=name, remains=True)

    def compared(self, differing: Collection[str]) -> None:
        """Forget what was compared and is too old to be read again, but for the subjects that differ.

        Old by the venue's own time: ours may be set while the bot runs.
        """
        newest_ns = max((booking.unix_ns for booking in self._recent.values()), default=0)
        self.since_unix_ns = max(self.since_unix_ns, newest_ns - OVERLAP_NS)
        old_ns = self.since_unix_ns - OVERLAP_NS
        kept = set(differing)
        for booking in [b for b in self._recent.values() if b.unix_ns < old_ns]:
            order = self._order_of(booking)
            names = {booking.booking_id, booking.client_id, "" if order is None else order.client_id}
            if not names & kept:
                self._add(self._folded, self._recent.pop(booking.booking_id))
        for payment in [p for p in self._paid.values() if p.unix_ns < old_ns]:
            if payment.payment_id not in kept and payment.booking_id not in self._recent:
                del self._paid[payment.payment_id]
        booked = {order.client_id for b in self._recent.values() if (order := self._order_of(b)) is not None}
        for tallied in [o for o in self.tally.orders.values() if o.venue == self.venue]:
            if tallied.made_unix_ns < old_ns and tallied.client_id not in booked | kept:
                self.tally.drop(tallied)

    # ---- fills, prices, fees -----------------------------------------------------------------------------------

    def _fills(self) -> Iterable[Item]:
        booked: dict[str, list[Booking]] = {}
        for booking in self._recent.values():
            order = self._order_of(booking)
            if order is not None:
                booked.setdefault(order.client_id, []).append(booking)
            elif is_ours(booking.client_id):
                told = f"filled {format_e8(booking.size_e8)}"
                yield Item("order", self.venue, f"order {booking.client_id}", "not on record", told, booking.client_id)
        for order in self.tally.orders.values():
            bookings = booked.get(order.client_id, [])
            in_reach = order.filled_e8 and order.filled_unix_ns > self.since_unix_ns + EDGE_NS
            if order.venue == self.venue and (bookings or in_reach):
                yield from self._order(order, bookings)

    def _order(self, order: Tallied, bookings: list[Booking]) -> Iterable[Item]:
        name = f"order {order.client_id}"
        size_e8 = sum(b.size_e8 for b in bookings)
        if size_e8 != order.filled_e8:
            missing = None
            if order.filled_e8 < size_e8:
                money = sum(b.notional_e8 for b in bookings), sum(b.fee_e8 for b in bookings)
                missing = FilledTotal(size_e8, *money)
            ours, theirs = format_e8(order.filled_e8), format_e8(size_e8)
            yield Item("fill", self.venue, f"{name} size", ours, theirs, order.client_id, missing)
            return
        if not order.is_priced:
            return  # its prices are being asked for
        notional, fee_e8 = sum(b.notional_e8 for b in bookings), sum(b.fee_e8 for b in bookings)
        instrument = self.instruments.get(order.symbol)
        # Where the venue tells an average price it may have rounded it to the tick.
        tick_e8 = instrument.price_tick_e8 if instrument is not None else 0
        rounding_e8 = len(bookings) + (notional_e8(tick_e8, size_e8) if any(not b.client_id for b in bookings) else 0)
        if abs(notional - order.notional_e8) > rounding_e8:
            ours, theirs = format_e8(order.notional_e8), format_e8(notional)
            yield Item("price", self.venue, f"{name} notional", ours, theirs, order.client_id)
        if fee_e8 != order.fee_e8:
            yield Item("fee", self.venue, f"{name} fee", format_e8(order.fee_e8), format_e8(fee_e8), order.client_id)

    def _order_of(self, booking: Booking) -> Tallied | None:
        return self.tally.find(self.venue, booking.client_id, booking.correlator)

    # ---- funding -----------------------------------------------------------------------------------------------

    def _put_on_record(self, money: Money) -> None:
        """Journal what was paid and is not on record yet: it is the venue's to say."""
        for payment in money.payments:
            if payment.payment_id not in self._paid and payment.payment_id not in self._before:
                self._funding_e8 += self.known_payments.get(payment.payment_id, payment.payment_e8)
            self._paid[payment.payment_id] = payment
            if payment.payment_id not in self.known_payments:
                self.known_payments[payment.payment_id] = payment.payment_e8
                booking = self._recent.get(payment.booking_id)
                order = self._order_of(booking) if booking is not None else None
                self.on_payment(self.venue, payment, "" if order is None else order.client_id)

    def _funding(self, step_e8: int) -> Iterable[Item]:
        by_booking: dict[str, int] = {}
        for payment in self._paid.values():
            by_booking[payment.booking_id] = by_booking.get(payment.booking_id, 0) + payment.payment_e8
            known_e8, name = self.known_payments[payment.payment_id], payment.payment_id
            if known_e8 != payment.payment_e8:
                told = format_e8(payment.payment_e8)
                yield Item("funding", self.venue, f"payment {name}", format_e8(known_e8), told, name)
        for booking in self._recent.values():
            paid_e8, name = by_booking.get(booking.booking_id, 0), booking.booking_id
            if booking.symbol in self.instruments and abs(booking.funding_e8 - paid_e8) > step_e8:
                paid, settled = format_e8(paid_e8), format_e8(booking.funding_e8)
                yield Item("funding", self.venue, f"fill {name} funding", paid, settled, name)

    # ---- the balance -------------------------------------------------------------------------------------------

    def _add(self, sums: _Sums, booking: Booking) -> None:
        if booking.booking_id not in self._before:
            ours, watched = self._order_of(booking) is not None, booking.symbol in self.instruments
            sums.add(booking, ours=ours, watched=watched)

    def _row(self, money: Money) -> MoneyRow:
        sums = _Sums(self._folded.pnl_e8, self._folded.others_e8, self._folded.fills, self._folded.bookings)
        for booking in self._recent.values():
            self._add(sums, booking)
        fees_e8 = self.tally.fees_e8.get(self.venue, 0) - self._fees_before_e8
        moved_e8 = sum(self._moved.values())
        explained_e8 = self.opening_e8 + sums.pnl_e8 - fees_e8 + self._funding_e8 + sums.others_e8 + moved_e8
        return MoneyRow(
            venue=self.venue,
            opening_unix_ns=self.opening_unix_ns,
            opening_e8=self.opening_e8,
            pnl_e8=sums.pnl_e8,
            fees_e8=fees_e8,
            funding_e8=self._funding_e8,
            others_e8=sums.others_e8,
            moved_e8=moved_e8,
            unexplained_e8=money.cash_e8 - explained_e8,
            cash_e8=money.cash_e8,
            tolerance_e8=(ROUNDED_READINGS + ROUNDED_A_FILL * sums.bookings) * money.step_e8,
            fills=sums.fills,
        )
