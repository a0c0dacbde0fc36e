"""The house pool: its picture, the price of a size, the premium for risk, the funding index."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.unit.sim_vest.world import SETTINGS, quote

from deltawire.core.money import BPS_E8, E8, parse_e8
from deltawire.sim.vest_pool import HousePool
from deltawire.sim.vest_settings import MARKETS

BTC, ETH, _ = MARKETS
HOUR_NS = 3_600 * 10**9


def pool_at(bid="60000.0", ask="60010.0", size="2", settings=SETTINGS, rules=BTC):
    pool = HousePool(rules, settings)
    pool.on_quote(quote(bid, ask, size), 1)
    pool.remake()
    return pool


def test_the_picture_starts_at_the_recorded_best_and_grows_outward():
    picture = pool_at().picture
    assert picture.bids[0] == (parse_e8("60000"), 2 * E8)
    assert picture.asks[0] == (parse_e8("60010"), 2 * E8)
    for levels, outward in ((picture.bids, -1), (picture.asks, 1)):
        assert len(levels) == 20
        gaps = [outward * (b[0] - a[0]) for a, b in pairwise(levels)]
        assert gaps[0] > 0
        assert gaps == sorted(gaps)
        sizes = [size for _, size in levels]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize("rules", MARKETS, ids=lambda rules: rules.symbol)
def test_every_level_is_on_the_markets_steps_whatever_was_recorded(rules):
    picture = pool_at("123.4567899", "123.4567901", "0.00000001", rules=rules).picture
    assert picture.asks[0][0] > picture.bids[0][0]
    for price_e8, size_e8 in picture.bids + picture.asks:
        assert price_e8 % rules.price_tick_e8 == 0
        assert size_e8 % rules.size_step_e8 == 0
        assert size_e8 > 0


def test_a_tick_changes_the_picture_only_when_it_is_remade():
    pool = pool_at()
    pool.on_quote(quote("61000", "61001"), 2)
    assert pool.index_e8 == parse_e8("61000.5")
    assert pool.picture.asks[0][0] == parse_e8("60010")
    pool.remake()
    assert pool.picture.asks[0][0] == parse_e8("61001")


def test_there_is_no_picture_before_the_first_tick():
    pool = HousePool(BTC, SETTINGS)
    assert not pool.remake()
    assert pool.average_price_e8(is_buy=True, size_e8=E8) is None


def test_the_price_of_a_size_is_the_volume_weighted_one_rounded_against_the_trader():
    pool = pool_at()
    (first, first_size), (second, _) = pool.picture.asks[:2]
    assert pool.average_price_e8(is_buy=True, size_e8=first_size) == first
    third_e8 = first_size * 3 // 2
    exact = (first * 2 + second) / 3
    found = pool.average_price_e8(is_buy=True, size_e8=third_e8)
    assert exact <= found < exact + BTC.price_tick_e8
    (bid, _), (lower_bid, _) = pool.picture.bids[:2]
    found = pool.average_price_e8(is_buy=False, size_e8=third_e8)
    assert (bid * 2 + lower_bid) / 3 - BTC.price_tick_e8 < found <= (bid * 2 + lower_bid) / 3


def test_a_size_past_the_last_level_has_no_price():
    pool = pool_at()
    total_e8 = sum(size for _, size in pool.picture.asks)
    assert pool.average_price_e8(is_buy=True, size_e8=total_e8) is not None
    assert pool.average_price_e8(is_buy=True, size_e8=total_e8 + BTC.size_step_e8) is None


def test_premium_is_the_area_under_a_rate_that_rises_with_the_pools_risk():
    settings = replace(SETTINGS, premium_rate_at_million_e8=2 * BPS_E8)
    pool = pool_at("100000", "100000.01", settings=settings)
    pool.on_quote(quote("100000", "100000"), 1)
    # From nothing to a million USDC the rate goes from 0 to 2 bps: 1 bp of a million on average.
    assert pool.premium_e8(10 * E8) == 100 * E8
    first = pool.premium_e8(5 * E8)
    pool.net_e8 = 5 * E8
    assert first + pool.premium_e8(5 * E8) == 100 * E8
    assert pool.premium_e8(-5 * E8) == 0
    assert pool.premium_e8(-10 * E8) == 0  # as much risk as before, on the other side
    assert pool.premium_e8(-15 * E8) == 75 * E8  # from half a million to a whole one, flipped
    assert pool.mark_e8 == parse_e8("100010")  # 1 bp over the index at half a million


def test_funding_accrues_by_the_hour_however_it_is_cut():
    pool = pool_at("60000", "60000.01")
    pool.on_quote(quote("60000", "60000"), 1)
    for step in range(1, 3601):
        pool.accrue(1 + step * HOUR_NS // 3600)
    assert pool.cum_funding_e8 == 60000 * BTC.one_hr_funding_rate_e8  # 0.75 USDC a coin
