"""`deltawire journal archive`: the old part of the journal into one verified file, while no bot runs on it."""

import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer

from deltawire.cli import exits
from deltawire.cli.report import journal_place
from deltawire.cli.waiting import waiting
from deltawire.engine.archive import PutAway, put_away
from deltawire.journal.backup import SUFFIX
from deltawire.journal.segments import JournalError

PREFIX = "deltawire-archive-"  # not that of backups: `backup --keep` must never remove one
_DAY_NS = 86_400 * 10**9


def archive(config: Path, journal: Path | None, folder: Path, keep_days: int, *, as_json: bool) -> None:
    """Archive into a folder, and say what became smaller."""
    place = journal_place(config, journal)
    now_unix_ns = time.time_ns()
    moment = datetime.fromtimestamp(now_unix_ns // 10**9, UTC)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{PREFIX}{moment:%Y%m%dT%H%M%SZ}{SUFFIX}"
        with waiting("reading and archiving the journal"):
            done = put_away(place.folder, path, now_unix_ns - keep_days * _DAY_NS, now_unix_ns)
    except (JournalError, OSError) as e:
        exits.leave(f"nothing was archived: {e}", exits.FAILED)
    if as_json:
        typer.echo(orjson.dumps(_told(done)).decode())
        return
    if done.archive is None:
        typer.echo(
            f"nothing was archived: no whole run ended more than {keep_days} days ago, and no order signed "
            f"ahead is left in it ({done.records_before} records, {_mb(done.bytes_before)}). The last run always stays"
        )
        return
    typer.echo(
        f"{done.archive}: all {done.records_before} records, verified. The journal was {_mb(done.bytes_before)} and is "
        f"{_mb(done.bytes_after)}, {done.records_after} records. To look at the archive: "
        f"deltawire restore {done.archive} --journal DIR, then report, verify or dashboard --journal DIR"
    )


def _told(done: PutAway) -> dict[str, object]:
    return {
        "archive": None if done.archive is None else str(done.archive),
        "records_before": done.records_before,
        "records_after": done.records_after,
        "bytes_before": done.bytes_before,
        "bytes_after": done.bytes_after,
    }


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
