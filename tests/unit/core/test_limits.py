import pytest
from tests.unit.core.builders import books, request

from deltawire.core.limits import EXIT_RESERVE, WINDOW_NS, Approved, Gate, Limits, Refusal
from deltawire.core.money import E8
from deltawire.core.types import Purpose

NOW = 10**12
LIMITS = Limits(
    order_notional_e8_max=1_000 * E8,
    orders_per_minute_max=10,
    open_pairs_max=1,
    daily_loss_e8_max=50 * E8,
    quote_age_ns_max={"paradex": 10**9, "vest": 2 * 10**9},
    venue_age_ns_max=5 * 10**9,
    book_spread_e8_max=200_000,
    price_cap_e8_max=500_000,
    edge_e8_max=10_000_000,
    drawdown_e8_max=40 * E8,
    inventory_e8_max=10_000 * E8,
    free_margin_e8_min=10_000_000,
    liquidation_e8_min=5_000_000,
)
EXITS = (Purpose.EXIT, Purpose.REPAIR, Purpose.UNWIND)


def _refused(gate: Gate, **changes: object) -> str:
    answer = gate.approve(request(**changes), 60_000 * E8, NOW)  # type: ignore[arg-type]
    assert isinstance(answer, Refusal)
    return answer.rule


def test_a_good_order_passes():
    order = request()
    assert Gate(LIMITS).approve(order, 60_000 * E8, NOW) == Approved(order)


def test_each_rule_refuses_by_name():
    gate = Gate(LIMITS)
    assert _refused(gate, size_e8=0) == "size"
    assert _refused(gate, cap_price_e8=0) == "price_cap"
    assert _refused(gate, cap_price_e8=61_000 * E8) == "price_cap"
    assert _refused(gate, size_e8=E8) == "order_notional"


def test_a_refused_order_uses_up_no_rate():
    gate = Gate(LIMITS)
    for _ in range(50):
        _refused(gate, size_e8=0)
    assert not gate.sent_mono_ns


def test_entries_leave_room_in_the_rate_for_exits():
    gate = Gate(LIMITS)
    for _ in range(LIMITS.orders_per_minute_max - EXIT_RESERVE):
        assert isinstance(gate.approve(request(), 0, NOW), Approved)
    assert _refused(gate) == "orders_per_minute"
    for purpose in EXITS:
        assert isinstance(gate.approve(request(purpose=purpose), 0, NOW), Approved)


def test_the_rate_is_over_a_sliding_minute():
    gate = Gate(LIMITS)
    for _ in range(LIMITS.orders_per_minute_max):
        gate.approve(request(purpose=Purpose.EXIT), 0, NOW)
    assert isinstance(gate.approve(request(), 0, NOW + WINDOW_NS), Refusal)
    assert isinstance(gate.approve(request(), 0, NOW + WINDOW_NS + 1), Approved)


@pytest.mark.parametrize("purpose", EXITS)
def test_exits_have_no_notional_limit(purpose):
    assert isinstance(Gate(LIMITS).approve(request(purpose=purpose, size_e8=E8), 0, NOW), Approved)


def _fresh():
    legs = books()
    for book in legs:
        book.received_mono_ns = NOW
    return legs


def test_fresh_books_may_be_entered():
    assert Gate(LIMITS).entry_refusal(_fresh(), 0, NOW, NOW) is None


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lambda gate, _legs: gate.halt("a broken invariant"), "halted"),
        (lambda _gate, legs: legs[0].invalidate("sequence gap"), "book"),
        (lambda _gate, legs: legs[1].set_top(None, (60_100 * E8, E8), 2), "book"),
        (lambda _gate, legs: setattr(legs[0], "received_mono_ns", NOW - 10**9 - 1), "quote_age"),
        (lambda _gate, legs: setattr(legs[1], "received_mono_ns", NOW - 2 * 10**9 - 1), "quote_age"),
        (lambda _gate, legs: setattr(legs[0], "venue_unix_ns", NOW - 5 * 10**9 - 1), "quote_age"),
        (lambda _gate, legs: legs[0].replace([(59_000 * E8, E8)], [(60_000 * E8, E8)]), "book_spread"),
        (lambda gate, _legs: setattr(gate, "lost_today_e8", 50 * E8), "daily_loss"),
    ],
)
def test_entries_are_refused_by_name(break_it, rule):
    gate, legs = Gate(LIMITS), _fresh()
    break_it(gate, legs)
    refusal = gate.entry_refusal(legs, 0, NOW, NOW)
    assert refusal is not None
    assert refusal.rule == rule


def test_the_number_of_open_pairs_is_bounded():
    refusal = Gate(LIMITS).entry_refusal(_fresh(), 1, NOW, NOW)
    assert refusal is not None
    assert refusal.rule == "open_pairs"


def test_a_halt_latches_with_its_first_reason():
    gate = Gate(LIMITS)
    gate.halt("first")
    gate.halt("second")
    assert gate.halted == "first"


def test_an_old_quote_within_its_own_venues_bound_passes():
    legs = _fresh()
    legs[1].received_mono_ns = NOW - int(1.5e9)
    assert Gate(LIMITS).entry_refusal(legs, 0, NOW, NOW) is None
