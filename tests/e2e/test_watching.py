"""What stands beside a bot and watches it, as processes: `deltawire metrics` and `deltawire alert run`."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, spawn, wait_until
from tests.webhook import Webhook, webhook

pytestmark = pytest.mark.e2e
WIDE_BPS = 40


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        text = made.config.read_text()
        assert "bot_silent_s: 10" in text
        made.config.write_text(text.replace("bot_silent_s: 10", "bot_silent_s: 5"))
        yield made


@pytest.fixture
def hook():
    with webhook() as made:
        yield made


@pytest.fixture
def alerts(rig: Rig, hook: Webhook):
    with (rig.folder / "alerts.log").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deltawire", "alert", "run", "--config", str(rig.config)],
            env=os.environ | {"DELTAWIRE_ALERT_URLS": hook.url},
            stdout=out,
            stderr=out,
        )
    yield process
    process.terminate()
    assert process.wait(timeout=60) == 0


def _metrics(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _free_port() -> int:
    """Return a port below those the kernel gives to whoever asks for any: nobody takes it before its user does."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            return int(probe.getsockname()[1])


def test_a_person_is_told_of_a_kill_and_of_a_death_not_of_a_clean_end_and_prometheus_sees_it_all(
    rig: Rig, alerts: subprocess.Popen[bytes], hook: Webhook
):
    wait_until(lambda: "somebody is watching" in hook.titles, "it watches")
    rig.start_bot()
    assert rig.end_bot() == 0
    rig.start_bot()
    port = _free_port()
    exporter = spawn(rig.folder / "metrics.log", "metrics", "--config", str(rig.config), "--port", str(port))
    try:
        rig.spread(WIDE_BPS)
        rig.wait_for("holding")
        wait_until(lambda: 'deltawire_pair_open{pair="BTC"} 1.0' in _metrics(port), "the trade is in the metrics")
        # An order is timed at its acknowledgement, which may come after the fill.
        timed = 'deltawire_order_phase_seconds_count{phase="total",venue="paradex"} 1.0'
        wait_until(lambda: timed in _metrics(port), "its order is timed")
        subprocess.run([sys.executable, "-m", "deltawire", "kill", "--config", str(rig.config)], check=True, timeout=60)
        wait_until(lambda: {"KILL SWITCH", "entries are halted"} <= set(hook.titles), f"told: {hook.titles}")
        wait_until(lambda: "deltawire_halted 1.0" in _metrics(port), "the halt is in the metrics")
        assert "the bot does not answer" not in hook.titles, "its first end was a clean one"
        assert rig.bot is not None
        rig.bot.kill()
        rig.bot.wait()
        wait_until(lambda: "the bot does not answer" in hook.titles, f"told: {hook.titles}")
        wait_until(lambda: "deltawire_up 0.0" in _metrics(port), "the end is in the metrics")
    finally:
        exporter.terminate()
        assert exporter.wait(timeout=60) == 0
    assert alerts.poll() is None
    assert hook.titles.count("KILL SWITCH") == 1
