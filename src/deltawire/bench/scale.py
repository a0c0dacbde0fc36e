"""What more pairs cost: reaction, CPU and memory of the real bot with 1, 10, 50 and 100 pairs whose books change often.

Both simulated venues quote so many made-up markets, each at the same pace; the bot trades one of them. Once its feeds
run, CPU time and memory are read over a span without orders; then Paradex's price of the one market is stepped up and
down, as in `reaction`, amid the frames of all the others. "reaction" is from the step's frame written to the Paradex
order read, as the venue sees it; "own" from the frame in the bot's callback to both orders handed to the sockets.

Left out: the network. The simulators are one process on one CPU: where they do not keep the pace, the table says so,
and a step's frame then waits behind theirs, which counts here as reaction; "own" is free of that. Their Paradex books
are two levels deep, so that they keep up longer.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deltawire.bench import rig
from deltawire.bench.figures import Figures, Report, Table, figures, machine
from deltawire.bench.process import Usage, subject, usage
from deltawire.bench.reaction import timed_orders
from deltawire.bench.reaction_join import Joined
from deltawire.bench.reaction_run import Burst, Stepping, joined_of
from deltawire.core.latency import presigned
from deltawire.net.loop import run

_BASE = "S001"
_SIZE = "0.1"  # a hundred dollars of it; Paradex takes no order under ten
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class ScaleSettings:
    pairs: tuple[int, ...] = (1, 10, 50, 100)
    updates_per_s: int = 50  # of each book, on each venue
    quiet_s: float = 5.0  # over which CPU time is read
    steps: int = 60  # even, so that it ends flat; few enough for the simulators to remember every frame since the first
    warm_up: int = 6
    pause_ms: float = 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one number of pairs showed."""

    pairs: int
    joined: Joined
    own: list[tuple[int, bool]]  # ns, and whether both orders were signed ahead
    bot: Usage
    sim: Usage
    published_per_s: float
    span_s: float


def bench_scale(settings: ScaleSettings | None = None) -> Report:
    """Run each number of pairs, smallest first; one that this machine cannot simulate is told as missing.

    Raises RuntimeError when not even the first comes up.
    """
    chosen = settings or ScaleSettings()
    seen: list[_Seen] = []
    missing: list[str] = []
    for pairs in chosen.pairs:
        try:
            with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
                seen.append(run(_measure(Path(name), pairs, chosen)))
        except RuntimeError as e:
            if not seen:
                raise
            missing.append(f"{pairs} pairs at {chosen.updates_per_s} updates a second: {e}")
    results: dict[str, Figures] = {}
    for at in seen:
        reactions = [step.read_ns["paradex"] - step.written_ns for step in at.joined.steps]
        own = [own_ns for own_ns, _ in at.own]
        ahead = [own_ns for own_ns, was_ahead in at.own if was_ahead]
        for case, samples in (("reaction", reactions), ("own", own), ("own, signed ahead", ahead)):
            if samples:
                results[f"{case} {at.pairs} pairs"] = figures(samples, "us")
    return Report(
        "scale",
        {
            "pairs": list(chosen.pairs),
            "updates_per_s_and_book": chosen.updates_per_s,
            "steps": chosen.steps,
            "quiet_s": chosen.quiet_s,
            **machine(),
        },
        results,
        _ratios(results, chosen.pairs),
        missing=missing,
        tables=(_table(seen),),
    )


async def _measure(folder: Path, pairs: int, settings: ScaleSettings) -> _Seen:
    every_ms = round(1000 / settings.updates_per_s)
    sim_yaml = (
        f"seed: 1\nsynthetic_markets: {pairs}\nwalk_interval_ms: {every_ms}\n"
        "paradex: {verify_orders: false, depth_levels: 2}\n"
        f"vest: {{depth_median_ms: {every_ms}, depth_p90_ms: {every_ms}, execution_min_ms: 1, execution_max_ms: 3}}\n"
    )
    async with rig.simulators(folder, sim_yaml) as ready, aiohttp.ClientSession(ready["control_url"]) as http:
        await rig.hold_basis(http, ready, 0)
        cpus, own = sorted(os.sched_getaffinity(ready["pid"])), sorted(os.sched_getaffinity(0))
        apart = own[0] if own != cpus else None
        if apart is not None:
            os.sched_setaffinity(0, {*own, *cpus})  # we sleep while a step is under way; the bot finds both CPUs
        where = folder / "bot"
        where.mkdir()
        job = {
            "ready": ready,
            "folder": str(where),
            "never_sleep": False,
            "bases": [f"S{i + 1:03d}" for i in range(pairs)],
            "pair": {"size": _SIZE, "size_min": _SIZE},
        }
        async with subject("subject_bot", job, apart) as process:
            stepping = Stepping(http, _BASE)
            await stepping.step(Burst("hot", settings.warm_up, 0, settings.pause_ms, 0))
            await stepping.take()
            bot, sim, published, span_s = await _quiet_span(http, process.pid, ready["pid"], settings.quiet_s)
            await stepping.step(Burst("hot", settings.steps, 0, settings.pause_ms, 0))
            joined = joined_of(await stepping.take(), market=f"{_BASE}-USD-PERP", answers_all=False)
            said = await process.end()
    if not said["flat"]:
        raise RuntimeError(f"{pairs} pairs: the bot did not end flat and agreed (halted: {said['halted'] or 'no'})")
    return _Seen(pairs, joined, _own(where / "journal", joined), bot, sim, published, span_s)


async def _quiet_span(
    http: aiohttp.ClientSession, bot_pid: int, sim_pid: int, span_s: float
) -> tuple[Usage, Usage, float, float]:
    """Read what bot and simulators use over a span in which nothing is traded, and how many quotes were published."""

    async def published() -> int:
        async with http.get("/state") as answer:
            state: dict[str, Any] = await answer.json()
        return int(state["market"]["published"])

    before, began_s, first = (usage(bot_pid), usage(sim_pid)), time.monotonic(), await published()
    await asyncio.sleep(span_s)
    last, took_s, after = await published(), time.monotonic() - began_s, (usage(bot_pid), usage(sim_pid))
    return after[0].since(before[0]), after[1].since(before[1]), (last - first) / took_s, took_s


def _own(journal: Path, joined: Joined) -> list[tuple[int, bool]]:
    """Return, for each step, ns from the frame in the callback to both orders with the sockets, and if signed ahead."""
    timed, found = timed_orders(journal), []
    for step in joined.steps:
        stamps = [at.stamps for at in timed if step.written_ns <= at.stamps.received_mono_ns < step.until_ns]
        if len(stamps) == 2:
            own_ns = max(at.written_mono_ns for at in stamps) - min(at.received_mono_ns for at in stamps)
            found.append((own_ns, all(presigned(at) for at in stamps)))
    return found


def _ratios(results: dict[str, Figures], pairs: Sequence[int]) -> dict[str, float]:
    ratios = {}
    for case in ("reaction", "own", "own, signed ahead"):
        least = results.get(f"{case} {pairs[0]} pairs")
        for count in pairs[1:]:
            more = results.get(f"{case} {count} pairs")
            if least and more:
                ratios[f"{case} {count} pairs/{pairs[0]} p50"] = more.p50 / least.p50
                ratios[f"{case} {count} pairs/{pairs[0]} p99"] = more.p99 / least.p99
    return ratios


def _table(seen: Sequence[_Seen]) -> Table:
    columns = (
        "pairs",
        "quotes a second and book",
        "bot's CPU, %",
        "CPU per quote, us",
        "bot's memory, MB",
        "simulators' CPU, %",
        "steps timed",
        "signed ahead",
        "unanswered",
        "unclear",
    )
    rows = tuple(
        (
            at.pairs,
            round(at.published_per_s / (2 * at.pairs), 1),
            round(100 * at.bot.cpu_s / at.span_s, 1),
            round(1e6 * at.bot.cpu_s / (at.published_per_s * at.span_s), 1),
            round(at.bot.memory_bytes / _MB, 1),
            round(100 * at.sim.cpu_s / at.span_s, 1),
            len(at.joined.steps),
            sum(was_ahead for _, was_ahead in at.own),
            at.joined.unanswered,
            at.joined.unclear,
        )
        for at in seen
    )
    return Table("What the bot uses while nothing is traded, and how the steps went", columns, rows)
