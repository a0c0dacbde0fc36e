"""`deltawire report`: what a journal says happened."""

from dataclasses import dataclass
from pathlib import Path

import orjson
import typer
from rich.console import Console

from deltawire.cli import exits
from deltawire.cli.waiting import waiting
from deltawire.config import load_config
from deltawire.journal.report import build_report
from deltawire.journal.report_view import render
from deltawire.journal.segments import JournalError, segments


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """A journal: the folder of its log, and the URL of its tables ("" for SQLite in the folder)."""

    folder: Path
    url: str


def report(config: Path, journal: Path | None, *, as_json: bool) -> None:
    """Print the report of the newest run in the journal."""
    place = journal_place(config, journal)
    try:
        with waiting("reading the journal"):
            built = build_report(place.folder, url=place.url)
    except JournalError as e:
        exits.leave(str(e), exits.FAILED)
    if as_json:
        typer.echo(orjson.dumps(built.to_json()).decode())
    else:
        Console().print(render(built))


def journal_place(
    config: Path, journal: Path | None, url: str | None = None, *, must_exist: bool = True
) -> JournalPlace:
    """Return where to read: what is named, or the config's. A folder named alone is read with its own SQLite tables."""
    if journal is None:
        with exits.wrong_settings_told():
            settings = load_config(config, connects=False).journal
        journal, url = settings.dir, settings.url if url is None else url
    if must_exist and not (journal.is_dir() and segments(journal)):
        exits.leave(f"there is no journal in {journal}; name its folder with --journal", exits.MISUSED)
    return JournalPlace(journal, url or "")
