"""What happened: trades, money, latency and the state it ended in, computed from the journal alone.

Money and spreads are added up again from what the orders filled; what the bot said of itself (TradeClosed, RunEnded) is
compared with that, and each disagreement is a note. Nothing here asks a venue: `agree` is what the bot's last
comparison with the venues found. An empty journal, a run under way and a crashed run each give a report that says so.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from deltawire.core.latency import ORDER_PHASES, OTHER_PHASES, VENUE_PHASES, Spread, phases_ns, presigned, spread_of
from deltawire.core.money import BPS_E8, format_e8
from deltawire.core.order import OrderState
from deltawire.journal.log import writer_pid
from deltawire.journal.read import CheckRow, JournalReader, LatencySample, QuoteRow, RunRow, TradeRow
from deltawire.journal.report_trade import TradeReport, decimal_of, trade_report
from deltawire.journal.segments import JournalError
from deltawire.journal.split import Cause, mean_of

Status = Literal["empty", "running", "ended", "unclean", "crashed"]


@dataclass(frozen=True, slots=True)
class Rates:
    """A set of spreads as rates in 1e-8: how many, their median (one that occurred), their sum."""

    n: int
    p50: int
    total: int

    def to_json(self) -> dict[str, Any]:
        if not self.n:
            return {"n": 0, "p50": None, "mean": None}
        return {"n": self.n, "p50": self.p50 / BPS_E8, "mean": round(self.total / self.n / BPS_E8, 4)}


@dataclass(frozen=True, slots=True)
class VenueLatency:
    """The orders of one venue: phase -> exact percentiles in ns, and counts of what carried them."""

    phases: dict[str, Spread]
    reused: Counter[str]
    transport: Counter[str]
    presigned: Counter[str]

    def to_json(self) -> dict[str, Any]:
        phases = {name: _micros(spread) for name, spread in self.phases.items()}
        yes_no = {
            name: {answer: count[answer] for answer in ("yes", "no")}
            for name, count in (("reused", self.reused), ("presigned", self.presigned))
        }
        return phases | yes_no | {"transport": dict(self.transport)}


@dataclass(frozen=True, slots=True)
class Report:
    """See the fields' names in design section 8. flat and agree are True only where the journal shows it."""

    status: Status
    run_id: str = ""
    mode: str = ""
    simulated: bool = False
    duration_ns: int = 0
    trades: tuple[TradeReport, ...] = ()
    flat: bool = False
    agree: bool = False
    in_doubt: int = 0
    latency: dict[str, VenueLatency] = field(default_factory=dict)
    loop_lag: Spread | None = None  # ns; None where none was recorded
    gc_pauses: Spread | None = None
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    funding_e8: int = 0  # positive is received; as journalled so far
    notes: tuple[str, ...] = ()

    @property
    def round_trips(self) -> int:
        """Trades that were on with both legs and are off again."""
        return sum(trade.outcome == "closed" for trade in self.trades)

    @property
    def open_trades(self) -> int:
        return sum(trade.pnl_e8 is None for trade in self.trades)

    @property
    def pnl_e8(self) -> int:
        """Money made by the trades that are over, after fees, and by funding."""
        return sum(trade.pnl_e8 for trade in self.trades if trade.pnl_e8 is not None) + self.funding_e8

    @property
    def fees_e8(self) -> int:
        """Fees paid so far by all trades, the open ones too."""
        return sum(trade.fees_e8 for trade in self.trades)

    @property
    def unhedged_ns_max(self) -> int:
        return max((trade.unhedged_ns_max for trade in self.trades), default=0)

    @property
    def order_classes(self) -> dict[str, tuple[int, int, int]]:
        """Return class -> trades over, their fees, their result, of the trades whose class was chosen."""
        found: dict[str, tuple[int, int, int]] = {}
        for trade in self.trades:
            if trade.class_reason and trade.pnl_e8 is not None:
                name = trade.order_class or "usual"
                trades, fees_e8, pnl_e8 = found.get(name, (0, 0, 0))
                found[name] = (trades + 1, fees_e8 + trade.fees_e8, pnl_e8 + trade.pnl_e8)
        return found

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Where the edge went: the mean of each cause over the finished trades, weighted by notional."""
        return mean_of((trade.notional_e8, trade.causes) for trade in self.trades if trade.causes)

    @property
    def quote_ages(self) -> dict[str, dict[str, Spread]]:
        """Return entry or exit -> venue -> how old the quotes were, by our receipt, in ns."""
        ages: dict[str, dict[str, list[int]]] = {}
        for trade in self.trades:
            for quote in trade.quotes:
                ages.setdefault(quote.purpose, {}).setdefault(quote.venue, []).append(quote.age_ns)
        found = {side: {venue: spread_of(ns) for venue, ns in sorted(of.items())} for side, of in ages.items()}
        return {side: {venue: spread for venue, spread in of.items() if spread} for side, of in found.items()}

    @property
    def detected(self) -> Rates:
        """Entry spreads seen, of the trades that got on with both legs: the same trades as `executed`."""
        return _rates(trade.entry_detected for trade in self.trades if trade.entry_executed is not None)

    @property
    def executed(self) -> Rates:
        return _rates(trade.entry_executed for trade in self.trades)

    @property
    def exit_detected(self) -> Rates:
        return _rates(trade.exit_detected for trade in self.trades if trade.exit_executed is not None)

    @property
    def exit_executed(self) -> Rates:
        return _rates(trade.exit_executed for trade in self.trades if trade.exit_detected is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the report with plain numbers: bps, USD, ms, and µs for latency."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "mode": self.mode,
            "simulated": self.simulated,
            "duration_s": round(self.duration_ns / 10**9, 3),
            "round_trips": self.round_trips,
            "open_trades": self.open_trades,
            "flat": self.flat,
            "agree": self.agree,
            "pnl_usd": decimal_of(self.pnl_e8),
            "fees_usd": decimal_of(self.fees_e8),
            "funding_usd": decimal_of(self.funding_e8),
            "detected_bps": self.detected.to_json(),
            "executed_bps": self.executed.to_json(),
            "exit_detected_bps": self.exit_detected.to_json(),
            "exit_executed_bps": self.exit_executed.to_json(),
            "order_classes": {
                name: {"trades": trades, "fees_usd": decimal_of(fees_e8), "pnl_usd": decimal_of(pnl_e8)}
                for name, (trades, fees_e8, pnl_e8) in self.order_classes.items()
            },
            "causes": [cause.to_json() for cause in self.causes],
            "quote_age": {
                side: {venue: _micros(spread) for venue, spread in of.items()} for side, of in self.quote_ages.items()
            },
            "unhedged_ms_max": self.unhedged_ns_max / 10**6,
            "in_doubt": self.in_doubt,
            "latency": {venue: latency.to_json() for venue, latency in self.latency.items()},
            "loop": {"lag": _micros(self.loop_lag), "gc_pauses": _micros(self.gc_pauses)},
            "positions": [
                {"venue": venue, "symbol": symbol, "size": decimal_of(size_e8)}
                for (venue, symbol), size_e8 in self.positions.items()
            ],
            "trades": [trade.to_json() for trade in self.trades],
            "notes": list(self.notes),
        }


def build_report(directory: Path, run_id: str = "", *, url: str = "") -> Report:
    """Report on one run, the last by default. Raises JournalError, also for a run the journal does not have.

    url: of the tables, see journal.database.
    Money and trades are those that began or ended in the run; positions, flat and in_doubt are of the whole journal.
    """
    alive = writer_pid(directory) is not None  # asked before reading: a bot that ends meanwhile has written its end
    with JournalReader(directory, url) as journal:
        return report_of(journal, run_id, alive=alive)


def report_of(journal: JournalReader, run_id: str = "", *, alive: bool) -> Report:
    """Report from a journal that is open already. alive: whether somebody wrote to it before it was last refreshed."""
    runs = journal.runs()
    if not runs and not run_id:
        return Report("empty", notes=("the journal is empty",))
    run = next((run for run in reversed(runs) if run_id in ("", run.run_id)), None)
    if run is None:
        known = ", ".join(run.run_id for run in runs[-5:]) or "none"
        raise JournalError(f"the journal has no run {run_id!r}; the last ones: {known}")
    return _report(journal, run, _status(run, alive=alive and run is runs[-1]))


def _report(journal: JournalReader, run: RunRow, status: Status) -> Report:
    notes = _notes_of_run(journal, run, status)
    rows = journal.trades(run_id=run.run_id)
    trade_ids = {row.trade_id for row in rows}
    # A payment goes with its trade; one that came with no order of ours, with the run that heard of it.
    paid = [p for p in journal.funding() if p.trade_id in trade_ids or (p.trade_id is None and p.run_id == run.run_id)]
    funding_e8 = Counter[str]()
    for payment in paid:
        funding_e8[payment.trade_id or ""] += payment.payment_e8
    quotes: dict[str, list[QuoteRow]] = {}
    for quote in journal.quotes(run_id=run.run_id):
        quotes.setdefault(quote.trade_id, []).append(quote)
    trades = tuple(
        trade_report(row, journal.orders(trade_id=at), quotes.get(at, []), funding_e8[at], notes)
        for row, at in ((row, row.trade_id) for row in rows)
    )
    positions = journal.positions()
    # While the bot runs, an order on its way is business as usual; once it does not, nobody follows the order.
    doubtful = [o for o in journal.unresolved() if status != "running" or o.state is OrderState.UNKNOWN]
    notes += [f"order {o.client_id} at {o.venue} is unresolved: {o.state.value} {o.why}".rstrip() for o in doubtful]
    notes += [_stuck(row) for row in journal.stuck()]
    checks = journal.checks(run_id=run.run_id)
    last_check = [row for row in checks if row.seq == checks[-1].seq]
    on = [key for key, size_e8 in positions.items() if abs(size_e8) >= max(journal.lot_e8(*key), 1)]
    notes += [
        f"{venue} {symbol}: {format_e8(size_e8)} left, under one lot"
        for (venue, symbol), size_e8 in positions.items()
        if size_e8 and (venue, symbol) not in on
    ]
    said_flat = status in ("running", "crashed") or bool(run.flat)
    loop = journal.loop_times(run_id=run.run_id)
    last_unix_ns = run.end_unix_ns or journal.last_unix_ns(run.run_id)
    return Report(
        status=status,
        run_id=run.run_id,
        mode=run.mode,
        simulated=run.simulated,
        duration_ns=max(0, last_unix_ns - run.unix_ns),
        trades=trades,
        flat=not on and not doubtful and said_flat and not _on_at_venues(journal, last_check),
        agree=_agree(last_check, positions, status, notes) and run.agree is not False,
        in_doubt=len(doubtful),
        latency=_latency(journal.latency(run_id=run.run_id)),
        loop_lag=None if loop is None else loop[0].spread(),
        gc_pauses=None if loop is None else loop[1].spread(),
        positions=positions,
        funding_e8=sum(payment.payment_e8 for payment in paid),
        notes=tuple(notes),
    )


def _status(run: RunRow, *, alive: bool) -> Status:
    if run.end_seq is None:
        return "running" if alive else "crashed"
    return "ended" if run.clean else "unclean"


def _stuck(row: TradeRow) -> str:
    why = "what is left is less than the venue's smallest order" if row.state_reason == "rest" else row.state_reason
    return f"trade {row.trade_id} of {row.pair_id} is stuck ({why}): close what is left on the venue's page"


def _notes_of_run(journal: JournalReader, run: RunRow, status: Status) -> list[str]:
    notes = []
    if status == "running":
        notes.append("the run is still going on; these are its figures so far")
    elif status == "crashed":
        notes.append("the run has no end: the bot died, and what it had not written is unknown")
    elif status == "unclean":
        notes.append(f"the run did not end clean: {run.reason}")
    if journal.unread_bytes and status != "running":
        notes.append(f"{journal.unread_bytes} bytes behind the last record are of a record cut off by a crash")
    odd = [order for order in journal.orders(run_id=run.run_id) if order.surprises]
    return notes + [f"order {o.client_id} at {o.venue}: {o.surprises} news that contradict its state" for o in odd]


def _on_at_venues(journal: JournalReader, last_check: list[CheckRow]) -> bool:
    return any(abs(row.venue_e8) >= max(journal.lot_e8(row.venue, row.symbol), 1) for row in last_check)


def _agree(last_check: list[CheckRow], positions: dict[tuple[str, str], int], status: Status, notes: list[str]) -> bool:
    """Whether the last comparison found every position of ours at its venue, and still speaks of what we have now."""
    if not last_check:
        notes.append("positions were not compared with the venues")
        return False
    wrong = [
        f"{row.venue} {row.symbol}: journal {format_e8(row.journal_e8)}, venue {format_e8(row.venue_e8)}"
        for row in last_check
        if not row.agree
    ]
    compared = {(row.venue, row.symbol): row.journal_e8 for row in last_check}
    for key, size_e8 in positions.items():
        if key not in compared and size_e8:
            wrong.append(f"{key[0]} {key[1]}: {format_e8(size_e8)} by the journal, not compared")
        elif status != "running" and compared.get(key, size_e8) != size_e8:
            wrong.append(f"{key[0]} {key[1]}: compared at {format_e8(compared[key])}, now {format_e8(size_e8)}")
    notes += wrong
    return not wrong


def _latency(samples: list[LatencySample]) -> dict[str, VenueLatency]:
    by_venue = sorted(samples, key=lambda sample: sample.venue)
    return {venue: _venue_latency(list(group)) for venue, group in groupby(by_venue, key=lambda sample: sample.venue)}


def _venue_latency(samples: list[LatencySample]) -> VenueLatency:
    took = [phases_ns(sample.stamps) for sample in samples]
    phases = {}
    for name in (*ORDER_PHASES, *VENUE_PHASES, *OTHER_PHASES):
        spread = spread_of(phases_of[name] for phases_of in took if name in phases_of)
        if spread is not None:
            phases[name] = spread
    stamps = [sample.stamps for sample in samples]
    return VenueLatency(
        phases,
        reused=Counter("yes" if s.reused else "no" for s in stamps),
        transport=Counter(s.transport or "none" for s in stamps),
        presigned=Counter("yes" if presigned(s) else "no" for s in stamps),
    )


def _micros(spread: Spread | None) -> dict[str, Any]:
    """Return percentiles in µs, with n 0 and nothing else of nothing."""
    if spread is None:
        return {"n": 0, "p50": None, "p90": None, "p99": None, "max": None}
    return {
        "n": spread.n,
        "p50": spread.p50 / 1e3,
        "p90": spread.p90 / 1e3,
        "p99": spread.p99 / 1e3,
        "max": spread.max / 1e3,
    }


def _rates(rates: Iterable[int | None]) -> Rates:
    known = [rate for rate in rates if rate is not None]
    spread = spread_of(known)
    return Rates(spread.n, spread.p50, sum(known)) if spread else Rates(0, 0, 0)
