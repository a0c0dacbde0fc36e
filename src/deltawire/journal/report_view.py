"""The report as a person reads it in a terminal. Every figure comes from `journal.report`; nothing is computed here."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.core.latency import ORDER_PHASES, VENUE_PHASES, Spread
from deltawire.core.money import BPS_E8, E8
from deltawire.journal.report import Rates, Report
from deltawire.journal.split import SIDES

TRADES_SHOWN = 20  # the last ones; --json has them all
_PHASES_SHOWN = (*ORDER_PHASES, *VENUE_PHASES, "reaction", "fill")


def render(report: Report) -> RenderableType:
    """Return the report as tables: the run, its trades, its latency, and what must be said besides."""
    if report.status == "empty":
        return Text("The journal is empty: no run has been recorded.")
    parts: list[RenderableType] = [_summary(report)]
    if report.trades:
        parts.append(_trades(report))
    if report.causes:
        parts.append(_causes(report))
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
        ("fees", f"{_usd(report.fees_e8)} {money}"),
        ("funding", f"{_usd(report.funding_e8)} {money}"),
        ("PnL after fees and funding", f"{_usd(report.pnl_e8)} {money}"),
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
    prefix = f"{report.run_id}-"  # of every id that was made in the run: said once, or the table is too wide
    table = Table(title=f"{title}; their ids begin with {prefix}", title_justify="left", title_style="bold")
    table.add_column("trade", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    for heading in ("entry bps\nseen → got", "exit bps\nseen → got", "fees", "PnL", "unhedged\nms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trade in shown:
        table.add_row(
            trade.trade_id.removeprefix(prefix),
            trade.outcome.replace("_", " "),
            f"{_bps(trade.entry_detected)} → {_bps(trade.entry_executed)}",
            f"{_bps(trade.exit_detected)} → {_bps(trade.exit_executed)}",
            _usd(trade.fees_e8),
            _usd(trade.pnl_e8),
            f"{trade.unhedged_ns_max / 1e6:.1f}",
        )
    return table


# What each row of the table of causes is called; `side` causes stand once for entry and once for exit.
_STEPS = {
    "best": "{side}, at the best prices",
    "depth": "  size beyond the best price (depth)",
    "seen": "{side}, as seen",
    "wait": "  waited to be sent",
    "staleness": "  book moved under way (staleness)",
    "leg delay": "  leg asked again or second (leg delay)",
    "slipped": "  slipped, cause not on record",
    "fees": "fees",
    "funding": "funding",
    "other": "repairs, unwinds, uneven sizes",
    "kept": "kept",
}


def _causes(report: Report) -> Table:
    found: dict[str, dict[str, float]] = {}
    for cause in report.causes:
        found.setdefault(cause.name, {})[cause.venue] = cause.bps
    venues = sorted({cause.venue for cause in report.causes} - {""})
    over = sum(bool(trade.causes) for trade in report.trades)
    title = f"Where the edge went, in bps of notional: mean of {over} finished trades"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("cause")
    for venue in (*venues, "sum"):
        table.add_column(venue, justify="right", no_wrap=True)
    for name, by_venue in found.items():
        side, _, part = name.partition(" ") if name.split(" ", 1)[0] in SIDES else ("", "", name)
        if part in ("best", "seen", "fees", "kept"):
            table.add_section()
        figures = (f"{_nonzero(by_venue[venue]):+.2f}" if venue in by_venue else "" for venue in venues)
        table.add_row(_STEPS[part].format(side=side), *figures, f"{_nonzero(sum(by_venue.values())):+.2f}")
        if part == "best" and side in report.quote_ages:
            table.add_row("  age of the quotes then, ms", *_ages(report, side, venues), "")
    return table


def _ages(report: Report, side: str, venues: list[str]) -> list[str]:
    """Return the median age of each venue's quotes."""
    ages = report.quote_ages[side]
    return [f"{ages[venue].p50 / 1e6:.1f}" if venue in ages else "" for venue in venues]


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
    return f"median {_bps(rates.p50)}, mean {rates.total / rates.n / BPS_E8:.2f} bps (n={rates.n})"


def _bps(rate_e8: int | None) -> str:
    return "-" if rate_e8 is None else f"{_nonzero(rate_e8 / BPS_E8):.2f}"


def _nonzero(value: float, places: int = 2) -> float:
    """Return the value rounded, and zero without a sign."""
    return round(value, places) + 0.0


def _usd(value_e8: int | None) -> str:
    return "-" if value_e8 is None else f"{_nonzero(value_e8 / E8, 4):,.4f}"


def _yes_no(*, yes: bool) -> str:
    return "yes" if yes else "NO"
