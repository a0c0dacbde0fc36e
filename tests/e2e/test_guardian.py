"""The guardian beside a bot that dies, hangs, or lives."""

import signal
import subprocess
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, spawn, wait_until

from deltawire.journal.records import OrderIntended, PositionAdjusted
from deltawire.journal.segments import read

pytestmark = pytest.mark.e2e
WIDE_BPS = 40
SILENT_S = 10


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        text = made.config.read_text().replace("silent_s: 15", f"silent_s: {SILENT_S}")
        made.config.write_text(text)
        yield made


@pytest.fixture
def guardian(rig: Rig):
    """A guardian beside a bot that holds: one that began to watch earlier may find a slow start too long a silence."""
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    log = rig.folder / "guardian.log"
    process = spawn(log, "guardian", "--config", str(rig.config))
    wait_until(lambda: "guardian.watching" in log.read_text(), "the guardian watches")
    yield process
    process.terminate()
    assert process.wait(timeout=60) == 0


def _log(rig: Rig) -> str:
    return (rig.folder / "guardian.log").read_text()


def _guardian_orders(rig: Rig) -> list[OrderIntended]:
    folder = rig.folder / "bot" / "journal-guardian"
    return [record for _, record in read(folder) if isinstance(record, OrderIntended)]


def test_a_dead_bots_pair_is_closed_and_the_next_run_knows(rig: Rig, guardian: subprocess.Popen[bytes]):
    assert rig.bot is not None
    rig.bot.kill()
    rig.bot.wait()
    wait_until(lambda: "guardian.done flat=True" in _log(rig), "the guardian closed the pair", within_s=60)
    assert sorted(order.venue for order in _guardian_orders(rig)) == ["paradex", "vest"]
    rig.start_bot()
    assert rig.status()["state"] == "disarmed"
    wait_until(lambda: len(rig.of(PositionAdjusted)) == 2, f"what the guardian did is in the journal\n{rig.bot_log()}")
    adjusted = {record.venue: record.size_e8 for record in rig.of(PositionAdjusted)}
    assert adjusted == {"paradex": -1_000_000, "vest": 1_000_000}
    wait_until(lambda: rig.pair_state() == "watching", f"the trade is over\n{rig.bot_log()}")
    assert rig.end_bot() == 0


def test_a_hung_bot_is_replaced_and_sends_nothing_when_it_wakes(rig: Rig, guardian: subprocess.Popen[bytes]):
    assert rig.bot is not None
    sent = len(rig.of(OrderIntended))
    rig.bot.send_signal(signal.SIGSTOP)
    wait_until(lambda: "guardian.done flat=True" in _log(rig), "the guardian closed the pair", within_s=60)
    rig.spread(0)  # what would make the bot close, were it to act before it looks
    rig.bot.send_signal(signal.SIGCONT)
    wait_until(lambda: rig.status().get("pairs") and rig.pair_state() == "watching", f"it knows\n{rig.bot_log()}")
    wait_until(lambda: "stood still" in rig.status()["halted"], f"it says why\n{rig.bot_log()}")
    assert len(rig.of(OrderIntended)) == sent, "nothing was sent for positions that were gone"
    assert rig.end_bot() == 0


def test_a_living_bot_is_left_alone(rig: Rig, guardian: subprocess.Popen[bytes]):
    held_since = rig.status()["uptime_s"]
    wait_until(lambda: rig.status()["uptime_s"] > held_since + SILENT_S + 3, "more than the guardian's patience")
    assert rig.pair_state() == "holding"
    assert rig.status()["guarded_s"] is not None, "the bot knows that it is guarded"
    assert _guardian_orders(rig) == []
    assert rig.end_bot() == 0
    rig.assert_all_is_well()
