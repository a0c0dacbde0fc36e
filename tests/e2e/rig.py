"""Real processes over real TLS: `deltawire sim`, `deltawire run`, their control sockets. Used by the end-to-end tests.

The market is held at a spread the test chooses, so a test decides when the bot enters and when it leaves.
"""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from deltawire.cli.control_client import NotRunning, ask
from deltawire.cli.demo_files import write_bot_files
from deltawire.cli.sim_files import Ready, read_ready
from deltawire.cli.venue_books import venue_books
from deltawire.journal.check import check_journal
from deltawire.journal.records import Record
from deltawire.journal.segments import read

WITHIN_S = 60.0  # only a failure takes so long
POLL_S = 0.05


def wait_until(done: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """Poll until done() is true and return what it returned; fail naming what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        got = done()
        if got:
            return got
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(POLL_S)  # waits for another process; there is no clock to move


def spawn(log: Path, *args: str) -> subprocess.Popen[bytes]:
    """Start a command of ours in a process of its own."""
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", "deltawire", *args], stdout=out, stderr=out)


def start_sim(folder: Path, sim_yaml: str = "") -> tuple[subprocess.Popen[bytes], Ready]:
    """Start both simulated venues; the caller ends the process."""
    (folder / "sim.yaml").write_text(f"seed: 1\n{sim_yaml}")
    ready_file = folder / "ready.json"
    settings = ("--config", str(folder / "sim.yaml"), "--ready-file", str(ready_file))
    process = spawn(folder / "sim.log", "sim", *settings)
    try:
        ready: Ready = wait_until(lambda: read_ready(ready_file), "the simulators are ready")
    except BaseException:
        process.kill()
        raise
    return process, ready


def ask_sim(ready: Ready, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the simulators' control URL: GET, or POST of a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{ready.control_url}{path}", data)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


class Rig:
    """One simulator and, one after the other, the bots that trade on it."""

    def __init__(self, folder: Path, sim_yaml: str = "") -> None:
        self.folder = folder
        self._cleanup = ExitStack()
        self.sim, self.ready = start_sim(folder, sim_yaml)
        self.spread(0)
        (folder / "bot").mkdir()
        self.config, self.socket = write_bot_files(folder / "bot", self.ready, self._cleanup)
        # A trade ends when the test moves the spread, and not while it waits for a process.
        text = self.config.read_text()
        assert text.count("max_hold_s: 20") == 1
        self.config.write_text(text.replace("max_hold_s: 20", "max_hold_s: 600"))
        self.bot: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for process in (self.bot, self.sim):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._cleanup.close()

    # ---- processes ---------------------------------------------------------------------------------------------

    def start_bot(self) -> None:
        bot = self.bot = spawn(self.folder / "bot.log", "run", "--config", str(self.config))

        def is_up() -> bool:
            assert bot.poll() is None, f"the bot ended with {bot.returncode}\n{self.bot_log()}"
            return self.status().get("state") in ("running", "disarmed")

        wait_until(is_up, "the bot runs")

    def end_bot(self, which: signal.Signals = signal.SIGTERM) -> int:
        assert self.bot is not None
        self.bot.send_signal(which)
        return self.bot.wait(timeout=60)

    def bot_log(self) -> str:
        path = self.folder / "bot.log"
        return path.read_text() if path.exists() else ""

    # ---- the world ---------------------------------------------------------------------------------------------

    def spread(self, bps: float) -> None:
        """Hold Vest so many bps above Paradex."""
        self.control("/market", {"basis_bps": bps})

    def fault(self, venue: str, kind: str, count: int = 1, **params: Any) -> None:
        self.control("/faults", {"venue": venue, "kind": kind, "count": count, "params": params})

    def clear_faults(self) -> None:
        request = urllib.request.Request(f"{self.ready.control_url}/faults", method="DELETE")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()

    def control(self, path: str, body: dict[str, Any]) -> Any:
        return ask_sim(self.ready, path, body)

    # ---- what is seen ------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Ask the bot; empty while none answers."""
        try:
            return ask(self.socket, "status", timeout_s=WITHIN_S)
        except NotRunning:
            return {}

    def pair_state(self) -> str:
        pairs = self.status().get("pairs") or [{"state": ""}]
        return str(pairs[0]["state"])

    def wait_for(self, state: str) -> None:
        wait_until(lambda: self.pair_state() == state, f"the pair is {state}\n{self.bot_log()}")

    def records(self) -> list[Record]:
        return [record for _, record in read(self.folder / "bot" / "journal")]

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records() if isinstance(record, kind)]

    def assert_all_is_well(self) -> None:
        """Both accounts flat at the venues' own books, journal and venues agree order by order, no invariant broken."""
        account = self.ready.accounts[0]
        books = venue_books(self.ready.control_url, account.paradex.account_address, account.vest.primary_address)
        journal = self.folder / "bot" / "journal"
        for venue, book in books.items():
            assert not any(book.positions.values()), f"{venue}: {book.positions}\n{self.bot_log()}"
            assert book.open_orders == 0
        assert check_journal(journal) == []
        assert filled_by_journal(journal) == {venue: sum(book.filled.values()) for venue, book in books.items()}


def filled_by_journal(journal: Path) -> dict[str, int]:
    """Return the size the journal says was filled at each venue."""
    from deltawire.engine.recovery import filled_by_records, read_back

    filled = {"paradex": 0, "vest": 0}
    recovered = read_back((record for _, record in read(journal)), 0)
    for trade in recovered.trades.values():
        for intent in trade.intents:
            filled[intent.venue] += filled_by_records(intent, trade.news.get(intent.client_id, []))
    return filled
