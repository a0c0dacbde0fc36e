"""The account's books at Paradex: cash, fills, funding payments, transfers. Reads; compares nothing.

Source: Paradex protocol reference, section 11, and REST spec 1.132.1 (BalanceResp: the size of the settlement token
"includes deposits, withdrawals, realized PnL, realized funding, and fees"). That `realized_pnl` of a fill is without
funding and fee follows from the three being apart; if not, the balance will not add up, and that is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from deltawire.core.money import notional_e8
from deltawire.core.secret import Secret
from deltawire.venues.contract import Booking, DecodeError, Money, Payment
from deltawire.venues.paradex import rest
from deltawire.venues.paradex.records import Fill
from deltawire.venues.paradex.rest import HttpRequest
from deltawire.venues.paradex.wire_json import loose_e8

COIN = "USDC"  # the settlement asset
STEP_E8 = 1  # amounts have eight decimals
PAGE_SIZE = 1000
PAGES_MAX = 10
# Markets whose payments are read side by side: a hundred, one after the other, would be a hundred round trips at each
# start; and no more at once, because the venue takes 120 private reads a second.
AT_ONCE = 10
_DONE = frozenset({"AVAILABLE", "COMPLETED"})  # of a transfer: it is in the balance, or out of it
_MS_NS = 1_000_000

T = TypeVar("T")
Call = Callable[[Callable[[Secret], HttpRequest]], Awaitable[bytes]]


class _PaymentJson(msgspec.Struct):
    id: str
    market: str
    payment: str
    fill_id: str | None = None
    created_at: int = 0


class _TransferJson(msgspec.Struct):
    id: str
    direction: str
    amount: str
    status: str = ""
    token: str = ""
    created_at: int = 0


async def money(call: Call, symbols: Sequence[str], since_unix_ns: int) -> Money:
    """Read fills of every market, funding payments of these symbols and transfers since then, then the balance."""
    start_ms = since_unix_ns // _MS_NS
    fills = await _pages(call, "/fills", rest.read_fills, start_at=start_ms)
    payments: list[_PaymentJson] = []
    for first in range(0, len(symbols), AT_ONCE):  # the venue wants a market named
        some = symbols[first : first + AT_ONCE]
        asked = (_pages(call, "/funding/payments", _read_payments, market=name, start_at=start_ms) for name in some)
        for found in await asyncio.gather(*asked):
            payments += found
    transfers = await _pages(call, "/transfers", _read_transfers, start_at=start_ms)
    balances = rest.read_balances(await call(rest.balance))
    return Money(
        cash_e8=sum(balance.size_e8 for balance in balances if balance.token == COIN),
        bookings=tuple(_booking(fill) for fill in fills),
        payments=tuple(
            Payment(paid.id, paid.fill_id or "", paid.market, loose_e8(paid.payment), paid.created_at * _MS_NS)
            for paid in payments
        ),
        moved_e8={t.id: _signed_e8(t) for t in transfers if t.token == COIN and t.status in _DONE},
        step_e8=STEP_E8,
    )


async def _pages(
    call: Call, path: str, read: Callable[[bytes], tuple[list[T], str]], *, start_at: int, market: str = ""
) -> list[T]:
    """Read all pages of a list, oldest entry first."""
    found: list[T] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        body = await call(
            partial(rest.page, path=path, page_size=PAGE_SIZE, cursor=cursor, market=market, start_at=start_at)
        )
        entries, cursor = read(body)
        found += entries
        if not cursor:
            return found[::-1]
    raise ConnectionError(f"{path}: more than {PAGES_MAX} pages since {start_at} ms")


def _booking(fill: Fill) -> Booking:
    return Booking(
        booking_id=fill.fill_id,
        client_id=fill.client_id,
        correlator=0,
        symbol=fill.market,
        size_e8=fill.size_e8,
        notional_e8=notional_e8(fill.price_e8, fill.size_e8),
        fee_e8=fill.fee_e8 if fill.fee_currency in (None, "", COIN) else 0,
        pnl_e8=fill.realized_pnl_e8 or 0,
        funding_e8=fill.realized_funding_e8,
        unix_ns=fill.created_unix_ns,
    )


def _signed_e8(transfer: _TransferJson) -> int:
    if transfer.direction not in ("IN", "OUT"):
        raise DecodeError(f"transfer {transfer.id[:40]} has direction {transfer.direction[:20]!r}")
    amount_e8 = loose_e8(transfer.amount)
    return amount_e8 if transfer.direction == "IN" else -amount_e8


def _read_payments(body: bytes) -> tuple[list[_PaymentJson], str]:
    return rest.read_page(body, _PaymentJson)


def _read_transfers(body: bytes) -> tuple[list[_TransferJson], str]:
    return rest.read_page(body, _TransferJson)
