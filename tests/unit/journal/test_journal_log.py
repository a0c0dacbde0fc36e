import asyncio
import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.journal import facts

from deltawire.journal.log import JournalLocked, JournalLog, JournalUnwritable
from deltawire.journal.records import Record
from deltawire.journal.segments import JournalCorrupt, JournalError, Tail, read, segment_path, segments


def last_segment(directory: Path) -> Path:
    return segments(directory)[-1][1]


def some_records(count: int) -> list[Record]:
    return [facts.intended(f"c{n}") for n in range(1, count + 1)]


def write(directory: Path, records: list[Record], segment_bytes_max: int = 10**6) -> None:
    with JournalLog(directory, segment_bytes_max=segment_bytes_max) as log:
        for record in records:
            log.append(record)


def test_what_was_appended_is_read_back_in_order_and_numbered_from_one(tmp_path: Path):
    records = facts.round_trip()
    write(tmp_path, records)
    assert list(read(tmp_path)) == list(enumerate(records, 1))


def test_reading_starts_behind_any_record(tmp_path: Path):
    write(tmp_path, some_records(30), segment_bytes_max=1500)
    for after in range(31):
        assert [seq for seq, _ in read(tmp_path, after)] == list(range(after + 1, 31))


def test_an_absent_journal_reads_as_empty(tmp_path: Path):
    assert list(read(tmp_path / "none")) == []


def test_a_full_segment_is_followed_by_one_named_by_its_first_record(tmp_path: Path):
    write(tmp_path, some_records(40), segment_bytes_max=2000)
    names = segments(tmp_path)
    assert len(names) > 3
    assert all(path.stat().st_size < 2600 for _, path in names)
    assert [seq for seq, _ in read(tmp_path)] == list(range(1, 41))
    with JournalLog(tmp_path) as log:
        assert log.append(facts.intended("next")) == 41


def test_many_records_go_in_one_call(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        assert log.append_all(some_records(5)) == 5
        assert log.append_all([]) == 5
    assert [record for _, record in read(tmp_path)] == some_records(5)


def test_a_reader_sees_records_of_a_living_writer_across_segments(tmp_path: Path):
    tail = Tail(tmp_path)
    assert tail.poll() == []
    with JournalLog(tmp_path, segment_bytes_max=700) as log:
        for n in range(1, 12):
            log.append(facts.intended(f"c{n}"))
            assert [seq for seq, _ in tail.poll()] == [n]
            assert tail.poll() == []


def test_a_record_written_before_a_rotation_is_not_skipped_by_a_reader_at_the_old_end(tmp_path: Path):
    with JournalLog(tmp_path, segment_bytes_max=700) as log:
        log.append(facts.intended("c1"))
        tail = Tail(tmp_path)
        assert len(tail.poll()) == 1
        log.append_all(some_records(3))
        log.append(facts.intended("c5"))
        assert len(segments(tmp_path)) == 2
        found: list[int] = []
        while batch := tail.poll():
            found += [seq for seq, _ in batch]
        assert found == [2, 3, 4, 5]


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_last_line_is_set_aside_and_reported(tmp_path: Path, cut: int):
    write(tmp_path, some_records(3))
    path = last_segment(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])

    assert [seq for seq, _ in read(tmp_path)] == [1, 2]
    with JournalLog(tmp_path) as log:
        assert log.torn is not None
        assert log.torn.kept_in.read_bytes() == whole[whole[:-1].rfind(b"\n") + 1 : -cut]
        assert log.torn.size == len(log.torn.kept_in.read_bytes())
        assert log.append(facts.intended("again")) == 3
    assert [seq for seq, _ in read(tmp_path)] == [1, 2, 3]
    with JournalLog(tmp_path) as log:
        assert log.torn is None


@pytest.mark.parametrize("tail", [b"\0" * 300, b"4 00000000 {}\n", b"4 "])
def test_rubbish_behind_the_last_good_line_is_torn_too(tmp_path: Path, tail: bytes):
    write(tmp_path, some_records(3))
    with last_segment(tmp_path).open("ab") as file:
        file.write(tail)
    assert len(list(read(tmp_path))) == 3
    with JournalLog(tmp_path) as log:
        assert log.torn is not None
        assert log.torn.size == len(tail)
        assert log.last_seq == 3


def test_an_untouched_journal_reopens_without_repair(tmp_path: Path):
    write(tmp_path, some_records(3))
    with JournalLog(tmp_path) as log:
        assert (log.torn, log.last_seq) == (None, 3)


def damage(path: Path, line: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"venue":"paradex"', b'"venue":"paradox"')
    path.write_bytes(b"".join(lines))


def test_a_changed_byte_in_the_middle_is_an_error_naming_file_and_line(tmp_path: Path):
    write(tmp_path, some_records(3))
    path = last_segment(tmp_path)
    damage(path, 2)
    with pytest.raises(JournalCorrupt, match=re.escape(f"{path} line 2: checksum differs")):
        list(read(tmp_path))
    with pytest.raises(JournalCorrupt, match=re.escape(f"{path} line 2: checksum differs")):
        JournalLog(tmp_path)


def test_damage_at_the_end_of_an_earlier_segment_is_not_taken_for_a_torn_tail(tmp_path: Path):
    write(tmp_path, some_records(9), segment_bytes_max=700)
    path = segments(tmp_path)[0][1]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(JournalCorrupt, match=rf"{re.escape(str(path))} line \d+: damaged"):
        list(read(tmp_path))


@pytest.mark.parametrize("gone", [0, 1])
def test_a_missing_segment_is_an_error_naming_the_records(tmp_path: Path, gone: int):
    write(tmp_path, some_records(20), segment_bytes_max=700)
    (first, path), (later, _) = segments(tmp_path)[gone : gone + 2]
    path.unlink()
    with pytest.raises(JournalCorrupt, match=f"records {first} to {later - 1} are missing"):
        list(read(tmp_path))


def test_a_line_that_went_missing_is_an_error(tmp_path: Path):
    write(tmp_path, some_records(4))
    path = last_segment(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))
    with pytest.raises(JournalCorrupt, match="line 2: is record 3"):
        list(read(tmp_path))


def test_a_record_of_an_unknown_kind_is_an_error_that_says_where(tmp_path: Path):
    import zlib

    payload = b'{"type":"Prophecy"}'
    segment_path(tmp_path, 1).write_bytes(b"1 %08x %b\n" % (zlib.crc32(b"1 " + payload), payload))
    with pytest.raises(JournalError, match="line 1: not a record this version can read"):
        list(read(tmp_path))


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append(facts.run_started())
        with pytest.raises(JournalLocked, match=f"in use by process {os.getpid()}"):
            JournalLog(tmp_path)
        assert log.append(facts.run_ended()) == 2
    JournalLog(tmp_path).close()


def test_closing_twice_is_harmless_and_a_closed_log_takes_nothing(tmp_path: Path):
    log = JournalLog(tmp_path)
    log.close()
    log.close()
    with pytest.raises(JournalUnwritable):
        log.append(facts.run_started())


async def test_sync_says_how_far_the_disk_has_it_across_rotations(tmp_path: Path):
    with JournalLog(tmp_path, segment_bytes_max=700) as log:
        log.append_all(some_records(2))
        assert log.synced_seq == 0
        await log.sync()
        assert log.synced_seq == 2
        for record in some_records(8):
            log.append(record)
        assert len(segments(tmp_path)) > 2
        await asyncio.gather(log.sync(), log.sync())
        assert log.synced_seq == log.last_seq == 10
    assert len(list(read(tmp_path))) == 10


async def test_appending_while_a_flush_is_under_way_loses_nothing(tmp_path: Path):
    with JournalLog(tmp_path, segment_bytes_max=700) as log:
        for _ in range(20):
            flush = asyncio.create_task(log.sync())
            await asyncio.sleep(0)
            log.append_all(some_records(3))
            await flush
            assert log.synced_seq <= log.last_seq
    assert len(list(read(tmp_path))) == 60


FULL_DISK = """
import resource, sys
from pathlib import Path
from deltawire.journal.log import JournalLog, JournalUnwritable
from deltawire.journal.records import RunEnded
ended = lambda n: RunEnded(run_id="r%d" % n, clean=True, flat=True, agree=True, reason="x" * 50, unix_ns=n)
log = JournalLog(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
written = 0
try:
    while written < 1000:
        (log.append(ended(written)) if sys.argv[3] == "one" else log.append_all([ended(written), ended(written)]))
        written += 1
except JournalUnwritable as error:
    print(error)
for _ in range(2):
    try:
        log.append(ended(0))
        raise SystemExit("written past the limit")
    except JournalUnwritable:
        pass
before = log.last_seq
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert log.append(ended(7)) == before + 1
print(before + 1)
log.close()
"""


@pytest.mark.parametrize("limit", [1000, 1001, 1333, 1499])
@pytest.mark.parametrize("how", ["one", "many"])
def test_a_full_disk_raises_and_the_log_goes_on_when_there_is_room_again(tmp_path: Path, limit: int, how: str):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, last = done.stdout.splitlines()
    assert os.strerror(errno.EFBIG) in said
    found = list(read(tmp_path))
    assert [seq for seq, _ in found] == list(range(1, int(last) + 1))
    assert found[-1][1].unix_ns == 7  # type: ignore[union-attr]  # every record written here is a RunEnded


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_directory_is_named(tmp_path: Path):
    (tmp_path / "j").mkdir(mode=0o500)
    with pytest.raises(JournalUnwritable, match=re.escape(str(tmp_path / "j"))):
        JournalLog(tmp_path / "j")


def test_a_place_that_cannot_be_a_directory_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnwritable, match=re.escape(str(tmp_path / "file"))):
        JournalLog(tmp_path / "file" / "j")


WRITER = """
import os, sys
from pathlib import Path
from deltawire.journal.log import JournalLog
from deltawire.journal.records import RunEnded
log = JournalLog(Path(sys.argv[1]), segment_bytes_max=20_000)
n = log.last_seq
while True:
    n += 1
    seq = log.append(RunEnded(run_id="r", clean=True, flat=True, agree=True, reason="x" * (n % 400), unix_ns=n))
    assert seq == n
    os.write(1, b"%d\\n" % n)
"""


def test_every_record_acknowledged_before_kill_9_is_there_after_it(tmp_path: Path):
    acknowledged = 0
    for kill_after in (1, 50, 700):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(kill_after):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout.read().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    acknowledged = int(line)
        found = list(read(tmp_path))
        assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
        assert len(found) in (acknowledged, acknowledged + 1)
        assert found[-1][1].unix_ns == len(found)  # type: ignore[union-attr]  # every record written here is a RunEnded
        assert writer.returncode == -signal.SIGKILL
    assert acknowledged > 751 - 3


def test_the_files_are_private_to_their_owner(tmp_path: Path):
    write(tmp_path / "j", some_records(1))
    assert (tmp_path / "j").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "j").iterdir())
