"""How many calls the venue will still take from us: its rate limits, counted on our side. Pure: time is handed in.

Nothing is held back here. Exits, cancels and reads are always tried and only counted (I8); an entry is refused while
what is left would not also carry its exits. The count starts full, for the venue does not tell what an earlier run or
another program has used; its headers and its 429 correct it.

Source: Paradex protocol reference, sections 5, 11, 15 and 16, state of October 2026.
"""

from collections.abc import Mapping

from deltawire.venues.contract import BudgetReport
from deltawire.venues.paradex.settings import OrderClass

Rates = tuple[tuple[int, int], ...]  # calls, in so many seconds; all of them must hold

# Create, modify and cancel over both roads, per account; a batch is one call. Over the Retail limits nothing is
# refused: the account's orders become Pro orders, with their fees.
RATES_ORDERS: Mapping[OrderClass, Rates] = {
    OrderClass.PRO: ((800, 1), (17_250, 60)),
    OrderClass.RETAIL: ((3, 1), (30, 60), (300, 3_600), (1_000, 86_400)),
}
RATES_READS: Rates = ((120, 1), (600, 60))  # private GET, per account
# Per address. Whether order calls of a socket count among the private ones is not stated: they are counted.
RATES_PRIVATE: Rates = ((1_500, 60),)
RATES_PUBLIC: Rates = ((1_500, 60),)

# What an entry must leave for the orders that may have to follow it on this venue: two repairs, an unwind, an exit.
# A short window refills within the second, so of a small bucket a third is enough.
RESERVE_ORDERS = 4
RESERVE_SHARE = 3
# The same for reads: the look-ups of one order in doubt, three calls each, for some seconds.
RESERVE_READS = 20
# A Retail order that was charged a fee was made a Pro order: ours of the Retail budget was a miscount, and of which
# window is not told. So long none is tried: the longest window but one.
RETAIL_PAUSE_S = 3_600

RETRY_AFTER_S = 1  # when the venue names no time


class Bucket:
    """Holds `size` calls and refills that many per period, continuously. Exact: one call is a period's worth of ns."""

    def __init__(self, size: int, period_s: int) -> None:
        self.size, self.period_s = size, period_s
        self._call = period_s * 10**9
        self._full = self._held = size * self._call
        self._seen_mono_ns = 0

    def left(self, now_mono_ns: int) -> int:
        if self._seen_mono_ns:
            # A count may be told after a later look; time does not run back for that.
            passed_ns = max(now_mono_ns - self._seen_mono_ns, 0)
            self._held = min(self._full, self._held + passed_ns * self.size)
        self._seen_mono_ns = max(now_mono_ns, self._seen_mono_ns)
        return self._held // self._call

    def take(self, now_mono_ns: int) -> None:
        """Count one call. The venue counts no call that it refuses, so nothing goes below zero."""
        self.left(now_mono_ns)
        self._held = max(self._held - self._call, 0)

    def lower(self, calls: int, now_mono_ns: int) -> None:
        """Believe the venue that at most so many are left."""
        self.left(now_mono_ns)
        self._held = min(self._held, max(calls, 0) * self._call)


class Budget:
    """One limit of the venue: several buckets side by side."""

    def __init__(self, name: str, rates: Rates, reserve: int) -> None:
        self.name = name
        self.refused = 0  # times the venue said that we are over it
        self._reserve = reserve
        self._buckets = [Bucket(size, period_s) for size, period_s in rates]
        self._refused_until_mono_ns = 0

    def take(self, now_mono_ns: int) -> None:
        for bucket in self._buckets:
            bucket.take(now_mono_ns)

    def left(self, now_mono_ns: int) -> int:
        return min(bucket.left(now_mono_ns) for bucket in self._buckets)

    def reports(self, now_mono_ns: int) -> list[BudgetReport]:
        """Return each bucket as it stands, for people."""
        return [BudgetReport(self.name, b.left(now_mono_ns), b.size, b.period_s, self.refused) for b in self._buckets]

    def on_refused(self, now_mono_ns: int, retry_after_s: int = RETRY_AFTER_S) -> None:
        """Take a refusal for the rate: our count was wrong, so entries wait as long as the venue says."""
        self.refused += 1
        self._refused_until_mono_ns = max(self._refused_until_mono_ns, now_mono_ns + retry_after_s * 10**9)

    def on_headers(self, headers: Mapping[str, str], now_mono_ns: int) -> None:
        """Correct the bucket that the venue's headers are about: the one of the size they name."""
        limit, remaining = headers.get("x-ratelimit-limit", ""), headers.get("x-ratelimit-remaining", "")
        if not (_is_count(limit) and _is_count(remaining)):
            return
        for bucket in self._buckets:
            if bucket.size == int(limit):
                bucket.lower(int(remaining), now_mono_ns)

    def entry_block(self, now_mono_ns: int) -> str:
        if now_mono_ns < self._refused_until_mono_ns:
            return f"the venue refused for the rate of {self.name}"
        for bucket in self._buckets:
            reserve = min(self._reserve, bucket.size // RESERVE_SHARE)
            left = bucket.left(now_mono_ns)
            if left <= reserve:
                return f"{left} of {bucket.size} {self.name} left in {bucket.period_s} s, {reserve} kept for exits"
        return ""


class Budgets:
    """All limits that this adapter's calls count against."""

    def __init__(self, order_class: OrderClass) -> None:
        is_retail = order_class is OrderClass.RETAIL
        main = OrderClass.RETAIL if is_retail else OrderClass.PRO
        self.orders = Budget("orders", RATES_ORDERS[main], RESERVE_ORDERS)
        # Of the second order connection. Nothing is kept for exits: they are Pro.
        self.retail = Budget("retail orders", RATES_ORDERS[OrderClass.RETAIL], 0)
        self._has_both = order_class is OrderClass.BY_EDGE
        self.reads = Budget("private reads", RATES_READS, RESERVE_READS)
        self.private = Budget("private calls", RATES_PRIVATE, RESERVE_READS + RESERVE_ORDERS)
        self.public = Budget("public calls", RATES_PUBLIC, 0)
        self._is_clear = False  # nothing was counted since an entry was found free; time only adds to what is left

    def reports(self, now_mono_ns: int) -> list[BudgetReport]:
        every = [self.orders, self.reads, self.private, self.public]
        if self._has_both:
            every.append(self.retail)
        return [report for budget in every for report in budget.reports(now_mono_ns)]

    def order_sent(self, now_mono_ns: int) -> None:
        """Count a create, modify or cancel, whichever road it takes."""
        self._is_clear = False
        self.orders.take(now_mono_ns)
        self.private.take(now_mono_ns)

    def call_sent(self, method: str, *, is_private: bool, now_mono_ns: int) -> None:
        """Count a REST call. Private ones that are no reads are orders and cancels here."""
        self._is_clear = False
        if not is_private:
            self.public.take(now_mono_ns)
        elif method == "GET":
            self.reads.take(now_mono_ns)
            self.private.take(now_mono_ns)
        else:
            self.order_sent(now_mono_ns)

    def order_refused(self, now_mono_ns: int) -> None:
        """Take a refusal for the rate that came over the socket."""
        self._is_clear = False
        self.orders.on_refused(now_mono_ns)

    def answered(
        self, method: str, *, is_private: bool, status: int, headers: Mapping[str, str], now_mono_ns: int
    ) -> None:
        """Learn from an answer. Which limit a 429 is about is not said: the one of its kind is taken."""
        self._is_clear = False
        budget = self.public if not is_private else self.reads if method == "GET" else self.orders
        budget.on_headers(headers, now_mono_ns)
        if status == 429:
            after = headers.get("retry-after", "")
            budget.on_refused(now_mono_ns, int(after) if _is_count(after) else RETRY_AFTER_S)

    def entry_block(self, now_mono_ns: int) -> str:
        """Say which budget has no room for an entry. Looking through the buckets takes 15 us, the answer kept none."""
        if self._is_clear:
            return ""
        for budget in (self.orders, self.reads, self.private, self.public):
            if block := budget.entry_block(now_mono_ns):
                return block
        self._is_clear = True
        return ""


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9
