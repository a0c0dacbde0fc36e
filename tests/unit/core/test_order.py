import itertools
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import SIZE_E8, request

from deltawire.core.events import (
    Acked,
    Closed,
    FilledTotal,
    FillSeen,
    InDoubt,
    NotFound,
    NotSent,
    OrderEvent,
    Rejected,
    Sent,
)
from deltawire.core.order import (
    CANCELLED,
    FILLED,
    FINAL,
    NEVER,
    NEXT,
    OPEN,
    REJECTED,
    SENT,
    UNKNOWN,
    IllegalTransition,
    Order,
    OrderState,
    apply,
)
from deltawire.core.types import VenueOrderId

PRICE_E8 = 60_000 * 10**8
ACK = Acked(VenueOrderId("v1"))
PART = SIZE_E8 * 4 // 10
REST = SIZE_E8 - PART


def _fill(fill_id: str, size_e8: int) -> FillSeen:
    return FillSeen(fill_id, PRICE_E8, size_e8, fee_e8=7)


def _after(events: list[OrderEvent]) -> Order:
    return reduce(apply, events, apply(Order(request()), Sent()))


@pytest.mark.parametrize(
    ("told", "state", "filled_e8"),
    [
        ([ACK, _fill("a", PART), _fill("b", REST), Closed(SIZE_E8, "")], FILLED, SIZE_E8),
        ([ACK, _fill("a", PART), Closed(PART, "REMAINING_IOC_CANCEL")], CANCELLED, PART),
        ([ACK, Closed(0, "EMPTY_MARKET")], CANCELLED, 0),
        ([ACK, FilledTotal(SIZE_E8, 600 * 10**8, 7), _fill("a", PART), _fill("b", REST)], FILLED, SIZE_E8),
        ([ACK, Rejected("3001", "PRICE_CHECK_FAILED")], REJECTED, 0),
        ([ACK, Closed(None, "CANCELLED"), Closed(PART, "CANCELLED")], CANCELLED, PART),
        ([_fill("a", PART), Rejected("3001", "after a fill"), ACK], CANCELLED, PART),
        ([ACK, Closed(PART, "IOC"), _fill("a", PART), _fill("a", PART)], CANCELLED, PART),
    ],
)
def test_the_order_is_the_same_in_every_delivery_order(told, state, filled_e8):
    for arrival in itertools.permutations(told):
        order = _after(list(arrival))
        assert (order.state, order.filled_e8) == (state, filled_e8), arrival


@pytest.mark.parametrize("told", [[ACK], [_fill("a", PART)], [Closed(0, "late")], [Rejected("1", "no")]])
def test_doubt_is_ended_by_the_venues_own_words(told):
    order = _after([InDoubt("socket lost"), *told])
    assert order.state is not UNKNOWN


def test_an_order_in_doubt_reserves_its_full_size():
    order = _after([InDoubt("no reply")])
    assert (order.state, order.leaves_e8, order.is_final) == (UNKNOWN, SIZE_E8, False)


def test_not_found_ends_doubt_but_never_an_acknowledged_order():
    assert _after([InDoubt("no reply"), NotFound()]).state is NEVER
    assert _after([ACK, NotFound()]).state is OPEN
    assert _after([ACK, InDoubt("socket lost"), NotFound()]).state is UNKNOWN


def test_not_found_never_ends_an_order_that_has_filled():
    """Fills overtook the acknowledgement, then the bot died; the venue denied the order, which had filled more."""
    order = _after([_fill("a", PART), InDoubt("the bot was away"), NotFound()])
    assert order.state is UNKNOWN
    assert order.leaves_e8 == REST
    assert _after([FilledTotal(PART, 240 * 10**8, 7), InDoubt("socket lost"), NotFound()]).state is UNKNOWN


def test_an_order_thought_never_placed_that_fills_is_alive():
    order = _after([InDoubt("no reply"), NotFound(), _fill("a", PART)])
    assert (order.state, order.filled_e8) == (OPEN, PART)


def test_the_same_fill_twice_counts_once():
    order = _after([_fill("a", PART), _fill("a", PART)])
    assert (order.filled_e8, order.fee_e8) == (PART, 7)


def test_executions_and_totals_are_two_accounts_of_one_thing():
    order = _after([_fill("a", PART), FilledTotal(PART, 1, 1)])
    assert order.filled_e8 == PART


def test_a_final_total_without_prices_counts_at_once_and_says_so():
    order = _after([Closed(PART, "IOC")])
    assert (order.filled_e8, order.is_priced) == (PART, False)
    assert apply(order, _fill("a", PART)).is_priced


def test_an_end_that_does_not_say_how_much_filled_must_be_read():
    order = _after([ACK, Closed(None, "CANCELLED")])
    assert (order.state, order.leaves_e8) == (UNKNOWN, SIZE_E8)
    assert apply(order, Closed(PART, "CANCELLED")).state is CANCELLED
    assert _after([_fill("a", SIZE_E8), Closed(None, "")]).state is FILLED


def test_a_fill_past_the_size_is_refused_and_changes_nothing():
    order = _after([_fill("a", SIZE_E8)])
    with pytest.raises(IllegalTransition, match="overfilled"):
        apply(order, _fill("b", 1))


def test_a_late_not_sent_ends_an_order_that_never_left():
    assert _after([NotSent("no connection")]).state is NEVER


def test_a_pair_missing_from_the_table_raises():
    with pytest.raises(IllegalTransition, match="Acked while INTENDED"):
        apply(Order(request()), ACK)


def test_every_state_has_a_row():
    assert set(NEXT) == set(OrderState)
    assert {state for state, row in NEXT.items() if Sent in row} == {OrderState.INTENDED}


sizes = st.integers(1, SIZE_E8)
news = st.one_of(
    st.just(ACK),
    st.builds(_fill, st.sampled_from("abcd"), sizes),
    st.builds(FilledTotal, sizes, st.just(1), st.just(1)),
    st.builds(Closed, st.one_of(st.none(), sizes), st.sampled_from(["", "IOC"])),
    st.just(Rejected("3001", "")),
    st.just(InDoubt("timeout")),
    st.just(NotFound()),
    st.just(NotSent("late")),
)


@given(st.lists(news, max_size=25))
def test_no_story_makes_an_order_larger_than_its_size_or_unfills_it(story):
    order = apply(Order(request()), Sent())
    for event in story:
        try:
            after = apply(order, event)
        except IllegalTransition:
            continue
        assert 0 <= order.filled_e8 <= after.filled_e8 <= SIZE_E8
        assert after.leaves_e8 >= 0
        if order.state is FILLED:
            assert after.state is FILLED
        order = after


@given(st.lists(news, max_size=25))
def test_telling_a_story_twice_changes_nothing_more(story):
    """At-least-once delivery: after the end of an order, all its news again leaves filled size and money alone."""
    order = apply(Order(request()), Sent())
    for event in story:
        try:
            order = apply(order, event)
        except IllegalTransition:
            return
    if order.state not in FINAL or order.state is NEVER:
        return
    again = order
    for event in story:
        try:
            again = apply(again, event)
        except IllegalTransition:
            continue
    assert (again.filled_e8, again.fills, again.total) == (order.filled_e8, order.fills, order.total)


def test_sent_is_where_bytes_are():
    assert apply(Order(request()), Sent()).state is SENT


def test_a_refusal_after_all_has_filled_is_not_believed():
    order = _after([ACK, _fill("a", SIZE_E8), Rejected("1", "not true")])
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)


@pytest.mark.parametrize("end", [[_fill("a", SIZE_E8)], [ACK, Closed(0, "IOC")], [Rejected("1", "no")]])
@pytest.mark.parametrize("late", [InDoubt("timeout"), NotFound()])
def test_a_time_out_or_a_look_up_that_comes_after_the_end_changes_nothing(end, late):
    order = _after(end)
    assert apply(order, late) is order
