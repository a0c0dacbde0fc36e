"""Time for the simulators: the real clock with a settable skew, and the shape of a handed-in scheduler.

Exchange logic takes a Clock (venues.contract) and a CallLater and never reads time itself, so the same logic runs on
a virtual clock. `asyncio.AbstractEventLoop.call_later` is a CallLater.
"""

import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What a scheduler returns: cancel before it fires, harmless after."""

    def cancel(self) -> None: ...


class CallLater(Protocol):
    """Run fn after delay_s seconds, on the loop; returns at once."""

    def __call__(self, delay_s: float, fn: Callable[[], None], /) -> Timer: ...


class RealClock:
    """The machine's clocks. unix_skew_ns moves the date only, as a venue with a wrong clock would show it."""

    def __init__(self, unix_skew_ns: int = 0) -> None:
        self.unix_skew_ns = unix_skew_ns

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def unix_ns(self) -> int:
        return time.time_ns() + self.unix_skew_ns
