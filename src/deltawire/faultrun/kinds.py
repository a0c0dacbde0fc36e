"""The kinds of faults, and how their particulars are drawn. Which of them strike, and when, is drawn in `plan`."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deltawire.core.money import E8

S_NS = 10**9
VENUES = ("paradex", "vest")
PORTS = ("rest", "ws")
WAYS = ("both", "both", "down", "up")
# The faults end by then; long enough for four or five round trips of the drawn market.
FAULTS_UNTIL_NS = 14 * S_NS
Draw = Callable[[random.Random], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: what, when, and its particulars."""

    at_ns: int
    kind: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        rest = " ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.kind} {rest}".rstrip()


def moment(rng: random.Random) -> int:
    # Some at the very start: connecting, recovering and the first trade are where most can go wrong.
    return rng.randrange(FAULTS_UNTIL_NS) if rng.random() < 0.85 else rng.randrange(S_NS)


def false_code(venue: str, rng: random.Random) -> dict[str, Any]:
    return {"code": rng.choice(("VALIDATION_ERROR",) if venue == "paradex" else ("3001", "3003", "1130"))}


def goodbye(rng: random.Random) -> dict[str, Any]:
    dark = rng.random() < 0.6
    ms = rng.randrange(500, 6_500) if dark else rng.randrange(200, 2_000)
    return {"venue": rng.choice(VENUES), "writes": rng.randrange(1, 8), "dark": dark, "ms": ms}


def power(rng: random.Random) -> dict[str, Any]:
    return {"keep_e8": rng.choice((0, E8 // 3, E8 * 2 // 3, E8))}


def again(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.choice((0, 0, rng.randrange(100, 4_000)))}


def _nothing(_rng: random.Random) -> dict[str, Any]:
    return {}


def _ms(low: int, high: int) -> Draw:
    return lambda rng: {"ms": rng.randrange(low, high)}


def part(rng: random.Random) -> dict[str, Any]:
    return {"fraction_e8": rng.choice((0, 1, E8 // 10, E8 // 3, E8 // 2, E8 * 9 // 10))}


def _where(rng: random.Random) -> dict[str, Any]:
    return {"where": rng.choice(("before", "after"))}


def _paradex_code(rng: random.Random) -> dict[str, Any]:
    return {"code": rng.choice(("VALIDATION_ERROR", "NOT_ENOUGH_MARGIN", "SOMETHING_NEW"))}


def _vest_code(rng: random.Random) -> dict[str, Any]:
    return {"code": rng.choice(("3001", "3003", "3008", "1130", "9999")), "where": rng.choice(("answer", "event"))}


def _link(*links: str) -> Draw:
    return lambda rng: {"link": rng.choice(links)}


def _silent(*links: str) -> Draw:
    return lambda rng: {"link": rng.choice(links), "ms": rng.randrange(200, 6_000)}


def _port(rng: random.Random) -> dict[str, Any]:
    return {"venue": rng.choice(VENUES), "port": rng.choice(PORTS)}


def cut(rng: random.Random) -> dict[str, Any]:
    return _port(rng) | {"lose_up": rng.random() < 0.5, "lose_down": rng.random() < 0.5}


def _cut_next(rng: random.Random) -> dict[str, Any]:
    way, where = rng.choice(("up", "down")), rng.choice(("before", "middle", "after"))
    return _port(rng) | {"way": way, "where": where}


def _cut_order(rng: random.Random) -> dict[str, Any]:
    where = rng.choice(("before", "middle", "after", "after"))
    late = where == "after" and rng.random() < 0.6
    return {"venue": rng.choice(VENUES), "where": where} | ({"late_ms": rng.randrange(100, 1_300)} if late else {})


def _port_for(low_ms: int, high_ms: int) -> Draw:
    return lambda rng: _port(rng) | {"ms": rng.randrange(low_ms, high_ms)}


def _venue_for(low_ms: int, high_ms: int) -> Draw:
    return lambda rng: {"venue": rng.choice(VENUES), "ms": rng.randrange(low_ms, high_ms)}


def _slow(rng: random.Random) -> dict[str, Any]:
    return _port(rng) | {
        "delay_ms": rng.randrange(100, 2_500),
        "ms": rng.randrange(200, 4_000),
        "way": rng.choice(WAYS),
    }


def _side(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.randrange(200, 4_000), "side": rng.choice(("bids", "asks", "both"))}


def _mode(rng: random.Random) -> dict[str, Any]:
    return {"mode": rng.choice(("maintenance", "cancel_only", "post_only", "release")), "ms": rng.randrange(500, 8_000)}


def _step(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.choice((-1, 1)) * rng.choice((3, 400, 1_200, 4_000, 30_000, 90_000))}


def _busy(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.randrange(50, 1_500) if rng.random() < 0.7 else rng.randrange(5_100, 9_000)}


def _crash_write(rng: random.Random) -> dict[str, Any]:
    return {"writes": rng.randrange(1, 12), "where": rng.choice(("before", "middle", "after"))}


def _full(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.randrange(200, 6_000), "part": rng.random() < 0.5}


_ON_BOTH: dict[str, Draw] = {
    "rate_limit": _nothing,
    "partial_fill": part,
    "lose_reply": _nothing,
    "drop_before": _nothing,
    "drop_after": _nothing,
    "delay_reply": _ms(50, 4_000),
    "late_fill": _ms(50, 4_000),
    "duplicate_events": again,
    "lose_events": _nothing,
    "hide_order": _ms(500, 6_000),
    "close_position": _nothing,
    "reorder_events": _nothing,
    "fill_before_ack": _nothing,
    "wrong_signature": _nothing,
    "expire_token": _nothing,
    "read_error": _nothing,
    "stale_book": _ms(500, 5_000),
}

# Kind -> how its particulars are drawn. "paradex." and "vest." are faults of the simulated venue itself.
KINDS: dict[str, Draw] = {
    **{f"{venue}.{kind}": draw_it for venue in VENUES for kind, draw_it in _ON_BOTH.items()},
    "paradex.reject_order": _paradex_code,
    "paradex.false_reject": partial(false_code, "paradex"),
    "vest.false_reject": partial(false_code, "vest"),
    "paradex.bust": _nothing,
    "paradex.idless_error": _where,
    "paradex.gap": _nothing,
    "paradex.maintenance": _mode,
    "paradex.drop_stream": _link("market data", "orders", "private"),
    "paradex.silent_stream": _silent("market data", "orders", "private"),
    "vest.reject_order": _vest_code,
    "vest.http_530": _where,
    "vest.expire_listen_key": _nothing,
    "vest.restart": _link("market data", "private"),
    "vest.halt": _ms(200, 5_000),
    "vest.thin_book": _side,
    "vest.drop_stream": _link("market data", "private"),
    "vest.silent_stream": _silent("market data", "private"),
    "net.cut": cut,
    "net.cut_next": _cut_next,
    "net.cut_order": _cut_order,
    "net.goodbye": goodbye,
    "net.garble": _port,
    "net.freeze": _port,
    "net.refuse": _port_for(200, 4_000),
    "net.dark": _venue_for(200, 6_000),
    "net.slow": _slow,
    "clock.step": _step,
    "disk.full": _full,
    "disk.slow": _ms(5, 400),
    "disk.slow_sync": _ms(50, 3_000),
    "crash.at_write": _crash_write,
    "crash.now": _nothing,
    "crash.power": power,  # what was written since the last flush is gone with it
    "hand.close": _nothing,  # somebody closes what is on, at both venues
    "bot.stop": _nothing,  # no fault by itself: told to end in the middle of it all, and started again
    "bot.arm": _nothing,  # a person lifts what halted it
    "bot.flatten": _ms(500, 3_000),  # and to close everything; entries are on again after that long
    "crash.busy": _busy,  # the process stands still: a stopped machine, a swapped-out page
}
# Those that may strike several orders in a row.
ON_ORDERS = frozenset(
    f"{venue}.{kind}"
    for venue in VENUES
    for kind in (
        "reject_order",
        "rate_limit",
        "partial_fill",
        "lose_reply",
        "drop_before",
        "drop_after",
        "delay_reply",
        "late_fill",
        "duplicate_events",
        "lose_events",
        "hide_order",
        "false_reject",
        "reorder_events",
        "fill_before_ack",
        "wrong_signature",
        "read_error",
    )
)
