"""The report as a person reads it in a terminal. Every figure comes from `journal.report`; nothing is computed here."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.core.latency import ORDER_PHASES, VENUE_PHASES, Spread
from deltawire.core.money import BPS_E8, E8
from deltawire.journal.report import Rates, Report

TRADES_SHOWN = 20  # the last ones; --json has them all
_PHASES_SHOWN = (*ORDER_PHASES, *VENUE_PHASES, "reaction", "fill")


def render(report: Report) -> RenderableType:
    """Return the report as tables: the run, its trades, its latency, and what must be said besides."""
    if report.status == "empty":
        return Text("The journal is empty: no run has been recorded.")
    parts: list[RenderableType] = [_summary(report)]
    if report.trades:
        parts.append(_trades(report))
    if report.latency:
        parts += _latency(report)
    for name, spread in (("loop lag", report.loop_lag), ("collector pauses", report.gc_pauses)):
        if spread is not None:
            parts.append(Text(f"{name}: {_spread(spread)}"))
    parts += [Text(f"note: {note}", style="yellow") for note in report.notes]
    return Group(*parts)


_NO_MONEY = {"paper": "orders filled here on live books", "testnet": "play money of the venues'"}


def _summary(report: Report) -> Table:
    why = _NO_MONEY.get(report.mode, "simulated venues" if report.simulated else "")
    money = "simulated USD" if why else "USD"
    title = f"Run {report.run_id} ({report.mode}, {report.status})"
    if why:
        title += f": {why}, no figure here is money"
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    open_trades = f", {report.open_trades} not over" if report.open_trades else ""
    rows = [
        ("duration", f"{report.duration_ns / 1e9:.1f} s"),
        ("round trips", f"{report.round_trips} of {len(report.trades)} trades{open_trades}"),
        ("entry spread detected", _rates(report.detected)),
        ("entry spread executed", _rates(report.executed)),
        ("exit spread detected", _rates(report.exit_detected)),
        ("exit spread executed", _rates(report.exit_executed)),
        (f"fees, {money}", _usd(report.fees_e8)),
        (f"funding, {money}", _usd(report.funding_e8)),
        (f"PnL after fees and funding, {money}", _usd(report.pnl_e8)),
        ("longest time one leg stood alone", f"{report.unhedged_ns_max / 1e6:.1f} ms"),
        ("orders in doubt", str(report.in_doubt)),
        ("flat", _yes_no(yes=report.flat)),
        ("journal and venues agree", _yes_no(yes=report.agree)),
    ]
    rows += [
        (f"entries of class {name}", f"{trades} over, fees {_usd(fees_e8)}, PnL {_usd(pnl_e8)}")
        for name, (trades, fees_e8, pnl_e8) in report.order_classes.items()
    ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def _trades(report: Report) -> Table:
    shown = report.trades[-TRADES_SHOWN:]
    title = "Trades" if len(shown) == len(report.trades) else f"Last {len(shown)} of {len(report.trades)} trades"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("trade", "outcome"):
        table.add_column(heading, overflow="fold")
    for heading in ("entry bps\nseen → got", "exit bps\nseen → got", "fees", "PnL", "unhedged\nms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trade in shown:
        table.add_row(
            trade.trade_id,
            trade.outcome,
            f"{_bps(trade.entry_detected)} → {_bps(trade.entry_executed)}",
            f"{_bps(trade.exit_detected)} → {_bps(trade.exit_executed)}",
            _usd(trade.fees_e8),
            _usd(trade.pnl_e8),
            f"{trade.unhedged_ns_max / 1e6:.1f}",
        )
    return table


def _latency(report: Report) -> list[RenderableType]:
    table = Table(title="Order latency, µs", title_justify="left", title_style="bold")
    for heading in ("venue", "phase"):
        table.add_column(heading)
    for heading in ("n", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    counts: list[RenderableType] = []
    for venue, latency in report.latency.items():
        for name in _PHASES_SHOWN:
            if (spread := latency.phases.get(name)) is not None:
                figures = (f"{ns / 1e3:,.1f}" for ns in (spread.p50, spread.p90, spread.p99, spread.max))
                table.add_row(venue, name, str(spread.n), *figures)
        table.add_section()
        transports = ", ".join(f"{count} by {name}" for name, count in latency.transport.items())
        reused, ahead = latency.reused["yes"], latency.presigned["yes"]
        counts.append(Text(f"{venue}: orders {transports}; {reused} on a reused connection; {ahead} signed ahead"))
    return [table, *counts]


def _spread(spread: Spread) -> str:
    return (
        f"p50 {spread.p50 / 1e3:,.0f} µs, p99 {spread.p99 / 1e3:,.0f} µs, max {spread.max / 1e3:,.0f} µs (n={spread.n})"
    )


def _rates(rates: Rates) -> str:
    if not rates.n:
        return "none"
    return f"median {_bps(rates.p50)} bps, mean {rates.total / rates.n / BPS_E8:.2f} bps (n={rates.n})"


def _bps(rate_e8: int | None) -> str:
    return "-" if rate_e8 is None else f"{rate_e8 / BPS_E8:.2f}"


def _usd(value_e8: int | None) -> str:
    return "-" if value_e8 is None else f"{value_e8 / E8:,.4f}"


def _yes_no(*, yes: bool) -> str:
    return "yes" if yes else "NO"
