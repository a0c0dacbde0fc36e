"""One venue's account against our record: the balance adds up, or exactly what does not is named."""

from dataclasses import replace

import pytest
from tests.unit.core.builders import PARADEX

from deltawire.core.events import Closed, FilledTotal, FillSeen
from deltawire.core.money import E8
from deltawire.core.types import Side, VenueOrderId
from deltawire.engine.account_side import OVERLAP_NS, AccountSide, Item
from deltawire.engine.tally import Tallied, Tally
from deltawire.venues.contract import Booking, Money, OpenOrder, Payment

SYMBOL = PARADEX.symbol
ORDER = "dwrun-0-1-a1"
T0 = 1_800_000_000_000_000_000
BOUGHT = Booking("f1", ORDER, 0, SYMBOL, E8, 100 * E8, 5, 0, 0, T0 + 1)
EMPTY = Money(1_000 * E8, (), (), {}, 1)
FILLED = replace(EMPTY, cash_e8=1_000 * E8 - 5, bookings=(BOUGHT,))


class Account:
    """An account opened with 1000 USD, then one order that fills as told."""

    def __init__(self, *fills: FillSeen) -> None:
        self.tally = Tally()
        self.recorded: list[tuple[str, int, str]] = []
        self.side = AccountSide(
            venue="paradex",
            tally=self.tally,
            instruments={SYMBOL: PARADEX},
            known_payments={},
            on_payment=self._on_payment,
            since_unix_ns=T0 - OVERLAP_NS,
        )
        assert self.take(EMPTY) == []
        self.tally.add(Tallied(ORDER, "paradex", SYMBOL, 0, 1, T0 + 1))
        for fill in fills:
            self.tally.on_news(ORDER, fill, T0 + 1)

    def _on_payment(self, _venue: str, payment: Payment, client_id: str) -> None:
        self.recorded.append((payment.payment_id, payment.payment_e8, client_id))

    def take(self, money: Money) -> list[Item]:
        self.row, items = self.side.take(money, T0)
        return items


FILL = FillSeen("f1", 100 * E8, E8, 5)


def test_an_account_that_does_what_we_recorded_adds_up():
    account = Account(FILL)
    assert account.take(FILLED) == []
    assert (account.row.fees_e8, account.row.unexplained_e8, account.row.fills) == (5, 0, 1)


def test_realised_pnl_funding_and_deposits_explain_the_balance_and_funding_is_put_on_record_once():
    account = Account(FILL)
    money = replace(
        FILLED,
        cash_e8=1_000 * E8 - 5 + 70 - 3 + 20 * E8,
        bookings=(replace(BOUGHT, pnl_e8=70, funding_e8=-3),),
        payments=(Payment("p1", "f1", SYMBOL, -3, T0 + 1),),
        moved_e8={"d1": 20 * E8},
    )
    assert account.take(money) == account.take(money) == []
    assert account.recorded == [("p1", -3, ORDER)]
    row = account.row
    assert (row.pnl_e8, row.funding_e8, row.moved_e8, row.unexplained_e8) == (70, -3, 20 * E8, 0)


@pytest.mark.parametrize(
    ("money", "kind", "journal", "told"),
    [
        (replace(FILLED, bookings=(replace(BOUGHT, fee_e8=9),)), "fee", "0.00000005", "0.00000009"),
        (replace(FILLED, bookings=(replace(BOUGHT, notional_e8=101 * E8),)), "price", "100", "101"),
        (replace(FILLED, bookings=(replace(BOUGHT, size_e8=2 * E8),)), "fill", "1", "2"),
        (replace(FILLED, bookings=(BOUGHT, replace(BOUGHT, booking_id="f2"))), "fill", "1", "2"),
        (replace(FILLED, cash_e8=FILLED.cash_e8 + E8), "balance", "999.99999995", "1000.99999995"),
        (replace(FILLED, bookings=(replace(BOUGHT, funding_e8=8),)), "funding", "0", "0.00000008"),
        (
            replace(FILLED, bookings=(BOUGHT, replace(BOUGHT, booking_id="f9", client_id="dwrun-0-9-a1", fee_e8=0))),
            "order",
            "not on record",
            "filled 1",
        ),
    ],
)
def test_each_difference_is_named_with_both_values(money: Money, kind: str, journal: str, told: str):
    account = Account(FILL)
    assert [(item.kind, item.journal, item.told) for item in account.take(money)] == [(kind, journal, told)]


def test_a_fill_the_venue_does_not_list_is_named():
    [item] = [item for item in Account(FILL).take(EMPTY) if item.kind == "fill"]
    assert (item.journal, item.told, item.missing) == ("1", "0", None)


def test_a_fill_nobody_told_us_of_carries_what_to_book():
    [item] = [item for item in Account().take(FILLED) if item.kind == "fill"]
    assert item.missing == FilledTotal(E8, 100 * E8, 5)


def test_fills_of_others_explain_the_balance_and_are_shown_apart():
    account = Account()
    others = replace(BOUGHT, booking_id="x", client_id="by-hand", pnl_e8=50)
    assert account.take(replace(EMPTY, cash_e8=1_000 * E8 + 45, bookings=(others,))) == []
    assert (account.row.others_e8, account.row.fills) == (45, 0)


def test_rounding_within_the_stated_tolerance_is_no_difference():
    account = Account(FILL)
    assert account.take(replace(FILLED, cash_e8=FILLED.cash_e8 + 6)) == []
    assert account.row.tolerance_e8 == 6
    assert [item.kind for item in account.take(replace(FILLED, cash_e8=FILLED.cash_e8 + 7))] == ["balance"]


def test_an_order_of_ours_that_rests_is_named_and_that_of_others_is_not():
    resting = [OpenOrder(SYMBOL, VenueOrderId("v"), name, 0, Side.BUY, E8) for name in (ORDER, "by-hand")]
    assert [item.subject for item in Account().side.resting(resting)] == [ORDER]


def test_what_is_too_old_to_be_read_again_still_counts_but_is_not_kept():
    account = Account(FILL)
    assert account.take(FILLED) == []
    later = replace(BOUGHT, booking_id="f2", client_id="by-hand", unix_ns=T0 + 3 * OVERLAP_NS)
    cash_e8 = FILLED.cash_e8 - 5
    assert account.take(replace(FILLED, cash_e8=cash_e8, bookings=(BOUGHT, later))) == []
    account.side.compared(())
    assert account.tally.orders == {}
    assert account.take(replace(FILLED, cash_e8=cash_e8, bookings=(later,))) == []
    assert (account.row.fees_e8, account.row.fills) == (5, 1)


def test_the_larger_account_of_an_order_is_believed_and_never_the_sum():
    account = Account(FILL)
    account.tally.on_news(ORDER, FILL, T0 + 2)
    account.tally.on_news(ORDER, FilledTotal(E8, 100 * E8, 5), T0 + 2)
    account.tally.on_news(ORDER, Closed(E8, ""), T0 + 2)
    assert account.take(FILLED) == []
