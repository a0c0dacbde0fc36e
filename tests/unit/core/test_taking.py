"""What an immediate order takes: level by level within the cap, or one price for all of it."""

from deltawire.core.money import E8
from deltawire.core.taking import average_price_e8, take_within
from deltawire.core.types import Side

ASKS = [(100 * E8, 2 * E8), (101 * E8, 3 * E8), (103 * E8, 10 * E8)]
BIDS = [(99 * E8, 2 * E8), (98 * E8, 3 * E8)]


def test_a_buy_takes_the_cheapest_first_and_stops_at_its_size():
    assert take_within(ASKS, Side.BUY, 4 * E8, 200 * E8) == [(100 * E8, 2 * E8), (101 * E8, 2 * E8)]


def test_nothing_beyond_the_cap_is_taken():
    assert take_within(ASKS, Side.BUY, 9 * E8, 102 * E8) == [(100 * E8, 2 * E8), (101 * E8, 3 * E8)]
    assert take_within(BIDS, Side.SELL, 9 * E8, 99 * E8) == [(99 * E8, 2 * E8)]
    assert take_within(BIDS, Side.SELL, 9 * E8, 100 * E8) == []


def test_levels_with_nothing_left_are_passed_over():
    assert take_within([(100 * E8, 0), (101 * E8, E8)], Side.BUY, E8, 200 * E8) == [(101 * E8, E8)]


def test_an_average_is_rounded_against_the_trader():
    assert average_price_e8(ASKS, Side.BUY, 3 * E8, E8) == 101 * E8  # 100.33
    assert average_price_e8(BIDS, Side.SELL, 3 * E8, E8) == 98 * E8  # 98.67


def test_there_is_no_average_for_more_than_is_shown():
    assert average_price_e8(BIDS, Side.SELL, 6 * E8, E8) is None
    assert average_price_e8([], Side.BUY, E8, E8) is None
