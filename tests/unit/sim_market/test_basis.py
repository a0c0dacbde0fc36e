import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import BasisSettings, basis_e8, hump_of, shifted
from deltawire.sim.market import Quote

S = 1_000_000_000
DEMO = BasisSettings()

seeds = st.integers(0, 2**64)
moments = st.integers(0, 10**16)


@given(seeds, moments)
def test_it_stays_between_its_level_and_level_plus_height(seed, market_ns):
    settings = BasisSettings(level_e8=5 * BPS_E8)
    assert 5 * BPS_E8 <= basis_e8(settings, seed, "BTC", market_ns) <= 45 * BPS_E8


@given(seeds, st.integers(0, 10**6))
def test_each_period_has_one_whole_hump_of_a_drawn_height(seed, number):
    hump = hump_of(DEMO, seed, "BTC", number)
    assert DEMO.height_min_e8 <= hump.height_e8 <= DEMO.height_max_e8
    assert DEMO.hold_min_ns <= hump.hold_ns <= DEMO.hold_max_ns
    assert hump.start_ns >= 0
    assert hump.start_ns + 2 * DEMO.ramp_ns + hump.hold_ns <= DEMO.period_ns
    top_ns = number * DEMO.period_ns + hump.start_ns + DEMO.ramp_ns
    assert basis_e8(DEMO, seed, "BTC", top_ns) == hump.height_e8
    assert basis_e8(DEMO, seed, "BTC", top_ns + hump.hold_ns) == hump.height_e8
    assert basis_e8(DEMO, seed, "BTC", number * DEMO.period_ns) == 0


@given(seeds, moments, st.integers(1, S))
def test_it_moves_no_faster_than_its_ramp(seed, market_ns, step_ns):
    before, after = (basis_e8(DEMO, seed, "ETH", at_ns) for at_ns in (market_ns, market_ns + step_ns))
    assert abs(after - before) <= DEMO.height_max_e8 * step_ns // DEMO.ramp_ns + 1


def test_the_same_seed_gives_the_same_basis_for_ever():
    # Written down from the first version: a difference here changes every run that named its seed.
    values = [basis_e8(DEMO, 7, "BTC", second * S) for second in range(12)]
    assert values == [0, 0, 350979, 362796, 362796, 362796, 83098, 0, 0, 0, 0, 0]


def test_seeds_and_bases_differ():
    runs = {
        (seed, base): [basis_e8(DEMO, seed, base, second * S) for second in range(60)]
        for seed in (1, 2)
        for base in ("BTC", "ETH")
    }
    assert len({tuple(run) for run in runs.values()}) == 4


def test_alternate_humps_change_sides_and_others_never_do():
    signs = {number: hump_of(BasisSettings(alternate=True), 1, "BTC", number).height_e8 > 0 for number in range(6)}
    assert signs == {0: True, 1: False, 2: True, 3: False, 4: True, 5: False}
    assert all(hump_of(BasisSettings(), 1, "BTC", number).height_e8 > 0 for number in range(6))


@pytest.mark.parametrize(
    "wrong",
    [
        {"height_min_e8": 50 * BPS_E8},
        {"height_min_e8": -1},
        {"ramp_ns": 0},
        {"hold_min_ns": 5 * S},
        {"period_ns": 5 * S},
        {"level_e8": 980 * BPS_E8},
    ],
)
def test_a_shape_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError):
        BasisSettings(**wrong)


@given(st.integers(E8, 10**6 * E8), st.integers(1, E8), st.integers(-E8 // 10, E8 // 10))
def test_shifting_moves_both_sides_by_the_rate_and_keeps_spread_and_sizes(bid_e8, spread_e8, rate_e8):
    quote = Quote(bid_e8, 11, bid_e8 + spread_e8, 22)
    moved = shifted(quote, rate_e8)
    assert moved.ask_price_e8 - moved.bid_price_e8 == spread_e8
    assert (moved.bid_size_e8, moved.ask_size_e8) == (11, 22)
    by_e8 = moved.bid_price_e8 - bid_e8
    assert abs(by_e8 * 2 * E8 - (2 * bid_e8 + spread_e8) * rate_e8) < 2 * E8  # exact but for the last 1e-8
    assert moved.bid_price_e8 > 0
