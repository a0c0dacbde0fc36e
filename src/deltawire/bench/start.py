"""From the start of the process to a bot that may trade, and the memory it then has: `deltawire run`, as operators do.

With one pair and with ten, next to the venues and at a distance; the threshold is so high that nothing is traded. Ready
is the moment the bot says so in its log. "own" parts are the interpreter and the program's imports, which no venue has
a share in. Each start finds the files in the system's cache: the first after a boot takes longer.

Left out: compiling the sources, done once after an installation, and recovery of trades an earlier run left open.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltawire.bench import rig
from deltawire.bench.figures import Report, Table, figures, machine
from deltawire.bench.process import usage
from deltawire.net.loop import run

_READY_S, _END_S = 60.0, 60.0
_SETTLE_S = 2.0  # until memory is read: books, connections and the first reads are there
_MB = 1_000_000
_NEVER_TRADES = {"entry_edge_bps": "250", "size": "0.1", "size_min": "0.1"}


@dataclass(frozen=True, slots=True)
class StartSettings:
    pairs: tuple[int, ...] = (1, 10)
    rtts_ms: tuple[float, ...] = (0.0, 80.0)
    rounds: int = 5


@dataclass(slots=True)
class _Seen:
    samples: dict[str, list[int]]
    memory: dict[str, list[int]]


def bench_start(settings: StartSettings | None = None) -> Report:
    """Start the bot again and again. Raises RuntimeError, with its last words, when it does not become ready."""
    chosen = settings or StartSettings()
    seen = _Seen({}, {})
    run(_own_parts(seen, chosen.rounds))
    for rtt_ms in chosen.rtts_ms:
        for pairs in chosen.pairs:
            with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
                run(_starts(seen, Path(name), pairs, rtt_ms, chosen.rounds))
    results = {case: figures(taken, "ms") for case, taken in seen.samples.items()}
    ratios = {}
    near, *farther = chosen.rtts_ms
    for rtt_ms in farther:
        for pairs in chosen.pairs:
            more_ms = results[_case(pairs, rtt_ms)].p50 - results[_case(pairs, near)].p50
            ratios[f"round trips of a start, {pairs} pairs at {rtt_ms:g} ms"] = more_ms / (rtt_ms - near)
    memory = Table(
        "Memory of the bot when ready, MB",
        ("case", "n", "least", "most"),
        tuple(
            (case, len(taken), round(min(taken) / _MB, 1), round(max(taken) / _MB, 1))
            for case, taken in seen.memory.items()
        ),
    )
    return Report(
        "start",
        {"pairs": list(chosen.pairs), "rtts_ms": list(chosen.rtts_ms), "rounds": chosen.rounds, **machine()},
        results,
        ratios,
        tables=(memory,),
    )


def _case(pairs: int, rtt_ms: float) -> str:
    return f"process start to ready, {pairs} pairs, {rtt_ms:g} ms"


async def _own_parts(seen: _Seen, rounds: int) -> None:
    parts = {
        "own: interpreter": "pass",
        "own: interpreter and imports": "import deltawire.cli.run, deltawire.engine.assembly",
    }
    for _ in range(rounds):
        for name, code in parts.items():
            before_ns = time.monotonic_ns()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            if await process.wait():
                raise RuntimeError(f"{name}: ended with code {process.returncode}")
            seen.samples.setdefault(name, []).append(time.monotonic_ns() - before_ns)


async def _starts(seen: _Seen, folder: Path, pairs: int, rtt_ms: float, rounds: int) -> None:
    sim_yaml = f"seed: 1\nsynthetic_markets: {pairs}\nrtt_ms: {rtt_ms:g}\n{rig.QUICK_VEST}"
    async with rig.simulators(folder, sim_yaml, apart=False) as ready:
        for number in range(rounds):
            where = folder / str(number)
            where.mkdir()
            took_ns, memory_bytes = await _start(where, ready, pairs)
            case = _case(pairs, rtt_ms)
            seen.samples.setdefault(case, []).append(took_ns)
            seen.memory.setdefault(case, []).append(memory_bytes)


async def _start(folder: Path, ready: Mapping[str, Any], pairs: int) -> tuple[int, int]:
    """Run the bot once; returns ns from its start to the moment it says it trades, and its memory a little later."""
    bases = [f"S{i + 1:03d}" for i in range(pairs)]
    content = rig.bot_settings(folder, ready, bases, pair=_NEVER_TRADES) | {"log": {"format": "json"}}
    config = folder / "config.yaml"
    config.write_text(json.dumps(content))  # JSON is YAML
    environment = {**os.environ, **rig.bot_environment(ready), "XDG_STATE_HOME": str(folder)}
    before_ns = time.time_ns()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deltawire", "run", "--config", str(config),
        stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        ready_ns = await _ready_at(process)
        reading = asyncio.ensure_future(_drain(process))
        await asyncio.sleep(_SETTLE_S)
        memory_bytes = usage(process.pid).memory_bytes
        process.terminate()
        code = await asyncio.wait_for(process.wait(), _END_S)
        await reading
        if code:
            raise RuntimeError(f"the bot did not end clean: exit code {code}")
        return ready_ns - before_ns, memory_bytes
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready_at(process: asyncio.subprocess.Process) -> int:
    """Return the log's own stamp: the line itself is written a little later, off the loop."""
    assert process.stderr is not None
    said: list[str] = []
    async with asyncio.timeout(_READY_S):
        while text := (await process.stderr.readline()).decode().strip():
            said.append(text)
            if text.startswith("{"):
                event = json.loads(text)
                if event["event"] == "bot.trading":
                    return int(event["unix_ns"])
    raise RuntimeError("the bot ended before it was ready; its last words: " + " | ".join(said[-5:]))


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.readline():
        pass
