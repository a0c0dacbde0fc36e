"""Runs both simulated venues as one process: market, certificate authority, accounts, network, control URL, ready file.

Puts the parts together and takes them down again in order; has no rule of any venue in it. Everything binds to
127.0.0.1. The ready file and the CA file are all another process needs (design section 8).
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme

from deltawire.net.loop import run
from deltawire.net.tls import server_context
from deltawire.observe.log import BufferedLog, Level, Output, human_line
from deltawire.sim.clock import RealClock
from deltawire.sim.control import ControlServer, VenueState
from deltawire.sim.credentials import ParadexKeys, VestKeys, paradex_keys, vest_keys
from deltawire.sim.faults import VENUES, Faults
from deltawire.sim.market import Market
from deltawire.sim.network import DelayProxy, Link, PortLinks
from deltawire.sim.network_faults import strike_network
from deltawire.sim.paradex_server import ParadexSim
from deltawire.sim.player import Player
from deltawire.sim.recording import load_recording
from deltawire.sim.scenario import start_scenario
from deltawire.sim.settings import SimSettings
from deltawire.sim.settings_file import load_settings
from deltawire.sim.trigger import Trigger
from deltawire.sim.vest_server import VestSim
from deltawire.sim.walk import walk_ticks
from deltawire.venues.contract import Clock, EventLog

_HOST = "127.0.0.1"
PORTS = ("rest", "ws")


def sim_main(
    config: Path | None, ready_file: Path, *, seed: int | None = None, rtt_ms: float | None = None, quiet: bool = False
) -> int:
    """Run the simulators until SIGTERM or SIGINT, then return 0. For the command line: its own process and loop.

    config: settings (None: defaults); seed and rtt_ms override it. quiet: log warnings only. Raises ConfigError.
    """
    settings = SimSettings() if config is None else load_settings(config)
    if seed is not None:
        settings = replace(settings, seed=seed)
    if rtt_ms is not None:
        settings = replace(settings, rtt_ns=round(rtt_ms * 1e6))
    run(_until_signalled(settings, ready_file, quiet=quiet))
    return 0


async def run_sim(settings: SimSettings, *, ready_file: Path, stop: asyncio.Event, log: EventLog) -> None:
    """Start everything, write the ready file, and take it all down once stop is set."""
    _remove(ready_file)  # an older run's would send its reader to ports that are gone
    async with AsyncExitStack() as cleanup:
        ready = await _start(settings, cleanup, log)
        _write_private(ready_file, json.dumps(ready, indent=2) + "\n")
        cleanup.callback(_remove, ready_file)
        # What lives now lives to the end: the collector need not walk it again while orders are timed.
        gc.collect()
        gc.freeze()
        cleanup.callback(gc.unfreeze)
        log.info("sim.ready", ready_file=str(ready_file), control_url=ready["control_url"])
        await stop.wait()
        log.info("sim.stopping")


async def _start(settings: SimSettings, cleanup: AsyncExitStack, log: EventLog) -> dict[str, Any]:
    """Start all parts, each with its end on the stack; returns the ready file's content."""
    clock, faults, rng = RealClock(), Faults(), random.Random(settings.seed)
    clocks = {name: RealClock() for name in VENUES}  # each venue's own: its date can be set wrong
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="deltawire-sim-")))  # mode 0700
    certificate_file, ca_file = _certificates(folder)
    tls = server_context(str(certificate_file))
    market, player = _market(settings, clock)
    keys = [(paradex_keys(), vest_keys()) for _ in range(settings.accounts)]

    paradex = ParadexSim(clock=clocks["paradex"], market=market, faults=faults, settings=settings.paradex, log=log)
    vest_settings = replace(settings.vest, seed=settings.seed)
    vest = VestSim(clock=clocks["vest"], market=market, faults=faults, settings=vest_settings, log=log)
    for paradex_account, vest_account in keys:
        paradex.add_account(paradex_account.account_address, paradex_account.public_key, settings.collateral_e8)
        vest.add_account(vest_account.primary_address, settings.collateral_e8)

    player.prime()
    player.play()
    cleanup.callback(player.pause)
    cleanup.push_async_callback(paradex.stop)
    network = _Network(settings, rng, faults, log, cleanup)
    paradex_rest, paradex_ws = await network.before("paradex", await paradex.start(tls))
    cleanup.push_async_callback(vest.stop)
    vest_rest, vest_ws = await network.before("vest", await vest.start(tls))
    call_later = asyncio.get_running_loop().call_later
    trigger = Trigger(player, clock=clock, call_later=call_later, last_written_mono_ns=paradex.market_written_mono_ns)
    venues: dict[str, VenueState] = {"paradex": paradex, "vest": vest}
    control = ControlServer(market=market, player=player, faults=faults, venues=venues, trigger=trigger, clocks=clocks)
    cleanup.push_async_callback(control.stop)
    control_port = await control.start()
    start_scenario(settings.faults, faults, asyncio.get_running_loop().call_later)
    return {
        "paradex": {"rest_url": f"https://{_HOST}:{paradex_rest}/v1", "ws_url": f"wss://{_HOST}:{paradex_ws}/v1"},
        "vest": {
            "rest_url": f"https://{_HOST}:{vest_rest}/v2",
            "ws_url": f"wss://{_HOST}:{vest_ws}/ws-api?version=1.0",
        },
        "ca_file": str(ca_file),
        "accounts": [_account_json(*pair) for pair in keys],
        "control_url": f"http://{_HOST}:{control_port}",
    }


def _market(settings: SimSettings, clock: Clock) -> tuple[Market, Player]:
    if settings.walk is None:
        recording = load_recording()
        bases, ticks = recording.bases, recording.ticks()
    else:
        bases, ticks = (
            tuple(settings.walk),
            walk_ticks(settings.walk, settings.walk_settings, random.Random(settings.seed)),
        )
    market = Market(bases)
    player = Player(
        market,
        ticks,
        clock=clock,
        call_later=asyncio.get_running_loop().call_later,
        basis=settings.basis,
        seed=settings.seed,
        speed_e8=settings.speed_e8,
    )
    return market, player


class _Network:
    """Puts the simulated network in front of a venue's ports, where the settings ask for one."""

    def __init__(
        self, settings: SimSettings, rng: random.Random, faults: Faults, log: EventLog, cleanup: AsyncExitStack
    ) -> None:
        self._settings, self._rng, self._faults, self._log, self._cleanup = settings, rng, faults, log, cleanup

    async def before(self, venue: str, ports: tuple[int, int]) -> tuple[int, int]:
        """Return the ports to connect to instead of a venue's REST and WebSocket port."""
        settings = self._settings
        named = dict(zip(PORTS, ports, strict=True))
        wanted = settings.rtt_ns or settings.jitter_ns or any(at == venue for at, _ in settings.network)
        proxies = {name: self._proxy(venue, name, port) for name, port in named.items()} if wanted else {}
        strike_network(venue, proxies, self._faults, asyncio.get_running_loop().call_later)
        for name, proxy in proxies.items():
            self._cleanup.push_async_callback(proxy.stop)
            named[name] = await proxy.start()
        return named["rest"], named["ws"]

    def _proxy(self, venue: str, name: str, port: int) -> DelayProxy:
        settings = self._settings
        one_way_ns = settings.rtt_ns // 2
        usual = Link(one_way_ns, settings.rtt_ns - one_way_ns, settings.jitter_ns, settings.jitter_ns)
        links = settings.network.get((venue, name), PortLinks(usual))
        rng = random.Random(self._rng.getrandbits(64))
        return DelayProxy(port, links, rng=rng, log=self._log, name=f"{venue} {name}")


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Make a CA for this run and a certificate for loopback; returns the server's file (with key) and the CA's."""
    ca = trustme.CA()
    server_file, ca_file = folder / "server.pem", folder / "ca.pem"
    ca.issue_cert(_HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(server_file))
    ca.cert_pem.write_to_path(str(ca_file))
    return server_file, ca_file


def _account_json(paradex: ParadexKeys, vest: VestKeys) -> dict[str, Any]:
    return {"paradex": paradex.as_json(), "vest": vest.as_json()}


def _write_private(path: Path, text: str) -> None:
    """Write a whole file of mode 0600, or none: a reader never sees half of it."""
    handle, written = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(written).replace(path)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _until_signalled(settings: SimSettings, ready_file: Path, *, quiet: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with _log(quiet=quiet) as log:
        await run_sim(settings, ready_file=ready_file, stop=stop, log=log)


@contextmanager
def _log(*, quiet: bool) -> Iterator[EventLog]:
    log = BufferedLog(RealClock(), [Output(sys.stderr.buffer, human_line, Level.WARNING if quiet else Level.INFO)])
    log.start()
    try:
        yield log
    finally:
        log.close()
