"""`deltawire top` in a real terminal, beside a real bot on simulated venues, as a person on SSH drives it."""

import os
import sys
from pathlib import Path

import pexpect
import pytest
from tests.e2e.rig import Rig, wait_until

pytestmark = pytest.mark.e2e
WIDE_BPS = 40
WITHIN_S = 60


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        yield made


@pytest.fixture
def terminal(rig: Rig):
    rig.start_bot()
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", "deltawire", "top", "--config", str(rig.config)],
        dimensions=(60, 120),
        timeout=WITHIN_S,
        encoding="utf-8",
        env=os.environ | {"TERM": "xterm-256color"},
    )
    yield child
    child.close(force=True)


def shown_after(terminal: "pexpect.spawn[str]", key: str, text: str) -> bool:
    """Push a key and say whether this is shown soon; while the last question is on its way out, no key asks another."""
    terminal.send(key)
    return terminal.expect([text, pexpect.TIMEOUT], timeout=2) == 0


def test_a_person_watches_a_trade_kills_the_bot_and_sees_it_go(rig: Rig, terminal: "pexpect.spawn[str]"):
    terminal.expect("running")
    terminal.expect("BTC")
    rig.spread(WIDE_BPS)
    terminal.expect("holding")
    terminal.expect("bought on paradex")
    terminal.send("f")
    terminal.expect("Flatten: close every open trade")
    terminal.send("n")
    assert rig.pair_state() == "holding", "no was no"
    wait_until(lambda: shown_after(terminal, "k", "KILL: close every open trade"), "the question is asked")
    terminal.send("y")
    wait_until(lambda: rig.status()["halted"] == "killed by a person", "the bot was killed by key")
    terminal.expect("no entries: killed by a person")
    assert rig.end_bot() == 0
    terminal.expect("GONE")
    terminal.send("q")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    rig.assert_all_is_well()
