"""A disk that is full, cannot be written, or gave back a damaged journal: what the bot as a process does about each."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, spawn, wait_until

from deltawire.cli.venue_books import is_flat, venue_books
from deltawire.journal.records import OrderIntended, TradeClosed
from deltawire.journal.segments import segments

pytestmark = pytest.mark.e2e
WIDE_BPS = 40


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        yield made


def last_segment(rig: Rig) -> Path:
    return segments(rig.folder / "bot" / "journal")[-1][1]


def limit_files(rig: Rig, size: int) -> None:
    """Let no file of the running bot grow beyond size: to the process that is a full disk (an OSError on write)."""
    assert rig.bot is not None
    resource.prlimit(rig.bot.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def orders_at_venues(rig: Rig) -> int:
    return sum(int(venue["orders"]) for venue in rig.status()["venues"].values())


def killed(rig: Rig) -> None:
    assert rig.bot is not None
    rig.bot.kill()
    rig.bot.wait()


def test_with_the_disk_full_the_pair_is_closed_nothing_is_opened_and_later_all_is_recorded(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    limit_files(rig, last_segment(rig).stat().st_size)
    recorded = len(rig.records())
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is closed\n{rig.bot_log()}")
    assert rig.status()["journal"] != "ok"
    closed_with = orders_at_venues(rig)
    assert closed_with == 4, "both legs in, both legs out"
    assert len(rig.records()) == recorded, "it was not the full disk that was tested"
    rig.spread(WIDE_BPS)
    wait_until(lambda: rig.status()["pairs"][0]["last_refusal"] == "journal", "an entry is refused for the journal")
    assert orders_at_venues(rig) == closed_with

    limit_files(rig, resource.RLIM_INFINITY)
    rig.spread(0)
    wait_until(lambda: rig.status()["journal"] == "ok", "the journal is written again")
    assert rig.end_bot() == 0
    assert [closed.outcome for closed in rig.of(TradeClosed)] == ["closed"]
    rig.assert_all_is_well()


def test_with_the_disk_full_a_leg_left_alone_is_still_given_back(rig: Rig):
    rig.start_bot()
    rig.fault("vest", "delay_reply", ms=700)
    for _ in range(4):
        rig.fault("vest", "reject_order", code="3001")
    rig.spread(WIDE_BPS)
    wait_until(lambda: len(rig.of(OrderIntended)) >= 2, "both legs are out")
    limit_files(rig, last_segment(rig).stat().st_size)
    wait_until(lambda: rig.pair_state() == "watching", f"the leg is given back\n{rig.bot_log()}")
    rig.spread(0)
    limit_files(rig, resource.RLIM_INFINITY)
    wait_until(lambda: rig.status()["journal"] == "ok", "the journal is written again")
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_a_bot_that_dies_while_the_disk_is_full_is_followed_by_one_that_believes_the_venues(rig: Rig):
    """The close went out unrecorded and its record died with the process: nothing must be closed a second time."""
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    limit_files(rig, last_segment(rig).stat().st_size)
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is closed\n{rig.bot_log()}")
    killed(rig)
    rig.start_bot()
    wait_until(lambda: rig.pair_state() == "watching", f"the venues' word is taken\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    ready = rig.ready
    account = ready.accounts[0]
    books = venue_books(ready.control_url, account.paradex.account_address, account.vest.primary_address)
    assert is_flat(books)
    assert {venue: len(book.filled) for venue, book in books.items()} == {"paradex": 2, "vest": 2}


def test_a_journal_that_cannot_be_written_at_the_start_is_told_and_nothing_is_opened(rig: Rig):
    text = re.sub(r"(?m)^  dir: journal\b", "  dir: /proc/deltawire", rig.config.read_text())
    assert "/proc/deltawire" in text
    rig.config.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "deltawire", "run", "--config", str(rig.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "cannot open the journal /proc/deltawire" in done.stderr


def test_a_last_line_cut_off_by_a_crash_is_set_aside_and_the_trade_goes_on(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    killed(rig)
    with last_segment(rig).open("ab") as file:
        file.write(b'99 0000abcd {"type":"OrderInt')
    rig.start_bot()
    assert "journal.torn_tail" in rig.bot_log()
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    [kept] = (rig.folder / "bot" / "journal").glob("*.torn-*")
    assert kept.read_bytes().startswith(b"99 0000abcd")
    rig.assert_all_is_well()


def test_damage_in_the_middle_stops_the_start_with_file_and_line(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    killed(rig)
    segment = last_segment(rig)
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"a", b"b", 1)
    segment.write_bytes(b"".join(lines))
    again = spawn(rig.folder / "again.log", "run", "--config", str(rig.config))
    assert again.wait(timeout=60) == 2
    assert f"{segment.name} line 3: checksum differs" in (rig.folder / "again.log").read_text()
