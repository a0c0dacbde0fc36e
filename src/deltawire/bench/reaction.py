"""The bot's own time: from the market frame handed to us by the socket to both orders handed to the sockets.

The real bot, live, against both simulated venues in another process over TLS. The market is held wide and narrow in
turn, so that entries and exits follow each other; every safety is on: limits, journal, intents first. Each sample
is one trigger, taken from the stamps the bot journals for every order. With two CPUs or more, bot and venues have one
each: on a shared one the kernel runs the woken venue before the bot's own write call returns, and counts it here.

Left out: the network and the venues (see connect), the wait for confirmations (one update is enough here).
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from deltawire.bench.figures import Report, figures, machine
from deltawire.config.model import BotConfig
from deltawire.config.secrets import BotSecrets
from deltawire.core.secret import Secret
from deltawire.engine.assembly import assemble
from deltawire.engine.bot import Bot
from deltawire.engine.clock import SystemClock
from deltawire.engine.snapshot import status
from deltawire.journal.records import OrderIntended, OrderTimed
from deltawire.journal.segments import read
from deltawire.net.loop import quiet_gc, run
from deltawire.observe.log import BufferedLog

_WIDE_BPS, _NARROW_BPS = 40, 0
_READY_S, _ROUND_S = 30.0, 20.0
_POLL_S = 0.005
_SIM_YAML = """seed: 1
vest: {depth_median_ms: 60, depth_p90_ms: 120, execution_min_ms: 1, execution_max_ms: 3}
"""


@dataclass(frozen=True, slots=True)
class ReactionSettings:
    round_trips: int = 100
    warm_up: int = 5  # round trips thrown away
    pause_ms: float = 30.0  # between two triggers: each finds an idle machine


def bench_reaction(settings: ReactionSettings | None = None) -> Report:
    """Run simulators and bot, measure, end both. Raises RuntimeError when a round trip does not happen in time."""
    chosen = settings or ReactionSettings()
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        run(_measure(Path(name), chosen))
        samples = _samples(Path(name) / "journal", skip=2 * chosen.warm_up)
    return Report(
        name="reaction",
        settings={
            "round_trips": chosen.round_trips,
            "pause_ms": chosen.pause_ms,
            "signing": "in the path",
            "journal": "every intent written before its bytes",
            **machine(),
        },
        results={case: figures(taken, "us") for case, taken in samples.items()},
        ratios={},
    )


async def _measure(folder: Path, settings: ReactionSettings) -> None:
    async with _simulators(folder) as ready, aiohttp.ClientSession() as http:
        clock = SystemClock()
        log = BufferedLog(clock, [])
        bot = assemble(_config(folder, ready), _secrets(ready), clock, log)

        async def spread(bps: int) -> None:
            async with http.post(f"{ready['control_url']}/market", json={"basis_bps": bps}) as answer:
                answer.raise_for_status()

        await spread(_NARROW_BPS)
        await bot.start()
        quiet_gc()
        for _ in range(settings.warm_up + settings.round_trips):
            done = len(bot.closed)
            await spread(_WIDE_BPS)
            await _until(bot, lambda: _pair_state(bot) == "holding", "an entry")
            await asyncio.sleep(settings.pause_ms / 1e3)
            await spread(_NARROW_BPS)
            await _until(bot, lambda done=done: len(bot.closed) > done, "an exit")  # type: ignore[misc]  # bound now
            await asyncio.sleep(settings.pause_ms / 1e3)
        if not await bot.stop("bench"):
            raise RuntimeError("the bot did not end flat and agreed: its figures cannot be trusted")


def _pair_state(bot: Bot) -> str:
    return str(status(bot)["pairs"][0]["state"])


async def _until(bot: Bot, done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _ROUND_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} within {_ROUND_S:g} s; halted: {bot.gate.halted or 'no'}")
        await asyncio.sleep(_POLL_S)


@contextlib.asynccontextmanager
async def _simulators(folder: Path) -> AsyncIterator[dict[str, Any]]:
    config, ready_file = folder / "sim.yaml", folder / "ready.json"
    config.write_text(_SIM_YAML)
    command = [sys.executable, "-m", "deltawire", "sim", "--config", str(config), "--ready-file", str(ready_file)]
    cpus = sorted(os.sched_getaffinity(0))
    sim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - ours
    try:
        if len(cpus) > 1:
            os.sched_setaffinity(sim.pid, {cpus[1]})
            os.sched_setaffinity(0, {cpus[0]})
        deadline = time.monotonic() + _READY_S
        while not ready_file.exists():
            if time.monotonic() > deadline or sim.poll() is not None:
                raise RuntimeError("the simulators did not come up; `deltawire sim` tells why")
            await asyncio.sleep(_POLL_S)
        yield msgspec.json.decode(ready_file.read_bytes())
    finally:
        sim.terminate()
        sim.wait(timeout=10)
        os.sched_setaffinity(0, cpus)


def _config(folder: Path, ready: dict[str, Any]) -> BotConfig:
    venues = {name: {**ready[name], "ca_file": ready["ca_file"]} for name in ("paradex", "vest")}
    pair = {
        "id": "BTC",
        "legs": {"paradex": "BTC-USD-PERP", "vest": "BTC-PERP"},
        "size": "0.001",
        "size_min": "0.001",
        "entry_edge_bps": "3",
        "exit_spread_bps": "5",
        "confirm_updates": "1",
        "max_hold_s": "60",
    }
    limits = {
        "order_notional_max_usd": "2000",
        "daily_loss_max_usd": "100000",
        "open_pairs_max": "1",
        "orders_per_minute_max": "9999",
    }
    return BotConfig.model_validate(
        {
            "mode": "live",
            "venues": venues,
            "pairs": [pair],
            "limits": limits,
            "journal": {"dir": str(folder / "journal")},
            "control": {"socket": str(folder / "bot.sock")},
        },
        context={"folder": folder},
    )


def _secrets(ready: dict[str, Any]) -> BotSecrets:
    account = ready["accounts"][0]
    return BotSecrets(
        paradex_account=account["paradex"]["account_address"],
        paradex_private_key=Secret(account["paradex"]["private_key"]),
        vest_primary_address=account["vest"]["primary_address"],
        vest_primary_private_key=Secret(account["vest"]["primary_private_key"]),
    )


def _samples(journal: Path, skip: int) -> dict[str, list[int]]:
    """Join the stamps of both orders of each trigger; repairs and timer closes have no frame behind them."""
    triggers: dict[tuple[str, str], list[OrderTimed]] = defaultdict(list)
    of_order: dict[str, OrderIntended] = {}
    for _, record in read(journal):
        if isinstance(record, OrderIntended):
            of_order[record.client_id] = record
        elif isinstance(record, OrderTimed) and record.stamps.received_mono_ns:
            intent = of_order[record.client_id]
            triggers[intent.trade_id, intent.purpose].append(record)
    samples: dict[str, list[int]] = defaultdict(list)
    for pair in list(triggers.values())[skip:]:
        if len(pair) == 2:
            _add(samples, pair)
    return dict(samples)


def _add(samples: dict[str, list[int]], pair: Iterable[OrderTimed]) -> None:
    by_venue = {timed.venue: timed.stamps for timed in pair}
    received_ns = min(stamps.received_mono_ns for stamps in by_venue.values())
    samples["frame_to_both_written"].append(max(s.written_mono_ns for s in by_venue.values()) - received_ns)
    samples["frame_to_first_written"].append(min(s.written_mono_ns for s in by_venue.values()) - received_ns)
    samples["frame_to_decided"].append(min(s.decided_mono_ns for s in by_venue.values()) - received_ns)
    for venue, stamps in by_venue.items():
        samples[f"{venue}_signature"].append(stamps.signed_mono_ns - stamps.prepared_mono_ns)
        samples[f"{venue}_encode"].append(stamps.encoded_mono_ns - stamps.signed_mono_ns)
    encoded_ns = max(s.encoded_mono_ns for s in by_venue.values())
    samples["both_encoded_to_both_written"].append(max(s.written_mono_ns for s in by_venue.values()) - encoded_ns)
