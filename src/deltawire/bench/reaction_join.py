"""Joins what the simulated venues saw of each step: its frame written, the order read that answers it. Pure.

A step counts only where that is beyond doubt; what does not count is counted, and told.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

_MS_NS = 10**6
# Orders to earlier frames may be on their way for so long before a step: with the floor, which answers every frame.
LOOK_BACK_NS = 20 * _MS_NS


@dataclass(frozen=True, slots=True)
class Step:
    """One step that is beyond doubt. read_ns: the order's arrival at each venue that got one."""

    written_ns: int
    until_ns: int  # the next step was fired then
    read_ns: dict[str, int]


@dataclass(slots=True)
class Joined:
    steps: list[Step] = field(default_factory=list)
    unanswered: int = 0  # no order came before the next step
    unclear: int = 0  # more orders than one, or one that may answer an earlier frame


def join(fired: Sequence[int], written: Sequence[int], read: dict[str, Sequence[int]], *, answers_all: bool) -> Joined:
    """Join one block. fired, written and each of read are ascending; "paradex" of read decides what counts.

    answers_all: the client answers each frame, so a later order is no doubt, and an earlier one not yet read is.
    """
    joined = Joined()
    paradex = read["paradex"]
    for number, fired_ns in enumerate(fired):
        until_ns = fired[number + 1] if number + 1 < len(fired) else 2**63
        frames = _within(written, fired_ns, until_ns)
        orders = _within(paradex, frames[0], until_ns) if frames else []
        if not orders:
            joined.unanswered += 1
            continue
        written_ns = frames[0]
        if answers_all:
            before = written_ns - LOOK_BACK_NS
            doubt = len(_within(written, before, written_ns)) != len(_within(paradex, before, written_ns))
        else:
            doubt = len(orders) != 1
        if doubt:
            joined.unclear += 1
            continue
        firsts = {venue: _within(stamps, written_ns, until_ns)[:1] for venue, stamps in read.items()}
        joined.steps.append(Step(written_ns, until_ns, {venue: at[0] for venue, at in firsts.items() if at}))
    return joined


def _within(stamps: Sequence[int], from_ns: int, until_ns: int) -> Sequence[int]:
    return stamps[bisect_left(stamps, from_ns) : bisect_left(stamps, until_ns)]
