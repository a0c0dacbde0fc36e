"""The WebSocket methods of the simulated Paradex the client codec does not use: batches, modify, scopes. Sans-I/O.

Everything else is read by the shared codec. Source: Paradex reference, section 6.2.
"""

from typing import Any

import msgspec

from deltawire.venues.paradex import errors, rpc


class CreateBatchParams(msgspec.Struct):
    """{"orders": [..]}; the official SDK sends the bare list, which is taken too."""

    orders: list[rpc.CreateParams]

    def __repr__(self) -> str:  # holds signatures
        return f"CreateBatchParams({len(self.orders)})"


class ModifyParams(msgspec.Struct):
    id: str
    market: str
    side: str
    type: str
    size: str
    price: str
    signature: str
    signature_timestamp: int
    recv_window: int | None = None
    trigger_price: str | None = None
    on_behalf_of_account: str | None = None

    def __repr__(self) -> str:  # holds a signature
        return f"ModifyParams({self.id})"

    def as_create(self) -> rpc.CreateParams:
        """Return the fields a new order has too, for the checks both share."""
        return rpc.CreateParams(
            market=self.market,
            side=self.side,
            type=self.type,
            size=self.size,
            price=self.price,
            signature=self.signature,
            signature_timestamp=self.signature_timestamp,
            recv_window=self.recv_window,
            trigger_price=self.trigger_price,
        )


class CancelBatchParams(msgspec.Struct):
    order_ids: list[str]


class ModifySubscriptionParams(msgspec.Struct):
    channel: str
    add: list[str] = []
    remove: list[str] = []


Params = rpc.Params | CreateBatchParams | ModifyParams | CancelBatchParams | ModifySubscriptionParams


class Request(msgspec.Struct, frozen=True):
    id: int | str | None
    method: str
    params: Params


class _RawRequest(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


_request = msgspec.json.Decoder(_RawRequest)
_bare_list = msgspec.json.Decoder(list[rpc.CreateParams])
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    "order.create_batch": msgspec.json.Decoder(CreateBatchParams),
    "order.modify": msgspec.json.Decoder(ModifyParams),
    "order.cancel_batch": msgspec.json.Decoder(CancelBatchParams),
    "modify_subscription": msgspec.json.Decoder(ModifySubscriptionParams),
}


def decode_request(payload: bytes | memoryview) -> Request:
    """Read one text frame of a client. Raises rpc.BadRequest with the code to answer."""
    try:
        request = rpc.decode_request(payload)
    except rpc.BadRequest as bad:
        if bad.code != errors.METHOD_NOT_FOUND:
            raise
        raw = _request.decode(payload)
        if raw.method not in _decoders:
            raise
        request_id, method, params = raw.id, raw.method, _params(raw)
    else:
        request_id, method, params = request.id, request.method, request.params
    return Request(request_id, method, params)


def _params(raw: _RawRequest) -> Params:
    try:
        if raw.method == "order.create_batch" and bytes(raw.params).lstrip().startswith(b"["):
            return CreateBatchParams(_bare_list.decode(raw.params))
        params: Params = _decoders[raw.method].decode(raw.params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise rpc.BadRequest(errors.INVALID_PARAMS, "invalid method parameters", raw.id, str(e)) from e
    return params
