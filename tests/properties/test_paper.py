"""Paper trading, whatever is sent: never beyond the cap, never more than is shown; and its file says the same again."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deltawire.core.money import E8, notional_e8
from deltawire.core.taking import average_price_e8, is_worse, take_within
from deltawire.core.types import Side
from deltawire.venues.paper.account import Ended, Fill, PaperAccount
from deltawire.venues.paper.untouched import Untouched

SIDES = st.sampled_from(Side)
PRICES = st.integers(1, 10_000).map(lambda ticks: ticks * E8 // 100)
SIZES = st.integers(1, 500).map(lambda lots: lots * E8 // 1_000)


@st.composite
def books(draw: st.DrawFn, side: Side) -> list[tuple[int, int]]:
    """Levels an order of this side eats, best first."""
    prices = draw(st.sets(PRICES, max_size=8))
    return [(price, draw(SIZES)) for price in sorted(prices, reverse=side is Side.SELL)]


@given(st.data(), SIDES, SIZES, PRICES)
def test_what_is_taken_is_shown_within_the_cap_and_the_best_there_is(data: st.DataObject, side, size_e8, cap_e8):
    levels = data.draw(books(side))
    taken = take_within(levels, side, size_e8, cap_e8)
    shown = dict(levels)
    assert all(0 < part_e8 <= shown[price_e8] for price_e8, part_e8 in taken)
    assert not any(is_worse(side, price_e8, cap_e8) for price_e8, _ in taken)
    reachable_e8 = sum(level_e8 for price_e8, level_e8 in levels if not is_worse(side, price_e8, cap_e8))
    assert sum(part_e8 for _, part_e8 in taken) == min(size_e8, reachable_e8)
    assert [price_e8 for price_e8, _ in taken] == [price_e8 for price_e8, _ in levels][: len(taken)]


@given(st.data(), SIDES, SIZES)
def test_an_average_lies_within_what_it_is_made_of_and_never_favours_the_trader(data: st.DataObject, side, size_e8):
    levels = data.draw(books(side))
    tick_e8 = E8 // 100
    found_e8 = average_price_e8(levels, side, size_e8, tick_e8)
    if sum(level_e8 for _, level_e8 in levels) < size_e8:
        assert found_e8 is None
        return
    assert found_e8 is not None
    worst = side.sign * 10**30
    taken = take_within(levels, side, size_e8, worst)
    assert min(price for price, _ in taken) <= found_e8 <= max(price for price, _ in taken)
    paid = sum(price_e8 * part_e8 for price_e8, part_e8 in taken)
    assert (found_e8 * size_e8 - paid) * side.sign >= 0


@given(st.data(), SIDES)
def test_a_level_gives_no_more_than_it_shows_until_it_is_shown_anew(data: st.DataObject, side):
    untouched, levels = Untouched(), data.draw(books(side))
    got: dict[int, int] = {}
    for size_e8 in data.draw(st.lists(SIZES, max_size=6)):
        parts = take_within(untouched.of("X", side, levels), side, size_e8, side.sign * 10**30)
        untouched.take("X", side, levels, parts)
        for price_e8, part_e8 in parts:
            got[price_e8] = got.get(price_e8, 0) + part_e8
        assert all(part_e8 <= dict(levels)[price_e8] for price_e8, part_e8 in got.items())
    anew = [(price_e8, level_e8 + E8) for price_e8, level_e8 in levels]
    assert untouched.of("X", side, anew) == anew
    assert untouched.of("X", side.opposite, levels) == levels, "the other side has nothing to do with it"


ORDERS = st.lists(
    st.tuples(SIDES, st.lists(st.tuples(PRICES, SIZES), max_size=3), st.integers(-E8, E8)), min_size=1, max_size=12
)


@settings(deadline=None)
@given(ORDERS, PRICES)
def test_an_account_is_worth_what_was_paid_and_held_and_says_the_same_when_read_again(orders, mark_e8: int):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "paper.jsonl"
        account = PaperAccount(path, equity_e8=10**6 * E8, unix_ns=1)
        cash_e8, held_e8, index_e8 = 10**6 * E8, 0, 0
        for number, (side, fills, funding_e8) in enumerate(orders):
            index_e8 += funding_e8
            account.fund("X", index_e8, number)
            cash_e8 -= notional_e8(funding_e8, held_e8)
            made = [Fill(price_e8, size_e8, 7) for price_e8, size_e8 in fills]
            account.end(
                Ended(
                    client_id=f"o{number}",
                    correlator=number,
                    order_id=f"p{number}",
                    symbol="X",
                    side=side.value,
                    size_e8=E8,
                    fills=made,
                    index_e8=index_e8,
                    unix_ns=number,
                )
            )
            for fill in made:
                cash_e8 -= side.sign * notional_e8(fill.price_e8, fill.size_e8) + fill.fee_e8
                held_e8 += side.sign * fill.size_e8
        # Funding is settled in whole millionths, against the trader; each fill may round once, and the open part too.
        rounding_e8 = 101 * (sum(len(fills) for _, fills, _ in orders) + len(orders) + 1)
        worth_e8 = account.equity_e8({"X": mark_e8})
        assert account.held_e8("X") == held_e8
        assert abs(worth_e8 - (cash_e8 + notional_e8(mark_e8, held_e8))) <= rounding_e8
        settled_e8 = sum(s.realized_e8 + s.funding_e8 for s in account.settled.values())
        fees_e8 = sum(order.fee_e8 for order in account.orders.values())
        assert account.ledger.collateral_e8 == 10**6 * E8 + settled_e8 - fees_e8
        account.close()
        again = PaperAccount(path, equity_e8=1, unix_ns=2)
        assert again.ledger == account.ledger
        assert (again.orders, again.settled, again.index_e8) == (account.orders, account.settled, account.index_e8)
        again.close()
