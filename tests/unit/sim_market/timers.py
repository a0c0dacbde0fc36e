"""A clock and scheduler the test moves by hand: the CallLater and Clock the market is handed."""

import heapq
from collections.abc import Callable
from itertools import count


class HandTimer:
    def __init__(self, fn: Callable[[], None]) -> None:
        self.fn: Callable[[], None] | None = fn

    def cancel(self) -> None:
        self.fn = None


class HandClock:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000
        self._timers: list[tuple[int, int, HandTimer]] = []
        self._numbers = count()
        self.fired = 0

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return 1_800_000_000_000_000_000 + self.now_ns

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> HandTimer:
        timer = HandTimer(fn)
        heapq.heappush(self._timers, (self.now_ns + round(delay_s * 1e9), next(self._numbers), timer))
        return timer

    def advance(self, ns: int) -> None:
        """Let time pass, firing what falls due, each at its own moment."""
        end_ns = self.now_ns + ns
        while self._timers and self._timers[0][0] <= end_ns:
            due_ns, _, timer = heapq.heappop(self._timers)
            self.now_ns = max(self.now_ns, due_ns)
            self._fire(timer)
        self.now_ns = end_ns

    def stall(self, ns: int) -> None:
        """Let time pass while the loop runs nothing; what is due fires late, by the next advance."""
        self.now_ns += ns

    def _fire(self, timer: HandTimer) -> None:
        fn, timer.fn = timer.fn, None
        if fn is not None:
            self.fired += 1
            fn()
