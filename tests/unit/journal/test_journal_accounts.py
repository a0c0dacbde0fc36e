"""One bot an account, across journals."""

import subprocess
import sys
from pathlib import Path

import pytest

from deltawire.journal.accounts import AccountLocks, state_folder
from deltawire.journal.log import JournalLocked, JournalUnwritable

MINE = {"paradex": "0x0AB", "vest": "0x2"}


def test_an_account_is_locked_once_however_its_address_is_written(tmp_path: Path):
    with AccountLocks(MINE, tmp_path), pytest.raises(JournalLocked, match=r"account 0xab of paradex .* process \d+"):
        AccountLocks({"paradex": "0xab"}, tmp_path)
    with AccountLocks(MINE, tmp_path):
        pass


def test_other_accounts_are_free_and_a_refused_attempt_keeps_nothing(tmp_path: Path):
    with AccountLocks({"vest": "0x2"}, tmp_path):
        with pytest.raises(JournalLocked, match="vest"):
            AccountLocks(MINE, tmp_path)
        with AccountLocks({"paradex": "0xab"}, tmp_path):
            pass


def test_nothing_is_left_behind(tmp_path: Path):
    with AccountLocks(MINE, tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path):
    code = (
        "import sys, time; from pathlib import Path; from deltawire.journal.accounts import AccountLocks; "
        f"locks = AccountLocks({MINE!r}, Path({str(tmp_path)!r})); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(JournalLocked, match=f"process {holder.pid}"):
            AccountLocks(MINE, tmp_path)
        holder.kill()
        holder.wait()
    with AccountLocks(MINE, tmp_path):
        pass


def test_a_place_that_cannot_be_used_is_told_with_the_remedy(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnwritable, match="XDG_STATE_HOME"):
        AccountLocks(MINE, tmp_path / "file")


def test_the_state_folder_is_the_users_unless_named():
    assert state_folder({"XDG_STATE_HOME": "/var/lib/me"}) == Path("/var/lib/me/deltawire")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/deltawire"
