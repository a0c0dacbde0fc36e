"""Rate limits of the simulated Paradex: token buckets, refilled continuously, exact in integers. Time is handed in."""

from deltawire.sim.paradex_rules import ApiRefusal


class Bucket:
    """Holds `size` calls and refills that many per `period_s`."""

    def __init__(self, size: int, period_s: int) -> None:
        self._size = size
        self._period_ns = period_s * 10**9
        self._full = size * self._period_ns  # one call is period_ns of refill, so that nothing is rounded
        self._held = self._full
        self._seen_mono_ns: int | None = None

    def refill(self, now_mono_ns: int) -> None:
        if self._seen_mono_ns is not None:
            self._held = min(self._full, self._held + (now_mono_ns - self._seen_mono_ns) * self._size)
        self._seen_mono_ns = now_mono_ns

    @property
    def has_one(self) -> bool:
        return self._held >= self._period_ns

    def take(self) -> None:
        self._held -= self._period_ns


class Limit:
    """Several buckets a call must pass together; a refused call costs nothing."""

    def __init__(self, *buckets: Bucket) -> None:
        self._buckets = buckets

    def take(self, now_mono_ns: int) -> None:
        """Count one call. Raises ApiRefusal with status 429 when a bucket is empty."""
        for bucket in self._buckets:
            bucket.refill(now_mono_ns)
        if not all(bucket.has_one for bucket in self._buckets):
            raise ApiRefusal("RATE_LIMIT_EXCEEDED", "too many requests", 429)
        for bucket in self._buckets:
            bucket.take()
