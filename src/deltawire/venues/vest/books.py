"""The account's books at Vest: cash, and what each order that filled did to it. Reads; compares nothing.

Vest has no list of fills and none of funding payments. A row of GET /orders carries the fees, the funding settled and
the gain of its order, and collateral is the settled balance. Deposits are not read: `GET /transfer` has no known shape.
Source: Vest API v2 notes, sections 7 and 9. Whether `realizedPnl` holds funding and fees, as they say, and `fees` the
risk premium, no live account has shown us: if not, the balance will not add up, and that is told.
"""

from deltawire.venues.contract import Booking, DecodeError, Money, Payment
from deltawire.venues.vest import tracking, wire
from deltawire.venues.vest.account import Account
from deltawire.venues.vest.formatting import cut_e8

STEP_E8 = 100  # collateralDecimals is 6
ROWS_MAX = 1000  # the venue's own limit of a call
CALLS_MAX = 10
_MS_NS = 1_000_000


async def money(account: Account, since_unix_ns: int) -> Money:
    """Read all orders posted since then, then the collateral."""
    rows = await _rows(account, since_unix_ns // _MS_NS)
    bookings = tuple(booked for row in rows if (booked := _booking(row)) is not None)
    payments = tuple(
        Payment(b.booking_id, b.booking_id, b.symbol, b.funding_e8, b.unix_ns) for b in bookings if b.funding_e8
    )
    state = await account.read()
    try:
        cash_e8 = cut_e8(state.collateral)
    except ValueError as e:
        raise DecodeError(f"account collateral: {e}") from e
    return Money(cash_e8, bookings, payments, {}, STEP_E8)


async def _rows(account: Account, start_ms: int) -> list[wire.OrderRow]:
    """Read span after span, newest first, until one is not full."""
    found: dict[str, wire.OrderRow] = {}
    end_ms: int | None = None
    for _ in range(CALLS_MAX):
        rows = await account.orders_since(start_ms, end_ms, ROWS_MAX)
        found |= {row.id: row for row in rows if row.id not in found}
        if len(rows) < ROWS_MAX:
            return sorted(found.values(), key=lambda row: row.post_time)
        end_ms = min(row.post_time for row in rows)  # the orders of that very millisecond come again
    raise ConnectionError(f"more than {CALLS_MAX * ROWS_MAX} orders since {start_ms} ms")


def _booking(row: wire.OrderRow) -> Booking | None:
    """Return what the order did to the account; None when nothing of it filled."""
    order = tracking.report(None, [row])
    if order is None or not order.filled_e8:
        return None
    try:
        funding_e8 = cut_e8(row.settled_funding) if row.settled_funding else 0
        gain_e8 = cut_e8(row.realized_pnl) if row.realized_pnl else 0
    except ValueError as e:
        raise DecodeError(f"amounts of order {row.id[:80]}: {e}") from e
    return Booking(
        booking_id=row.id,
        client_id="",
        correlator=row.nonce or 0,
        symbol=row.symbol,
        size_e8=order.filled_e8,
        notional_e8=order.notional_e8,
        fee_e8=order.fee_e8,
        # As told it is what the order changed the collateral by: with funding, less fees.
        pnl_e8=gain_e8 - funding_e8 + order.fee_e8,
        funding_e8=funding_e8,
        unix_ns=(row.last_filled_time or row.post_time) * _MS_NS,
    )
