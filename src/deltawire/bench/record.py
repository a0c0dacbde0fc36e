"""The committed record of the benchmarks: one JSON file a benchmark, as `--record` writes it and `--check` reads it.

Compared are the ratios whose name begins with "deltawire" (ours above the line): figures belong to a machine, ratios
of one run much less so. Whether something is slower is asked of a ratio's p50 and p99 by different margins, because a
tail is made of few samples.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = "deltawire"
MARGIN, MARGIN_TAIL = 1.20, 1.60  # of the recorded ratio; runs of an unchanged program on one machine stay within


class NoRecord(Exception):
    """There is nothing to compare with; the text says how to make it."""


@dataclass(frozen=True, slots=True)
class Slower:
    bench: str
    ratio: str
    recorded: float
    now: float

    def __str__(self) -> str:
        percent = round((self.now / self.recorded - 1) * 100)
        return f"{self.bench}: {self.ratio} was {self.recorded:g}, is {self.now:g} ({percent} % slower)"


def write(folder: Path, report: Mapping[str, Any]) -> Path:
    """Write one benchmark's JSON; returns where. folder: bench/results."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['name']}.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def recorded(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the recorded report of a benchmark, None where there is none. Raises NoRecord for an unreadable one."""
    path = folder / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["ratios"].items()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise NoRecord(f'{path} cannot be read ({e}): write it anew with make bench ARGS="--record {name}"') from e
    return found


def compared(before: Mapping[str, Any]) -> dict[str, float]:
    """Return the ratios of a report that are compared."""
    return {name: ratio for name, ratio in before["ratios"].items() if name.startswith(OURS)}


def slower(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Slower]:
    """Return what got slower than the record by more than its margin. A ratio only one of them has is not compared."""
    found = []
    for name, was in compared(before).items():
        ratio = now["ratios"].get(name)
        margin = MARGIN_TAIL if "p99" in name else MARGIN
        if ratio is not None and was > 0 and ratio > was * margin:
            found.append(Slower(str(now["name"]), name, was, ratio))
    return found
