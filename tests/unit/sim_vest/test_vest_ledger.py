"""Positions net, gains are exact to the millionth, nothing is lost to rounding."""

from deltawire.core.ledger import MICRO_E8, Ledger, Position
from deltawire.core.money import E8, parse_e8

SYMBOL = "BTC-PERP"


def filled(*fills, fee="0"):
    ledger = Ledger(1000 * E8)
    settled = [ledger.apply_fill(SYMBOL, parse_e8(size), parse_e8(price), parse_e8(fee), 0) for size, price in fills]
    return ledger, settled


def test_fills_on_one_side_add_up_to_one_position_at_the_average_price():
    ledger, settled = filled(("1", "100"), ("3", "200"))
    assert ledger.position(SYMBOL).size_e8 == 4 * E8
    assert ledger.position(SYMBOL).entry_price_e8 == 175 * E8
    assert [s.realized_e8 for s in settled] == [0, 0]
    assert ledger.collateral_e8 == 1000 * E8


def test_a_partial_close_realizes_its_part_and_keeps_the_entry_price():
    ledger, settled = filled(("4", "175"), ("-1", "200"))
    assert settled[1].realized_e8 == 25 * E8
    assert ledger.position(SYMBOL).size_e8 == 3 * E8
    assert ledger.position(SYMBOL).entry_price_e8 == 175 * E8


def test_a_short_gains_when_the_price_falls():
    ledger, settled = filled(("-2", "100"), ("2", "90"))
    assert settled[1].realized_e8 == 20 * E8
    assert SYMBOL not in ledger.positions
    assert ledger.collateral_e8 == 1020 * E8


def test_a_fill_past_the_position_flips_it_at_the_fills_price():
    ledger, settled = filled(("1", "100"), ("-3", "110"))
    assert settled[1].realized_e8 == 10 * E8
    assert ledger.position(SYMBOL).size_e8 == -2 * E8
    assert ledger.position(SYMBOL).entry_price_e8 == 110 * E8


def test_fees_leave_the_collateral_and_are_counted():
    ledger, _ = filled(("1", "100"), ("-1", "100"), fee="0.01")
    assert ledger.collateral_e8 == parse_e8("999.98")
    assert ledger.fees_paid_e8 == parse_e8("0.02")


def test_a_position_closed_in_odd_parts_gives_back_all_of_its_cost():
    ledger, settled = filled(("0.0003", "100.01"), ("-0.0001", "100.02"), ("-0.0002", "100.02"))
    assert sum(s.realized_e8 for s in settled) == parse_e8("0.000003")
    assert all(s.realized_e8 % MICRO_E8 == 0 for s in settled)
    assert not ledger.positions


def test_longs_pay_rising_funding_and_shorts_receive_it_at_the_change():
    for sign in (1, -1):
        ledger = Ledger(0)
        ledger.apply_fill(SYMBOL, sign * 2 * E8, 100 * E8, 0, 10 * E8)
        assert ledger.position(SYMBOL).funding_due_e8(13 * E8) == -sign * 6 * E8
        settled = ledger.apply_fill(SYMBOL, sign * 2 * E8, 100 * E8, 0, 13 * E8)
        assert settled.funding_e8 == -sign * 6 * E8
        assert ledger.collateral_e8 == -sign * 6 * E8
        assert ledger.position(SYMBOL).settled_funding_e8 == -sign * 6 * E8
        assert ledger.position(SYMBOL).funding_due_e8(13 * E8) == 0


def test_a_flat_position_is_worth_nothing_at_any_price():
    assert Position().unrealized_e8(123 * E8) == 0
    assert Position().entry_price_e8 == 0
