"""The life of an order at the Vest adapter, against a venue in memory that keeps state and refuses."""

import asyncio
import json
from collections import deque

import pytest
from tests.unit.vest.bench import SYMBOL, Bench, started
from tests.unit.vest.fake_vest import Fate
from tests.unit.vest.virtual import UNIX_START_NS, until, virtual

from deltawire.core.events import Acked, Closed, FilledTotal, InDoubt, NotSent, Rejected, Sent
from deltawire.core.money import E8
from deltawire.core.order import OrderState
from deltawire.core.types import ClientOrderId, Purpose, Side
from deltawire.venues.contract import Refused
from deltawire.venues.vest import rest, tracking, wire, ws
from deltawire.venues.vest.settings import OrderStyle

SIZE_E8 = E8 // 100
FILLED = FilledTotal(SIZE_E8, 700 * E8, E8 // 4)


@virtual
async def test_an_order_is_written_inside_the_call_then_acked_then_filled():
    async with started() as b:
        prepared = b.submit()
        assert len(b.vest.bodies) == 1
        assert b.events(prepared) == [Sent()]
        await until(lambda: b.order(prepared).is_final)
        order_id = b.vest.orders[prepared.correlator].row.id
        assert b.events(prepared) == [Sent(), Acked(order_id), FILLED, Closed(SIZE_E8, "")]
        s = prepared.stamps
        assert s.prepared_mono_ns <= s.signed_mono_ns <= s.encoded_mono_ns <= s.written_mono_ns
        assert s.written_mono_ns < s.reply_mono_ns <= s.acked_mono_ns < s.filled_mono_ns
        assert s.venue_received_unix_ns == b.vest.orders[prepared.correlator].row.post_time * 10**6
        assert (s.transport, s.reused, s.connection_age_ns, s.connection_requests) == ("https", True, 5_000_000, 1)
        (http,) = b.log.named("order.connection")
        assert (http["reused"], http["age_ns"], http["requests"]) == (True, 5_000_000, 1)
        assert (http["status"], http["ratelimit_remaining"]) == (200, "199")
        assert b.vest.calls.count("GET /orders") == 0


@virtual
async def test_a_fill_that_overtakes_the_answer_is_counted_once():
    async with started() as b:
        prepared = b.submit(Fate(answer_s=0.5, first_event_s=0.1))
        await until(lambda: b.order(prepared).state is OrderState.FILLED)
        assert prepared.stamps.reply_mono_ns == 0
        await until(lambda: prepared.stamps.reply_mono_ns > 0)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]
        await asyncio.sleep(5)
        assert len(b.events(prepared)) == 4


@virtual
async def test_an_order_the_stream_showed_first_is_acknowledged_once():
    async with started() as b:
        prepared = b.submit(Fate(answer_s=0.5, first_event_s=0.1, gap_s=1.0))
        await until(lambda: b.order(prepared).is_final)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]


@virtual
async def test_an_order_the_stream_showed_is_read_when_neither_answer_nor_end_come():
    async with started() as b:
        prepared = b.submit(Fate(answer="lost", answer_s=3.0, first_event_s=0.1, events=("NEW",)))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        order = b.vest.orders[prepared.correlator]
        order.fate.repeats = 0
        b.vest.move(order, wire.FILLED)
        await until(lambda: b.order(prepared).is_final, within_s=1)


@virtual
async def test_an_event_without_a_nonce_waits_for_the_answer_that_names_its_id():
    async with started() as b:
        prepared = b.submit(Fate(answer_s=0.5, first_event_s=0.1, without_nonce=True))
        await until(lambda: prepared.stamps.reply_mono_ns > 0)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]


@virtual
async def test_repeated_events_change_nothing():
    async with started() as b:
        prepared = b.submit(Fate(repeats=3))
        await asyncio.sleep(5)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]


@pytest.mark.parametrize(
    ("code", "name"), [(3001, "PRICE_CHECK_FAILED"), (3010, "OI_CAP_EXCEEDED"), (1148, "MARKET_CLOSED")]
)
@virtual
async def test_a_refusal_by_event_after_the_acknowledgement_is_a_rejection(code, name):
    async with started() as b:
        prepared = b.submit(Fate(events=("NEW", "REJECTED"), code=code))
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared)[-1] == Rejected(str(code), name)
        assert b.order(prepared).state is OrderState.REJECTED


@pytest.mark.parametrize(
    ("refusal", "event"),
    [
        ((200, rest.error_answer(1111, "Bad decimals")), Rejected("1111", "Bad decimals")),
        ((400, rest.error_answer_nested(3002, "no margin")), Rejected("3002", "no margin")),
        ((422, rest.error_answer_422(["query", "time"])), Rejected("http 422", "query.time: Field required")),
        ((429, b"slow down"), Rejected("http 429", "slow down")),
    ],
)
@virtual
async def test_a_listed_refusal_in_the_answer_is_a_rejection(refusal, event):
    async with started() as b:
        prepared = b.submit(Fate(answer="refuse", refusal=refusal))
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared) == [Sent(), event]


@pytest.mark.parametrize(
    "refusal",
    [
        (530, b"<html>"),
        (500, rest.error_answer(1111, "Bad decimals")),
        (400, rest.error_answer(7777, "new code")),
        (200, rest.error_answer(3015, "duplicate")),
        (200, b"{}"),
        (200, b'{"id":""}'),
        (200, b"<html>"),
    ],
)
@virtual
async def test_any_other_answer_leaves_the_order_in_doubt(refusal):
    async with started() as b:
        prepared = b.submit(Fate(answer="refuse", refusal=refusal))
        await until(lambda: len(b.events(prepared)) == 2)
        assert b.order(prepared).state is OrderState.UNKNOWN
        assert len(b.vest.bodies) == 1


@virtual
async def test_a_lost_answer_leaves_it_in_doubt_and_the_look_up_finds_the_fill():
    async with started() as b:
        b.vest.open_sockets(private=True)[0].channels.clear()  # the stream stays silent
        prepared = b.submit(Fate(answer="lost", answer_s=3.0))
        await until(lambda: b.order(prepared).state is OrderState.UNKNOWN)
        report = await b.look_up(prepared)
        assert report is not None
        assert (report.is_final, report.filled_e8, report.notional_e8, report.fee_e8) == (
            True,
            SIZE_E8,
            700 * E8,
            E8 // 4,
        )
        assert b.order(prepared).state is OrderState.FILLED
        assert len(b.vest.bodies) == 1


@virtual
async def test_a_lost_answer_is_no_doubt_once_the_stream_has_told_the_end():
    async with started() as b:
        prepared = b.submit(Fate(answer="lost", answer_s=3.0))
        await asyncio.sleep(4)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]


@virtual
async def test_a_lost_answer_of_an_order_the_stream_has_shown_is_read_and_not_doubted():
    async with started() as b:
        prepared = b.submit(Fate(answer="lost", answer_s=0.4, events=("NEW",), first_event_s=0.1))
        b.vest.orders[prepared.correlator].row.status = wire.NEW
        await until(lambda: b.kinds(prepared) == ["Sent", "Acked"])
        await until(lambda: b.vest.calls.count("GET /orders") > 0)
        assert b.kinds(prepared) == ["Sent", "Acked"]


@virtual
async def test_an_absent_order_is_not_there_now_and_says_how_long_that_proves_nothing():
    """Whether it can still come is the engine's to decide: by its window, the lists' lag and the venue's clock."""
    async with started(look_up_lag_ms=700) as b:
        prepared = b.submit(Fate(answer="never", answer_s=3.0))
        await until(lambda: b.order(prepared).state is OrderState.UNKNOWN)
        assert await b.look_up(prepared) is None
        assert b.adapter.capabilities.look_up_lag_ms == 700


@virtual
async def test_an_order_carries_the_window_of_its_purpose():
    async with started(recv_window_ms=900, exit_recv_window_ms=4_000) as b:
        assert b.prepare().window_ms == 900
        assert b.prepare(purpose=Purpose.EXIT).window_ms == 4_000


@virtual
async def test_rows_of_other_nonces_are_not_believed_to_be_the_order():
    async with started() as b:
        nonce = b.clock.unix_ns() // 10**6 - 10_000  # of an earlier run: only the nonce is known
        row = wire.OrderRow("0x1", SYMBOL, is_buy=True, size="0.0100", status=wire.FILLED, nonce=nonce + 1)
        row.avg_filled_price, row.order_type, row.fees = "70000.00", "MARKET", "0.07"
        b.vest.failing["GET /orders"] = deque([(200, rest.answer([row]))])
        assert await b.adapter.look_up(ClientOrderId("old"), nonce, SYMBOL) is None


def test_a_refused_row_does_not_hide_a_live_one_with_the_same_nonce():
    refused = wire.OrderRow("0x1", SYMBOL, is_buy=True, size="0.01", status=wire.REJECTED, nonce=5, code=3015)
    filled = wire.OrderRow("0x2", SYMBOL, is_buy=True, size="0.01", status=wire.FILLED, nonce=5, post_time=9)
    filled.avg_filled_price = "70000.123456789"
    report = tracking.report(None, [refused, filled])
    assert report is not None
    assert (report.venue_order_id, report.filled_e8) == ("0x2", SIZE_E8)
    assert report.notional_e8 == 70_000_123_457  # digits of the average below 1e-8 are cut, the product is rounded


@virtual
async def test_a_look_up_the_venue_refuses_raises_and_does_not_say_absent():
    async with started() as b:
        prepared = b.submit()
        b.vest.failing["GET /orders"] = deque([(429, rest.error_answer(1003, "slow"))])
        with pytest.raises(Refused, match="1003"):
            await b.look_up(prepared)


@virtual
async def test_without_an_idle_connection_the_order_goes_out_on_a_new_one():
    async with started() as b:
        b.vest.pools[0].idle = 0
        assert not b.adapter.ready
        prepared = b.submit()
        assert b.events(prepared) == [Sent()]
        await until(lambda: b.order(prepared).is_final)
        assert b.kinds(prepared) == ["Sent", "Acked", "FilledTotal", "Closed"]
        assert not prepared.stamps.reused
        assert prepared.stamps.written_mono_ns > 0
        assert b.log.named("order.connection")[0]["reused"] is False
        assert len(b.log.named("vest.order.no_idle_connection")) == 1


@virtual
async def test_an_order_that_found_no_connection_at_all_was_never_sent():
    async with started() as b:
        b.vest.pools[0].idle = 0
        b.vest.pool_down = True
        prepared = b.submit()
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared) == [Sent(), NotSent("did not open")]
        assert b.order(prepared).state is OrderState.NEVER
        b.vest.open_sockets(private=True)[0].end(1012)
        await asyncio.sleep(5)
        assert b.vest.calls.count("GET /orders") == 0  # there is nothing to read


@virtual
async def test_a_fill_the_stream_did_not_tell_is_read_over_rest():
    async with started() as b:
        b.vest.open_sockets(private=True)[0].channels.clear()
        prepared = b.submit()
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared)[-2:] == [FILLED, Closed(SIZE_E8, "")]
        acked_ns, now_ns = prepared.stamps.acked_mono_ns, b.clock.mono_ns()
        assert 800 <= (now_ns - acked_ns) // 10**6 < 900


@virtual
async def test_with_the_stream_down_the_fill_is_read_at_once():
    async with started() as b:
        b.vest.ws_down = True
        b.vest.open_sockets(private=True)[0].end(1012)
        prepared = b.submit(Fate(first_event_s=0.01, gap_s=0.01))
        await until(lambda: b.order(prepared).is_final)
        assert (b.clock.mono_ns() - prepared.stamps.acked_mono_ns) // 10**6 < 100


@virtual
async def test_an_order_that_shows_no_end_is_in_doubt_after_a_few_reads():
    async with started() as b:
        prepared = b.submit(Fate(events=("NEW",)))
        await until(lambda: b.order(prepared).state is OrderState.UNKNOWN)
        assert b.vest.calls.count("GET /orders") == 6
        assert b.kinds(prepared) == ["Sent", "Acked", "InDoubt"]


@virtual
async def test_orders_open_when_the_stream_was_lost_are_read_when_it_is_back():
    async with started(fill_poll_after_ms=60_000) as b:
        prepared = b.submit(Fate(first_event_s=1.0))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        b.vest.open_sockets(private=True)[0].end(1012)
        b.vest.move(b.vest.orders[prepared.correlator], wire.FILLED)
        await until(lambda: b.order(prepared).is_final, within_s=5)
        assert b.order(prepared).filled_e8 == SIZE_E8


@virtual
async def test_partial_fills_add_up_and_a_cancel_ends_with_their_sum():
    async with started() as b:
        fate = Fate(events=("NEW", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "CANCELLED"), partial="0.0030", repeats=2)
        prepared = b.submit(fate)
        await until(lambda: b.order(prepared).is_final)
        totals = [event.size_e8 for event in b.events(prepared) if isinstance(event, FilledTotal)]
        assert totals == [SIZE_E8 * 3 // 10, SIZE_E8 * 6 // 10]
        assert b.events(prepared)[-1] == Closed(SIZE_E8 * 6 // 10, "CANCELLED")


@virtual
async def test_a_cancel_after_a_gap_in_the_stream_is_believed_only_with_its_row():
    async with started() as b:
        prepared = b.submit(Fate(events=()))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        b.vest.open_sockets(private=True)[0].end(1012)
        order = b.vest.orders[prepared.correlator]
        order.fate.partial = "0.0040"
        b.vest.move(order, wire.PARTIALLY_FILLED)  # told to nobody
        b.vest.failing["GET /orders"] = deque([(530, b""), (530, b"")])
        await until(lambda: len(b.vest.open_sockets(private=True)) == 1)
        await until(lambda: ws.ACCOUNT_PRIVATE in b.vest.open_sockets(private=True)[0].channels)
        b.vest.move(order, wire.CANCELLED)
        assert not b.order(prepared).is_final
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared)[-1] == Closed(SIZE_E8 * 4 // 10, "CANCELLED")


@virtual
async def test_a_status_nobody_documents_is_an_alarm_and_a_doubt():
    async with started() as b:
        prepared = b.submit(Fate(events=("EXPIRED",)))
        await until(lambda: len(b.events(prepared)) == 3)
        assert isinstance(b.events(prepared)[-1], InDoubt)
        assert b.log.named("vest.order.alarm")


@virtual
async def test_a_refusal_with_an_unlisted_code_is_doubted_and_settled_by_its_row():
    async with started() as b:
        prepared = b.submit(Fate(events=("REJECTED",), code=7777))
        await until(lambda: b.order(prepared).is_final)
        assert b.kinds(prepared) == ["Sent", "Acked", "InDoubt", "Closed"]
        assert b.events(prepared)[-1] == Closed(0, "7777 UNLISTED")


@virtual
async def test_a_refusal_in_the_answer_after_the_stream_showed_the_order_is_an_alarm_and_not_believed():
    async with started() as b:
        prepared = b.submit(Fate(answer_s=0.5, first_event_s=0.1, events=("NEW",)))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        desk = b.adapter._desk
        tracked = desk._registry.by_client_id(prepared.request.client_id)
        desk._on_refusal(tracked, rest.VenueError(400, 1111, "Bad decimals"))
        assert b.order(prepared).state is OrderState.OPEN
        assert b.log.named("vest.order.alarm")


@virtual
async def test_another_clients_order_with_our_nonce_is_not_ours():
    async with started() as b:
        prepared = b.submit(Fate(events=()))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        foreign = wire.OrderEvent("0xother", wire.REJECTED, prepared.correlator, code=3001)
        b.vest.push_private(ws.private_event(foreign))
        assert b.order(prepared).state is OrderState.OPEN
        assert b.kinds(prepared) == ["Sent", "Acked"]


@virtual
async def test_a_filled_event_without_a_price_is_an_alarm_and_its_row_is_read():
    async with started() as b:
        prepared = b.submit(Fate(events=()))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        order = b.vest.orders[prepared.correlator]
        event = wire.OrderEvent(order.row.id, wire.FILLED, prepared.correlator)
        order.fate.repeats = 0
        b.vest.move(order, wire.FILLED)
        b.vest.push_private(ws.private_event(event))
        assert b.log.named("vest.order.alarm")
        await until(lambda: b.order(prepared).is_final, within_s=0.5)
        assert b.events(prepared)[-2:] == [FILLED, Closed(SIZE_E8, "")]


@virtual
async def test_a_cancel_names_the_venues_id_and_ends_the_order():
    async with started() as b:
        prepared = b.submit(Fate(events=("NEW",)))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        b.adapter.cancel(prepared.request.client_id)
        b.adapter.cancel(prepared.request.client_id)
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared)[-1] == Closed(0, "CANCELLED")


@virtual
async def test_a_cancel_of_a_finished_order_reads_how_it_ended():
    async with started() as b:
        b.vest.open_sockets(private=True)[0].channels.clear()
        prepared = b.submit(Fate(first_event_s=0.01, gap_s=0.0))
        await until(lambda: b.order(prepared).state is OrderState.OPEN)
        b.adapter.cancel(prepared.request.client_id)
        await until(lambda: b.order(prepared).is_final, within_s=0.5)
        assert b.order(prepared).state is OrderState.FILLED


@virtual
async def test_one_prepared_order_is_never_written_twice():
    async with started() as b:
        prepared = b.submit()
        with pytest.raises(ValueError, match="submitted before"):
            b.adapter.submit(prepared)
        assert len(b.vest.bodies) == 1


@virtual
async def test_an_order_carries_exact_texts_its_cap_and_the_window():
    async with started(send_reduce_only=True) as b:
        prepared = b.prepare(side=Side.SELL, size_e8=E8 // 20, cap_e8=67_000 * E8, reduce_only=True)
        body = json.loads(prepared.payload)
        order = body["order"]
        assert (order["size"], order["limitPrice"], order["orderType"]) == ("0.0500", "67000.00", "MARKET")
        assert (order["isBuy"], order["reduceOnly"], order["symbol"]) == (False, True, SYMBOL)
        assert (order["nonce"], order["time"]) == (prepared.correlator, prepared.signed_unix_ms)
        assert "timeInForce" not in order


@pytest.mark.parametrize(
    ("purpose", "window_ms"),
    [(Purpose.ENTRY, 900), (Purpose.REPAIR, 900), (Purpose.EXIT, 4_000), (Purpose.UNWIND, 4_000)],
)
@virtual
async def test_what_opens_a_position_has_a_shorter_window_than_what_closes_one(purpose, window_ms):
    async with started(recv_window_ms=900, exit_recv_window_ms=4_000) as b:
        assert json.loads(b.prepare(purpose=purpose).payload)["recvWindow"] == window_ms
        assert b.adapter.capabilities.recv_window_ms == 4_000


@pytest.mark.parametrize(
    ("style", "sent"),
    [
        (OrderStyle.MARKET, ("MARKET", None)),
        (OrderStyle.LIMIT_FOK, ("LIMIT", "FOK")),
        (OrderStyle.LIMIT_IOC, ("LIMIT", "IOC")),
    ],
)
@virtual
async def test_an_order_goes_out_in_the_style_of_the_settings(style, sent):
    async with started(order_style=style) as b:
        prepared = b.submit()
        order = json.loads(prepared.payload)["order"]
        assert (order["orderType"], order.get("timeInForce")) == sent
        await until(lambda: b.order(prepared).is_final)
        assert b.order(prepared).filled_e8 == E8 // 100


@pytest.mark.parametrize("code", [3018, 3019])
@virtual
async def test_a_refused_reduce_only_is_left_out_from_then_on(code):
    async with started(send_reduce_only=True) as b:
        first = b.submit(Fate(events=("NEW", "REJECTED"), code=code), reduce_only=True)
        assert json.loads(first.payload)["order"]["reduceOnly"] is True
        await until(lambda: b.order(first).is_final)
        assert json.loads(b.prepare(reduce_only=True).payload)["order"]["reduceOnly"] is False
        assert b.log.named("vest.reduce_only.refused")


@virtual
async def test_reduce_only_stays_out_by_default():
    async with started() as b:
        assert json.loads(b.prepare(reduce_only=True).payload)["order"]["reduceOnly"] is False


@pytest.mark.parametrize(
    "bad", [{"size_e8": 0}, {"size_e8": -E8}, {"cap_e8": 0}, {"size_e8": E8 + 1}, {"cap_e8": E8 + E8 // 1000}]
)
@virtual
async def test_amounts_the_market_does_not_take_are_refused_before_signing(bad):
    async with started() as b:
        with pytest.raises(ValueError):
            b.prepare(**bad)


@virtual
async def test_nonces_rise_within_one_millisecond_and_above_the_venues_last():
    async with started() as b:
        first, second = b.prepare(), b.prepare()
        assert second.correlator == first.correlator + 1
        assert first.correlator == b.clock.unix_ns() // 10**6


@virtual
async def test_nonces_start_above_the_last_one_the_venue_has_seen():
    b = Bench()
    b.vest.last_nonce = UNIX_START_NS // 10**6 + 10**9
    await b.start()
    assert b.prepare().correlator == b.vest.last_nonce + 1
    await b.adapter.close()


@virtual
async def test_nonces_rise_over_a_restart_even_when_the_clock_stands_still():
    async with started() as b:
        first = [b.prepare().correlator for _ in range(5)]
        b.vest.last_nonce = first[-1]
        again = Bench(vest=b.vest)
        await again.start()
        assert again.prepare().correlator > first[-1]
        await again.adapter.close()


@pytest.mark.parametrize("last", [-1, 2**255, 2**256])
@virtual
async def test_start_refuses_a_last_nonce_with_no_room_above_it(last):
    b = Bench()
    b.vest.last_nonce = last
    with pytest.raises(Refused, match="lastNonce"):
        await b.start()


@virtual
async def test_a_rejected_key_is_a_rejection_and_leads_to_a_new_registration():
    async with started() as b:
        b.vest.api_key = "revoked-by-venue"
        prepared = b.submit()
        await until(lambda: b.order(prepared).is_final)
        assert b.events(prepared)[-1] == Rejected("1002", "Unauthorized")
        await until(lambda: b.vest.api_keys_made == 2)
        again = b.submit()
        await until(lambda: b.order(again).state is OrderState.FILLED)


@virtual
async def test_a_report_of_a_rejected_order_says_why():
    async with started() as b:
        prepared = b.submit(Fate(events=("REJECTED",), code=3001))
        await until(lambda: b.order(prepared).is_final)
        report = await b.look_up(prepared)
        assert report is not None
        assert (report.is_final, report.filled_e8, report.reason) == (True, 0, "3001 PRICE_CHECK_FAILED")
