"""The books of a paper account: its cash, and what each order that filled did to it. One booking an order. Pure."""

from deltawire.core.ledger import MICRO_E8
from deltawire.venues.contract import Booking, Money, Payment
from deltawire.venues.paper.account import PaperAccount


def money(account: PaperAccount, since_unix_ns: int, *, sees_client_id: bool) -> Money:
    """Return what a venue would tell of the account's money. Funding is settled by fills, as at Vest."""
    bookings = []
    for client_id, ended in account.orders.items():
        settled = account.settled.get(client_id)
        if settled is None or ended.unix_ns < since_unix_ns:
            continue
        booked = Booking(
            booking_id=ended.order_id,
            client_id=client_id if sees_client_id else "",
            correlator=ended.correlator,
            symbol=ended.symbol,
            size_e8=ended.filled_e8,
            notional_e8=ended.notional_e8,
            fee_e8=ended.fee_e8,
            pnl_e8=settled.realized_e8,
            funding_e8=settled.funding_e8,
            unix_ns=ended.unix_ns,
        )
        bookings.append(booked)
    payments = tuple(
        Payment(booked.booking_id, booked.booking_id, booked.symbol, booked.funding_e8, booked.unix_ns)
        for booked in bookings
        if booked.funding_e8
    )
    return Money(account.ledger.collateral_e8, tuple(bookings), payments, {}, MICRO_E8)
