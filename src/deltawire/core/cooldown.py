"""A pause of a pair's entries after a trade that had to be given back, longer with each one in a row. Pure.

What made a leg fail (a stale book, a venue refusing, a market that runs) is mostly still there a moment later, and each
such trade costs two fees. It never holds up an exit (I8).
"""

from collections.abc import Iterable

from deltawire.core.order import Order
from deltawire.core.types import Purpose

DOUBLINGS_MAX = 6  # a pause of 5 s grows to five minutes: by then a person has been told of each one


class Cooldown:
    """pause_ns: after the first failed trade, doubled by each further one in a row; 0: no pauses."""

    def __init__(self, pause_ns: int) -> None:
        self.pause_ns = pause_ns
        self.failed = 0  # trades in a row
        self._until_mono_ns = 0

    def ended(self, orders: Iterable[Order], now_mono_ns: int) -> int:
        """Take note of a trade's end; return for how long entries pause, 0 where the trade went well.

        A trade of which nothing filled cost nothing and says nothing.
        """
        purposes = {order.request.purpose for order in orders if order.filled_e8}
        if not purposes:
            return 0
        if Purpose.UNWIND not in purposes:
            self.failed = 0
            return 0
        return self._pause(self.failed + 1, 0, now_mono_ns)

    def resume(self, failed: int, since_ns: int, now_mono_ns: int) -> int:
        """Take over what an earlier run had counted; return for how long entries still pause.

        failed: trades given back in a row, the last of them since_ns ago by the date, which may have been set since.
        """
        return self._pause(failed, max(since_ns, 0), now_mono_ns) if failed else 0

    def block(self, now_mono_ns: int) -> str:
        """Say why no entry may be made now, "" when one may."""
        left_ns = self._until_mono_ns - now_mono_ns
        if left_ns <= 0:
            return ""
        trades = "a trade" if self.failed == 1 else f"{self.failed} trades in a row"
        return f"{trades} had to be given back: no entries for {-(-left_ns // 10**9)} s"

    def _pause(self, failed: int, since_ns: int, now_mono_ns: int) -> int:
        self.failed = failed
        left_ns = max((self.pause_ns << min(failed - 1, DOUBLINGS_MAX)) - since_ns, 0)
        self._until_mono_ns = now_mono_ns + left_ns
        return left_ns
