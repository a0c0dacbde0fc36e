"""What a venue's clock shows, learned from the times its answers carry. Pure: every time comes in as an argument.

A venue judges an order's age by its own clock and by the time we signed, so two questions need that clock: whether ours
is right enough to trade by, and whether an order can still be taken. It is kept against our monotonic clock, not
against the date: a date that is set is then seen at once, without asking anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

DRIFT_PPM = 200  # two bad quartz clocks against each other; what was learned is worth less with time
_MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Offset:
    """How far our date is ahead of a venue's: surely between low and high (negative: behind)."""

    low_ns: int
    high_ns: int

    @property
    def middle_ns(self) -> int:
        return (self.low_ns + self.high_ns) // 2

    @property
    def uncertainty_ns(self) -> int:
        return (self.high_ns - self.low_ns) // 2

    @property
    def certain_ns(self) -> int:
        """Return the least offset there must be, 0 where there may be none; its sign is that of the offset."""
        return max(self.low_ns, 0) + min(self.high_ns, 0)


@dataclass(frozen=True, slots=True)
class _Span:
    """The venue's date less our monotonic clock: surely between low and high at a moment of the latter."""

    low_ns: int
    high_ns: int
    at_mono_ns: int

    def aged(self, mono_ns: int) -> "_Span":
        drift_ns = abs(mono_ns - self.at_mono_ns) * DRIFT_PPM // 10**6
        return _Span(self.low_ns - drift_ns, self.high_ns + drift_ns, mono_ns)

    def meets(self, other: "_Span") -> bool:
        return max(self.low_ns, other.low_ns) <= min(self.high_ns, other.high_ns)

    def within(self, other: "_Span") -> "_Span":
        return _Span(max(self.low_ns, other.low_ns), min(self.high_ns, other.high_ns), self.at_mono_ns)

    def around(self, other: "_Span") -> "_Span":
        return _Span(min(self.low_ns, other.low_ns), max(self.high_ns, other.high_ns), self.at_mono_ns)


class VenueClock:
    """offset_ns_max: past it our date is called wrong; then no entries, and exits are signed in the venue's time."""

    def __init__(self, offset_ns_max: int) -> None:
        self.offset_ns_max = offset_ns_max
        self.readings = 0
        self._known: _Span | None = None
        self._suspect: _Span | None = None  # contradicts what is known; a second one that agrees with it is believed

    def heard(self, shown_unix_ns: int, grain_ns: int, sent_mono_ns: int, received_mono_ns: int) -> None:
        """Learn from one answer. The venue read its clock between the two moments and cut it to a multiple of grain.

        One reading is no better than its round trip, and a date in whole seconds no better than a second; what several
        readings have in common is, because they fall on different parts of the second.
        """
        self.readings += 1
        fresh = _Span(shown_unix_ns - received_mono_ns, shown_unix_ns + grain_ns - sent_mono_ns, received_mono_ns)
        if self._known is None:
            self._known = fresh
            return
        known = self._known.aged(received_mono_ns)
        if fresh.meets(known):
            self._known, self._suspect = fresh.within(known), None
        elif self._suspect is not None and fresh.meets(suspect := self._suspect.aged(received_mono_ns)):
            self._known, self._suspect = fresh.within(suspect), None  # their clock was set, or ours stood still
        else:
            self._suspect = fresh

    def unix_ns_low(self, mono_ns: int) -> int | None:
        """Return a time that the venue's clock has surely reached; None before the first reading."""
        span = self._span(mono_ns)
        return None if span is None else mono_ns + span.low_ns

    def offset(self, mono_ns: int, unix_ns: int) -> Offset | None:
        """Return how far our date is off by what is known; None before the first reading. Both times of one moment."""
        span = self._span(mono_ns)
        if span is None:
            return None
        ours_ns = unix_ns - mono_ns
        return Offset(ours_ns - span.high_ns, ours_ns - span.low_ns)

    def block(self, mono_ns: int, unix_ns: int) -> str:
        """Say why no entry should be signed by our clock, "" when nothing is known against it."""
        offset = self.offset(mono_ns, unix_ns)
        if offset is None:
            return ""
        if abs(offset.certain_ns) > self.offset_ns_max:
            which = "ahead of" if offset.certain_ns > 0 else "behind"
            return f"our clock is {abs(offset.middle_ns) // _MS_NS} ms {which} the venue's, limit {self._max_ms} ms"
        # A date in whole seconds is half a second wide before a second reading; past twice the limit nobody knows.
        if offset.uncertainty_ns > max(2 * self.offset_ns_max, _MS_NS * 1_000):
            return f"the venue's clock is known to {offset.uncertainty_ns // _MS_NS} ms only, limit {self._max_ms} ms"
        return ""

    def signing_unix_ns(self, mono_ns: int, unix_ns: int) -> int:
        """Return the time to sign with: our date, or the venue's by what is known where ours is surely wrong.

        With a wrong date the venue would refuse every order as too old, exits too (I8).
        """
        offset = self.offset(mono_ns, unix_ns)
        if offset is None or self._known is None or abs(offset.certain_ns) <= self.offset_ns_max:
            return unix_ns
        return mono_ns + (self._known.low_ns + self._known.high_ns) // 2

    @property
    def _max_ms(self) -> int:
        return self.offset_ns_max // _MS_NS

    def _span(self, mono_ns: int) -> _Span | None:
        if self._known is None:
            return None
        known = self._known.aged(mono_ns)
        return known if self._suspect is None else known.around(self._suspect.aged(mono_ns))


def http_date_unix_s(headers: Mapping[str, str]) -> int | None:
    """Return the second of an answer's Date header, None without a readable one or where a cache made the answer old.

    headers: names in lower case. Source: RFC 9110, sections 6.6.1 and 5.6.7; RFC 9111, section 5.1 (Age).
    """
    if headers.get("age", "0") != "0":
        return None
    try:
        return int(parsedate_to_datetime(headers["date"]).timestamp())
    except (KeyError, ValueError):
        return None
