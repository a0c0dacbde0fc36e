"""The end of a demo: the journal's report, with the simulated venues' own books beside it, and the verdict of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.cli.venue_books import Books, differences, is_flat, journal_books
from deltawire.core.money import format_e8
from deltawire.journal.check import Violation, check_journal
from deltawire.journal.report import Report, build_report
from deltawire.journal.report_view import render

_SHOWN_MAX = 10  # differences listed on the screen; --json has them all


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the bot wrote down, what the venues hold, and whether the two tell one story."""

    report: Report
    journal: Mapping[str, Books]
    venues: Mapping[str, Books]
    violations: Sequence[Violation]  # of the invariants, as the journal shows them
    bot_exit_code: int
    duration_s: float

    @property
    def differences(self) -> list[str]:
        return differences(self.journal, self.venues)

    @property
    def agree(self) -> bool:
        """The bot's own comparison over the venues' interfaces, and ours over the simulators' books."""
        return self.report.agree and not self.differences

    @property
    def flat(self) -> bool:
        return self.report.flat and is_flat(self.venues)

    @property
    def passed(self) -> bool:
        return (
            self.report.round_trips > 0 and self.flat and self.agree and not self.violations and self.bot_exit_code == 0
        )

    def to_json(self) -> dict[str, Any]:
        return {
            **self.report.to_json(),
            "flat": self.flat,
            "agree": self.agree,
            "passed": self.passed,
            "bot_exit_code": self.bot_exit_code,
            "demo_s": round(self.duration_s, 1),
            "differences": self.differences,
            "violations": [f"record {v.seq} breaks {v.rule}: {v.text}" for v in self.violations],
            "venue_books": {venue: books.to_json() for venue, books in self.venues.items()},
        }


def demo_report(journal: Path, venues: Mapping[str, Books], *, bot_exit_code: int, duration_s: float) -> DemoReport:
    """Build the report from the journal; the bot has ended and nothing writes to it any more."""
    return DemoReport(
        build_report(journal), journal_books(journal), venues, check_journal(journal), bot_exit_code, duration_s
    )


def print_report(report: DemoReport, *, as_json: bool) -> None:
    """Print it on stdout: one JSON object, or pages for a person."""
    if as_json:
        typer.echo(orjson.dumps(report.to_json()).decode())
    else:
        Console().print(Group(render(report.report), _books(report), _verdict(report)))


def _books(report: DemoReport) -> Table:
    table = Table(title="Journal against the venues' own books", title_justify="left", title_style="bold")
    for heading in ("venue", "orders filled", "size filled", "fees USD", "position", "open orders"):
        table.add_column(heading, justify="left" if heading == "venue" else "right")
    for venue, theirs in report.venues.items():
        ours = report.journal.get(venue, Books())
        table.add_row(
            venue,
            _both(len(ours.filled), len(theirs.filled)),
            _both(format_e8(sum(ours.filled.values())), format_e8(sum(theirs.filled.values()))),
            _both(format_e8(ours.fees_e8), format_e8(theirs.fees_e8)),
            _both(format_e8(sum(ours.positions.values())), format_e8(sum(theirs.positions.values()))),
            str(theirs.open_orders),
        )
    return table


def _both(ours: object, theirs: object) -> Text:
    return Text(str(ours)) if ours == theirs else Text(f"{ours} / {theirs}", style="bold red")


def _verdict(report: DemoReport) -> RenderableType:
    lines = [Text(f"differs: {words}", style="red") for words in report.differences[:_SHOWN_MAX]]
    lines += [Text(f"record {v.seq} breaks {v.rule}: {v.text}", style="red") for v in report.violations]
    if report.bot_exit_code:
        lines.append(Text(f"the bot ended with code {report.bot_exit_code}", style="red"))
    if not report.report.round_trips:
        lines.append(Text("no round trip happened; a longer --seconds may help", style="red"))
    verdict = Text("both legs ended flat: ")
    verdict.append(*_yes_no(yes=report.flat))
    verdict.append("   journal and venues agree: ")
    verdict.append(*_yes_no(yes=report.agree))
    return Group(*lines, verdict)


def _yes_no(*, yes: bool) -> tuple[str, str]:
    return ("yes", "bold green") if yes else ("no", "bold red")
