"""What Vest's answers, events and rows say of one order, turned into the common order events. Pure: no I/O, no clock.

Why fills are reported as running totals and never as executions: Vest gives no execution id, and no cumulative size
either. An event names the last execution (`lastFilledSize`), the average price over all and the fees over all
(sections 7 and 8). So:
  FILLED            the order's whole size at avgFilledPrice: exact, whatever was missed before.
  PARTIALLY_FILLED  the sum of the distinct (time, price, size) executions seen; a repeat changes nothing. Two
                    executions equal in all three count once: an under-count, which FILLED corrects.
  CANCELLED         carries no amounts, and may overtake the word of a fill: the row is read before the order is over.
MARKET orders are all or nothing by the venue's own account, so the sum is the rare case.
"""

from dataclasses import dataclass, field
from typing import Protocol

from deltawire.core.events import Acked, Closed, FilledTotal, InDoubt, OrderEvent, Rejected
from deltawire.core.money import notional_e8, parse_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Side, VenueOrderId
from deltawire.venues.contract import DecodeError, OrderReport
from deltawire.venues.vest import errors, wire
from deltawire.venues.vest.formatting import cut_e8


class OrderNews(Protocol):
    """What an event of account_private and a row of GET /orders have in common."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def nonce(self) -> int | None: ...
    @property
    def symbol(self) -> str | None: ...
    @property
    def is_buy(self) -> bool | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def post_time(self) -> int: ...
    @property
    def code(self) -> int | None: ...
    @property
    def last_filled_size(self) -> str | None: ...
    @property
    def last_filled_price(self) -> str | None: ...
    @property
    def last_filled_time(self) -> int | None: ...
    @property
    def avg_filled_price(self) -> str | None: ...
    @property
    def fees(self) -> str | None: ...


Execution = tuple[int | None, str | None, str | None]  # time, price, size as sent


@dataclass(slots=True, eq=False)
class TrackedOrder:
    """One order that was sent, and what was told of it so far."""

    client_id: ClientOrderId
    nonce: int
    symbol: str
    side: Side
    size_e8: int
    signed_unix_ms: int
    window_ms: int  # how long after that the venue takes it
    stamps: OrderStamps
    venue_order_id: str = ""
    executions: dict[Execution, int] = field(default_factory=dict)
    told_e8: int = 0
    closed: bool = False  # a final event was told

    @property
    def executed_e8(self) -> int:
        return sum(self.executions.values())


@dataclass(slots=True)
class Learned:
    """What to tell of an order. read_again: the message settles less than it should, so the row must be read."""

    events: list[OrderEvent] = field(default_factory=list)
    read_again: bool = False
    alarm: str = ""


def is_ours(order: TrackedOrder, news: OrderNews) -> bool:
    """Say whether this is the order we sent: another client of the account may have used the same nonce."""
    if news.nonce is not None and news.nonce != order.nonce:
        return False
    if order.venue_order_id:
        return news.id == order.venue_order_id
    return (
        news.symbol in {None, order.symbol}
        and news.is_buy in {None, order.side is Side.BUY}
        and (news.size is None or _is_size(news.size, order.size_e8))
    )


def learn(order: TrackedOrder, news: OrderNews, *, is_row: bool) -> Learned:
    """Take one message about the order and return what is new in it; amounts beyond reading are an alarm in it."""
    learned = Learned()
    try:
        _learn(order, news, learned, is_row=is_row)
    except ValueError as e:
        learned.alarm = f"amounts of order {news.id[:80]}: {e}"
        learned.read_again = True
    return learned


def _learn(order: TrackedOrder, news: OrderNews, learned: Learned, *, is_row: bool) -> None:
    if news.status not in wire.KNOWN_STATES:
        learned.alarm = f"unlisted status {news.status[:40]!r}"
        if not order.closed:
            learned.events.append(InDoubt(learned.alarm))
        return
    if news.status == wire.REJECTED:
        _refused(order, news, learned, is_row=is_row)
        return
    is_new, was_closed = not order.venue_order_id, order.closed
    if is_new:
        order.venue_order_id = news.id
    match news.status:
        case wire.FILLED:
            _filled(order, news, learned)
        case wire.PARTIALLY_FILLED:
            _tell_total(order, news, learned)
        case wire.CANCELLED if is_row:
            _tell_total(order, news, learned)
            _close(order, learned, order.executed_e8, wire.CANCELLED)
        case wire.CANCELLED:
            learned.read_again = not order.closed
        case _:  # NEW: it is there, nothing more
            pass
    if is_new and not was_closed:
        # Last: what it means for the position comes before what the order is called.
        learned.events.append(Acked(VenueOrderId(news.id)))


def report(order: TrackedOrder | None, rows: list[wire.OrderRow]) -> OrderReport | None:
    """Answer a look-up from the rows that carry the nonce; None when there is none. Raises DecodeError.

    A refused row never hides a live one: with a nonce used twice the venue lists both.
    """
    if not rows:
        return None
    row = min(rows, key=lambda found: (found.status == wire.REJECTED, found.post_time))
    try:
        size_e8, price_e8 = _row_fill(order, row)
        fee_e8 = cut_e8(row.fees) if row.fees and size_e8 else 0
    except ValueError as e:
        raise DecodeError(f"amounts of order {row.id[:80]}: {e}") from e
    final = wire.is_final(row.status)
    if final is None:
        raise DecodeError(f"order {row.id[:80]} has the unlisted status {row.status[:40]!r}")
    reason = {wire.FILLED: "", wire.REJECTED: errors.reason(row.code)}.get(row.status, row.status)
    return OrderReport(VenueOrderId(row.id), final, size_e8, notional_e8(price_e8, size_e8), fee_e8, reason)


def _row_fill(order: TrackedOrder | None, row: wire.OrderRow) -> tuple[int, int]:
    if row.status == wire.FILLED:
        return parse_e8(row.size), _average_e8(row, parse_e8(row.size))
    last_e8 = parse_e8(row.last_filled_size) if row.last_filled_size else 0
    size_e8 = max(last_e8, order.executed_e8 if order is not None else 0)
    return size_e8, _average_e8(row, size_e8) if size_e8 else 0


def _refused(order: TrackedOrder, news: OrderNews, learned: Learned, *, is_row: bool) -> None:
    if order.closed:
        return
    rule = errors.rule_for_code(news.code)
    if rule.verdict is errors.Verdict.REJECTED:
        order.closed = True
        learned.events.append(Rejected(str(news.code), rule.name))
    elif is_row:
        # The venue's own final word on this very order, read after the fact: it ended, whatever the code means.
        _close(order, learned, order.executed_e8, errors.reason(news.code))
    else:
        learned.events.append(InDoubt(f"refused with {errors.reason(news.code)}"))
        learned.read_again = True


def _filled(order: TrackedOrder, news: OrderNews, learned: Learned) -> None:
    size_e8 = parse_e8(news.size) if news.size is not None else order.size_e8
    if size_e8 != order.size_e8:
        learned.alarm = f"filled {size_e8}e-8 of an order of {order.size_e8}e-8"
    if size_e8 > order.told_e8:
        total = FilledTotal(size_e8, notional_e8(_average_e8(news, size_e8), size_e8), _fee_e8(news))
        order.told_e8 = size_e8
        learned.events.append(total)
    _close(order, learned, size_e8, "")


def _tell_total(order: TrackedOrder, news: OrderNews, learned: Learned) -> None:
    if news.last_filled_size is not None:
        last_e8 = parse_e8(news.last_filled_size)
        if last_e8 < 0:
            raise ValueError(f"negative fill {last_e8}e-8")
        if last_e8:
            order.executions[news.last_filled_time, news.last_filled_price, news.last_filled_size] = last_e8
    total_e8 = order.executed_e8
    if total_e8 > order.told_e8:
        event = FilledTotal(total_e8, notional_e8(_average_e8(news, total_e8), total_e8), _fee_e8(news))
        order.told_e8 = total_e8
        learned.events.append(event)


def _close(order: TrackedOrder, learned: Learned, filled_e8: int, reason: str) -> None:
    if not order.closed:
        order.closed = True
        learned.events.append(Closed(filled_e8, reason))


def _average_e8(news: OrderNews, size_e8: int) -> int:
    """Return the average price; the last price where it is the only one."""
    if news.avg_filled_price is not None:
        price_e8 = cut_e8(news.avg_filled_price)
    elif news.last_filled_price is not None and news.last_filled_size is not None:
        if parse_e8(news.last_filled_size) != size_e8:
            raise ValueError("no average price over several executions")
        price_e8 = cut_e8(news.last_filled_price)
    else:
        raise ValueError("filled without a price")
    if price_e8 <= 0:
        raise ValueError(f"fill price {price_e8}e-8")
    return price_e8


def _fee_e8(news: OrderNews) -> int:
    return cut_e8(news.fees) if news.fees is not None else 0


def _is_size(text: str, size_e8: int) -> bool:
    try:
        return parse_e8(text) == size_e8
    except ValueError:
        return True  # the nonce is ours; the unreadable size is an alarm when its amounts are read
