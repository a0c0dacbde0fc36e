"""Each fault of the simulated Vest, and what the adapter makes of it."""

import time

import pytest
from tests.faults.rig import SIZE_E8, covers, impatient, short_lived, until

from deltawire.core.order import OrderState

FILLED, CANCELLED, REJECTED, NEVER = OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.NEVER


# ---- on an order


@covers("vest", "reject_order")
@pytest.mark.parametrize("where", ["answer", "event"])
async def test_a_listed_refusal_ends_the_order_wherever_it_comes(vest, where):
    vest.arm("reject_order", code="3001", where=where)
    kinds, order = await vest.outcome()
    assert (kinds[-1], order.state, order.why[:4]) == ("Rejected", REJECTED, "3001")
    assert "InDoubt" not in kinds


@covers("vest", "reject_order")
@short_lived
async def test_an_unlisted_refusal_proves_nothing_and_is_resolved_by_reading(vest):
    vest.arm("reject_order", code="3999", where="answer")
    kinds, order = await vest.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)


@covers("vest", "wrong_signature")
async def test_a_refused_signature_is_a_definite_refusal(vest):
    vest.arm("wrong_signature")
    kinds, order = await vest.outcome()
    assert (kinds, order.why[:4]) == (["Sent", "Rejected"], "1022")


@covers("vest", "rate_limit")
async def test_an_order_over_the_rate_limit_was_never_placed(vest):
    vest.arm("rate_limit")
    kinds, order = await vest.outcome()
    assert (kinds, order.state) == (["Sent", "Rejected"], REJECTED)
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "partial_fill")
async def test_a_partial_fill_ends_with_what_filled(vest):
    vest.arm("partial_fill", fraction_e8=30_000_000)
    _, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (CANCELLED, SIZE_E8 * 3 // 10)


@covers("vest", "lose_reply")
async def test_a_lost_answer_is_made_up_for_by_the_private_stream(vest):
    vest.arm("lose_reply")
    _, order = await vest.outcome()
    assert order.state is FILLED
    assert vest.sent[0].stamps.reply_mono_ns == 0


@covers("vest", "lose_reply", "silent_stream")
@impatient
async def test_without_answer_and_news_an_order_is_in_doubt_in_time_and_read(vest):
    vest.arm("lose_reply")
    vest.arm("silent_stream", link="private", ms=60_000)
    kinds, order = await vest.outcome()
    assert order.state is FILLED
    assert "Sent" in kinds


@covers("vest", "drop_before")
@short_lived
async def test_a_connection_that_dies_before_the_order_is_read_leaves_no_order(vest):
    vest.arm("drop_before")
    kinds, order = await vest.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "drop_after")
async def test_a_connection_that_dies_after_the_order_was_taken_is_resolved(vest):
    vest.arm("drop_after")
    _, order = await vest.outcome()
    assert order.state is FILLED
    assert vest.held_at_venue() == SIZE_E8


@covers("vest", "delay_reply")
async def test_a_late_answer_changes_nothing_any_more(vest):
    vest.arm("delay_reply", ms=300)
    _, order = await vest.outcome()
    assert order.state is FILLED
    stamps = vest.sent[0].stamps
    await until(lambda: stamps.reply_mono_ns > 0, "the answer came after all")
    assert stamps.reply_mono_ns - stamps.written_mono_ns >= 290_000_000
    assert vest.sink.orders[order.request.client_id].filled_e8 == SIZE_E8


@covers("vest", "late_fill")
async def test_an_order_whose_fill_is_not_told_is_read(vest):
    vest.arm("late_fill", ms=60_000)
    kinds, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)
    assert "InDoubt" not in kinds


@covers("vest", "late_fill")
async def test_a_fill_told_after_it_was_read_counts_once(vest):
    vest.arm("late_fill", ms=500)
    await vest.outcome()
    await vest.outcome()
    sent_ns = vest.sent[0].stamps.written_mono_ns
    await until(lambda: time.monotonic_ns() - sent_ns > 550_000_000, "the late news is out")
    _, last = await vest.outcome()  # what was sent before it has been heard by its end
    assert last.state is FILLED
    assert [order.filled_e8 for order in vest.sink.orders.values()] == [SIZE_E8] * 3
    assert vest.held_at_venue() == 3 * SIZE_E8


@covers("vest", "duplicate_events")
async def test_an_event_told_twice_counts_once(vest):
    vest.arm("duplicate_events")
    vest.arm("partial_fill")
    _, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (CANCELLED, SIZE_E8 // 2)
    await vest.outcome()
    assert vest.kinds(order.request.client_id).count("Closed") == 1


@covers("vest", "reorder_events")
async def test_news_in_the_wrong_order_ends_in_the_same_state(vest):
    vest.arm("reorder_events")
    kinds, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)
    assert kinds.count("Closed") == 1


@covers("vest", "reorder_events")
async def test_an_end_told_before_its_partial_fill_does_not_lose_the_fill(vest):
    vest.arm("reorder_events")
    vest.arm("partial_fill")
    _, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (CANCELLED, SIZE_E8 // 2)


@covers("vest", "fill_before_ack")
async def test_a_fill_that_overtakes_its_acknowledgement_is_taken(vest):
    vest.arm("fill_before_ack")
    kinds, order = await vest.outcome()
    assert (kinds.count("FilledTotal"), order.state) == (1, FILLED)


@covers("vest", "http_530")
@pytest.mark.parametrize(("where", "ends"), [("before", NEVER), ("after", FILLED)])
@short_lived
async def test_a_page_of_the_edge_proves_nothing(vest, where, ends):
    vest.arm("http_530", where=where)
    _, order = await vest.outcome()
    assert order.state is ends


# ---- on the account


@covers("vest", "expire_token")
async def test_an_expired_api_key_is_replaced_by_a_new_registration(vest):
    vest.arm("expire_token")
    kinds, order = await vest.outcome()
    assert (kinds, order.why[:4]) == (["Sent", "Rejected"], "1002")
    await until(lambda: vest.log.events.count("vest.registered") > 1, "registered anew")
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "expire_listen_key")
async def test_an_expired_listen_key_is_replaced_and_the_private_stream_comes_back(vest):
    vest.arm("expire_listen_key")
    await until(lambda: ("private", False) in vest.sink.links, "the stream is gone")
    await until(lambda: vest.sink.links[-1] == ("private", True), "the stream is back")
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "read_error")
@short_lived
async def test_reads_that_fail_are_made_again_until_the_doubt_is_resolved(vest):
    vest.arm("http_530", where="before")
    vest.arm("read_error", count=2)
    _, order = await vest.outcome()
    assert order.state is NEVER
    assert "order.look_up_failed" in vest.log.events


# ---- on streams


@covers("vest", "drop_stream")
async def test_a_lost_market_data_socket_takes_the_book_until_it_is_back(vest):
    vest.arm("drop_stream", link="market data")
    await until(lambda: ("market data", False) in vest.sink.links, "told")
    assert any(not valid for _, valid, _ in vest.sink.books)
    await until(lambda: vest.book_is_current, "the book is back")
    assert ("private", False) not in vest.sink.links


@covers("vest", "drop_stream")
async def test_an_order_sent_while_the_private_stream_is_down_is_read(vest):
    vest.arm("drop_stream", link="private")
    await until(lambda: ("private", False) in vest.sink.links, "told")
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "silent_stream")
@impatient
async def test_a_silent_market_data_socket_is_given_up_and_opened_anew(vest):
    vest.arm("silent_stream", link="market data", ms=10_000)
    vest.quote(60_100, 60_101)
    await until(lambda: ("market data", False) in vest.sink.links, "noticed")
    await until(lambda: vest.book_is_current, "the new socket tells")


@covers("vest", "restart")
async def test_a_restarting_venue_is_connected_to_again(vest):
    vest.arm("restart")
    await until(lambda: {("private", False), ("market data", False)} <= set(vest.sink.links), "both are gone")
    await until(lambda: vest.book_is_current and vest.sink.links.count(("private", True)) > 1, "both are back")
    assert (await vest.outcome())[1].state is FILLED


# ---- on the market


@covers("vest", "halt")
async def test_a_halted_market_has_no_book_and_takes_no_order(vest):
    vest.arm("halt", base="BTC", ms=60_000)
    kinds, order = await vest.outcome()
    assert (kinds, order.why[:4]) == (["Sent", "Rejected"], "1148")
    await until(lambda: any("halted" in why for _, _, why in vest.sink.books), "the book is withdrawn")
    vest.arm("halt", base="BTC", ms=0)
    await until(lambda: vest.book_is_current, "trading again")
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "thin_book")
async def test_a_book_without_a_side_is_shown_as_that(vest):
    vest.arm("thin_book", side="asks", ms=60_000)
    await until(lambda: vest.book.valid and not vest.book.asks, "the side is gone")
    assert not vest.book.two_sided
    assert (await vest.outcome())[1].state is REJECTED
    vest.arm("thin_book", side="asks", ms=0)
    await until(lambda: vest.book.two_sided, "the side is back")


@covers("vest", "stale_book")
@impatient
async def test_a_book_that_stands_still_is_seen_by_its_age_and_asked_for_again(vest):
    vest.arm("stale_book", ms=60_000)
    vest.quote(60_100, 60_101)
    await until(lambda: "vest.feed.channel_silent" in vest.log.events, "noticed")
    assert not vest.book_is_current, "no picture of it came: the age of the last one tells the gate"
    vest.arm("stale_book", ms=0)  # over, now that it was noticed
    await until(lambda: vest.book_is_current, "the picture moves again")


@covers("vest", "lose_events")
async def test_an_order_no_event_tells_of_is_read(vest):
    vest.arm("lose_events")
    _, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)


@covers("vest", "hide_order")
async def test_a_look_up_that_misses_an_order_does_not_unmake_it(vest):
    vest.arm("hide_order", ms=200)
    vest.arm("drop_after")
    _, order = await vest.outcome()
    assert (order.state, order.filled_e8) == (FILLED, SIZE_E8)


@covers("vest", "false_reject")
async def test_a_fill_after_a_refusal_counts_all_the_same(vest):
    vest.arm("false_reject")
    kinds, order = await vest.outcome()
    assert "Rejected" in kinds
    await until(lambda: vest.sink.orders[order.request.client_id].filled_e8 == SIZE_E8, "the fill counts")


@covers("vest", "close_position")
async def test_a_position_somebody_else_closes_is_gone_at_the_venue(vest):
    await vest.outcome()
    vest.arm("close_position")
    assert vest.held_at_venue() == 0
