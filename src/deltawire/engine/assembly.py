"""Puts a live bot together from settings and secrets, and runs it to its end. No other engine file names a venue."""

import asyncio
import hashlib
import os
import random
import secrets as entropy
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from deltawire.config.model import ArmAfterUnclean, BotConfig, PairConfig
from deltawire.config.secrets import NO_SECRETS, BotSecrets
from deltawire.core.edge import PairRules
from deltawire.core.types import Instrument
from deltawire.engine.bot import Bot
from deltawire.engine.clock import SystemClock
from deltawire.engine.control import Command, ControlServer, SocketInUse
from deltawire.engine.guardian import Guardian
from deltawire.engine.ids import run_id
from deltawire.engine.logs import open_log
from deltawire.engine.plan import BotSettings, CannotStart, PairPlan
from deltawire.engine.recovery import read_back
from deltawire.engine.rules import UnusableRules, limits_of, pair_rules
from deltawire.engine.snapshot import status
from deltawire.journal.accounts import AccountLocks, state_folder
from deltawire.journal.leaving import LeavingMark, open_mark
from deltawire.journal.log import JournalLog
from deltawire.journal.segments import JournalError, read
from deltawire.net import loop as net_loop
from deltawire.net import pages
from deltawire.net.sockets import SocketNetwork
from deltawire.net.tls import client_context
from deltawire.observe.log import BufferedLog
from deltawire.venues.contract import EventLog, Refused, Venue
from deltawire.venues.paper.account import PaperAccount
from deltawire.venues.paper.market import PublicMarket
from deltawire.venues.paper.session import PaperVenue
from deltawire.venues.paradex.http import origin_of
from deltawire.venues.paradex.public import ParadexPublic
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest.account import primary_signer
from deltawire.venues.vest.public import VestPublic
from deltawire.venues.vest.reads import PublicReads, split_rest_url
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

EXIT_CLEAN, EXIT_UNCLEAN, EXIT_MISUSED = 0, 1, 2
_MS_NS = 10**6


def run_bot(config: BotConfig, secrets: BotSecrets) -> int:
    """Run a live bot until SIGINT, SIGTERM or `stop`, and return its exit code.

    0: a clean end. 1: any other. 2: it cannot start, for a reason that settings or the journal's place can mend.
    """
    return net_loop.run(run_until(config, secrets, SignalStop()))


async def run_until(
    config: BotConfig, secrets: BotSecrets, stop: "SignalStop", told: Callable[[dict[str, Command]], None] | None = None
) -> int:
    """Run a live bot on the running loop until told to stop, and return its exit code (as run_bot).

    told: called once with what the control socket answers to, as soon as there is a bot.
    """
    clock = SystemClock()
    with open_log(config, secrets, clock) as log:
        log.start()
        try:
            return await _run_logged(config, secrets, clock, log, stop, told or _nobody)
        except (SocketInUse, JournalError, UnusableRules) as e:
            log.error("bot.cannot_start", reason=str(e))
            return EXIT_MISUSED


def assemble(config: BotConfig, secrets: BotSecrets, clock: SystemClock, log: BufferedLog) -> Bot:
    """Make a live bot, not started yet. Takes the journal's lock; raises JournalError when it cannot."""
    journal = JournalLog(config.journal.dir)
    if journal.torn is not None:
        log.warning("journal.torn_tail", kept_in=str(journal.torn.kept_in))
    mark = _mark_of(config.journal.dir, log)
    left = None if mark is None else mark.left
    recovered = read_back((record for _, record in read(config.journal.dir)), clock.unix_ns(), left)
    rng = random.Random(entropy.randbits(64))  # noqa: S311 - for the jitter of reconnects, not for keys
    return Bot(
        _settings(config),
        venues_of(config, secrets, clock, log, rng),
        journal,
        recovered,
        run_id=run_id(clock.unix_ns(), os.getpid()),
        clock=clock,
        log=log,
        mark=mark,
    )


def _mark_of(journal: Path, log: EventLog) -> LeavingMark | None:
    try:
        return open_mark(journal)
    except OSError as e:  # another system, or shared memory that is full: the start after a kill takes longer
        log.info("presigned.no_mark", reason=str(e))
        return None


def run_guardian(config: BotConfig, secrets: BotSecrets) -> int:
    """Watch over the bot of this configuration until SIGINT or SIGTERM, and return the exit code (as run_bot)."""
    return net_loop.run(_guard(config, secrets))


async def _guard(config: BotConfig, secrets: BotSecrets) -> int:
    clock = SystemClock()
    own = config.guardian_view()
    with open_log(own, secrets, clock) as log:
        log.start()
        guardian = Guardian(
            socket=config.control.socket,
            silent_ns=config.guardian.silent_ns,
            make_closer=lambda: assemble(own, secrets, clock, log),
            clock=clock,
            log=log,
        )
        stop = SignalStop()
        stop.listen()
        try:
            await guardian.check()
        except (CannotStart, JournalError, UnusableRules, Refused, OSError, TimeoutError, ValueError) as e:
            log.error("guardian.cannot_start", reason=f"{type(e).__name__}: {e}")
            return EXIT_MISUSED
        log.info("guardian.watching", socket=str(config.control.socket), silent_s=config.guardian.silent_ns / 1e9)
        watching = asyncio.ensure_future(guardian.run())
        await stop.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return EXIT_CLEAN


def _nobody(_commands: dict[str, Command]) -> None: ...


async def _run_logged(
    config: BotConfig,
    secrets: BotSecrets,
    clock: SystemClock,
    log: BufferedLog,
    stop: "SignalStop",
    told: Callable[[dict[str, Command]], None],
) -> int:
    try:
        bot = assemble(config, secrets, clock, log)
    except (ValueError, OSError) as e:  # a key that is not the address's, a paper account that cannot be read
        log.error("bot.cannot_start", reason=str(e))
        return EXIT_MISUSED
    # Paper has no account to share; its journal's lock keeps a second bot away.
    accounts = {} if config.is_paper else {"paradex": secrets.paradex_account, "vest": secrets.vest_primary_address}
    with AccountLocks(accounts, state_folder()):
        commands = _commands(bot, stop, log)
        control = ControlServer(config.control.socket, commands, log)
        try:
            await control.start()
            told(commands)
            with net_loop.tuned(asyncio.get_running_loop(), spin=config.latency.never_sleep, cpu=config.latency.cpu):
                return await run_to_end(bot, stop, log)
        except net_loop.CannotPin as e:
            log.error("bot.cannot_start", reason=str(e))
            await bot.abort()
            return EXIT_MISUSED
        finally:
            await control.close()


async def run_to_end(bot: Bot, stop: "Stop", log: EventLog) -> int:
    """Start the bot, wait for the wish to stop, end it; return the exit code.

    Told to stop while it starts, it gives up starting; but not with a trade of an earlier run open: that one is taken
    over first and closed, as at any other stop.
    """
    stop.listen()
    bot.health.watch_collector()
    starting = asyncio.ensure_future(bot.start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done() and bot.has_inherited:
        log.warning("bot.stop_after_start", reason="a trade of an earlier run is open and will be closed first")
        await asyncio.wait((starting,))
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        log.info("bot.stopped", reason="told to stop while starting")
        await bot.abort()
        return EXIT_CLEAN
    failure = starting.exception()
    if failure is not None:
        stopping.cancel()
        await bot.abort()
        if isinstance(failure, CannotStart | Refused | OSError | TimeoutError | ValueError):
            log.error("bot.cannot_start", reason=f"{type(failure).__name__}: {failure}")
            return EXIT_UNCLEAN
        raise failure
    net_loop.quiet_gc()
    gathered = pages.collapse()
    log.info(
        "bot.memory_gathered",
        huge_bytes=gathered.huge_bytes,
        of_bytes=gathered.of_bytes,
        reason=gathered.reason,
    )
    reason = await stopping
    return EXIT_CLEAN if await bot.stop(reason) else EXIT_UNCLEAN


class Stop(Protocol):
    """The wish to end."""

    def listen(self) -> None:
        """Begin to hear it."""

    async def wait(self) -> str:
        """Wait for it and return its reason."""


class SignalStop:
    """The wish to end, from a signal or the control socket."""

    def __init__(self) -> None:
        self._event, self._reason = asyncio.Event(), ""

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for which in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(which, self.ask, which.name)

    def ask(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._event.set()

    async def wait(self) -> str:
        await self._event.wait()
        return self._reason


def _commands(bot: Bot, stop: SignalStop, log: BufferedLog) -> dict[str, Command]:
    def end() -> dict[str, object]:
        stop.ask("stop")
        return {"state": "stopping"}

    return {
        "status": lambda: status(bot) | {"alarms": log.recent()},
        "guard": bot.guarded,
        "metrics": lambda: status(bot) | {"figures": bot.figures.told(), "log": log.counted()},
        "pause": bot.pause,
        "resume": bot.resume,
        "arm": bot.arm,
        "kill": bot.kill,
        "flatten": lambda: bot.close_all("flatten"),
        "stop": end,
    }


def _settings(config: BotConfig) -> BotSettings:
    return BotSettings(
        limits=limits_of(config),
        pairs=tuple(_plan(pair, config) for pair in config.pairs),
        simulated=config.is_simulated,
        mode=config.mode.value,
        arm_itself=config.arm_after_unclean is ArmAfterUnclean.AUTO,
        presign_within_e8=config.latency.presign_within_e8,
        position_age_ns_max=config.limits.position_age_ns_max,
        config_digest=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16],
    )


def _plan(pair: PairConfig, config: BotConfig) -> PairPlan:
    (venue_a, symbol_a), (venue_b, symbol_b) = pair.legs.items()

    def rules(legs: tuple[Instrument, Instrument]) -> PairRules:
        return pair_rules(pair, config, legs)

    return PairPlan(pair.id, ((venue_a, symbol_a), (venue_b, symbol_b)), pair.size_e8, rules)


def venues_of(
    config: BotConfig, secrets: BotSecrets, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> list[Venue]:
    """Make the adapters of both venues. Mode paper: their public side, and orders filled here. All else is the same."""
    return [make() for make in venue_makers(config, secrets, clock, log, rng).values()]


def venue_makers(
    config: BotConfig, secrets: BotSecrets, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> dict[str, Callable[[], Venue]]:
    """Return what makes each adapter, by venue; a maker raises ValueError for a key that is not the address's."""
    if config.is_paper:
        return {
            "paradex": lambda: _paper(_paradex_public(config, clock, log, rng), config, clock, log, rng),
            "vest": lambda: _paper(_vest_public(config, clock, log, rng), config, clock, log, rng),
        }
    return {
        "paradex": lambda: _paradex(config, secrets, clock, log, rng),
        "vest": lambda: _vest(config, secrets, clock, log, rng),
    }


def market_makers(
    config: BotConfig, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> dict[str, Callable[[], PublicMarket]]:
    """Return what makes the public side of each venue: no account, no key, no private call."""
    return {
        "paradex": lambda: _paradex_public(config, clock, log, rng),
        "vest": lambda: _vest_public(config, clock, log, rng),
    }


def _paper(
    market: PublicMarket, config: BotConfig, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> PaperVenue:
    """Make the paper account of a venue beside the journal: what the venue would keep, kept here."""
    path = config.journal.dir / f"paper-{market.name}.jsonl"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = PaperAccount(path, equity_e8=config.paper.equity_e8, unix_ns=clock.unix_ns())
    return PaperVenue(market, account, leverage=config.paper.leverage, clock=clock, log=log, rng=rng)


def _network(ca_file: Path | None, clock: SystemClock, rng: random.Random) -> SocketNetwork:
    context: ssl.SSLContext = client_context(None if ca_file is None else str(ca_file))
    return SocketNetwork(now_ns=clock.mono_ns, ssl_context=context, rng=rng)


def _symbols(config: BotConfig, venue: str) -> tuple[str, ...]:
    return tuple(pair.legs[venue] for pair in config.pairs)


def _paradex(
    config: BotConfig, secrets: BotSecrets, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> ParadexVenue:
    network = _network(config.venues.paradex.ca_file, clock, rng)
    settings = paradex_settings(config, secrets)
    http = network.rest(origin_of(settings.rest_url))
    return ParadexVenue(settings, network=network, http=http, clock=clock, log=log, rng=rng)


def _paradex_public(config: BotConfig, clock: SystemClock, log: BufferedLog, rng: random.Random) -> ParadexPublic:
    network = _network(config.venues.paradex.ca_file, clock, rng)
    settings = paradex_settings(config, NO_SECRETS)
    http = network.rest(origin_of(settings.rest_url))
    return ParadexPublic(settings, network=network, http=http, clock=clock, log=log, rng=rng)


def paradex_settings(config: BotConfig, secrets: BotSecrets) -> ParadexSettings:
    """Return what the Paradex adapter is told. Settings that are in no file keep the adapter's defaults."""
    venue = config.venues.paradex
    return ParadexSettings(
        rest_url=venue.rest_url,
        ws_url=venue.ws_url,
        account_address=secrets.paradex_account,
        private_key=secrets.paradex_private_key,
        symbols=_symbols(config, "paradex"),
        recv_window_ms=venue.recv_window_ns // _MS_NS,
        clock_offset_max_ms=config.limits.clock_offset_ns_max // _MS_NS,
        reply_timeout_s=config.limits.reply_timeout_ns / 1e9,
        order_class=venue.order_class,
        book_feed=venue.book_feed,
        sbe=venue.sbe,
        order_connections=venue.order_connections,
        feed_connections=venue.feed_connections,
        state_poll_s=venue.state_poll_ns / 1e9,
        # The simulator has releases only when it is told to; a demo must run at any hour.
        release_ahead_s=None if config.is_simulated else venue.release_ahead_ns // 10**9,
    )


def _vest(
    config: BotConfig, secrets: BotSecrets, clock: SystemClock, log: BufferedLog, rng: random.Random
) -> VestVenue:
    settings = vest_settings(config, secrets)
    primary_signer(settings)  # a wrong key is told before anything is opened
    network = _network(config.venues.vest.ca_file, clock, rng)
    origin, _ = split_rest_url(settings.rest_url)
    return VestVenue(settings, network=network, client=network.rest(origin), clock=clock, log=log, rng=rng)


def _vest_public(config: BotConfig, clock: SystemClock, log: BufferedLog, rng: random.Random) -> VestPublic:
    settings = vest_settings(config, NO_SECRETS)
    network = _network(config.venues.vest.ca_file, clock, rng)
    client = network.rest(split_rest_url(settings.rest_url)[0])
    reads = PublicReads(settings, client, clock=clock, log=log)
    return VestPublic(settings, reads, network=network, clock=clock, log=log, rng=rng)


def vest_settings(config: BotConfig, secrets: BotSecrets) -> VestSettings:
    """Return what the Vest adapter is told. Settings that are in no file keep the adapter's defaults."""
    venue = config.venues.vest
    return VestSettings(
        rest_url=venue.rest_url,
        ws_url=venue.ws_url,
        primary_address=secrets.vest_primary_address,
        primary_private_key=secrets.vest_primary_private_key,
        symbols=_symbols(config, "vest"),
        verifying_contract=venue.verifying_contract,
        recv_window_ms=venue.recv_window_ns // _MS_NS,
        clock_offset_max_ms=config.limits.clock_offset_ns_max // _MS_NS,
        exit_recv_window_ms=venue.exit_recv_window_ns // _MS_NS,
        order_style=venue.order_style,
        leverage=venue.leverage,
        send_reduce_only=venue.send_reduce_only,
        pool=venue.pool.settings(),
        ws_headers=tuple(venue.ws_headers.items()),
        fill_poll_after_ms=venue.fill_poll.after_ns // _MS_NS,
        fill_poll_interval_ms=venue.fill_poll.interval_ns // _MS_NS,
        fill_polls=venue.fill_poll.tries,
    )
