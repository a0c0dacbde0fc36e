"""Wire to wire, as the venue sees it: the frame of a price step written, the order that answers it read.

Clients take turns against the same simulators, in shuffled blocks, each in a process of its own: the real bot (live,
both books, both legs, every limit, journal and log), the floor (its loop and sockets, an order made before, sent back
at each frame; the venues read and refuse it), and, where their environment is there, the official SDK paradex-py and
ccxt with the bare job of one leg, on an account of their own. The simulators fire a step of 40 bps and back by a timer
of their own: `idle` once the market's stream has been silent for 10 ms, `hot` 2 ms after the last of ten frames.
`never-sleep`: the client's loop spins instead of waiting. `own` is the bot's part, from its journal: from the frame in
its callback to both orders handed to the sockets; with `wire` before and behind it makes up the Paradex reaction.
A step the bot holds back (steps come so fast that a look at the accounts may meet Vest's list before it shows the last
fill: then nothing is opened until it is read again) and enters on a later frame counts with its whole wait: this is the
far tail, tens of ms. `own of the floor` is the same of the floor, which does nothing but call write: what the two calls
cost here.

With two CPUs or more, clients have one and the venues another: on a shared one the kernel runs the woken venue before
the client's own write call returns.

Left out: the network, the network card, and the wait for confirmations (one update is enough here). Both venues are one
process, which reads the Vest order when it has dealt with the Paradex one; the floor's is refused and so dealt with
sooner, which flatters it by that much in the Vest figures. ccxt is timed from the frame of the book, which comes up to
50 ms after the best price, and to the head of its HTTPS request.
"""

import asyncio
import json
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from deltawire.bench import others, rig, subject_floor
from deltawire.bench.figures import Figures, Report, Table, figures, machine
from deltawire.bench.reaction_join import Step
from deltawire.bench.reaction_run import Block, Burst, Client, other_clients, own_clients, run_block
from deltawire.core.latency import presigned
from deltawire.core.stamps import OrderStamps
from deltawire.journal.records import OrderIntended, OrderTimed
from deltawire.journal.segments import read
from deltawire.net.loop import run

# A quarter of the recorded pace: about 50 frames a second of this market. Both venues are one process: checking the
# signature of the Paradex order would keep it from reading Vest's.
_SIM_YAML = "seed: 1\nspeed: 0.25\naccounts: 2\nparadex: {verify_orders: false}\n" + rig.QUICK_VEST
_VENUES = ("paradex", "vest")
_CLIENTS = ("floor", "deltawire", *others.PACKAGES)
_TAIL_N_MIN = 100  # of fewer samples p99 is the largest one: no ratio is made of that
_WAYS = ("idle", "hot", "idle never-sleep", "hot never-sleep")


@dataclass(frozen=True, slots=True)
class ReactionSettings:
    """Steps are per block; even, so that each block ends flat. A slow client gets fewer, further apart.

    A spinning loop gets half as many: the usual case, which sleeps, is the one whose tail needs the samples.
    """

    blocks: int = 3
    idle_steps: int = 100
    hot_steps: int = 24
    slow_idle_steps: int = 12
    slow_hot_steps: int = 8
    warm_up: int = 6
    pause_ms: float = 120.0  # triggers are seconds apart in life; by then the next orders are signed ahead
    slow_pause_ms: float = 200.0
    quiet_ms: int = 10
    hot_frames: int = 10
    never_sleep: bool = True  # whether our two clients run a second time with a spinning loop
    others: bool = True  # whether clients we did not write take part
    seed: int = 1

    def bursts(self, client: Client) -> list[Burst]:
        idle, hot, pause_ms = (
            (self.slow_idle_steps, self.slow_hot_steps, self.slow_pause_ms)
            if client.is_slow
            else (self.idle_steps, self.hot_steps, self.pause_ms)
        )
        if client.never_sleep:
            idle, hot = idle // 4 * 2, hot // 4 * 2
        return [
            Burst("idle", idle, 0, pause_ms, self.quiet_ms),
            Burst("hot", hot, self.hot_frames, pause_ms, self.quiet_ms),
        ]


@dataclass(slots=True)
class _Seen:
    """All blocks together."""

    samples: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ladder: dict[tuple[str, str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    versions: dict[str, str] = field(default_factory=dict)


def bench_reaction(settings: ReactionSettings | None = None) -> Report:
    """Run simulators and clients, measure, end all. Raises RuntimeError when a client fails or does not end flat."""
    chosen = settings or ReactionSettings()
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        seen, missing = run(_measure(Path(name), chosen))
    results = {case: figures(taken, "us") for case, taken in sorted(seen.samples.items(), key=_in_order)}
    return Report(
        name="reaction",
        settings={
            "blocks": chosen.blocks,
            "steps_idle_and_hot": [chosen.idle_steps, chosen.hot_steps],
            "pause_ms": chosen.pause_ms,
            "seed": chosen.seed,
            **seen.versions,
            **machine(),
        },
        results=results,
        ratios=_ratios(results),
        missing=missing,
        tables=_tables(seen),
    )


async def _measure(folder: Path, settings: ReactionSettings) -> tuple[_Seen, list[str]]:
    seen, rng = _Seen(), random.Random(settings.seed)  # noqa: S311  the order of blocks
    async with rig.simulators(folder, _SIM_YAML) as ready, aiohttp.ClientSession() as http:
        await rig.hold_basis(http, ready, 0)
        cpus = sorted(os.sched_getaffinity(ready["pid"]))
        own = sorted(os.sched_getaffinity(0))
        client_cpu = own[0] if own != cpus else None
        if client_cpu is not None:
            # We sleep while a step is under way, and so are in nobody's way. Clients we start find both CPUs.
            os.sched_setaffinity(0, {*own, *cpus})
        theirs, missing = (
            other_clients(ready) if settings.others else ([], ["paradex-py and ccxt: left out by setting"])
        )
        clients = [client for client in own_clients() if settings.never_sleep or not client.never_sleep] + theirs
        for number in range(settings.blocks):
            rng.shuffle(clients)
            for client in clients:
                where = folder / f"{number}-{client.label.replace(' ', '-')}"
                await asyncio.to_thread(where.mkdir)
                block = await run_block(client, ready, where, client_cpu, settings.warm_up, settings.bursts(client))
                await asyncio.to_thread(_add, seen, block)
    return seen, missing


def _add(seen: _Seen, block: Block) -> None:
    client, said = block.client, block.said
    if "version" in said:
        seen.versions[client.name] = said["version"]
    if not said.get("flat", True):
        raise RuntimeError(f"the bot did not end flat and agreed (halted: {said['halted'] or 'no'}): no figure counts")
    timed = timed_orders(block.folder / "journal") if client.name == "deltawire" else []
    if client.name == "floor":
        _add_floor(seen, block)
    for mode, joined in block.joined.items():
        way = f"{mode} never-sleep" if client.never_sleep else mode
        count = seen.steps[client.name, way]
        count.update(timed=len(joined.steps), unanswered=joined.unanswered, unclear=joined.unclear)
        for step in joined.steps:
            for venue, read_ns in step.read_ns.items():
                seen.samples[f"{client.name} {venue} {way}"].append(read_ns - step.written_ns)
        for step, orders in _by_step(timed, joined.steps):
            _add_own(seen, way, step, orders)


def _add_floor(seen: _Seen, block: Block) -> None:
    """Say how long the floor itself takes: what the two write calls cost on this machine, whoever makes them."""
    answers = json.loads((block.folder / subject_floor.ANSWERS).read_text())
    for mode, joined in block.joined.items():
        way = f"{mode} never-sleep" if block.client.never_sleep else mode
        for step in joined.steps:
            for received_ns, first_ns, both_ns in answers:
                if step.written_ns <= received_ns < step.until_ns:
                    seen.samples[f"own of the floor: frame to first written {way}"].append(first_ns - received_ns)
                    seen.samples[f"own of the floor: frame to both written {way}"].append(both_ns - received_ns)
                    break


@dataclass(frozen=True, slots=True)
class TimedOrder:
    venue: str
    purpose: str
    stamps: OrderStamps


def timed_orders(journal: Path) -> list[TimedOrder]:
    """Return the orders of a journal that a frame had caused, in the order of those frames."""
    purposes: dict[str, str] = {}
    found = []
    for _, record in read(journal):
        if isinstance(record, OrderIntended):
            purposes[record.client_id] = str(record.purpose)
        elif isinstance(record, OrderTimed) and record.stamps.received_mono_ns:
            purpose = purposes.get(record.client_id, "unknown")
            found.append(TimedOrder(record.venue, purpose, record.stamps))
    return sorted(found, key=lambda order: order.stamps.received_mono_ns)


def _by_step(timed: Sequence[TimedOrder], steps: Sequence[Step]) -> list[tuple[Step, list[TimedOrder]]]:
    """Return the steps the bot answered with an order at each venue, and these orders."""
    pairs = []
    for step in steps:
        answers = [at for at in timed if step.written_ns <= at.stamps.received_mono_ns < step.until_ns]
        if len(answers) == len({at.venue for at in answers}) == len(_VENUES):
            pairs.append((step, answers))
    return pairs


def _add_own(seen: _Seen, way: str, step: Step, orders: Sequence[TimedOrder]) -> None:
    stamps = [order.stamps for order in orders]
    received_ns = min(at.received_mono_ns for at in stamps)
    decided_ns = min(at.decided_mono_ns for at in stamps)
    written = sorted(at.written_mono_ns for at in stamps)
    add = seen.samples
    add[f"own frame to first written {way}"].append(written[0] - received_ns)
    add[f"own frame to both written {way}"].append(written[-1] - received_ns)
    for order in orders:
        kind = "ladder" if presigned(order.stamps) else "signed at once"
        seen.ladder[way, order.purpose, order.venue].update((kind,))
    if way != "idle":
        return
    add["wire: frame written to callback"].append(received_ns - step.written_ns)
    add["wire: order handed to socket to read, Paradex"] += [
        step.read_ns["paradex"] - order.stamps.written_mono_ns for order in orders if order.venue == "paradex"
    ]
    add[f"own: frame to both written, {orders[0].purpose}"].append(written[-1] - received_ns)
    booked_ns = [at.decoded_mono_ns for at in stamps if at.decoded_mono_ns]
    if booked_ns:
        add["own: frame to booked"].append(min(booked_ns) - received_ns)
        add["own: booked to decided"].append(decided_ns - min(booked_ns))
    add["own: decided to first written"].append(written[0] - decided_ns)
    add["own: first to both written"].append(written[-1] - written[0])
    for order in orders:
        at = order.stamps
        if not presigned(at):
            add[f"own: {order.venue} signature"].append(at.signed_mono_ns - at.prepared_mono_ns)
            add[f"own: {order.venue} encode"].append(at.encoded_mono_ns - at.signed_mono_ns)


def _in_order(item: tuple[str, Any]) -> tuple[int, int, int, str]:
    """Put what is to be compared side by side: by venue, by mode, by client; the bot's own steps at the end."""
    name = item[0]
    client, _, rest = name.partition(" ")
    venue, _, way = rest.partition(" ")
    if client not in _CLIENTS:
        return len(_VENUES), _WAYS.index(way) if way in _WAYS else 0, 0, name
    return _VENUES.index(venue), _WAYS.index(way), _CLIENTS.index(client), name


def _ratios(results: Mapping[str, Figures]) -> dict[str, float]:
    ratios = {}
    for venue in _VENUES:
        for way in _WAYS:
            ours, floor = results.get(f"deltawire {venue} {way}"), results.get(f"floor {venue} {way}")
            if ours and floor:
                ratios[f"deltawire/floor {venue} {way} p50"] = ours.p50 / floor.p50
                if min(ours.n, floor.n) >= _TAIL_N_MIN:
                    ratios[f"deltawire/floor {venue} {way} p99"] = ours.p99 / floor.p99
    for written in ("first", "both"):
        for way in _WAYS:
            ours = results.get(f"own frame to {written} written {way}")
            floor = results.get(f"own of the floor: frame to {written} written {way}")
            if ours and floor:
                ratios[f"deltawire/floor own time, frame to {written} written {way} p50"] = ours.p50 / floor.p50
    for other in ("paradex-py", "ccxt"):
        for way in ("idle", "hot"):
            ours, theirs = results.get(f"deltawire paradex {way}"), results.get(f"{other} paradex {way}")
            if ours and theirs:
                ratios[f"deltawire/{other} {way} p50"] = ours.p50 / theirs.p50
    return ratios


def _tables(seen: _Seen) -> tuple[Table, ...]:
    ladder = Table(
        "Orders of timed steps, and how many of them were signed ahead",
        ("mode", "purpose", "venue", "orders", "from the ladder", "signed at once"),
        tuple(
            (*labels, kinds.total(), kinds["ladder"], kinds["signed at once"])
            for labels, kinds in sorted(seen.ladder.items())
        ),
    )
    steps = Table(
        "Steps; an unclear one may have been answered by another order than the one read, and does not count",
        ("client", "mode", "timed", "unanswered", "unclear"),
        tuple(
            (client, way, count["timed"], count["unanswered"], count["unclear"])
            for (client, way), count in sorted(seen.steps.items())
        ),
    )
    return ladder, steps
