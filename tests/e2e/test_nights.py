"""The worst nights of docs/runbook.md on simulated venues: the trouble, what is told, and the page's own commands."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.rig import Rig, wait_until
from typer.testing import CliRunner

from deltawire.cli.control_client import ask
from deltawire.cli.main import app
from deltawire.cli.template import env_text
from deltawire.journal.records import TradeClosed
from deltawire.observe.alarms import alarm_of

pytestmark = pytest.mark.e2e
WIDE_BPS = 40
FAR_BPS = 700  # with 80 USD behind a position of some 620
soon = partial(wait_until, within_s=60)  # on a busy machine; what is waited for comes in seconds
PAGE = Path(__file__).resolve().parents[2] / "docs/runbook.md"


class Night:
    """One night: its rig, and the commands that the page has for it."""

    def __init__(self, rig: Rig, heading: str) -> None:
        self.rig = rig
        text = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        self._blocks = [[line[2:] for line in block.splitlines()] for block in blocks]

    def do(self) -> list[str]:
        """Run the next block of commands of the page, each of which must succeed, and return what they printed."""
        return [self._run(line) for line in self._blocks.pop(0)]

    @property
    def is_over(self) -> bool:
        """Whether every command of the page was run."""
        return not self._blocks

    def _run(self, line: str) -> str:
        words = shlex.split(line)
        if words[0] == "jq" and shutil.which("jq") is None:
            return ""
        if words == ["deltawire", "run"]:
            self.rig.start_bot()
            return ""
        if words == ["deltawire", "verify"]:  # it speaks of the bot's last comparison: a person says it once more
            soon(lambda: self._invoke(words)[0] == 0, f"it is signed off\n{self._invoke(words)[1]}")
        if words[0] == "deltawire":  # in this process: the interpreter's start would cost a second each
            exit_code, told = self._invoke(words)
            assert exit_code == 0, f"{line}: {told}\n{self.rig.bot_log()}"
            return told
        return subprocess.run(
            words, cwd=self.rig.config.parent, capture_output=True, text=True, check=True, timeout=100
        ).stdout

    def _invoke(self, words: list[str]) -> tuple[int, str]:
        told = CliRunner().invoke(app, [*words[1:], "--config", str(self.rig.config)])
        return told.exit_code, told.output

    def is_told(self, anchor: str) -> bool:
        """Say whether an alarm of the log so far leads a person to this place of the page."""
        alarms = [alarm_of(line) for line in self.log()]
        return anchor in {alarm.runbook for alarm in alarms if alarm is not None}

    def log(self) -> list[dict[str, Any]]:
        """Return the events of the bot's log so far."""
        *whole, _ = (self.rig.config.parent / "deltawire.log.jsonl").read_text().split("\n")
        return [json.loads(line) for line in whole]


@pytest.fixture
def night(tmp_path: Path, request: pytest.FixtureRequest):
    name: Callable[..., object] = request.function
    heading = name.__name__.removeprefix("test_").replace("_", " ").capitalize()
    collateral = "collateral_usd: 80\n" if "liquidation" in name.__name__ else ""
    with Rig(tmp_path, f"accounts: 2\n{collateral}") as rig:
        text = rig.config.read_text()
        assert "state_poll_s: 5 " in text
        rig.config.write_text(text.replace("state_poll_s: 5 ", "state_poll_s: 0.5 "))
        yield Night(rig, heading)


def hold(rig: Rig) -> None:
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")


def told(night: Night) -> list[tuple[str, Any]]:
    return [(line["event"], line.get("state", line.get("phase"))) for line in night.log()]


def is_flat(rig: Rig) -> bool:
    return rig.pair_state() == "watching"


def test_one_leg_on(night: Night):
    rig = night.rig
    rig.start_bot()
    # Vest refuses everything, and Paradex everything after the entry: what it filled cannot be given back.
    rig.fault("vest", "reject_order", 500, code="3001")
    rig.control("/faults", {"venue": "paradex", "kind": "reject_order", "at_order": 2, "count": 500})
    rig.spread(WIDE_BPS)
    soon(lambda: night.is_told("one-leg-on"), "a person is told")
    status, refusals = night.do()
    assert "ONE LEG for" in status
    assert "trade.alarm" in refusals or shutil.which("jq") is None
    rig.clear_faults()
    rig.spread(0)
    night.do()
    soon(lambda: is_flat(rig), "it is given back")
    night.do()
    assert rig.status()["state"] == "running"
    assert night.is_over
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_venue_down(night: Night):
    rig = night.rig
    hold(rig)
    rig.fault("paradex", "maintenance", ms=8000)  # it is asked for its state every half second
    soon(lambda: night.is_told("venue-down"), "a person is told")
    rig.spread(0)
    night.do()
    night.do()
    soon(lambda: is_flat(rig), "it is closed when the venue trades again")
    soon(lambda: ("trade.phase", "closed") in told(night), "the log, which is written a little later, has it too")
    events = told(night)
    last_ok = max(at for at, event in enumerate(events) if event == ("paradex.state", "ok"))
    assert events.index(("paradex.state", "maintenance")) < last_ok < events.index(("trade.phase", "exiting"))
    night.do()
    assert rig.status()["state"] == "running"
    assert night.is_over
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_clock_off(night: Night):
    rig = night.rig
    hold(rig)
    rig.control("/clock", {"venue": "paradex", "ahead_ms": 2000})
    soon(lambda: night.is_told("clock-off"), "a person is told")
    [status] = night.do()
    assert "behind the venue's" in status
    rig.spread(0)  # exits go on
    soon(lambda: is_flat(rig), "it is closed all the same")
    rig.spread(WIDE_BPS)
    soon(lambda: rig.status()["pairs"][0]["last_refusal"] == "clock", "no entry")
    soon(lambda: rig.status()["round_trips"] == 1, "one round trip, and no more")
    rig.control("/clock", {"venue": "paradex", "ahead_ms": 0})
    rig.wait_for("holding")  # by itself
    rig.spread(0)
    soon(lambda: is_flat(rig), "it trades again")
    assert night.is_over
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_liquidation_near(night: Night):
    rig = night.rig
    hold(rig)
    rig.spread(FAR_BPS)  # the price of the venue that is sold runs, and what it loses the other one wins
    soon(lambda: night.is_told("liquidation-near"), "a person is told")
    soon(lambda: rig.status()["halted"] and is_flat(rig), "the pair is closed")
    [status] = night.do()
    assert "liquidation" in status
    soon(lambda: [closed.outcome for closed in rig.of(TradeClosed)] == ["closed"], "both legs, and on record")
    rig.spread(0)
    night.do()
    assert rig.status()["state"] == "running"
    assert night.is_over
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_keys_leaked(night: Night):
    rig = night.rig
    hold(rig)
    night.do()
    assert rig.bot is not None
    assert rig.bot.wait(timeout=60) == 0
    assert [closed.outcome for closed in rig.of(TradeClosed)] == ["closed"]
    rig.fault("paradex", "expire_token")
    rig.fault("vest", "expire_token")
    new = rig.ready.accounts[1]
    (rig.config.parent / ".env").write_text(
        env_text(
            new.paradex.account_address,
            new.paradex.private_key,
            new.vest.primary_address,
            new.vest.primary_private_key,
        )
    )
    night.do()
    assert rig.status()["state"] == "disarmed"
    assert rig.status()["halted"] == "killed by a person"
    night.do()
    assert rig.status()["state"] == "running"
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    rig.spread(0)
    soon(lambda: is_flat(rig), "it trades with the new keys")
    assert night.is_over
    assert rig.end_bot() == 0


def test_reconciliation_difference(night: Night):
    rig = night.rig
    hold(rig)
    rig.fault("vest", "close_position")
    soon(lambda: rig.status()["halted"] and is_flat(rig), "the pair is closed")
    soon(lambda: night.is_told("reconciliation-difference"), "a person is told")
    [status] = night.do()
    assert "without an order of ours" in status
    rig.spread(0)
    night.do()
    soon(lambda: rig.status()["state"] == "running" and not rig.status()["halted"], "it trades again")
    assert night.is_over
    assert rig.end_bot() == 0


def test_daily_loss_halt(night: Night):
    rig = night.rig
    text = rig.config.read_text()
    assert "daily_loss_max_usd: 50 " in text
    rig.config.write_text(text.replace("daily_loss_max_usd: 50 ", "daily_loss_max_usd: 0.01 "))
    hold(rig)
    rig.spread(3 * WIDE_BPS)  # against us
    ask(rig.socket, "flatten")
    soon(lambda: night.is_told("daily-loss-halt"), "a person is told")
    report, story = night.do()
    assert "-" in report
    assert "flatten" in story or shutil.which("jq") is None
    rig.spread(0)
    night.do()
    rig.spread(WIDE_BPS)
    refused = ("daily_loss", "halted")
    soon(lambda: rig.status()["pairs"][0]["last_refusal"] in refused, "still no entry")
    assert rig.pair_state() == "watching"
    assert night.is_over
    rig.spread(0)
    assert rig.end_bot() == 0
    rig.assert_all_is_well()
