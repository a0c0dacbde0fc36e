"""Many seeds: run them, in several processes when asked, and add up what they showed."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from deltawire.faultrun.judge import Broken, rows
from deltawire.faultrun.kinds import KINDS
from deltawire.faultrun.world import Outcome, run_seed

SEEDS_AT_ONCE = 8  # handed to a worker; the garbage of so many worlds is collected together
# What each kind of fault is counted as, where that is not its own name: a kind counts when it strikes, not when armed.
_COUNTED_AS = {
    "disk.full": ("full_disk",),
    "disk.slow": ("slow_disk",),
    "disk.slow_sync": ("slow_sync",),
    "crash.at_write": ("crash_before_write", "crash_middle_write", "crash_after_write"),
    "net.cut_next": tuple(f"net.cut_next {at} {way}" for at in ("before", "middle", "after") for way in ("up", "down")),
    "net.cut_order": tuple(f"net.cut_order {at}" for at in ("before", "middle", "after")),
}


@dataclass(slots=True)
class Summary:
    """What a range of seeds showed."""

    seeds: int = 0
    failing: dict[int, list[Broken]] = field(default_factory=dict)
    coverage: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0

    @property
    def violations(self) -> int:
        return sum(map(len, self.failing.values()))

    @property
    def rows_never_met(self) -> list[str]:
        return [name for name in all_rows() if not self.coverage[name]]

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.coverage.update(outcome.coverage)
        self.virtual_s += outcome.virtual_s
        if outcome.broken:
            self.failing[outcome.seed] = outcome.broken


def all_rows() -> list[str]:
    """Name everything that is counted: each kind of fault, and each row of the two tables."""
    faults = [f"fault {name}" for kind in KINDS for name in _COUNTED_AS.get(kind, (kind,))]
    return faults + rows()


def sweep(seeds: Iterable[int], jobs: int, told: Callable[[Outcome], None] = lambda _outcome: None) -> Summary:
    """Run all seeds. told: called with each outcome, in the order of the seeds."""
    summary = Summary()
    for outcome in _outcomes(list(seeds), jobs):
        summary.add(outcome)
        told(outcome)
    return summary


def _outcomes(seeds: list[int], jobs: int) -> Iterator[Outcome]:
    batches = [seeds[at : at + SEEDS_AT_ONCE] for at in range(0, len(seeds), SEEDS_AT_ONCE)]
    if jobs == 1:
        for batch in batches:
            yield from run_batch(batch)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for outcomes in pool.map(run_batch, batches):
            yield from outcomes


def run_batch(seeds: list[int]) -> list[Outcome]:
    """Run some seeds, with the collector off meanwhile: it would walk every world many times over."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return [run_seed(seed) for seed in seeds]
    finally:
        gc.collect()
        if was_on:
            gc.enable()
