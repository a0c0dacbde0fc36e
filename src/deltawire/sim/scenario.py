"""Faults planned ahead: at a time, or for a moment of a venue (its third order, its first fill)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from deltawire.sim.clock import CallLater
from deltawire.sim.faults import MOMENTS, Fault, Faults


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One line of a scenario. moment "": after at_ns from the start; else the venue's number-th such moment."""

    fault: Fault
    at_ns: int = 0
    moment: str = ""
    number: int = 1


def plan_of(fault: Fault, *, at_ns: int | None, at_order: int | None, on_first: str | None) -> PlannedFault:
    """Return the line that was written; at most one of the three may be given. Raises ValueError."""
    given = [value for value in (at_ns, at_order, on_first) if value is not None]
    if len(given) > 1:
        raise ValueError("at_ms, at_order and on_first exclude each other")
    if at_ns is not None and at_ns < 0:
        raise ValueError("at_ms is below zero")
    if at_order is not None:
        return PlannedFault(fault, moment="order", number=at_order)
    if on_first is not None:
        if on_first not in MOMENTS:
            raise ValueError(f"unknown moment {on_first!r}; one of {', '.join(MOMENTS)}")
        return PlannedFault(fault, moment=on_first)
    return PlannedFault(fault, at_ns=at_ns or 0)


def start_scenario(planned: Iterable[PlannedFault], faults: Faults, call_later: CallLater) -> None:
    """Plan everything; time runs from now. Raises ValueError for a fault that cannot be."""
    for line in planned:
        fault = replace(line.fault, params=dict(line.fault.params))  # counts down as it strikes: the line stays whole
        if line.moment:
            faults.plan(fault, line.moment, line.number)
        elif line.at_ns:
            faults.check(fault)
            call_later(line.at_ns / 1e9, partial(faults.add, fault))
        else:
            faults.add(fault)
