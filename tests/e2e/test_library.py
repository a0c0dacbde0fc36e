"""`import deltawire` as other programs use it: the examples from their files, one venue alone when things go wrong."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deltawire
from deltawire import OrderState, ParadexSettings, Secret, Side, VestSettings, connect, parse_e8
from deltawire.testing import NotStarted, SimulatedVenues, running_venues

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SIZE_E8 = parse_e8("0.01")
MARKETS = {"paradex": "BTC-USD-PERP", "vest": "BTC-PERP"}
# A market that stands still between the faults of one test and the next, and an account for each test that trades.
QUIET = "accounts: 12\nbasis: {height_min_bps: 0, height_max_bps: 0}\n"


@pytest.fixture(scope="module")
def venues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedVenues]:
    with running_venues(tmp_path_factory.mktemp("venues"), QUIET) as running:
        yield running


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of its own, so that no lock or word of this machine plays a part."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def settings_of(venues: SimulatedVenues, venue: str, account: int) -> ParadexSettings | VestSettings:
    return venues.paradex(account=account) if venue == "paradex" else venues.vest(account=account)


def run_example(*args: str, within_s: float = 280.0) -> str:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *args], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=within_s, check=False
    )
    assert done.returncode == 0, f"{args}:\n{done.stdout}{done.stderr}"
    return done.stdout


def ready_file(venues: SimulatedVenues, folder: Path) -> str:
    path = folder / "ready.json"
    urls = {name: {"rest_url": at.rest_url, "ws_url": at.ws_url} for name, at in both(venues)}
    account = venues.ready.accounts[0]
    keys = {
        "paradex": {"account_address": account.paradex.account_address, "private_key": account.paradex.private_key},
        "vest": {
            "primary_address": account.vest.primary_address,
            "primary_private_key": account.vest.primary_private_key,
        },
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps({**urls, "ca_file": venues.ca_file, "accounts": [keys]}))
    return str(path)


def both(venues: SimulatedVenues):
    return ("paradex", venues.ready.paradex), ("vest", venues.ready.vest)


# ---- the examples, as they stand -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("state_home")
@pytest.mark.parametrize("venue", MARKETS)
def test_the_example_of_one_venue_goes_in_and_out(venues: SimulatedVenues, tmp_path: Path, venue: str):
    told = run_example("examples/one_venue.py", venue, ready_file(venues, tmp_path))
    assert f"BUY 0.01 {MARKETS[venue]}: filled" in told
    assert f"SELL 0.01 {MARKETS[venue]}: filled" in told
    assert told.endswith("flat\n")


@pytest.mark.parametrize("venue", MARKETS)
def test_the_example_without_an_account_reads_a_book(venues: SimulatedVenues, tmp_path: Path, venue: str):
    told = run_example("examples/watch_a_book.py", venue, ready_file(venues, tmp_path))
    rows = [line.split() for line in told.splitlines()]
    assert len(rows) == 5
    assert all(market == MARKETS[venue] and float(bid) < float(ask) for market, bid, ask in rows)


@pytest.mark.usefixtures("state_home")
def test_the_example_of_a_test_on_the_simulators_passes():
    told = run_example("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_on_simulators.py")
    assert "2 passed" in told


@pytest.mark.usefixtures("state_home")
def test_the_example_of_a_bot_trades_and_ends_clean_and_flat(tmp_path: Path):
    with running_venues(tmp_path / "venues") as venues:
        config = venues.bot_files(tmp_path / "bot", max_hold_s="1")
        venues.spread(40)
        run_example("examples/run_a_bot.py", str(config), "1")
        state = venues.state()
        account = venues.ready.accounts[0]
        assert not any(map(float, state["paradex"]["accounts"][account.paradex.account_address]["positions"].values()))
        told = subprocess.run(
            [sys.executable, "-m", "deltawire", "report", "--json", "--config", str(config)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(told.stdout)["round_trips"] >= 1
        assert json.loads(told.stdout)["flat"] is True


# ---- one venue alone, when things go wrong -------------------------------------------------------------------------


@pytest.mark.usefixtures("state_home")
@pytest.mark.parametrize(("number", "venue"), [(1, "paradex"), (2, "vest")])
async def test_an_order_without_an_answer_is_read_until_it_is_known(venues: SimulatedVenues, number: int, venue: str):
    async with connect(settings_of(venues, venue, number), ca_file=venues.ca_file) as account:
        book = await account.until_open(MARKETS[venue])
        venues.fault(venue, "lose_reply")
        cap_e8 = account.instrument(MARKETS[venue]).cap(Side.BUY, book.asks[0][0] * 1002 // 1000)
        order = await account.finished(account.submit(MARKETS[venue], Side.BUY, SIZE_E8, cap_e8), timeout_s=60)
        assert (order.state, order.filled_e8) == (OrderState.FILLED, SIZE_E8)
    venues.clear_faults()


@pytest.mark.usefixtures("state_home")
@pytest.mark.parametrize(("number", "venue"), [(3, "paradex"), (4, "vest")])
async def test_an_order_past_its_cap_fills_nothing_and_a_cancel_changes_nothing(
    venues: SimulatedVenues, number: int, venue: str
):
    async with connect(settings_of(venues, venue, number), ca_file=venues.ca_file) as account:
        book = await account.until_open(MARKETS[venue])
        cap_e8 = account.instrument(MARKETS[venue]).cap(Side.BUY, book.bids[0][0] * 995 // 1000)
        order_id = account.submit(MARKETS[venue], Side.BUY, SIZE_E8, cap_e8)
        account.cancel(order_id)
        order = await account.finished(order_id, timeout_s=60)
        assert order.filled_e8 == 0
        assert order.state in (OrderState.CANCELLED, OrderState.REJECTED)
        assert await account.positions() == []
        assert (await account.balance()).equity_e8 == parse_e8("100000")


@pytest.mark.usefixtures("state_home")
async def test_an_account_is_held_by_one_program(venues: SimulatedVenues):
    settings = venues.paradex(account=5)
    async with connect(settings, ca_file=venues.ca_file):
        with pytest.raises(Exception, match="is traded by process"):
            async with connect(settings, ca_file=venues.ca_file):
                pass


@pytest.mark.usefixtures("state_home")
async def test_a_wrong_key_is_refused_and_everything_is_closed(venues: SimulatedVenues):
    settings = venues.paradex(account=6)
    other = venues.paradex(account=7)
    wrong = ParadexSettings(settings.rest_url, settings.ws_url, settings.account_address, other.private_key, ("X-Y",))
    with pytest.raises((deltawire.Refused, ValueError, OSError)):
        async with connect(wrong, ca_file=venues.ca_file):
            pass


@pytest.mark.usefixtures("state_home")
async def test_amounts_off_the_steps_and_sessions_that_share_nothing(venues: SimulatedVenues):
    ids = set()
    for _ in range(2):
        async with connect(venues.paradex(account=8), ca_file=venues.ca_file) as account:
            book = await account.until_open("BTC-USD-PERP")
            best_e8 = book.asks[0][0]
            for size_e8, cap_e8 in ((0, best_e8), (-SIZE_E8, best_e8), (SIZE_E8 + 1, best_e8), (SIZE_E8, best_e8 + 1)):
                with pytest.raises(ValueError, match="positive multiple"):
                    account.submit("BTC-USD-PERP", Side.BUY, size_e8, cap_e8)
            ids.add(account.submit("BTC-USD-PERP", Side.BUY, SIZE_E8, best_e8))
    assert len(ids) == 2, "an id is used once, by however many sessions in one second"


@pytest.mark.usefixtures("state_home")
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ParadexSettings("https://127.0.0.1:1/v1", "wss://127.0.0.1:1/v1", "", Secret("0x1"), ("A-B",)), "use watch"),
        (VestSettings("https://127.0.0.1:1/v2", "wss://127.0.0.1:1/x", "0x" + "1" * 40, Secret(""), ("A-B",)), "key"),
    ],
    ids=["no address", "no key"],
)
async def test_settings_that_cannot_be_are_told_before_anything_is_opened(settings, told: str):
    with pytest.raises(ValueError, match=told):
        async with connect(settings):
            pass


async def test_a_book_that_does_not_come_is_a_timeout_not_a_wait_for_ever(venues: SimulatedVenues):
    settings = ParadexSettings(
        venues.ready.paradex.rest_url, venues.ready.paradex.ws_url, "", Secret(""), ("BTC-USD-PERP",)
    )
    async with deltawire.watch(settings, ca_file=venues.ca_file) as market:
        await market.valid_book("BTC-USD-PERP")
        with pytest.raises(TimeoutError):
            await market.next_book("BTC-USD-PERP", timeout_s=0)


# ---- a bot inside a program ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("state_home")
async def test_a_bot_in_this_program_is_asked_and_told(venues: SimulatedVenues, tmp_path: Path):
    config = deltawire.load_config(venues.bot_files(tmp_path / "bot", mode="paper"))
    bot = deltawire.BotRun(config)
    with pytest.raises(deltawire.NotRunning):
        await bot.ask("status")
    running = asyncio.create_task(bot.run())
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.05)
            try:
                status = await bot.ask("status")
            except deltawire.NotRunning:
                continue
            if status["state"] == "running":
                break
    assert status["mode"] == "paper"
    with pytest.raises(ValueError, match="none of arm, "):
        await bot.ask("dance")
    await bot.ask("pause")
    assert (await bot.ask("status"))["state"] == "paused"
    bot.stop()
    assert await running == 0
    with pytest.raises(deltawire.NotRunning):
        await bot.ask("status")


def test_simulators_that_do_not_start_say_why(tmp_path: Path):
    with pytest.raises(NotStarted, match="sead"), running_venues(tmp_path, "sead: 1\n"):
        pass
