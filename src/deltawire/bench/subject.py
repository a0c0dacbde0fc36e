"""What the clients timed by `bench reaction` have in common: a job on standard input, "ready", and an end told by EOF.

Each is a process of its own, pinned by whoever starts it, so that none is timed in another's memory or loop.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from deltawire.net.loop import never_sleep, quiet_gc, run
from deltawire.net.pages import collapse

READY = "ready"


class Subject:
    """Given to a client's body: tells the parent, and waits for it."""

    def __init__(self, job: dict[str, Any], ended: asyncio.Event) -> None:
        self.job, self._ended = job, ended

    async def ready(self) -> None:
        """Say that triggers may come, and wait until they are over. Collector and memory are as the bot has them.

        Only now, and only this thread, goes to the CPU of the job: a bot's signing thread keeps all that there are.
        """
        if self.job.get("cpu") is not None:
            os.sched_setaffinity(0, {self.job["cpu"]})
        stop = never_sleep(asyncio.get_running_loop()) if self.job["never_sleep"] else None
        quiet_gc()
        collapse()
        _say(READY)
        await self._ended.wait()
        if stop is not None:
            stop()


def serve(body: Callable[[Subject], Awaitable[dict[str, Any]]]) -> None:
    """Read the job, run body on the bot's own loop, print what it returns as one line of JSON."""
    job = json.loads(sys.stdin.readline())
    _say(json.dumps(run(_serve(body, job))))


async def _serve(body: Callable[[Subject], Awaitable[dict[str, Any]]], job: dict[str, Any]) -> dict[str, Any]:
    ended = asyncio.Event()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def listen() -> None:
        await reader.read()
        ended.set()

    listening = asyncio.ensure_future(listen())
    try:
        return await body(Subject(job, ended))
    finally:
        listening.cancel()
        transport.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
