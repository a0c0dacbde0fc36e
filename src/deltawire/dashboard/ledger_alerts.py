"""What of a journal a person should know of: halts, changes nobody ordered, differences with the venues, bad ends."""

from typing import Any

from deltawire.core.money import E8
from deltawire.journal.read import JournalReader
from deltawire.journal.report import Report

ALERTS_SHOWN = 60


def alerts_of(journal: JournalReader, report: Report) -> list[dict[str, Any]]:
    """Return what a person should know of, newest first, over all runs: halts, changes nobody ordered, differences."""
    found: list[tuple[float, str, str]] = []
    for halt in journal.halts():
        level, text = ("error", f"halted: {halt.reason}") if halt.reason else ("info", "armed by a person")
        found.append((halt.unix_ns / 1e9, level, text))
    for change in journal.adjustments():
        text = f"{change.venue} {change.symbol} changed by {change.size_e8 / E8:g} without an order of ours"
        found.append((change.unix_ns / 1e9, "error", f"{text}: {change.reason}"))
    for row in journal.runs():
        if row.clean is False:
            found.append(((row.end_unix_ns or row.unix_ns) / 1e9, "warning", f"run {row.run_id} ended: {row.reason}"))
        if row.unclean_before:
            found.append((row.unix_ns / 1e9, "warning", f"the run before {row.run_id} did not end clean"))
    differs: set[tuple[str, str]] = set()
    for check in journal.checks(run_id=report.run_id):
        where = (check.venue, check.symbol)
        if check.agree:
            differs.discard(where)
        elif where not in differs:  # once, not at every look until it is gone
            differs.add(where)
            held = f"venue holds {check.venue_e8 / E8:g}, journal says {check.journal_e8 / E8:g}"
            found.append((check.unix_ns / 1e9, "warning", f"{check.venue} {check.symbol}: {held} ({check.reason})"))
    last = journal.last_reconciliation(report.run_id) if report.run_id else None
    for item in () if last is None else last.differences:
        text = f"{item.venue} {item.kind} {item.item}: journal {item.journal}, venue {item.told} ({item.answer})"
        found.append((last.unix_ns / 1e9 if last else 0.0, "error", text))
    for trade in report.trades:
        if trade.outcome in ("stuck", "unwound"):
            level = "error" if trade.outcome == "stuck" else "warning"
            found.append(
                ((trade.closed_unix_ns or trade.opened_unix_ns) / 1e9, level, f"{trade.trade_id} {trade.outcome}")
            )
    found.sort(reverse=True)
    return [{"t": t, "level": level, "text": text} for t, level, text in found[:ALERTS_SHOWN]]
