"""`deltawire faults`: runs seeds of the deterministic fault world and says what broke, and how much was exercised."""

import os
import sys
import time

import orjson
import typer

from deltawire.cli import exits
from deltawire.faultrun.sweep import Summary, all_rows, sweep
from deltawire.faultrun.world import Outcome, run_seed

PROGRESS_EVERY_S = 10.0
FAILING_SHOWN = 20


def faults(seeds: str, jobs: int | None, *, as_json: bool, seed_log: int | None) -> None:
    """Exit 0 when no seed broke a rule, 1 when one did."""
    if seed_log is not None:
        _replay(seed_log)
        return
    chosen = _range(seeds)
    began_s = time.monotonic()
    summary = sweep(chosen, jobs or os.cpu_count() or 1, _Progress(len(chosen)))
    took_s = time.monotonic() - began_s
    typer.echo(orjson.dumps(as_dict(summary)).decode() if as_json else "\n".join(_lines(summary, took_s)))
    if summary.failing:
        raise typer.Exit(exits.FAILED)


def as_dict(summary: Summary) -> dict[str, object]:
    return {
        "seeds": summary.seeds,
        "violations": summary.violations,
        "failing": [
            {
                "seed": seed,
                "replay": replay_command(seed),
                "broken": [{"rule": b.rule, "text": b.text, "virtual_s": b.at_ns / 1e9} for b in broken],
            }
            for seed, broken in summary.failing.items()
        ],
        "coverage": {name: summary.coverage[name] for name in all_rows()},
    }


def replay_command(seed: int) -> str:
    return f"deltawire faults --seed-log {seed}"


def _replay(seed: int) -> None:
    outcome = run_seed(seed, keep_log=True)
    sys.stdout.writelines(outcome.lines)
    typer.echo(f"seed {seed}: {len(outcome.broken)} violations, log {outcome.digest}")
    if outcome.broken:
        raise typer.Exit(exits.FAILED)


def _range(text: str) -> range:
    first, dots, last = text.partition("..")
    last = last if dots else first
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        exits.leave(f'--seeds "{text}" is no range; write 0..999, or one number', exits.MISUSED)
    return range(int(first), int(last) + 1)


class _Progress:
    """A line on stderr now and then: a long sweep that says nothing looks like one that hangs."""

    def __init__(self, seeds: int) -> None:
        self._seeds, self._done, self._failed = seeds, 0, 0
        self._told_s = time.monotonic()

    def __call__(self, outcome: Outcome) -> None:
        self._done += 1
        self._failed += bool(outcome.broken)
        if time.monotonic() - self._told_s > PROGRESS_EVERY_S:
            self._told_s = time.monotonic()
            sys.stderr.write(f"deltawire faults: {self._done} of {self._seeds} seeds, {self._failed} failing\n")


def _lines(summary: Summary, took_s: float) -> list[str]:
    lines = []
    for seed, broken in list(summary.failing.items())[:FAILING_SHOWN]:
        lines.append(f"seed {seed}: {broken[0].rule}: {broken[0].text}")
        lines.append(f"  replay: {replay_command(seed)}")
    if len(summary.failing) > FAILING_SHOWN:
        lines.append(f"and {len(summary.failing) - FAILING_SHOWN} more seeds")
    lines += [f"{summary.coverage[name]:9d}  {name}" for name in all_rows() if summary.coverage[name]]
    never = summary.rows_never_met
    lines.append(f"never met: {', '.join(never) if never else 'nothing'}")
    rate = summary.seeds / took_s * 60 if took_s else 0.0
    lines.append(
        f"{summary.seeds} seeds, {summary.violations} violations in {len(summary.failing)} of them; "
        f"{summary.virtual_s / 3600:.1f} virtual hours in {took_s:.0f} s, {rate:.0f} seeds a minute"
    )
    return lines
