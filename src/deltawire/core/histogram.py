"""A histogram of integers over many orders of magnitude, with a fixed relative error, mergeable. Pure.

Log-linear buckets as in HdrHistogram (Gil Tene): each power of two has 128 buckets of equal width, so a value is told
too large by less than one part in 128, and exactly below 256. Ours, because the package has no wheel for every machine
we run on. A value costs one dictionary entry at most, and there are some 7,300 buckets up to 2**63: bounded memory.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from deltawire.core.latency import Spread

_BITS = 7
_HALF = 1 << _BITS  # buckets of each power of two; the reciprocal of the relative error
VALUE_MAX = 2**63 - 1


def bucket_of(value: int) -> int:
    """Return the number of a value's bucket. Ascending with the value."""
    if value < 2 * _HALF:
        return value
    shift = value.bit_length() - _BITS - 1
    return (shift << _BITS) + (value >> shift)


def highest_of(bucket: int) -> int:
    """Return the highest value of a bucket."""
    if bucket < 2 * _HALF:
        return bucket
    shift = (bucket >> _BITS) - 1
    mantissa = bucket - (shift << _BITS)
    return ((mantissa + 1) << shift) - 1


class Histogram:
    """Counts of values from 0 to 2**63 - 1; smallest, largest and sum are kept exactly."""

    __slots__ = ("counts", "max", "min", "n", "total")

    def __init__(self) -> None:
        self.n = 0
        self.min = 0
        self.max = 0
        self.total = 0
        self.counts: dict[int, int] = {}

    def record(self, value: int) -> None:
        """Count one value. Raises ValueError for one out of range."""
        if not 0 <= value <= VALUE_MAX:
            raise ValueError(f"{value} is not between 0 and 2**63 - 1")
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.max = max(self.max, value)
        if value < self.min or not self.n:
            self.min = value
        self.n += 1
        self.total += value

    def merge(self, other: "Histogram") -> None:
        """Count all that the other has counted."""
        if not other.n:
            return
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.min = min(self.min, other.min) if self.n else other.min
        self.max = max(self.max, other.max)
        self.n += other.n
        self.total += other.total

    def at(self, percent: int) -> int:
        """Return the value below or at which this share of all lie (nearest rank), told too large by < 1/128.

        Raises ValueError for an empty histogram or a percent outside 0 to 100.
        """
        return self._at((percent,))[0]

    def spread(self) -> Spread | None:
        """Return the usual percentiles, None of nothing."""
        if not self.n:
            return None
        p50, p90, p99 = self._at((50, 90, 99))
        return Spread(self.n, p50, p90, p99, self.max)

    def as_json(self) -> dict[str, Any]:
        """Return plain data, all there is: from_json gives an equal histogram."""
        counts = [[bucket, self.counts[bucket]] for bucket in sorted(self.counts)]
        return {"n": self.n, "min": self.min, "max": self.max, "total": self.total, "counts": counts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Histogram":
        """Rebuild one. Raises ValueError when the figures contradict each other."""
        found = cls()
        found.n, found.min, found.max, found.total = (int(data[name]) for name in ("n", "min", "max", "total"))
        found.counts = {int(bucket): int(count) for bucket, count in data["counts"]}
        if sum(found.counts.values()) != found.n or any(count <= 0 for count in found.counts.values()):
            raise ValueError(f"a histogram of {found.n} values has counts of {sum(found.counts.values())}")
        ends = {bucket_of(found.min), bucket_of(found.max)}
        if found.n and ends != {min(found.counts), max(found.counts)}:
            raise ValueError("the smallest or largest value of a histogram is not in its first or last bucket")
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.as_json() == other.as_json()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _at(self, percents: Iterable[int]) -> list[int]:
        """Return the values at ascending percents, in one pass."""
        if not self.n:
            raise ValueError("an empty histogram has no percentiles")
        found = []
        buckets = iter(sorted(self.counts))
        bucket, below = -1, 0
        for percent in percents:
            if not 0 <= percent <= 100:
                raise ValueError(f"{percent} is no percent")
            rank = max(1, -(-percent * self.n // 100))  # rounded up
            while below < rank:
                bucket = next(buckets)
                below += self.counts[bucket]
            found.append(max(self.min, min(self.max, highest_of(bucket))))
        return found
