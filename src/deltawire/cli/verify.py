"""`deltawire verify`: whether a journal keeps the invariants, and how it stood with the venues when it last asked them.

Asks no venue itself: agreement is what the bot's last comparison found and wrote down.
"""

from pathlib import Path

import orjson
import typer

from deltawire.cli import exits
from deltawire.cli.report import journal_place
from deltawire.journal.check import Violation, check_journal
from deltawire.journal.report import Report, build_report
from deltawire.journal.segments import JournalError


def verify(config: Path, journal: Path | None, *, as_json: bool) -> None:
    """Judge the journal. Exit 0 only when nothing is broken, all is flat, and the venues agreed."""
    place = journal_place(config, journal)
    try:
        violations, report = check_journal(place.folder), build_report(place.folder, url=place.url)
    except JournalError as e:
        exits.leave(str(e), exits.FAILED)
    if as_json:
        typer.echo(orjson.dumps(_as_json(violations, report)).decode())
    else:
        typer.echo("\n".join(_lines(violations, report)))
    if violations or not report.flat or not report.agree:
        raise typer.Exit(exits.FAILED)


def _as_json(violations: list[Violation], report: Report) -> dict[str, object]:
    return {
        "run_id": report.run_id,
        "status": report.status,
        "flat": report.flat,
        "agree": report.agree,
        "violations": [{"seq": v.seq, "rule": v.rule, "text": v.text} for v in violations],
        "notes": list(report.notes),
    }


def _lines(violations: list[Violation], report: Report) -> list[str]:
    return [
        *(f"record {v.seq} breaks {v.rule}: {v.text}" for v in violations),
        *(f"note: {note}" for note in report.notes),
        f"last run: {report.run_id or 'none'} ({report.status})",
        f"invariants I1, I3, I4, I5, I6: {f'{len(violations)} violations' if violations else 'kept'}",
        f"flat: {'yes' if report.flat else 'no'}",
        f"journal and venues agreed when last compared: {'yes' if report.agree else 'no'}",
    ]
