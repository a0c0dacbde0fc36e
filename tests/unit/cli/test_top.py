"""The terminal view, driven by textual's own pilot. The bot behind it is a function."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from deltawire.cli.control_client import NotRunning
from deltawire.cli.top import Confirm, TopApp

WITHIN_S = 60.0  # only a failure takes so long


def reply(**changes: Any) -> dict[str, Any]:
    book = {"bid": "60000.1", "ask": "60000.3", "bid_size": "1", "ask_size": "2", "age_ms": 12.0, "valid": True}
    pair = {
        "id": "BTC",
        "state": "holding",
        "spread_bps": {"buy_a": 12.5, "buy_b": -14.0},
        "edge_bps": 8.25,
        "closing_spread_bps": 4.0,
        "books": {"paradex": book, "vest": book},
        "trade": {"trade_id": "r1-0-1", "phase": "holding", "buy": "paradex", "size": "0.01", "entry_spread_bps": 12.5},
        "position": {"paradex": "0.01", "vest": "-0.01"},
        "thresholds": {"entry": 3.0, "exit": 2.0},
    }
    phase = {"n": 8, "p50": 84_312.0, "p90": 90_000.0, "p99": 99.0, "max": 1_250_000.0}
    return {
        "ok": True,
        "state": "running",
        "run_id": "r1",
        "simulated": True,
        "mode": "live",
        "uptime_s": 61.0,
        "venues": {"paradex": {"ready": True, "links": {"orders": True}, "orders": 4, "equity_usd": "1000"}},
        "pairs": [pair],
        "round_trips": 3,
        "pnl_usd": "1.25",
        "fees_usd": "0.5",
        "latency_us": {"paradex": {"total": phase}},
        "limits": {"lost_today_usd": "3", "daily_loss_max_usd": "50"},
        "alarms": [{"unix_ns": 10**9 * 61, "level": "error", "event": "trade.alarm", "text": "reason=slow"}],
    } | changes


class FakeBot:
    """Answers as the control socket would, and remembers what it was told."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = reply()
        self.gone = ""
        self.told: list[str] = []
        self.hang: threading.Event | None = None

    def __call__(self, command: str) -> dict[str, Any]:
        if self.hang is not None:
            self.hang.wait(WITHIN_S)
        if self.gone:
            raise NotRunning(self.gone)
        if command != "status":
            self.told.append(command)
        return self.answer if command == "status" else {"ok": True, "state": "paused"}


def shown(app: TopApp, name: str) -> str:
    """Return the text of one part of the screen."""
    static = app.query_one(f"#{name}", Static)
    return "\n".join("".join(segment.text for segment in strip) for strip in static.render_lines(static.size.region))


async def until(pilot: Pilot[None], done: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not done():
            await pilot.pause(0.02)


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()


async def test_it_shows_what_status_says(bot: FakeBot):
    app = TopApp(bot)
    async with app.run_test(size=(130, 60)) as pilot:
        await until(pilot, lambda: app.last is not None)
        await pilot.pause()
        head, pairs, latency = shown(app, "head"), shown(app, "pairs"), shown(app, "latency")
        assert "running" in head
        assert "round trips 3" in head
        assert "BTC holding" in pairs
        assert "+12.50 bps" in pairs
        assert "closing costs +4.00 bps, close at +2.00" in pairs
        assert "84.3 ms" in latency
        assert "1250.0 ms" in latency
        assert "today -3.00 USD (halts at -50.00)" in shown(app, "accounts")
        assert "00:01:01 trade.alarm reason=slow" in shown(app, "alarms")


async def test_one_leg_alone_cannot_be_overlooked(bot: FakeBot):
    pair = bot.answer["pairs"][0]
    pair["trade"] |= {"unhedged_ms": 812.0, "phase": "repairing"}
    pair["delta_usd"] = "600.1"
    app = TopApp(bot)
    async with app.run_test(size=(130, 60)) as pilot:
        await until(pilot, lambda: app.last is not None)
        await pilot.pause()
        assert "ONE LEG for 812 ms, 600.1000 USD exposed" in shown(app, "pairs")


@pytest.mark.parametrize(("key", "command"), [("p", "pause"), ("r", "resume"), ("f", "flatten"), ("k", "kill")])
async def test_a_key_asks_first_and_only_yes_commands(bot: FakeBot, key: str, command: str):
    app = TopApp(bot)
    async with app.run_test() as pilot:
        for no in ("n", "escape", "enter", "q") if command == "kill" else ("n",):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press(no)
            await until(pilot, lambda: not isinstance(app.screen, Confirm))
        assert bot.told == []
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: bot.told)
        assert bot.told == [command]


async def test_a_command_key_twice_asks_once(bot: FakeBot):
    app = TopApp(bot)
    async with app.run_test() as pilot:
        await pilot.press("k", "k")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        assert len(app.screen_stack) == 1


async def test_a_bot_that_is_gone_is_said_so_over_its_last_picture(bot: FakeBot):
    app = TopApp(bot)
    async with app.run_test(size=(130, 60)) as pilot:
        await until(pilot, lambda: app.last is not None)
        bot.gone = "no bot is running at bot.sock"
        app.look()
        await until(pilot, lambda: app.gone)
        await pilot.pause()
        assert "GONE   no bot is running at bot.sock" in shown(app, "head")
        assert "s ago" in shown(app, "head")
        assert "BTC holding" in shown(app, "pairs")
        await pilot.press("k")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: app._notifications)
        [note] = app._notifications
        assert note.message.startswith("kill was NOT done: no bot is running")
        bot.gone = ""
        app.look()
        await until(pilot, lambda: not app.gone)
        await pilot.pause()
        assert "running" in shown(app, "head")


async def test_without_a_bot_from_the_start_it_says_so_and_waits(bot: FakeBot):
    bot.gone = "no bot is running at bot.sock"
    app = TopApp(bot)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.gone)
        await pilot.pause()
        assert "GONE" in shown(app, "head")
        assert "ago" not in shown(app, "head")


async def test_a_bot_that_hangs_does_not_freeze_the_screen(bot: FakeBot):
    bot.hang = threading.Event()
    app = TopApp(bot)
    try:
        async with app.run_test() as pilot:
            await pilot.press("k")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert app.last is None
            bot.hang.set()
            await until(pilot, lambda: app.last is not None)
    finally:
        bot.hang.set()


async def test_an_answer_of_another_version_is_told_not_raised(bot: FakeBot):
    bot.answer = {"ok": True, "pairs": "many"}
    app = TopApp(bot)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.gone)
        assert "not one this version knows" in app.gone


@pytest.mark.parametrize("width", [60, 80, 200])
async def test_it_fits_every_width(bot: FakeBot, width: int):
    app = TopApp(bot)
    async with app.run_test(size=(width, 50)) as pilot:
        await until(pilot, lambda: app.last is not None)
        await pilot.pause()
        assert "BTC" in shown(app, "pairs")
        assert app.query_one("#body").max_scroll_x == 0
