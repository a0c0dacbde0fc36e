"""`deltawire report`: what a journal says happened."""

from pathlib import Path

import orjson
import typer
from rich.console import Console

from deltawire.cli import exits
from deltawire.config import load_config
from deltawire.journal.report import build_report
from deltawire.journal.report_view import render
from deltawire.journal.segments import JournalError


def report(config: Path, journal: Path | None, *, as_json: bool) -> None:
    """Print the report of the newest run in the journal."""
    try:
        built = build_report(journal_folder(config, journal))
    except JournalError as e:
        exits.leave(str(e), exits.FAILED)
    if as_json:
        typer.echo(orjson.dumps(built.to_json()).decode())
    else:
        Console().print(render(built))


def journal_folder(config: Path, journal: Path | None) -> Path:
    """Return the folder to read: the one named, or the config's."""
    if journal is None:
        with exits.wrong_settings_told():
            journal = load_config(config).journal.dir
    if not journal.is_dir():
        exits.leave(f"there is no journal in {journal}; name its folder with --journal", exits.MISUSED)
    return journal
