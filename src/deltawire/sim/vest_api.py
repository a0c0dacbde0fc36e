"""The simulated Vest's REST side without sockets: a request in, and its answer, late answer, drop or silence out.

A reply may be called at once, later, or never (a lost answer): the binding only carries it. Source: Vest API v2 notes,
sections 2, 6 and 7.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from deltawire.sim import vest_refusal as no
from deltawire.sim import vest_views as views
from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Faults
from deltawire.sim.vest_accounts import Session
from deltawire.sim.vest_candles import INTERVALS_MS
from deltawire.sim.vest_dice import VENUE
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_limits import RateLimit
from deltawire.sim.vest_orders import Order
from deltawire.sim.vest_pool import HousePool
from deltawire.sim.vest_refusal import Refusal
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import rest, wire

PREFIX = "/v2"
DEPTH_LIMIT_MAX = 100
ROWS_LIMIT_MAX = 1000
_JSON, _TEXT, _HTML = "application/json", "text/plain", "text/html"
_EDGE_PAGE = b"<!DOCTYPE html><html><head><title>530</title></head><body>origin</body></html>"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One HTTP request. path without the prefix; header names in lower case. Holds keys and signatures: no repr."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer."""


T = TypeVar("T")
Reply = Callable[[Answer | Drop], None]


class Unprocessable(Exception):
    """A parameter is missing or ill-typed: HTTP 422."""

    def __init__(self, where: list[str], *, msg: str = "Field required", kind: str = "missing") -> None:
        super().__init__(msg)
        self.where, self.msg, self.kind = where, msg, kind


_STATUS = {no.UNAUTHORIZED: 401, no.TOO_MANY_REQUESTS: 429, 429: 429}


def refusal_answer(refusal: Refusal, settings: VestSimSettings) -> Answer:
    if refusal.code in settings.codes_nested:
        return Answer(400, rest.error_answer_nested(refusal.code, refusal.text))
    status = 200 if refusal.code in settings.codes_in_200 else _STATUS.get(refusal.code, 400)
    return Answer(status, rest.error_answer(refusal.code, refusal.text))


class VestApi:
    """Routes requests to the exchange. on_listen_key_closed: called with a key that was deleted."""

    def __init__(
        self,
        exchange: VestExchange,
        *,
        call_later: CallLater,
        rng: Random,
        faults: Faults,
        on_listen_key_closed: Callable[[str], None],
    ) -> None:
        self._exchange, self._call_later, self._rng, self._faults = exchange, call_later, rng, faults
        self._on_listen_key_closed = on_listen_key_closed
        self._limit = RateLimit(exchange.settings.rate_limit, exchange.settings.rate_window_ms)
        self._public: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "/exchangeInfo"): self._exchange_info,
            ("GET", "/ticker/latest"): self._ticker_latest,
            ("GET", "/ticker/24hr"): self._ticker_24hr,
            ("GET", "/klines"): self._klines,
            ("GET", "/depth"): self._depth,
            ("GET", "/funding/history"): self._funding_history,
            ("GET", "/trades"): self._trades,
            ("GET", "/oi"): self._open_interest,
            ("POST", "/register"): self._register,
        }
        self._private: dict[tuple[str, str], Callable[[Request, Session], object]] = {
            ("GET", "/account"): self._account,
            ("GET", "/account/nonce"): self._nonce,
            ("POST", "/account/leverage"): self._leverage,
            ("POST", "/account/listenKey"): self._open_listen_key,
            ("PUT", "/account/listenKey"): self._extend_listen_key,
            ("DELETE", "/account/listenKey"): self._close_listen_key,
            ("GET", "/orders"): self._orders,
            ("POST", "/orders/cancel"): self._cancel,
        }

    def handle(self, request: Request, reply: Reply) -> None:
        """Serve one request. reply is called at most once; a fault may drop the connection or never answer."""
        self._exchange.counters["requests"] += 1
        self._exchange.counters["private_calls"] += "x-api-key" in request.headers or request.method != "GET"
        allowed, limits = self._limit.take(request.headers.get("x-api-key", ""), self._exchange.now_ms())
        if not allowed:
            self._exchange.counters["rate_limited"] += 1
            reply(replace(refusal_answer(Refusal(no.TOO_MANY_REQUESTS), self._exchange.settings), headers=limits))
            return
        if limits:
            reply = _with_headers(reply, limits)
        if request.method == "GET" and self._faults.take(VENUE, "read_error") is not None:
            reply(Answer(530, _EDGE_PAGE, _HTML))
            return
        try:
            if (request.method, request.path) == ("POST", "/orders"):
                self._place(request, reply)
                return
            answer = self._serve(request)
        except Refusal as refusal:
            answer = refusal_answer(refusal, self._exchange.settings)
        except Unprocessable as bad:
            answer = Answer(422, rest.error_answer_422(bad.where, bad.msg, bad.kind))
        reply(answer)

    def _serve(self, request: Request) -> Answer:
        route = (request.method, request.path)
        public, private = self._public.get(route), self._private.get(route)
        if public is not None:
            self._group(request, required=False)
            found = public(request)
        elif private is not None:
            session = self._authenticate(request)
            if isinstance(session, Answer):
                return session
            found = private(request, session)
        else:
            return Answer(404, b'{"detail":"Not Found"}')
        return Answer(200, found if isinstance(found, bytes) else rest.answer(found))

    # --- headers ---

    def _group(self, request: Request, *, required: bool) -> int:
        """Return the account group the request names. Public calls without one were served live."""
        text = request.headers.get("xrestservermm", "" if required else "restserver0")
        group = re.fullmatch(r"restserver([0-9]{1,4})", text, re.ASCII)
        if group is None or int(group[1]) >= self._exchange.settings.groups:
            raise Refusal(no.INVALID_ACCOUNT_GROUP)
        return int(group[1])

    def _authenticate(self, request: Request) -> Session | Answer:
        key = request.headers.get("x-api-key", "")
        if not key:
            return Answer(403, b"Forbidden", _TEXT)
        return self._exchange.accounts.authenticate(key, self._group(request, required=True))

    # --- orders ---

    def _place(self, request: Request, reply: Reply) -> None:
        """Take in an order and answer it, in the way the armed faults want."""
        self._faults.saw(VENUE, "order")
        if self._faults.take(VENUE, "drop_before") is not None:
            reply(Drop())
            return
        if self._faults.take(VENUE, "rate_limit") is not None:
            raise Refusal(no.TOO_MANY_REQUESTS)
        if self._faults.take(VENUE, "wrong_signature") is not None:
            raise Refusal(no.INVALID_SIGNATURE)
        edge = self._faults.take(VENUE, "http_530")
        if edge is not None and edge.params.get("where", "before") == "before":
            reply(Answer(530, _EDGE_PAGE, _HTML))
            return
        session = self._authenticate(request)
        if isinstance(session, Answer):
            reply(session)
            return
        order = self._exchange.place(session, _body(request, wire.OrderSubmit))
        if edge is not None:
            reply(Answer(530, _EDGE_PAGE, _HTML))
        else:
            self._answer_order(order, reply)

    def _answer_order(self, order: Order, reply: Reply) -> None:
        answer = Answer(200, rest.answer(wire.OrderId(order.id)))
        if false := self._faults.take(VENUE, "false_reject"):
            order.misled = True
            raise Refusal(int(false.params.get("code", no.PRICE_CHECK_FAILED)), "a fault says so, and it is not true")
        if self._faults.take(VENUE, "lose_reply") is not None:
            return
        if self._faults.take(VENUE, "drop_after") is not None:
            reply(Drop())
            return
        late = self._faults.take(VENUE, "delay_reply")
        event_first = self._faults.take(VENUE, "fill_before_ack") is not None
        if event_first or self._rng.random() < self._exchange.settings.event_first_share:
            order.after_execution.append(lambda: reply(answer))
        elif late is not None:
            self._call_later(late.params.get("ms", 1000) / 1000, lambda: reply(answer))
        else:
            reply(answer)

    def _cancel(self, request: Request, session: Session) -> object:
        if self._exchange.settings.cancel_needs_query_time:
            _query_int(request, "time")
        return wire.OrderId(self._exchange.cancel(session, _body(request, wire.CancelSubmit)))

    def _orders(self, request: Request, session: Session) -> object:
        """Return the account's orders that fit all filters, newest first."""
        _query_int(request, "time")
        limit = _query_int(request, "limit", default=ROWS_LIMIT_MAX)
        status = request.query.get("status", "")
        if not 1 <= limit <= ROWS_LIMIT_MAX or (status and status not in wire.KNOWN_STATES):
            raise Refusal(no.INVALID_PARAMETER)  # a comma list of states ends here too (live)
        start, end = _query_int(request, "startTime", default=0), _query_int(request, "endTime", default=2**63)
        nonce = _query_int(request, "nonce", default=-1)
        ids = set(request.query["id"].split(",")) if "id" in request.query else None
        wanted = {name: request.query.get(name, "") for name in ("symbol", "orderType")}
        found = [
            order.row()
            for order in self._exchange.orders_of(session.account)
            if not self._is_hidden(order)
            and (ids is None or order.id in ids)
            and nonce in {-1, order.fields.nonce}
            and wanted["symbol"] in {"", order.fields.symbol}
            and wanted["orderType"] in {"", order.fields.order_type}
            and status in {"", order.status}
            and start <= order.post_time_ms <= end
        ]
        return found[:limit]

    def _is_hidden(self, order: Order) -> bool:
        return self._exchange.now_ms() < order.post_time_ms + order.misfortune.hidden_ms

    # --- account ---

    def _register(self, request: Request) -> object:
        return self._exchange.accounts.register(_body(request, wire.Registration))

    def _account(self, _request: Request, session: Session) -> object:
        # `time` is in the documents and was found not to be enforced.
        for pool in self._exchange.pools.values():
            self._exchange.accrue(pool)
        return views.account(session.account, self._exchange.pools, self._exchange.now_ms())

    def _nonce(self, request: Request, session: Session) -> object:
        _query_int(request, "time")
        return wire.LastNonce(session.account.last_nonce)

    def _leverage(self, request: Request, session: Session) -> object:
        change = _body(request, wire.LeverageChange)
        self._exchange.accounts.set_leverage(session.account, self._exchange.pool(change.symbol), change.value)
        return wire.Leverage(change.symbol, change.value)

    def _open_listen_key(self, _request: Request, session: Session) -> object:
        return wire.ListenKey(self._exchange.accounts.open_listen_key(session.account))

    def _extend_listen_key(self, _request: Request, session: Session) -> object:
        return wire.ListenKey(self._exchange.accounts.extend_listen_key(session.account))

    def _close_listen_key(self, _request: Request, session: Session) -> object:
        key = self._exchange.accounts.close_listen_key(session.account)
        if key:
            self._on_listen_key_closed(key)
        return {}

    # --- markets ---

    def _exchange_info(self, request: Request) -> object:
        return views.exchange_info(self._pools(request), self._exchange.house)

    def _ticker_latest(self, request: Request) -> object:
        return wire.Tickers([views.ticker(pool) for pool in self._pools(request)])

    def _open_interest(self, request: Request) -> object:
        def both_sides(pool: HousePool) -> tuple[int, int]:
            held = [a.ledger.position(pool.rules.symbol).size_e8 for a in self._exchange.accounts.by_address.values()]
            return sum(size for size in held if size > 0), -sum(size for size in held if size < 0)

        return views.open_interest([(pool, *both_sides(pool)) for pool in self._pools(request)])

    def _funding_history(self, request: Request) -> object:
        pool, interval_ms = self._pool(request), _interval_ms(request)
        first_ms, last_ms, limit = self._span(request)
        rates = self._exchange.funding_rates.get(pool.rules.symbol, [])
        return views.funding_history(pool, rates, interval_ms, first_ms, last_ms, limit)

    def _klines(self, request: Request) -> object:
        """Return candles, oldest first; the one under way is the last."""
        pool, interval_ms = self._pool(request), _interval_ms(request)
        first_ms, last_ms, limit = self._span(request)
        candles = self._exchange.candles[pool.rules.symbol]
        # The first candle of a run opens before it: a span without a start has it all the same.
        rows = candles.rows(interval_ms, first_ms - first_ms % interval_ms, last_ms, limit)
        return [views.kline(pool, candle, interval_ms) for candle in rows]

    def _ticker_24hr(self, request: Request) -> object:
        now_ms = self._exchange.now_ms()
        days = [(pool, self._exchange.candles[pool.rules.symbol].day(now_ms)) for pool in self._pools(request)]
        return wire.Tickers24h([views.ticker_24hr(pool, day, now_ms) for pool, day in days if day is not None])

    def _trades(self, request: Request) -> object:
        """Return the newest trades of the span, newest first."""
        pool = self._pool(request)
        first_ms, last_ms, limit = self._span(request)
        trades = reversed(self._exchange.trades[pool.rules.symbol])
        return [trade for trade in trades if first_ms <= trade.time <= last_ms][:limit]

    def _span(self, request: Request) -> tuple[int, int, int]:
        """Return first and last ms and the row limit, within what this simulator has lived through."""
        limit = _query_int(request, "limit", default=ROWS_LIMIT_MAX)
        if not 1 <= limit <= ROWS_LIMIT_MAX:
            raise Refusal(no.INVALID_PARAMETER)
        started_ms, now_ms = self._exchange.started_ms, self._exchange.now_ms()
        first_ms = _query_int(request, "startTime", default=started_ms)
        last_ms = _query_int(request, "endTime", default=now_ms)
        return max(first_ms, started_ms), min(last_ms, now_ms), limit

    def _depth(self, request: Request) -> object:
        limit = _query_int(request, "limit", default=20)
        pool = self._pool(request)
        if not 1 <= limit <= DEPTH_LIMIT_MAX:
            raise Refusal(no.INVALID_PARAMETER)
        picture, rules = pool.picture, pool.rules
        return rest.depth_answer(picture.bids[:limit], picture.asks[:limit], rules.price_decimals, rules.size_decimals)

    def _pool(self, request: Request) -> HousePool:
        if "symbol" not in request.query:
            raise Unprocessable(["query", "symbol"])
        return self._exchange.pool(request.query["symbol"])

    def _pools(self, request: Request) -> list[HousePool]:
        """Return the markets named in `symbols`, all when it is missing."""
        names = [name for name in request.query.get("symbols", "").split(",") if name]
        return [self._exchange.pool(name) for name in names] if names else list(self._exchange.pools.values())


def _with_headers(reply: Reply, headers: tuple[tuple[str, str], ...]) -> Reply:
    return lambda answer: reply(answer if isinstance(answer, Drop) else replace(answer, headers=headers))


def _interval_ms(request: Request) -> int:
    interval_ms = INTERVALS_MS.get(request.query.get("interval", "1m"), 0)
    if not interval_ms:
        raise Refusal(no.INVALID_PARAMETER)
    return interval_ms


def _query_int(request: Request, name: str, *, default: int | None = None) -> int:
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if text is None:
        raise Unprocessable(["query", name])
    if re.fullmatch(r"[0-9]{1,78}", text, re.ASCII) is None:
        raise Unprocessable(["query", name], msg="Input should be a valid integer", kind="int_parsing")
    return int(text)


def _body(request: Request, shape: type[T]) -> T:
    """Read the body, or answer 422 naming the field that is missing or ill-typed."""
    try:
        return rest.read_body(request.body, shape)
    except DecodeError as e:
        where = re.search(r"at `\$\.([^`]*)`", str(e))
        path = ["body", *(where[1].split(".") if where else [])]
        missing = re.search(r"missing required field `([^`]*)`", str(e))
        if missing:
            raise Unprocessable([*path, missing[1]]) from e
        raise Unprocessable(path, msg="Input should be valid", kind="value_error") from e
