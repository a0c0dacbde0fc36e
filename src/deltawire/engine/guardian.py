"""The guardian: a second process that closes both legs when the bot is dead or silent with something on.

It asks the bot for a sign of life over the control socket (on another machine: that socket forwarded by ssh). While
answers come it does nothing at all. After a silence it opens its own connections with its own keys, looks at what the
venues hold of the configured pairs, and closes that with the same machinery as the bot, under its own journal. A bot
that comes back to life stops it, and finds out for itself what was done meanwhile (engine.safety).
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from deltawire.venues.contract import Clock, EventLog

ASK_EVERY_S = 1.0
ANSWER_WITHIN_S = 2.0
LINE_BYTES_MAX = 2**22  # of a status with a hundred pairs; see cli.control_client


class Closer(Protocol):
    """What closes the accounts: a bot in take-over mode, made anew for each time it is needed."""

    async def probe(self) -> None: ...
    async def start(self, *, take_over: bool) -> None: ...
    async def stop(self, reason: str) -> bool: ...
    async def abort(self) -> None: ...


class Guardian:
    def __init__(
        self,
        *,
        socket: Path,
        silent_ns: int,
        make_closer: Callable[[], Closer],
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._socket, self._silent_ns, self._make_closer = socket, silent_ns, make_closer
        self._clock, self._log = clock, log
        self._heard_mono_ns = clock.mono_ns()
        self._was_silent = False
        self.acted = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(ASK_EVERY_S)

    async def look(self) -> None:
        """Ask the bot once, and act when it has been silent for too long."""
        if await self._is_alive():
            self._heard_mono_ns = self._clock.mono_ns()
            if self._was_silent:
                self._log.info("guardian.bot_is_back")
            self._was_silent = False
            return
        silent_ns = self._clock.mono_ns() - self._heard_mono_ns
        if not self._was_silent:
            self._was_silent = True
            self._log.warning("guardian.bot_is_silent", acts_after_s=self._silent_ns // 10**9)
        if silent_ns >= self._silent_ns:
            await self._act(silent_ns)
            self._heard_mono_ns = self._clock.mono_ns()  # and look again after the same patience

    async def check(self) -> None:
        """Prove at start that keys and connections work. Raises what a venue raises."""
        await self._make_closer().probe()
        self._log.info("guardian.checked")

    async def _act(self, silent_ns: int) -> None:
        self._log.error("guardian.acts", silent_s=round(silent_ns / 1e9, 1))
        self.acted += 1
        closer = self._make_closer()
        try:
            await closer.start(take_over=True)
        except (OSError, TimeoutError, ValueError) as e:
            await closer.abort()
            self._log.error("guardian.cannot_act", reason=f"{type(e).__name__}: {e}")
            return
        closing = asyncio.ensure_future(closer.stop("guardian"))
        while not closing.done():
            await asyncio.wait((closing,), timeout=ASK_EVERY_S)
            if not closing.done() and await self._is_alive():
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
                await closer.abort()
                self._log.warning("guardian.gave_way", reason="the bot answers again")
                return
        self._log.warning("guardian.done", flat=closing.result())

    async def _is_alive(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=LINE_BYTES_MAX)
                try:
                    # Less work than `status`; and the bot can say that it is guarded. One of a version that does not
                    # know the word answers all the same, and is alive.
                    writer.write(b'{"cmd": "guard"}\n')
                    return "ok" in json.loads(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError, TypeError):
            return False  # nobody there, or nobody who talks like a bot
