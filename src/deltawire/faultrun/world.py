"""One seed, run: venues, market, network and bot on one virtual clock; faults, then calm, then the end.

First everything may go wrong. Then the faults end, and within bounds the bot must be up, every doubt resolved and every
leg hedged or closed; told to stop, it must end flat, in agreement with both venues. `judge` says what was broken.
"""

import asyncio
import hashlib
import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deltawire.core.money import E8
from deltawire.core.trade import HOLDING, STUCK
from deltawire.engine.bot import Bot
from deltawire.engine.trader import PairTrader
from deltawire.faultrun.disk import Crash, Disk, intents_in
from deltawire.faultrun.hosts import ParadexHost, VestHost
from deltawire.faultrun.judge import LOT_E8, Broken, Judge, VenueBooks
from deltawire.faultrun.kinds import PORTS, S_NS, VENUES, Strike
from deltawire.faultrun.loop import START_NS, Deadlock, Livelock, VirtualClock, VirtualLoop
from deltawire.faultrun.plan import Plan, draw
from deltawire.faultrun.process import PARADEX_SYMBOL, VEST_SYMBOL, Process, Surroundings
from deltawire.faultrun.striker import Striker
from deltawire.faultrun.wire import MS_NS, Route, Way
from deltawire.sim.clock import Timer
from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_maintenance import CANCEL_ONLY, MAINTENANCE, POST_ONLY, Release
from deltawire.sim.paradex_rules import BTC, ParadexSimSettings
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.sim.player import Player
from deltawire.sim.vest_api import VestApi
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_faults import strike_at_once
from deltawire.sim.vest_settings import MARKETS, VestSimSettings
from deltawire.sim.vest_streams import StreamHub
from deltawire.sim.walk import WalkSettings, walk_ticks

UNIX_START_NS = 1_791_000_000 * 10**9  # a Monday in October 2026, 04:00 UTC past
# The weekday release, shortened: its phases must be over before the end is judged.
RELEASE = Release(phases=((MAINTENANCE, 4), (CANCEL_ONLY, 2), (POST_ONLY, 3)))
COLLATERAL_E8 = 100_000 * E8
# Once the faults have ended: a bot that could not start is started again, and then has this long to come to rest. The
# longest single wait behind it is a half-open connection (15 s until found) before an order can be read.
UP_WITHIN_NS = 60 * S_NS
RESOLVED_WITHIN_NS = 60 * S_NS
STOPPED_WITHIN_NS = 60 * S_NS
# A position that is not the bot's must be named within two of its looks at the accounts, and their time-outs.
NAMED_WITHIN_NS = 30 * S_NS
TOLD_WITHIN_NS = 10 * S_NS  # what a venue denied comes out: more than its latest events and longest denial
SHOWN_WITHIN_NS = 2 * S_NS  # Vest shows a change of its account late
# A person who is called is slower than the bot's next reading of fills, which may find the very order and close it.
PERSON_AFTER_NS = 4 * S_NS
MONITOR_NS = 20 * MS_NS
UNWIND_STEPS_MAX = 20  # nested clean-ups that each wait for something
_RAM = Path("/dev/shm")  # noqa: S108  a journal of a virtual run need not wear a disk out


@dataclass(slots=True)
class Outcome:
    """What one seed showed."""

    seed: int
    broken: list[Broken]
    digest: str  # of the event log: equal for equal seeds
    coverage: Counter[str]
    virtual_s: float
    lines: list[str] = field(default_factory=list)


def run_seed(seed: int, *, keep_log: bool = False) -> Outcome:
    """Run one seed to its end. Everything of it is gone afterwards."""
    return run_plan(draw(seed), keep_log=keep_log)


def run_plan(plan: Plan, *, keep_log: bool = False) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="deltawire-faults-", dir=_RAM if _RAM.is_dir() else None))
    try:
        return World(plan, folder, keep_log=keep_log).run()
    finally:
        shutil.rmtree(folder)


class WorldLog:
    """Implements venues.contract.EventLog: every event of the bot and of the world, in order, with virtual time."""

    def __init__(self, loop: VirtualLoop, *, keep: bool) -> None:
        self._loop, self._keep = loop, keep
        self._hash = hashlib.blake2b(digest_size=12)
        self.lines: list[str] = []
        self.listeners: list[Callable[[str, dict[str, Any]], None]] = []

    def info(self, event: str, **fields: Any) -> None:
        self._tell(" ", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._tell("W", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._tell("E", event, fields)

    def world(self, event: str, **fields: Any) -> None:
        self._tell("*", event, fields)

    def write(self, line: str) -> None:
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def _tell(self, mark: str, event: str, fields: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(event, fields)
        rest = " ".join(f"{name}={value}" for name, value in fields.items())
        self.write(f"{(self._loop.now_ns - START_NS) / S_NS:10.6f} {mark} {event} {rest}\n")


class World:
    def __init__(self, plan: Plan, folder: Path, *, keep_log: bool) -> None:
        self.plan = plan
        self.loop = VirtualLoop()
        self.log = WorldLog(self.loop, keep=keep_log)
        unix_start_ns = UNIX_START_NS + plan.starts_late_s * S_NS
        self.venue_clock = VirtualClock(self.loop, unix_start_ns)
        self.bot_clock = VirtualClock(self.loop, unix_start_ns)
        self.coverage: Counter[str] = Counter()
        self.faults = Faults()
        self._context = copy_context()
        self._rng = random.Random(f"{plan.seed} world")  # noqa: S311  chance, not secrets
        self._make_venues()
        self.disk = Disk(self.loop, on_crash=self._on_crash, on_write=self._on_write, struck=self._struck)
        self.around = Surroundings(
            plan=plan,
            loop=self.loop,
            clock=self.bot_clock,
            log=self.log,
            disk=self.disk,
            folder=folder,
            hosts={"paradex": ParadexHost(self.paradex, self.loop), "vest": VestHost(self._vest_api, self._hub)},
            routes={venue: {port: self._route(venue, port) for port in PORTS} for venue in VENUES},
            paradex_keys=self._paradex_keys,
            vest_keys=self._vest_keys,
        )
        self._striker = Striker(
            plan=plan,
            loop=self.loop,
            faults=self.faults,
            vest=self.vest,
            routes=self.around.routes,
            disk=self.disk,
            clock=self.bot_clock,
            supervised=self,
            later=self._later,
            struck=self._struck,
        )
        self.process: Process | None = None
        self._runs: list[Process] = []  # the dead ones too: what they hold is let go at the end, not when it pleases
        self._changed = asyncio.Event()
        self.calm = False
        self._failures = ""  # why the last run ended
        self._stopping = False  # the last stop: nobody starts the bot again
        books = VenueBooks(
            paradex=self.paradex.exchange.accounts[self._paradex_keys.account_address],
            vest=self.vest.accounts.by_address[self._vest_keys.primary_address.lower()],
            paradex_venue=self.paradex,
            vest_exchange=self.vest,
        )
        self.judge = Judge(plan, books, self.loop, self.log, folder)
        self.log.listeners.append(self.judge.on_log)

    def run(self) -> Outcome:
        """Run to the end and judge."""
        for line in self.plan.lines():
            self.log.write(f"           * {line}\n")
        loop, judge = self.loop, self.judge
        loop.set_exception_handler(self._on_exception)
        catcher = _LoggedErrors(judge)
        logging.getLogger("deltawire").addHandler(catcher)
        main = loop.create_task(self._main(), name="world")
        try:
            loop.run_until_complete(main)
        except (Deadlock, Livelock) as e:
            judge.broke("loop", f"{type(e).__name__}: {e}")
        finally:
            logging.getLogger("deltawire").removeHandler(catcher)
        judge.finish()
        self.coverage.update(judge.coverage)
        self.coverage.update({f"fault {venue}.{kind}": n for (venue, kind), n in self.faults.taken.items()})
        for broken in judge.broken:
            self.log.write(f"{broken}\n")
        self._bury()
        virtual_s = (loop.now_ns - START_NS) / S_NS
        return Outcome(self.plan.seed, judge.broken, self.log.digest, self.coverage, virtual_s, self.log.lines)

    # ---- making ------------------------------------------------------------------------------------------------

    def _make_venues(self) -> None:
        plan, rng = self.plan, self._rng
        self._paradex_keys, self._vest_keys = paradex_keys(rng.randbytes), vest_keys(rng.randbytes)
        self.market = Market(("BTC",))
        self.player = Player(
            self.market,
            walk_ticks({"BTC": plan.base}, WalkSettings(interval_ns=plan.walk_interval_ns), rng),
            clock=self.venue_clock,
            call_later=self._call_later,
            basis=plan.basis,
            seed=plan.seed,
        )
        self.player.prime()
        self.paradex = SimulatedParadex(
            clock=self.venue_clock,
            call_later=self._call_later,
            market=self.market,
            faults=self.faults,
            settings=ParadexSimSettings(markets=(BTC,), tells_new=plan.tells_new, release=RELEASE),
        )
        self.paradex.exchange.add_account(
            self._paradex_keys.account_address, self._paradex_keys.public_key, COLLATERAL_E8
        )
        lag_ms = plan.vest_keeps_back_ms
        settings = VestSimSettings(
            markets=MARKETS[:1],
            seed=plan.seed,
            depth_median_ms=150,
            depth_p90_ms=400,
            depth_levels=5,
            account_delay_ms=(lag_ms // 2, lag_ms),
            execution_delay_ms=(20, 400) if plan.seed % 3 == 0 else (20, 60),
        )
        self.vest = VestExchange(
            clock=self.venue_clock,
            call_later=self._call_later,
            rng=rng,
            faults=self.faults,
            settings=settings,
            bases=("BTC",),
        )
        self._hub = StreamHub(
            self.vest, clock=self.venue_clock, call_later=self._call_later, rng=rng, faults=self.faults
        )
        strike_at_once(self.vest, self._hub, self.faults, self._call_later)
        self._vest_api = VestApi(
            self.vest,
            call_later=self._call_later,
            rng=rng,
            faults=self.faults,
            on_listen_key_closed=self._hub.listen_key_closed,
        )
        last = self.market.last("vest", "BTC")
        if last is not None:
            self.vest.on_quote("BTC", last)
        self.market.subscribe("vest", self.vest.on_quote)
        self.vest.accounts.add(self._vest_keys.primary_address, COLLATERAL_E8, 0)

    def _route(self, venue: str, port: str) -> Route:
        plan = self.plan
        delay_ns = plan.delay_ns[venue]
        return Route(
            name=f"{venue} {port}",
            loop=self.loop,
            rng=random.Random(f"{plan.seed} {venue} {port}"),  # noqa: S311  chance, not secrets
            delay_ns=dict.fromkeys(Way, delay_ns),
            jitter_ns=plan.jitter_ns,
            late_one_in=plan.late_one_in,
            late_ns=plan.late_ns,
            date_s=lambda: self.venue_clock.unix_ns() // 10**9,
            idle_close_ns=plan.idle_close_ns if (venue, port) == ("vest", "rest") else 0,
        )

    def _call_later(self, delay_s: float, fn: Callable[[], None], /) -> Timer:
        return self.loop.call_later(delay_s, fn, context=self._context)

    def _later(self, delay_ns: int, fn: Callable[[], None]) -> Timer:
        return self._call_later(delay_ns / S_NS, fn)

    # ---- running -----------------------------------------------------------------------------------------------

    async def _main(self) -> None:
        self.paradex.start()
        self.vest.start()
        self._hub.start()
        self.player.play()
        for strike in self.plan.strikes:
            self._later(strike.at_ns, partial(self._strike, strike))
        self._monitor()
        keeper = self.loop.create_task(self._keep_running(), name="supervisor")
        await asyncio.sleep(self.plan.faults_until_ns / S_NS)
        self.log.world("world.calm")
        self._striker.heal()
        self.judge.calm = self.calm = True
        await self._end_well()
        keeper.cancel()
        self.player.pause()
        self.paradex.stop()
        self.vest.stop()
        self._hub.stop()

    async def _end_well(self) -> None:
        if not await self._is_up():
            failure = self.process.failure if self.process is not None else "it was never started"
            self.judge.broke("live", f"the bot does not come up once the faults have ended: {failure}")
            return
        process = self.process
        assert process is not None
        assert process.bot is not None
        bot = process.bot
        at_rest = await self._until(
            lambda: all(map(_is_at_rest, bot.traders)) and not bot.resolver.busy, RESOLVED_WITHIN_NS
        )
        if not at_rest:
            shown = ", ".join(trade.phase.value for t in bot.traders for trade in t.dealer.open)
            self.judge.broke("live", f"not at rest once the faults have ended: {shown}, halted: {bot.gate.halted}")
        if self.judge.books.misled():
            await asyncio.sleep(TOLD_WITHIN_NS / S_NS)
        if not await self._until(lambda: self._knows(bot), NAMED_WITHIN_NS):
            self.judge.broke("live", f"the venues hold {self.judge.held()}, and the bot neither closes nor names it")
        await self._until(lambda: all(map(_is_at_rest, bot.traders)), RESOLVED_WITHIN_NS)
        await self._answer_call(bot)
        self.log.world("world.stop")
        self._stopping = True
        process.stop()
        if not await self._until(process.ended.is_set, STOPPED_WITHIN_NS):
            self.judge.broke("live", "the bot does not stop")
            return
        self.judge.ended(clean=process.clean, failure=process.failure)

    async def _is_up(self) -> bool:
        """Wait until the bot runs. One that refuses a position it has no record of needs a person, who closes it."""

        def running() -> bool:
            return self.process is not None and self.process.running

        if await self._until(running, UP_WITHIN_NS):
            return True
        books = self.judge.books
        explained = self.judge.unrecorded or books.misled() or any(map(books.moved_by_others_e8, VENUES))
        if not explained or "the journal says" not in self._failures:
            return False
        self._close_by_hand()
        return await self._until(running, UP_WITHIN_NS)

    async def _answer_call(self, bot: Bot) -> None:
        """Play the person whom the bot calls: close by hand what no trade explains, or no order is small enough for.

        Fills in halves can leave less than a venue's minimum order value. The bot then tries until its bound, is stuck,
        gives alarm and waits; the venue's own page closes such a rest.
        """
        held = self.judge.held
        if not any(held()):
            return
        await asyncio.sleep(PERSON_AFTER_NS / S_NS)
        await self._until(lambda: all(map(_is_at_rest, bot.traders)), RESOLVED_WITHIN_NS)
        trades = [trade for trader in bot.traders for trade in trader.dealer.open]
        tiny = all(trade.phase is STUCK for trade in trades) and max(map(abs, held())) < LOT_E8
        if not any(held()) or not (tiny or all(trader.is_idle for trader in bot.traders)):
            return
        self._close_by_hand()
        await asyncio.sleep(SHOWN_WITHIN_NS / S_NS)

    def _knows(self, bot: Bot) -> bool:
        """Whether the bot's count is what the venues hold, or it has called a person because it is not."""
        count = bot.positions.of("paradex", PARADEX_SYMBOL), bot.positions.of("vest", VEST_SYMBOL)
        return count == self.judge.held() or bool(self.judge.called)

    def _close_by_hand(self) -> None:
        self.log.world("hand.close")
        self.coverage["a person was needed"] += 1
        for venue in VENUES:
            self.faults.add(Fault(venue, "close_position"))

    async def _until(self, done: Callable[[], bool], within_ns: int) -> bool:
        until_ns = self.loop.now_ns + within_ns
        while not done():
            if self.loop.now_ns > until_ns:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _keep_running(self) -> None:
        """Start the bot, and again whenever it is dead, as a supervisor does."""
        downtimes = list(self.plan.restart_after_ns)
        number = 0
        while True:
            number += 1
            self._changed.clear()
            self.process = process = Process(self.around, number)
            self._runs.append(process)
            self.judge.process = process
            self.log.world("bot.started", run=number)
            waits = [asyncio.ensure_future(process.ended.wait()), asyncio.ensure_future(self._changed.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            self.judge.process = None
            if process.ended.is_set() and process.bot is not None:
                self.judge.lost(process.bot.recorder.unrecorded)  # ended with the disk still full
            if self._stopping:
                return
            self.log.world("bot.down", run=number, failure=process.failure)
            self._failures = process.failure
            await asyncio.sleep((downtimes.pop(0) if downtimes else S_NS) / S_NS)

    def _strike(self, strike: Strike) -> None:
        self.log.world("fault", what=str(strike))
        self._striker.strike(strike)

    def _struck(self, what: str) -> None:
        self.coverage[f"fault {what}"] += 1

    def _monitor(self) -> None:
        self._later(MONITOR_NS, self._monitor)
        self.judge.look()

    def _on_crash(self) -> None:
        self.kill("at a write of its journal")

    def kill(self, why: str, *, keep_e8: int | None = None) -> None:
        """End the bot's process. keep_e8: the power goes too, and of what was not flushed this part stays (1e-8)."""
        process = self.process
        if process is None or not process.life.alive or process.ended.is_set():
            return
        lose = self._rng.random() < 0.3
        unrecorded = process.bot.recorder.unrecorded if process.bot is not None else []
        self.log.world("bot.killed", why=why, unsent_lost=lose, unrecorded=len(unrecorded))
        process.kill(lose=lose)
        if keep_e8 is not None and process.journal is not None:
            lost = process.journal.lose_unsynced(keep_e8)
            self.log.world("journal.lost", size=len(lost))
            unrecorded += intents_in(lost)
        self.judge.lost(unrecorded)
        self.judge.process = None
        # A killed process says nothing; its supervisor sees it end.
        self.loop.call_soon(self._changed.set, context=self._context)

    def _on_write(self, lines: bytes) -> None:
        for line in lines.splitlines():
            self.log.write(f"{(self.loop.now_ns - START_NS) / S_NS:10.6f} j {line.decode()}\n")

    def _on_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Crash):
            return
        self.judge.broke("loop", f"{context.get('message')}: {error!r}")

    # ---- the end -----------------------------------------------------------------------------------------------

    def _bury(self) -> None:
        """Let go of all runs: what dead tasks hold would else be unwound at a moment of the collector's choice."""
        self.loop.set_exception_handler(lambda _loop, _context: None)
        for run in self._runs:
            if run.journal is not None:
                run.journal.die()
            run.life.alive = False
            for network in run.networks.values():
                network.die(lose=True)
        # Clean-ups that start something find this loop: asyncio would else make them a real one, which nobody closes.
        asyncio._set_running_loop(self.loop)
        try:
            known: set[asyncio.Task[Any]] = set()
            while new := asyncio.all_tasks(self.loop) - known:
                known |= new
                for task in new:
                    _unwind(task)
        finally:
            asyncio._set_running_loop(None)
        self.loop.close()


def _unwind(task: asyncio.Task[Any]) -> None:
    """Run what a task that will never end has to say at its end; all of it speaks to closed connections."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
    coroutine = task.get_coro()
    for _ in range(UNWIND_STEPS_MAX):
        try:
            coroutine.close()
        except (Crash, Exception):  # noqa: BLE001, S112  a clean-up that awaits, or that needs a running loop
            continue
        else:
            return


def _is_at_rest(trader: PairTrader) -> bool:
    """Whether nothing moves: idle, holding, or stuck after an alarm and waiting for a person (the stop below)."""
    return trader.is_idle or all(
        trade.phase in (HOLDING, STUCK) and not trade.unfinished for trade in trader.dealer.open
    )


class _LoggedErrors(logging.Handler):
    """A library of ours that logs an exception has met a bug."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(logging.ERROR)
        self._judge = judge

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._judge.broke("loop", f"{record.getMessage()}: {error!r}")
