"""Tells how far our clock is off each venue's: in the log when that is first known or passes the limit, and in status.

Measures nothing: the adapters do (core.venue_clock). What follows from it is decided where it matters: entries in the
trader, exits in what the adapters sign with, orders in doubt in the resolver.
"""

from collections.abc import Iterable
from typing import Any

from deltawire.venues.contract import Clock, EventLog, TellsTime, Venue

LOOK_EVERY_NS = 1_000_000_000  # cheap, and nothing waits for it: the trader looks for itself
TELL_EVERY_NS = 3600 * 10**9  # all well: once an hour, so that drift can be read from the log


class Offsets:
    def __init__(self, venues: Iterable[Venue], *, clock: Clock, log: EventLog) -> None:
        self._venues = [venue for venue in venues if isinstance(venue, TellsTime)]
        self._clock, self._log = clock, log
        self._looked_mono_ns = 0
        self._told: dict[str, tuple[bool, int]] = {}  # venue -> (was it blocked, when it was told)

    def look(self) -> None:
        """Call from time to time."""
        now_ns = self._clock.mono_ns()
        if now_ns - self._looked_mono_ns < LOOK_EVERY_NS:
            return
        self._looked_mono_ns = now_ns
        for venue in self._venues:
            state = clock_state(venue, now_ns, self._clock.unix_ns())
            blocks = bool(state["blocks"])
            was_blocked, told_ns = self._told.get(venue.name, (None, 0))
            if state["offset_ms"] is None or (blocks is was_blocked and now_ns - told_ns < TELL_EVERY_NS):
                continue
            self._told[venue.name] = (blocks, now_ns)
            tell = self._log.warning if blocks else self._log.info
            tell("venue.clock", venue=venue.name, **state)


def clock_state(venue: Venue, mono_ns: int, unix_ns: int) -> dict[str, Any]:
    """Return our offset from a venue's clock (positive: ours is ahead), for people. Nulls: it tells no time."""
    offset = venue.time.offset(mono_ns, unix_ns) if isinstance(venue, TellsTime) else None
    if offset is None or not isinstance(venue, TellsTime):
        return {"offset_ms": None, "uncertainty_ms": None, "blocks": ""}
    return {
        "offset_ms": round(offset.middle_ns / 1e6, 1),
        "uncertainty_ms": round(offset.uncertainty_ns / 1e6, 1),
        "blocks": venue.time.block(mono_ns, unix_ns),
    }
