"""Bad days of one kind: faults that fit together, as rare rows of the transition tables need them. Drawn, not run."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from deltawire.core.money import E8
from deltawire.faultrun.kinds import (
    FAULTS_UNTIL_NS,
    KINDS,
    ON_ORDERS,
    S_NS,
    VENUES,
    Strike,
    cut,
    false_code,
    goodbye,
    moment,
    part,
    power,
)
from deltawire.sim.basis import MS


def themed(rng: random.Random, theme: str) -> Iterator[Strike]:
    """Draw the strikes of a theme."""
    return (THEMES | SIEGES)[theme](rng)


def _late(rng: random.Random) -> Iterator[Strike]:
    """Orders are late at the venue or early: by a little, which is traded with, or by more than any receive window."""
    yield Strike(S_NS // 2, "clock.step", {"ms": rng.choice((-1, 1)) * rng.choice((400, 400, 2_500, 90_000))})
    yield Strike(moment(rng), "net.cut", cut(rng))


def _orders(rng: random.Random) -> Iterator[Strike]:
    """Every order goes wrong in some way, at both venues."""
    for venue in VENUES:
        for kind in rng.sample(sorted(ON_ORDERS), 5):
            if kind.startswith(venue):
                yield Strike(moment(rng) // 3, kind, KINDS[kind](rng) | {"count": rng.randint(5, 30)})


def _deaf(_rng: random.Random) -> Iterator[Strike]:
    """Private news is lost or late all the time: the bot lives by reading."""
    for at_ns in range(S_NS, FAULTS_UNTIL_NS, 2 * S_NS):
        yield Strike(at_ns, "paradex.silent_stream", {"link": "orders", "ms": 1_500})
        yield Strike(at_ns, "vest.silent_stream", {"link": "private", "ms": 1_500})


def _crashes(rng: random.Random) -> Iterator[Strike]:
    """Every run of the bot is a short one."""
    at_ns = moment(rng)
    for _ in range(rng.randint(1, 5)):
        yield Strike(at_ns, "crash.at_write", KINDS["crash.at_write"](rng))
        at_ns += rng.randrange(3 * S_NS)


def _again(rng: random.Random) -> Iterator[Strike]:
    """Every event comes a second time, seconds later: over reconnects, and in the next run of the bot."""
    for venue in VENUES:
        yield Strike(S_NS // 2, f"{venue}.duplicate_events", {"ms": rng.randrange(500, 4_000), "count": 40})
    for _ in range(rng.randint(2, 5)):
        kind = rng.choice(("crash.now", "crash.now", "crash.at_write", "paradex.drop_stream", "vest.drop_stream"))
        yield Strike(moment(rng), kind, KINDS[kind](rng))


def _goodbye(rng: random.Random) -> Iterator[Strike]:
    """A venue leaves just as an order is to be sent: its bytes never leave, and the bot learns that at once or late."""
    yield from rng.choice((_last_road, _hanging_repair))(rng)
    for _ in range(rng.randint(3, 8)):
        at_ns = moment(rng)
        yield Strike(at_ns, "net.goodbye", goodbye(rng))
        if rng.random() < 0.4:  # the order socket is gone as well: exits have the other road only
            yield Strike(at_ns - S_NS // 10, "net.refuse", {"venue": "paradex", "port": "ws", "ms": 4_000})
            yield Strike(at_ns, "net.goodbye", goodbye(rng) | {"venue": "paradex"})


def _hanging_repair(rng: random.Random) -> Iterator[Strike]:
    """A repair finds no connection, and the new one hangs: the order is looked up and written off before that fails."""
    for _ in range(4):
        at_ns = moment(rng)
        yield Strike(at_ns, "vest.reject_order", {"code": "3001", "where": "answer", "count": 1})
        dark = {"dark": True, "ms": rng.choice((1_500, 2_600))}
        yield Strike(at_ns + MS, "net.goodbye", {"venue": "vest", "writes": rng.randrange(2, 9)} | dark)


def _last_road(rng: random.Random) -> Iterator[Strike]:
    """One leg is refused, so the other is given back: in small parts, over REST only, and then that road goes too."""
    venue, other = rng.sample(VENUES, 2)
    at_ns = moment(rng) * 2 // 3
    refused = {"code": "VALIDATION_ERROR"} if other == "paradex" else {"code": "3001", "where": "answer"}
    yield Strike(at_ns, f"{other}.reject_order", refused | {"count": 10})
    yield Strike(at_ns, f"{venue}.partial_fill", {"fraction_e8": E8 // 3, "count": 12})
    at_ns += rng.randrange(300, 3_000) * MS
    if venue == "paradex":
        yield Strike(at_ns, "net.refuse", {"venue": venue, "port": "ws", "ms": 4_000})
    for _ in range(5):
        at_ns += rng.randrange(100, 900) * MS
        dark = venue == "vest" and rng.random() < 0.7  # a connect that hangs: not sent is known only much later
        ms = rng.choice((1_500, 2_600, 5_500)) if dark else 300
        yield Strike(at_ns, "net.goodbye", {"venue": venue, "writes": 1, "dark": dark, "ms": ms})


def _overtaken(rng: random.Random) -> Iterator[Strike]:
    """The word that a connection is lost comes before the order that went over it: a look-up then finds nothing yet."""
    for _ in range(rng.randint(3, 6)):
        lost = {"venue": rng.choice(VENUES), "where": "after", "late_ms": rng.randrange(200, 900)}
        yield Strike(moment(rng), "net.cut_order", lost)


def _power(rng: random.Random) -> Iterator[Strike]:
    """The machine goes down, more than once."""
    for _ in range(rng.randint(1, 4)):
        yield Strike(moment(rng), "crash.power", power(rng))


def _lies(rng: random.Random) -> Iterator[Strike]:
    """Yield venues that contradict themselves: refused and yet filled, filled and yet not to be found."""
    if rng.random() < 0.4:
        yield from rng.choice((_denied, _refused_late))(rng)
        return
    for venue in VENUES:
        hides = rng.random() < 0.5
        first = {"count": rng.randint(2, 8)}
        at_ns = moment(rng) // 2
        if hides:
            yield Strike(at_ns, f"{venue}.hide_order", {"ms": rng.randrange(3_000, 9_000)} | first)
            kind = rng.choice(("lose_reply", "delay_reply", "drop_after"))
            how = {"ms": rng.randrange(2_000, 6_000)} if kind == "delay_reply" else {}
            yield Strike(at_ns, f"{venue}.{kind}", how | first)
        else:
            yield Strike(at_ns, f"{venue}.false_reject", false_code(venue, rng) | first)
            if rng.random() < 0.3:
                yield Strike(at_ns, f"{venue}.fill_before_ack", dict(first))
        if rng.random() < 0.7:
            yield Strike(
                at_ns,
                f"{venue}.late_fill",
                {"ms": rng.randrange(2_000 if hides else 100, 6_500 if hides else 4_500)} | first,
            )
        if venue == "paradex" and not hides and rng.random() < 0.4:
            # The refusal comes when the order has long been found to be filled, or partly filled and over.
            yield Strike(at_ns, "paradex.lose_events", dict(first))
            slow = {"venue": venue, "port": "ws", "way": "down", "delay_ms": rng.randrange(1_700, 2_500), "ms": 12_000}
            yield Strike(at_ns, "net.slow", slow)
        if rng.random() < 0.5:
            yield Strike(at_ns, f"{venue}.reorder_events", dict(first))
        if rng.random() < 0.4:
            yield Strike(at_ns, f"{venue}.partial_fill", part(rng) | first)
        if rng.random() < 0.2:
            yield Strike(at_ns, f"{venue}.lose_events", dict(first))


def _denied(rng: random.Random) -> Iterator[Strike]:
    """Paradex's answer comes between two look-ups that both say there is no such order, and its fills come last."""
    at_ns = rng.randrange(6_000) * MS
    orders = {"count": rng.randint(2, 6)}
    yield Strike(at_ns, "paradex.hide_order", {"ms": rng.randrange(6_000, 9_000)} | orders)
    yield Strike(at_ns, "paradex.delay_reply", {"ms": rng.randrange(1_500, 3_500)} | orders)
    yield Strike(at_ns, "paradex.late_fill", {"ms": rng.randrange(4_000, 6_500)} | orders)


def _refused_late(rng: random.Random) -> Iterator[Strike]:
    """Paradex executes orders and refuses them, and says so when a look-up has long found what filled."""
    at_ns = rng.randrange(3_000) * MS
    orders = {"count": rng.randint(1, 4)}
    yield Strike(at_ns, "paradex.false_reject", {"code": "VALIDATION_ERROR"} | orders)
    yield Strike(at_ns, "paradex.lose_events", dict(orders))
    if rng.random() < 0.5:
        yield Strike(at_ns, "paradex.partial_fill", {"fraction_e8": rng.choice((E8 // 3, E8 // 2))} | orders)
    slow = {"venue": "paradex", "port": "ws", "way": "down", "delay_ms": rng.randrange(1_700, 2_500), "ms": 8_000}
    yield Strike(at_ns + S_NS // 2, "net.slow", slow)


def _hands(rng: random.Random) -> Iterator[Strike]:
    """Yield what others do to the positions: a person, a guardian, the chain that takes a fill back."""
    if rng.random() < 0.4:
        # A person closes all that is on while nothing else goes on.
        for since_ns in (2 * S_NS, 9 * S_NS):
            yield Strike(since_ns + rng.randrange(2_500) * MS, "hand.close")
        return
    for _ in range(rng.randint(1, 3)):
        at_ns = moment(rng)
        if rng.random() < 0.5:
            # As a guardian does: the bot is dead, and what is on is closed before it is back.
            kind = rng.choice(("crash.now", "crash.at_write"))
            yield Strike(at_ns, kind, KINDS[kind](rng))
            at_ns += rng.randrange(50, 1_500) * MS
        yield Strike(at_ns, rng.choice(("hand.close", "hand.close", "paradex.bust", "paradex.close_position")))


def _stuck(rng: random.Random) -> Iterator[Strike]:
    """A venue fills a leg and then takes nothing for a minute: the bot's attempts are used up while the leg is on."""
    venue, other = rng.sample(VENUES, 2)
    if rng.random() < 0.6:
        # The other leg is refused, and that is told late: what is given back meanwhile is refused as well.
        yield Strike(S_NS // 2, f"{other}.reject_order", _refusal(other) | {"count": 10**4})
        port = "ws" if other == "paradex" else "rest"
        slow = {"venue": other, "port": port, "way": "down", "delay_ms": rng.randrange(600, 1_000), "ms": 14_000}
        yield Strike(S_NS, "net.slow", slow)
        yield Strike(rng.randrange(2_000, 10_000) * MS, f"{venue}.reject_order", _refusal(venue) | {"count": 10**4})
    else:
        yield Strike(rng.randrange(2_000, 5_000) * MS, f"{venue}.reject_order", _refusal(venue) | {"count": 10**4})


def _refusal(venue: str) -> dict[str, Any]:
    return {"code": "VALIDATION_ERROR"} if venue == "paradex" else {"code": "3001", "where": "answer"}


THEMES: dict[str, Callable[[random.Random], Iterator[Strike]]] = {
    "late": _late,
    "orders": _orders,
    "deaf": _deaf,
    "crashes": _crashes,
    "liars": _lies,
    "again": _again,
    "goodbye": _goodbye,
    "hands": _hands,
    "power": _power,
    "overtaken": _overtaken,
}
# Not drawn like the others: a siege has no other theme.
SIEGES: dict[str, Callable[[random.Random], Iterator[Strike]]] = {"stuck": _stuck}
