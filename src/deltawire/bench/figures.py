"""What a benchmark says: percentiles of its samples, the settings they were taken under, and ratios between cases.

Ratios whose name begins with "deltawire" have ours above the line, so that more is slower: these a check may compare.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PER = {"ns": 1, "us": 1_000, "ms": 1_000_000, "bps": 10_000}  # of what samples are given in: ns, or rates of 1e-8
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
class Table:
    """Rows that are no percentiles: counts, money, memory."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    def as_json(self) -> dict[str, Any]:
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a number, such as an edge over round trips; `lines` is name -> points (x, y)."""

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Sequence[tuple[float, float]]]

    def as_json(self) -> dict[str, Any]:
        lines = {name: [list(point) for point in points] for name, points in self.lines.items()}
        return {"title": self.title, "x_label": self.x_label, "y_label": self.y_label, "lines": lines}


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's outcome. The keys of as_json are a contract (design, section 8)."""

    name: str
    settings: Mapping[str, Any]
    results: Mapping[str, Figures]
    ratios: Mapping[str, float]
    missing: Sequence[str] = ()  # what was not measured, and why: a sentence each
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain data: {name, settings, results: {case: {n, p50, p90, p99, max, unit}}, ratios}.

        Where there is something to tell: missing, tables, charts.
        """
        results = {
            case: {"n": f.n, "p50": f.p50, "p90": f.p90, "p99": f.p99, "max": f.max, "unit": f.unit}
            for case, f in self.results.items()
        }
        more = {
            "missing": list(self.missing),
            "tables": [table.as_json() for table in self.tables],
            "charts": [chart.as_json() for chart in self.charts],
        }
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "results": results,
            "ratios": {name: float(f"{ratio:.4g}") for name, ratio in self.ratios.items()},
            **{name: found for name, found in more.items() if found},
        }


def figures(samples: Sequence[int], unit: str) -> Figures:
    """Summarize at least one sample: given in ns, in unit "ns", "us" or "ms", or given as a rate in 1e-8, in "bps"."""
    ordered = sorted(samples)

    def at(percent: int) -> float:
        rank = -(-percent * len(ordered) // 100)  # rounded up
        return round(ordered[rank - 1] / _PER[unit], _DIGITS)

    return Figures(len(ordered), at(50), at(90), at(99), at(100), unit)


def machine() -> dict[str, Any]:
    """Return what a reader needs to compare figures: they belong to this machine."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "taken_utc": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or "unknown"
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"  # ARM names no model there
