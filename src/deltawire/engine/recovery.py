"""What the journal says was left behind: positions, and trades still open. Reading it is the normal start of every run.

An order whose bytes may have left is rebuilt as in doubt, so that the venue is asked before anything is decided.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from deltawire.core.edge import PairRules
from deltawire.core.events import InDoubt
from deltawire.core.order import IllegalTransition, Order, OrderState, apply
from deltawire.core.trade import EXITING, REPAIRING, UNWINDING, Trade, lot_at
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.unsent import PendingLadders
from deltawire.journal.leaving import Left
from deltawire.journal.records import (
    AccountsReconciled,
    Archived,
    Armed,
    FundingPaid,
    Halted,
    OrderIntended,
    OrderObserved,
    PositionAdjusted,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
    event_of,
)

DAY_NS = 86_400 * 10**9


@dataclass(slots=True)
class Remains:
    """One trade that an earlier run left open: its orders as the journal tells them."""

    trade_id: TradeId
    pair_id: str
    opened: TradeOpened | None = None
    intents: list[OrderIntended] = field(default_factory=list)
    news: dict[str, list[OrderObserved]] = field(default_factory=dict)
    closed: TradeClosed | None = None
    adjusted: list[PositionAdjusted] = field(default_factory=list)
    # Order -> monotonic time of the first later start: the order had been written by then. Absent for the last run's.
    written_by_mono_ns: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """How many trades of a pair in a row were given back, and the last of them."""

    failed: int
    trade_id: str
    closed_unix_ns: int


@dataclass(slots=True)
class Recovered:
    """The journal, read once. positions: signed sum of fills by (venue, symbol)."""

    unclean_before: bool = False
    halted: str = ""  # why a person must arm the bot first; "" when nobody need
    lost_today_e8: int = 0
    result_e8: int = 0  # realised by all closed trades
    result_peak_e8: int = 0
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    trades: dict[str, Remains] = field(default_factory=dict)
    open_trades: list[Remains] = field(default_factory=list)
    presigned: list[OrderIntended] = field(default_factory=list)  # of ladders: sent unrecorded, or never; see unsent.py
    compared_unix_ns: int = 0  # when orders and money were last compared; before the first time, the last run's start
    was_compared: bool = False
    given_back: dict[str, GivenBack] = field(default_factory=dict)  # by pair; absent where the last trade went well
    payments: dict[str, dict[str, int]] = field(default_factory=dict)  # funding on record by venue and payment id


def read_back(records: Iterable[Record], now_unix_ns: int, left: Left | None = None) -> Recovered:
    """Fold a journal into what the next run must know. left: what the mark beside it says, see journal.leaving."""
    found = Recovered()
    ladders = PendingLadders()
    trade_of_order: dict[str, Remains] = {}
    of_this_run: list[str] = []
    for record in records:
        ladders.look_at(record)
        _fold_money(found, record)
        match record:
            case RunStarted():
                found.unclean_before = True
                for client_id in of_this_run:
                    trade_of_order[client_id].written_by_mono_ns[client_id] = record.mono_ns
                of_this_run.clear()
            case RunEnded(clean=clean):
                found.unclean_before = not clean
            case Archived():
                found.result_e8, found.result_peak_e8 = record.result_e8, record.result_peak_e8
            case Halted(reason=reason):
                found.halted = found.halted or reason
            case Armed():
                found.halted = ""
            case OrderObserved(client_id=client_id) if client_id in trade_of_order:
                trade_of_order[client_id].news.setdefault(client_id, []).append(record)
            case OrderIntended() | TradeOpened() | TradeClosed() | PositionAdjusted():
                remains = _take(found, record)
                if isinstance(record, OrderIntended):
                    trade_of_order[record.client_id] = remains
                    of_this_run.append(record.client_id)
            case _:
                pass
    _sum_up(found, now_unix_ns)
    found.presigned = list(ladders.may_have_left(left))
    return found


def add_sent(found: Recovered, intents: Iterable[OrderIntended]) -> None:
    """Add orders that had been signed ahead, and turned out to have been sent in the last moment of the run before."""
    for intent in intents:
        remains = found.trades.setdefault(intent.trade_id, Remains(TradeId(intent.trade_id), intent.pair_id))
        remains.intents.append(intent)
        if remains not in found.open_trades:
            found.open_trades.append(remains)


def _fold_money(found: Recovered, record: Record) -> None:
    match record:
        case FundingPaid():
            found.payments.setdefault(record.venue, {})[record.payment_id] = record.payment_e8
        case AccountsReconciled():
            found.compared_unix_ns, found.was_compared = record.unix_ns, True
        case RunStarted() if not found.was_compared:
            found.compared_unix_ns = record.unix_ns
        case _:
            pass


def _sum_up(found: Recovered, now_unix_ns: int) -> None:
    for remains in found.trades.values():
        _count(remains, found)
        if remains.intents and (remains.closed is None or _came_back(remains, remains.closed)):
            found.open_trades.append(remains)
    ended = [(remains.closed, remains) for remains in found.trades.values() if remains.closed is not None]
    for trade, remains in sorted(ended, key=lambda pair: pair[0].closed_unix_ns):
        _count_given_back(found, remains, trade)
        found.result_e8 += trade.pnl_e8
        found.result_peak_e8 = max(found.result_peak_e8, found.result_e8)
        if trade.closed_unix_ns // DAY_NS == now_unix_ns // DAY_NS:
            found.lost_today_e8 -= trade.pnl_e8


def _count_given_back(found: Recovered, remains: Remains, closed: TradeClosed) -> None:
    """Count as core.cooldown does while the bot runs."""
    purposes = {i.purpose for i in remains.intents if filled_by_records(i, remains.news.get(i.client_id, []))}
    if "unwind" in purposes:
        before = found.given_back.get(closed.pair_id)
        failed = 1 if before is None else before.failed + 1
        found.given_back[closed.pair_id] = GivenBack(failed, closed.trade_id, closed.closed_unix_ns)
    elif purposes:
        found.given_back.pop(closed.pair_id, None)


def _came_back(remains: Remains, closed: TradeClosed) -> bool:
    """Say whether something is on, or may be, although the trade's end is on record: a fill was told after it."""
    on_e8 = {"a": 0, "b": 0}
    for intent in remains.intents:
        news = remains.news.get(intent.client_id, [])
        on_e8[intent.leg] += Side(intent.side).sign * filled_by_records(intent, news)
    for change in remains.adjusted:
        on_e8[change.leg] += change.size_e8
    return (on_e8["a"], on_e8["b"]) != (closed.dust_a_e8, closed.dust_b_e8)


def _take(found: Recovered, record: OrderIntended | TradeOpened | TradeClosed | PositionAdjusted) -> Remains:
    """Put a record to its trade."""
    remains = found.trades.setdefault(record.trade_id, Remains(TradeId(record.trade_id), record.pair_id))
    match record:
        case OrderIntended():
            remains.intents.append(record)
            remains.closed = None  # a trade that was over is being closed again
        case TradeOpened():
            remains.opened = record
        case TradeClosed():
            remains.closed = record
        case PositionAdjusted():
            remains.adjusted.append(record)
    return remains


def rebuild(remains: Remains, rules: PairRules, now_mono_ns: int) -> Trade:
    """Make the trade again from its records; orders without an end are in doubt."""
    entries = [intent for intent in remains.intents if intent.purpose == "entry"]
    first = (entries or remains.intents)[0]
    buys_on_a = (Side(first.side) is Side.BUY) == (first.leg == "a")
    trade = Trade(
        trade_id=remains.trade_id,
        rules=rules,
        lot_e8=lot_at(rules, first.cap_price_e8),
        buy_leg=0 if buys_on_a else 1,
        opened_mono_ns=now_mono_ns,
        opened_unix_ns=remains.opened.unix_ns if remains.opened else first.unix_ns,
        first_leg=_first_leg(remains.opened),
        entry_spread_e8=remains.opened.detected_spread_rate_e8 if remains.opened else 0,
        entry_edge_e8=remains.opened.detected_edge_rate_e8 if remains.opened else 0,
    )
    for intent in remains.intents:
        leg = 0 if intent.leg == "a" else 1
        trade.add(leg, _request(intent, rules))
        order = _fold(trade.orders[ClientOrderId(intent.client_id)], remains)
        trade.orders[order.request.client_id] = order if order.is_final else apply(order, InDoubt("the bot was away"))
    trade.repairs = sum(intent.purpose == "repair" for intent in remains.intents)
    if any(intent.purpose == "unwind" for intent in remains.intents):
        trade.phase = UNWINDING  # what was being given back is not asked for again
    elif trade.repairs:
        trade.phase = REPAIRING
    for change in remains.adjusted:
        trade.external_e8[0 if change.leg == "a" else 1] += change.size_e8
    trade.recount()
    if remains.closed is not None or any(intent.purpose == "exit" for intent in remains.intents):
        trade.phase = EXITING
        trade.exit_reason, trade.forced = "recovered", True
    elif remains.adjusted:
        # The run before was about to close the pair: what others took must not be bought again.
        trade.exit_reason, trade.forced = "position_changed", True
    return trade


def _first_leg(opened: TradeOpened | None) -> int | None:
    return None if opened is None or opened.first_leg == "both" else "ab".index(opened.first_leg)


def _request(intent: OrderIntended, rules: PairRules) -> OrderRequest:
    return OrderRequest(
        client_id=ClientOrderId(intent.client_id),
        trade_id=TradeId(intent.trade_id),
        purpose=Purpose(intent.purpose),
        instrument=rules.legs[0 if intent.leg == "a" else 1],
        side=Side(intent.side),
        size_e8=intent.size_e8,
        cap_price_e8=intent.cap_price_e8,
        reduce_only=intent.reduce_only,
    )


def _fold(order: Order, remains: Remains) -> Order:
    for record in remains.news.get(order.request.client_id, []):
        try:
            order = apply(order, event_of(record))
        except IllegalTransition:
            # The running bot met the same news, refused it the same way, and recorded that it did.
            continue
    return order


def _count(remains: Remains, found: Recovered) -> None:
    """Add the fills of a trade to the positions, order by order, without needing the pair's present settings."""
    for intent in remains.intents:
        filled_e8 = filled_by_records(intent, remains.news.get(intent.client_id, []))
        key = (intent.venue, intent.symbol)
        found.positions[key] = found.positions.get(key, 0) + Side(intent.side).sign * filled_e8
    for change in remains.adjusted:
        key = (change.venue, change.symbol)
        found.positions[key] = found.positions.get(key, 0) + change.size_e8


def filled_by_records(intent: OrderIntended, news: list[OrderObserved]) -> int:
    """Return what an order filled by its records: executions or running totals, whichever says more; never both."""
    seen = {record.fill_id: record.size_e8 or 0 for record in news if record.kind == "fill"}
    totals = [record.size_e8 or 0 for record in news if record.kind in ("filled_total", "closed")]
    return min(max([sum(seen.values()), *totals]), intent.size_e8)


def is_unsettled(order: Order) -> bool:
    """Whether the venue must still be asked about it: not over, or over at prices not yet known."""
    return order.state is OrderState.UNKNOWN or not order.is_final or not order.is_priced
