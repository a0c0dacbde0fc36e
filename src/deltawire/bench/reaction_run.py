"""Runs one client of `bench reaction` against the simulators for one block of steps, in a process of its own."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from deltawire.bench import others
from deltawire.bench.reaction_join import Joined, join
from deltawire.bench.subject import READY

BASE, MARKET = "BTC", "BTC-USD-PERP"
STEP_BPS = 40  # a step up opens a trade, the step back closes it
_READY_S, _END_S = 60.0, 30.0
_AFTER_MS = 5  # from the call to the earliest step: by then the control URL's own work is over
_PENDING_S = 0.01
_LATE_S = 0.1  # for orders still on their way


@dataclass(frozen=True, slots=True)
class Client:
    """One client in one way of running it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    never_sleep: bool = False
    ours: bool = False  # takes its job on standard input
    answers_all: bool = False
    is_slow: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} never-sleep" if self.never_sleep else self.name


@dataclass(frozen=True, slots=True)
class Burst:
    """One way of stepping: "idle" or "hot", how often, and the pause after each."""

    mode: str
    steps: int
    frames: int  # of no meaning before each step
    pause_ms: float
    quiet_ms: int


@dataclass(slots=True)
class Block:
    """What one client did in one process: joined steps by mode, and what it said at its end."""

    client: Client
    folder: Path
    joined: dict[str, Joined] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


def own_clients() -> list[Client]:
    def ours(name: str, module: str, *, never_sleep: bool) -> Client:
        command = (sys.executable, "-m", f"deltawire.bench.{module}")
        return Client(name, command, never_sleep=never_sleep, ours=True, answers_all=name == "floor")

    return [
        ours(name, module, never_sleep=never_sleep)
        for never_sleep in (False, True)
        for name, module in (("deltawire", "subject_bot"), ("floor", "subject_floor"))
    ]


def other_clients(ready: Mapping[str, Any]) -> tuple[list[Client], list[str]]:
    """Return the clients we did not write that can run here, and a sentence for each that cannot."""
    found, missing = [], []
    for package in others.PACKAGES:
        script = f"react_{package.replace('-', '_')}.py"
        why_not = others.why_missing(package, script)
        if why_not:
            missing.append(f"{package}: {why_not}")
        else:
            # Not the bot's account: an order of theirs that is refused leaves a position, and the bot would not start.
            environment = others.environment(ready, account=1)
            found.append(Client(package, others.command(script, ready), environment, is_slow=True))
    return found, missing


async def run_block(
    client: Client, ready: Mapping[str, Any], folder: Path, cpu: int | None, warm_up: int, bursts: Sequence[Burst]
) -> Block:
    """Start the client, step through all bursts, end it. Raises RuntimeError with its last words when it fails."""
    block = Block(client, folder)
    with (folder / "stderr.txt").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *client.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=None if client.ours else dict(client.environment),
        )
        if cpu is not None and not client.ours:
            os.sched_setaffinity(process.pid, {cpu})
        try:
            await _drive(process, block, ready, cpu, warm_up, bursts)
        except (TimeoutError, ValueError, OSError, EOFError) as e:
            errors.flush()
            words = (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{client.label} failed ({type(e).__name__}: {e}); its last words: {words}") from e
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    return block


async def _drive(
    process: asyncio.subprocess.Process,
    block: Block,
    ready: Mapping[str, Any],
    cpu: int | None,
    warm_up: int,
    bursts: Sequence[Burst],
) -> None:
    assert process.stdin is not None
    client = block.client
    if client.ours:
        job = {"ready": dict(ready), "folder": str(block.folder), "never_sleep": client.never_sleep, "cpu": cpu}
        process.stdin.write(json.dumps(job).encode() + b"\n")
    await line(process, _READY_S, READY)
    async with aiohttp.ClientSession(ready["control_url"]) as http:
        stepping = Stepping(http)
        for burst in bursts:
            await stepping.step(Burst(burst.mode, warm_up, burst.frames, burst.pause_ms, burst.quiet_ms))
            await stepping.take()
            await stepping.step(burst)
            told = await stepping.take()
            block.joined[burst.mode] = joined_of(told, answers_all=client.answers_all)
    process.stdin.close()
    block.said = json.loads(await line(process, _END_S))
    await asyncio.wait_for(process.wait(), _END_S)


def joined_of(told: Mapping[str, Any], *, answers_all: bool, market: str = MARKET) -> Joined:
    """Join the answer of GET /reaction."""
    fired = [at["mono_ns"] for at in told["triggers"]]
    written = told["paradex"]["market_written_mono_ns"].get(market, [])
    read = {venue: told[venue]["orders_read_mono_ns"] for venue in ("paradex", "vest")}
    return join(fired, written, read, answers_all=answers_all)


async def line(process: asyncio.subprocess.Process, within_s: float, wanted: str = "") -> str:
    """Return the next line, or the next that is the one wanted."""
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        while said := await process.stdout.readline():
            text = said.decode().strip()
            if text == wanted or (not wanted and text):
                return text
    raise EOFError(f"ended with code {await process.wait()}")


class Stepping:
    """Fires steps up and down in turn, so that an even number of them ends where it began."""

    def __init__(self, http: aiohttp.ClientSession, base: str = BASE) -> None:
        self._http, self._base = http, base
        self._up = False

    async def step(self, burst: Burst) -> None:
        for _ in range(burst.steps):
            self._up = not self._up
            body = {
                "base": self._base,
                "bps": STEP_BPS if self._up else 0,
                "after_ms": _AFTER_MS,
                "quiet_ms": burst.quiet_ms,
                "burst": burst.frames,
            }
            await self._post(body)
            await asyncio.sleep((_AFTER_MS + burst.pause_ms + 2 * burst.frames) / 1e3)

    async def take(self) -> Any:
        """Return what was seen since the last time, once no step is pending any more."""
        await asyncio.sleep(_LATE_S)
        async with asyncio.timeout(_READY_S):
            while True:
                async with self._http.get("/reaction") as answer:
                    told = await answer.json()
                if not told["pending"]:
                    return told
                await asyncio.sleep(_LATE_S)

    async def _post(self, body: dict[str, Any]) -> None:
        """Arm a step as soon as the one before has been fired: it may wait for its silence."""
        async with asyncio.timeout(_READY_S):
            while True:
                async with self._http.post("/trigger", json=body) as answer:
                    if answer.ok:
                        return
                    text = await answer.text()
                    if "pending" not in text:
                        raise ValueError(f"the simulators refused a step: {text}")
                await asyncio.sleep(_PENDING_S)
