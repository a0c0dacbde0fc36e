"""`deltawire project`: the log into its tables, once or for as long as it is let."""

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.unit.journal import facts

from deltawire.journal.database import open_database
from deltawire.journal.log import JournalLog

COMMAND = [sys.executable, "-m", "deltawire", "project", "--journal"]


def projected(folder: Path) -> int:
    with closing(open_database("", folder)) as database:
        if not database.has_table("meta"):
            return 0
        return int(database.rows("SELECT value FROM meta WHERE name = 'last_seq'")[0]["value"])


def test_it_brings_in_all_there_is(tmp_path):
    with JournalLog(tmp_path) as log:
        last_seq = log.append_all([facts.run_started(), *facts.round_trip()])
    subprocess.run([*COMMAND, str(tmp_path)], check=True, timeout=60)
    assert projected(tmp_path) == last_seq


def test_following_it_brings_in_what_is_written_until_a_signal(tmp_path):
    with JournalLog(tmp_path) as log:
        log.append(facts.run_started())
        following = subprocess.Popen([*COMMAND, str(tmp_path), "--follow"])
        try:
            deadline_s = time.monotonic() + 60
            for trade in ("t1", "t2"):
                last_seq = log.append_all(facts.round_trip(trade))
                while projected(tmp_path) < last_seq:
                    assert following.poll() is None
                    assert time.monotonic() < deadline_s, "not followed"
                    time.sleep(0.02)  # waits for another process; there is no clock to move
            following.send_signal(signal.SIGTERM)
            assert following.wait(60) == 0
        finally:
            following.kill()
            following.wait()


def test_a_database_that_cannot_be_reached_is_exit_code_1_in_one_line(tmp_path):
    with JournalLog(tmp_path) as log:
        log.append(facts.run_started())
    url = f"postgresql://nobody@/none?host={tmp_path}"
    done = subprocess.run(
        [*COMMAND, str(tmp_path), "--url", url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "PostgreSQL and the journal's projection" in done.stderr
    assert "Traceback" not in done.stderr
