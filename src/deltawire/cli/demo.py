"""`deltawire demo`: both simulated venues and the bot as processes of their own, watched until enough has been traded.

The commands it starts are the ones a person would: `sim`, then `run` in live mode with settings written here.
Its verdict does not rest on the bot's word: the journal is compared with the books of the simulated venues.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from deltawire.cli import exits
from deltawire.cli.children import Child
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.demo_files import write_bot_files, write_sim_config
from deltawire.cli.demo_page import DemoPage
from deltawire.cli.demo_report import demo_report, print_report
from deltawire.cli.demo_view import DemoView, Progress
from deltawire.cli.sim_files import Ready, read_ready
from deltawire.cli.status_reply import Status, read_status
from deltawire.cli.venue_books import Books, Unreadable, venue_books

START_S_MAX = 60.0  # a slow machine loads recordings and makes certificates in a tenth of this
STOP_S_MAX = 45.0  # the bot's own shutdown is bounded below this
_REFRESH_S = 0.2


@dataclass(frozen=True, slots=True)
class DemoOptions:
    trades: int
    seconds: int
    rtt_ms: float
    seed: int
    directory: Path | None
    headless: bool = field(kw_only=True)
    as_json: bool = field(kw_only=True)


class DemoFailed(Exception):
    """The demo cannot go on. Its text is for the person; child: the process to blame, whose last lines help."""

    def __init__(self, message: str, child: Child | None = None) -> None:
        super().__init__(message)
        self.child = child


class _Interrupts:
    """Turns SIGINT, SIGTERM and SIGHUP into a flag to look at; a second one ends the children at once."""

    def __init__(self) -> None:
        self.seen = 0
        self.last = 0

    def __call__(self, signum: int, _frame: FrameType | None) -> None:
        self.seen += 1
        self.last = signum
        if self.seen > 1:
            raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.signal(signum, interrupts) for signum in signals}
    try:
        yield interrupts
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def run_demo(options: DemoOptions) -> int:
    """Run the whole demo and return the exit code: 0 only if it traded, all is flat, and journal and venues agree."""
    folder = _make_folder(options.directory)
    with _interrupts() as interrupts:
        try:
            return _Demo(options, folder, interrupts).run()
        except DemoFailed as e:
            _say(str(e))
            if e.child is not None:
                _say(f"the last lines of {e.child.log}:\n{e.child.last_lines()}")
            return 128 + interrupts.last if interrupts.seen else exits.FAILED
        except KeyboardInterrupt:
            _say("interrupted twice: children were ended at once, nothing is certain about their last orders")
            return exits.INTERRUPTED
        finally:
            _say(f"journal, logs and settings of this run are in {folder}")


def _make_folder(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="deltawire-demo-"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            exits.leave(f"{directory} is not empty; name a new folder with --dir", exits.MISUSED)
    except OSError as e:
        exits.leave(f"cannot use {directory}: {e}", exits.MISUSED)
    return directory.absolute()


def _say(message: str) -> None:
    sys.stderr.write(f"deltawire demo: {message}\n")
    sys.stderr.flush()


class _Demo:
    def __init__(self, options: DemoOptions, folder: Path, interrupts: _Interrupts) -> None:
        self._options = options
        self._folder = folder
        self._interrupts = interrupts
        self._began_s = time.monotonic()

    def run(self) -> int:
        with ExitStack() as cleanup:
            view = cleanup.enter_context(DemoView(headless=self._options.headless))
            view.note("starting the simulated venues")
            sim, ready = self._start_sim(cleanup)
            view.note("starting the bot")
            bot, socket, config = self._start_bot(cleanup, ready)
            page = None if self._options.headless else DemoPage(self._folder, config, cleanup)
            self._watch(sim, bot, socket, view, page)
            view.note("asking the bot to end; it closes what is open and confirms it with the venues")
            bot_code = self._stop_bot(bot, socket)
            if sim.exit_code is not None:
                raise DemoFailed("the simulated venues ended before the bot did", sim)
            venues = _read_books(ready, sim)
        if bot_code not in (exits.OK, exits.FAILED):
            raise DemoFailed(f"the bot ended with code {bot_code}", bot)
        report = demo_report(
            self._folder / "journal", venues, bot_exit_code=bot_code, duration_s=time.monotonic() - self._began_s
        )
        print_report(report, as_json=self._options.as_json)
        if self._interrupts.seen:
            return 128 + self._interrupts.last
        return exits.OK if report.passed else exits.FAILED

    def _start_sim(self, cleanup: ExitStack) -> tuple[Child, Ready]:
        config, ready = self._folder / "sim.yaml", self._folder / "ready.json"
        write_sim_config(config, seed=self._options.seed, rtt_ms=self._options.rtt_ms)
        sim = Child("sim", ["sim", "--config", str(config), "--ready-file", str(ready)], self._folder / "sim.log")
        cleanup.callback(sim.end, 5.0)
        deadline_s = time.monotonic() + START_S_MAX
        while (said := read_ready(ready)) is None:
            self._pause(sim, deadline_s, "the simulated venues are not ready")
        return sim, said

    def _start_bot(self, cleanup: ExitStack, ready: Ready) -> tuple[Child, Path, Path]:
        config, socket = write_bot_files(self._folder, ready, cleanup)
        bot = Child("bot", ["run", "--config", str(config)], self._folder / "bot.log")
        cleanup.callback(bot.end, 15.0)
        deadline_s = time.monotonic() + START_S_MAX
        while _status(socket) is None:
            self._pause(bot, deadline_s, "the bot does not answer")
        return bot, socket, config

    def _pause(self, child: Child, deadline_s: float, complaint: str) -> None:
        """Wait a moment for a starting child; raise when there is nothing left to wait for."""
        if child.exit_code is not None:
            raise DemoFailed(f"{child.name} ended at once, with code {child.exit_code}", child)
        if self._interrupts.seen:
            raise DemoFailed("interrupted while starting; nothing was traded")
        if time.monotonic() > deadline_s:
            raise DemoFailed(f"{complaint} after {START_S_MAX:.0f} s", child)
        time.sleep(0.05)

    def _watch(self, sim: Child, bot: Child, socket: Path, view: DemoView, page: DemoPage | None) -> None:
        """Show the bot until enough is traded, the time is up, or someone ends it."""
        options = self._options
        while not self._interrupts.seen:
            for child in (sim, bot):
                if child.exit_code is not None:
                    raise DemoFailed(f"{child.name} ended early, with code {child.exit_code}", child)
            if page is not None and (news := page.news()):
                view.tell_page(news)
            elapsed_s = time.monotonic() - self._began_s
            status = _status(socket)
            if status is not None:
                view.show(status, Progress(status.round_trips, options.trades, elapsed_s, options.seconds))
                if status.round_trips >= options.trades:
                    return
            if elapsed_s >= options.seconds:
                return
            time.sleep(_REFRESH_S)

    def _stop_bot(self, bot: Child, socket: Path) -> int:
        try:
            ask(socket, "stop")
        except (NotRunning, BotRefused):
            bot.end(STOP_S_MAX)  # SIGTERM asks for the same
        code = bot.wait(STOP_S_MAX)
        if code is None:
            bot.end(0)
            raise DemoFailed(f"the bot had not ended {STOP_S_MAX:.0f} s after it was asked to", bot)
        return code


def _status(socket: Path) -> Status | None:
    try:
        return read_status(ask(socket, "status", timeout_s=2.0))
    except (NotRunning, BotRefused):
        return None


def _read_books(ready: Ready, sim: Child) -> dict[str, Books]:
    account = ready.accounts[0]
    try:
        return venue_books(ready.control_url, account.paradex.account_address, account.vest.primary_address)
    except Unreadable as e:
        raise DemoFailed(str(e), sim) from e
