from pathlib import Path

import pytest
from tests.unit.dashboard.rig import Bot, Browser, page
from tests.unit.journal import facts

from deltawire.journal.log import JournalLog


async def entered(tmp_path: Path, **settings: object) -> Browser:
    browser = page(tmp_path, **settings)
    await browser.enter()
    return browser


@pytest.mark.parametrize("command", ["pause", "resume", "flatten", "kill", "arm"])
async def test_a_confirmed_button_reaches_the_bot(tmp_path: Path, command: str):
    async with Bot(tmp_path / "s").answering() as bot:
        browser = await entered(tmp_path, socket=bot.path)
        answer = await browser.post("/api/command", {"command": command, "confirm": command})
        assert (answer.status, answer.json["state"]) == (200, f"after {command}")
        assert bot.told == [command]


@pytest.mark.parametrize(
    "body",
    [
        {"command": "kill"},
        {"command": "kill", "confirm": "pause"},
        {"command": "kill", "confirm": True},
        {"command": "stop", "confirm": "stop"},
        {"command": "status", "confirm": "status"},
        {"command": ["kill"], "confirm": ["kill"]},
        {},
        [],
        b"{",
    ],
)
async def test_what_is_not_confirmed_or_not_a_button_never_reaches_it(tmp_path: Path, body: object):
    async with Bot(tmp_path / "s").answering() as bot:
        browser = await entered(tmp_path, socket=bot.path)
        answer = await browser.post("/api/command", body)
        assert answer.status == 400
        assert answer.json["error"]
        assert bot.told == []


async def test_a_page_that_only_looks_has_no_buttons(tmp_path: Path):
    async with Bot(tmp_path / "s").answering() as bot:
        browser = await entered(tmp_path, socket=bot.path, read_only=True)
        assert (await browser.get("/api/page")).json["commands"] == []
        assert (await browser.post("/api/command", {"command": "kill", "confirm": "kill"})).status == 403
        assert bot.told == []


async def test_a_button_without_a_bot_says_so(tmp_path: Path):
    browser = await entered(tmp_path, socket=tmp_path / "nobody")
    answer = await browser.post("/api/command", {"command": "kill", "confirm": "kill"})
    assert (answer.status, answer.json["error"]) == (502, "no bot is running")


async def test_a_stream_begins_at_once(tmp_path: Path):
    browser = await entered(tmp_path)
    answer = await browser.get("/api/events")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body.startswith(b"retry:")


async def test_runs_and_trades_are_told_by_name(tmp_path: Path):
    with JournalLog(tmp_path / "journal") as log:
        log.append_all([facts.run_started(), facts.instrument(), *facts.round_trip("t1", entry=(100, 101))])
    browser = await entered(tmp_path)
    assert (await browser.get("/api/run?id=r1")).json["run"]["run_id"] == "r1"
    found = (await browser.get("/api/trade?id=t1")).json
    assert {order["venue"] for order in found["orders"]} == {"paradex", "vest"}
    for path in ("/api/run?id=r9", "/api/trade?id=t9", "/api/trade", "/api/trade?id=" + "x" * 500):
        answer = await browser.get(path)
        assert answer.status == 404
        assert answer.json["error"]
