"""How far a venue's clock is ahead of ours, from the stamps of answered orders, as NTP does it. Pure.

Of an exchange of four stamps (we sent, it received, it sent, we received) half the difference of the two ways is the
offset, were both ways equally long. The exchange with the shortest way there and back errs least (RFC 5905, section 10:
the clock filter), and by no more than half of that way. Clocks drift, so old exchanges are forgotten.
"""

from collections import deque

KEPT = 64  # exchanges
AGE_NS_MAX = 15 * 60 * 10**9  # a clock of 10 ppm has drifted by 9 ms then; with an NTP daemon far less


class ClockOffset:
    """The estimate for one venue. All stamps in ns; "ahead" is positive."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, int]] = deque(maxlen=KEPT)  # taken at, way there and back, offset

    def add(self, sent_ns: int, venue_received_ns: int, venue_sent_ns: int, received_ns: int) -> None:
        """Take in one exchange: ours are UTC by our clock, the others by the venue's. An impossible one is ignored."""
        on_the_way_ns = (received_ns - sent_ns) - (venue_sent_ns - venue_received_ns)
        if venue_sent_ns < venue_received_ns or on_the_way_ns < 0:
            return
        ahead_ns = ((venue_received_ns - sent_ns) + (venue_sent_ns - received_ns)) // 2
        self._seen.append((received_ns, on_the_way_ns, ahead_ns))

    def ahead_ns(self, now_ns: int) -> int | None:
        """Return the estimate, None before the first exchange and when all are too old."""
        fresh = [(way, ahead) for at, way, ahead in self._seen if now_ns - at <= AGE_NS_MAX]
        return min(fresh)[1] if fresh else None
