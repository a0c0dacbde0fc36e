"""The mark that tells, after a kill, whether orders signed ahead had left unrecorded."""

from pathlib import Path

import pytest

from deltawire.journal.leaving import ANY, LeavingMark, Left, open_mark


def mark(tmp_path: Path, boot: str = "boot 1") -> LeavingMark:
    return LeavingMark(tmp_path / "mark", boot)


def test_a_mark_without_a_run_says_nothing(tmp_path: Path):
    assert mark(tmp_path).left is None


def test_what_a_killed_run_said_is_read_by_the_next_one(tmp_path: Path):
    first = mark(tmp_path)
    first.begin("r1")
    assert mark(tmp_path).left == Left("r1", 0)
    first.leaving(1_700_000_000_123)
    assert mark(tmp_path).left == Left("r1", 1_700_000_000_123)
    first.recorded()
    assert mark(tmp_path).left == Left("r1", 0)


def test_a_second_ladder_that_leaves_before_the_first_is_on_record_means_any(tmp_path: Path):
    both = mark(tmp_path)
    both.begin("r1")
    both.leaving(7)
    both.leaving(8)
    assert both.left == Left("r1", ANY)


@pytest.mark.parametrize("correlator", [0, -1, 2**64, 2**80])
def test_a_number_that_the_mark_cannot_hold_means_any(tmp_path: Path, correlator: int):
    odd = mark(tmp_path)
    odd.begin("r1")
    odd.leaving(correlator)
    assert odd.left == Left("r1", ANY)


def test_a_new_run_forgets_what_the_one_before_said(tmp_path: Path):
    first = mark(tmp_path)
    first.begin("a-much-longer-name-of-a-run")
    first.leaving(7)
    mark(tmp_path).begin("r2")
    assert first.left == Left("r2", 0)


def test_until_it_begins_a_run_does_not_touch_what_the_one_before_said(tmp_path: Path):
    first = mark(tmp_path)
    first.begin("r1")
    first.leaving(7)
    mark(tmp_path).recorded()
    assert first.left == Left("r1", 7)


def test_after_a_reboot_the_mark_says_nothing(tmp_path: Path):
    mark(tmp_path, "boot 1").begin("r1")
    assert mark(tmp_path, "boot 2").left is None


def test_a_kill_while_a_run_begins_leaves_a_mark_that_says_nothing(tmp_path: Path):
    half = mark(tmp_path)
    half.begin("r1")
    with (tmp_path / "mark").open("r+b") as file:
        file.seek(8)
        file.write(bytes(8))
    assert half.left is None


def test_a_mark_that_others_may_write_is_refused(tmp_path: Path):
    (tmp_path / "mark").touch(mode=0o600)
    (tmp_path / "mark").chmod(0o666)
    with pytest.raises(PermissionError):
        mark(tmp_path)


def test_a_mark_that_is_a_link_is_refused(tmp_path: Path):
    (tmp_path / "mark").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="mark"):
        mark(tmp_path)


def test_each_journal_has_a_mark_of_its_own_and_a_clean_end_removes_it(tmp_path: Path):
    for name in ("one", "two"):
        open_mark(tmp_path / name, tmp_path).begin(name)
    assert [open_mark(tmp_path / name, tmp_path).left for name in ("one", "two")] == [Left("one", 0), Left("two", 0)]
    open_mark(tmp_path / "one", tmp_path).remove()
    assert len(list(tmp_path.iterdir())) == 1
