from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import PARADEX, SIZE_E8, VEST, book, books, rules

from deltawire.core.edge import best_opening, closing_spread_e8, may_close, opening, slipped, spread_rate_e8
from deltawire.core.money import E8, parse_e8
from deltawire.core.types import Side


def test_the_edge_is_the_spread_less_every_cost():
    found = opening(rules(funding_e8=1_000, basis_e8=2_000, margin_e8=3_000), books(30), 0, SIZE_E8)
    assert found is not None
    # Both fees in and out (4.5 + 1 bps, twice), the expected exit spread, and the three named costs.
    assert found.spread_e8 - found.edge_e8 == 2 * (45_000 + 10_000) + 10_000 + 1_000 + 2_000 + 3_000


def test_the_spread_is_from_executable_prices():
    found = opening(rules(), books(30), 0, SIZE_E8)
    assert found is not None
    buy, sell = parse_e8("60000.1"), parse_e8("60179.9")
    assert found.spread_e8 == (sell - buy) * 2 * E8 // (sell + buy)


def test_depth_costs():
    legs = (book(PARADEX, "59999.9", "60000.1", size="0.004"), books(30)[1])
    found = opening(rules(), legs, 0, SIZE_E8)
    top = opening(rules(), legs, 0, SIZE_E8 // 4)
    assert found is not None
    assert top is not None
    assert found.spread_e8 < top.spread_e8
    assert found.buy_worst_e8 == parse_e8("60000.3")


def test_a_book_too_thin_for_the_size_has_no_opening():
    legs = (book(PARADEX, "59999.9", "60000.1", size="0.001"), books(30)[1])
    assert opening(rules(), legs, 0, SIZE_E8) is None


def test_the_better_direction_is_found():
    for spread_bps, buy_leg in ((30, 0), (-30, 1)):
        found = best_opening(rules(), books(spread_bps), SIZE_E8)
        assert found is not None
        assert (found.buy_leg, found.edge_e8 > 0) == (buy_leg, True)


def test_a_thin_book_lowers_the_size_to_a_half_or_a_quarter():
    for level, taken in (("0.004", "0.01"), ("0.0033", "0.005"), ("0.001", "0.0025")):
        legs = (book(PARADEX, "59999.9", "60000.1", size=level), books(30)[1])
        found = best_opening(rules(), legs, SIZE_E8)
        assert found is not None
        assert found.size_e8 == parse_e8(taken)


def test_a_book_too_thin_for_a_quarter_has_no_opening():
    legs = (book(PARADEX, "59999.9", "60000.1", size="0.0008"), books(30)[1])
    assert best_opening(rules(), legs, SIZE_E8) is None


def test_sizes_are_whole_lots_and_none_is_under_the_smallest():
    assert rules(size_e8=parse_e8("0.0033"), size_min_e8=parse_e8("0.0016")).sizes_e8 == (
        parse_e8("0.0033"),
        parse_e8("0.0016"),
    )


def test_closing_costs_the_other_side_of_both_books():
    closing_e8 = closing_spread_e8(books(0), 0, SIZE_E8)
    assert closing_e8 is not None
    assert closing_e8 == -spread_rate_e8(parse_e8("60000.1"), parse_e8("59999.9"))
    assert closing_e8 > 0
    assert closing_spread_e8(books(0), 0, 0) is None


@given(st.integers(-50, 50))
def test_entering_and_leaving_at_once_never_makes_money(spread_bps):
    """What one direction gives at entry, closing it takes back, and the book spreads besides."""
    legs = books(spread_bps)
    for buy_leg in (0, 1):
        found = opening(rules(), legs, buy_leg, SIZE_E8)
        closing_e8 = closing_spread_e8(legs, buy_leg, SIZE_E8)
        assert found is not None
        assert closing_e8 is not None
        assert found.spread_e8 < closing_e8


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, "60012.01"), (Side.SELL, "59988.02")])
def test_a_cap_is_slipped_and_rounded_in_our_favour(side, expected):
    price_e8 = parse_e8("60000.0130")
    assert slipped(VEST, side, price_e8, 20_000) == parse_e8(expected)


def test_a_cap_lies_on_the_tick():
    coarse = replace(PARADEX, price_tick_e8=10 * E8)
    assert slipped(coarse, Side.BUY, parse_e8("60009"), 0) == 60_000 * E8
    assert slipped(coarse, Side.SELL, parse_e8("60001"), 0) == 60_010 * E8


@given(
    st.integers(-100, 100),
    st.integers(-400_000, 400_000),
    st.integers(-400_000, 400_000),
)
def test_an_opening_is_found_where_the_whole_size_pays_whatever_the_sign_of_what_is_needed(bps, edge_e8, exit_e8):
    """The first look at a frame spares the division: it must not turn an opening away, nor let one through."""
    asked = rules(entry_edge_e8=edge_e8, exit_spread_e8=exit_e8)
    pays = []
    for buy_leg in (0, 1):
        found = opening(asked, books(bps), buy_leg, SIZE_E8)
        assert found is not None
        if found.edge_e8 >= edge_e8:
            pays.append(found)
    best = best_opening(asked, books(bps), SIZE_E8)
    assert best == (max(pays, key=lambda one: one.edge_e8) if pays else None)


@given(
    st.integers(-60, 60), st.integers(E8 // 100_000, 3 * E8), st.sampled_from((0, 1)), st.integers(-600_000, 600_000)
)
def test_no_close_that_pays_is_spared_its_walk(bps, size_e8, buy_leg, exit_e8):
    """From the smallest size both venues trade through all levels: rounding must not hide a close, nor must depth."""
    closing_e8 = closing_spread_e8(books(bps), buy_leg, size_e8)
    pays = closing_e8 is not None and closing_e8 <= exit_e8
    assert may_close(books(bps), buy_leg, exit_e8) or not pays


def test_a_book_without_a_side_cannot_be_closed_on():
    one, other = books(0)
    one.bids.clear()
    assert not may_close((one, other), 0, E8)
    assert may_close((one, other), 1, E8)
