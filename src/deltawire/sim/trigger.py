"""Steps of Paradex's price at known moments, for timing whoever reacts to them. Knows no client and judges nothing.

A step is fired by a timer of the simulators' own loop, with nothing else to do at that moment, and only after the
market's stream has been silent for a while: so the frame written next is the step's, and a client of it finds itself
idle. With a burst, a client has just been busy instead: so many frames of no meaning, close together, come first.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.money import E8
from deltawire.sim.clock import CallLater
from deltawire.sim.player import PIN_MAX_E8, Player
from deltawire.venues.contract import Clock

_MS_NS = 10**6
BURST_GAP_MS = 2  # between frames of a burst, and from its last to the step
BURST_MAX = 1_000
FIRED_MAX = 10_000  # steps remembered until they are asked for
WAIT_MS_MAX = 60_000
_SIZE_E8 = E8 // 1_000  # by which frames of a burst differ


@dataclass(frozen=True, slots=True)
class Fired:
    """mono_ns: just before the step was published; its first frame was written after it."""

    base: str
    mono_ns: int


class Trigger:
    """One step at a time. last_written_mono_ns: when the newest frame of a base's market was sent to anyone."""

    def __init__(
        self, player: Player, *, clock: Clock, call_later: CallLater, last_written_mono_ns: Callable[[str], int]
    ) -> None:
        self._player, self._clock, self._call_later = player, clock, call_later
        self._last_written_mono_ns = last_written_mono_ns
        self._fired: list[Fired] = []
        self.is_pending = False
        self.began_mono_ns = 0  # the first of the steps not yet taken

    def arm(self, base: str, rate_e8: int, *, after_ms: int, quiet_ms: int, burst: int) -> None:
        """Move the base's price to this much above the recorded one, after_ms from now or as soon as it is quiet.

        Raises ValueError while one is pending, and for times or a burst out of bounds.
        """
        if self.is_pending:
            raise ValueError("a step is pending: one at a time")
        if not (0 <= after_ms <= WAIT_MS_MAX and 0 <= quiet_ms <= WAIT_MS_MAX and 0 <= burst <= BURST_MAX):
            raise ValueError(f"need 0 to {WAIT_MS_MAX} ms and a burst of 0 to {BURST_MAX}")
        if abs(rate_e8) > PIN_MAX_E8:
            raise ValueError(f"a step to {rate_e8}e-8 is beyond {PIN_MAX_E8}e-8 (1000 bps)")
        if len(self._fired) >= FIRED_MAX:
            raise ValueError(f"{FIRED_MAX} steps wait to be asked for: GET /reaction first")
        if not self._fired:
            self.began_mono_ns = self._clock.mono_ns()
        self.is_pending = True
        quiet_ns = (BURST_GAP_MS - 1 if burst else quiet_ms) * _MS_NS
        self._call_later(after_ms / 1e3, lambda: self._next(base, rate_e8, quiet_ns, burst))

    def take(self) -> list[Fired]:
        """Return the steps fired since the last time, and forget them."""
        fired, self._fired = self._fired, []
        return fired

    def _next(self, base: str, rate_e8: int, quiet_ns: int, burst: int) -> None:
        if burst:
            more_e8 = _SIZE_E8 * (1 + burst % 2)
            self._player.lean(base, self._player.lean_of(base), size_more_e8=more_e8)
            self._call_later(BURST_GAP_MS / 1e3, lambda: self._next(base, rate_e8, quiet_ns, burst - 1))
            return
        now_ns = self._clock.mono_ns()
        left_ns = self._last_written_mono_ns(base) + quiet_ns - now_ns
        if left_ns > 0:
            self._call_later(max(left_ns, _MS_NS) / 1e9, lambda: self._next(base, rate_e8, quiet_ns, 0))
            return
        self.is_pending = False
        self._fired.append(Fired(base, now_ns))
        self._player.lean(base, rate_e8)
