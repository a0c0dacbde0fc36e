"""What a benchmark says: percentiles of its samples, the settings they were taken under, and ratios between cases."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NS_PER = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """Percentiles are samples that were seen (nearest rank), not values in between."""

    n: int
    p50: float
    p90: float
    p99: float
    max: float
    unit: str


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's outcome. The keys of as_json are a contract (design, section 8)."""

    name: str
    settings: Mapping[str, Any]
    results: Mapping[str, Figures]
    ratios: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return plain data: {name, settings, results: {case: {n, p50, p90, p99, max, unit}}, ratios}."""
        results = {
            case: {"n": f.n, "p50": f.p50, "p90": f.p90, "p99": f.p99, "max": f.max, "unit": f.unit}
            for case, f in self.results.items()
        }
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "results": results,
            "ratios": {name: round(ratio, _DIGITS) for name, ratio in self.ratios.items()},
        }


def figures(samples_ns: Sequence[int], unit: str) -> Figures:
    """Summarize at least one sample, given in ns, in unit "ns", "us" or "ms"."""
    ordered = sorted(samples_ns)

    def at(percent: int) -> float:
        rank = -(-percent * len(ordered) // 100)  # rounded up
        return round(ordered[rank - 1] / _NS_PER[unit], _DIGITS)

    return Figures(len(ordered), at(50), at(90), at(99), at(100), unit)


def machine() -> dict[str, Any]:
    """Return what a reader needs to compare figures: they belong to this machine."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
    }
