"""Paradex SBE frames, schema 1:2: bytes to records and back. Sans-I/O; adapter and simulator share it.

Reads by block length, so that 1:0 to 1:3 and both layouts of 1:2 decode. Skips templates it does not model (6, 41 and
unknown ones). A BBO frame is one unpack of the frame in place. The other templates are tables in `sbe_layout`.

Source: Paradex protocol reference, section 9, state of October 2026. Vectors: tests/vectors/paradex/.
"""

import struct
from typing import Any

from deltawire.core.book import Level
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.records import Bbo, BookUpdate, Record, Skipped
from deltawire.venues.paradex.sbe_layout import (
    BY_RECORD,
    BY_TEMPLATE,
    NULL_INT64,
    Message,
    StringReader,
    encode_string,
)

SCHEMA_ID = 1
SCHEMA_VERSION = 2  # the version to ask for and to write
QUERY = f"sbeSchemaId={SCHEMA_ID}&sbeSchemaVersion={SCHEMA_VERSION}"
BBO, BOOK = 2, 3  # template ids

Frame = bytes | memoryview

_HEADER = struct.Struct("<HHHH")  # block length, template, schema, version
_BBO = struct.Struct("<HHHH6qB")  # header, block and the length of the market
_BBO_ROOT = struct.Struct("<6q")
_BBO_BLOCK = 48
_BOOK = struct.Struct("<qqB9q")
_BOOK_BLOCK = 89
_GROUP = struct.Struct("<HH")  # entry length, count
_LEVEL = struct.Struct("<qq")


def template_of(frame: Frame) -> int:
    """Return the template id; raises DecodeError when the header is cut or of another schema."""
    if len(frame) < _HEADER.size:
        raise DecodeError(f"frame of {len(frame)} bytes is shorter than its header")
    _, template_id, schema_id, _ = _HEADER.unpack_from(frame)
    if schema_id != SCHEMA_ID:
        raise DecodeError(f"schema id {schema_id}, expected {SCHEMA_ID}")
    return int(template_id)


def decode(frame: Frame) -> Record | Skipped:
    """Read one frame. Raises DecodeError for anything that is cut or outside the schema."""
    template_id = template_of(frame)
    if template_id == BBO:
        return decode_bbo(frame)
    if template_id == BOOK:
        return decode_book(frame)
    message = BY_TEMPLATE.get(template_id)
    return Skipped(template_id) if message is None else _decode_table(message, frame)


def read_bbo(frame: Frame) -> tuple[int, int, Level | None, Level | None, str] | None:
    """Return the fields of Bbo, in its order, without the record; None for a frame of another template.

    For whoever takes every frame and does not know what it is: nearly all are BBO, and the record is a third of the
    cost of reading one.
    """
    try:
        block, template_id, schema, _, ts, seq, bid, bid_size, ask, ask_size, chars = _BBO.unpack_from(frame)
        if template_id != BBO:
            return None
        if block != _BBO_BLOCK:  # longer in some future version: the market stands behind the rest
            _check_block(frame, block, _BBO_BLOCK)
            chars = frame[8 + block]
        end = 9 + block + chars
        market = str(frame[9 + block : end], "utf-8")
    except (struct.error, IndexError, UnicodeDecodeError) as e:
        if template_of(frame) != BBO:  # one that is shorter than a BBO frame
            return None
        raise DecodeError(f"unreadable BBO frame of {len(frame)} bytes") from e
    if schema != SCHEMA_ID or len(frame) < end:
        raise DecodeError(f"BBO frame of {len(frame)} bytes is cut or of schema {schema}")
    # Refuse what no book can hold, for it would be traded on; calls are spared when both sides are there.
    if bid > 0 and ask > 0 and bid_size >= 0 and ask_size >= 0:
        return ts * 1000, seq, (bid, bid_size), (ask, ask_size), market
    return ts * 1000, seq, _side_of_top(bid, bid_size), _side_of_top(ask, ask_size), market


def decode_bbo(frame: Frame) -> Bbo:
    """Read a frame known to be template 2."""
    fields = read_bbo(frame)
    if fields is None:
        raise DecodeError(f"template {template_of(frame)}, expected {BBO}")
    return Bbo(*fields)


def decode_book(frame: Frame) -> BookUpdate:
    """Read a frame known to be template 3."""
    try:
        block, _, schema, _ = _HEADER.unpack_from(frame)
        _check_block(frame, block, _BOOK_BLOCK)
        ts, seq, kind, bid, bid_size, ask, ask_size, spread, *api = _BOOK.unpack_from(frame, 8)
        bids, at = _levels(frame, 8 + block)
        asks, at = _levels(frame, at)
        market = StringReader(frame, at).required()
    except struct.error as e:
        raise DecodeError(f"unreadable book frame of {len(frame)} bytes") from e
    if schema != SCHEMA_ID or kind > 1:
        raise DecodeError(f"book frame of schema {schema}, kind {kind}")
    is_snapshot = kind == 0
    if bid == ask == spread == api[0] == api[2] == NULL_INT64:  # as outside the interactive feed
        return BookUpdate(ts * 1000, seq, is_snapshot, bids, asks, market)
    return BookUpdate(
        ts * 1000,
        seq,
        is_snapshot,
        bids,
        asks,
        market,
        _optional_level(bid, bid_size),
        _optional_level(ask, ask_size),
        None if spread == NULL_INT64 else spread,
        _optional_level(api[0], api[1]),
        _optional_level(api[2], api[3]),
    )


def encode(record: Record, version: int = SCHEMA_VERSION) -> bytes:
    """Write one frame of the layout the given schema version has. Raises ValueError when a value does not fit."""
    try:
        if isinstance(record, Bbo):
            return _encode_bbo(record, version)
        if isinstance(record, BookUpdate):
            return _encode_book(record, version)
        return _encode_table(BY_RECORD[type(record)], record, version)
    except struct.error as e:
        raise ValueError(f"{type(record).__name__} has a value that does not fit its field") from e


def _decode_table(message: Message, frame: Frame) -> Record:
    block = _HEADER.unpack_from(frame)[0]
    root = message.root_within(block)
    _check_block(frame, block, root.packer.size)
    raws = root.packer.unpack_from(frame, 8)
    values: list[Any] = [field.read(raw) for field, raw in zip(root.fields, raws, strict=True)]
    values += [None] * (message.field_count - len(values))
    strings = StringReader(frame, 8 + block)
    values += [strings.required() for _ in range(message.strings)]
    values += [strings.optional() for _ in range(message.strings_optional)]
    return message.after_read(message.record(*values))


def _encode_table(message: Message, record: Record, version: int) -> bytes:
    root = message.root_of(version)
    wire = message.before_write(record)
    raws = [field.write(getattr(wire, field.name)) for field in root.fields]
    parts = [_HEADER.pack(root.packer.size, message.template_id, SCHEMA_ID, version), root.packer.pack(*raws)]
    parts += [encode_string(getattr(wire, name)) for name in message.string_names(version)]
    return b"".join(parts)


def _encode_bbo(bbo: Bbo, version: int) -> bytes:
    bid, bid_size = bbo.bid or (NULL_INT64, NULL_INT64)
    ask, ask_size = bbo.ask or (NULL_INT64, NULL_INT64)
    head = _HEADER.pack(_BBO_BLOCK, BBO, SCHEMA_ID, version)
    block = _BBO_ROOT.pack(bbo.venue_unix_ns // 1000, bbo.seq, bid, bid_size, ask, ask_size)
    return head + block + encode_string(bbo.market)


def _encode_book(book: BookUpdate, version: int) -> bytes:
    null = (NULL_INT64, NULL_INT64)
    spread = NULL_INT64 if book.relative_spread_e8 is None else book.relative_spread_e8
    parts = [
        _HEADER.pack(_BOOK_BLOCK, BOOK, SCHEMA_ID, version),
        _BOOK.pack(
            book.venue_unix_ns // 1000, book.seq, 0 if book.is_snapshot else 1,
            *(book.best_bid or null), *(book.best_ask or null), spread,
            *(book.best_bid_api or null), *(book.best_ask_api or null),
        ),
    ]  # fmt: skip
    for levels in (book.bids, book.asks):
        parts.append(_GROUP.pack(_LEVEL.size, len(levels)))
        parts += [_LEVEL.pack(*level) for level in levels]
    parts.append(encode_string(book.market))
    return b"".join(parts)


def _check_block(frame: Frame, block: int, least: int) -> None:
    if block < least or len(frame) < 8 + block:
        raise DecodeError(f"block of {block} bytes in a frame of {len(frame)}, at least {least} expected")


def _side_of_top(price: int, size: int) -> Level | None:
    if price == NULL_INT64:
        return None
    if price <= 0 or size < 0:
        raise DecodeError(f"level with price {price}e-8, size {size}e-8")
    return price, size


def _optional_level(price: int, size: int) -> Level | None:
    return None if price == NULL_INT64 else (price, size)


def _levels(frame: Frame, at: int) -> tuple[list[Level], int]:
    entry, count = _GROUP.unpack_from(frame, at)
    at += _GROUP.size
    end = at + entry * count
    if (entry < _LEVEL.size and count) or end > len(frame):
        raise DecodeError(f"group of {count} entries of {entry} bytes in a frame of {len(frame)}")
    if entry == _LEVEL.size:
        levels = list(_LEVEL.iter_unpack(frame[at:end]))
    else:  # entries grew in a newer version: read what we know of each
        levels = [_LEVEL.unpack_from(frame, at + n * entry) for n in range(count)]
    for price, size in levels:
        if price <= 0 or size < 0:
            raise DecodeError(f"level with price {price}e-8, size {size}e-8")
    return levels, end
