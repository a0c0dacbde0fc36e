"""The fixed layouts of Paradex's SBE templates as one table, with the small readers and writers of their fields.

`sbe` walks it; BBO and book frames, which are hot or have groups, are written out there.

Source: Paradex protocol reference, sections 9.3 to 9.5, state of October 2026.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.records import (
    Account,
    Fill,
    FundingData,
    Heartbeat,
    MarketSummary,
    Order,
    Position,
    Record,
    Trade,
)

NULL_INT64 = -(2**63)
UNNAMED = 254  # "cannot be named here" in every enum of the schema
_UNKNOWN = "UNKNOWN_"

ORDER_STATUS = {1: "NEW", 2: "UNTRIGGERED", 3: "OPEN", 4: "CLOSED"}
ORDER_TYPE = {
    1: "LIMIT", 2: "MARKET", 3: "STOP_LIMIT", 4: "STOP_MARKET", 5: "TAKE_PROFIT_LIMIT",
    6: "TAKE_PROFIT_MARKET", 7: "STOP_LOSS_LIMIT", 8: "STOP_LOSS_MARKET",
}  # fmt: skip
TIME_IN_FORCE = {1: "GTC", 2: "IOC", 3: "POST_ONLY", 4: "RPI"}
FILL_TYPE = {1: "FILL", 2: "LIQUIDATION", 3: "UNWIND_TRANSFER", 4: "SETTLE_MARKET", 5: "RPI", 6: "BLOCK_TRADE"}
LIQUIDITY = {1: "MAKER", 2: "TAKER"}
STP_MODE = {0: "NONE", 1: "EXPIRE_MAKER", 2: "EXPIRE_TAKER", 3: "EXPIRE_BOTH"}
POSITION_STATUS = {1: "OPEN", 2: "CLOSED", 3: "UNSPECIFIED"}
ACCOUNT_STATUS = {1: "ACTIVE", 2: "LIQUIDATION"}
REQUEST_STATUS = {0: "UNSPECIFIED", 1: "PENDING", 2: "PROCESSED", 3: "REJECTED", 4: "SUCCESS"}
REQUEST_TYPE = {0: "UNSPECIFIED", 1: "MODIFY_ORDER"}
ORDER_FLAGS = (
    "REDUCE_ONLY", "STOP_CONDITION_BELOW_TRIGGER", "STOP_CONDITION_ABOVE_TRIGGER", "INTERACTIVE",
    "TARGET_STRATEGY_VWAP", "MMP", "UNKNOWN_6", "UNKNOWN_7",
)  # fmt: skip
FILL_FLAGS = (
    "INTERACTIVE", "RPI", "FASTFILL", "UNKNOWN_3", "UNKNOWN_4", "UNKNOWN_5", "UNKNOWN_6", "UNKNOWN",
)  # fmt: skip


class Kind(NamedTuple):
    """How one wire value becomes a record's value, and back."""

    code: str  # of struct
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Root:
    """One layout of a template's root block."""

    since_version: int
    fields: tuple[Field, ...]
    packer: struct.Struct


def _same(value: Any) -> Any:
    return value


def _read_null(raw: int) -> int | None:
    return None if raw == NULL_INT64 else raw


def _write_null(value: int | None) -> int:
    return NULL_INT64 if value is None else value


def _read_size(raw: int) -> int:
    if raw < 0:
        raise DecodeError(f"price or size {raw}e-8 is negative or null")
    return raw


def _read_size_null(raw: int) -> int | None:
    return None if raw == NULL_INT64 else _read_size(raw)


def _read_side(raw: int) -> Side:
    if raw not in (1, 2):
        raise DecodeError(f"side {raw} has no name")
    return Side(raw)


def _read_status(raw: int) -> str:
    status = ORDER_STATUS.get(raw)
    if status is None:
        raise DecodeError(f"order status {raw} has no name")
    return status


def _enum(names: dict[int, str]) -> Kind:
    """Describing texts: an unknown value is kept by its number."""
    values = {name: value for value, name in names.items()}

    def write(name: str | None) -> int:
        if name is None or name == "":
            return values.get("UNSPECIFIED", values.get("NONE", UNNAMED))
        value = values.get(name)
        if value is not None:
            return value
        return int(name.removeprefix(_UNKNOWN)) if name.startswith(_UNKNOWN) else UNNAMED

    return Kind("B", lambda raw: names.get(raw) or f"{_UNKNOWN}{raw}", write)


def _flags(names: tuple[str, ...]) -> Kind:
    bits = {name: 1 << n for n, name in enumerate(names)}
    tuples = [tuple(name for n, name in enumerate(names) if byte >> n & 1) for byte in range(256)]

    def write(flags: tuple[str, ...] | None) -> int:
        return sum(bits.get(flag.upper(), 0) for flag in flags or ())

    return Kind("B", tuples.__getitem__, write)


INT = Kind("q", _same, _same)
INT_NULL = Kind("q", _read_null, _write_null)
UINT_NULL = Kind("Q", _same, lambda value: value or 0)
HOURS = Kind("h", _same, _same)
SIZE = Kind("q", _read_size, _same)
SIZE_NULL = Kind("q", _read_size_null, _write_null)
TIME = Kind("q", lambda us: us * 1000, lambda ns: (ns or 0) // 1000)
SIDE = Kind("B", _read_side, int)
SIDE_NULL = Kind(
    "B", lambda raw: Side(raw) if raw in (1, 2) else None, lambda side: UNNAMED if side is None else int(side)
)
STATUS = Kind("B", _read_status, {name: value for value, name in ORDER_STATUS.items()}.__getitem__)
ADDRESS = Kind(
    "32s",
    lambda raw: f"0x{int.from_bytes(raw, 'big'):x}",
    lambda text: int(text, 16).to_bytes(32, "big"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One template: its root layouts, shortest first, and its strings."""

    template_id: int
    record: type[Any]
    roots: tuple[Root, ...]
    names: tuple[str, ...]  # of the strings
    strings: int  # of them always there
    field_count: int

    @property
    def strings_optional(self) -> int:
        return len(self.names) - self.strings

    def root_within(self, block: int) -> Root:
        """Return the longest layout that fits the block (the shortest one when none does)."""
        for root in reversed(self.roots):
            if root.packer.size <= block:
                return root
        return self.roots[0]

    def root_of(self, version: int) -> Root:
        return next(root for root in reversed(self.roots) if root.since_version <= version or root is self.roots[0])

    def string_names(self, version: int) -> tuple[str, ...]:
        return self.names if version >= 2 else self.names[: self.strings]

    def after_read(self, record: Record) -> Record:
        """Give a position its sign: the wire has the size absolute."""
        if isinstance(record, Position):
            return replace(record, size_e8=record.size_e8 * record.side.sign)
        return record

    def before_write(self, record: Record) -> Record:
        return replace(record, size_e8=abs(record.size_e8)) if isinstance(record, Position) else record


Row = tuple[str, Kind]


def _message(
    template_id: int, record: type[Any], base: list[Row], added: dict[int, list[Row]], names: list[str], strings: int
) -> Message:
    rows = list(base)
    roots = [_root(0, rows)]
    for version, more in added.items():
        rows = rows + more
        roots.append(_root(version, rows))
    return Message(template_id, record, tuple(roots), tuple(names), strings, len(rows))


def _root(version: int, rows: list[Row]) -> Root:
    fields = tuple(Field(name, kind.read, kind.write) for name, kind in rows)
    return Root(version, fields, struct.Struct("<" + "".join(kind.code for _, kind in rows)))


_SUMMARY_NULLABLE = [
    "mark_iv_e8",
    "bid_iv_e8",
    "ask_iv_e8",
    "last_iv_e8",
    "delta_e8",
    "gamma_e8",
    "vega_e8",
    "theta_e8",
    "rho_e8",
    "volga_e8",
    "vanna_e8",
    "future_funding_rate_e8",
    "external_fair_price_e8",
    "bid_size_e8",
    "ask_size_e8",
]

MESSAGES = (
    _message(
        1, Trade,
        [("venue_unix_ns", TIME), ("seq", INT), ("trade_id_low64", INT), ("aggressor", SIDE_NULL),
         ("price_e8", SIZE), ("size_e8", SIZE), ("created_unix_ns", TIME), ("trade_type", _enum(FILL_TYPE))],
        {}, ["market", "trade_id"], 1,
    ),
    _message(
        4, MarketSummary,
        [("venue_unix_ns", TIME), ("seq", INT), ("mark_price_e8", INT), ("index_price_e8", INT),
         ("last_price_e8", INT), ("volume_usd_24h_e8", INT), ("open_interest_e8", INT), ("funding_rate_e8", INT),
         ("bid_price_e8", INT_NULL), ("ask_price_e8", INT_NULL), ("total_volume_e8", INT),
         ("price_change_rate_24h_e8", INT), *((name, INT_NULL) for name in _SUMMARY_NULLABLE)],
        {1: [("forward_rate_e8", INT_NULL), ("risk_free_rate_e8", INT_NULL), ("funding_rate_e12", INT_NULL)],
         3: [("settlement_twap_e8", INT_NULL)]},
        ["market"], 1,
    ),
    _message(
        5, FundingData,
        [("venue_unix_ns", TIME), ("seq", INT), ("funding_rate_e8", INT), ("funding_index_e8", INT),
         ("created_unix_ns", TIME), ("funding_premium_e8", INT), ("funding_rate_8h_e8", INT),
         ("funding_period_hours", HOURS)],
        {1: [("impact_premium_rate_e8", INT_NULL)]}, ["market"], 1,
    ),
    _message(
        20, Order,
        [("venue_unix_ns", TIME), ("seq", INT), ("status", STATUS), ("side", SIDE), ("order_type", _enum(ORDER_TYPE)),
         ("instruction", _enum(TIME_IN_FORCE)), ("price_e8", SIZE_NULL), ("trigger_price_e8", SIZE_NULL),
         ("size_e8", SIZE), ("remaining_e8", SIZE), ("avg_fill_price_e8", SIZE_NULL), ("created_unix_ns", TIME),
         ("updated_unix_ns", TIME), ("account", ADDRESS), ("received_unix_ns", TIME), ("published_unix_ns", TIME),
         ("stp", _enum(STP_MODE)), ("flags", _flags(ORDER_FLAGS))],
        {2: [("request_status", _enum(REQUEST_STATUS)), ("request_type", _enum(REQUEST_TYPE))]},
        ["order_id", "client_id", "market", "cancel_reason", "request_id", "request_message"], 4,
    ),
    _message(
        21, Fill,
        [("venue_unix_ns", TIME), ("seq", INT_NULL), ("fill_type", _enum(FILL_TYPE)), ("side", SIDE),
         ("liquidity", _enum(LIQUIDITY)), ("price_e8", SIZE), ("size_e8", SIZE), ("fee_e8", INT),
         ("realized_pnl_e8", INT_NULL), ("created_unix_ns", TIME), ("account", ADDRESS),
         ("underlying_price_e8", INT), ("realized_funding_e8", INT)],
        {2: [("flags", _flags(FILL_FLAGS)), ("book_seq", UINT_NULL)]},
        ["fill_id", "order_id", "client_id", "trade_id", "market", "fee_currency"], 5,
    ),
    _message(
        22, Position,
        [("venue_unix_ns", TIME), ("seq", INT), ("side", SIDE), ("size_e8", SIZE), ("entry_price_e8", INT),
         ("unrealized_pnl_e8", INT), ("realized_pnl_e8", INT), ("mark_price_e8", INT_NULL),
         ("liquidation_price_e8", INT_NULL), ("leverage_e8", INT), ("updated_unix_ns", TIME), ("account", ADDRESS),
         ("entry_price_usd_e8", INT), ("cost_e8", INT), ("cost_usd_e8", INT), ("funding_index_e8", INT),
         ("unrealized_funding_e8", INT), ("status", _enum(POSITION_STATUS))],
        {}, ["market", "last_fill_id"], 2,
    ),
    _message(
        23, Account,
        [("venue_unix_ns", TIME), ("seq", INT), ("total_collateral_e8", INT), ("free_collateral_e8", INT),
         ("initial_margin_e8", INT), ("maintenance_margin_e8", INT), ("account_value_e8", INT),
         ("unrealized_pnl_e8", INT_NULL), ("updated_unix_ns", TIME), ("account", ADDRESS),
         ("margin_cushion_e8", INT), ("status", _enum(ACCOUNT_STATUS))],
        {2: [("last_seen_notification_unix_ns", TIME)]}, ["settlement_asset"], 1,
    ),
    _message(40, Heartbeat, [("venue_unix_ns", TIME), ("seq", INT)], {}, [], 0),
)  # fmt: skip

BY_TEMPLATE = {message.template_id: message for message in MESSAGES}
BY_RECORD: dict[type[Record], Message] = {message.record: message for message in MESSAGES}


class StringReader:
    """Reads the length-prefixed texts behind the root block, in order."""

    def __init__(self, frame: bytes | memoryview, at: int) -> None:
        self._frame, self._at = frame, at

    def required(self) -> str:
        start = self._at + 1
        if start > len(self._frame):
            raise DecodeError("frame ends before its last text")
        end = start + self._frame[self._at]
        if end > len(self._frame):
            raise DecodeError(f"text needs {end} bytes, the frame has {len(self._frame)}")
        self._at = end
        try:
            return str(self._frame[start:end], "utf-8")
        except UnicodeDecodeError as e:
            raise DecodeError("text is not UTF-8") from e

    def optional(self) -> str | None:
        """Texts appended by a later version may be absent: then the frame simply ends."""
        return None if self._at == len(self._frame) else self.required()


def encode_string(text: str | None) -> bytes:
    """Write one text; None, for a text that is absent, writes nothing. Raises ValueError above 255 bytes."""
    if text is None:
        return b""
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"text of {len(raw)} bytes, at most 255 fit")
    return bytes((len(raw),)) + raw
