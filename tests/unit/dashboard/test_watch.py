import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.dashboard.rig import WAIT_S, Bot

from deltawire.dashboard.bot import BotAway, BotRefused, ask
from deltawire.dashboard.history import History
from deltawire.dashboard.hub import Hub
from deltawire.dashboard.ledger import Ledger
from deltawire.dashboard.watch import Watch


class World:
    def __init__(self, tmp_path: Path, socket: Path | None) -> None:
        self.hub, self.history, self.ledger = Hub(), History(), Ledger(tmp_path / "journal")
        self.watch = Watch(socket, self.ledger, self.history, self.hub)

    async def told(self) -> dict[str, Any]:
        await self.watch.look_at_bot()
        stream = self.hub.stream()
        await anext(stream)
        event = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        found: dict[str, Any] = json.loads(event.partition(b"data: ")[2])
        return found


async def test_a_bot_that_goes_away_is_told_with_what_it_last_said(tmp_path: Path):
    world = World(tmp_path, tmp_path / "s")
    told = await world.told()
    assert (told["connected"], told["why"], told["status"], told["heard_unix_ns"]) == (
        False,
        "no bot is running",
        None,
        0,
    )
    async with Bot(tmp_path / "s").answering() as bot:
        bot.status = {"state": "running", "pairs": [{"id": "BTC", "spread_bps": {"buy_a": 1.5}}]}
        told = await world.told()
        assert (told["connected"], told["why"], told["status"]["state"]) == (True, "", "running")
        assert 0 < told["heard_unix_ns"] <= told["now_unix_ns"]
    heard = told["heard_unix_ns"]
    told = await world.told()
    assert (told["connected"], told["status"]["state"], told["heard_unix_ns"]) == (False, "running", heard)
    assert len(world.history.columns("BTC")["t"]) == 2, "one point, and the gap after it"


async def test_without_a_socket_there_is_a_journal_alone(tmp_path: Path):
    told = await World(tmp_path, None).told()
    assert (told["connected"], told["has_socket"]) == (False, False)


async def test_a_bot_that_is_stuck_costs_the_time_limit_and_no_more(tmp_path: Path):
    stuck = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_unix_server(hold, tmp_path / "s")
    try:
        with pytest.raises(BotAway, match="did not answer in"):
            await ask(tmp_path / "s", "status", timeout_s=0.05)
    finally:
        stuck.set()
        server.close()


@pytest.mark.parametrize("answer", [b"", b"\n", b"[]\n", b"nonsense\n", b'{"half": ', b"x" * 2**23])
async def test_what_is_no_answer_of_a_bot_is_no_bot(tmp_path: Path, answer: bytes):
    async def reply(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(reply, tmp_path / "s")
    try:
        with pytest.raises(BotAway):
            await ask(tmp_path / "s", "status", timeout_s=WAIT_S)
    finally:
        server.close()


async def test_a_refusal_keeps_the_bots_words(tmp_path: Path):
    async with Bot(tmp_path / "s").answering():
        with pytest.raises(BotRefused, match="not a command"):
            await ask(tmp_path / "s", "dance")


async def test_a_button_is_followed_by_a_look_at_once(tmp_path: Path):
    async with Bot(tmp_path / "s").answering() as bot:
        world = World(tmp_path, bot.path)
        watching = asyncio.create_task(world.watch.run())
        stream = world.hub.stream()
        async with asyncio.timeout(WAIT_S):
            async for event in stream:
                if b"running" in event:
                    bot.status["state"] = "paused"
                    world.watch.now()
                if b"paused" in event:
                    break
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await world.ledger.close()


@pytest.mark.parametrize(
    "status", [{"pairs": [{}]}, {"pairs": 7}, {"pairs": [7]}, {"pairs": [{"id": "x", "books": 3}]}]
)
async def test_an_answer_of_another_version_is_told_and_the_watch_goes_on(tmp_path: Path, status: dict[str, Any]):
    async with Bot(tmp_path / "s").answering() as bot:
        world = World(tmp_path, bot.path)
        bot.status = status
        told = await world.told()
        assert told["connected"] is False
        assert "not one this version knows" in told["why"]
        bot.status = {"state": "running", "pairs": []}
        assert (await world.told())["connected"] is True
