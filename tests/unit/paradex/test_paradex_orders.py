"""What the adapter says of an order, whatever the wire does to it."""

import itertools
import random
import time
from typing import Any

import orjson
import pytest
from tests.unit.paradex.paradex_fake import E8
from tests.unit.paradex.paradex_rig import BTC, Rig, snapshot

from deltawire.core.events import Acked, Closed, FillSeen, InDoubt, NotSent, Rejected, Sent
from deltawire.core.order import Order, apply
from deltawire.core.types import ClientOrderId, Side
from deltawire.venues.contract import Refused
from deltawire.venues.paradex import errors, rpc, sbe

SIZE_E8 = E8 // 100


def silent(connection, request, order):
    """The reply is lost; the order is at the venue."""


async def test_a_filled_order_is_sent_acked_filled_and_closed(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8)
    rig.fake.end(client_id)
    await rig.until_kinds(client_id, "Sent", "Acked", "FillSeen", "Closed")
    assert rig.sink.of(client_id) == [
        Sent(),
        Acked(rig.fake.orders[client_id].order_id),
        FillSeen("f0", 100_001 * E8, SIZE_E8, 45_000_450),
        Closed(SIZE_E8, ""),
    ]


async def test_the_private_channels_are_understood_as_json_too(rig):
    rig.fake.private_as_json = True
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8)
    rig.fake.end(client_id)
    await rig.until_kinds(client_id, "Sent", "Acked", "FillSeen", "Closed")
    assert rig.sink.of(client_id)[3] == Closed(SIZE_E8, "")


async def test_a_partial_fill_closes_with_what_filled_and_the_reason(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8 // 4)
    rig.fake.end(client_id, "REMAINING_IOC_CANCEL")
    await rig.until_kinds(client_id, "Sent", "Acked", "FillSeen", "Closed")
    assert rig.sink.of(client_id)[-1] == Closed(SIZE_E8 // 4, "REMAINING_IOC_CANCEL")


async def test_the_stamps_of_an_order_are_filled_in_order(rig):
    first, second = rig.prepare(), rig.prepare()
    for prepared in (first, second):
        rig.venue.submit(prepared)
        rig.fake.fill(prepared.request.client_id, SIZE_E8)
        rig.fake.end(prepared.request.client_id)
        await rig.sink.until(lambda done=prepared: "Closed" in rig.sink.kinds(done.request.client_id))
    stamps = second.stamps
    times = (
        stamps.prepared_mono_ns, stamps.signed_mono_ns, stamps.encoded_mono_ns, stamps.written_mono_ns,
        stamps.reply_mono_ns, stamps.acked_mono_ns,
    )  # fmt: skip
    assert times[0] > 0
    assert list(times) == sorted(times)
    assert stamps.filled_mono_ns >= stamps.reply_mono_ns
    assert (stamps.transport, stamps.reused) == ("ws", True)
    assert stamps.connection_requests == first.stamps.connection_requests + 1
    assert abs(stamps.venue_sent_unix_ns - time.time_ns()) < 60 * 10**9
    assert stamps.venue_sent_unix_ns - stamps.venue_received_unix_ns == 37_000


def test_signature_timestamps_grow_and_are_the_request_ids(rig):
    prepared = [rig.prepare() for _ in range(20)]
    signed = [order.signed_unix_ms for order in prepared]
    assert signed == sorted(set(signed))
    for order in prepared:
        request = orjson.loads(order.payload)
        assert request["id"] == order.correlator == order.signed_unix_ms == request["params"]["signature_timestamp"]
        assert (request["params"]["instruction"], request["params"]["type"]) == ("IOC", "LIMIT")
        assert request["params"]["recv_window"] == rig.settings.recv_window_ms


async def test_an_order_is_never_written_twice(rig):
    prepared = rig.prepare()
    rig.venue.submit(prepared)
    with pytest.raises(ValueError, match="submitted before"):
        rig.venue.submit(prepared)
    assert rig.fake.order_connection.methods.count("order.create") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_lost_reply_is_in_doubt_after_the_timeout_and_later_news_is_still_told(rig):
    rig.fake.on_create = silent
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    assert rig.sink.of(client_id)[1] == InDoubt("no reply within 0.05 s")
    rig.fake.fill(client_id, SIZE_E8)
    rig.fake.end(client_id)
    await rig.until_kinds(client_id, "Sent", "InDoubt", "FillSeen", "Closed", "Acked")


@pytest.mark.usefixtures("impatient")
async def test_an_acknowledged_order_without_an_end_is_in_doubt(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked", "InDoubt")
    assert rig.sink.of(client_id)[2] == InDoubt("acknowledged, but no end within 0.05 s")


async def test_a_lost_socket_puts_every_unfinished_order_in_doubt_once(rig):
    finished = rig.submit()
    rig.fake.fill(finished, SIZE_E8)
    rig.fake.end(finished)
    await rig.sink.until(lambda: "Closed" in rig.sink.kinds(finished))
    rig.fake.on_create = silent
    open_ids = [rig.submit(), rig.submit()]
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-1] == ("orders", True))
    await rig.sink.until(lambda: all("InDoubt" in rig.sink.kinds(c) for c in open_ids))
    for client_id in open_ids:
        assert rig.sink.kinds(client_id) == ["Sent", "InDoubt"]
    assert "InDoubt" not in rig.sink.kinds(finished)
    assert rig.fake.cancelled_by_disconnect == open_ids


@pytest.mark.usefixtures("impatient")
async def test_an_order_in_doubt_by_timeout_is_not_put_in_doubt_again_by_the_lost_socket(rig):
    rig.fake.on_create = silent
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-2:] == [("orders", False), ("orders", True)])
    assert rig.sink.kinds(client_id) == ["Sent", "InDoubt"]


async def test_with_no_connection_an_order_is_not_sent(rig):
    rig.fake.refuse_connects = 1_000
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: "order socket is down" in rig.venue.entry_block(BTC))
    client_id = rig.submit()
    (event,) = rig.sink.of(client_id)
    assert isinstance(event, NotSent)


async def test_a_socket_that_is_gone_but_not_yet_told_is_not_sent(rig):
    connection = rig.fake.order_connection
    connection.lose()  # on_closed comes on the next turn of the loop
    assert rig.venue.ready
    client_id = rig.submit()
    assert [type(event) for event in rig.sink.of(client_id)] == [NotSent]
    assert client_id not in rig.fake.orders


async def test_a_refusal_by_a_listed_name_is_rejected(rig):
    rig.fake.public_key += 1  # another key than ours is registered: the signature does not verify
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Rejected")
    assert rig.sink.of(client_id)[1] == Rejected("INVALID_ORDER_SIGNATURE", "order refused INVALID_ORDER_SIGNATURE")


def answer_with(code: int, message: str, data: str = ""):
    def answer(connection, request, order):
        connection.text(rpc.encode_error(request.id, code, message, 0, 0, data))

    return answer


@pytest.mark.parametrize(
    ("code", "message", "data"),
    [(-32603, "internal error", ""), (100, "something went wrong", ""), (55555, "new code", ""),
     (100, "refused", "DUPLICATED_CLIENT_ID"), (-32602, "INTERNAL_ERROR", ""), (100, "SOME_NEW_NAME", "")],
)  # fmt: skip
async def test_an_error_that_proves_nothing_is_in_doubt(rig, code, message, data):
    rig.fake.on_create = answer_with(code, message, data)
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    assert str(code) in rig.sink.of(client_id)[1].reason


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [(42901, "rate limit", "RATE_LIMITED"), (40300, "denied", "NOT_AUTHENTICATED"), (-32602, "bad", "INVALID_PARAMS"),
     (100, "VALIDATION_ERROR: size", "VALIDATION_ERROR"), (-32602, "x: MARKET_NOT_OPEN", "MARKET_NOT_OPEN"),
     (100, "SYSTEM_STATUS_POST_ONLY", "SYSTEM_STATUS_POST_ONLY")],
)  # fmt: skip
async def test_a_listed_error_is_rejected_with_its_name(rig, code, message, expected):
    rig.fake.on_create = answer_with(code, message)
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Rejected")
    assert rig.sink.of(client_id)[1] == Rejected(expected, message)


def test_the_tables_of_errors_do_not_overlap():
    assert not errors.NAMES_REFUSED & errors.NAMES_DOUBTFUL
    assert errors.INTERNAL_ERROR not in errors.CODES_REFUSED
    assert errors.METHOD_ERROR not in errors.CODES_REFUSED


async def test_an_error_without_id_puts_the_unanswered_orders_in_doubt(rig):
    answered = rig.submit()
    await rig.until_kinds(answered, "Sent", "Acked")
    rig.fake.on_create = silent
    waiting = rig.submit()
    rig.fake.order_connection.text(b'{"jsonrpc":"2.0","id":null,"error":{"code":100,"message":"?"}}')
    await rig.until_kinds(waiting, "Sent", "InDoubt")
    assert "without id" in rig.sink.of(waiting)[1].reason
    assert rig.sink.kinds(answered) == ["Sent", "Acked"]


async def test_an_unreadable_private_frame_puts_open_orders_in_doubt_and_the_link_stays(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    rig.fake.order_connection.binary(sbe.encode(rig.fake.orders[client_id])[:60])
    await rig.until_kinds(client_id, "Sent", "Acked", "InDoubt")
    assert rig.sink.of(client_id)[2] == InDoubt("a private frame could not be read")
    assert rig.venue.ready


async def test_repeated_and_late_news_is_told_once(rig):
    client_id = rig.submit()
    fill = rig.fake.fill(client_id, SIZE_E8)
    rig.fake.end(client_id)
    await rig.until_kinds(client_id, "Sent", "Acked", "FillSeen", "Closed")
    for record in (fill, rig.fake.orders[client_id], fill):
        rig.fake.tell(record)
    after = rig.submit()
    await rig.until_kinds(after, "Sent", "Acked")  # whatever was pushed before has been handled by now
    assert rig.sink.kinds(client_id) == ["Sent", "Acked", "FillSeen", "Closed"]


async def test_the_order_ends_the_same_in_every_order_of_its_news(rig):
    for news in itertools.permutations(["reply", "fill", "end"]):
        asked: list[Any] = []
        rig.fake.on_create = lambda *call, asked=asked: asked.append(call)
        prepared = rig.prepare()
        rig.venue.submit(prepared)
        client_id = prepared.request.client_id
        fill = rig.fake.fill(client_id, SIZE_E8, quietly=True)
        rig.fake.end(client_id, quietly=True)
        connection, request, order = asked[0]
        for kind in news:
            if kind == "reply":
                rig.fake.acknowledge(connection, request, order)
            else:
                rig.fake.tell(fill if kind == "fill" else rig.fake.orders[client_id])
        await rig.sink.until(lambda c=client_id: {"FillSeen", "Closed"} <= set(rig.sink.kinds(c)))
        order_state = Order(prepared.request)
        for event in rig.sink.of(client_id):
            order_state = apply(order_state, event)
        assert (order_state.is_final, order_state.filled_e8, order_state.is_priced) == (True, SIZE_E8, True), news


async def test_news_of_an_order_of_an_earlier_run_is_passed_on(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8, quietly=True)
    rig.fake.end(client_id, quietly=True)
    later = rig.restart_with()
    await later.venue.start(later.sink)
    later.fake.tell(later.fake.fills[0])
    later.fake.tell(later.fake.orders[client_id])
    await later.sink.until(lambda: later.sink.kinds(client_id) == ["FillSeen", "Closed"])
    await later.venue.close()


async def test_orders_of_others_on_the_account_are_not_told(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    foreign = rig.fake.orders[client_id].__class__
    order = rig.fake.orders[client_id]
    rig.fake.tell(foreign(**{name: getattr(order, name) for name in order.__slots__} | {"client_id": ""}))
    rig.fake.end(client_id, "X")
    await rig.sink.until(lambda: "Closed" in rig.sink.kinds(client_id))
    assert {known for known, _ in rig.sink.orders} == {client_id}


async def test_a_fee_in_another_coin_is_counted_at_the_taker_rate(rig):
    client_id = rig.submit()
    fill = rig.fake.fill(client_id, SIZE_E8, quietly=True)
    values = {name: getattr(fill, name) for name in fill.__slots__}
    rig.fake.tell(type(fill)(**values | {"fee_currency": "DIME", "fee_e8": 999_999_999_999}))
    await rig.sink.until(lambda: "FillSeen" in rig.sink.kinds(client_id))
    (seen,) = [event for event in rig.sink.of(client_id) if isinstance(event, FillSeen)]
    assert seen.fee_e8 == 1_000_01 * E8 // 100 * 35_000 // E8  # 0.01 at 100 001, 3.5 bps


async def test_a_refused_cancel_of_an_open_order_puts_it_in_doubt(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    rig.fake.orders.clear()
    rig.venue.cancel(ClientOrderId(client_id))
    await rig.until_kinds(client_id, "Sent", "Acked", "InDoubt")
    assert "ORDER_ID_NOT_FOUND" in rig.sink.of(client_id)[2].reason


async def test_a_queued_cancel_says_nothing_until_the_order_closes(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    rig.venue.cancel(ClientOrderId(client_id))
    await rig.sink.until(lambda: "order.cancel" in rig.fake.order_connection.methods)
    rig.fake.end(client_id, "USER_CANCELED")
    await rig.until_kinds(client_id, "Sent", "Acked", "Closed")
    rig.venue.cancel(ClientOrderId(client_id))  # asking for a finished one is harmless
    rig.venue.cancel(ClientOrderId("never-seen"))


# ---- look_up


async def look_up(rig: Rig, client_id: str, signed_ms: int = 0):
    signed_ms = signed_ms or time.time_ns() // 10**6
    return await rig.venue.look_up(ClientOrderId(client_id), signed_ms, BTC)


async def test_look_up_of_an_open_order_tells_what_filled_so_far(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8 // 2)
    report = await look_up(rig, client_id)
    assert (report.is_final, report.filled_e8) == (False, SIZE_E8 // 2)
    assert report.notional_e8 == 100_001 * E8 // 200
    assert report.fee_e8 == rig.fake.fills[0].fee_e8


async def test_look_up_of_a_closed_order_is_final_with_its_fills(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8 // 4, price_e8=100_000 * E8)
    rig.fake.fill(client_id, SIZE_E8 // 4, price_e8=100_001 * E8)
    rig.fake.end(client_id, "REMAINING_IOC_CANCEL")
    report = await look_up(rig, client_id)
    assert (report.is_final, report.filled_e8, report.reason) == (True, SIZE_E8 // 2, "REMAINING_IOC_CANCEL")
    assert report.notional_e8 == (100_000 + 100_001) * E8 // 400
    assert report.fee_e8 == sum(fill.fee_e8 for fill in rig.fake.fills)


async def test_look_up_of_an_order_never_placed_is_none_after_asking_everywhere(rig):
    rig.fake.asked.clear()
    assert await look_up(rig, "never") is None
    assert rig.fake.asked == ["GET /orders/by_client_id/never", "GET /orders-history", "GET /fills"]


@pytest.mark.parametrize("path", ["/orders/by_client_id/x-1", "/orders-history", "/fills"])
async def test_look_up_that_cannot_ask_everywhere_raises_and_never_says_none(rig, path):
    rig.fake.unreachable.add(path)
    with pytest.raises(ConnectionError):
        await look_up(rig, "x-1")


async def test_look_up_refused_for_another_reason_raises(rig):
    rig.fake.refuse_tokens = 1_000
    with pytest.raises(Refused):
        await look_up(rig, "x-1")


@pytest.mark.parametrize("path", ["/orders/by_client_id/x-1", "/orders-history", "/fills"])
async def test_look_up_refused_in_one_place_raises_though_the_others_know_nothing(rig, path):
    rig.fake.refusals[path] = "VALIDATION_ERROR"
    with pytest.raises(Refused, match="VALIDATION_ERROR"):
        await look_up(rig, "x-1")


async def test_look_up_believes_fills_before_the_order_lists_show_the_order(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8)
    rig.fake.history_hidden = True
    report = await look_up(rig, client_id)
    assert (report.is_final, report.filled_e8) == (False, SIZE_E8)


async def test_look_up_with_fills_not_yet_listed_still_tells_the_size(rig):
    client_id = rig.submit()
    rig.fake.fill(client_id, SIZE_E8, price_e8=100_000 * E8)
    rig.fake.fills.clear()
    report = await look_up(rig, client_id)
    assert (report.is_final, report.filled_e8, report.notional_e8) == (True, SIZE_E8, 1_000 * E8)
    assert report.fee_e8 == 1_000 * 35_000  # at the taker rate of 3.5 bps


async def test_seeded_news_in_any_order_with_repeats_ends_every_order_with_what_the_venue_filled(rig):
    rng = random.Random(7)
    for _ in range(20):
        asked: list[Any] = []
        rig.fake.on_create = lambda *call, asked=asked: asked.append(call)
        prepared = rig.prepare(side=rng.choice(list(Side)))
        rig.venue.submit(prepared)
        client_id = prepared.request.client_id
        parts = [rig.fake.fill(client_id, SIZE_E8 // 10, quietly=True) for _ in range(rng.randint(0, 9))]
        rig.fake.end(client_id, "REMAINING_IOC_CANCEL", quietly=True)
        news = [*parts, *rng.sample(parts, len(parts) // 2), rig.fake.orders[client_id], "reply", "reply"]
        rng.shuffle(news)
        for item in news:
            if item == "reply":
                rig.fake.acknowledge(*asked[0])
            else:
                rig.fake.tell(item)
        await rig.sink.until(
            lambda c=client_id, ids=parts: (
                "Closed" in rig.sink.kinds(c) and rig.sink.kinds(c).count("FillSeen") == len(ids)
            )
        )
        state = Order(prepared.request)
        for event in rig.sink.of(client_id):
            state = apply(state, event)
        assert (state.is_final, state.filled_e8) == (True, len(parts) * (SIZE_E8 // 10))


def test_the_snapshot_helper_is_uncrossed():
    update = snapshot(BTC)
    assert update.bids[0][0] < update.asks[0][0]


async def test_a_busted_fill_is_an_error_and_stops_entries(rig):
    bust = {"account": "0x1", "busted_fill_id": "f7", "created_at": 1_795_000_000_000}
    rig.fake.order_connection.text(rpc.encode_notification("tradebusts", bust))
    await rig.sink.until(lambda: "fill f7 was taken back" in rig.venue.entry_block(BTC))
    assert ("error", "paradex.fill_busted", {"fill_id": "f7"}) in rig.log.lines
    assert rig.venue.ready, "exits go on"
