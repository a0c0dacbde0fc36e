"""Rate limits of the simulated Paradex: token buckets, refilled continuously, exact in integers. Time is handed in."""

from collections.abc import Hashable

from deltawire.sim.paradex_rules import ApiRefusal, Rates


class Bucket:
    """Holds `size` calls and refills that many per `period_s`."""

    def __init__(self, size: int, period_s: int) -> None:
        self.size = size
        self.period_s = period_s
        self._period_ns = period_s * 10**9
        self._full = size * self._period_ns  # one call is period_ns of refill, so that nothing is rounded
        self._held = self._full
        self._seen_mono_ns: int | None = None

    def refill(self, now_mono_ns: int) -> None:
        if self._seen_mono_ns is not None:
            self._held = min(self._full, self._held + (now_mono_ns - self._seen_mono_ns) * self.size)
        self._seen_mono_ns = now_mono_ns

    @property
    def has_one(self) -> bool:
        return self._held >= self._period_ns

    def take(self) -> None:
        self._held -= self._period_ns

    def left(self) -> int:
        """Return how many calls it holds."""
        return self._held // self._period_ns

    def until_full_ns(self) -> int:
        return -((self._held - self._full) // self.size)

    def until_one_ns(self) -> int:
        """Return how long until a call is possible, 0 if one is."""
        return max(0, -((self._held - self._period_ns) // self.size))


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

    def headers(self, now_unix_ns: int) -> dict[str, str]:
        """Return what every REST answer tells of its limit, as of the last take: of the bucket nearest its end.

        GUESS: of several limits the tightest is told, and Reset is the Unix second at which it is full again.
        """
        bucket = min(self._buckets, key=Bucket.left)
        told = {
            "X-RateLimit-Limit": str(bucket.size),
            "X-RateLimit-Remaining": str(bucket.left()),
            "X-RateLimit-Reset": str(_seconds(now_unix_ns + bucket.until_full_ns())),
            "X-RateLimit-Window": str(bucket.period_s),
        }
        wait_ns = max(bucket.until_one_ns() for bucket in self._buckets)
        return told | ({"Retry-After": str(_seconds(wait_ns))} if wait_ns else {})


class Limits:
    """One limit for each key, made on its first call."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._by_key: dict[Hashable, Limit] = {}

    def of(self, key: Hashable) -> Limit:
        limit = self._by_key.get(key)
        if limit is None:
            limit = self._by_key[key] = Limit(self._rates)
        return limit

    def take(self, key: Hashable, now_mono_ns: int) -> None:
        """Count one call of the key. Raises TooMany."""
        self.of(key).take(now_mono_ns)


def _seconds(ns: int) -> int:
    return -(-ns // 10**9)
