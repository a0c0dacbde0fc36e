"""How long to wait before trying a connection again, and how many tries a window allows. Pure: no clock, no sleep.

Source of the jitter range: full jitter would let a retry come at once, so only a share of the delay is random.
"""

import random
from collections import deque


class Backoff:
    """Delays that grow from floor_s by factor up to ceiling_s, each shortened at random by up to `jitter` of itself."""

    def __init__(
        self, floor_s: float, ceiling_s: float, *, rng: random.Random, factor: float = 2.0, jitter: float = 0.25
    ) -> None:
        if not 0 < floor_s <= ceiling_s:
            raise ValueError(f"need 0 < floor_s <= ceiling_s, got {floor_s} and {ceiling_s}")
        if factor < 1 or not 0 <= jitter < 1:
            raise ValueError(f"need factor >= 1 and 0 <= jitter < 1, got {factor} and {jitter}")
        self._floor_s, self._ceiling_s, self._factor, self._jitter = floor_s, ceiling_s, factor, jitter
        self._rng = rng
        self._delay_s = floor_s
        self.attempts = 0  # delays handed out since the last reset

    def next_s(self) -> float:
        """Return the delay before the next try, in seconds, and lengthen the one after it."""
        delay_s = self._delay_s * (1 - self._jitter * self._rng.random())
        self._delay_s = min(self._delay_s * self._factor, self._ceiling_s)
        self.attempts += 1
        return delay_s

    def reset(self) -> None:
        """Start again from the floor. Call it when a connection has proved itself, not when it merely opened."""
        self._delay_s = self._floor_s
        self.attempts = 0


class ConnectBudget:
    """At most `count` connection attempts in any window of window_ns: venues ban addresses that try faster."""

    def __init__(self, count: int, window_ns: int) -> None:
        if count < 1 or window_ns < 1:
            raise ValueError(f"need count >= 1 and window_ns >= 1, got {count} and {window_ns}")
        self._window_ns = window_ns
        self._taken: deque[int] = deque(maxlen=count)  # the last `count` attempts, oldest first

    def take(self, now_mono_ns: int) -> int:
        """Count an attempt and return 0, or return the ns to wait before asking again (then nothing was counted)."""
        if len(self._taken) == self._taken.maxlen:
            wait_ns = self._taken[0] + self._window_ns - now_mono_ns
            if wait_ns > 0:
                return wait_ns
        self._taken.append(now_mono_ns)
        return 0
