"""The trade machine, step by step. Orders are answered by hand; prices move by handing in other books."""

from collections.abc import Sequence

import pytest
from tests.unit.core.builders import SIZE_E8, book, books, rules

from deltawire.core.edge import best_opening
from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, InDoubt, NotFound, OrderEvent, Rejected, Sent
from deltawire.core.money import E8, parse_e8
from deltawire.core.trade import (
    ATTEMPTS_MAX,
    CLOSED,
    ENTERING,
    EXITING,
    HOLDING,
    NEXT,
    REPAIRING,
    REST_TRIES_MAX,
    STUCK,
    UNWINDING,
    Alarm,
    Command,
    Phase,
    Place,
    Rest,
    Trade,
    entry_places,
    lot_at,
)
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId, VenueOrderId

MS = 1_000_000
READY = (True, True)


class Driver:
    """Gives orders their ids and answers, and keeps the clock."""

    def __init__(self, **changes: object) -> None:
        self.rules = rules(**changes)
        self.books = books(30)
        self.now = 1_000 * MS
        self.sent: list[OrderRequest] = []
        self.alarms: list[str] = []
        self.rests: list[str] = []
        found = best_opening(self.rules, self.books, SIZE_E8)
        assert found is not None
        self.trade = Trade(
            TradeId("dw1-0-1"),
            self.rules,
            lot_at(self.rules, 60_000 * E8),
            found.buy_leg,
            self.now,
            0,
            found.spread_e8,
            found.edge_e8,
        )
        self.carry_out(entry_places(self.rules, found, self.trade.first_leg))

    def carry_out(self, commands: Sequence[Command]) -> list[OrderRequest]:
        placed = []
        for command in commands:
            if isinstance(command, Alarm):
                self.alarms.append(command.text)
            if isinstance(command, Rest):
                self.rests.append(command.text)
            if isinstance(command, Place):
                client_id = ClientOrderId(f"dw1-0-1-{'ab'[command.leg]}{len(self.sent) + 1}")
                request = OrderRequest(
                    client_id,
                    self.trade.trade_id,
                    command.purpose,
                    self.rules.legs[command.leg],
                    command.side,
                    command.size_e8,
                    command.cap_price_e8,
                    reduce_only=command.reduce_only,
                )
                self.trade.add(command.leg, request)
                self.trade.on_order(client_id, Sent(), self.now)
                self.sent.append(request)
                placed.append(request)
        return placed

    def tell(self, request: OrderRequest, *news: OrderEvent) -> None:
        for event in news:
            self.trade.on_order(request.client_id, event, self.now)

    def fill(self, request: OrderRequest, size_e8: int | None = None) -> None:
        """Answer an order as an immediate one: filled to size_e8 at its cap, and over."""
        size_e8 = request.size_e8 if size_e8 is None else size_e8
        self.tell(request, Acked(VenueOrderId("v")))
        if size_e8:
            self.tell(request, FillSeen(request.client_id, request.cap_price_e8, size_e8, fee_e8=E8 // 10))
        self.tell(request, Closed(size_e8, "" if size_e8 == request.size_e8 else "IOC"))

    def reject(self, request: OrderRequest) -> None:
        self.tell(request, Rejected("3001", "PRICE_CHECK_FAILED"))

    def advance(self, after_ms: int = 0, ready: tuple[bool, bool] = READY) -> list[OrderRequest]:
        self.now += after_ms * MS
        return self.carry_out(self.trade.advance(self.books, ready, self.now))


def _held() -> Driver:
    driver = Driver()
    for order in driver.sent:
        driver.fill(order)
    driver.advance()
    assert driver.trade.phase is HOLDING
    return driver


def test_both_legs_are_asked_for_at_once_with_capped_prices():
    buy, sell = Driver().sent
    assert (buy.side, sell.side) == (Side.BUY, Side.SELL)
    assert buy.size_e8 == sell.size_e8 == SIZE_E8
    assert parse_e8("60000.1") < buy.cap_price_e8 <= parse_e8("60012.2")
    assert parse_e8("60167.8") <= sell.cap_price_e8 < parse_e8("60179.9")
    assert not buy.reduce_only


def test_a_full_round_trip_ends_flat_with_its_money_exact():
    driver = _held()
    driver.trade.want_exit("spread_back", driver.books)
    exits = driver.advance()
    assert [order.purpose for order in exits] == [Purpose.EXIT, Purpose.EXIT]
    assert all(order.reduce_only for order in exits)
    for order in exits:
        driver.fill(order)
    driver.advance()
    assert driver.trade.phase is CLOSED
    assert (driver.trade.position_e8(0), driver.trade.position_e8(1)) == (0, 0)
    money = sum(-o.side.sign * o.cap_price_e8 * o.size_e8 // E8 for o in driver.sent)
    assert driver.trade.pnl_e8 == money - 4 * E8 // 10


def test_nothing_is_decided_while_an_order_is_unfinished():
    driver = Driver()
    driver.fill(driver.sent[0])
    assert driver.advance(after_ms=500) == []
    assert driver.trade.phase is ENTERING


def test_two_rejected_legs_end_the_trade():
    driver = Driver()
    for order in driver.sent:
        driver.reject(order)
    driver.advance()
    assert driver.trade.phase is CLOSED


def test_the_missing_leg_is_asked_again_for_what_filled_not_for_what_was_asked():
    driver = Driver()
    driver.fill(driver.sent[0], SIZE_E8 // 2)
    driver.reject(driver.sent[1])
    [repair] = driver.advance()
    assert (repair.purpose, repair.side, repair.size_e8) == (Purpose.REPAIR, Side.SELL, SIZE_E8 // 2)
    driver.fill(repair)
    driver.advance()
    assert driver.trade.phase is HOLDING
    assert driver.trade.delta_e8 == 0


def test_a_repairs_cap_is_where_the_round_trip_still_pays_its_fees():
    driver = Driver()
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    [repair] = driver.advance()
    bought_e8 = driver.sent[0].cap_price_e8
    costs_e8 = driver.rules.fees_round_trip_e8 + driver.rules.exit_spread_e8
    assert 0 <= repair.cap_price_e8 - (bought_e8 + bought_e8 * costs_e8 // E8) < driver.rules.legs[1].price_tick_e8


def test_where_a_repair_cannot_pay_the_filled_leg_is_given_back():
    driver = Driver()
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    driver.books = books(0)
    [unwind] = driver.advance()
    assert (driver.trade.phase, unwind.purpose, unwind.side) == (UNWINDING, Purpose.UNWIND, Side.SELL)
    assert unwind.instrument.venue == "paradex"
    driver.fill(unwind)
    driver.advance()
    assert driver.trade.phase is CLOSED


def test_repairs_are_bounded_in_count():
    driver = Driver(repairs_max=2)
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    for _ in range(2):
        [repair] = driver.advance(after_ms=100)
        assert repair.purpose is Purpose.REPAIR
        driver.reject(repair)
    [unwind] = driver.advance(after_ms=100)
    assert unwind.purpose is Purpose.UNWIND


def test_a_leg_in_doubt_blocks_every_decision_until_it_is_read():
    driver = Driver()
    driver.fill(driver.sent[0])
    driver.tell(driver.sent[1], InDoubt("socket lost"))
    assert driver.advance(after_ms=400) == []
    driver.tell(driver.sent[1], NotFound())
    [repair] = driver.advance()
    assert repair.purpose is Purpose.REPAIR


def test_a_leg_alone_for_too_long_is_alarmed_once():
    driver = Driver(unhedged_ns_max=1_000 * MS)
    driver.fill(driver.sent[0])
    driver.tell(driver.sent[1], InDoubt("socket lost"))
    driver.advance(after_ms=900)
    assert driver.alarms == []
    driver.advance(after_ms=200)
    driver.advance(after_ms=200)
    assert len(driver.alarms) == 1
    assert "unhedged for 1100 ms" in driver.alarms[0]
    assert driver.trade.unhedged_ns_max == 1_300 * MS


def test_a_venue_that_is_away_is_waited_for_half_the_bound_then_the_other_leg_is_given_back():
    driver = Driver(unhedged_ns_max=1_000 * MS)
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    away = (True, False)
    assert driver.advance(ready=away) == []
    assert driver.advance(after_ms=499, ready=away) == []
    [unwind] = driver.advance(after_ms=1, ready=away)
    assert (unwind.purpose, unwind.instrument.venue) == (Purpose.UNWIND, "paradex")


def test_unwinding_a_part_leaves_the_smaller_hedged_trade():
    driver = Driver(repairs_max=0)
    driver.fill(driver.sent[0])
    driver.fill(driver.sent[1], SIZE_E8 // 4)
    [unwind] = driver.advance()
    assert (unwind.side, unwind.size_e8) == (Side.SELL, SIZE_E8 * 3 // 4)
    driver.fill(unwind)
    driver.advance()
    assert (driver.trade.phase, driver.trade.matched_e8) == (HOLDING, SIZE_E8 // 4)


def test_dust_under_a_lot_is_hedged_enough_and_gone_after_the_exit():
    driver = Driver()
    dust_e8 = parse_e8("0.00005")
    driver.fill(driver.sent[0], SIZE_E8 - dust_e8)
    driver.fill(driver.sent[1])
    driver.advance()
    assert (driver.trade.phase, driver.trade.delta_e8) == (HOLDING, -dust_e8)
    driver.trade.want_exit("spread_back", driver.books)
    for order in driver.advance():
        driver.fill(order)
    driver.advance()
    assert (driver.trade.phase, driver.trade.delta_e8) == (CLOSED, 0)


def test_an_exit_that_missed_its_price_on_both_legs_goes_back_to_holding():
    driver = _held()
    driver.trade.want_exit("spread_back", driver.books)
    for order in driver.advance():
        driver.fill(order, 0)
    driver.advance()
    assert (driver.trade.phase, driver.trade.exit_reason) == (HOLDING, "")


def test_a_forced_exit_goes_on_until_it_is_out():
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    for order in driver.advance():
        driver.fill(order, 0)
    again = driver.advance(after_ms=100)
    assert len(again) == 2
    assert driver.trade.phase is EXITING


def test_a_half_done_exit_closes_the_rest_with_the_wide_cap():
    driver = _held()
    driver.trade.want_exit("spread_back", driver.books)
    first, second = driver.advance()
    driver.fill(first)
    driver.reject(second)
    [again] = driver.advance(after_ms=100)
    assert (again.instrument.venue, again.size_e8) == ("vest", SIZE_E8)
    assert again.cap_price_e8 > second.cap_price_e8


def test_a_pair_is_closed_together_or_not_at_all():
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    assert driver.advance(ready=(True, False)) == []
    assert len(driver.advance()) == 2


def test_an_exit_needs_no_valid_book():
    driver = _held()
    for one in driver.books:
        one.invalidate("sequence gap")
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    exits = driver.advance()
    assert len(exits) == 2
    assert all(order.cap_price_e8 > 0 for order in exits)


def test_an_exit_wanted_during_the_entry_gives_back_what_is_uneven():
    driver = Driver()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    [unwind] = driver.advance()
    assert unwind.purpose is Purpose.UNWIND


def test_an_exit_wanted_during_the_entry_follows_a_full_entry_at_once():
    driver = Driver()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    for order in driver.sent[:2]:
        driver.fill(order)
    assert [order.purpose for order in driver.advance()] == [Purpose.EXIT, Purpose.EXIT]


def test_attempts_are_paced_and_bounded_then_a_person_is_called_and_can_let_it_go_on():
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    rounds = 0
    while driver.trade.phase is not STUCK:
        orders = driver.advance(after_ms=2_000)
        assert driver.advance() == []
        for order in orders:
            driver.reject(order)
        rounds += 1
        assert rounds < 100
    assert rounds == ATTEMPTS_MAX + 1
    assert "stuck" in driver.alarms[-1]
    assert driver.advance(after_ms=60_000) == []
    driver.trade.want_exit("flatten", driver.books, forced=True)
    for order in driver.advance():
        driver.fill(order)
    driver.advance()
    assert driver.trade.phase is CLOSED


def _with_a_rest() -> Driver:
    """Have all of a trade closed but 0.00007 at Paradex, some 4 USD where 10 are the smallest order."""
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    for order in driver.advance():
        driver.fill(order, order.size_e8 - 7_000 if order.instrument.venue == "paradex" else order.size_e8)
    return driver


def test_a_rest_that_is_refused_for_its_size_is_named_after_a_few_tries_and_is_no_alarm():
    driver = _with_a_rest()
    tries = 0
    while driver.trade.phase is not STUCK:
        for order in driver.advance(after_ms=2_000):
            assert (order.size_e8, order.reduce_only) == (7_000, True)
            driver.reject(order)
            tries += 1
    assert tries == REST_TRIES_MAX
    assert driver.trade.is_rest
    assert driver.rests == [
        "0.00007 on paradex BTC-USD-PERP left of trade dw1-0-1: less than the venue's smallest order"
    ]
    assert driver.alarms == []
    assert driver.advance(after_ms=3_600_000) == [], "it does not go on by itself"


def test_a_rest_that_the_venue_takes_all_the_same_ends_its_trade():
    driver = _with_a_rest()
    [order] = driver.advance(after_ms=2_000)
    driver.reject(order)
    [order] = driver.advance(after_ms=2_000)
    driver.fill(order)
    driver.advance(after_ms=2_000)
    assert driver.trade.phase is CLOSED


def test_a_rest_is_tried_anew_when_told_to_and_when_it_has_changed():
    driver = _with_a_rest()
    while driver.trade.phase is not STUCK:
        for order in driver.advance(after_ms=2_000):
            driver.reject(order)
    driver.trade.try_again()
    for _ in range(REST_TRIES_MAX):
        [order] = driver.advance(after_ms=2_000)
        driver.reject(order)
    driver.advance(after_ms=2_000)
    assert driver.trade.phase is STUCK
    driver.trade.adjust(0, 7_000, driver.now)
    assert not driver.trade.is_rest
    driver.trade.adjust(0, -14_000, driver.now)
    driver.advance(after_ms=2_000)
    assert driver.trade.phase is CLOSED, "a person closed it at the venue"


def test_what_is_large_enough_is_tried_to_its_own_bound_and_alarmed():
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    for _ in range(REST_TRIES_MAX + 1):
        for order in driver.advance(after_ms=2_000):
            driver.reject(order)
    assert (driver.trade.phase, driver.trade.is_rest) == (EXITING, False)


def test_the_second_try_comes_after_a_pause():
    driver = _held()
    driver.trade.want_exit("shutdown", driver.books, forced=True)
    for order in driver.advance():
        driver.reject(order)
    for order in driver.advance():  # the first retry follows at once
        driver.reject(order)
    assert driver.advance(after_ms=49) == []
    assert len(driver.advance(after_ms=1)) == 2


def test_a_fill_told_after_the_end_is_closed_again():
    driver = Driver()
    driver.tell(driver.sent[0], InDoubt("lost"), NotFound())
    driver.reject(driver.sent[1])
    driver.advance()
    assert driver.trade.phase is CLOSED
    driver.fill(driver.sent[0])
    [closing] = driver.advance()
    assert (driver.trade.phase, closing.purpose, closing.side) == (EXITING, Purpose.EXIT, Side.SELL)
    driver.fill(closing)
    driver.advance()
    assert driver.trade.phase is CLOSED


def test_a_fill_told_while_holding_is_given_back():
    driver = Driver(repairs_max=0)
    driver.fill(driver.sent[0])
    driver.tell(driver.sent[1], InDoubt("lost"), NotFound())
    [unwind] = driver.advance()
    driver.fill(unwind, SIZE_E8 // 2)
    driver.fill(driver.sent[1], SIZE_E8 // 2)  # the venue had said there was no such order
    driver.advance(after_ms=100)
    assert driver.trade.phase is HOLDING
    driver.tell(driver.sent[1], FillSeen("late", 60_000 * E8, SIZE_E8 // 2, 0))
    [unwind] = driver.advance(after_ms=100)
    assert (driver.trade.phase, unwind.purpose, unwind.side) == (UNWINDING, Purpose.UNWIND, Side.BUY)


def test_executed_spreads_come_from_what_filled():
    driver = _held()
    spread_e8 = driver.trade.executed_spread_e8((Purpose.ENTRY, Purpose.REPAIR))
    buy, sell = (order.cap_price_e8 for order in driver.sent)
    assert spread_e8 == (sell - buy) * 2 * E8 // (sell + buy)
    assert driver.trade.executed_spread_e8((Purpose.EXIT,)) is None


def test_a_client_id_is_never_used_twice():
    driver = Driver()
    with pytest.raises(ValueError, match="used twice"):
        driver.trade.add(0, driver.sent[0])


def test_the_lot_covers_the_larger_minimum_notional():
    assert lot_at(rules(), 60_000 * E8) == parse_e8("0.0002")
    assert lot_at(rules(), 10**6 * E8) == parse_e8("0.0001")


def test_every_phase_has_a_row():
    assert set(NEXT) == set(Phase)
    assert REPAIRING in NEXT[ENTERING].values()


def test_a_thin_book_is_no_place_for_a_repair():
    driver = Driver()
    driver.fill(driver.sent[0])
    driver.reject(driver.sent[1])
    driver.books = (driver.books[0], book(driver.rules.legs[1], "60179.9", "60180.1", size="0.0001"))
    [unwind] = driver.advance()
    assert unwind.purpose is Purpose.UNWIND


def test_a_leg_that_grew_past_its_target_is_given_back_and_never_matched():
    """The venue refused the first order, filled it all the same, and filled the repair as well."""
    driver = Driver()
    first, other = driver.sent
    driver.reject(first)
    driver.fill(other)
    [repair] = driver.advance()
    assert repair.purpose is Purpose.REPAIR
    driver.fill(repair)
    driver.tell(first, FilledTotal(first.size_e8, 60_000 * first.size_e8, 0))
    [unwind] = driver.advance()
    assert (unwind.purpose, unwind.size_e8, unwind.instrument) == (Purpose.UNWIND, first.size_e8, first.instrument)
