"""The journal's old part goes into an archive, and the bot's next start notices nothing."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, T0, fill, intended, seen

from deltawire.engine.archive import PutAway, _compare, put_away
from deltawire.engine.recovery import read_back
from deltawire.journal.backup import restore_backup, verify_backup
from deltawire.journal.check import check_journal
from deltawire.journal.log import JournalLocked, JournalLog
from deltawire.journal.read import JournalReader
from deltawire.journal.records import (
    Archived,
    Armed,
    Halted,
    LadderSigned,
    PositionAdjusted,
    PositionRow,
    PresignedOrder,
    Record,
    RunStarted,
    TradeClosed,
)
from deltawire.journal.report import build_report
from deltawire.journal.segments import JournalError, Tail, all_segments, read, segments, size_bytes

DAY_NS = 86_400 * 10**9
NOW = T0 + 100 * DAY_NS
OLDER_THAN = NOW - 30 * DAY_NS


def ladder(trade_id: str) -> LadderSigned:
    order = PresignedOrder(f"{trade_id}-a1", "a", 2 * E8, 101 * E8, 7, T0 // 10**6)
    return LadderSigned(pair_id="btc", trade_id=trade_id, purpose="entry", buy_leg="a", orders=[order], unix_ns=T0)


def run(name: str, day: int, *, entry: tuple[int, int] = (100, 101), more: Sequence[Record] = ()) -> list[Record]:
    """Return a run of one day with a round trip in it, ended clean."""
    at = T0 + day * DAY_NS
    trip = [
        msgspec.structs.replace(record, closed_unix_ns=at + 10**9) if isinstance(record, TradeClosed) else record
        for record in facts.round_trip(f"{name}-t", entry=entry)
    ]
    return [
        facts.run_started(run_id=name, unix_ns=at, mono_ns=at),
        facts.instrument(),
        ladder(f"{name}-t"),
        *trip,
        *more,
        facts.positions_checked(unix_ns=at + 2 * 10**9),
        facts.run_ended(run_id=name, unix_ns=at + 3 * 10**9),
    ]


def written(folder: Path, *runs: list[Record]) -> Path:
    with JournalLog(folder, segment_bytes_max=3_000) as log:
        for records in runs:
            for record in records:
                log.append(record)
    return folder


def archived(folder: Path, name: str = "a.tar.gz", **changes: int) -> PutAway:
    when = {"older_than_unix_ns": OLDER_THAN, "now_unix_ns": NOW} | changes
    return put_away(folder, folder.parent / name, **when)


def counted(folder: Path) -> dict[str, object]:
    """Return what the next run knows from a journal, but for the trades themselves."""
    found = asdict(read_back((record for _, record in read(folder)), NOW))
    found["positions"] = {key: size_e8 for key, size_e8 in found["positions"].items() if size_e8}
    found.pop("trades")
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return written(tmp_path / "journal", run("r1", 1, entry=(100, 110)), run("r2", 2, entry=(101, 100)), run("r3", 90))


def test_old_runs_go_into_a_verified_archive_and_the_next_start_notices_nothing(journal: Path):
    before, records = counted(journal), [record for _, record in read(journal)]
    done = archived(journal)
    assert done.archive == journal.parent / "a.tar.gz"
    assert counted(journal) == before
    assert before["result_peak_e8"] != before["result_e8"], "a peak of the old runs is carried over"
    first, *rest = (record for _, record in read(journal))
    assert isinstance(first, Archived)
    assert first.through_seq == len(records)
    kept = records[-len(rest) - 1 :]
    assert rest == [record for record in kept if not isinstance(record, LadderSigned)]
    assert [record.run_id for record in rest if isinstance(record, RunStarted)] == ["r3"]
    assert (done.records_before, done.records_after) == (len(records), len(rest) + 1)
    assert done.bytes_after == size_bytes(journal) < done.bytes_before
    assert all_segments(journal) == segments(journal)
    assert check_journal(journal) == []
    restore_backup(done.archive, journal.parent / "restored")
    assert [record for _, record in read(journal.parent / "restored")] == records


def test_the_bot_writes_on_and_what_was_archived_once_is_archived_again(journal: Path):
    first = archived(journal)
    written(journal, run("r4", 200))
    assert [row.run_id for row in JournalReader(journal).runs()] == ["r3", "r4"]
    before = counted(journal)
    second = archived(journal, "b.tar.gz", older_than_unix_ns=T0 + 150 * DAY_NS, now_unix_ns=T0 + 201 * DAY_NS)
    assert (counted(journal), second.archive) == (before, journal.parent / "b.tar.gz")
    assert [row.run_id for row in JournalReader(journal).runs()] == ["r4"]
    [one, other] = [next(read(folder))[1] for folder in (journal, journal)]
    assert isinstance(one, Archived)
    assert one == other
    assert '"r1"' in one.origin, "tables know by it whose journal it is"
    assert first.archive is not None
    assert verify_backup(first.archive).last_seq < verify_backup(journal.parent / "b.tar.gz").last_seq


def test_a_restored_archive_of_an_archived_journal_reads_as_it_was(journal: Path):
    archived(journal)
    written(journal, run("r4", 200))
    records = [record for _, record in read(journal)]
    done = archived(journal, "b.tar.gz", older_than_unix_ns=T0 + 150 * DAY_NS)
    assert done.archive is not None
    restore_backup(done.archive, journal.parent / "restored")
    assert [record for _, record in read(journal.parent / "restored")] == records


def test_with_no_run_old_enough_only_the_ladders_go_and_then_nothing_does(tmp_path: Path):
    journal = written(tmp_path / "journal", run("r1", 90))
    before = counted(journal)
    done = archived(journal)
    assert (done.records_before - done.records_after, counted(journal)) == (0, before), "a ladder out, the mark in"
    assert not any(isinstance(record, LadderSigned) for _, record in read(journal))
    again = archived(journal, "b.tar.gz")
    assert again.archive is None
    assert again.bytes_after == done.bytes_after
    assert not (tmp_path / "b.tar.gz").exists()


def test_the_last_run_stays_however_old(tmp_path: Path):
    journal = written(tmp_path / "journal", run("r1", 1), run("r2", 2))
    archived(journal)
    assert build_report(journal).run_id == "r2"


def test_dust_and_a_halt_are_carried_over(tmp_path: Path):
    dust_e8 = E8 // 2000
    left: list[Record] = [
        facts.trade_opened(trade_id="d"),
        *(intended("d1", "a", 1, dust_e8, trade_id="d"), seen("d1", "sent"), fill("d1", "f", 100, dust_e8)),
        facts.trade_closed(trade_id="d", outcome="unwound", pnl_e8=-100 * dust_e8, dust_a_e8=dust_e8),
        Halted(reason="a loss limit", unix_ns=T0),
    ]
    rows = [PositionRow(venue="paradex", symbol="BTC-USD-PERP", journal_e8=dust_e8, venue_e8=dust_e8, agree=True)]
    runs = [
        [facts.positions_checked(rows=rows) if record == checked else record for record in records]
        for records, checked in (
            (run("r1", 1, more=left), facts.positions_checked(unix_ns=T0 + DAY_NS + 2 * 10**9)),
            (run("r2", 90), facts.positions_checked(unix_ns=T0 + 90 * DAY_NS + 2 * 10**9)),
        )
    ]
    journal = written(tmp_path / "journal", *runs)
    before = counted(journal)
    assert (before["halted"], before["positions"]) == ("a loss limit", {("paradex", "BTC-USD-PERP"): dust_e8})
    archived(journal)
    assert counted(journal) == before
    assert [row.run_id for row in JournalReader(journal).runs()] == ["r2"]
    assert JournalReader(journal).positions()["paradex", "BTC-USD-PERP"] == dust_e8


def test_a_halt_that_was_lifted_before_is_not(tmp_path: Path):
    lifted: list[Record] = [Halted(reason="a loss limit", unix_ns=T0), Armed(unix_ns=T0)]
    journal = written(tmp_path / "journal", run("r1", 1, more=lifted), run("r2", 90))
    archived(journal)
    assert not any(isinstance(record, Halted | PositionAdjusted) for _, record in read(journal))


def test_a_trade_that_went_on_over_a_restart_is_not_cut_in_two(tmp_path: Path):
    first, second = run("r1", 1), run("r2", 2)
    moved = [record for record in first if "r1-t-x" in str(getattr(record, "client_id", ""))]
    moved += [record for record in first if isinstance(record, TradeClosed)]
    first = [record for record in first if record not in moved]
    first[-1] = facts.run_ended(run_id="r1", unix_ns=T0 + DAY_NS, flat=False, agree=False)
    journal = written(tmp_path / "journal", first, [second[0], *moved, *second[1:]], run("r3", 90))
    archived(journal, older_than_unix_ns=T0 + 2 * DAY_NS)
    assert [row.run_id for row in JournalReader(journal).runs()] == ["r1", "r2", "r3"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (facts.run_ended(clean=False), "did not end clean"),
        (facts.run_ended(agree=False), "did not end clean, flat and in agreement"),
        (None, "did not end clean"),
    ],
)
def test_a_journal_whose_last_run_is_not_over_is_left_alone(tmp_path: Path, end: Record | None, reason: str):
    last = run("r2", 90)[:-1] + ([] if end is None else [end])
    journal = written(tmp_path / "journal", run("r1", 1), last)
    before = [(path.name, path.read_bytes()) for _, path in segments(journal)]
    with pytest.raises(JournalError, match=reason):
        archived(journal)
    assert [(path.name, path.read_bytes()) for _, path in segments(journal)] == before
    assert not (tmp_path / "a.tar.gz").exists()


def test_a_kept_part_that_would_not_stand_alone_is_refused(journal: Path):
    old = read_back((record for _, record in read(journal)), NOW)
    part = journal / ".new"
    written(part, run("r3", 90, more=[seen("nobody", "sent")]))
    with pytest.raises(JournalError, match=r"result: 19\.88, would be 1\.96; .*I6 order nobody sent"):
        _compare(journal, old, part, NOW)
    assert not part.exists()


def test_a_rule_that_an_old_run_broke_keeps_nobody_from_archiving(tmp_path: Path):
    journal = written(tmp_path / "journal", run("r1", 1), run("r2", 90, more=[seen("nobody", "sent")]))
    assert len(check_journal(journal)) == 1
    assert archived(journal).archive is not None


def test_beside_a_writer_it_is_refused(journal: Path):
    with JournalLog(journal), pytest.raises(JournalLocked, match="stop that bot first"):
        archived(journal)


@pytest.mark.parametrize("instant", ["before it counts", "after it counts"])
def test_cut_off_at_any_instant_the_journal_is_the_old_or_the_new_one(journal: Path, instant: str):
    old = [record for _, record in read(journal)]
    copies = {path: path.read_bytes() for _, path in segments(journal)}
    archived(journal)
    new = [record for _, record in read(journal)]
    for path, data in copies.items():  # the old segments are still there
        path.write_bytes(data)
    if instant == "before it counts":
        [base] = [path for _, path in segments(journal)]
        (journal / ".new").mkdir()
        shutil.move(base, journal / ".new" / base.name)
    assert [record for _, record in read(journal)] == (old if instant == "before it counts" else new)
    written(journal, run("r4", 91))  # a bot takes no notice
    archived(journal, "b.tar.gz")
    assert all_segments(journal) == segments(journal)
    assert not (journal / ".new").exists()


def test_who_has_read_the_old_records_is_told_to_begin_anew(journal: Path):
    tail, removed = Tail(journal), Tail(journal)
    for reader in (tail, removed):
        while reader.poll():
            pass
    copies = {path: path.read_bytes() for _, path in segments(journal)}
    archived(journal)
    with pytest.raises(JournalError, match="read it anew"):
        removed.poll()
    for path, data in copies.items():
        path.write_bytes(data)
    with pytest.raises(JournalError, match="read it anew"):
        tail.poll()


def test_tables_made_before_are_made_anew(journal: Path):
    with JournalReader(journal) as reader:
        assert len(reader.runs()) == 3
    archived(journal)
    with JournalReader(journal) as reader:
        assert [row.run_id for row in reader.runs()] == ["r3"]
        assert reader.positions() == dict.fromkeys((("paradex", "BTC-USD-PERP"), ("vest", "BTC-PERP")), 0)
