"""The trade machine against venues that do anything they are allowed to: fill in parts, refuse, fall silent, tell late.

Hypothesis draws the story. At each step no leg may pass its target (I1); once the venues behave again the trade must
come to rest hedged, closed, or alarmed and waiting for a person.
"""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.builders import SIZE_E8, books
from tests.unit.core.test_trade import Driver

from deltawire.core.events import Acked, Closed, FillSeen, InDoubt, NotFound, OrderEvent, Rejected
from deltawire.core.money import floor_to
from deltawire.core.trade import CLOSED, EXITING, HOLDING, NEXT, REPAIRING, STUCK, UNWINDING, Phase
from deltawire.core.types import OrderRequest, Purpose, VenueOrderId

ANSWERS = (
    "fill",
    "part",
    "nothing",
    "reject",
    "doubt_then_fill",
    "doubt_then_never",
    "late_fill",
    "end_without_total",
    "repeat",
    "reorder",
)


@dataclass
class Venue:
    """Answers one order: what is told now, and what is told only later."""

    later: list[tuple[OrderRequest, list[OrderEvent]]] = field(default_factory=list)

    def answer(self, order: OrderRequest, how: str, eighths: int) -> list[OrderEvent]:
        part_e8 = floor_to(order.size_e8 * eighths // 8, order.instrument.size_step_e8)
        filled_e8 = {"part": part_e8, "nothing": 0, "reject": 0, "doubt_then_never": 0}.get(how, order.size_e8)
        ack: list[OrderEvent] = [Acked(VenueOrderId("v"))]
        fills: list[OrderEvent] = (
            [FillSeen(f"{order.client_id}-f", order.cap_price_e8, filled_e8, 1)] if filled_e8 else []
        )
        closed: list[OrderEvent] = [Closed(filled_e8, "" if filled_e8 == order.size_e8 else "IOC")]
        if how == "reject":
            return [Rejected("3001", "")]
        if how == "doubt_then_fill":
            self.later.append((order, [*ack, *fills, *closed]))
            return [InDoubt("silence")]
        if how == "doubt_then_never":
            self.later.append((order, [NotFound()]))
            return [InDoubt("silence")]
        if how == "late_fill":
            self.later.append((order, fills))
            return [*ack, *closed]
        if how == "end_without_total":
            self.later.append((order, [*fills, *closed]))
            return [*ack, Closed(None, "CANCELLED")]
        if how == "repeat":
            return [*ack, *ack, *fills, *fills, *closed, *closed]
        return [*closed, *fills, *ack] if how == "reorder" else [*ack, *fills, *closed]


Step = tuple[str, int, int, bool]  # answer, eighths of a part, spread in bps, whether one late message is told

# Half of all answers are what is wanted, so that stories get far enough to meet the rare ones.
steps = st.lists(
    st.tuples(
        st.one_of(st.just("fill"), st.sampled_from(ANSWERS)),
        st.integers(1, 7),
        st.sampled_from([-10, 0, 30]),
        st.booleans(),
    ),
    max_size=30,
)
seen_rows: set[tuple[Phase, Phase]] = set()


def _check(driver: Driver) -> None:
    for leg in (0, 1):
        assert abs(driver.trade.position_e8(leg)) <= SIZE_E8, "a leg is larger than its target"
        reserved = sum(o.leaves_e8 for c, o in driver.trade.orders.items() if driver.trade.legs[c] == leg)
        assert reserved <= SIZE_E8, "two orders in flight for one need"


def _advance(driver: Driver, after_ms: int) -> list[OrderRequest]:
    before = driver.trade.phase
    placed = driver.advance(after_ms=after_ms)
    seen_rows.add((before, driver.trade.phase))
    _check(driver)
    return placed


@settings(max_examples=400, deadline=None)
@given(steps, st.integers(0, 25), st.booleans())
def test_whatever_the_venues_do_no_leg_is_too_large_and_none_is_left_alone(story, exit_at, forced):
    _run(story, exit_at, forced=forced)


def _run(story: list[Step], exit_at: int, *, forced: bool) -> None:
    driver, venue = Driver(), Venue()
    waiting = list(driver.sent)
    for at, (how, eighths, spread_bps, tell_later) in enumerate(story):
        driver.books = books(spread_bps)
        if at == exit_at:
            driver.trade.want_exit("test", driver.books, forced=forced)
        if waiting:
            order = waiting.pop()
            driver.tell(order, *venue.answer(order, how, eighths))
        if tell_later and venue.later:
            order, news = venue.later.pop(0)
            driver.tell(order, *news)
        _check(driver)
        waiting += _advance(driver, after_ms=30)
    _end_well(driver, venue, waiting)


def _end_well(driver: Driver, venue: Venue, waiting: list[OrderRequest]) -> None:
    """Let the faults stop: all that is owed is told, orders fill in full; then it must come to rest."""
    for _ in range(100):
        for order, news in venue.later:
            driver.tell(order, *news)
        venue.later.clear()
        for order in waiting:
            driver.fill(order)
        waiting = _advance(driver, after_ms=2_100)
        if driver.trade.phase is STUCK:
            assert driver.alarms
            driver.trade.want_exit("flatten", driver.books, forced=True)
        if not waiting and driver.trade.phase in (HOLDING, CLOSED) and not driver.trade.unfinished:
            break
    assert driver.trade.phase in (HOLDING, CLOSED)
    assert abs(driver.trade.delta_e8) < driver.trade.lot_e8
    if driver.trade.phase is CLOSED:
        assert (driver.trade.position_e8(0), driver.trade.position_e8(1)) == (0, 0)
    entered = [o for o in driver.trade.orders.values() if o.request.purpose in (Purpose.ENTRY, Purpose.REPAIR)]
    assert all(order.is_final for order in entered)


def test_between_them_the_stories_take_every_way_through_the_table():
    """Two kinds of way are left to their own unit tests: to and from STUCK, which needs twenty refusals in a row, and
    those that need a venue to go back on its word (a fill after it said there was none).
    """
    draw = random.Random(1)
    for _ in range(1500):
        story = [
            (draw.choice((*ANSWERS, "fill")), draw.randint(1, 7), draw.choice((-10, 0, 30)), draw.random() < 0.5)
            for _ in range(draw.randint(0, 30))
        ]
        _run(story, draw.randint(0, 25), forced=draw.random() < 0.3)
    ways = {(before, after) for before, row in NEXT.items() for after in row.values() if before is not after}
    contradicted = {(HOLDING, UNWINDING), (HOLDING, CLOSED), (REPAIRING, CLOSED), (CLOSED, EXITING)}
    assert {way for way in ways if STUCK not in way} - seen_rows == contradicted
