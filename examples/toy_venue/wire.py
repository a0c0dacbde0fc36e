"""The toy venue's wire format, both ways. Sans-I/O: bytes in, messages and events out; no socket, no clock.

A frame is one JSON array, its kind first. Amounts are whole numbers of 1e-8 (a venue with decimal text would read them
here, by core.money.parse_e8), times are UTC milliseconds.

    client  ["hello", key, time, mac]     ["watch", symbol]     ["ask", number, "account" | "order", client_id]
            ["order", client_id, time, window_ms, symbol, side, size, cap, mac]
    venue   ["welcome", [symbol, tick, step, fee_rate], ...]     ["answer", number, answer]
            ["book" | "delta", symbol, seq, time, bids, asks]     levels are [price, size]; a delta's seq is one more
            ["ack", client_id, order_id]  ["fill", client_id, fill_id, price, size, fee]
            ["done", client_id, filled, reason]  ["no", client_id, code, text]
"""

import hashlib
import hmac
from typing import Any

import orjson

from deltawire.core import events
from deltawire.core.book import Level
from deltawire.core.secret import Secret
from deltawire.core.types import VenueOrderId
from deltawire.venues.contract import DecodeError

Levels = list[Level]


def signed(secret: Secret, *fields: Any) -> bytes:
    """Write a frame that ends with the HMAC of what stands before."""
    return orjson.dumps([*fields, hmac.new(secret.reveal().encode(), orjson.dumps(fields), hashlib.sha256).hexdigest()])


def is_signed(secret: Secret, message: list[Any]) -> bool:
    return hmac.compare_digest(signed(secret, *message[:-1]), orjson.dumps(message))


def write(*fields: Any) -> bytes:
    return orjson.dumps(fields)


def read(payload: bytes | memoryview) -> list[Any]:
    message = orjson.loads(payload)  # its error is a ValueError, as DecodeError is
    if not isinstance(message, list):
        raise DecodeError("a frame that is no array")
    return message


def levels(pairs: list[Any]) -> Levels:
    return [(int(price_e8), int(size_e8)) for price_e8, size_e8 in pairs]


def order_event(message: list[Any]) -> events.OrderEvent:
    match message:
        case ["ack", _, str(order_id)]:
            return events.Acked(VenueOrderId(order_id))
        case ["fill", _, str(fill_id), int(price_e8), int(size_e8), int(fee_e8)]:
            return events.FillSeen(fill_id, price_e8, size_e8, fee_e8)
        case ["done", _, int(filled_e8), str(reason)]:
            return events.Closed(filled_e8, reason)
        case ["no", _, str(code), str(text)]:
            return events.Rejected(code, text)
    raise DecodeError(f"unknown message: {str(message)[:60]}")
