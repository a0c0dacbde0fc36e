"""The shapes of Vest's answers as we rely on them, compared on first sight. Pure; knows no calls and keeps no values.

Why beside wire.py, which decodes: a decoder is made to survive, and gives a field it does not find its default. What is
looked at for the first time is held against this stricter list instead, so that a venue that has moved on is refused by
the name of the field before anything is sent. A field we do not know is no reason to refuse: it is told once.
Messages name fields and kinds, never values: answers hold keys. Source: Vest API v2 notes, sections 4, 6, 7, 8, 14.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from deltawire.venues.contract import DecodeError, EventLog
from deltawire.venues.vest import wire

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_NAMES_MAX, _NAME_CHARS_MAX = 20, 40  # of unknown fields that are named in one message


class ShapeChanged(DecodeError):
    """An answer is not in the shape we rely on: the venue has changed, and nothing may be traded on it."""


class Kind(Enum):
    TEXT = "text"
    DECIMAL = "a decimal as text"
    WHOLE = "a whole number"
    FLAG = "true or false"
    ANY = "anything"  # known, not relied on; may be missing


@dataclass(frozen=True, slots=True)
class Maybe:
    """May be null or missing; if it is there it must be of this kind."""

    kind: Kind


# A kind, an object of named fields, or a list whose every element is of the one spec given (of the pair, when two are).
Spec = Kind | Maybe | dict[str, "Spec"] | list["Spec"]

TEXT, DECIMAL, WHOLE, FLAG, ANY = Kind.TEXT, Kind.DECIMAL, Kind.WHOLE, Kind.FLAG, Kind.ANY


def _known(names: str) -> dict[str, Spec]:
    return dict.fromkeys(names.split(), ANY)


EXCHANGE_INFO: Spec = {
    "symbols": [
        {
            "symbol": TEXT,
            "sizeDecimals": WHOLE,
            "priceDecimals": WHOLE,
            "takerFee": DECIMAL,
            "initMarginRatio": DECIMAL,
            "maintMarginRatio": DECIMAL,
            **_known("displayName base quote isolated asset tradingStatus"),
        }
    ],
    "exchange": {"collateralDecimals": WHOLE, **_known("lp insurance")},
}
_TICKER: dict[str, Spec] = {
    "symbol": TEXT,
    "markPrice": DECIMAL,
    "indexPrice": DECIMAL,
    "oneHrFundingRate": DECIMAL,
    "status": TEXT,
    **_known("imbalance cumFunding priceChange priceChangePercent"),
}
TICKERS: Spec = {"tickers": [_TICKER]}
REGISTERED: Spec = {"apiKey": TEXT, "accGroup": WHOLE}
LISTEN_KEY: Spec = {"listenKey": TEXT}
LAST_NONCE: Spec = {"lastNonce": WHOLE}
ACCOUNT: Spec = {
    "address": TEXT,
    "withdrawable": DECIMAL,
    "totalAccountValue": DECIMAL,
    "positions": [
        {
            "symbol": TEXT,
            "isLong": FLAG,
            "size": DECIMAL,
            "entryPrice": DECIMAL,
            **_known("entryFunding unrealizedPnl settledFunding markPrice indexPrice liqPrice"),
            **_known("initMargin maintMargin initMarginRatio"),
        }
    ],
    **_known("collateral balances openOrderMargin totalMaintMargin leverages lp time twitterUsername discordUsername"),
}
_ORDER_ROW: dict[str, Spec] = {
    "id": TEXT,
    "nonce": WHOLE,
    "symbol": TEXT,
    "isBuy": FLAG,
    "orderType": TEXT,
    "size": DECIMAL,
    "status": TEXT,
    "postTime": WHOLE,
    "code": Maybe(WHOLE),
    "lastFilledSize": Maybe(DECIMAL),
    "lastFilledPrice": Maybe(DECIMAL),
    "lastFilledTime": Maybe(WHOLE),
    "avgFilledPrice": Maybe(DECIMAL),
    "fees": Maybe(DECIMAL),
    **_known("limitPrice markPrice reduceOnly initMarginRatio settledFunding realizedPnl tpPrice slPrice"),
}
# What a fill is booked from must stand in a row that says FILLED.
_FILLED_ROW: dict[str, Spec] = _ORDER_ROW | {"avgFilledPrice": DECIMAL, "fees": DECIMAL}
# A row of an order the venue made itself has no nonce.
_VENUES_ROW: dict[str, Spec] = _ORDER_ROW | {"nonce": Maybe(WHOLE)}
_LEVELS: Spec = [[DECIMAL, DECIMAL]]
DEPTH: Spec = {"bids": _LEVELS, "asks": _LEVELS}
DEPTH_FRAME: Spec = {"channel": TEXT, "data": DEPTH}
TICKERS_FRAME: Spec = {"channel": TEXT, "data": [_TICKER]}

# How the first answer of each decoded shape is looked at: what it is called, and its spec.
OF_ANSWER: dict[object, tuple[str, Spec]] = {
    wire.ExchangeInfo: ("exchangeInfo", EXCHANGE_INFO),
    wire.Tickers: ("ticker/latest", TICKERS),
    wire.Registered: ("register", REGISTERED),
    wire.ListenKey: ("account/listenKey", LISTEN_KEY),
    wire.LastNonce: ("account/nonce", LAST_NONCE),
    wire.Account: ("account", ACCOUNT),
    list[wire.OrderRow]: ("orders", [ANY]),  # its rows differ by their state: see FirstLook
}


class FirstLook:
    """Compares each kind of answer once, when it first comes; a list of orders, once it has a row."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._seen: set[str] = set()

    def has_seen(self, what: str) -> bool:
        return what in self._seen

    def look_at_answer(self, shape: object, body: bytes) -> None:
        """Compare the body of a success. Raises ShapeChanged naming the field."""
        known = OF_ANSWER.get(shape)
        if known is not None:
            self.look(*known, body)

    def look(self, what: str, spec: Spec, body: bytes | memoryview) -> None:
        if what in self._seen:
            return
        try:
            value = msgspec.json.decode(body)
        except (ValueError, RecursionError) as e:
            raise DecodeError(f"{what} is not JSON: {e}") from e
        unknown = _compare_orders(value) if what == "orders" else compare(what, spec, value)
        if what == "orders" and not value:
            return
        self._seen.add(what)
        if unknown:
            self._log.info("vest.shape.unknown_fields", what=what, fields=_listed(unknown))


def compare(what: str, spec: Spec, value: Any) -> list[str]:
    """Return the names of the fields the spec does not know. Raises ShapeChanged for the first that does not fit."""
    unknown: dict[str, None] = {}
    _compare(what, spec, value, unknown)
    return list(unknown)


def _compare_orders(rows: Any) -> list[str]:
    if not isinstance(rows, list):
        raise ShapeChanged(f"orders is {_kind_name(rows)}, want a list")
    unknown: dict[str, None] = {}
    for at, row in enumerate(rows):
        fields = row if isinstance(row, dict) else {}
        filled = fields.get("status") == wire.FILLED
        by_venue = fields.get("orderType") in wire.TYPES_WITHOUT_NONCE
        spec = _VENUES_ROW if by_venue else _FILLED_ROW if filled else _ORDER_ROW
        _compare(f"orders[{at}]", spec, row, unknown)
    return list(unknown)


def _compare(path: str, spec: Spec, value: Any, unknown: dict[str, None]) -> None:
    if isinstance(spec, dict):
        _compare_fields(path, spec, value, unknown)
    elif isinstance(spec, list):
        if not isinstance(value, list):
            raise ShapeChanged(f"{path} is {_kind_name(value)}, want a list")
        if len(spec) > 1 and len(value) != len(spec):
            raise ShapeChanged(f"{path} has {len(value)} elements, want {len(spec)}")
        for at, element in enumerate(value):
            _compare(f"{path}[{at}]", spec[at if len(spec) > 1 else 0], element, unknown)
    elif isinstance(spec, Maybe):
        if value is not None:
            _compare(path, spec.kind, value, unknown)
    elif not _is_kind(spec, value):
        raise ShapeChanged(f"{path} is {_kind_name(value)}, want {spec.value}")


def _compare_fields(path: str, spec: dict[str, Spec], value: Any, unknown: dict[str, None]) -> None:
    if not isinstance(value, dict):
        raise ShapeChanged(f"{path} is {_kind_name(value)}, want an object")
    strangers = [name for name in value if name not in spec]
    for name, wanted in spec.items():
        if name in value:
            _compare(f"{path}.{name}", wanted, value[name], unknown)
        elif wanted is not ANY and not isinstance(wanted, Maybe):
            instead = f"; it has {_listed(strangers)}, which are not known" if strangers else ""
            raise ShapeChanged(f"{path}.{name} is missing{instead}")
    unknown.update(dict.fromkeys(strangers))


def _is_kind(kind: Kind, value: Any) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.DECIMAL:
            return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None
        case Kind.WHOLE:
            return type(value) is int
        case Kind.FLAG:
            return isinstance(value, bool)
        case Kind.ANY:
            return True


def _kind_name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a whole number", float: "a number with a fraction", str: "text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def _listed(names: list[str]) -> str:
    shown = [name[:_NAME_CHARS_MAX] for name in names[:_NAMES_MAX]]
    return ", ".join(shown) + (f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else "")
