"""Slow second readings of what moves money in a frame: no struct, no msgspec, none of the product's code.

SBE: written from the field table of the venue's schema (1:2; offsets from the start of the frame, little-endian, int64
mantissas of exponent -8, null -2^63). JSON: the standard library, numbers as decimals.
"""

import json
from decimal import Context, Decimal
from typing import Any

NULL = -(2**63)
_EXACT = Context(prec=2_000)


class Unreadable(Exception):
    """By the format this frame has no meaning: a codec must refuse it."""


# ---- SBE


def sbe_template(frame: bytes) -> int:
    return _uint(frame, 2, 2)


def sbe_bbo(frame: bytes) -> dict[str, Any]:
    block = _block(frame, 48)
    bid, ask = (_int(frame, 24), _int(frame, 32)), (_int(frame, 40), _int(frame, 48))
    return {
        "us": _int(frame, 8),
        "seq": _int(frame, 16),
        "bid": None if bid[0] == NULL else _level(bid),
        "ask": None if ask[0] == NULL else _level(ask),
        "market": _text(frame, 8 + block)[0],
    }


def sbe_book(frame: bytes) -> dict[str, Any]:
    block = _block(frame, 89)
    kind = _uint(frame, 24, 1)
    if kind not in (0, 1):
        raise Unreadable
    at, sides = 8 + block, []
    for _side in ("bids", "asks"):
        entry, count = _uint(frame, at, 2), _uint(frame, at + 2, 2)
        at += 4
        if count and entry < 16:
            raise Unreadable
        sides.append([_level((_int(frame, at + n * entry), _int(frame, at + n * entry + 8))) for n in range(count)])
        at += entry * count
        if at > len(frame):
            raise Unreadable
    return {
        "us": _int(frame, 8),
        "seq": _int(frame, 16),
        "snapshot": kind == 0,
        "bids": sides[0],
        "asks": sides[1],
        "market": _text(frame, at)[0],
    }


def sbe_money(frame: bytes) -> dict[str, Any]:
    """Read side, status and amounts of a trade, order, fill or position frame."""
    template = sbe_template(frame)
    if template == 1:
        _block(frame, 50)
        return {"price": _amount(frame, 33), "size": _amount(frame, 41)}
    if template == 20:
        texts = _texts(frame, _block(frame, 126), 4)
        return {
            "status": _named(_uint(frame, 24, 1), {1: "NEW", 2: "UNTRIGGERED", 3: "OPEN", 4: "CLOSED"}),
            "side": _named(_uint(frame, 25, 1), {1: "BUY", 2: "SELL"}),
            "price": _amount(frame, 28, nullable=True),
            "size": _amount(frame, 44),
            "remaining": _amount(frame, 52),
            "order_id": texts[0],
            "client_id": texts[1],
            "market": texts[2],
        }
    if template == 21:
        texts = _texts(frame, _block(frame, 107), 5)
        return {
            "side": _named(_uint(frame, 25, 1), {1: "BUY", 2: "SELL"}),
            "price": _amount(frame, 27),
            "size": _amount(frame, 35),
            "fee": _int(frame, 43),
            "fill_id": texts[0],
            "order_id": texts[1],
            "client_id": texts[2],
            "market": texts[4],
        }
    block = _block(frame, 154)  # 22
    side = _named(_uint(frame, 24, 1), {1: "BUY", 2: "SELL"})
    size = _amount(frame, 25)
    return {"size": size if side == "BUY" else -size, "market": _texts(frame, block, 2)[0]}


def _uint(frame: bytes, at: int, size: int) -> int:
    if at + size > len(frame):
        raise Unreadable
    return sum(byte << 8 * n for n, byte in enumerate(frame[at : at + size]))


def _int(frame: bytes, at: int) -> int:
    value = _uint(frame, at, 8)
    return value - 2**64 if value >> 63 else value


def _block(frame: bytes, least: int) -> int:
    block = _uint(frame, 0, 2)
    if _uint(frame, 4, 2) != 1 or block < least or 8 + block > len(frame):
        raise Unreadable
    return block


def _level(level: tuple[int, int]) -> tuple[int, int]:
    if level[0] <= 0 or level[1] < 0:
        raise Unreadable
    return level


def _amount(frame: bytes, at: int, *, nullable: bool = False) -> Any:
    value = _int(frame, at)
    if nullable and value == NULL:
        return None
    if value < 0:
        raise Unreadable
    return value


def _named(value: int, names: dict[int, str]) -> str:
    if value not in names:
        raise Unreadable
    return names[value]


def _text(frame: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + _uint(frame, at, 1)
    if end > len(frame):
        raise Unreadable
    try:
        return frame[at + 1 : end].decode("utf-8"), end
    except UnicodeDecodeError:
        raise Unreadable from None


def _texts(frame: bytes, block: int, count: int) -> list[str]:
    at, texts = 8 + block, []
    for _ in range(count):
        text, at = _text(frame, at)
        texts.append(text)
    return texts


# ---- JSON


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read_json(payload: bytes) -> Any:
    """Read a document; numbers stay their text. Damaged bytes in texts nobody looks at are let through."""
    try:
        return json.loads(payload.decode("utf-8", "surrogateescape"), parse_float=Number, parse_int=Number)
    except (ValueError, RecursionError):
        raise Unreadable from None


def e8(text: Any) -> int:
    """Return the decimal in 1e-8, exactly. Raises Unreadable when it is none, or has digits below 1e-8."""
    scaled = _decimal(text)
    if scaled != int(scaled):
        raise Unreadable
    return int(scaled)


def e8_cut(text: Any) -> int:
    """Return the decimal in 1e-8, cut towards zero; 0 for nothing."""
    return int(_decimal(text)) if text else 0


def _decimal(text: Any) -> Decimal:
    if not isinstance(text, str) or not text.isascii():
        raise Unreadable
    try:
        value = _EXACT.scaleb(_EXACT.create_decimal(text), 8)
    except ArithmeticError:
        raise Unreadable from None
    if not value.is_finite():
        raise Unreadable
    return value


def json_levels(pairs: Any) -> list[tuple[int, int]]:
    levels = []
    for price, size in pairs:
        level = e8(price), e8(size)
        if level[0] < 0 or level[1] < 0:
            raise Unreadable
        levels.append(level)
    return levels


def json_bbo(data: Any) -> dict[str, Any]:
    """Read a best bid and offer of Paradex's JSON form; a side that is missing comes as empty text."""
    top = {}
    for side in ("bid", "ask"):
        top[side] = _json_level(data[side], data.get(f"{side}_size", "")) if data.get(side) else None
    return {"seq": _whole(data["seq_no"]), **top, "market": data["market"]}


def json_book(data: Any) -> dict[str, Any]:
    sides: dict[str, list[tuple[int, int]]] = {"BUY": [], "SELL": []}
    for name in ("inserts", "updates", "deletes"):
        for row in data.get(name, []):
            level = _json_level(row["price"], "0" if name == "deletes" else row.get("size", "0"))
            sides[row["side"]].append(level)
    if data["update_type"] not in ("s", "d"):
        raise Unreadable
    seq, snapshot = _whole(data["seq_no"]), data["update_type"] == "s"
    return {"seq": seq, "snapshot": snapshot, "bids": sides["BUY"], "asks": sides["SELL"], "market": data["market"]}


def _json_level(price: str, size: str) -> tuple[int, int]:
    return _level((e8(price), e8(size)))


def _whole(number: Any) -> int:
    if not isinstance(number, Number):
        raise Unreadable
    return int(number)
