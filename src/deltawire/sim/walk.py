"""A generated market: seeded random walks, for tests, for long runs and for many pairs.

One fair price a base moves by whole ticks; each venue quotes around it, Vest a moment behind, so small crossings happen
as on the recording. Integers only, from the generator handed in: one seed, one market.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deltawire.sim.market import Quote
from deltawire.sim.recording import Tick


@dataclass(frozen=True, slots=True)
class WalkBase:
    """Start of one base: price, price tick and usual size at the best price, in 1e-8 units."""

    price_e8: int
    tick_e8: int
    size_e8: int


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """How fast and how far. interval_ns: mean time between two quotes of one base on one venue."""

    interval_ns: int = 20_000_000
    step_ticks_max: int = 5  # the fair price moves by at most this at each Paradex quote
    half_spread_ticks_max: int = 2
    stray_part: int = 50  # prices stay within 1/50 of the start, pulled back at the border


def walk_ticks(bases: Mapping[str, WalkBase], settings: WalkSettings, rng: random.Random) -> Iterator[Tick]:
    """Yield quotes of both venues in order of time, without end. Vest quotes the fair price of the round before."""
    names = tuple(bases)
    fair = {name: base.price_e8 // base.tick_e8 for name, base in bases.items()}
    seen_by_vest = dict(fair)
    slot_ns = max(1, settings.interval_ns // (2 * len(names)))
    number = 0
    while True:
        name = names[number // 2 % len(names)]
        base = bases[name]
        if number % 2 == 0:
            venue, middle = "paradex", _moved(fair[name], base, settings, rng)
            seen_by_vest[name], fair[name] = fair[name], middle
        else:
            venue, middle = "vest", seen_by_vest[name]
        # Anywhere in its own slot: irregular as a real feed, and still in order.
        yield Tick(number * slot_ns + rng.randrange(slot_ns), venue, name, _quote(middle, base, settings, rng))
        number += 1


def _moved(fair_ticks: int, base: WalkBase, settings: WalkSettings, rng: random.Random) -> int:
    start_ticks = base.price_e8 // base.tick_e8
    reach_ticks = start_ticks // settings.stray_part
    moved_ticks = fair_ticks + rng.randint(-settings.step_ticks_max, settings.step_ticks_max)
    return min(max(moved_ticks, start_ticks - reach_ticks), start_ticks + reach_ticks)


def _quote(middle_ticks: int, base: WalkBase, settings: WalkSettings, rng: random.Random) -> Quote:
    below, above = (rng.randint(1, settings.half_spread_ticks_max) for _ in range(2))
    bid_size_e8, ask_size_e8 = (base.size_e8 * rng.randint(50, 150) // 100 for _ in range(2))
    return Quote((middle_ticks - below) * base.tick_e8, bid_size_e8, (middle_ticks + above) * base.tick_e8, ask_size_e8)
