"""What the next kill of a crash drill is aimed at: every phase of a trade, and recovery itself, is to be met enough.

Pure but for the random numbers handed in. Half of the kills are drawn as they come; the others go to the phases that
have been met too seldom, and near the end all of them do. What is aimed at is not always hit: only where the bot was by
its journal when it died counts.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any

IN_A_TRADE = ("entering", "repairing", "unwinding", "holding", "exiting")
LEAVING = "leaving"  # orders signed ahead were being written, and are not on record
RECOVERING = "recovering"  # started again after a kill in mid-trade, and not yet ready
PHASES = (*IN_A_TRADE, LEAVING, RECOVERING)
# Aims that are no phase: some instant of the start, some instant of trading, soon after an entry or another order.
START, TRADING, AN_ENTRY, ANOTHER_ORDER = "start", "trading", "an entry", "another order"
_AS_IT_COMES = ((START, 0.2), (TRADING, 0.15), (AN_ENTRY, 0.26), (ANOTHER_ORDER, 0.39))
REPAIRS_MAX = 2  # as in the bot's settings: so many refusals more than one, and the other leg is given back
_OTHER = {"paradex": "vest", "vest": "paradex"}


def share_of(kills: int) -> int:
    """Return how often each phase is to be met at least, where nobody says: a twentieth of all kills."""
    return kills // 20


class Aims:
    def __init__(self, kills: int, at_least: int, rng: random.Random) -> None:
        self._kills, self._at_least, self._rng = kills, at_least, rng

    def missing(self, met: Mapping[str, int]) -> dict[str, int]:
        """Return how many kills each phase still wants; phases that have enough are not in it."""
        wanted = {phase: self._at_least - met.get(phase, 0) for phase in PHASES}
        return {phase: count for phase, count in wanted.items() if count > 0}

    def next(self, met: Mapping[str, int], done: int, *, was_open: bool) -> str:
        """Return a phase or one of the other aims. was_open: the bot died with something on, so the next recovers."""
        missing = self.missing(met)
        late = 2 * sum(missing.values()) >= self._kills - done
        if not missing or not (late or self._rng.random() < 0.5):
            return self._rng.choices([aim for aim, _ in _AS_IT_COMES], [weight for _, weight in _AS_IT_COMES])[0]
        possible = {phase: count for phase, count in missing.items() if phase != RECOVERING or was_open}
        return max(possible, key=lambda phase: possible[phase]) if possible else ANOTHER_ORDER

    def delay_s(self, aim: str) -> float:
        """Draw how long after the phase was seen the bot is killed: mostly very soon, for a phase may be short."""
        if aim == "holding":
            return self._rng.uniform(0, 0.3)
        if aim == RECOVERING:
            return self._rng.uniform(0, 0.5)
        return float(10 ** self._rng.uniform(-5, -1.5 if aim in IN_A_TRADE else -0.5))

    def faults(self, aim: str) -> Iterator[dict[str, Any]]:
        """Yield the faults that lead to a phase, as the simulators' control URL takes them."""
        venue = self._rng.choice(sorted(_OTHER))
        if aim == "repairing":
            if self._rng.random() < 0.5:
                yield _fault(venue, "reject_order")
            else:
                yield _fault(venue, "partial_fill", fraction_e8=self._rng.randrange(10, 90) * 1_000_000)
        elif aim == "unwinding":
            yield _fault(venue, "reject_order") | {"count": REPAIRS_MAX + 1}
            if self._rng.random() < 0.5:  # and what is given back takes its time
                yield _fault(_OTHER[venue], "late_fill", ms=self._rng.randrange(20, 300)) | {"count": 2}
            elif self._rng.random() < 0.5:  # or fills in two parts
                yield _fault(_OTHER[venue], "partial_fill", fraction_e8=50_000_000) | {"count": 2}


def _fault(venue: str, kind: str, **params: int) -> dict[str, Any]:
    return {"venue": venue, "kind": kind, "params": params}
