"""Each fault of the simulated Paradex, and what the adapter makes of it."""

from itertools import cycle

import pytest
from tests.faults.rig import SIZE_E8, covers, impatient, short_lived, until

from deltawire.core.events import InDoubt, Rejected
from deltawire.core.order import OrderState

FILLED, CANCELLED, REJECTED, NEVER = OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.NEVER


# ---- on an order


@covers("paradex", "reject_order")
async def test_a_listed_refusal_ends_the_order_at_once(paradex):
    paradex.arm("reject_order", code="MARKET_NOT_OPEN")
    kinds, order = await paradex.outcome()
    assert (kinds, order.state, order.why[:15]) == (["Sent", "Rejected"], REJECTED, "MARKET_NOT_OPEN")


@covers("paradex", "reject_order")
@short_lived
async def test_an_unlisted_refusal_proves_nothing_and_is_resolved_by_reading(paradex):
    paradex.arm("reject_order", code="SOMETHING_NEW")
    kinds, order = await paradex.outcome()
    assert (kinds, order.state) == (["Sent", "InDoubt", "NotFound"], NEVER)


@covers("paradex", "wrong_signature")
async def test_a_refused_signature_is_a_definite_refusal(paradex):
    paradex.arm("wrong_signature")
    kinds, order = await paradex.outcome()
    assert (kinds, order.why.split()[0]) == (["Sent", "Rejected"], "INVALID_ORDER_SIGNATURE")


@covers("paradex", "rate_limit")
async def test_an_order_over_the_rate_limit_was_never_placed(paradex):
    paradex.arm("rate_limit")
    kinds, order = await paradex.outcome()
    assert (kinds, order.state) == (["Sent", "Rejected"], REJECTED)
    assert (await paradex.outcome())[1].state is FILLED


@covers("paradex", "idless_error")
@pytest.mark.parametrize(("where", "ends"), [("before", NEVER), ("after", FILLED)])
@short_lived
async def test_an_error_without_id_puts_the_unanswered_order_in_doubt(paradex, where, ends):
    paradex.arm("idless_error", where=where)
    kinds, order = await paradex.outcome()
    assert kinds[:2] == ["Sent", "InDoubt"]
    assert order.state is ends


@covers("paradex", "idless_error")
@short_lived
async def test_an_error_without_id_leaves_answered_orders_alone(paradex):
    first, _ = await paradex.outcome()
    paradex.arm("idless_error", where="before")
    await paradex.outcome()
    assert "InDoubt" not in first
    assert [order.state for order in paradex.sink.orders.values()] == [FILLED, NEVER]


@covers("paradex", "partial_fill")
async def test_a_partial_fill_ends_with_what_filled(paradex):
    paradex.arm("partial_fill", fraction_e8=30_000_000)
    _, order = await paradex.outcome()
    assert (order.state, order.filled_e8) == (CANCELLED, SIZE_E8 * 3 // 10)


@covers("paradex", "lose_reply")
async def test_a_lost_reply_is_made_up_for_by_the_private_channels(paradex):
    paradex.arm("lose_reply")
    kinds, order = await paradex.outcome()
    assert order.state is FILLED
    assert "InDoubt" not in kinds
    assert paradex.sent[0].stamps.reply_mono_ns == 0


@covers("paradex", "silent_stream")
@impatient
async def test_without_reply_and_news_an_order_is_in_doubt_in_time_and_read(paradex):
    paradex.arm("silent_stream", link="private", ms=60_000)
    kinds, order = await paradex.outcome()
    assert kinds[:2] == ["Sent", "InDoubt"]
    assert order.state is FILLED


@covers("paradex", "drop_before")
@short_lived
async def test_a_socket_that_dies_before_the_order_is_read_leaves_no_order(paradex):
    paradex.arm("drop_before")
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)
    assert ("orders", False) in paradex.sink.links
    await until(lambda: paradex.is_up("orders"), "the order link is back")
    assert paradex.book.valid
    assert (await paradex.outcome())[1].state is FILLED


@covers("paradex", "drop_after")
async def test_a_socket_that_dies_after_the_execution_is_resolved_by_reading(paradex):
    paradex.arm("drop_after")
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], FILLED)
    assert sum(parked.request.size_e8 for parked in paradex.sent) == paradex.held_at_venue()


@covers("paradex", "delay_reply")
async def test_a_late_reply_changes_nothing_any_more(paradex):
    paradex.arm("delay_reply", ms=300)
    kinds, order = await paradex.outcome()
    assert order.state is FILLED
    stamps = paradex.sent[0].stamps
    await until(lambda: stamps.reply_mono_ns > 0, "the reply came after all")
    assert stamps.reply_mono_ns - stamps.written_mono_ns >= 290_000_000
    assert paradex.kinds(order.request.client_id) == kinds


@covers("paradex", "late_fill")
@impatient
async def test_an_acknowledged_order_without_an_end_is_read_and_its_late_news_counts_once(paradex):
    paradex.arm("late_fill", ms=700)
    kinds, order = await paradex.outcome()
    assert kinds[:3] == ["Sent", "Acked", "InDoubt"]
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)
    client_id = order.request.client_id
    await until(lambda: "FillSeen" in paradex.kinds(client_id), "the fill is told at last")
    assert paradex.sink.orders[client_id].filled_e8 == SIZE_E8


@covers("paradex", "duplicate_events")
async def test_an_event_told_twice_counts_once(paradex):
    paradex.arm("duplicate_events")
    _, order = await paradex.outcome()
    await paradex.outcome()  # the second copies are through by then
    kinds = paradex.kinds(order.request.client_id)
    assert (kinds.count("FillSeen"), kinds.count("Closed")) == (1, 1)
    assert paradex.held_at_venue() == 2 * SIZE_E8


@covers("paradex", "reorder_events")
async def test_news_in_the_wrong_order_ends_in_the_same_state(paradex):
    paradex.arm("reorder_events")
    kinds, order = await paradex.outcome()
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)
    await until(lambda: "FillSeen" in paradex.kinds(order.request.client_id), "the fill is told")
    kinds = paradex.kinds(order.request.client_id)
    assert kinds.index("Closed") < kinds.index("FillSeen")
    assert "InDoubt" not in kinds


@covers("paradex", "fill_before_ack")
async def test_a_fill_that_overtakes_its_acknowledgement_is_taken(paradex):
    paradex.arm("fill_before_ack")
    kinds, order = await paradex.outcome()
    assert (kinds.count("FillSeen"), order.state) == (1, FILLED)
    assert "InDoubt" not in kinds


# ---- on the account


@covers("paradex", "expire_token")
async def test_an_expired_token_is_renewed_by_the_next_read(paradex):
    paradex.arm("expire_token")
    assert await paradex.venue.positions() == []
    assert (await paradex.outcome())[1].state is FILLED


@covers("paradex", "expire_token", "drop_stream")
async def test_a_token_that_died_early_is_replaced_when_the_order_link_signs_in_again(paradex):
    paradex.arm("expire_token")
    paradex.arm("drop_stream", link="private")
    await until(lambda: ("orders", False) in paradex.sink.links, "the order link is gone")
    await until(lambda: paradex.is_up("orders"), "it is back")
    assert (await paradex.outcome())[1].state is FILLED


@covers("paradex", "bust")
async def test_a_busted_fill_is_told_and_shows_in_the_position_read(paradex):
    await paradex.outcome()
    await paradex.outcome()
    paradex.arm("bust")
    await until(lambda: "paradex.fill_busted" in paradex.log.events, "the bust is told")
    [position] = await paradex.venue.positions()
    assert position.size_e8 == paradex.held_at_venue() == SIZE_E8
    assert all(order.filled_e8 == SIZE_E8 for order in paradex.sink.orders.values()), "what was told stays told"


@covers("paradex", "read_error")
async def test_reads_that_fail_are_made_again_until_the_doubt_is_resolved(paradex):
    paradex.arm("drop_after")
    paradex.arm("read_error", count=3)
    _, order = await paradex.outcome()
    assert order.state is FILLED
    assert "order.look_up_failed" in paradex.log.events


# ---- on streams


@covers("paradex", "drop_stream")
async def test_a_lost_market_data_socket_takes_the_book_until_it_is_back(paradex):
    paradex.arm("drop_stream", link="market data")
    await until(lambda: ("market data", False) in paradex.sink.links, "told")
    assert any(not valid for _, valid, _ in paradex.sink.books)
    await until(lambda: paradex.book_is_current, "the book is back")
    assert ("orders", False) not in paradex.sink.links


@covers("paradex", "silent_stream")
@impatient
async def test_a_silent_market_data_socket_is_given_up_and_opened_anew(paradex):
    paradex.arm("silent_stream", link="market data", ms=10_000)
    paradex.quote(60_100, 60_101)
    await until(lambda: ("market data", False) in paradex.sink.links, "noticed")
    await until(lambda: paradex.book_is_current, "the new socket tells")


@covers("paradex", "gap")
async def test_a_lost_delta_makes_the_book_invalid_until_a_fresh_snapshot(paradex):
    paradex.arm("gap", base="BTC")
    paradex.quote(60_010, 60_011)
    paradex.quote(60_020, 60_021)
    await until(lambda: any("gap" in why for _, _, why in paradex.sink.books), "the gap is noticed")
    await until(lambda: paradex.book_is_current, "the book is back")


# ---- on the market


@covers("paradex", "maintenance")
@pytest.mark.parametrize(
    ("mode", "word", "ends"),
    [("maintenance", InDoubt, NEVER), ("cancel_only", Rejected, REJECTED), ("post_only", Rejected, REJECTED)],
)
@short_lived
async def test_a_state_of_the_system_blocks_entries_until_it_is_over(paradex, mode, word, ends):
    paradex.arm("maintenance", mode=mode, ms=60_000)
    client_id = paradex.send()
    await until(lambda: mode in paradex.venue.entry_block(paradex.symbol), "entries are blocked")
    paradex.sim.exchange.enter("ok")
    _, order = await paradex.end_of(client_id)
    assert type(paradex.sink.events[client_id][1]) is word
    assert order.state is ends
    await until(lambda: mode not in paradex.venue.entry_block(paradex.symbol), "entries are free again")
    assert (await paradex.outcome())[1].state is FILLED


@covers("paradex", "stale_book")
@impatient
async def test_a_book_that_stands_still_behind_its_best_prices_is_not_traded_on(paradex):
    paradex.arm("stale_book", ms=60_000)
    steps = cycle(range(1, 40))

    def noticed() -> bool:
        """Move the best prices on: after a reconnect, too, they must run ahead of the book."""
        step = next(steps)
        paradex.quote(60_000 + step, 60_001 + step)
        return any("trails" in why for _, _, why in paradex.sink.books)

    await until(noticed, "noticed")
    paradex.arm("stale_book", ms=0)  # over, now that it was noticed
    paradex.quote(60_100, 60_101)
    await until(lambda: paradex.book_is_current, "the book is back")


@covers("paradex", "lose_events")
@impatient
async def test_an_order_no_event_tells_of_is_read(paradex):
    paradex.arm("lose_events")
    kinds, order = await paradex.outcome()
    assert (order.state, "InDoubt" in kinds) == (FILLED, True)


@covers("paradex", "hide_order")
async def test_a_look_up_that_misses_an_order_does_not_unmake_it(paradex):
    paradex.arm("hide_order", ms=400)
    paradex.arm("drop_after")
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], FILLED)


@covers("paradex", "false_reject")
async def test_a_refusal_of_an_order_that_filled_is_not_believed(paradex):
    paradex.arm("false_reject")
    _, order = await paradex.outcome()
    await until(lambda: paradex.sink.orders[order.request.client_id].filled_e8 == SIZE_E8, "the fill counts")


@covers("paradex", "close_position")
async def test_a_position_somebody_else_closes_is_gone_at_the_venue(paradex):
    await paradex.outcome()
    paradex.arm("close_position")
    assert paradex.held_at_venue() == 0
