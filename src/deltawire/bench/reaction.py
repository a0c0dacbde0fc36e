"""The bot's own time: from the market frame handed to us by the socket to both orders handed to the sockets.

The real bot, live, against both simulated venues in another process over TLS. The market is held wide and narrow in
turn, so that entries and exits follow each other; every safety is on: limits, journal, intents first. Each sample
is one trigger, taken from the stamps the bot journals for every order. With two CPUs or more, bot and venues have one
each: on a shared one the kernel runs the woken venue before the bot's own write call returns, and counts it here.

Left out: the network and the venues (see connect), the wait for confirmations (one update is enough here).
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deltawire.bench import rig
from deltawire.bench.figures import Report, figures, machine
from deltawire.engine.assembly import assemble
from deltawire.engine.bot import Bot
from deltawire.engine.clock import SystemClock
from deltawire.engine.snapshot import status
from deltawire.journal.records import OrderIntended, OrderTimed
from deltawire.journal.segments import read
from deltawire.net.loop import quiet_gc, run
from deltawire.observe.log import BufferedLog

_WIDE_BPS, _NARROW_BPS = 40, 0
_ROUND_S = 20.0
_SIM_YAML = "seed: 1\n" + rig.QUICK_VEST


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
    async with rig.simulators(folder, _SIM_YAML) as ready, aiohttp.ClientSession() as http:
        clock = SystemClock()
        log = BufferedLog(clock, [])
        config = rig.bot_config(folder, rig.bot_settings(folder, ready))
        bot = assemble(config, rig.bot_secrets(ready), clock, log)
        await rig.hold_basis(http, ready, _NARROW_BPS)
        await bot.start()
        quiet_gc()
        for _ in range(settings.warm_up + settings.round_trips):
            done = len(bot.closed)
            await rig.hold_basis(http, ready, _WIDE_BPS)
            await _until(bot, lambda: _pair_state(bot) == "holding", "an entry")
            await asyncio.sleep(settings.pause_ms / 1e3)
            await rig.hold_basis(http, ready, _NARROW_BPS)
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
        await asyncio.sleep(rig.POLL_S)


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
