"""Notices that the whole process stood still, and holds everything until both accounts have been read.

A guardian may have closed the positions meanwhile: what the bot believes it holds may not be there any more.
"""

import asyncio
from collections.abc import Awaitable, Callable

from deltawire.core.limits import Gate
from deltawire.venues.contract import Clock, EventLog

# A loop that stood still for longer may have been given up by a guardian, whose patience is twice this at least.
STALL_NS = 5_000_000_000
SETTLE_AGAIN_S = 0.25


class Stall:
    """settle: reads both accounts twice and counts what differs; False when they cannot be read yet."""

    def __init__(self, *, gate: Gate, settle: Callable[[], Awaitable[bool]], clock: Clock, log: EventLog) -> None:
        self._gate, self._settle, self._clock, self._log = gate, settle, clock, log
        self.is_frozen = False  # nothing is sent
        self._ticked_mono_ns = 0
        self._thawing: asyncio.Task[None] | None = None

    def on_tick(self) -> None:
        """Call every few milliseconds: what is measured is the time between two calls."""
        now_ns = self._clock.mono_ns()
        stood_still_ns = now_ns - self._ticked_mono_ns if self._ticked_mono_ns else 0
        self._ticked_mono_ns = now_ns
        if stood_still_ns > STALL_NS and not self.is_frozen:
            self._freeze(stood_still_ns)

    def cancel(self) -> None:
        if self._thawing is not None:
            self._thawing.cancel()

    def _freeze(self, stood_still_ns: int) -> None:
        self.is_frozen = True
        reason = f"the bot stood still for {stood_still_ns // 1_000_000} ms"
        self._log.error("bot.stalled", reason=reason)
        self._gate.halt(reason)
        self._thawing = asyncio.get_running_loop().create_task(self._thaw())

    async def _thaw(self) -> None:
        """Go on once both accounts have been read twice, and what differs has been counted."""
        try:
            while not await self._settle():  # noqa: ASYNC110 - venues are asked again, no event tells
                await asyncio.sleep(SETTLE_AGAIN_S)
        finally:
            self.is_frozen = False
