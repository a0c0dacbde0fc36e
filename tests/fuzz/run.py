"""Fuzz the codecs: `python -m tests.fuzz.run --codec paradex-sbe --frames 1000000 --seed 1`; all when none is named.

Prints one line of JSON a codec: frames, seconds, outcomes, findings. Exit code 1 when there is a finding. The same
codec, seed and count make the same frames.
"""

import argparse
import faulthandler
import json
import random
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.targets import TARGETS

SLOW_NS = 1_000_000_000  # CPU time for one frame and all its readings; the longest seen is a few ms
HUNG_S = 120
BATCH = 1_000


@dataclass
class Report:
    codec: str
    seed: int
    frames: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)  # by kind and place: the first frame, how many

    def as_json(self) -> dict[str, Any]:
        return self.__dict__ | {"outcomes": dict(self.outcomes.most_common()), "findings": list(self.findings.values())}


def fuzz(codec: str, frames: int, seed: int) -> Report:
    """Run one codec. Never raises for what a frame did: that is in the report."""
    target = TARGETS[codec](random.Random(f"{codec} {seed}"))
    report = Report(codec, seed)
    started = time.perf_counter()
    for number in range(frames):
        frame = target.next_frame()
        began_ns = time.thread_time_ns()
        try:
            report.outcomes[target.check(frame)] += 1
        except Exception as e:  # noqa: BLE001  whatever a frame can cause is what is looked for
            _note(report, e, number, frame)
        took_ns = time.thread_time_ns() - began_ns
        report.slowest_ms = max(report.slowest_ms, round(took_ns / 1e6, 1))
        if took_ns > SLOW_NS:
            _note(report, TimeoutError(f"{took_ns / 1e9:.1f} s"), number, frame)
    report.frames, report.seconds = frames, round(time.perf_counter() - started, 1)
    return report


def _note(report: Report, error: Exception, number: int, frame: bytes) -> None:
    last = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{step.name}:{step.lineno}" for step in reversed(last))
    if isinstance(error, RecursionError):
        place = last[-1].name
    kind = f"{type(error).__name__} at {place}"
    found = report.findings.setdefault(kind, {"kind": kind, "says": str(error)[:400], "times": 0, "number": number})
    found["times"] += 1
    found.setdefault("frame", frame[:600].hex() if b"\x00" in frame[:16] else frame[:600].decode("latin-1"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", choices=TARGETS, action="append")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    faulthandler.dump_traceback_later(
        HUNG_S + args.frames // 500, exit=True
    )  # a hang ends with its place, not for ever
    failed = False
    for codec in args.codec or TARGETS:
        report = fuzz(codec, args.frames, args.seed)
        failed |= bool(report.findings)
        sys.stdout.write(json.dumps(report.as_json()) + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
