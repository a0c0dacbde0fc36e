"""Exits over REST while the order socket is down, and what stays blocked until its orders are read."""

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from tests.unit.paradex.paradex_fake import E8, answer_of
from tests.unit.paradex.paradex_rig import BTC, ETH, SETTINGS, Rig, make_rig

from deltawire.core.events import Acked, Closed, InDoubt, NotSent, Rejected, Sent
from deltawire.core.types import ClientOrderId, Purpose
from deltawire.net.api import HttpDone, HttpFailure
from deltawire.venues.paradex import rest, rpc
from deltawire.venues.paradex.wire_json import order_json

SIZE_E8 = E8 // 100
EXITS = [purpose for purpose in Purpose if purpose is not Purpose.ENTRY]


@pytest.fixture
async def down(rig: Rig) -> Rig:
    """The order socket is lost and cannot be had again."""
    rig.fake.refuse_connects = 1_000_000
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-1] == ("orders", False))
    return rig


def refuses(status: int, code: str) -> Callable[[rpc.CreateParams, HttpDone], None]:
    return lambda params, done: done(answer_of(status, rest.error_body(code, "says the test")))


@pytest.mark.parametrize("purpose", EXITS)
async def test_an_exit_leaves_over_rest_while_the_order_socket_is_down(down, purpose):
    assert down.venue.ready
    prepared = down.prepare(purpose=purpose)
    down.venue.submit(prepared)
    client_id = prepared.request.client_id
    await down.until_kinds(client_id, "Sent", "Acked", "InDoubt")
    assert down.sink.of(client_id) == [
        Sent(),
        Acked(down.fake.orders[client_id].order_id),
        InDoubt("acknowledged over REST: it is read"),
    ]
    stamps = prepared.stamps
    assert (stamps.transport, stamps.reused, stamps.connection_requests) == ("https", True, 7)
    assert 0 < stamps.encoded_mono_ns <= stamps.written_mono_ns <= stamps.reply_mono_ns <= stamps.acked_mono_ns
    assert down.fake.orders[client_id].instruction == "IOC", "cancel-on-disconnect does not cover it"


async def test_an_entry_never_leaves_over_rest(down):
    assert down.venue.entry_block(BTC) == "the order socket is down: only exits leave, by REST"
    client_id = down.submit()
    assert down.sink.of(client_id) == [NotSent("the order link is not ready")]
    assert down.fake.pool.posts == 0


async def test_with_the_socket_up_an_exit_takes_it(rig):
    client_id = rig.submit(purpose=Purpose.EXIT)
    await rig.until_kinds(client_id, "Sent", "Acked")
    assert rig.fake.pool.posts == 0


async def test_without_an_idle_connection_nothing_is_sent_and_the_venue_is_not_ready(down):
    down.fake.pool.idle = 0
    assert not down.venue.ready
    client_id = down.submit(purpose=Purpose.EXIT)
    assert down.sink.of(client_id) == [NotSent("the order link is not ready")]


async def test_the_rest_body_is_the_order_of_the_socket_to_the_byte(rig):
    prepared = rig.prepare()
    body = rest.order_body(prepared.payload)
    assert orjson.loads(body) == orjson.loads(prepared.payload)["params"]
    assert body in prepared.payload


async def test_an_order_is_not_written_again_over_the_other_road(down):
    prepared = down.prepare(purpose=Purpose.EXIT)
    down.venue.submit(prepared)
    with pytest.raises(ValueError, match="submitted before"):
        down.venue.submit(prepared)
    assert down.fake.pool.posts == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "MARKET_NOT_OPEN"), (400, "SYSTEM_STATUS_POST_ONLY"), (401, "INVALID_TOKEN"), (400, "VALIDATION_ERROR")],
)
async def test_a_listed_refusal_over_rest_is_a_rejection(down, status, code):
    down.fake.on_post = refuses(status, code)
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "Rejected")
    assert down.sink.of(client_id)[1] == Rejected(code, "says the test")


async def test_http_429_is_a_rejection_for_the_rate_limit(down):
    down.fake.on_post = refuses(429, "SOMETHING_NEW")
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "Rejected")
    assert down.sink.of(client_id)[1] == Rejected("RATE_LIMITED", "says the test")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "INTERNAL_ERROR"),
        (503, "MARKET_NOT_OPEN"),
        (502, ""),
        (400, "DUPLICATED_CLIENT_ID"),
        (429, "DUPLICATED_CLIENT_ID"),
        (400, "A_CODE_OF_NEXT_YEAR"),
        (302, ""),
    ],
)
async def test_anything_unlisted_over_rest_is_in_doubt(down, status, code):
    down.fake.on_post = refuses(status, code)
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "InDoubt")


@pytest.mark.parametrize("body", [b"", b"{", b'{"id":1}', b"[]"])
async def test_an_unreadable_good_answer_is_in_doubt(down, body):
    down.fake.on_post = lambda params, done: done(answer_of(201, body))
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "InDoubt")


async def test_a_connection_lost_before_the_answer_is_in_doubt(down):
    down.fake.on_post = lambda params, done: done(HttpFailure("reset by peer", maybe_sent=True))
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "InDoubt")
    assert down.sink.of(client_id)[1] == InDoubt("reset by peer")


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_never_comes_is_in_doubt_after_the_timeout(down):
    down.fake.on_post = lambda params, done: None
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "InDoubt")
    assert down.sink.of(client_id)[1] == InDoubt("no reply within 0.05 s")


async def test_an_answer_that_shows_the_end_ends_the_order(down):
    def answer_closed(params: rpc.CreateParams, done: HttpDone) -> None:
        order = down.fake.make_order(params)
        assert not isinstance(order, str)
        closed = replace(order, status="CLOSED", remaining_e8=0)
        done(answer_of(201, orjson.dumps(order_json(closed))))

    down.fake.on_post = answer_closed
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "Closed", "Acked")
    assert down.sink.of(client_id)[1] == Closed(SIZE_E8, "")
    assert "InDoubt" not in down.sink.kinds(client_id)


async def test_a_cancel_goes_over_rest_while_the_socket_is_down(down):
    client_id = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(client_id, "Sent", "Acked")
    down.venue.cancel(ClientOrderId(client_id))
    await down.sink.until(lambda: down.fake.orders[client_id].is_closed)
    assert down.fake.orders[client_id].cancel_reason == "USER_CANCELED"


async def test_an_order_of_an_earlier_run_is_cancelled_by_its_client_id(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    heir = make_rig(SETTINGS, rig.fake)
    await heir.venue.start(heir.sink)
    heir.venue.cancel(ClientOrderId(client_id))
    heir.venue.cancel(ClientOrderId("never-was"))
    await heir.sink.until(lambda: rig.fake.orders[client_id].is_closed)
    await heir.sink.until(lambda: any(line[1] == "paradex.cancel_failed" for line in heir.log.lines))
    await heir.venue.close()


# ---- orders of an older connection


async def test_an_order_of_an_older_connection_blocks_its_market_until_it_is_read(rig):
    rig.fake.on_create = lambda connection, request, order: None
    client_id = rig.submit()
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-2:] == [("orders", False), ("orders", True)])
    assert rig.venue.ready
    assert rig.venue.entry_block(BTC) == f"order {client_id} is in doubt"
    assert rig.venue.entry_block(ETH) == ""
    signed_ms = rig.fake.orders[client_id].venue_unix_ns // 10**6
    report = await rig.venue.look_up(ClientOrderId(client_id), signed_ms, BTC)
    assert report is not None
    assert report.is_final
    assert rig.venue.entry_block(BTC) == ""


@pytest.mark.usefixtures("impatient")
async def test_an_order_read_as_still_open_goes_on_blocking(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked", "InDoubt")
    signed_ms = rig.fake.orders[client_id].venue_unix_ns // 10**6
    report = await rig.venue.look_up(ClientOrderId(client_id), signed_ms, BTC)
    assert report is not None
    assert not report.is_final
    assert rig.venue.entry_block(BTC) == f"order {client_id} is in doubt"
    rig.fake.end(client_id, "REMAINING_IOC_CANCEL")
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) == "")


@pytest.mark.parametrize(("recv_window_ms", "blocked"), [(60_000, True), (-250, False)])
async def test_an_order_not_found_blocks_until_its_receive_window_has_passed(recv_window_ms, blocked):
    """A window of -250 ms, with the margin of 250 ms, has passed a millisecond after the signature."""
    rig = make_rig(replace(SETTINGS, recv_window_ms=recv_window_ms, reply_timeout_s=0.05))
    await rig.venue.start(rig.sink)
    rig.fake.on_create = lambda connection, request, order: rig.fake.orders.clear()  # it never arrived
    prepared = rig.prepare()
    rig.venue.submit(prepared)
    client_id = prepared.request.client_id
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    assert await rig.venue.look_up(client_id, prepared.correlator, BTC) is None
    assert bool(rig.venue.entry_block(BTC)) is blocked
    await rig.venue.close()


@pytest.mark.usefixtures("impatient")
async def test_an_order_whose_fills_make_it_whole_blocks_nothing_even_if_its_end_is_never_told(rig):
    rig.fake.on_create = lambda connection, request, order: None
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    rig.fake.fill(client_id, SIZE_E8 // 2)
    await rig.sink.until(lambda: "FillSeen" in rig.sink.kinds(client_id))
    assert rig.venue.entry_block(BTC) == f"order {client_id} is in doubt"
    rig.fake.fill(client_id, SIZE_E8 // 2)
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) == "")
    rig.fake.end(client_id)
    await rig.sink.until(lambda: "Closed" in rig.sink.kinds(client_id))


@pytest.mark.usefixtures("impatient")
async def test_a_look_up_that_finds_the_whole_fill_but_not_the_order_frees_its_market(rig):
    rig.fake.on_create = lambda connection, request, order: None
    prepared = rig.prepare()
    rig.venue.submit(prepared)
    client_id = prepared.request.client_id
    await rig.until_kinds(client_id, "Sent", "InDoubt")
    rig.fake.fill(client_id, SIZE_E8, quietly=True)
    del rig.fake.orders[client_id]  # the order lists are behind the fill list
    report = await rig.venue.look_up(client_id, prepared.correlator, BTC)
    assert report is not None
    assert (report.is_final, report.filled_e8) == (False, SIZE_E8)
    assert rig.venue.entry_block(BTC) == ""


async def test_a_token_the_venue_refuses_is_replaced_for_the_next_exit(down):
    """A venue that restarts drops its sockets and its tokens at once."""
    down.fake.tokens.clear()
    first = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(first, "Sent", "Rejected")
    await down.sink.until(lambda: down.fake.tokens != set() and down.venue.ready)
    second = down.submit(purpose=Purpose.EXIT)
    await down.until_kinds(second, "Sent", "Acked")
