"""Rate limits of the simulated Paradex: token buckets, refilled continuously, exact in integers. Time is handed in."""

from collections.abc import Hashable

from deltawire.sim.paradex_rules import ApiRefusal, Rates


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


class TooMany(ApiRefusal):
    """Over a limit. GUESS: the code's name; the status is documented."""

    def __init__(self) -> None:
        super().__init__("RATE_LIMIT_EXCEEDED", "too many requests", 429)


class Limit:
    """Several buckets a call must pass together; a refused call costs nothing."""

    def __init__(self, rates: Rates) -> None:
        self._buckets = [Bucket(calls, seconds) for calls, seconds in rates]

    def take(self, now_mono_ns: int) -> None:
        """Count one call. Raises TooMany when a bucket is empty."""
        for bucket in self._buckets:
            bucket.refill(now_mono_ns)
        if not all(bucket.has_one for bucket in self._buckets):
            raise TooMany
        for bucket in self._buckets:
            bucket.take()


class Limits:
    """One limit for each key, made on its first call."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._by_key: dict[Hashable, Limit] = {}

    def take(self, key: Hashable, now_mono_ns: int) -> None:
        """Count one call of the key. Raises TooMany."""
        limit = self._by_key.get(key)
        if limit is None:
            limit = self._by_key[key] = Limit(self._rates)
        limit.take(now_mono_ns)
