"""Every adapter: what becomes of an order when nothing, or only the venue's own answer, goes wrong."""

import pytest
from tests.conformance.venues.suite import ASK_E8, BASE, BID_E8, SIZE_E8, Make, Rig, quote, started, until

from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, InDoubt, Rejected, Sent
from deltawire.core.money import E8, rate_of_e8
from deltawire.core.order import CANCELLED, FILLED, FINAL, REJECTED
from deltawire.core.types import ClientOrderId, Side
from deltawire.venues.contract import PreparedOrder


@pytest.mark.parametrize("side", Side, ids=lambda side: side.name)
async def test_an_order_that_crosses_fills_and_is_told_whole(rig: Rig, side: Side):
    prepared = rig.submit(side)
    assert rig.events(prepared) == [Sent()], "Sent is said inside submit, and nothing else"
    order = await rig.ended(prepared)
    assert order.state is FILLED
    assert order.filled_e8 == SIZE_E8
    assert rig.count(prepared, Acked) >= 1
    assert rig.count(prepared, Closed) >= 1
    assert order.venue_order_id
    assert not rig.count(prepared, InDoubt)
    rig.assert_true(prepared)


async def test_an_order_signed_ahead_on_another_thread_fills_like_any_other(rig: Rig):
    prepared = await rig.presign()
    assert rig.venue.is_fresh(prepared)
    assert prepared.window_ms <= rig.venue.capabilities.recv_window_ms
    rig.venue.submit(prepared)
    assert (await rig.ended(prepared)).state is FILLED
    rig.assert_true(prepared)


async def test_of_orders_signed_ahead_in_any_order_those_that_stay_fresh_are_taken(rig: Rig):
    first, second = await rig.presign(), await rig.presign(Side.SELL)
    assert first.correlator < second.correlator
    rig.venue.submit(second)
    assert (await rig.ended(second)).state is FILLED
    if rig.venue.is_fresh(first):
        rig.venue.submit(first)
        assert (await rig.ended(first)).state is FILLED
    later = await rig.presign()
    assert rig.venue.is_fresh(later)
    rig.venue.submit(later)
    assert (await rig.ended(later)).state is FILLED


async def test_fills_come_in_the_form_the_capabilities_say(rig: Rig):
    prepared = rig.submit()
    await rig.ended(prepared)
    seen, totals = rig.count(prepared, FillSeen), rig.count(prepared, FilledTotal)
    told, silent = (seen, totals) if rig.venue.capabilities.reports_each_fill else (totals, seen)
    assert told >= 1
    assert silent == 0


async def test_the_price_is_never_worse_than_the_cap(rig: Rig):
    prepared = rig.submit(cap_bps=5)
    order = await rig.ended(prepared)
    assert order.filled_e8 == SIZE_E8
    assert order.notional_e8 * 10**8 <= prepared.request.cap_price_e8 * order.filled_e8


async def test_fees_are_what_the_venue_took(rig: Rig):
    first, second = rig.submit(), rig.submit(Side.SELL)
    fees_e8 = (await rig.ended(first)).fee_e8 + (await rig.ended(second)).fee_e8
    assert fees_e8 == rig.world.truth().fees_paid_e8
    assert fees_e8 >= rate_of_e8(rig.order(first).notional_e8, rig.world.instrument.fee_rate_taker_e8) > 0


async def test_an_order_whose_cap_is_not_reached_ends_at_once_unfilled(rig: Rig):
    prepared = rig.submit(cap_bps=-50)
    order = await rig.ended(prepared)
    assert order.state in FINAL - {FILLED}
    assert order.filled_e8 == order.fee_e8 == order.leaves_e8 == 0
    assert order.why, "it says why it ended short"
    rig.assert_true(prepared)
    assert rig.world.truth().position_e8 == 0


async def test_a_partial_fill_ends_with_the_part_and_its_cost(rig: Rig):
    if not rig.venue.capabilities.fills_partially:
        pytest.skip("all or nothing here")
    rig.fault("partial_fill", fraction_e8=40_000_000)
    prepared = rig.submit()
    order = await rig.ended(prepared)
    assert order.state is CANCELLED
    assert order.filled_e8 == SIZE_E8 * 4 // 10
    assert order.why
    rig.assert_true(prepared)
    assert order.fee_e8 == rig.world.truth().fees_paid_e8 > 0


async def test_a_definite_refusal_is_a_rejection_with_the_venues_code(rig: Rig):
    rig.fault("reject_order")
    prepared = rig.submit()
    order = await rig.ended(prepared)
    assert order.state is REJECTED
    [rejected] = [event for event in rig.events(prepared) if isinstance(event, Rejected)]
    assert rejected.code
    assert order.leaves_e8 == 0
    assert rig.world.truth().position_e8 == 0


async def test_orders_sent_together_are_kept_apart(rig: Rig):
    sent = [rig.submit(side, cap_bps=bps) for side in Side for bps in (30, -30, 40)]
    for prepared in sent:
        await rig.ended(prepared)
        rig.assert_true(prepared)
    assert [rig.order(prepared).filled_e8 for prepared in sent] == [SIZE_E8, 0, SIZE_E8] * 2
    assert len({prepared.correlator for prepared in sent}) == len(sent)


async def test_events_told_twice_change_nothing(rig: Rig):
    rig.fault("duplicate_events")
    prepared = rig.submit()
    await rig.ended(prepared)
    await rig.venue.positions()  # a round trip, in which the repetition comes too
    assert rig.order(prepared).filled_e8 == SIZE_E8
    rig.assert_true(prepared)
    assert rig.order(prepared).fee_e8 == rig.world.truth().fees_paid_e8


async def test_every_event_heard_twice_more_changes_nothing(rig: Rig):
    prepared = rig.submit()
    order = await rig.ended(prepared)
    for event in rig.events(prepared)[1:] * 2:  # all but Sent, which is said of nothing that has ended
        rig.ear.learn(prepared.request.client_id, event)
    assert rig.order(prepared) == order


async def test_fills_that_overtake_the_acknowledgement_lose_nothing(rig: Rig):
    rig.fault("fill_before_ack")
    prepared = rig.submit()
    await rig.ended(prepared)
    assert rig.order(prepared).state is FILLED
    rig.assert_true(prepared)


async def test_fills_told_late_are_told(rig: Rig):
    rig.fault("late_fill", ms=150)
    prepared = rig.submit()
    await rig.ended(prepared)
    assert rig.order(prepared).state is FILLED
    rig.assert_true(prepared)


async def test_an_answer_that_comes_late_but_in_time_raises_no_doubt(rig: Rig):
    rig.fault("delay_reply", ms=150)
    prepared = rig.submit()
    await rig.ended(prepared)
    await until(lambda: prepared.stamps.reply_mono_ns, "the late answer")
    assert not rig.count(prepared, InDoubt)
    rig.assert_true(prepared)


async def test_stamps_tell_the_way_of_an_order_in_order(rig: Rig):
    prepared = rig.submit()
    await rig.ended(prepared)
    stamps = prepared.stamps
    await until(lambda: stamps.acked_mono_ns, "the answer")
    assert 0 < stamps.prepared_mono_ns <= stamps.signed_mono_ns <= stamps.encoded_mono_ns <= stamps.written_mono_ns
    assert stamps.written_mono_ns <= stamps.reply_mono_ns <= stamps.acked_mono_ns
    assert stamps.written_mono_ns <= stamps.filled_mono_ns
    assert stamps.transport in {"ws", "https", "paper"}
    assert stamps.reused
    assert stamps.connection_age_ns > 0
    assert stamps.connection_requests > 0


async def test_an_order_may_be_sent_inside_the_call_that_tells_of_a_book(rig: Rig):
    sent: list[PreparedOrder] = []
    rig.ear.in_book = lambda: sent.append(rig.submit())
    rig.world.market.publish(rig.world.name, BASE, quote(BID_E8 + E8, ASK_E8 + E8))
    await until(lambda: sent, "the book is told")
    assert rig.events(sent[0])[0] == Sent()
    await rig.ended(sent[0])
    rig.assert_true(sent[0])


async def test_an_order_may_be_sent_inside_the_call_that_tells_of_a_fill(rig: Rig):
    sent: list[PreparedOrder] = []
    rig.ear.in_order = lambda: sent.append(rig.submit(Side.SELL))
    first = rig.submit()
    await until(lambda: sent, "the fill is told")
    for prepared in (first, sent[0]):
        await rig.ended(prepared)
        rig.assert_true(prepared)
    assert rig.world.truth().position_e8 == 0


async def test_an_order_is_submitted_at_most_once(rig: Rig):
    prepared = rig.submit()
    with pytest.raises(ValueError, match="before"):
        rig.venue.submit(prepared)
    await rig.ended(prepared)
    with pytest.raises(ValueError, match="before"):
        rig.venue.submit(prepared)
    await rig.venue.positions()
    assert rig.world.truth().orders_received == 1


async def test_cancelling_what_is_over_or_unknown_is_harmless(rig: Rig):
    prepared = rig.submit()
    order = await rig.ended(prepared)
    for client_id in (prepared.request.client_id, prepared.request.client_id, ClientOrderId("never-seen")):
        rig.venue.cancel(client_id)
    await rig.venue.positions()  # a round trip, in which a wrong word would come
    assert rig.order(prepared) == order
    rig.assert_true(prepared)


async def test_cancelling_an_order_on_its_way_ends_in_what_the_venue_did(rig: Rig):
    prepared = rig.submit()
    rig.venue.cancel(prepared.request.client_id)
    rig.venue.cancel(prepared.request.client_id)
    await rig.resolve(prepared)
    rig.assert_true(prepared)


async def test_cancelling_an_open_order_ends_in_what_the_venue_did(make: Make):
    slow = await started(make, slow_s=1.0)  # where it cannot be cancelled it is executed after this
    prepared = slow.submit()
    await slow.named(prepared)
    slow.venue.cancel(prepared.request.client_id)
    await slow.resolve(prepared)
    slow.assert_true(prepared)
