"""Every adapter: what becomes of an order when an answer, a connection or the venue itself is lost (I3, I4)."""

import ssl

import pytest
from tests.conformance.venues.suite import SIZE_E8, Rig, until

from deltawire.core.events import InDoubt, NotSent, Sent
from deltawire.core.order import FILLED, NEVER
from deltawire.engine.resolver import NEVER_MARGIN_NS
from deltawire.venues.paradex.session import NEVER_MARGIN_MS


async def test_an_order_of_which_nothing_is_heard_is_in_doubt_and_look_up_tells_the_truth(hasty: Rig):
    hasty.wants_a_venue()
    for fault in hasty.world.lose_all_news():
        hasty.world.faults.add(fault)
    prepared = hasty.submit()
    await hasty.doubted(prepared)
    assert not hasty.order(prepared).is_final
    assert hasty.order(prepared).leaves_e8 == SIZE_E8, "in doubt it reserves its whole size"
    truth = hasty.truth_of(prepared)
    assert truth is not None, "it was executed"
    report = await hasty.look_up(prepared)
    assert report is not None
    assert report.is_final
    assert report.filled_e8 == truth.filled_e8 == SIZE_E8
    assert report.notional_e8 == truth.price_e8 * SIZE_E8 // 10**8
    assert report.fee_e8 == hasty.world.truth().fees_paid_e8 > 0
    assert report.reason == ""
    await hasty.resolve(prepared)
    hasty.assert_true(prepared)
    assert hasty.count(prepared, InDoubt) == 1
    assert hasty.world.truth().orders_received == 1


async def test_a_lost_answer_alone_still_ends_in_what_the_venue_did(hasty: Rig):
    hasty.fault("lose_reply")
    prepared = hasty.submit()
    await hasty.resolve(prepared)
    assert hasty.order(prepared).state is FILLED
    hasty.assert_true(prepared)
    assert hasty.world.truth().orders_received == 1


async def test_an_order_lost_before_the_venue_took_it_is_in_doubt_once_and_never_lives(hasty: Rig):
    hasty.fault("drop_before")
    prepared = hasty.submit()
    await hasty.doubted(prepared)
    await hasty.resolve(prepared)
    assert hasty.order(prepared).state is NEVER
    await hasty.fit_again()
    assert await hasty.look_up(prepared) is None, "it was not sent again"
    assert hasty.world.truth().orders_received == 0
    assert hasty.world.truth().position_e8 == 0
    assert hasty.count(prepared, InDoubt) == 1


async def test_an_order_lost_after_the_venue_took_it_is_found_and_not_sent_again(hasty: Rig):
    hasty.fault("drop_after")
    prepared = hasty.submit()
    await hasty.doubted_or_ended(prepared)
    await hasty.resolve(prepared)
    assert hasty.order(prepared).state is FILLED
    hasty.assert_true(prepared)
    await hasty.fit_again()
    assert hasty.world.truth().orders_received == 1, "it was not sent again"
    assert hasty.count(prepared, InDoubt) <= 1, "none where a stream was quicker than the loss"


async def test_look_up_of_an_order_never_submitted_finds_none_and_not_another(hasty: Rig):
    await hasty.ended(hasty.submit())
    assert await hasty.look_up(hasty.prepare()) is None
    assert hasty.world.truth().orders_received == 1


async def test_look_up_finds_an_order_of_an_earlier_run(make):
    earlier = make()
    await earlier.start()
    prepared = earlier.submit()
    await earlier.ended(prepared)
    await earlier.venue.close()
    later = make()
    await later.start()
    report = await later.look_up(prepared)
    assert report is not None
    assert report.is_final
    assert report.filled_e8 == SIZE_E8
    assert report.notional_e8 == earlier.order(prepared).notional_e8
    assert report.fee_e8 == earlier.order(prepared).fee_e8
    assert report.venue_order_id == earlier.order(prepared).venue_order_id


async def test_look_up_tells_how_an_unfilled_order_ended(rig: Rig):
    prepared = rig.submit(cap_bps=-50)
    await rig.ended(prepared)
    report = await rig.look_up(prepared)
    assert report is not None
    assert report.is_final
    assert report.filled_e8 == report.notional_e8 == report.fee_e8 == 0
    assert report.reason


async def test_orders_survive_a_lost_stream_and_end_in_what_the_venue_did(hasty: Rig):
    """Streams drop while orders are on their way: whatever was missed is read or told again."""
    sent = []
    for _ in range(2):
        sent.append(hasty.submit())
        hasty.fault("drop_stream")
        await until(lambda: not hasty.book.valid, "the stream is gone")
        await hasty.resolve(sent[-1])
        await hasty.fit_again()
    for prepared in sent:
        if hasty.order(prepared).state is not NEVER:
            hasty.assert_true(prepared)
    filled_e8 = sum(hasty.order(prepared).filled_e8 for prepared in sent)
    assert hasty.world.truth().position_e8 == filled_e8


async def test_with_the_venue_gone_an_order_is_known_not_to_have_left(hasty: Rig):
    await hasty.world.stop()
    await until(lambda: not hasty.venue.ready, "the loss of the venue is seen")
    prepared = hasty.submit()  # does not raise
    order = await hasty.ended(prepared)
    assert order.state is NEVER
    assert hasty.count(prepared, NotSent) == 1


async def test_with_the_venue_gone_reads_raise_and_do_not_guess(hasty: Rig):
    hasty.wants_a_venue()
    prepared = hasty.submit()
    await hasty.ended(prepared)
    await hasty.world.stop()
    venue, client_id = hasty.venue, prepared.request.client_id
    with pytest.raises((OSError, TimeoutError)):
        await venue.look_up(client_id, prepared.correlator, hasty.world.symbol)
    for read in (venue.positions, venue.open_orders, venue.balance):
        with pytest.raises((OSError, TimeoutError)):
            await read()


async def test_a_venue_that_comes_back_is_traded_again(hasty: Rig, server_tls: ssl.SSLContext):
    first = hasty.submit()
    await hasty.ended(first)
    await hasty.world.stop()
    await until(lambda: not hasty.venue.ready and not hasty.book.valid, "the loss of the venue is seen")
    await hasty.world.start(server_tls)
    await hasty.fit_again()
    second = hasty.submit()
    assert hasty.events(second)[0] == Sent()
    await hasty.ended(second)
    hasty.assert_true(first)
    hasty.assert_true(second)


def test_an_adapter_frees_its_market_before_the_engine_stops_asking():
    """Else the last look-up frees nothing, and the market stays blocked until the next start."""
    assert NEVER_MARGIN_MS * 10**6 <= NEVER_MARGIN_NS - 100_000_000
