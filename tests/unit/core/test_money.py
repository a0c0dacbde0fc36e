import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.money import ceil_to, floor_to, format_e8, notional_e8, parse_e8, rate_of_e8

amounts = st.integers(min_value=-(10**17), max_value=10**17)
steps = st.integers(min_value=1, max_value=10**12)


@given(amounts)
def test_text_round_trips(value_e8):
    assert parse_e8(format_e8(value_e8)) == value_e8


@given(amounts)
def test_fixed_places_round_trip(value_e8):
    assert parse_e8(format_e8(value_e8, 8)) == value_e8


@pytest.mark.parametrize(
    "text", ["", ".", "1.", ".5", "1e5", "+1", "1,0", " 1", "1 ", "0x1", "nan", "--1", "1.2.3", "٣", "1.000000001"]
)
def test_what_is_not_a_plain_decimal_is_refused(text):
    with pytest.raises(ValueError):
        parse_e8(text)


@given(st.text())
def test_garbage_is_read_or_refused_never_worse(text):
    try:
        value_e8 = parse_e8(text)
    except ValueError:
        return
    assert parse_e8(format_e8(value_e8)) == value_e8


def test_zeros_below_the_scale_lose_nothing():
    assert parse_e8("1.50000000000") == 150_000_000


def test_a_value_that_does_not_fit_the_places_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        format_e8(parse_e8("1.005"), 2)


@given(amounts, steps)
def test_rounding_goes_the_named_way_by_less_than_a_step(value_e8, step_e8):
    low, high = floor_to(value_e8, step_e8), ceil_to(value_e8, step_e8)
    assert low <= value_e8 <= high
    assert high - low in (0, step_e8)
    assert low % step_e8 == 0
    assert high % step_e8 == 0


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_notional_is_the_exact_product_rounded_to_the_nearest(price_e8, size_e8):
    assert abs(2 * (notional_e8(price_e8, size_e8) * 10**8 - price_e8 * size_e8)) <= 10**8
    assert notional_e8(-price_e8, size_e8) == -notional_e8(price_e8, size_e8)


@given(st.integers(0, 10**16), st.integers(0, 10**7))
def test_a_cost_is_never_underestimated(amount_e8, rate_e8):
    cost_e8 = rate_of_e8(amount_e8, rate_e8)
    assert cost_e8 * 10**8 >= amount_e8 * rate_e8 > (cost_e8 - 1) * 10**8
