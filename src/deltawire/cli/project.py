"""`deltawire project`: bring a journal into its database; with --follow, again and again until it is told to end.

A process of its own, so that the bot never waits for a database. Many may run: each record counts once.
"""

import signal
import threading
from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.cli.report import journal_place
from deltawire.journal.project import Projector, catch_up
from deltawire.journal.segments import JournalError

POLL_S = 0.25
RETRY_S = 5.0  # after the database was gone; the log waits for it


def project(config: Path, journal: Path | None, url: str | None, *, follow: bool) -> None:
    """Bring the tables up to date. Exit 0 also for an end by signal while following."""
    place = journal_place(config, journal, url)
    stop = threading.Event()
    if follow:
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, lambda *_: stop.set())
    while True:
        try:
            projector = catch_up(place.folder, place.url)
            try:
                typer.echo(f"deltawire: the tables hold {projector.last_seq} records", err=True)
                if follow:
                    _follow(projector, stop)
                return
            finally:
                projector.close()
        except JournalError as e:
            if not follow or stop.is_set():
                exits.leave(str(e), exits.FAILED)
            typer.echo(f"deltawire: {e}; trying again in {RETRY_S:g} s", err=True)
        if stop.wait(RETRY_S):
            return


def _follow(projector: Projector, stop: threading.Event) -> None:
    while not stop.wait(POLL_S):
        while projector.step() and not stop.is_set():
            pass
