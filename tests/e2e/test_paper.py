"""Mode paper as its owner runs it: live books of the venues, orders filled here, no key, no private call."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, ask_sim, wait_until

from deltawire.journal.check import check_journal
from deltawire.journal.records import RunEnded, RunStarted, TradeClosed
from deltawire.journal.segments import read

pytestmark = pytest.mark.e2e

WIDE_BPS = 40


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        made.config.write_text(made.config.read_text().replace("mode: live", "mode: paper", 1))
        (made.config.parent / ".env").unlink()
        yield made


def private_calls(rig: Rig) -> int:
    """Every call at either simulator that needs an account: sign-ins, orders, reads, private streams."""
    state = ask_sim(rig.ready, "/state")
    assert state["paradex"]["connections"]["requests"] > 0, "the public feed was used"
    assert state["vest"]["counters"]["requests"] > 0
    calls = state["paradex"]["connections"].get("private_calls", 0) + state["vest"]["counters"]["private_calls"]
    return int(calls)


def records(rig: Rig, kind: type):
    journal = rig.config.parent / "journal-paper"
    return [record for _, record in read(journal) if isinstance(record, kind)]


def test_paper_trades_a_full_cycle_without_keys_and_without_one_private_call(rig: Rig):
    rig.start_bot()
    assert rig.status()["mode"] == "paper"
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    held = rig.status()["pairs"][0]["position"]
    assert float(held["paradex"]) == -float(held["vest"]) != 0
    rig.spread(0)
    wait_until(lambda: rig.status()["round_trips"] == 1, "a round trip")
    assert rig.end_bot(signal.SIGINT) == 0
    [started], [closed], [ended] = records(rig, RunStarted), records(rig, TradeClosed), records(rig, RunEnded)
    assert (started.mode, started.simulated) == ("paper", True)
    assert closed.outcome == "closed"
    assert closed.fees_e8 > 0
    assert (ended.clean, ended.flat, ended.agree) == (True, True, True)
    assert not (rig.config.parent / "journal").exists(), "play money has its own journal"
    assert check_journal(rig.config.parent / "journal-paper") == []
    verify = [sys.executable, "-m", "deltawire", "verify", "--live", "--json", "--config", str(rig.config)]
    told = json.loads(subprocess.run(verify, capture_output=True, check=True).stdout)
    assert told["signed_off"], "orders, fees, funding and cash agree with the paper accounts"
    assert all(answer["orders_asked"] == 2 for answer in told["answers"].values())
    assert private_calls(rig) == 0


def test_a_paper_bot_that_was_killed_takes_its_open_trade_over_and_closes_it(rig: Rig):
    rig.config.write_text(rig.config.read_text().replace("mode: paper", "mode: paper\narm_after_unclean: auto", 1))
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    assert rig.bot is not None
    os.kill(rig.bot.pid, signal.SIGKILL)
    rig.bot.wait()
    rig.start_bot()
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.status()["round_trips"] == 1, "a round trip")
    assert rig.end_bot() == 0
    assert records(rig, RunEnded)[-1].agree
    assert private_calls(rig) == 0
