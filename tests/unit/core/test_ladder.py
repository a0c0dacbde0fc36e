"""Caps signed ahead: what they allow, and that they serve the triggers they are made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import PARADEX, SIZE_E8, VEST, book, rules

from deltawire.core.book import Book
from deltawire.core.edge import best_opening, spread_rate_e8
from deltawire.core.ladder import DRIFT_PERCENT, Aim, Touch, caps, has_drifted, is_worth_it, tightest, touch
from deltawire.core.money import E8, format_e8
from deltawire.core.types import Instrument, Side

RULES = rules()
MID_E8 = 60_000 * E8


def aim(buy_leg: int = 0) -> Aim:
    return Aim(buy_leg, RULES.needed_e8, (SIZE_E8, SIZE_E8))


def at(instrument: Instrument, mid_e8: int) -> Book:
    mid_e8 -= mid_e8 % instrument.price_tick_e8
    tick_e8 = instrument.price_tick_e8
    return book(instrument, format_e8(mid_e8 - tick_e8), format_e8(mid_e8 + tick_e8))


def moved(mid_e8: int, rate_e8: int) -> int:
    return mid_e8 + mid_e8 * rate_e8 // E8


def test_a_touch_is_what_the_sizes_reach():
    books = (at(PARADEX, MID_E8), at(VEST, MID_E8))
    assert touch(aim(), books) == Touch(books[0].asks[0][0], books[1].bids[0][0])
    assert touch(aim(1), books) == Touch(books[1].asks[0][0], books[0].bids[0][0])


def test_a_book_too_thin_has_no_touch():
    assert touch(Aim(0, 0, (4 * E8, 4 * E8)), (at(PARADEX, MID_E8), at(VEST, MID_E8))) is None


@pytest.mark.parametrize("buy_leg", [0, 1])
def test_caps_lie_on_the_tick_tightest_first(buy_leg):
    books = (at(PARADEX, MID_E8), at(VEST, moved(MID_E8, 50_000)))
    now = touch(aim(buy_leg), books)
    assert now is not None
    for leg, caps_e8 in enumerate(caps(RULES, aim(buy_leg), now)):
        assert list(caps_e8) == sorted(set(caps_e8), reverse=leg != buy_leg)
        assert all(cap_e8 % RULES.legs[leg].price_tick_e8 == 0 for cap_e8 in caps_e8)


@given(
    buy_leg=st.sampled_from([0, 1]),
    gap_e8=st.integers(-300_000, 200_000),
    jump_e8=st.integers(0, 400_000),
    mover=st.sampled_from([0, 1]),
    drift_e8=st.integers(-DRIFT_PERCENT * 100, DRIFT_PERCENT * 100),
)
def test_a_jump_of_one_book_that_makes_an_edge_finds_caps_that_reach_it_and_are_worth_it(
    buy_leg, gap_e8, jump_e8, mover, drift_e8
):
    """Signed while the sell side stood gap above the buy side and nothing was worth doing; then one side jumps."""
    mids = [MID_E8, MID_E8]
    mids[1 - buy_leg] = moved(MID_E8, gap_e8)
    signed_at = touch(aim(buy_leg), (at(PARADEX, mids[0]), at(VEST, mids[1])))
    assert signed_at is not None
    if signed_at.spread_e8 >= RULES.needed_e8:
        return
    caps_e8 = caps(RULES, aim(buy_leg), signed_at)
    still, jumped = 1 - mover, mover
    mids[still] = moved(mids[still], drift_e8 * RULES.slippage_e8 // 20_000)
    mids[jumped] = moved(mids[jumped], -jump_e8 if jumped == buy_leg else jump_e8)
    books = (at(PARADEX, mids[0]), at(VEST, mids[1]))
    found = best_opening(RULES, books, SIZE_E8)
    if found is None or found.buy_leg != buy_leg or found.edge_e8 < RULES.entry_edge_e8:
        return
    buy_at = tightest(caps_e8[buy_leg], Side.BUY, found.buy_worst_e8)
    sell_at = tightest(caps_e8[1 - buy_leg], Side.SELL, found.sell_worst_e8)
    assert buy_at is not None
    assert sell_at is not None
    buy_cap_e8, sell_cap_e8 = caps_e8[buy_leg][buy_at], caps_e8[1 - buy_leg][sell_at]
    assert is_worth_it(RULES, aim(buy_leg), buy_cap_e8, sell_cap_e8)
    assert spread_rate_e8(buy_cap_e8, sell_cap_e8) >= RULES.needed_e8 - 2 * RULES.slippage_e8


def test_caps_that_allow_less_than_the_trade_needs_are_not_worth_it():
    slack_e8 = 2 * RULES.slippage_e8
    just_enough = moved(MID_E8, RULES.needed_e8 - slack_e8 + 100)
    assert is_worth_it(RULES, aim(), MID_E8, just_enough)
    assert not is_worth_it(RULES, aim(), MID_E8, moved(MID_E8, RULES.needed_e8 - slack_e8 - 1_000))


def test_the_first_cap_that_reaches_the_price_is_taken():
    assert tightest((100, 102), Side.BUY, 99) == 0
    assert tightest((100, 102), Side.BUY, 101) == 1
    assert tightest((100, 102), Side.BUY, 103) is None
    assert tightest((102, 100), Side.SELL, 103) == 0
    assert tightest((102, 100), Side.SELL, 101) == 1
    assert tightest((102, 100), Side.SELL, 99) is None


def test_a_small_move_is_no_drift():
    was = Touch(MID_E8, MID_E8)
    bound_e8 = RULES.slippage_e8 * DRIFT_PERCENT // 100
    assert not has_drifted(RULES, was, Touch(moved(MID_E8, bound_e8), MID_E8))
    assert has_drifted(RULES, was, Touch(MID_E8, moved(MID_E8, -bound_e8 - 100)))
