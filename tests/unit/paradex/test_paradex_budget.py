"""The venue's rate limits as we count them, and when they stop entries."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.paradex.paradex_fake import answer_of
from tests.unit.paradex.paradex_rig import BTC, SETTINGS, make_rig

from deltawire.core.types import Purpose
from deltawire.venues.contract import Refused
from deltawire.venues.paradex import errors, rest, rpc
from deltawire.venues.paradex.budget import RATES_ORDERS, RESERVE_ORDERS, Bucket, Budget, Budgets
from deltawire.venues.paradex.settings import OrderClass

S = 10**9


def test_the_limits_are_the_venues():
    assert RATES_ORDERS == {
        OrderClass.PRO: ((800, 1), (17_250, 60)),
        OrderClass.RETAIL: ((3, 1), (30, 60), (300, 3_600), (1_000, 86_400)),
    }


def test_a_bucket_refills_continuously_and_never_beyond_its_size():
    bucket = Bucket(3, 1)
    for _ in range(3):
        bucket.take(S)
    assert bucket.left(S) == 0
    assert bucket.left(S + S // 3) == 0
    assert bucket.left(S + S // 3 + 1) == 1
    assert bucket.left(100 * S) == 3


def test_a_call_counted_late_counts_once():
    bucket = Bucket(3, 1)
    assert bucket.left(2 * S) == 3
    bucket.take(S)
    assert (bucket.left(2 * S), bucket.left(2 * S + S // 3 + 1)) == (2, 3)


def test_a_refused_call_is_no_debt():
    bucket = Bucket(1, 1)
    for _ in range(50):
        bucket.take(S)
    assert bucket.left(2 * S) == 1


@given(st.integers(1, 50), st.integers(1, 60), st.lists(st.integers(0, 3 * S), max_size=60))
def test_a_bucket_never_lets_more_through_than_its_size_and_its_refill(size, period_s, waits_ns):
    bucket, now_ns, taken = Bucket(size, period_s), S, deque[int]()
    for wait_ns in waits_ns:
        now_ns += wait_ns
        if bucket.left(now_ns) > 0:
            bucket.take(now_ns)
            taken.append(now_ns)
        refill = (now_ns - S) * size // (period_s * S)
        assert len(taken) <= size + refill
        assert bucket.left(now_ns) <= size


def test_entries_stop_while_exits_still_have_their_reserve():
    budget = Budget("orders", ((30, 60),), RESERVE_ORDERS)
    for _ in range(25):
        budget.take(S)
    assert budget.entry_block(S) == ""
    budget.take(S)
    assert budget.entry_block(S) == "4 of 30 orders left in 60 s, 4 kept for exits"
    assert budget.entry_block(3 * S) == "", "two seconds refill one order"


def test_of_a_small_bucket_a_third_is_kept():
    budget = Budget("orders", RATES_ORDERS[OrderClass.RETAIL], RESERVE_ORDERS)
    budget.take(S)
    assert budget.entry_block(S) == ""
    budget.take(S)
    assert budget.entry_block(S) == "1 of 3 orders left in 1 s, 1 kept for exits"


def test_the_tightest_bucket_decides():
    budget = Budget("orders", RATES_ORDERS[OrderClass.RETAIL], RESERVE_ORDERS)
    now_ns = S
    for _ in range(28):
        now_ns += S // 2
        budget.take(now_ns)
    assert "of 30" not in budget.entry_block(now_ns + S)
    for _ in range(12):
        now_ns += S // 2
        budget.take(now_ns)
    assert "of 30 orders left in 60 s" in budget.entry_block(now_ns + S)


def test_the_venues_headers_lower_the_bucket_they_are_about_and_no_other():
    budget = Budget("orders", RATES_ORDERS[OrderClass.PRO], RESERVE_ORDERS)
    budget.on_headers({"x-ratelimit-limit": "17250", "x-ratelimit-remaining": "2"}, S)
    assert budget.entry_block(S) == "2 of 17250 orders left in 60 s, 4 kept for exits"
    budget.on_headers({"x-ratelimit-limit": "17250", "x-ratelimit-remaining": "9000"}, S)
    assert budget.left(S) == 2, "the venue counts with delay: what it has more than we is not believed"
    other = Budget("orders", RATES_ORDERS[OrderClass.PRO], RESERVE_ORDERS)
    for headers in (
        {"x-ratelimit-limit": "5", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "800", "x-ratelimit-remaining": "many"},
        {"x-ratelimit-limit": "", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-remaining": "0"},
        {},
    ):
        other.on_headers(headers, S)
    assert other.entry_block(S) == ""


def test_each_call_counts_against_its_own_limits():
    budgets = Budgets(OrderClass.RETAIL)
    budgets.call_sent("GET", is_private=False, now_mono_ns=S)
    budgets.call_sent("GET", is_private=True, now_mono_ns=S)
    budgets.call_sent("DELETE", is_private=True, now_mono_ns=S)
    budgets.order_sent(S)
    assert (budgets.orders.left(S), budgets.reads.left(S), budgets.private.left(S), budgets.public.left(S)) == (
        1, 119, 1_497, 1_499,
    )  # fmt: skip


@pytest.mark.parametrize(("retry_after", "blocked_s"), [("7", 7), ("", 1), ("soon", 1)])
def test_a_429_stops_entries_as_long_as_the_venue_says(retry_after, blocked_s):
    budgets = Budgets(OrderClass.PRO)
    budgets.answered("POST", is_private=True, status=429, headers={"retry-after": retry_after}, now_mono_ns=S)
    assert budgets.entry_block(S + blocked_s * S - 1) == "the venue refused for the rate of orders"
    assert budgets.entry_block(S + blocked_s * S) == ""


def test_what_was_found_free_stays_so_until_something_is_counted():
    budgets = Budgets(OrderClass.RETAIL)
    assert budgets.entry_block(S) == ""
    budgets.order_sent(S)
    budgets.order_sent(S)
    assert "orders left" in budgets.entry_block(S)
    assert budgets.entry_block(2 * S) == ""
    for change in (
        lambda: budgets.order_refused(2 * S),
        lambda: budgets.answered("GET", is_private=False, status=429, headers={}, now_mono_ns=2 * S),
    ):
        assert budgets.entry_block(2 * S) == ""
        change()
        assert "refused for the rate" in budgets.entry_block(2 * S)
        assert budgets.entry_block(4 * S) == ""


# ---- in the adapter


async def test_orders_over_the_socket_use_up_the_budget_until_entries_stop_and_exits_go_on():
    rig = make_rig(SETTINGS).restart_with(order_class=OrderClass.RETAIL, reply_timeout_s=5.0)
    await rig.venue.start(rig.sink)
    assert rig.venue.entry_block(BTC) == ""
    rig.submit()
    rig.submit()
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) == "1 of 3 orders left in 1 s, 1 kept for exits")
    exits = [rig.submit(purpose=Purpose.EXIT) for _ in range(3)]
    await rig.until_kinds(exits[-1], "Sent", "Acked")
    await rig.venue.close()


async def test_a_rate_refusal_on_the_socket_stops_entries(rig):
    rig.fake.on_create = lambda connection, request, order: connection.text(
        rpc.encode_error(request.id, errors.RATE_LIMITED, "too many", 1, 2)
    )
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Rejected")
    assert rig.venue.entry_block(BTC) == "the venue refused for the rate of orders"


async def test_a_rate_refusal_over_rest_stops_entries(rig):
    rig.fake.refuse_connects = 1_000_000
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-1] == ("orders", False))
    rig.fake.on_post = lambda params, done: done(answer_of(429, rest.error_body("X", ""), {"retry-after": "60"}))
    client_id = rig.submit(purpose=Purpose.EXIT)
    await rig.until_kinds(client_id, "Sent", "Rejected")
    rig.fake.refuse_connects = 0
    await rig.sink.until(lambda: rig.sink.links[-1] == ("orders", True))
    assert rig.venue.entry_block(BTC) == "the venue refused for the rate of orders"


async def test_headers_of_reads_are_believed(rig):
    rig.fake.headers = {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "1"}
    await rig.venue.balance()
    assert rig.venue.entry_block(BTC) == "1 of 600 private reads left in 60 s, 20 kept for exits"


async def test_reads_are_never_held_back(rig):
    rig.fake.headers = {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "0"}
    for _ in range(3):
        await rig.venue.balance()
    rig.fake.refusals["/account"] = "VALIDATION_ERROR"
    with pytest.raises(Refused):
        await rig.venue.balance()


def test_what_is_left_of_each_limit_can_be_shown():
    budgets = Budgets(OrderClass.RETAIL)
    budgets.order_sent(S)
    budgets.order_refused(S)
    shown = {
        (report.name, report.period_s): (report.left, report.size, report.refused) for report in budgets.reports(S)
    }
    assert shown["orders", 1] == (2, 3, 1)
    assert shown["orders", 86_400] == (999, 1_000, 1)
    assert shown["public calls", 60] == (1_500, 1_500, 0)


def test_the_retail_budget_of_a_second_connection_keeps_nothing_for_exits_and_blocks_no_other_entry():
    budgets = Budgets(OrderClass.BY_EDGE)
    for _ in range(3):
        assert budgets.retail.entry_block(S) == ""
        budgets.retail.take(S)
    assert budgets.retail.entry_block(S) == "0 of 3 retail orders left in 1 s, 0 kept for exits"
    assert budgets.entry_block(S) == ""
    assert budgets.retail.entry_block(S + S // 2) == ""


def test_the_retail_budget_is_told_only_where_it_is_used():
    for order_class in OrderClass:
        told = {report.name for report in Budgets(order_class).reports(S)}
        assert ("retail orders" in told) is (order_class is OrderClass.BY_EDGE)
