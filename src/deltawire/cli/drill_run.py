"""The crash drill itself: `deltawire sim`, and a bot that is killed by SIGKILL again and again while the market moves.

Every process is the one a person would start. Instants come from the seed; what the bot is doing at an instant comes
from the machine, so a drill is repeatable in kind, not in detail. Most kills are aimed: some microseconds to a third of
a second after the journal shows an order about to leave, or a phase that has been met too seldom (drill_aim).
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deltawire.cli.children import Child
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.demo_files import write_bot_files
from deltawire.cli.drill_aim import AN_ENTRY, IN_A_TRADE, LEAVING, RECOVERING, START, TRADING, Aims
from deltawire.cli.drill_judge import (
    Life,
    charged,
    disagreements,
    doubts,
    duplicates,
    executions,
    lot_of,
    too_long,
    unhedged,
)
from deltawire.cli.drill_watch import JournalWatch, Scene
from deltawire.cli.sim_control import Unreadable, control
from deltawire.cli.sim_files import Ready, read_ready
from deltawire.cli.venue_books import books_in, is_flat
from deltawire.journal.leaving import open_mark

START_S_MAX = 30.0
STOP_S_MAX = 90.0
WIDE_BPS = 40
# How long a bot that may trade has for a leg that is alone. An order in doubt is believed lost only once its venue
# would refuse it and would list it: at Vest 3 s (the receive window of what closes) and 2 s (its lists lag) after it
# was signed. By then it is asked for every 2 s, and a repair or unwind that is answered late takes 1 s.
UNHEDGED_S_MAX = 8.0
AGAIN_S = 7.0  # on top, for each further order that its venue loses: the same, but for the answer that comes late
START_ALLOWED_S = 4.0  # on top, counted from the start of the process: interpreter, connections, comparison
FOUND_KEPT = 40  # a drill that finds more than this is broken in one way, not forty

# What the venues do wrong now and then, so that there are repairs and unwinds to be killed in.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reject_order", {}),
    ("partial_fill", {"fraction_e8": 40_000_000}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("lose_reply", {}),
    ("delay_reply", {"ms": 400}),
    ("late_fill", {"ms": 300}),
    ("duplicate_events", {}),
    ("fill_before_ack", {}),
)
_SIM = "seed: {seed}\nrtt_ms: {rtt_ms:g}\ncollateral_usd: 1000000\nvest: {{depth_median_ms: 60, depth_p90_ms: 120}}\n"
# No limit of losses and no pause after a failed trade: there shall be something to be killed in.
_SETTINGS = {"daily_loss_max_usd": "1000000", "max_hold_s": "2", "cooldown_ms": "0"}
PHASE_WITHIN_S = 8.0  # a phase that has not come by then is not waited for: the bot is killed as it is


class DrillFailed(Exception):
    """The drill itself cannot go on; says nothing of the bot's safety."""


@dataclass(slots=True)
class Drill:
    """What one drill did and found. found: every broken promise, in words; empty is a pass."""

    seed: int
    at_least: int = 0  # kills each phase was to get
    kills: int = 0
    scenes: list[Scene] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    executed: int = 0
    trades: int = 0
    ready_ms: list[float] = field(default_factory=list)
    alive_unhedged_ns: list[int] = field(default_factory=list)  # from birth
    trading_unhedged_ns: list[int] = field(default_factory=list)  # from ready
    duration_s: float = 0.0


class CrashDrill:
    def __init__(
        self, folder: Path, *, kills: int, at_least: int, seed: int, rtt_ms: float, tell: Callable[[str], None]
    ) -> None:
        """at_least: each phase gets so many kills; for its sake up to as many again are added, then it is a failure."""
        self._folder, self._kills, self._rtt_ms, self._tell = folder, kills, rtt_ms, tell
        self._rng = random.Random(seed)  # noqa: S311 - instants and faults, not keys
        self._market_rng = random.Random(seed + 1)  # noqa: S311 - its own: the market thread draws when it likes
        self._aims = Aims(kills, at_least, self._rng)
        self._met: Counter[str] = Counter()
        self._was_open = False
        self._drill = Drill(seed, at_least)
        self._journal = folder / "journal"
        self._restless = threading.Event()
        self._end = threading.Event()
        self._born_unix_ns = self._ready_unix_ns = 0

    def run(self) -> Drill:
        """Carry it out. Raises DrillFailed when the simulators fail, Unreadable when their state cannot be read."""
        began_s = time.monotonic()
        with ExitStack() as cleanup:
            ready = self._start_sim(cleanup)
            self._config, self._socket = write_bot_files(self._folder, ready, cleanup, **_SETTINGS)
            self._control_url = ready.control_url
            market = threading.Thread(target=self._move_market, name="market")
            market.start()
            cleanup.callback(market.join)
            cleanup.callback(self._end.set)
            self._watch = JournalWatch(self._journal)
            while self._goes_on():
                self._live_and_die(cleanup)
            for phase, count in self._aims.missing(self._met).items():
                self._found(f"only {self._met[phase]} kills fell into {phase}, {count} too few to prove anything of it")
            self._last_life(cleanup)
            self._judge(ready)
        self._drill.duration_s = time.monotonic() - began_s
        return self._drill

    def _goes_on(self) -> bool:
        if len(self._drill.found) >= FOUND_KEPT:
            return False
        return self._drill.kills < self._kills or (
            self._drill.kills < 2 * self._kills and bool(self._aims.missing(self._met))
        )

    # ---- processes -------------------------------------------------------------------------------------------------

    def _start_sim(self, cleanup: ExitStack) -> Ready:
        config, ready_file = self._folder / "sim.yaml", self._folder / "ready.json"
        config.write_text(_SIM.format(seed=self._drill.seed, rtt_ms=self._rtt_ms))
        sim = Child("sim", ["sim", "--config", str(config), "--ready-file", str(ready_file)], self._folder / "sim.log")
        cleanup.callback(sim.end, 5.0)
        deadline_s = time.monotonic() + START_S_MAX
        while (ready := read_ready(ready_file)) is None:
            if sim.exit_code is not None or time.monotonic() > deadline_s:
                raise DrillFailed(f"the simulated venues did not start:\n{sim.last_lines()}")
            time.sleep(0.05)
        return ready

    def _start_bot(self, cleanup: ExitStack) -> Child:
        log = self._folder / f"bot-{len(self._drill.lives):04d}.log"
        self._born_unix_ns, self._ready_unix_ns = time.time_ns(), 0
        self._run_before = self._watch.run_id
        bot = Child("bot", ["run", "--config", str(self._config)], log)
        cleanup.callback(bot.end, 0.0)
        return bot

    def _live_and_die(self, cleanup: ExitStack) -> None:
        aim = self._aims.next(self._met, self._drill.kills, was_open=self._was_open)
        bot = self._start_bot(cleanup)
        if aim == START:
            self._wait(bot, self._rng.uniform(0, 2.5))
        elif aim == RECOVERING:
            self._wait_started(bot)
            self._wait(bot, self._aims.delay_s(aim))
        elif self._wait_ready(bot):
            self._restless.set()
            self._wait_for(aim, bot)
        ended = bot.exit_code
        bot.kill()
        self._restless.clear()
        self._note_death()
        if ended is not None:
            self._found(f"the bot ended by itself with code {ended}, see {bot.log.name}: {bot.last_lines(3)}")
            return
        self._drill.kills += 1
        self._note_scene()
        if self._drill.kills % 10 == 0:
            self._tell(f"{self._drill.kills} kills, {self._watch.round_trips} round trips, found {self._drill.found}")

    def _note_scene(self) -> None:
        scene, left = self._watch.scene, open_mark(self._journal).left
        if left is not None and left.correlator:
            scene = replace(scene, phase=LEAVING)
        self._was_open = scene.was_open or scene.orders_out > 0 or scene.phase == LEAVING
        if not self._ready_unix_ns:
            # One that had not compared its positions yet was starting, whatever its journal says of the run before.
            began = self._watch.run_id != self._run_before
            scene = replace(scene, phase=RECOVERING if began and self._was_open else "starting")
        self._drill.scenes.append(scene)
        self._met[scene.phase] += 1

    def _wait_ready(self, bot: Child) -> bool:
        deadline_s = time.monotonic() + START_S_MAX
        while bot.exit_code is None:
            self._watch.look()
            if self._watch.is_running and self._watch.run_id != self._run_before:
                self._ready_unix_ns = time.time_ns()
                self._drill.ready_ms.append((self._ready_unix_ns - self._born_unix_ns) / 1e6)
                self._arm()
                return True
            if time.monotonic() > deadline_s:
                self._found(f"the bot was not ready {START_S_MAX:g} s after its start, see {bot.log.name}")
                return False
            time.sleep(0.02)
        return False

    def _arm(self) -> None:
        """Do what a person does after an unclean end: look, and let the bot open trades again."""
        try:
            deadline_s = time.monotonic() + START_S_MAX
            while ask(self._socket, "status")["state"] == "starting" and time.monotonic() < deadline_s:
                time.sleep(0.01)
            ask(self._socket, "arm")
        except (NotRunning, BotRefused) as e:
            self._tell(f"the bot could not be armed: {e}")

    def _wait(self, bot: Child, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while bot.exit_code is None and time.monotonic() < until_s:
            time.sleep(0.005)

    def _wait_started(self, bot: Child) -> None:
        """Return when the bot has begun its run: it has read what the one before left, and asks the venues."""
        until_s = time.monotonic() + START_S_MAX
        while bot.exit_code is None and self._watch.run_id == self._run_before and time.monotonic() < until_s:
            self._watch.look()
            time.sleep(0.002)

    def _wait_for(self, aim: str, bot: Child) -> None:
        """Return when the bot is where it is to be killed, or would not come there."""
        if aim == TRADING:
            self._wait(bot, self._rng.uniform(0, 3))
            return
        if aim == LEAVING:
            self._wait_leaving()
            return
        self._watch.look()
        if aim in IN_A_TRADE:
            self._lead_to(aim, bot)
            self._until(bot, lambda: aim in self._watch.phases)
        else:
            wanted = {"entry"} if aim == AN_ENTRY else {"exit", "repair", "unwind"}
            self._watch.forget_intents()
            self._until(bot, lambda: (now := self._watch.last_intended) is not None and now.purpose in wanted)
        after_s = self._aims.delay_s(aim)
        self._wait(bot, after_s) if after_s > 0.005 else _spin(after_s)

    def _wait_leaving(self) -> None:
        """Return while orders signed ahead are being written. It takes some hundred microseconds: no time to sleep."""
        mark, until_s = open_mark(self._journal), time.monotonic() + PHASE_WITHIN_S
        while time.monotonic() < until_s:
            if (left := mark.left) is not None and left.correlator:
                return

    def _lead_to(self, phase: str, bot: Child) -> None:
        """Have the venues err so that a trade comes into this phase; for that, none may be open that would take it."""
        faults = list(self._aims.faults(phase))
        if faults:
            self._until(bot, lambda: not self._watch.phases)
            for fault in faults:
                control(self._control_url, "/faults", fault)

    def _until(self, bot: Child, done: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PHASE_WITHIN_S
        while bot.exit_code is None and time.monotonic() < until_s:
            self._watch.look()
            if done():
                return
            time.sleep(0.0002)  # a sleep longer than this would never meet an order between journal and wire

    def _note_death(self) -> None:
        self._drill.lives.append(Life(self._born_unix_ns, self._ready_unix_ns, time.time_ns()))
        self._watch.look()

    def _last_life(self, cleanup: ExitStack) -> None:
        """Start once more without faults, let it bring everything home, and end it as its owner would."""
        self._end.set()
        control(self._control_url, "/faults", method="DELETE")
        control(self._control_url, "/market", {"basis_bps": 0})
        bot = self._start_bot(cleanup)
        if self._wait_ready(bot):
            try:
                ask(self._socket, "stop", timeout_s=10.0)
            except (NotRunning, BotRefused) as e:
                self._found(f"the last bot did not take `stop`: {e}")
        code = bot.wait(STOP_S_MAX)
        self._note_death()
        if code != 0:
            self._found(f"the last bot ended with code {code}, see {bot.log.name}: {bot.last_lines(3)}")
        if code is None:
            bot.kill()

    # ---- the world -------------------------------------------------------------------------------------------------

    def _move_market(self) -> None:
        """Open and close the spread, and let the venues err, as long as a bot may trade."""
        rng, wide = self._market_rng, False
        while not self._end.wait(rng.uniform(0.1, 0.7)):
            if not self._restless.is_set():
                continue
            wide = not wide
            try:
                control(self._control_url, "/market", {"basis_bps": WIDE_BPS if wide else 0})
                if rng.random() < 0.3:
                    kind, params = rng.choice(FAULTS)
                    control(
                        self._control_url,
                        "/faults",
                        {"venue": rng.choice(("paradex", "vest")), "kind": kind, "params": params},
                    )
            except Unreadable as e:
                self._tell(f"the simulators did not take a wish: {e}")

    # ---- the verdict -----------------------------------------------------------------------------------------------

    def _found(self, what: str) -> None:
        self._tell(f"FOUND: {what}")
        self._drill.found.append(what)

    def _judge(self, ready: Ready) -> None:
        drill, account = self._drill, ready.accounts[0]
        names = account.paradex.account_address, account.vest.primary_address
        state = control(self._control_url, "/state")
        venues = books_in(state, *names)
        for what in (*duplicates(state, self._journal), *disagreements(venues, self._journal)):
            self._found(what)
        if not is_flat(venues):
            self._found(f"not flat at the end: { {name: books.to_json() for name, books in venues.items()} }")
        if self._watch.scene.was_open:
            self._found("the journal ends with an open trade")
        done = executions(state, *names)
        stretches = unhedged(done, lot_of(self._journal), time.time_ns())
        alive = charged(stretches, ((life.born_unix_ns, life.died_unix_ns) for life in drill.lives))
        trading = charged(
            stretches, ((life.ready_unix_ns, life.died_unix_ns) for life in drill.lives if life.ready_unix_ns)
        )
        drill.alive_unhedged_ns = [end - begin for begin, end in alive]
        drill.trading_unhedged_ns = [end - begin for begin, end in trading]
        self._bound(trading, UNHEDGED_S_MAX, "by a bot that may trade")
        self._bound(alive, UNHEDGED_S_MAX + START_ALLOWED_S, "counted from its start")
        drill.executed, drill.trades = len(done), self._watch.round_trips
        drill.orders = sum(state[v]["counters"].get("orders_received", 0) for v in ("paradex", "vest"))
        for venue, kinds in state["faults"]["taken"].items():
            drill.faults.update({f"{venue} {kind}": count for kind, count in kinds.items()})

    def _bound(self, parts: list[tuple[int, int]], bound_s: float, whose: str) -> None:
        wrong = too_long(parts, doubts(self._journal), int(bound_s * 1e9), int(AGAIN_S * 1e9))
        for was_ns, allowed_ns in wrong:
            self._found(f"one leg was alone for {was_ns / 1e9:.3f} s {whose}; the bound is {allowed_ns / 1e9:g} s")


def _spin(seconds: float) -> None:
    until_ns = time.perf_counter_ns() + int(seconds * 1e9)
    while time.perf_counter_ns() < until_ns:
        pass
