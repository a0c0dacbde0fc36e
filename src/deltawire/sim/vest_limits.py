"""Request limits of the simulated Vest: so many in a window, for each API key and for all without one. Pure.

The venue documents none; a later version of it was seen to count `x-ratelimit-remaining` down from 200. The other two
headers are ours. Source: Vest API v2 notes, section 11.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class _Window:
    start_ms: int
    used: int = 0


class RateLimit:
    """limit 0: none, and no headers."""

    def __init__(self, limit: int, window_ms: int) -> None:
        self._limit, self._window_ms = limit, window_ms
        self._windows: dict[str, _Window] = {}

    def take(self, key: str, now_ms: int) -> tuple[bool, tuple[tuple[str, str], ...]]:
        """Count a request; return whether it may pass, and the headers of its answer."""
        if not self._limit:
            return True, ()
        window = self._windows.get(key)
        if window is None or now_ms - window.start_ms >= self._window_ms:
            window = self._windows[key] = _Window(now_ms)
        window.used += 1
        headers = (
            ("x-ratelimit-limit", str(self._limit)),
            ("x-ratelimit-remaining", str(max(self._limit - window.used, 0))),
            ("x-ratelimit-reset-ms", str(window.start_ms + self._window_ms - now_ms)),
        )
        return window.used <= self._limit, headers
