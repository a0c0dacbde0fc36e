"""What one seed does: the market, the delays, the pair's settings, and the faults with their moments. Drawn, not run.

Everything is drawn here and before the run, from one generator, so a plan can be printed, and a change in how the bot
reacts does not change what happens to it. Moments are ns from the start of the run.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import MS, BasisSettings
from deltawire.sim.walk import WalkBase

S_NS = 10**9
# The faults end by then; long enough for four or five round trips of the market below.
FAULTS_UNTIL_NS = 14 * S_NS
STRIKES_MAX = 8
# A venue that refuses everything for so long that the bot's attempts are used up and it calls a person.
SIEGE_ONE_IN, SIEGE_UNTIL_NS = 40, 60 * S_NS
THEME_SHARE, THEMES = 0.25, ("late", "orders", "deaf", "crashes")
BURST_SHARE, BURST_NS = 0.4, S_NS // 2
CRASH_SHARE = 0.25
CLEAN_ONE_IN = 20  # seeds without any fault: what breaks there needs none
VENUES = ("paradex", "vest")
PORTS = ("rest", "ws")


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: what, when, and its particulars."""

    at_ns: int
    kind: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        rest = " ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.kind} {rest}".rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    base: WalkBase
    walk_interval_ns: int
    basis: BasisSettings
    delay_ns: dict[str, int]  # one way, by venue
    jitter_ns: int
    late_one_in: int
    late_ns: int
    idle_close_ns: int
    size_e8: int
    confirm_updates: int
    repairs_max: int
    hold_ns_max: int
    slippage_e8: int
    layers_max: int
    harder_leg_first: bool
    recv_window_ms: int
    pool_connections: int
    send_reduce_only: bool
    order_style: str
    book_feed: str
    faults_until_ns: int
    vest_keeps_back_ms: int  # how long Vest's account lags behind its fills
    strikes: tuple[Strike, ...]
    restart_after_ns: tuple[int, ...]  # downtimes, used one after the other

    def lines(self) -> list[str]:
        """Describe the seed in words, for the log of a replay."""
        facts = (name for name in Plan.__slots__ if name not in {"strikes", "base", "basis"})
        head = " ".join(f"{name}={getattr(self, name)}" for name in facts)
        return [head, *(f"at {strike.at_ns / S_NS:.3f} s: {strike}" for strike in self.strikes)]


Draw = Callable[[random.Random], dict[str, Any]]


def draw(seed: int) -> Plan:
    """Draw all that happens to one run."""
    rng = random.Random(f"deltawire faults {seed}")  # noqa: S311  chance, not secrets
    slow = rng.random() < 0.2
    siege = rng.randrange(SIEGE_ONE_IN) == 0
    theme = rng.choice(THEMES) if rng.random() < THEME_SHARE else ""
    return Plan(
        seed=seed,
        base=WalkBase(rng.randrange(50_000, 120_000) * E8, E8 // 10, rng.choice((E8 // 200, E8 // 20, E8))),
        walk_interval_ns=rng.choice((100, 150, 250)) * MS,
        basis=BasisSettings(
            height_min_e8=20 * BPS_E8,
            height_max_e8=rng.choice((30, 45)) * BPS_E8,
            period_ns=3_000 * MS,
            ramp_ns=rng.choice((150, 400)) * MS,
            hold_min_ns=600 * MS,
            hold_max_ns=rng.choice((900, 1_800)) * MS,
            alternate=rng.random() < 0.5,
        ),
        delay_ns={venue: rng.randrange(1, 120 if slow else 25) * MS for venue in VENUES},
        jitter_ns=rng.choice((0, 1, 5, 30)) * MS,
        late_one_in=40 if theme == "late" else rng.choice((0, 0, 0, 200, 50)),
        late_ns=(4_000 if theme == "late" else rng.choice((200, 1_000, 2_500))) * MS,
        idle_close_ns=rng.choice((0, 0, 0, 2_000, 10_500)) * MS,
        size_e8=rng.choice((2, 5, 10, 20)) * E8 // 1_000,
        confirm_updates=rng.choice((1, 2)),
        repairs_max=rng.choice((0, 1, 2, 2)),
        hold_ns_max=rng.choice((1, 3, 30)) * S_NS,
        slippage_e8=rng.choice((1, 2, 5)) * BPS_E8,
        layers_max=rng.choice((1, 1, 2)),
        harder_leg_first=rng.random() < 0.2,
        recv_window_ms=rng.choice((1_000, 1_500)),
        pool_connections=rng.choice((1, 2, 2)),
        send_reduce_only=rng.random() < 0.2,
        order_style=rng.choice(("market", "market", "limit_fok")),
        book_feed=rng.choice(("deltas", "deltas", "snapshot")),
        faults_until_ns=SIEGE_UNTIL_NS if siege else FAULTS_UNTIL_NS,
        vest_keeps_back_ms=rng.choice((40, 300, 500)),
        strikes=_strikes(rng, siege=siege, theme=theme),
        restart_after_ns=tuple(rng.randrange(100, 3_000) * MS for _ in range(STRIKES_MAX + 1)),
    )


def _strikes(rng: random.Random, *, siege: bool, theme: str) -> tuple[Strike, ...]:
    if not siege and not theme and rng.randrange(CLEAN_ONE_IN) == 0:
        return ()
    found = [_strike(rng, _moment(rng)) for _ in range(rng.randint(1, STRIKES_MAX))]
    if rng.random() < BURST_SHARE:
        # Several at about one moment: what each alone does not break, they may together.
        at_ns = _moment(rng)
        found.extend(_strike(rng, at_ns + rng.randrange(BURST_NS)) for _ in range(rng.randint(2, 4)))
    if theme:
        found.extend(_themed(rng, theme))
    if theme == "crashes" or rng.random() < CRASH_SHARE:
        at_ns = _moment(rng)
        for _ in range(rng.randint(1, 5 if theme else 3)):
            found.append(Strike(at_ns, "crash.at_write", _crash_write(rng)))
            at_ns += rng.randrange(3 * S_NS)
    if siege:
        kind = rng.choice(("vest.halt", "vest.reject_order", "paradex.reject_order", "paradex.rate_limit"))
        found.append(Strike(_moment(rng) // 2, kind, {"ms": 10**6} if kind == "vest.halt" else {"count": 10**4}))
    in_time = (strike for strike in found if strike.at_ns < FAULTS_UNTIL_NS)
    return tuple(sorted(in_time, key=lambda strike: strike.at_ns))


def _themed(rng: random.Random, theme: str) -> Iterator[Strike]:
    """Yield what makes a bad day of one kind: rare rows of the tables need several faults that fit together."""
    if theme == "late":
        # Within the margin at which an order is written off; what a clock further ahead does is a gap known by name.
        yield Strike(S_NS // 2, "clock.step", {"ms": rng.choice((-400, 400))})
        yield Strike(_moment(rng), "net.cut", _cut(rng))
    elif theme == "orders":
        # Every order goes wrong in some way, at both venues.
        for venue in VENUES:
            for kind in rng.sample(sorted(ON_ORDERS), 5):
                if kind.startswith(venue):
                    yield Strike(_moment(rng) // 3, kind, KINDS[kind](rng) | {"count": rng.randint(5, 30)})
    elif theme == "deaf":
        # Private news is lost or late all the time: the bot lives by reading.
        for at_ns in range(S_NS, FAULTS_UNTIL_NS, 2 * S_NS):
            yield Strike(at_ns, "paradex.silent_stream", {"link": "orders", "ms": 1_500})
            yield Strike(at_ns, "vest.silent_stream", {"link": "private", "ms": 1_500})


def _moment(rng: random.Random) -> int:
    # Some at the very start: connecting, recovering and the first trade are where most can go wrong.
    return rng.randrange(FAULTS_UNTIL_NS) if rng.random() < 0.85 else rng.randrange(S_NS)


def _strike(rng: random.Random, at_ns: int) -> Strike:
    kind = rng.choice(list(KINDS))
    params = KINDS[kind](rng)
    if kind in ON_ORDERS:
        params["count"] = rng.choice((1, 1, 1, 2, 4))
    return Strike(at_ns, kind, params)


def _nothing(_rng: random.Random) -> dict[str, Any]:
    return {}


def _ms(low: int, high: int) -> Draw:
    return lambda rng: {"ms": rng.randrange(low, high)}


def _part(rng: random.Random) -> dict[str, Any]:
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


def _cut(rng: random.Random) -> dict[str, Any]:
    return _port(rng) | {"lose_up": rng.random() < 0.5, "lose_down": rng.random() < 0.5}


def _cut_next(rng: random.Random) -> dict[str, Any]:
    way, where = rng.choice(("up", "down")), rng.choice(("before", "middle", "after"))
    return _port(rng) | {"way": way, "where": where}


def _cut_order(rng: random.Random) -> dict[str, Any]:
    return {"venue": rng.choice(VENUES), "where": rng.choice(("before", "middle", "after"))}


def _port_for(low_ms: int, high_ms: int) -> Draw:
    return lambda rng: _port(rng) | {"ms": rng.randrange(low_ms, high_ms)}


def _venue_for(low_ms: int, high_ms: int) -> Draw:
    return lambda rng: {"venue": rng.choice(VENUES), "ms": rng.randrange(low_ms, high_ms)}


def _slow(rng: random.Random) -> dict[str, Any]:
    return _port(rng) | {"delay_ms": rng.randrange(100, 2_500), "ms": rng.randrange(200, 4_000)}


def _side(rng: random.Random) -> dict[str, Any]:
    return {"ms": rng.randrange(200, 4_000), "side": rng.choice(("bids", "asks", "both"))}


def _mode(rng: random.Random) -> dict[str, Any]:
    return {"mode": rng.choice(("maintenance", "cancel_only", "post_only")), "ms": rng.randrange(500, 8_000)}


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
    "partial_fill": _part,
    "lose_reply": _nothing,
    "drop_before": _nothing,
    "drop_after": _nothing,
    "delay_reply": _ms(50, 4_000),
    "late_fill": _ms(50, 4_000),
    "duplicate_events": _nothing,
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
    "net.cut": _cut,
    "net.cut_next": _cut_next,
    "net.cut_order": _cut_order,
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
        "reorder_events",
        "fill_before_ack",
        "wrong_signature",
        "read_error",
    )
)
