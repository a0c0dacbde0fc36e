"""`deltawire check` against both simulators: every line when all is well, and each when it is not."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from tests.conformance.venues.suite import BASE, running, started, workshop
from tests.conformance.venues.worlds import ParadexWorld, VestWorld

from deltawire.cli.template import LIVE, PAPER, Values, config_text
from deltawire.config import BotConfig, BotSecrets, load_config
from deltawire.core.money import E8
from deltawire.doctor.examine import examine
from deltawire.doctor.lines import Level, Line, Sheet
from deltawire.doctor.machine import check_consent
from deltawire.doctor.reach import Place, check_round_trip, system_resolve, tell_clock
from deltawire.engine.clock import SystemClock
from deltawire.journal.accounts import AccountLocks, state_folder
from deltawire.journal.log import JournalLog
from deltawire.journal.records import Halted, RunStarted
from deltawire.net.tls import client_context, server_context
from deltawire.observe.log import BufferedLog
from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.sim.faults import Fault

PLENTY = 100 * 2**30


class Shifted(SystemClock):
    def __init__(self, shift_ms: int = 0) -> None:
        self.shift_ms = shift_ms

    def unix_ns(self) -> int:
        return super().unix_ns() + self.shift_ms * 10**6


class Stand:
    """Both simulators, and a folder with settings that fit them."""

    def __init__(self, folder: Path, paradex: ParadexWorld, vest: VestWorld, tls: ssl.SSLContext) -> None:
        self.folder, self.paradex, self.vest, self.tls = folder, paradex, vest, tls
        self.secrets = BotSecrets(
            hex(paradex.keys.account_address),
            paradex.keys.private_key,
            vest.keys.primary_address,
            vest.keys.primary_private_key,
        )
        self.clock = Shifted()

    def config(self, values: Values = LIVE, *edits: tuple[str, str]) -> BotConfig:
        (rest, ws), (vest_rest, vest_ws) = self.paradex.ports, self.vest.ports
        text = config_text(
            replace(
                values,
                paradex_rest_url=f"https://127.0.0.1:{rest}/v1",
                paradex_ws_url=f"wss://127.0.0.1:{ws}/v1",
                vest_rest_url=f"https://127.0.0.1:{vest_rest}/v2",
                vest_ws_url=f"wss://127.0.0.1:{vest_ws}/ws-api?version=1.0",
                ca_line="ca_file: ca.pem",
            )
        )
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        path = self.folder / "config.yaml"
        path.write_text(text)
        return load_config(path)

    async def look(
        self,
        config: BotConfig,
        *,
        resolve: Callable[[str, int], Awaitable[list[str]]] = system_resolve,
        free: int = PLENTY,
        book_within_s: float = 20.0,
    ) -> "Told":
        sheet = Sheet()
        secrets = None if config.is_paper else self.secrets
        with BufferedLog(self.clock, []) as log:
            log.start()
            await examine(
                config,
                secrets,
                sheet,
                clock=self.clock,
                log=log,
                resolve=resolve,
                free=lambda _: free,
                book_within_s=book_within_s,
            )
        return Told(sheet)

    def private_calls(self) -> int:
        paradex, vest = self.paradex.sim.state()["connections"], self.vest.sim.state()["counters"]
        return int(paradex.get("private_calls", 0)) + int(vest.get("private_calls", 0))


class Told:
    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet

    def line(self, section: str, name: str) -> Line:
        """Return the worst line of the name."""
        order = [Level.FAIL, Level.WARN, Level.SKIP, Level.OK]
        found = [line for line in self.sheet.lines if (line.section, line.name) == (section, name)]
        assert found, [(line.section, line.name) for line in self.sheet.lines]
        return min(found, key=lambda line: order.index(line.level))

    def bad(self) -> set[tuple[str, str, str]]:
        """Return what is not well, but for what tells the load of the machine the test runs on."""
        shown = {Level.WARN, Level.FAIL}
        lines = [line for line in self.sheet.lines if line.name not in {"round_trip", "clock"}]
        return {(line.section, line.name, line.level.value) for line in lines if line.level in shown}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


@pytest.fixture
async def stand(tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    tls = server_context(str(authority / "server.pem"))
    (tmp_path / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    async with running(ParadexWorld(), tls) as paradex, running(VestWorld(), tls) as vest:
        assert isinstance(paradex, ParadexWorld)
        assert isinstance(vest, VestWorld)
        yield Stand(tmp_path, paradex, vest, client_context(str(authority / "ca.pem")))


async def test_all_is_well_but_the_main_key(stand: Stand):
    told = await stand.look(stand.config())
    assert told.bad() == {("paradex", "key", "warn")}
    assert told.sheet.passed
    assert "subkey" in told.line("paradex", "key").remedy
    for venue in ("paradex", "vest"):
        names = {line.name for line in told.sheet.lines if line.section == venue}
        assert names >= {"dns", "tls", "round_trip", "clock", "rules", "market_state", "book"}
        assert names >= {"sign_in", "key", "leverage", "fees", "balance", "positions", "open_orders"}
    assert stand.private_calls() > 0


def test_a_line_whose_name_is_not_known_is_a_bug():
    with pytest.raises(KeyError, match="weather"):
        Sheet().ok("machine", "weather", "fine")


async def test_every_line_that_is_not_ok_says_what_helps(stand: Stand):
    await stand.vest.stop()
    told = await stand.look(stand.config(LIVE, ("entry_edge_bps: 3", "entry_edge_bps: 0")), free=1)
    assert len(told.bad()) >= 4
    for line in told.sheet.lines:
        assert bool(line.remedy) == (line.level in {Level.WARN, Level.FAIL}), line


async def test_paper_looks_at_no_account_and_says_so(stand: Stand):
    told = await stand.look(stand.config(PAPER))
    assert told.bad() == set()
    for venue in ("paradex", "vest"):
        assert told.line(venue, "account") == Line(
            venue, "account", Level.SKIP, "mode paper needs no key and looks at no account"
        )
    assert stand.private_calls() == 0
    assert not (stand.folder / "journal-paper").exists(), "a check makes nothing"


async def test_a_paper_account_too_small_for_the_pair_fails(stand: Stand):
    told = await stand.look(stand.config(PAPER, ("equity_usd: 10000", "equity_usd: 50")))
    assert told.line("paradex", "balance").level is Level.FAIL


async def test_a_name_that_no_server_knows(stand: Stand):
    async def nobody(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    told = await stand.look(stand.config(), resolve=nobody)
    assert told.line("paradex", "dns").level is Level.FAIL
    assert any("venues.vest.rest_url" in line.remedy for line in told.sheet.lines)
    assert told.line("vest", "account").level is Level.SKIP
    assert told.line("pair BTC", "rules").level is Level.SKIP


async def test_an_authority_that_did_not_sign_the_venue(stand: Stand):
    trustme.CA().cert_pem.write_to_path(str(stand.folder / "ca.pem"))
    told = await stand.look(stand.config())
    assert told.line("paradex", "tls").level is told.line("vest", "tls").level is Level.FAIL
    assert "ca_file" in told.line("paradex", "tls").remedy


async def test_an_authority_that_cannot_be_read(stand: Stand):
    (stand.folder / "ca.pem").write_text("hello")
    told = await stand.look(stand.config())
    assert told.line("settings", "ca_file").level is Level.FAIL


async def test_a_venue_that_does_not_answer(stand: Stand):
    config = stand.config()
    await stand.paradex.stop()
    told = await stand.look(config)
    assert told.line("paradex", "tls").level is Level.FAIL
    assert told.line("vest", "book").level is Level.OK
    assert told.line("vest", "sign_in").level is Level.OK


@pytest.mark.parametrize(("shift_ms", "level"), [(5_000, Level.FAIL), (-5_000, Level.FAIL), (1_000, Level.WARN)])
async def test_a_clock_that_is_off(stand: Stand, shift_ms: int, level: Level):
    stand.clock.shift_ms = shift_ms
    told = await stand.look(stand.config(PAPER))
    assert told.line("paradex", "clock").level is level
    if level is Level.FAIL:
        assert told.line("vest", "clock").level is level
    assert "set-ntp" in told.line("paradex", "clock").remedy


async def test_a_market_the_venue_does_not_have(stand: Stand):
    told = await stand.look(stand.config(LIVE, ("paradex: BTC-USD-PERP", "paradex: NO-USD-PERP")))
    assert "NO-USD-PERP" in told.line("paradex", "market_data").found
    assert told.line("paradex", "account").level is Level.SKIP


async def test_a_market_that_is_halted_has_no_book(stand: Stand):
    stand.vest.faults.add(Fault("vest", "halt", params={"base": BASE, "ms": 60_000}))
    told = await stand.look(stand.config(PAPER), book_within_s=0.1)
    assert told.line("vest", "market_state").level is Level.WARN
    assert told.line("vest", "book").level is Level.FAIL
    assert told.line("pair BTC", "spread").level is Level.SKIP


@pytest.mark.parametrize(("free", "level"), [(10 * 2**20, Level.FAIL), (2**30, Level.WARN)])
async def test_a_disk_that_fills(stand: Stand, free: int, level: Level):
    assert (await stand.look(stand.config(PAPER), free=free)).line("machine", "disk").level is level


async def test_a_journal_that_cannot_be(stand: Stand):
    (stand.folder / "file").write_text("")
    told = await stand.look(stand.config(LIVE, ("dir: journal", "dir: file/journal")))
    assert told.line("machine", "journal").level is Level.FAIL


async def test_while_a_bot_runs_no_second_one_signs_in(stand: Stand):
    journal = JournalLog(stand.folder / "journal")
    told = await stand.look(stand.config())
    journal.close()
    assert told.line("machine", "running").level is Level.WARN
    assert told.line("paradex", "account").level is told.line("vest", "account").level is Level.SKIP
    assert stand.private_calls() == 0


async def test_while_a_bot_of_another_journal_trades_the_account_no_second_one_signs_in(stand: Stand):
    accounts = {"paradex": stand.secrets.paradex_account, "vest": stand.secrets.vest_primary_address}
    with AccountLocks(accounts, state_folder()):
        told = await stand.look(stand.config())
    assert "is traded by process" in told.line("vest", "account").found
    assert stand.private_calls() == 0


async def test_what_an_earlier_run_left(stand: Stand):
    journal = JournalLog(stand.folder / "journal")
    journal.append(RunStarted(run_id="r", unix_ns=1, mono_ns=1, version="0", mode="live", simulated=True, pairs=[]))
    journal.append(Halted(reason="lost too much", unix_ns=2))
    journal.close()
    line = (await stand.look(stand.config())).line("machine", "last_run")
    assert line.level is Level.WARN
    assert "lost too much" in line.found
    assert "did not end clean" in line.found
    assert "deltawire arm" in line.remedy


async def test_a_key_the_venue_does_not_know(stand: Stand):
    stand.secrets = replace(stand.secrets, paradex_private_key=paradex_keys().private_key)
    told = await stand.look(stand.config())
    assert told.line("paradex", "sign_in").level is Level.FAIL
    assert told.line("vest", "sign_in").level is Level.OK


async def test_a_key_of_another_wallet(stand: Stand):
    stand.secrets = replace(stand.secrets, vest_primary_private_key=vest_keys().primary_private_key)
    line = (await stand.look(stand.config())).line("settings", "keys")
    assert line.level is Level.FAIL
    assert stand.secrets.vest_primary_private_key.reveal() not in line.found


async def test_a_subkey_is_as_it_should_be(stand: Stand):
    subkey = paradex_keys()
    stand.paradex.sim.add_subkey(stand.paradex.keys.account_address, subkey.public_key)
    stand.secrets = replace(stand.secrets, paradex_private_key=subkey.private_key)
    told = await stand.look(stand.config())
    assert told.line("paradex", "key").level is Level.OK
    assert told.bad() == set()


@pytest.mark.parametrize(("collateral_usd", "level"), [(0, Level.FAIL), (20, Level.WARN)])
async def test_an_account_without_enough_money(stand: Stand, collateral_usd: int, level: Level):
    poor = vest_keys()
    stand.vest.sim.add_account(poor.primary_address, collateral_usd * E8)
    stand.secrets = replace(
        stand.secrets,
        vest_primary_address=poor.primary_address,
        vest_primary_private_key=poor.primary_private_key,
    )
    assert (await stand.look(stand.config())).line("vest", "balance").level is level


async def test_the_leverage_that_is_set_is_told(stand: Stand):
    told = await stand.look(stand.config(LIVE, ("# leverage: 10 ", "leverage: 7 ")))
    assert told.line("vest", "leverage").found == "BTC-PERP 7x"


async def test_positions_and_orders_that_are_there(stand: Stand):
    async with workshop(stand.paradex, stand.tls) as make:
        rig = await started(make)
        await rig.ended(rig.submit())
        await rig.venue.close()
        await stand.paradex.hold(rig)
        told = await stand.look(stand.config())
    assert told.line("paradex", "positions").level is Level.WARN
    assert "BTC-USD-PERP 0.05" in told.line("paradex", "positions").found
    assert "1 open orders, 0 of them" in told.line("paradex", "open_orders").found


@pytest.mark.parametrize(
    ("edit", "name", "level"),
    [
        (("size: 0.01", "size: 0.00001\n    size_min: 0.00001 #"), "rules", Level.FAIL),
        (("order_notional_max_usd: 2000", "order_notional_max_usd: 100"), "notional", Level.FAIL),
        (("inventory_max_usd: 100000", "inventory_max_usd: 100"), "notional", Level.FAIL),
        (("size: 0.01", "size: 0.0001\n    size_min: 0.0001 #"), "notional", Level.FAIL),
        (("size_min: 0.001", "size_min: 0.0001"), "notional", Level.WARN),
        (("exit_spread_bps: 2", "exit_spread_bps: -5"), "threshold", Level.WARN),
        (("size_min: 0.001", "size_min: 0.01\n    #"), "spread", Level.OK),
    ],
)
async def test_a_pair_that_does_not_go_together(stand: Stand, edit: tuple[str, str], name: str, level: Level):
    edits = [edit]
    if edit[0] == "size: 0.01" and "\n" in edit[1]:
        edits.append(("    size_min: 0.001  ", "    # "))
    assert (await stand.look(stand.config(PAPER, *edits))).line("pair BTC", name).level is level


@pytest.mark.parametrize("edge", ["0", "1"])
async def test_an_edge_that_earns_nothing(stand: Stand, edge: str):
    told = await stand.look(stand.config(PAPER, ("entry_edge_bps: 3", f"entry_edge_bps: {edge}")))
    assert told.line("settings", "entry_edge").level is Level.WARN


def test_the_word_for_real_orders_is_missed_until_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "config.yaml"
    path.write_text(config_text(LIVE))
    sheet = Sheet()
    check_consent(load_config(path), "0x1", "0x2", sheet)
    assert sheet.lines[0].level is Level.WARN
    assert "--live" in sheet.lines[0].remedy


PLACE = Place("acme", "https://h/v1", "wss://h/v1", None, 1_500)


@pytest.mark.parametrize(
    ("took_ms", "level"), [([1.0] * 7, "ok"), ([400.0] * 7, "warn"), ([1.0] * 6 + [900.0], "warn")]
)
async def test_round_trips_are_judged_by_their_middle_and_their_worst(took_ms: list[float], level: str):
    steps = iter([0.0, *(step for ms in took_ms for step in (0.0, ms / 1e3))])
    now = [0.0]

    def now_s() -> float:
        now[0] += next(steps)
        return now[0]

    next(steps)

    async def ping() -> None: ...

    sheet = Sheet()
    await check_round_trip(PLACE, sheet, ping, now_s)
    assert sheet.lines[0].level == level


@pytest.mark.parametrize(
    ("offset_ms", "within_ms", "level"),
    [(0, 5, "ok"), (-600, 600, "ok"), (300, 5, "warn"), (-300, 5, "warn"), (1_600, 5, "fail"), (1_600, 600, "warn")],
)
def test_a_clock_is_judged_by_what_is_certain(offset_ms: int, within_ms: int, level: str):
    sheet = Sheet()
    tell_clock(PLACE, sheet, offset_ms, within_ms)
    assert sheet.lines[0].level == level
