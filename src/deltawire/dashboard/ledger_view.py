"""What the page shows of a journal, as plain JSON: the run, its trades, where their edge went, latency, money."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from deltawire.core.latency import ORDER_PHASES, VENUE_PHASES, phases_ns, presigned, spread_of
from deltawire.core.money import E8
from deltawire.core.stamps import OrderStamps
from deltawire.dashboard.ledger_alerts import alerts_of
from deltawire.journal.read import FundingRow, JournalReader, LatencySample, OrderRow
from deltawire.journal.report import Report, report_of
from deltawire.journal.report_trade import TradeReport
from deltawire.journal.split import Cause

TRADES_SHOWN = 200  # the newest; the report command has them all
RUNS_SHOWN = 50
ORDERS_SHOWN = 400  # dots of the latency chart
WINDOW = 50  # orders behind each point of the percentiles over time
MONEY_POINTS = 600

# Every phase of an order between the market frame and its answer, in order.
WATERFALL = ("decode", "decide", *(phase for phase in ORDER_PHASES if phase != "total"))


def view_of(journal: JournalReader, run_id: str, *, alive: bool) -> dict[str, Any]:
    """Return the whole view of one run, "" for the newest. Raises JournalError for a run that is not there."""
    report = report_of(journal, run_id, alive=alive)
    runs = journal.runs()
    ids = {trade.trade_id for trade in report.trades}
    # As the report counts it: a payment goes with its trade, or else with the run that heard of it.
    paid = [
        row
        for row in journal.funding()
        if row.trade_id in ids or (row.trade_id is None and row.run_id == report.run_id)
    ]
    told = report.to_json()
    for name in ("trades", "causes"):
        told.pop(name)
    run = next((row for row in runs if row.run_id == report.run_id), None)
    return {
        "run": told | {"began": None if run is None else run.unix_ns / 1e9, "newest": not runs or run is runs[-1]},
        "runs": [
            {"run_id": row.run_id, "began": row.unix_ns / 1e9, "ended": _s(row.end_unix_ns), "clean": row.clean}
            for row in reversed(runs[-RUNS_SHOWN:])
        ],
        "trades": [_trade(trade) for trade in reversed(report.trades[-TRADES_SHOWN:])],
        "trades_total": len(report.trades),
        "causes": causes_of(report.causes) or [],
        "money": _money(report, paid),
        "latency": _latency(journal, report.run_id),
        "reconciled": _reconciled(journal, report.run_id),
        "alerts": alerts_of(journal, report),
        "seq": journal.last_seq,
    }


def causes_of(causes: Sequence[Cause]) -> list[tuple[str, float]] | None:
    """Return causes as the page takes them, `name venue` and bps, in the order they add up in; None for none.

    A leg's cause that is nothing would be a line without a bar.
    """
    return [
        (f"{cause.name} {cause.venue}".rstrip(), cause.bps) for cause in causes if cause.bps or not cause.venue
    ] or None


def _trade(trade: TradeReport) -> dict[str, Any]:
    told = trade.to_json()
    opened, closed = told.pop("opened_unix_ns") / 1e9, _s(told.pop("closed_unix_ns"))
    return told | {
        "opened": opened,
        "closed": closed,
        "causes": causes_of(trade.causes),
    }


def _money(report: Report, paid: Sequence[FundingRow]) -> dict[str, list[float]]:
    """Return money after fees and with funding, and each of the two, added up over time."""
    moves = [
        (trade.closed_unix_ns or 0, trade.pnl_e8, trade.fees_e8, 0)
        for trade in report.trades
        if trade.pnl_e8 is not None
    ]
    moves += [(row.paid_unix_ns, row.payment_e8, 0, row.payment_e8) for row in paid]
    columns: dict[str, list[float]] = {"t": [], "net": [], "fees": [], "funding": []}
    sums = [0, 0, 0]
    for unix_ns, *amounts in sorted(moves):
        sums = [sum_e8 + amount_e8 for sum_e8, amount_e8 in zip(sums, amounts, strict=True)]
        for column, value in zip(columns.values(), (unix_ns / 1e9, *(sum_e8 / E8 for sum_e8 in sums)), strict=True):
            column.append(value)
    step = -(-len(moves) // MONEY_POINTS) or 1
    return {name: column[::-1][::step][::-1] for name, column in columns.items()}


def _reconciled(journal: JournalReader, run_id: str) -> dict[str, Any] | None:
    """Return when orders, fills, fees, funding and balance were last compared with the venues, and what differed."""
    last = journal.last_reconciliation(run_id) if run_id else None
    if last is None:
        return None
    return {
        "t": last.unix_ns / 1e9,
        "venues": [row.venue for row in last.rows],
        "differences": [
            f"{item.venue} {item.kind} {item.item}: journal {item.journal}, venue {item.told} ({item.answer})"
            for item in last.differences
        ],
    }


def _latency(journal: JournalReader, run_id: str) -> dict[str, Any]:
    began = {order.client_id: order.unix_ns / 1e9 for order in journal.orders(run_id=run_id)}
    by_venue: dict[str, list[LatencySample]] = defaultdict(list)
    for sample in journal.latency(run_id=run_id):
        by_venue[sample.venue].append(sample)
    return {venue: _venue_latency(samples, began) for venue, samples in sorted(by_venue.items())}


def _venue_latency(samples: Sequence[LatencySample], began: dict[str, float]) -> dict[str, Any]:
    took = [phases_ns(sample.stamps) for sample in samples]
    phases = {}
    for name in (*WATERFALL, *VENUE_PHASES, "total", "reaction", "fill"):
        spread = spread_of(phases_of[name] for phases_of in took if name in phases_of)
        if spread is not None:
            phases[name] = [spread.n, *(ns / 1e3 for ns in (spread.p50, spread.p90, spread.p99, spread.max))]
    return {
        "phases": phases,
        "over_time": _over_time(samples, took, began),
        "reused": sum(sample.stamps.reused for sample in samples),
        "presigned": sum(presigned(sample.stamps) for sample in samples),
        "transport": sorted({sample.stamps.transport or "none" for sample in samples}),
        "n": len(samples),
    }


def _over_time(
    samples: Sequence[LatencySample], took: Sequence[dict[str, int]], began: dict[str, float]
) -> dict[str, list[Any]]:
    """Return each answered order's total, and the percentiles of the WINDOW orders that end with it. ms."""
    points = sorted(
        (began[sample.client_id], phases["total"])
        for sample, phases in zip(samples, took, strict=True)
        if "total" in phases and sample.client_id in began
    )
    columns: dict[str, list[Any]] = {"t": [], "total": [], "p50": [], "p90": [], "p99": []}
    for at in range(max(0, len(points) - ORDERS_SHOWN), len(points)):
        spread = spread_of(total for _, total in points[max(0, at + 1 - WINDOW) : at + 1])
        assert spread is not None
        row = (points[at][0], *(ns / 1e6 for ns in (points[at][1], spread.p50, spread.p90, spread.p99)))
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns


def trade_detail(journal: JournalReader, trade_id: str) -> dict[str, Any] | None:
    """Return the orders of a trade with every phase of each on one time axis, or None for an unknown trade.

    µs from the market frame (or the decision, where no frame began it) of the earliest order of the same purpose.
    """
    orders = journal.orders(trade_id=trade_id) if trade_id else []
    if not orders:
        return None
    stamps = {sample.client_id: sample.stamps for sample in journal.latency_of(trade_id)}
    first: dict[str, int] = {}
    for order in orders:
        begin = _begin(stamps.get(order.client_id))
        if begin:
            first[order.purpose] = min(begin, first.get(order.purpose, begin))
    return {
        "trade_id": trade_id,
        "orders": [_order(o, stamps.get(o.client_id), first.get(o.purpose, 0)) for o in orders],
    }


def _order(order: OrderRow, stamps: OrderStamps | None, zero_ns: int) -> dict[str, Any]:
    price_e8 = order.notional_e8 * E8 // order.filled_e8 if order.filled_e8 and order.is_priced else None
    return {
        "client_id": order.client_id,
        "venue": order.venue,
        "symbol": order.symbol,
        "side": "buy" if order.side == 1 else "sell",
        "purpose": order.purpose,
        "size": order.size_e8 / E8,
        "filled": order.filled_e8 / E8,
        "cap": order.cap_price_e8 / E8,
        "price": None if price_e8 is None else price_e8 / E8,
        "fee": order.fee_e8 / E8,
        "state": order.state.value,
        "why": order.why,
        "t": order.unix_ns / 1e9,
        "in_doubt": order.was_in_doubt,
        "phases": [] if stamps is None else _spans(stamps, zero_ns),
        "transport": "" if stamps is None else stamps.transport,
        "reused": stamps is not None and stamps.reused,
    }


def _spans(stamps: OrderStamps, zero_ns: int) -> list[tuple[str, float, float]]:
    """Return (phase, begin, end) in µs from zero_ns, those that happened."""
    ready = presigned(stamps)
    decided_ns = stamps.decided_mono_ns or stamps.prepared_mono_ns
    ends = [
        ("decode", stamps.received_mono_ns, stamps.decoded_mono_ns),
        ("decide", stamps.decoded_mono_ns, stamps.decided_mono_ns),
        ("signature", 0 if ready else stamps.prepared_mono_ns, 0 if ready else stamps.signed_mono_ns),
        ("encode", 0 if ready else stamps.signed_mono_ns, 0 if ready else stamps.encoded_mono_ns),
        ("write", decided_ns if ready else stamps.encoded_mono_ns, stamps.written_mono_ns),
        ("wire", stamps.written_mono_ns, stamps.reply_mono_ns),
        ("parse", stamps.reply_mono_ns, stamps.acked_mono_ns),
        ("filled", stamps.filled_mono_ns, stamps.filled_mono_ns),
    ]
    return [(name, (a - zero_ns) / 1e3, (b - zero_ns) / 1e3) for name, a, b in ends if a and b >= a]


def _begin(stamps: OrderStamps | None) -> int:
    if stamps is None:
        return 0
    return stamps.received_mono_ns or stamps.decided_mono_ns or stamps.prepared_mono_ns


def _s(unix_ns: int | None) -> float | None:
    return None if unix_ns is None else unix_ns / 1e9
