"""One run of the bot in the world: the product's bot, adapters and journal over memory connections. It can be killed.

Started anew from the same journal as often as the world says: recovery is the normal start.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltawire.core.edge import PairRules
from deltawire.core.limits import Limits
from deltawire.core.money import BPS_E8, E8
from deltawire.core.types import Instrument
from deltawire.engine.bot import Bot
from deltawire.engine.ids import run_id
from deltawire.engine.plan import NEVER_PRESIGN, BotSettings, CannotStart, PairPlan
from deltawire.engine.presigner import AtOnce
from deltawire.engine.recovery import read_back
from deltawire.engine.rules import VENUE_AGE_NS_MAX
from deltawire.faultrun.disk import MARK, Disk, FaultyJournal
from deltawire.faultrun.loop import LIFE, Life, VirtualClock, VirtualLoop
from deltawire.faultrun.network import Host, MemoryNetwork
from deltawire.faultrun.plan import Plan
from deltawire.faultrun.wire import Route
from deltawire.journal.leaving import LeavingMark
from deltawire.journal.log import JournalUnwritable
from deltawire.journal.segments import read
from deltawire.net.api import PoolSettings
from deltawire.sim.credentials import ParadexKeys, VestKeys
from deltawire.venues.contract import EventLog, Refused
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import BookFeed, OrderClass, ParadexSettings
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import OrderStyle, VestSettings

MS_NS = 1_000_000
PARADEX_SYMBOL, VEST_SYMBOL = "BTC-USD-PERP", "BTC-PERP"
UNHEDGED_NS_MAX = 5_000 * MS_NS
RELEASE_AHEAD_S = 60
EXIT_SPREAD_E8 = 2 * BPS_E8
COULD_NOT_START = (CannotStart, Refused, OSError, TimeoutError, ValueError, JournalUnwritable)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of the bot finds: the machine and the network it is started on."""

    plan: Plan
    loop: VirtualLoop
    clock: VirtualClock  # the bot's: the venues have one of their own
    log: EventLog
    disk: Disk
    folder: Path
    hosts: dict[str, Host]
    routes: dict[str, dict[str, Route]]
    paradex_keys: ParadexKeys
    vest_keys: VestKeys


class Process:
    """Made, run as a task, and either stopped, ended by itself, or killed."""

    def __init__(self, around: Surroundings, number: int) -> None:
        self.number = number
        self.life = Life()
        self.running = False  # started and not told to stop
        self.ended = asyncio.Event()
        self.failure = ""  # why it could not start
        self.clean: bool | None = None  # what the bot said of its own end
        self._around = around
        self._context = copy_context()
        self._context.run(LIFE.set, self.life)
        self._world = copy_context()
        rng = random.Random(f"{around.plan.seed} run {number}")  # noqa: S311  chance, not secrets
        self.networks = {
            name: MemoryNetwork(
                host, around.routes[name], loop=around.loop, rng=rng, bot=self._context, world=self._world
            )
            for name, host in around.hosts.items()
        }
        self._stop = asyncio.Event()
        self._commands: list[asyncio.Task[Any]] = []  # the loop holds tasks weakly
        self._rng = rng
        self.journal: FaultyJournal | None = None
        self.bot: Bot | None = None
        self.task = around.loop.create_task(self._main(), name=f"bot {number}", context=self._context)

    def stop(self) -> None:
        self._stop.set()

    def call(self, command: Coroutine[Any, Any, Any]) -> None:
        """Carry out a command of the control socket."""
        self._commands.append(self._around.loop.create_task(command, context=self._context))

    def resume(self) -> None:
        if self.bot is not None and self.running and self.life.alive:
            self._context.run(self.bot.resume)

    def arm(self) -> None:
        if self.bot is not None and self.running and self.life.alive:
            self._context.run(self.bot.arm)

    def kill(self, *, lose: bool) -> None:
        """End it at once, as kill -9 does. lose: what it wrote to its sockets last is lost with it."""
        if not self.life.alive:
            return
        self._around.loop.end(self.life)
        self.running = False
        for network in self.networks.values():
            network.die(lose=lose)
        if self.journal is not None:
            self.journal.die()

    async def _main(self) -> None:
        try:
            await self._run()
        except Exception as e:  # noqa: BLE001  what would end the process with a traceback: told, and judged
            self.failure = f"{type(e).__name__}: {e}"
            self._around.log.error("bot.crashed", reason=self.failure)
            if self.journal is not None:
                self.journal.die()
        finally:
            if self.life.alive:  # else the world knows, and nothing of this run may speak any more
                self.running = False
                self.ended.set()

    async def _run(self) -> None:
        around = self._around
        try:
            self.bot = bot = self._make()
        except COULD_NOT_START as e:
            self.failure = f"{type(e).__name__}: {e}"
            return
        try:
            await bot.start()
        except COULD_NOT_START as e:
            self.failure = f"{type(e).__name__}: {e}"
            around.log.error("bot.cannot_start", reason=self.failure)
            await self._abort(bot)
            return
        self.running = True
        await self._stop.wait()
        self.running = False
        try:
            self.clean = await bot.stop("stop")
        except JournalUnwritable as e:
            self.failure = f"{type(e).__name__}: {e}"

    async def _abort(self, bot: Bot) -> None:
        try:
            await bot.abort()
        except JournalUnwritable as e:
            self._around.log.error("journal.not_closed", reason=str(e))
        finally:
            if self.journal is not None and self.life.alive:
                self.journal.die()  # the process exits: whatever it held is let go

    def _make(self) -> Bot:
        around, plan = self._around, self._around.plan
        self.journal = FaultyJournal(around.folder, around.disk)
        if self.journal.torn is not None:
            around.log.warning("journal.torn_tail", size=self.journal.torn.size)
        mark = LeavingMark(around.folder / MARK, "one-boot")
        recovered = read_back((record for _, record in read(around.folder)), around.clock.unix_ns(), mark.left)
        return Bot(
            bot_settings(plan),
            [self._paradex(), self._vest()],
            self.journal,
            recovered,
            run_id=run_id(around.clock.unix_ns(), self.number),
            clock=around.clock,
            log=around.log,
            offload=AtOnce(),
            mark=mark,
        )

    def _paradex(self) -> ParadexVenue:
        around, network = self._around, self.networks["paradex"]
        settings = ParadexSettings(
            rest_url="https://paradex.test/v1",
            ws_url="wss://paradex.test/v1",
            account_address=hex(around.paradex_keys.account_address),
            private_key=around.paradex_keys.private_key,
            symbols=(PARADEX_SYMBOL,),
            recv_window_ms=around.plan.recv_window_ms,
            reply_timeout_s=1.5,
            book_feed=BookFeed(around.plan.book_feed),
            order_class=OrderClass(around.plan.order_class),
            release_ahead_s=RELEASE_AHEAD_S,
        )
        return ParadexVenue(
            settings,
            network=network,
            http=network.rest("https://paradex.test"),
            clock=around.clock,
            log=around.log,
            rng=self._rng,
        )

    def _vest(self) -> VestVenue:
        around, network = self._around, self.networks["vest"]
        settings = VestSettings(
            rest_url="https://vest.test/v2",
            ws_url="wss://vest.test/ws-api?version=1.0",
            primary_address=around.vest_keys.primary_address,
            primary_private_key=around.vest_keys.primary_private_key,
            symbols=(VEST_SYMBOL,),
            recv_window_ms=around.plan.recv_window_ms,
            order_style=OrderStyle(around.plan.order_style),
            send_reduce_only=around.plan.send_reduce_only,
            pool=PoolSettings(connections=around.plan.pool_connections),
        )
        return VestVenue(
            settings,
            network=network,
            client=network.rest("https://vest.test"),
            clock=around.clock,
            log=around.log,
            rng=self._rng,
            random_bytes=self._rng.randbytes,
        )


def bot_settings(plan: Plan) -> BotSettings:
    limits = Limits(
        order_notional_e8_max=10_000 * E8,
        orders_per_minute_max=240,
        open_pairs_max=1,
        daily_loss_e8_max=1_000 * E8,
        quote_age_ns_max={"paradex": 1_500 * MS_NS, "vest": 1_500 * MS_NS},
        venue_age_ns_max=VENUE_AGE_NS_MAX,
        book_spread_e8_max=20 * BPS_E8,
        price_cap_e8_max=50 * BPS_E8,
        edge_e8_max=300 * BPS_E8,
        drawdown_e8_max=1_000 * E8,
        inventory_e8_max=50_000 * E8,
        free_margin_e8_min=1_000 * BPS_E8,
        liquidation_e8_min=500 * BPS_E8,
    )
    pair = PairPlan("BTC", (("paradex", PARADEX_SYMBOL), ("vest", VEST_SYMBOL)), plan.size_e8, _rules(plan))
    return BotSettings(
        limits=limits,
        pairs=(pair,),
        simulated=True,
        config_digest=f"seed {plan.seed}",
        watch_every_s=plan.watch_every_ms / 1_000,
        position_age_ns_max=2 * plan.watch_every_ms * MS_NS,
        # Every other seed signs all its orders at once: both ways are the product's.
        presign_within_e8=30 * BPS_E8 if plan.seed % 2 else NEVER_PRESIGN,
    )


def _rules(plan: Plan) -> Any:
    def rules(legs: tuple[Instrument, Instrument]) -> PairRules:
        return PairRules(
            pair_id="BTC",
            legs=legs,
            size_e8=plan.size_e8,
            size_min_e8=E8 // 1_000,
            entry_edge_e8=3 * BPS_E8,
            exit_spread_e8=EXIT_SPREAD_E8,
            funding_e8=0,
            basis_e8=0,
            margin_e8=0,
            slippage_e8=plan.slippage_e8,
            emergency_e8=50 * BPS_E8,
            confirm_updates=plan.confirm_updates,
            confirm_ns=0,
            hold_ns_max=plan.hold_ns_max,
            repairs_max=plan.repairs_max,
            unhedged_ns_max=UNHEDGED_NS_MAX,
            layers_max=plan.layers_max,
            layer_step_e8=2 * BPS_E8,
            harder_leg_first=plan.harder_leg_first,
        )

    return rules
