"""Batches, modify and mass cancels on the wire: requests as the venue reads them, answers as its pages show them.

The answers are made by hand after the REST spec 1.132.1 and section 6.2 of the reference.
"""

import orjson
import pytest
from tests.unit.paradex.paradex_rig import BTC, Rig

from deltawire.core.events import InDoubt, Rejected
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim import paradex_rpc as server
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import rpc, wire_many
from deltawire.venues.paradex.records import Order
from deltawire.venues.paradex.wire_many import CancelOutcome

E8 = 10**8
TOKEN = Secret("jwt")


def order_of(client_id: str) -> dict[str, object]:
    return {
        "id": "1795" + client_id, "client_id": client_id, "market": BTC, "side": "BUY", "size": "1",
        "remaining_size": "1", "status": "NEW", "price": "100000",
    }  # fmt: skip


def test_a_batch_holds_the_very_orders_of_single_creates(rig: Rig):
    payloads = [rig.prepare().payload for _ in range(3)]
    singles = [orjson.loads(payload)["params"] for payload in payloads]
    request = server.decode_request(
        rpc.encode_request(1, "order.create_batch", wire_many.create_batch_params(payloads))
    )
    assert isinstance(request.params, server.CreateBatchParams)
    assert [order.client_id for order in request.params.orders] == [single["client_id"] for single in singles]
    posted = wire_many.post_batch(TOKEN, payloads)
    assert (posted.method, posted.path, orjson.loads(posted.body)) == ("POST", "/orders/batch", singles)


def test_a_modify_is_read_by_the_server_as_it_was_meant():
    params = wire_many.modify_params("17", BTC, Side.SELL, E8 // 100, 100_000 * E8 + E8 // 10, '["1","2"]', 1_795)
    request = server.decode_request(rpc.encode_request(1, "order.modify", params))
    read = request.params
    assert isinstance(read, server.ModifyParams)
    assert (read.id, read.as_create().size_e8, read.as_create().price_e8) == ("17", E8 // 100, 100_000 * E8 + E8 // 10)
    put = wire_many.put_order(TOKEN, params)
    assert (put.method, put.path, orjson.loads(put.body)) == ("PUT", "/orders/17", params)


def test_mass_cancels_name_what_they_cancel():
    assert wire_many.cancel_all_params() == {}
    assert wire_many.cancel_all_params(BTC) == {"market": BTC}
    assert wire_many.delete_all(TOKEN).path == "/orders"
    assert wire_many.delete_all(TOKEN, BTC).path == f"/orders?market={BTC}"
    request = wire_many.delete_batch(TOKEN, ["1"], ["a", "b"])
    assert orjson.loads(request.body) == {"order_ids": ["1"], "client_order_ids": ["a", "b"]}


def test_no_request_shows_its_token():
    shown = [wire_many.delete_all(TOKEN), wire_many.delete_batch(TOKEN), wire_many.post_batch(TOKEN, [])]
    assert "jwt" not in repr(shown)


def test_a_batch_answers_item_by_item_in_the_order_of_the_request():
    result = {"results": [
        {"order": order_of("a"), "created_at": 1, "received_at": 1},
        {"error": "INVALID_ORDER_SIZE: below the minimum"},
        {"error": "something went wrong"},
        {"error": "DUPLICATED_CLIENT_ID"},
    ]}  # fmt: skip
    taken, refused, unknown, twice = wire_many.read_create_batch(result, 4)
    assert isinstance(taken, Order)
    assert taken.client_id == "a"
    assert refused == Rejected("INVALID_ORDER_SIZE", "INVALID_ORDER_SIZE: below the minimum")
    assert isinstance(unknown, InDoubt)
    assert isinstance(twice, InDoubt)


@pytest.mark.parametrize("result", [{}, {"results": []}, {"results": [{"order": {"id": 1}}]}, {"results": [1]}])
def test_a_batch_answer_that_does_not_fit_is_unreadable(result):
    with pytest.raises(DecodeError):
        wire_many.read_create_batch(result, 1)


def test_an_item_with_neither_order_nor_error_is_in_doubt():
    (item,) = wire_many.read_create_batch({"results": [{}]}, 1)
    assert isinstance(item, InDoubt)


def test_errors_of_a_posted_batch_reject_only_when_they_cover_every_missing_order():
    def posted(*errors: str) -> list[wire_many.Item]:
        body = {"orders": [order_of("b")], "errors": [{"error": code, "message": "m"} for code in errors]}
        return wire_many.read_posted_batch(orjson.dumps(body), ["a", "b", "c"])

    a, b, c = posted("MARKET_NOT_OPEN", "INVALID_ORDER_SIZE")
    assert isinstance(b, Order)
    assert isinstance(a, Rejected)
    assert isinstance(c, Rejected)
    for errors in (("MARKET_NOT_OPEN",), ("MARKET_NOT_OPEN", "INTERNAL_ERROR"), ()):
        a, b, c = posted(*errors)
        assert isinstance(b, Order)
        assert isinstance(a, InDoubt)
        assert isinstance(c, InDoubt)


def test_a_posted_batch_that_took_all_has_no_errors():
    body = orjson.dumps({"orders": [order_of("b"), order_of("a")], "errors": None})
    assert [item.client_id for item in wire_many.read_posted_batch(body, ["a", "b"])] == ["a", "b"]  # type: ignore[union-attr]  # all are orders


@pytest.mark.parametrize("body", [b"", b"[]", b'{"orders":[{}]}', b'{"orders":' + b"[" * 3_000])
def test_an_unreadable_posted_batch_is_a_decode_error(body):
    with pytest.raises(DecodeError):
        wire_many.read_posted_batch(body, ["a"])


def test_cancel_outcomes_are_read_with_what_the_venue_leaves_out():
    body = orjson.dumps({"results": [
        {"id": "1", "client_id": "a", "account": "0x1", "market": BTC, "status": "ALREADY_CLOSED"},
        {"client_id": "b", "status": "NOT_FOUND"},
    ]})  # fmt: skip
    expected = [CancelOutcome("1", "a", BTC, "ALREADY_CLOSED"), CancelOutcome("", "b", "", "NOT_FOUND")]
    assert wire_many.read_cancelled(body) == expected
    for unreadable in (b"[]", b"{", b'{"results":[{}]}'):
        with pytest.raises(DecodeError):
            wire_many.read_cancelled(unreadable)


def test_a_modify_takes_the_id_of_the_reply():
    assert wire_many.read_modified({"order": order_of("a") | {"id": "99"}}).order_id == "99"
    with pytest.raises(DecodeError):
        wire_many.read_modified({})
