"""`deltawire backup` and `deltawire restore`: the journal in one file, taken while the bot runs, and back again."""

import time
from datetime import UTC, datetime
from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.cli.report import journal_place
from deltawire.journal.backup import PREFIX, SUFFIX, Contents, old_backups, restore_backup, write_backup
from deltawire.journal.segments import JournalError


def backup(config: Path, journal: Path | None, folder: Path, keep: int | None) -> None:
    """Write a verified backup into a folder, and print its path on stdout."""
    place = journal_place(config, journal)
    now_unix_ns = time.time_ns()
    name = f"{PREFIX}{_moment(now_unix_ns):%Y%m%dT%H%M%SZ}{SUFFIX}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        exits.leave(f"--to {folder} cannot be used as a folder: {e.strerror}", exits.MISUSED)
    try:
        contents = write_backup(place.folder, folder / name, now_unix_ns)
        removed = old_backups(folder, keep) if keep else []
        for path in removed:
            path.unlink()
    except (JournalError, OSError) as e:
        exits.leave(str(e), exits.FAILED)
    typer.echo(folder / name)
    typer.echo(f"deltawire: {_told(contents)}; {len(removed)} old backups removed", err=True)


def restore(archive: Path, journal: Path) -> None:
    """Put a backup into an empty folder, and say what has to be done before a bot trades on it."""
    try:
        contents = restore_backup(archive, journal)
    except JournalError as e:
        exits.leave(str(e), exits.FAILED)
    typer.echo(
        f"restored {_told(contents)} to {journal}.\n"
        f"It was taken {_moment(contents.taken_unix_ns):%Y-%m-%d %H:%M:%S} UTC; what happened since is not in it. "
        "Look at both venues, close what is open there, then start with this journal.dir: the bot compares positions "
        "first. Losses since then do not count towards the day's limit."
    )


def _moment(unix_ns: int) -> datetime:
    return datetime.fromtimestamp(unix_ns // 10**9, UTC)


def _told(contents: Contents) -> str:
    return f"records {contents.first_seq} to {contents.last_seq} in {len(contents.files)} files, verified"
