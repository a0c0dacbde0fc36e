"""Puts the old part of a journal away: everything goes into one verified archive, whole new runs stay, the rest goes.

Of the runs that stay, the ladders go too: after a clean end none of their orders can leave any more, and they are most
of a journal. Every order that did leave has its own intent.

Only for a journal nobody writes, whose last run ended clean, flat and in agreement. Cut is between two runs, where no
trade was open and none came back later. What the bot's next start must know is carried over: a halt, dust, the result
and its peak; whether it is, is asked of the new journal before the old one goes. The one step that counts is a rename:
before it nothing has changed, after it readers see the new journal, and files left behind by a crash are ignored.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deltawire.core.money import format_e8
from deltawire.engine.recovery import DAY_NS, Recovered, read_back
from deltawire.journal.backup import write_backup
from deltawire.journal.check import check_journal
from deltawire.journal.log import JournalLog, sync_directory
from deltawire.journal.records import (
    Archived,
    Halted,
    LadderSigned,
    OrderIntended,
    OrderObserved,
    OrderTimed,
    PositionAdjusted,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
    TradeStateChanged,
    encode,
)
from deltawire.journal.segments import JournalError, all_segments, base_path, encode_line, read, segments, size_bytes

KEEP_DAYS_MIN = 8  # the comparison of accounts reads back seven days at most, and a little
_DUST = "archived"  # the trade that stands for all that were put away
_NEW = ".new"


@dataclass(frozen=True, slots=True)
class PutAway:
    """What was done. archive None: no whole run is old enough, no ladder is left, and nothing was touched."""

    archive: Path | None
    records_before: int
    records_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the new journal begins, and what the records before it leave."""

    seq: int  # of the RunStarted that is kept first
    dust_e8: dict[tuple[str, str], int]
    halted: str
    result_e8: int
    result_peak_e8: int


def put_away(journal: Path, archive: Path, older_than_unix_ns: int, now_unix_ns: int) -> PutAway:
    """Archive the whole journal into a new file, and keep only runs that ended after an instant, and the last one.

    Raises JournalError, and then nothing has changed but that the archive may be there.
    """
    with JournalLog(journal) as log:  # a bot that runs holds the lock, and one that starts waits for it in vain
        _remove_leftovers(journal)
        before_bytes, last_seq = size_bytes(journal), log.last_seq
        if log.torn is not None:
            raise JournalError(f"the last run was cut off ({log.torn.kept_in.name}): start the bot once, then stop it")
        old = read_back((record for _, record in read(journal)), now_unix_ns)
        _judge(journal, old)
        cut = _find_cut(journal, older_than_unix_ns, now_unix_ns)
        records = last_seq - segments(journal)[0][0] + 1 if last_seq else 0
        if cut is None:
            return PutAway(None, records, records, before_bytes, before_bytes)
        write_backup(journal, archive, now_unix_ns)
        new = _write_new(journal, archive, cut, last_seq, now_unix_ns)
        _compare(journal, old, new.parent, now_unix_ns)
        new.rename(journal / new.name)  # from here on the new one is the journal
        sync_directory(journal)
        _remove_leftovers(journal)
    after = sum(1 for _ in read(journal))
    return PutAway(archive, records, after, before_bytes, size_bytes(journal))


def _judge(journal: Path, found: Recovered) -> None:
    """Raise JournalError for a journal whose past is not over."""
    ended: RunEnded | None = None
    for _, record in read(journal):
        if isinstance(record, RunEnded):
            ended = record
    if ended is None:
        raise JournalError("no run has ended in it: there is nothing to put away")
    if found.unclean_before or not (ended.flat and ended.agree):
        raise JournalError(
            "its last run did not end clean, flat and in agreement with the venues: start the bot, `deltawire stop`, "
            "and look at `deltawire verify`"
        )
    if found.open_trades:
        names = ", ".join(remains.trade_id for remains in found.open_trades)
        raise JournalError(f"trades are open: {names}; start the bot and `deltawire stop` it, so that they are closed")


def _find_cut(journal: Path, older_than_unix_ns: int, now_unix_ns: int) -> _Cut | None:
    """Return the latest beginning of a run before which all is over and old enough, or else that of the first run.

    None where the whole journal would stay.
    """
    spans: dict[str, list[int]] = {}  # trade -> its first and last record
    trade_of: dict[str, str] = {}
    starts: list[int] = []
    ended: RunEnded | None = None
    first_start, ladders = 0, 0
    for seq, record in read(journal):
        match record:
            case RunStarted():
                if ended is not None and ended.clean and ended.flat and ended.unix_ns < older_than_unix_ns:
                    starts.append(seq)
                first_start = first_start or seq
                ended = None
            case RunEnded():
                ended = record
            case LadderSigned():
                ladders += 1
            case OrderIntended():
                trade_of[record.client_id] = record.trade_id
            case _:
                pass
        trade_id = _trade_of(record, trade_of)
        if trade_id and trade_id != _DUST:
            spans.setdefault(trade_id, [seq, seq])[1] = seq
    for seq in reversed(starts):
        if seq > first_start and not any(first < seq <= last for first, last in spans.values()):
            return _cut_at(journal, seq, now_unix_ns)
    return _cut_at(journal, first_start, now_unix_ns) if ladders else None


def _trade_of(record: Record, trade_of: dict[str, str]) -> str:
    match record:
        case OrderIntended() | TradeOpened() | TradeStateChanged() | TradeClosed() | PositionAdjusted():
            return record.trade_id
        case OrderObserved() | OrderTimed():
            return trade_of.get(record.client_id, "")
        case _:
            return ""


def _cut_at(journal: Path, seq: int, now_unix_ns: int) -> _Cut:
    before = read_back(_until(journal, seq), now_unix_ns)
    dust_e8 = {key: size_e8 for key, size_e8 in before.positions.items() if size_e8}
    return _Cut(seq, dust_e8, before.halted, before.result_e8, before.result_peak_e8)


def _until(journal: Path, seq: int) -> Iterator[Record]:
    for at, record in read(journal):
        if at >= seq:
            return
        yield record


def _write_new(journal: Path, archive: Path, cut: _Cut, last_seq: int, now_unix_ns: int) -> Path:
    """Write the new journal into a folder of its own inside the old one, and return its only file."""
    folder = journal / _NEW
    folder.mkdir(mode=0o700)
    path = base_path(folder, last_seq + 1)
    first = next(read(journal))[1]
    head: list[Record] = [
        Archived(
            archive=archive.name,
            sha256=_sha256(archive),
            through_seq=last_seq,
            origin=first.origin if isinstance(first, Archived) else encode(first).decode(),
            result_e8=cut.result_e8,
            result_peak_e8=cut.result_peak_e8,
            unix_ns=now_unix_ns,
        )
    ]
    head += [
        PositionAdjusted(
            trade_id=_DUST,
            pair_id="",
            leg="a",
            venue=venue,
            symbol=symbol,
            size_e8=size_e8,
            reason="dust of trades that were archived",
            unix_ns=now_unix_ns,
        )
        for (venue, symbol), size_e8 in cut.dust_e8.items()
    ]
    if cut.halted:
        head.append(Halted(reason=cut.halted, unix_ns=now_unix_ns))
    seq = last_seq
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        for record in head:
            file.write(encode_line(seq := seq + 1, record))
        for _, record in read(journal, cut.seq - 1):
            if not isinstance(record, LadderSigned):
                file.write(encode_line(seq := seq + 1, record))
        file.flush()
        os.fsync(file.fileno())
    return path


def _compare(journal: Path, old: Recovered, new_folder: Path, now_unix_ns: int) -> None:
    """Raise JournalError unless a bot would start from the new journal as from the old one, and no rule breaks anew."""
    new = read_back((record for _, record in read(new_folder)), now_unix_ns)
    wanted, found = _what_counts(old, now_unix_ns), _what_counts(new, now_unix_ns)
    differ = [f"{name}: {wanted[name]}, would be {found[name]}" for name in wanted if wanted[name] != found[name]]
    known = {(v.rule, v.text) for v in check_journal(journal)}
    broken = [f"{v.rule} {v.text}" for v in check_journal(new_folder) if (v.rule, v.text) not in known]
    if differ or broken:
        shutil.rmtree(new_folder)
        raise JournalError(f"left as it is, because the kept part would not stand alone: {'; '.join(differ + broken)}")


def _what_counts(found: Recovered, now_unix_ns: int) -> dict[str, object]:
    return {
        "positions": {key: format_e8(size_e8) for key, size_e8 in found.positions.items() if size_e8},
        "halt": found.halted,
        "unclean end": found.unclean_before,
        "open trades": [remains.trade_id for remains in found.open_trades],
        "lost today": format_e8(found.lost_today_e8),
        "result": format_e8(found.result_e8),
        "peak of the result": format_e8(found.result_peak_e8),
        "last comparison": max(found.compared_unix_ns, now_unix_ns - KEEP_DAYS_MIN * DAY_NS),
        "orders signed ahead": [intent.client_id for intent in found.presigned],
    }


def _remove_leftovers(journal: Path) -> None:
    """Remove what an archiving left that was cut off: a new journal not taken over, or old segments after it was."""
    shutil.rmtree(journal / _NEW, ignore_errors=True)
    kept = {path for _, path in segments(journal)}
    for _, path in all_segments(journal):
        if path not in kept:
            path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
