"""When the simulated Paradex does not trade normally: the phases of a release, on weekdays or on demand.

The weekday window follows the date of the clock handed in; a release on demand plays the same phases now, in the time
it is given. Source: Paradex reference, section 18. GUESS: that the first phase is full maintenance and connections drop
as it begins; the reference has 15 minutes in all, and says of two phases that they take about two minutes each.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deltawire.sim.clock import CallLater, Timer
from deltawire.venues.contract import Clock

OK, MAINTENANCE, CANCEL_ONLY, POST_ONLY = "ok", "maintenance", "cancel_only", "post_only"

_DAY_S = 86_400
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Release:
    """begins_s: seconds after midnight UTC. phases: (status, seconds), one after the other."""

    begins_s: int = 4 * 3600 + 30 * 60
    phases: tuple[tuple[str, int], ...] = ((MAINTENANCE, 660), (CANCEL_ONLY, 120), (POST_ONLY, 120))

    @property
    def total_s(self) -> int:
        return sum(seconds for _, seconds in self.phases)

    def status_at(self, unix_ns: int) -> str:
        """Return the status the weekday window has at this time."""
        days, second = divmod(unix_ns // 10**9, _DAY_S)
        if (days + _EPOCH_WEEKDAY) % 7 >= 5:
            return OK
        since_s = second - self.begins_s
        for status, seconds in self.phases:
            if 0 <= since_s < seconds:
                return status
            since_s -= seconds
        return OK


class Releases:
    """Moves the venue through its phases. Between them it leaves the status alone, whoever else has set it."""

    def __init__(
        self,
        *,
        clock: Clock,
        call_later: CallLater,
        window: Release | None,
        enter: Callable[[str], None],
        drop_connections: Callable[[], None],
    ) -> None:
        """window: None for no release of its own accord."""
        self._clock = clock
        self._call_later = call_later
        self._window = window
        self._enter = enter
        self._drop_connections = drop_connections
        self._scheduled = OK
        self._timers: list[Timer] = []

    def look(self) -> None:
        """Enter the phase the window has now, if it is another than a moment ago. For a timer of a second."""
        if self._window is not None:
            status = self._window.status_at(self._clock.unix_ns())
            if status != self._scheduled:
                self._scheduled = status
                self._begin(status)

    def set(self, status: str, for_s: float | None = None) -> None:
        """Enter a status, for so long or until another is set."""
        self.stop()
        self._enter(status)
        if for_s is not None:
            self._after(for_s, OK)

    def play(self, total_s: float | None = None) -> None:
        """Go through a whole release now, each phase in its share of total_s (None: as long as on a weekday)."""
        self.stop()
        release = self._window or Release()
        scale = 1.0 if total_s is None else total_s / release.total_s
        since_s = 0
        for status, seconds in release.phases:
            if since_s:
                self._after(since_s * scale, status)
            else:
                self._begin(status)
            since_s += seconds
        self._after(since_s * scale, OK)

    def stop(self) -> None:
        """Forget what was to come."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _after(self, delay_s: float, status: str) -> None:
        self._timers.append(self._call_later(delay_s, lambda: self._begin(status)))

    def _begin(self, status: str) -> None:
        if status == MAINTENANCE:
            self._drop_connections()
        self._enter(status)
