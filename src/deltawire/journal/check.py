"""Holds a journal against the invariants of design section 3: I1, I3, I4, I5 and I6. A judge, not a part of the bot.

It shares no state machine with the bot on purpose: a rule broken in both would go unseen. It reads what was intended,
sent, filled and told, in journal order, and names each record at which a rule was broken. It cannot see what no
journal shows: I2 needs time limits, I7 and I8 the books, I9 other files, I10 the wire.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deltawire.core.money import format_e8, notional_e8
from deltawire.journal.records import (
    InstrumentLoaded,
    OrderIntended,
    OrderObserved,
    PositionAdjusted,
    PositionsChecked,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
)
from deltawire.journal.segments import read

_LEAVES = frozenset({"sent", "acked", "fill", "filled_total", "closed", "rejected", "in_doubt"})  # its bytes may be out


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: the invariant, the record at which it shows, and what was wrong, with values and limits."""

    seq: int
    rule: str
    text: str


def check_journal(directory: Path) -> list[Violation]:
    """Check all that is in a journal, in two readings. Raises JournalError when it cannot be read."""
    return check_records(_Journal(directory))


def check_records(records: Iterable[tuple[int, Record]]) -> list[Violation]:
    """Check numbered records, in the order of their numbers; they are gone through twice."""
    # A trade is opened in the journal after its orders have left, so its size is looked up ahead.
    opened = {record.trade_id: record for _, record in records if isinstance(record, TradeOpened)}
    checker = _Checker(opened)
    for seq, record in records:
        checker.look_at(seq, record)
    return checker.violations


@dataclass(frozen=True, slots=True)
class _Journal:
    directory: Path

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        return read(self.directory)


@dataclass(slots=True, eq=False)
class _Order:
    """What the journal shows of one order so far."""

    intent: OrderIntended
    sent: bool = False  # its bytes may be at the venue
    sent_told: int = 0
    over: bool = False  # the venue, or a trusted look-up, said it is
    acked: bool = False
    in_doubt: bool = False
    fills: dict[str, OrderObserved] = field(default_factory=dict)
    total_e8: int = 0
    total_notional_e8: int = 0
    total_fee_e8: int = 0
    final_e8: int = 0

    @property
    def sign(self) -> int:
        return 1 if self.intent.side == 1 else -1

    @property
    def seen_e8(self) -> int:
        return sum(fill.size_e8 or 0 for fill in self.fills.values())

    @property
    def filled_e8(self) -> int:
        return max(self.seen_e8, self.total_e8, self.final_e8)

    @property
    def leaves_e8(self) -> int:
        """Size that may still fill: all of the rest while it is out and not over, in doubt or not."""
        return max(0, self.intent.size_e8 - self.filled_e8) if self.sent and not self.over else 0

    @property
    def money_e8(self) -> tuple[int, int] | None:
        """Cash it brought and fees it cost; None when part of what filled has no price."""
        if self.filled_e8 not in (self.seen_e8, self.total_e8):
            return None
        if self.seen_e8 >= self.total_e8:
            paid_e8 = sum(notional_e8(fill.price_e8, fill.size_e8 or 0) for fill in self.fills.values())
            return -self.sign * paid_e8, sum(fill.fee_e8 for fill in self.fills.values())
        return -self.sign * self.total_notional_e8, self.total_fee_e8


class _Checker:
    def __init__(self, opened: dict[str, TradeOpened]) -> None:
        self.violations: list[Violation] = []
        self._opened = opened
        self._orders: dict[str, _Order] = {}
        self._by_trade: dict[str, list[_Order]] = {}
        self._in_doubt: dict[str, _Order] = {}
        self._closed: dict[str, TradeClosed] = {}
        self._step_e8: dict[tuple[str, str], int] = {}
        self._last_check: PositionsChecked | None = None
        self._adjusted: list[PositionAdjusted] = []  # changes nobody ordered: they count as the trade's, not as fills
        self._told: set[tuple[str, str]] = set()
        self._seq = 0

    def look_at(self, seq: int, record: Record) -> None:
        self._seq = seq
        match record:
            case OrderIntended():
                self._on_intended(record)
            case OrderObserved():
                self._on_observed(record)
            case TradeClosed():
                self._on_trade_closed(record)
            case InstrumentLoaded():
                self._step_e8[record.venue, record.symbol] = record.size_step_e8
            case PositionAdjusted():
                self._adjusted.append(record)
            case PositionsChecked():
                self._on_positions_checked(record)
            case RunStarted():
                self._last_check = None
            case RunEnded():
                self._on_run_ended(record)
            case _:
                pass

    def _broken(self, rule: str, text: str) -> None:
        if (rule, text) not in self._told:  # every later run's end would tell an old trade again
            self._told.add((rule, text))
            self.violations.append(Violation(self._seq, rule, text))

    def _on_intended(self, intent: OrderIntended) -> None:
        known = self._orders.get(intent.client_id)
        if known is None:
            self._orders[intent.client_id] = order = _Order(intent)
            self._by_trade.setdefault(intent.trade_id, []).append(order)
        elif known.sent or known.intent != intent:  # the same intent told again, not yet sent, is one intent
            self._broken("I3", f"id {intent.client_id} used again")

    def _on_observed(self, news: OrderObserved) -> None:
        order = self._orders.get(news.client_id)
        if order is None:
            if news.kind in _LEAVES:
                self._broken("I6", f"order {news.client_id} {news.kind}, but it was never intended")
            return
        was_out = order.sent
        was_filled_e8 = order.filled_e8
        order.sent = order.sent or news.kind in _LEAVES
        match news.kind:
            case "sent":
                order.sent_told += 1
                if order.sent_told > 1:
                    doubt = " while in doubt" if order.in_doubt else ""
                    self._broken("I3", f"order {news.client_id} sent again{doubt}")
            case "acked":
                order.acked, order.in_doubt = True, False
            case "in_doubt":
                order.in_doubt = not order.over
            case _:
                self._on_outcome(order, news)
        if order.in_doubt:
            self._in_doubt[news.client_id] = order
        else:
            self._in_doubt.pop(news.client_id, None)
        if order.sent and not was_out:
            self._on_out(order)
        if order.filled_e8 > was_filled_e8:
            self._on_filled(order)

    def _on_outcome(self, order: _Order, news: OrderObserved) -> None:
        size_e8 = news.size_e8 or 0
        match news.kind:
            case "fill":
                order.fills.setdefault(news.fill_id, news)
                order.acked, order.in_doubt = True, False
            case "filled_total" if size_e8 > order.total_e8:
                order.total_e8, order.total_notional_e8, order.total_fee_e8 = size_e8, news.notional_e8, news.fee_e8
                order.in_doubt = False
            case "closed":
                order.final_e8 = max(order.final_e8, size_e8)
                # An end that does not say how much filled leaves that open: a fill may still be told.
                order.over = order.over or news.size_e8 is not None
                order.in_doubt = not order.over
            case "rejected":
                if not news.code:
                    self._broken("I4", f"order {news.client_id} counted as rejected without a code of the venue")
                order.over, order.in_doubt = True, False
            case "not_sent":
                order.over, order.in_doubt = True, False
            case "not_found" if not order.acked:  # the venue had it once: a look-up that misses it proves nothing
                order.over, order.in_doubt = True, False
            case _:
                pass
        if order.filled_e8 >= order.intent.size_e8:
            order.over, order.in_doubt = True, False

    # ---- I1, I4: what may be on, now that an order is out or has filled --------------------------------------------

    def _on_out(self, order: _Order) -> None:
        intent = order.intent
        if intent.purpose == "entry":
            doubtful = [
                other.intent.client_id
                for other in self._orders.values()
                if other.in_doubt
                and other.intent.pair_id == intent.pair_id
                and other.intent.trade_id != intent.trade_id
            ]
            if doubtful:
                self._broken("I4", f"entry {intent.client_id} sent while {', '.join(doubtful)} of its pair is in doubt")
        leg = self._leg(order)
        target_e8, direction = self._target(order)
        others_e8 = direction * self._external_e8(intent.trade_id, intent.leg)  # what others put on is closed too
        on_e8 = direction * sum(o.sign * o.filled_e8 for o in leg) + others_e8
        target_e8 += max(others_e8, 0)
        more_e8 = sum(o.leaves_e8 for o in leg if o.sign == direction)
        less_e8 = sum(o.leaves_e8 for o in leg if o.sign != direction)
        where = f"trade {intent.trade_id} leg {intent.leg}"
        if order.sign == direction and on_e8 + more_e8 > target_e8:
            could = f"{format_e8(on_e8 + more_e8)} over its target {format_e8(target_e8)}"
            self._broken("I1", f"with {intent.client_id} out, {where} could reach {could}")
        if order.sign != direction and on_e8 < less_e8:
            could = f"{format_e8(less_e8)} while {format_e8(on_e8)} is on"
            self._broken("I1", f"with {intent.client_id} out, {where} could close {could}")

    def _on_filled(self, order: _Order) -> None:
        intent = order.intent
        if order.filled_e8 > intent.size_e8:
            over = f"{format_e8(order.filled_e8)} of {format_e8(intent.size_e8)}"
            self._broken("I1", f"order {intent.client_id} filled {over}")
        target_e8, direction = self._target(order)
        others_e8 = direction * self._external_e8(intent.trade_id, intent.leg)
        on_e8 = direction * sum(o.sign * o.filled_e8 for o in self._leg(order)) + others_e8
        target_e8 += max(others_e8, 0)
        if not min(others_e8, 0) <= on_e8 <= target_e8:
            what = f"{format_e8(on_e8)}, target {format_e8(target_e8)}"
            self._broken("I1", f"trade {intent.trade_id} leg {intent.leg} is on with {what}")

    def _leg(self, order: _Order) -> list[_Order]:
        return [o for o in self._by_trade[order.intent.trade_id] if o.intent.leg == order.intent.leg]

    def _target(self, order: _Order) -> tuple[int, int]:
        """Return the most the order's leg may hold, and the direction (+1 long) it is to hold it in."""
        opened = self._opened.get(order.intent.trade_id)
        if opened is not None:
            return opened.size_e8, 1 if opened.buy_leg == order.intent.leg else -1
        first = self._leg(order)[0]  # the bot died before it could write that the trade is open
        return first.intent.size_e8, first.sign

    # ---- I5: endings -----------------------------------------------------------------------------------------------

    def _on_trade_closed(self, closed: TradeClosed) -> None:
        self._closed[closed.trade_id] = closed
        orders = self._by_trade.get(closed.trade_id, [])
        if closed.trade_id not in self._opened and not orders:
            self._broken("I5", f"trade {closed.trade_id} ended but never began")
        for order in orders:
            if order.sent and not order.over:
                state = "in doubt" if order.in_doubt else "not over"
                self._broken("I4", f"trade {closed.trade_id} ended while {order.intent.client_id} is {state}")
        if closed.outcome != "stuck":
            self._check_legs(closed, orders)
            self._check_money(closed, orders)

    def _check_legs(self, closed: TradeClosed, orders: list[_Order]) -> None:
        for name, dust_e8 in (("a", closed.dust_a_e8), ("b", closed.dust_b_e8)):
            leg = [order for order in orders if order.intent.leg == name]
            left_e8 = sum(order.sign * order.filled_e8 for order in leg) + self._external_e8(closed.trade_id, name)
            where = f"trade {closed.trade_id} leg {name}"
            if left_e8 != dust_e8:
                told = f"{format_e8(dust_e8)} named as dust"
                self._broken("I5", f"{where} ended with {format_e8(left_e8)} on, {told}")
            step_e8 = self._step_e8.get((leg[0].intent.venue, leg[0].intent.symbol), 0) if leg else 0
            if step_e8 and abs(dust_e8) >= step_e8:
                self._broken("I5", f"{where}: dust {format_e8(dust_e8)} is a lot ({format_e8(step_e8)}) or more")

    def _check_money(self, closed: TradeClosed, orders: list[_Order]) -> None:
        money = [order.money_e8 for order in orders]
        known = [pair for pair in money if pair is not None]
        if len(known) < len(money):
            self._broken("I5", f"trade {closed.trade_id} ended before the prices of all fills were known")
            return
        fees_e8 = sum(fee_e8 for _, fee_e8 in known)
        pnl_e8 = sum(cash_e8 for cash_e8, _ in known) - fees_e8
        if (pnl_e8, fees_e8) != (closed.pnl_e8, closed.fees_e8):
            told = f"PnL {format_e8(closed.pnl_e8)} and fees {format_e8(closed.fees_e8)}"
            found = f"{format_e8(pnl_e8)} and {format_e8(fees_e8)}"
            self._broken("I5", f"trade {closed.trade_id} told {told}, its fills give {found}")

    def _on_positions_checked(self, checked: PositionsChecked) -> None:
        self._last_check = checked
        for row in checked.rows:
            if row.agree != (row.journal_e8 == row.venue_e8):
                values = f"journal {format_e8(row.journal_e8)}, venue {format_e8(row.venue_e8)}"
                self._broken("I5", f"{row.venue} {row.symbol}: {values}, told as agree={row.agree}")

    def _on_run_ended(self, ended: RunEnded) -> None:
        positions = self._positions()
        rows = self._last_check.rows if self._last_check is not None else []
        compared = {(row.venue, row.symbol): row for row in rows}
        if ended.flat:
            for (venue, symbol), size_e8 in positions.items():
                if abs(size_e8) >= max(self._step_e8.get((venue, symbol), 0), 1):
                    self._broken("I5", f"run ended flat, but {venue} {symbol} has {format_e8(size_e8)} on")
        if ended.agree:
            for (venue, symbol), size_e8 in positions.items():
                row = compared.get((venue, symbol))
                if row is None and size_e8:
                    self._broken("I5", f"run ended in agreement, but {venue} {symbol} was not compared")
                elif row is not None and (not row.agree or row.journal_e8 != size_e8):
                    values = f"{format_e8(size_e8)} by fills, compared {format_e8(row.journal_e8)}"
                    self._broken(
                        "I5", f"run ended in agreement, but {venue} {symbol}: {values} to {format_e8(row.venue_e8)}"
                    )
            if not rows:
                self._broken("I5", "run ended in agreement, but nothing was compared with the venues")
        if ended.clean:
            self._check_nothing_left()

    def _check_nothing_left(self) -> None:
        for order in self._orders.values():
            if order.sent and not order.over:
                state = "in doubt" if order.in_doubt else "not over"
                self._broken("I4", f"run ended clean with order {order.intent.client_id} {state}")
        for trade_id, closed in self._closed.items():
            legs = {"a": closed.dust_a_e8, "b": closed.dust_b_e8}
            for name, dust_e8 in legs.items():
                orders = [o for o in self._by_trade.get(trade_id, []) if o.intent.leg == name]
                left_e8 = sum(o.sign * o.filled_e8 for o in orders) + self._external_e8(trade_id, name)
                if left_e8 != dust_e8 and closed.outcome != "stuck":
                    self._broken("I5", f"trade {trade_id} leg {name} was filled after its end: {format_e8(left_e8)} on")

    def _external_e8(self, trade_id: str, leg: str) -> int:
        return sum(change.size_e8 for change in self._adjusted if (change.trade_id, change.leg) == (trade_id, leg))

    def _positions(self) -> dict[tuple[str, str], int]:
        positions: dict[tuple[str, str], int] = {}
        for order in self._orders.values():
            key = (order.intent.venue, order.intent.symbol)
            positions[key] = positions.get(key, 0) + order.sign * order.filled_e8
        for change in self._adjusted:
            key = (change.venue, change.symbol)
            positions[key] = positions.get(key, 0) + change.size_e8
        return positions
