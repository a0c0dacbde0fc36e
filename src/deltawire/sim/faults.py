"""Registry of armed faults: what a simulated venue shall do wrong, and how often it already did.

Tests, scenarios and the control URL arm faults, at once or planned for a moment; the venue's exchange and bindings ask
`take` at the place where the fault would strike. Knows nothing of how a venue carries a fault out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VENUES = ("paradex", "vest")

# What a parameter may be: a whole number (of ms or 1e-8 parts, never negative), a text, or one of some words.
ParamKind = type[int] | type[str] | tuple[str, ...]

# Kind -> its parameters. One left out has the venue's default; an unknown one is an error.
KINDS: Mapping[str, Mapping[str, ParamKind]] = {
    # on an order
    "reject_order": {"code": str, "text": str, "where": ("answer", "event")},  # refused, not executed; where: Vest only
    "wrong_signature": {},  # refused, not executed, as if its signature were wrong
    "rate_limit": {},  # refused as too many requests
    "idless_error": {"where": ("before", "after")},  # an error that names no request, executed or not (Paradex)
    "partial_fill": {"fraction_e8": int},  # executed for this part of its size at most, the rest cancelled
    "lose_reply": {},  # executed, the request is never answered
    "drop_before": {},  # connection closed on arrival, order NOT executed
    "drop_after": {},  # executed, connection dropped before the answer
    "delay_reply": {"ms": int},  # executed at once, answered late
    "late_fill": {"ms": int},  # answered at once, fill events late
    "duplicate_events": {"ms": int},  # every event of the order comes twice, the second time so much later
    "reorder_events": {},  # what is told of the order's execution comes last word first
    "fill_before_ack": {},  # fill events come before the answer
    "lose_events": {},  # executed, and no event tells of it
    "hide_order": {"ms": int},  # executed as usual; for so long, a look-up says that there is no such order
    "false_reject": {"code": str},  # executed, and answered with a refusal
    "http_530": {"where": ("before", "after")},  # the edge's error page instead of the order, or of its answer (Vest)
    # on an account
    "expire_token": {},  # every access token (Paradex) or API key (Vest) is refused from now on
    "expire_listen_key": {},  # every listen key runs out now (Vest)
    "bust": {},  # each account's last fill is taken back (Paradex)
    "close_position": {},  # what each account holds is closed by somebody else's order
    "read_error": {},  # one REST read is answered with a failure of the server
    # on streams
    "drop_stream": {"link": str},  # close the connections now, without a close frame
    "silent_stream": {"link": str, "ms": int},  # the connections stay open and say nothing
    "gap": {"base": str},  # one book delta is lost (Paradex)
    "restart": {"link": str},  # close the connections now with 1012, as a restarting venue does (Vest)
    # on a market, for `ms` or until the simulator ends; without `base` on all
    # the system's state, or all of a release's one after the other (Paradex)
    "maintenance": {"mode": ("maintenance", "cancel_only", "post_only", "release"), "ms": int},
    "halt": {"base": str, "ms": int},  # no orders (Vest)
    "thin_book": {"base": str, "ms": int, "side": ("bids", "asks", "both")},  # the picture lacks a side (Vest)
    "stale_book": {"base": str, "ms": int},  # the book channel stands still, everything else goes on
    # on the simulated network before the venue; connection: as numbered from 1 in the order they opened, without it all
    "cut": {"port": ("rest", "ws"), "way": ("up", "down"), "bytes": int, "connection": int},  # after so many bytes more
    "freeze": {"port": ("rest", "ws"), "connection": int},  # bytes vanish both ways, the connection stays open
    "slow_network": {"up_ms": int, "down_ms": int, "jitter_ms": int, "ms": int},  # delays in place of the usual ones
}
_PARADEX_ONLY = ("gap", "idless_error", "bust", "maintenance")
_VEST_ONLY = ("http_530", "restart", "expire_listen_key", "halt", "thin_book")
ONLY_AT: Mapping[str, str] = dict.fromkeys(_PARADEX_ONLY, "paradex") | dict.fromkeys(_VEST_ONLY, "vest")
NEEDED: Mapping[str, tuple[str, ...]] = {"cut": ("port", "way", "bytes"), "freeze": ("port",)}

# What a plan can wait for, counted per venue from its start.
MOMENTS = ("order", "fill", "cancel", "connection")

COUNT_MAX = 1_000_000  # a typing error in a count shall not arm a fault for ever
PARAM_INT_MAX = 10**12  # far above any time in ms and any fraction; keeps arithmetic on it harmless


@dataclass(slots=True)
class Fault:
    """One armed fault. count: how many more times it strikes."""

    venue: str
    kind: str
    count: int = 1
    params: dict[str, Any] = field(default_factory=dict)


class Faults:
    """Armed faults in the order they were added; the oldest that fits strikes first.

    venues: who may have one. A venue that is not of the product (an example's) chooses among all kinds.
    """

    def __init__(self, venues: tuple[str, ...] = VENUES) -> None:
        self._venues = venues
        self._armed: list[Fault] = []
        self._forbidden: dict[tuple[str, str], str] = {}  # (venue, kind) -> why
        self._listeners: dict[str, list[Callable[[Fault], None]]] = {}
        self._planned: dict[tuple[str, str, int], list[Fault]] = {}  # (venue, moment, number) -> to be armed then
        self.taken: Counter[tuple[str, str]] = Counter()  # (venue, kind) -> times it struck
        self.seen: Counter[tuple[str, str]] = Counter()  # (venue, moment) -> times it came

    def listen(self, venue: str, on_armed: Callable[[Fault], None]) -> None:
        """Call back when a fault of this venue is armed: for kinds that strike at once, such as drop_stream.

        The listener still consumes it with `take`; what nobody takes stays armed and visible.
        """
        self._listeners.setdefault(venue, []).append(on_armed)

    def forbid(self, venue: str, kinds: Iterable[str], why: str) -> None:
        """Refuse these kinds from now on, with this reason: nothing here could carry them out."""
        self._forbidden |= {(venue, kind): why for kind in kinds}

    def add(self, fault: Fault) -> None:
        """Arm a fault. Raises ValueError, arming nothing, for an unknown venue, kind, count or parameter."""
        self.check(fault)
        self._armed.append(fault)
        for on_armed in self._listeners.get(fault.venue, ()):
            on_armed(fault)

    def plan(self, fault: Fault, moment: str, number: int = 1) -> None:
        """Arm the fault when the venue sees its number-th order, fill, cancel or connection: in time for that one.

        Raises ValueError, planning nothing, for what `add` refuses and for a moment unknown or gone by.
        """
        self.check(fault)
        if moment not in MOMENTS:
            raise ValueError(f"unknown moment {moment!r}; one of {', '.join(MOMENTS)}")
        if number <= self.seen[fault.venue, moment]:
            raise ValueError(f"{moment} {number} of {fault.venue} has been: {self.seen[fault.venue, moment]} so far")
        self._planned.setdefault((fault.venue, moment, number), []).append(fault)

    def saw(self, venue: str, moment: str) -> None:
        """Count a moment; the venue calls this as it comes, before it asks for faults that would strike it."""
        self.seen[venue, moment] += 1
        for fault in self._planned.pop((venue, moment, self.seen[venue, moment]), ()):
            self.add(fault)

    def take(self, venue: str, kind: str, fits: Callable[[Fault], bool] = lambda _fault: True) -> Fault | None:
        """Consume one use of the oldest armed fault of this kind that fits; None when there is none."""
        for at, fault in enumerate(self._armed):
            if fault.venue == venue and fault.kind == kind and fits(fault):
                fault.count -= 1
                if fault.count == 0:
                    del self._armed[at]
                self.taken[venue, kind] += 1
                return fault
        return None

    def check(self, fault: Fault) -> None:
        """Raise the ValueError that `add` would raise."""
        _check(fault, self._venues)
        if (fault.venue, fault.kind) in self._forbidden:
            raise ValueError(f"{fault.kind} cannot strike: {self._forbidden[fault.venue, fault.kind]}")

    def clear(self) -> int:
        """Disarm everything, plans too; returns how many faults that were."""
        cleared = len(self._armed) + sum(map(len, self._planned.values()))
        self._armed.clear()
        self._planned.clear()
        return cleared

    def armed(self) -> list[dict[str, Any]]:
        """Return what is armed, oldest first, as JSON."""
        return [_json(fault) for fault in self._armed]

    def planned(self) -> list[dict[str, Any]]:
        """Return what waits for a moment, as JSON."""
        waiting = self._planned.items()
        return [_json(fault) | {"at": {moment: n}} for (_, moment, n), faults in waiting for fault in faults]


def _json(fault: Fault) -> dict[str, Any]:
    return {"venue": fault.venue, "kind": fault.kind, "count": fault.count, "params": dict(fault.params)}


def _check(fault: Fault, venues: tuple[str, ...]) -> None:
    if fault.venue not in venues:
        raise ValueError(f"unknown venue {fault.venue!r}; one of {', '.join(venues)}")
    known = KINDS.get(fault.kind)
    if known is None:
        raise ValueError(f"unknown fault kind {fault.kind!r}; one of {', '.join(KINDS)}")
    if fault.venue in VENUES and ONLY_AT.get(fault.kind, fault.venue) != fault.venue:
        raise ValueError(f"{fault.kind} is a fault of {ONLY_AT[fault.kind]} only")
    if not 1 <= fault.count <= COUNT_MAX:
        raise ValueError(f"count {fault.count} of {fault.kind} is not within 1 and {COUNT_MAX}")
    for name, value in fault.params.items():
        if name not in known:
            raise ValueError(f"unknown parameter {name!r} of {fault.kind}; it has: {', '.join(known) or 'none'}")
        _check_param(f"parameter {name!r} of {fault.kind}", value, known[name])
    for name in NEEDED.get(fault.kind, ()):
        if name not in fault.params:
            raise ValueError(f"{fault.kind} needs its parameter {name!r}")


def _check_param(what: str, value: Any, wanted: ParamKind) -> None:
    if isinstance(wanted, tuple):
        if value not in wanted:
            raise ValueError(f"{what} must be {' or '.join(wanted)}, not {value!r}")
    elif type(value) is not wanted:  # not isinstance: true is not a number of milliseconds
        raise ValueError(f"{what} must be {wanted.__name__}, not {value!r}")
    elif isinstance(value, int) and not 0 <= value <= PARAM_INT_MAX:
        raise ValueError(f"{what} is not within 0 and {PARAM_INT_MAX}: {value}")
