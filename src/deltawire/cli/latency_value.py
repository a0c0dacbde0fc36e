"""`deltawire latency-value`: what distance to the venues costs, on the recorded market and in simulated money."""

import os
import sys

import orjson
import typer
from rich.console import Console

from deltawire.bench import record as records
from deltawire.cli import exits
from deltawire.cli.bench import RESULTS, page
from deltawire.research.edge import EdgeSettings, bench_edge

_RTT_MS_MAX = 1_500  # beyond it the venues' receive windows and our time limits decide, not the distance


def latency_value(
    rtts_ms: list[float], seconds: int, seed: int, jobs: int | None, *, as_json: bool, record: bool
) -> None:
    """Run every round trip, print table or JSON; keep it for the benchmarks' page when told to."""
    usual = EdgeSettings()
    chosen = tuple(sorted(set(rtts_ms))) or usual.rtts_ms
    if not 0 <= chosen[0] <= chosen[-1] <= _RTT_MS_MAX:
        exits.leave(f"--rtt-ms: from 0 to {_RTT_MS_MAX}", exits.MISUSED)
    if record and not RESULTS.parent.is_dir():
        exits.leave(f"no {RESULTS.parent}/ here: --record is for the project's own folder", exits.MISUSED)
    settings = EdgeSettings(chosen, seconds, seed, min(jobs or os.cpu_count() or 1, len(chosen)))
    sys.stderr.write(f"deltawire latency-value: {seconds} s of market at {len(chosen)} round trips, virtual clock\n")
    report = bench_edge(settings, lambda done: sys.stderr.write(f"deltawire latency-value: {done}\n"))
    if record:
        sys.stderr.write(f"deltawire latency-value: {records.write(RESULTS, report.as_json())}\n")
    if as_json:
        typer.echo(orjson.dumps(report.as_json()).decode())
    else:
        # Without a terminal there is no width to keep to, and eleven columns want more than the usual 80.
        Console(width=None if sys.stdout.isatty() else 140).print(page(report))
