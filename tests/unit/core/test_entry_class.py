"""Whether an entry waits to pay less: lifetimes of edges, and the choice made from them."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import PARADEX, books, rules

from deltawire.core.edge import opening
from deltawire.core.entry_class import LIVES_KEPT, LIVES_MIN, Lifetimes, SlowClass, choose, unwind_e8
from deltawire.core.money import BPS_E8, E8

MS = 1_000_000
RETAIL = SlowClass("retail", 300, 0)


def lived(*lives_ms: int) -> tuple[Lifetimes, int]:
    """Return the lifetimes of edges that lasted so long, one after the other, and the time it is then."""
    lifetimes, now_ns = Lifetimes(), 10**12
    for life_ms in lives_ms:
        lifetimes.seen(0, now_ns)
        lifetimes.seen(0, now_ns + life_ms * MS // 2)  # more frames of the same edge
        now_ns += life_ms * MS
        lifetimes.seen(-1, now_ns)
        now_ns += MS
    return lifetimes, now_ns


def test_an_edge_must_outlast_the_venues_delay_and_the_way_there_and_back():
    assert RETAIL.wait_ns == 500 * MS


def test_the_share_that_ended_in_time_is_counted_with_one_more_of_each():
    lifetimes, now_ns = lived(*[100] * 3, *[900] * 7)
    lifetimes.seen(1, now_ns)
    assert lifetimes.ends_within_e8(500 * MS, now_ns) == 4 * E8 // 12


def test_an_edge_is_compared_with_those_that_were_as_old():
    lifetimes, now_ns = lived(*[100] * 20, *[900] * 8)
    lifetimes.seen(0, now_ns)
    assert lifetimes.ends_within_e8(500 * MS, now_ns) == 21 * E8 // 30
    later_ns = now_ns + 101 * MS  # the short ones would be over
    assert lifetimes.ends_within_e8(500 * MS, later_ns) == 1 * E8 // 10
    assert lifetimes.ends_within_e8(500 * MS, now_ns + 400 * MS) == 9 * E8 // 10


def test_too_few_edges_as_old_say_nothing():
    lifetimes, now_ns = lived(*[900] * (LIVES_MIN - 1), *[10] * 20)
    lifetimes.seen(0, now_ns)
    assert lifetimes.ends_within_e8(500 * MS, now_ns) is not None
    assert lifetimes.ends_within_e8(500 * MS, now_ns + 11 * MS) is None


def test_an_edge_in_the_other_direction_ends_the_first_and_begins_its_own():
    lifetimes = Lifetimes()
    for flip in range(LIVES_MIN + 1):
        lifetimes.seen(flip % 2, flip * 100 * MS)
    assert lifetimes.ends_within_e8(500 * MS, LIVES_MIN * 100 * MS) == (LIVES_MIN + 1) * E8 // (LIVES_MIN + 2)


def test_an_edge_whose_end_nobody_saw_does_not_count():
    lifetimes, now_ns = lived(*[900] * LIVES_MIN)
    lifetimes.seen(0, now_ns)
    lifetimes.lost()
    lifetimes.seen(-1, now_ns + 10 * MS)
    assert lifetimes.ends_within_e8(500 * MS, now_ns) == 1 * E8 // (LIVES_MIN + 2)


def test_what_is_remembered_is_bounded_and_the_newest():
    lifetimes, now_ns = lived(*[10] * LIVES_KEPT, *[900] * LIVES_KEPT)
    lifetimes.seen(0, now_ns)
    assert lifetimes.ends_within_e8(500 * MS, now_ns) == 1 * E8 // (LIVES_KEPT + 2)


def test_retail_is_chosen_while_the_loss_expected_is_less_than_the_fee_saved():
    # 10 % of edges end: (9 + 6) bps x 0.1 = 1.5 bps are lost; 4.5 bps are saved.
    decide = partial(choose, RETAIL, edge_e8=9 * BPS_E8, unwind_e8=6 * BPS_E8, gained_e8=45_000)
    calm = decide(ends_e8=E8 // 10)
    assert calm.is_slow
    assert calm.lost_e8 == 15_000
    assert calm.why == "10% of such edges end within 500 ms: 1.50 bps lost by waiting, 4.50 gained"
    hasty = decide(ends_e8=E8 * 3 // 10)
    assert (hasty.is_slow, hasty.lost_e8) == (False, 45_000)  # as much as is saved: no reason to wait


def test_without_knowledge_or_room_the_usual_class_is_chosen_and_the_reason_told():
    decide = partial(choose, RETAIL, edge_e8=1, unwind_e8=1, gained_e8=45_000)
    unknown = decide(ends_e8=None)
    assert (unknown.is_slow, unknown.why) == (False, f"fewer than {LIVES_MIN} edges were seen to last so long")
    full = decide(ends_e8=1, block="0 of 3 retail orders left in 1 s, 0 kept for exits")
    assert (full.is_slow, full.why) == (False, "0 of 3 retail orders left in 1 s, 0 kept for exits")


@given(ends_e8=st.integers(1, E8 - 1), edge_e8=st.integers(0, E8 // 10), loss_e8=st.integers(0, E8 // 10))
def test_a_chosen_class_is_never_worth_less_than_the_alternative(ends_e8, edge_e8, loss_e8):
    saved_e8 = 45_000
    choice = choose(RETAIL, edge_e8=edge_e8 + saved_e8, gained_e8=saved_e8, unwind_e8=loss_e8, ends_e8=ends_e8)
    slow = (E8 - ends_e8) * (edge_e8 + saved_e8) - ends_e8 * loss_e8  # scaled 1e16: exact
    if choice.is_slow:
        assert slow > edge_e8 * E8
    else:
        assert slow < edge_e8 * E8 + E8  # rounded against waiting, by less than one unit


def test_an_entry_of_the_class_saves_its_fee_exactly_once():
    usual, slow = rules(), rules(entry_fee_saved_e8=45_000)
    assert usual.needed_e8 - slow.needed_e8 == 45_000
    assert usual.fees_round_trip_e8 - slow.fees_round_trip_e8 == 45_000
    at, found = opening(usual, books(15.0), 0, usual.size_e8), opening(slow, books(15.0), 0, slow.size_e8)
    assert at is not None
    assert found is not None
    assert found.edge_e8 - at.edge_e8 == 45_000


@pytest.mark.parametrize("leg", [0, 1])
def test_giving_a_leg_back_costs_the_books_spread_the_usual_fee_and_slippage(leg):
    made = rules(entry_fee_saved_e8=45_000)
    spread_e8 = E8 // 300_000  # 0.2 of 60 000 USD
    assert unwind_e8(made, leg, books()[leg]) == spread_e8 + made.legs[leg].fee_rate_taker_e8 + 20_000


def test_a_book_without_two_sides_costs_the_fee_and_slippage_at_least():
    book = books()[0]
    book.invalidate("gone")
    assert unwind_e8(rules(), 0, book) == PARADEX.fee_rate_taker_e8 + 20_000
