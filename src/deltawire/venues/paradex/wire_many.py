"""Batches, modify and mass cancels of Paradex: what to send on the socket and over REST, and the outcome of each item.

Sans-I/O, the client's side; single creates and cancels are in `rpc` and `rest`. An item is an Order (taken, still
provisional), Rejected (by a listed code) or InDoubt; an answer that does not fit the request leaves all in doubt.

Source: Paradex protocol reference, sections 6.2 and 11, REST spec 1.132.1, WebSocket spec 1.3.1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import orjson

from deltawire.core.events import InDoubt, Rejected
from deltawire.core.money import format_e8
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import errors, rest
from deltawire.venues.paradex.records import Order
from deltawire.venues.paradex.wire_json import OrderJson, order_of

BATCH_MAX = 10  # the REST spec; another page of the venue says 50
QUEUED, ALREADY_CLOSED, NOT_FOUND = "QUEUED_FOR_CANCELLATION", "ALREADY_CLOSED", "NOT_FOUND"

Item = Order | Rejected | InDoubt


class CancelOutcome(NamedTuple):
    """status: QUEUED, ALREADY_CLOSED, NOT_FOUND or a word of a later version. None of them says what had filled."""

    order_id: str
    client_id: str
    market: str
    status: str


# ---- requests


def create_batch_params(payloads: Sequence[bytes]) -> dict[str, Any]:
    """Return the params of order.create_batch from the order.create requests that would carry the orders singly."""
    return {"orders": [orjson.Fragment(rest.order_body(payload)) for payload in payloads]}


def modify_params(
    order_id: str, market: str, side: Side, size_e8: int, price_e8: int, signature: str, signature_timestamp_ms: int
) -> dict[str, Any]:
    """Return the params of order.modify, which are the body of PUT /orders/{id} too. For a limit order only."""
    return {
        "id": order_id,
        "market": market,
        "side": side.name,
        "type": "LIMIT",
        "size": format_e8(size_e8),
        "price": format_e8(price_e8),
        "signature": signature,
        "signature_timestamp": signature_timestamp_ms,
    }


def cancel_all_params(market: str = "") -> dict[str, Any]:
    return {"market": market} if market else {}


def post_batch(token: Secret, payloads: Sequence[bytes]) -> rest.HttpRequest:
    body = orjson.dumps([orjson.Fragment(rest.order_body(payload)) for payload in payloads])
    return _with_body("POST", "/orders/batch", token, body)


def put_order(token: Secret, params: Mapping[str, Any]) -> rest.HttpRequest:
    path = f"/orders/{quote(params['id'], safe='')}"
    return _with_body("PUT", path, token, orjson.dumps(params))


def delete_all(token: Secret, market: str = "") -> rest.HttpRequest:
    query = f"?market={quote(market, safe='')}" if market else ""
    return rest.HttpRequest("DELETE", f"/orders{query}", {"Authorization": f"Bearer {token.reveal()}"})


def delete_batch(token: Secret, order_ids: Sequence[str] = (), client_ids: Sequence[str] = ()) -> rest.HttpRequest:
    body = orjson.dumps({"order_ids": list(order_ids), "client_order_ids": list(client_ids)})
    return _with_body("DELETE", "/orders/batch", token, body)


def _with_body(method: str, path: str, token: Secret, body: bytes) -> rest.HttpRequest:
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
    return rest.HttpRequest(method, path, headers, body)


# ---- answers


class _Created(msgspec.Struct):
    order: OrderJson | None = None
    error: str = ""


class _CreatedBatch(msgspec.Struct):
    results: list[_Created]


class _PostedError(msgspec.Struct):
    error: str = ""
    message: str = ""


class _PostedBatch(msgspec.Struct):
    orders: list[OrderJson] | None = None
    errors: list[_PostedError] | None = None


class _Cancelled(msgspec.Struct):
    status: str
    id: str = ""
    client_id: str = ""
    market: str = ""


class _CancelledBatch(msgspec.Struct):
    results: list[_Cancelled]


def read_create_batch(result: Mapping[str, Any], count: int) -> list[Item]:
    """Read the result of order.create_batch: one item for each order, in their order. Raises DecodeError."""
    items = _convert(result, _CreatedBatch).results
    if len(items) != count:
        raise DecodeError(f"{len(items)} results for {count} orders")
    return [_item(item) for item in items]


def _item(item: _Created) -> Item:
    if item.order is not None:
        return order_of(item.order)
    return errors.order_event(errors.METHOD_ERROR, item.error, "")


def read_posted_batch(body: bytes, client_ids: Sequence[str]) -> list[Item]:
    """Read the answer of POST /orders/batch: taken orders by client id; the errors do not say whose they are.

    So an order that is not among the taken ones is rejected only if there is an error for each such order and every
    one of them is on the list; else all of these are in doubt. Raises DecodeError.
    """
    try:
        answer = msgspec.json.decode(body, type=_PostedBatch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable answer of {len(body)} bytes: {e}") from e
    taken = {order.client_id: order_of(order) for order in answer.orders or ()}
    verdicts = [errors.order_event(errors.METHOD_ERROR, f"{e.error} {e.message}", "") for e in answer.errors or ()]
    missing = [client_id for client_id in client_ids if client_id not in taken]
    are_refused = len(verdicts) == len(missing) and all(isinstance(verdict, Rejected) for verdict in verdicts)
    if are_refused:
        refusals: dict[str, Item] = dict(zip(missing, verdicts, strict=True))
    else:
        refusals = dict.fromkeys(missing, InDoubt("the batch's answer does not say what became of it"))
    return [taken.get(client_id) or refusals[client_id] for client_id in client_ids]


def read_cancelled(body: bytes) -> list[CancelOutcome]:
    """Read the answer of DELETE /orders/batch. Raises DecodeError."""
    return read_cancel_batch(_object(body))


def read_cancel_batch(result: Mapping[str, Any]) -> list[CancelOutcome]:
    """Read the result of order.cancel_batch. Raises DecodeError."""
    items = _convert(result, _CancelledBatch).results
    return [CancelOutcome(item.id, item.client_id, item.market, item.status) for item in items]


def read_modified(result: Mapping[str, Any]) -> Order:
    """Read the result of order.modify. Its id may be another one: the venue's own test allows for that."""
    created = _convert(result, _Created)
    if created.order is None:
        raise DecodeError("the result of a modify holds no order")
    return order_of(created.order)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise DecodeError(f"unreadable answer of {len(body)} bytes: {e}") from e
    if not isinstance(value, dict):
        raise DecodeError("the answer is not an object")
    return value


def _convert(value: Mapping[str, Any], kind: Any) -> Any:
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as e:
        raise DecodeError(f"unreadable result: {e}") from e
