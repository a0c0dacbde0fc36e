"""How long a pair rests after a trade that had to be given back."""

import pytest
from tests.unit.core.builders import SIZE_E8, VEST

from deltawire.core.cooldown import DOUBLINGS_MAX, Cooldown
from deltawire.core.events import FilledTotal, Sent
from deltawire.core.order import Order, apply
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId

S = 10**9
T0 = 5_000 * S


def order(purpose: Purpose, filled_e8: int = SIZE_E8) -> Order:
    request = OrderRequest(ClientOrderId(purpose.value), TradeId("t"), purpose, VEST, Side.BUY, SIZE_E8, 60_000 * 10**8)
    sent = apply(Order(request), Sent())
    return apply(sent, FilledTotal(filled_e8, filled_e8 * 60_000, 1)) if filled_e8 else sent


GIVEN_BACK = [order(Purpose.ENTRY), order(Purpose.UNWIND)]
WENT_WELL = [order(Purpose.ENTRY), order(Purpose.EXIT)]
NOTHING = [order(Purpose.ENTRY, 0)]


def test_a_trade_given_back_pauses_entries_and_no_longer_than_said():
    cooldown = Cooldown(5 * S)
    assert cooldown.block(T0) == ""
    assert cooldown.ended(GIVEN_BACK, T0) == 5 * S
    assert "no entries for 5 s" in cooldown.block(T0)
    assert "no entries for 1 s" in cooldown.block(T0 + 5 * S - 1)
    assert cooldown.block(T0 + 5 * S) == ""


def test_each_further_one_in_a_row_doubles_the_pause_up_to_a_bound():
    cooldown = Cooldown(5 * S)
    pauses = [cooldown.ended(GIVEN_BACK, T0) for _ in range(DOUBLINGS_MAX + 3)]
    assert pauses[:4] == [5 * S, 10 * S, 20 * S, 40 * S]
    assert pauses[-1] == pauses[-2] == 5 * S << DOUBLINGS_MAX
    assert f"{DOUBLINGS_MAX + 3} trades in a row" in cooldown.block(T0)


def test_a_trade_that_went_well_makes_the_next_pause_short_again():
    cooldown = Cooldown(5 * S)
    cooldown.ended(GIVEN_BACK, T0)
    cooldown.ended(GIVEN_BACK, T0)
    assert cooldown.ended(WENT_WELL, T0) == 0
    assert cooldown.ended(GIVEN_BACK, T0 + 100 * S) == 5 * S


def test_a_trade_of_which_nothing_filled_neither_pauses_nor_forgives():
    cooldown = Cooldown(5 * S)
    assert cooldown.ended(NOTHING, T0) == 0
    cooldown.ended(GIVEN_BACK, T0)
    cooldown.ended(NOTHING, T0)
    assert cooldown.ended(GIVEN_BACK, T0) == 10 * S


@pytest.mark.parametrize("trades", [1, 5])
def test_without_a_pause_set_there_is_none(trades):
    cooldown = Cooldown(0)
    for _ in range(trades):
        assert cooldown.ended(GIVEN_BACK, T0) == 0
    assert cooldown.block(T0) == ""
