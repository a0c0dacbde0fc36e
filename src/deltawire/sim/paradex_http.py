"""One REST request of the simulated Paradex on its way: what the binding read, and how it is answered. Sans-I/O.

Source: Paradex reference, sections 11 and 14.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import orjson

from deltawire.core.money import parse_e8
from deltawire.sim.paradex_accounts import SimOrder
from deltawire.sim.paradex_gateway import Received
from deltawire.sim.paradex_limits import Limit
from deltawire.sim.paradex_rules import ApiRefusal
from deltawire.sim.paradex_session import Venue
from deltawire.sim.paradex_tokens import Caller
from deltawire.sim.paradex_views import order_record
from deltawire.venues.paradex import rest, wire_json

NS_PER_MS = 1_000_000
PAGE_DEFAULT, PAGE_MAX = 100, 5_000
_NOT_FILTERS = frozenset({"cursor", "page_size"})


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request as the binding read it. Header names in upper case; holds tokens, so its repr hides them."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    read_mono_ns: int = 0


class HttpAnswer(NamedTuple):
    """status 0: drop the connection, answering nothing."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Reply = Callable[[HttpAnswer], None]
DROP = HttpAnswer(0, b"")


class Http:
    """One request on its way: who asks, for what, and how it is answered. The gateway's Answer for POST /orders."""

    def __init__(self, venue: Venue, call: HttpCall, reply: Reply) -> None:
        self.call = call
        self.args: list[str] = []
        self.limit: Limit | None = None  # the one the answer's headers tell of
        self._venue = venue
        self._reply = reply
        self._read_unix_ns = venue.clock.unix_ns()

    def caller(self) -> Caller:
        """Return whom the bearer token stands for. Raises ApiRefusal 401."""
        scheme, _, token = self.call.headers.get("AUTHORIZATION", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise ApiRefusal("INVALID_TOKEN", "a bearer token is required", 401)
        return self._venue.tokens.check(token)

    @property
    def has_token(self) -> bool:
        return "AUTHORIZATION" in self.call.headers

    def received(self) -> Received:
        self._venue.gateway.orders_read_mono_ns.append(self.call.read_mono_ns)
        written = self._venue.streams.market_written_mono_ns
        return Received(self.call.read_mono_ns, self._read_unix_ns, 0, lambda market: written.get(market, 0))

    def body(self, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(self.call.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise ApiRefusal("BINDING_ERROR", f"unreadable body: {e}") from e

    def number(self, name: str, default: int) -> int:
        text = self.call.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= 15):
            raise ApiRefusal("INVALID_REQUEST_PARAMETER", f"{name} is not a number")
        return int(text)

    def amount_e8(self, name: str) -> int:
        """Return a decimal of the query, 0 when it is not there."""
        text = self.call.query.get(name, "") or "0"
        try:
            value_e8 = parse_e8(text)
        except ValueError as e:
            raise ApiRefusal("INVALID_REQUEST_PARAMETER", f"{name} is not a decimal") from e
        if value_e8 < 0:
            raise ApiRefusal("INVALID_REQUEST_PARAMETER", f"{name} is negative")
        return value_e8

    def page_size(self) -> int:
        return min(self.number("page_size", PAGE_DEFAULT), PAGE_MAX)

    def list_name(self) -> str:
        """Name the list asked for by what decides its records: path, account and filters."""
        account = self.caller().account.address if self.has_token else 0
        query = self.call.query
        return f"{account:x}{self.call.path}" + "".join(f"&{k}={query[k]}" for k in sorted(query.keys() - _NOT_FILTERS))

    def within(self, unix_ns: int) -> bool:
        unix_ms = unix_ns // NS_PER_MS
        return self.number("start_at", 0) <= unix_ms <= self.number("end_at", 10**15)

    def json(self, data: dict[str, Any], status: int = 200) -> None:
        self._answer(status, orjson.dumps(data))

    def no_content(self) -> None:
        self._answer(204, b"")

    def fail(self, refusal: ApiRefusal) -> None:
        headers = {"Retry-After": "1"} if refusal.status == 429 else {}  # a limit's own, if one refused, goes before
        self._answer(refusal.status, rest.error_body(refusal.code, refusal.message), headers)

    def order(self, order: SimOrder) -> None:
        record = order_record(order, self._venue.clock.unix_ns())
        self.json(wire_json.order_json(record), 201)

    def fail_without_id(self) -> None:
        self._answer(500, rest.error_body("INTERNAL_ERROR", "internal error"))

    def drop(self) -> None:
        self._reply(DROP)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        told = self.limit.headers(self._venue.clock.unix_ns()) if self.limit is not None else {}
        if status != 429:
            told.pop("Retry-After", None)
        self._reply(HttpAnswer(status, body, {**headers, **told}))
