"""REST of the simulated Paradex: requests in, answers out by a callback. Sans-I/O; paths are below /v1.

The callback comes at once, later (speed bump, delayed reply), or never (a lost reply).
Source: Paradex reference, sections 2, 11 and 14. Vaults, sub-accounts, candles are not simulated.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from deltawire.sim import paradex_events as events
from deltawire.sim import paradex_rest_account as private
from deltawire.sim import paradex_rest_public as public
from deltawire.sim.faults import Faults
from deltawire.sim.paradex_accounts import CLOSED, OPEN, UNTRIGGERED, SimOrder
from deltawire.sim.paradex_gateway import VENUE
from deltawire.sim.paradex_http import NS_PER_MS, Http, HttpAnswer, HttpCall, Reply
from deltawire.sim.paradex_limits import Limit, Limits
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_paging import Pager
from deltawire.sim.paradex_rpc import ModifyParams
from deltawire.sim.paradex_rules import ApiRefusal
from deltawire.sim.paradex_session import Venue
from deltawire.sim.paradex_views import (
    account_record,
    address_text,
    fill_record,
    order_record,
    position_record,
)
from deltawire.venues.paradex import rest, rpc, wire_json

DEPTH_DEFAULT = 20
READ_ONLY = "read_only"  # GUESS: the venue's word for it

T = TypeVar("T")


class RestApi:
    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._exchange = venue.exchange
        # By address, and every client of the simulator has the same one.
        self._public_limit = Limit(venue.settings.calls_public)
        self._private_limit = Limit(venue.settings.calls_private)
        self._sign_in_limit = Limit(venue.settings.sign_ins)
        self._read_limits = Limits(venue.settings.reads_private)
        self._pager = Pager()
        self._routes: list[tuple[str, re.Pattern[str], Callable[[Http], Any]]] = [
            (method, re.compile(pattern), handler)
            for method, pattern, handler in (
                ("GET", "/system/time", self._time),
                ("GET", "/system/config", self._config),
                ("GET", "/system/state", self._state),
                ("GET", "/markets", self._markets),
                ("GET", "/markets/summary", self._summary),
                ("GET", "/bbo/([^/]+)(/interactive)?", self._bbo),
                ("GET", "/orderbook/([^/]+)(/interactive)?", self._book),
                ("GET", "/trades", self._trades),
                ("GET", "/funding/data", self._funding),
                ("GET", r"/jwks\.json", self._jwks),
                ("POST", "/auth(?:/([^/]+))?", self._auth),
                ("GET", "/account", self._account),
                ("GET", "/account/info", self._account_info),
                ("GET", "/balance", self._balance),
                ("GET", "/positions", self._positions),
                ("GET", "/orders", self._open_orders),
                ("POST", "/orders", self._create),
                ("DELETE", "/orders", self._cancel_all),
                ("POST", "/orders/batch", self._create_batch),
                ("DELETE", "/orders/batch", self._cancel_batch),
                ("GET", "/orders/by_client_id/([^/]+)", self._order_by_client_id),
                ("DELETE", "/orders/by_client_id/([^/]+)", self._cancel_by_client_id),
                ("GET", "/orders/([^/]+)", self._order),
                ("PUT", "/orders/([^/]+)", self._modify),
                ("DELETE", "/orders/([^/]+)", self._cancel),
                ("GET", "/account/margin", self._margin),
                ("GET", "/account/tokens", self._tokens),
                ("POST", "/account/tokens", self._create_token),
                ("DELETE", "/account/tokens/([^/]+)", self._revoke_token),
                ("GET", "/funding/payments", self._funding_payments),
                ("GET", "/orders-history", self._history),
                ("GET", "/fills", self._fills),
                ("GET", "/tradebusts", self._busts),
                ("GET", "/transactions", self._transactions),
                ("GET", "/transfers", self._nothing),
                ("GET", "/onboarding", self._onboarding),
                ("POST", "/onboarding", self._onboard),
            )
        ]

    def handle(self, call: HttpCall, reply: Reply) -> None:
        """Answer one request, through reply, at most once."""
        http = Http(self._venue, call, reply)
        if call.method == "GET" and self._faults.take(VENUE, "read_error") is not None:
            reply(HttpAnswer(503, rest.error_body("SERVICE_UNAVAILABLE", "the server fails, by a fault")))
            return
        try:
            handler = self._route(http)
            self._count(http)
            result = handler(http)
            if result is not None:  # None: the handler answers itself
                http.json(result)
        except ApiRefusal as refusal:
            http.fail(refusal)
        except rpc.BadRequest as bad:
            http.fail(ApiRefusal("VALIDATION_ERROR", bad.message))

    def _route(self, http: Http) -> Callable[[Http], Any]:
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(http.call.path)
            if found and method == http.call.method:
                http.args = [part or "" for part in found.groups()]
                return handler
        raise ApiRefusal("NOT_FOUND", "no such resource", 404)

    def _count(self, http: Http) -> None:
        """Count the call: sign-ins, public and all private calls by address, private reads by account too.

        Order calls are counted where those of the WebSocket are; here they only learn which limit that is.
        """
        now_mono_ns, method = self._venue.clock.mono_ns(), http.call.method
        if method == "POST" and http.call.path.startswith(("/auth", "/onboarding")):
            http.limit = self._sign_in_limit
        elif not http.has_token:
            http.limit = self._public_limit
        else:
            http.limit = self._private_limit
        self._venue.counters["private_calls"] += http.limit is not self._public_limit
        http.limit.take(now_mono_ns)
        if http.limit is self._private_limit:
            caller = http.caller()
            if caller.read_only and method != "GET":
                raise ApiRefusal("UNAUTHORIZED_ERROR", "token may only read", 401)
            if method == "GET":
                http.limit = self._read_limits.of(caller.account.address)
                http.limit.take(now_mono_ns)
            elif http.call.path.startswith("/orders"):
                http.limit = self._venue.gateway.limit_of(caller)

    # Public

    def _time(self, _http: Http) -> dict[str, Any]:
        return {"server_time": str(self._venue.clock.unix_ns() // NS_PER_MS)}

    def _config(self, _http: Http) -> dict[str, Any]:
        return public.system_config()

    def _state(self, _http: Http) -> dict[str, Any]:
        return {"status": self._exchange.status}

    def _markets(self, http: Http) -> dict[str, Any]:
        settings = self._venue.settings
        return _results(public.market_rules(market, settings) for market in self._named(http, everything=True))

    def _summary(self, http: Http) -> dict[str, Any]:
        return _results(public.market_summary(market, self._venue.clock.unix_ns()) for market in self._named(http))

    def _bbo(self, http: Http) -> dict[str, Any]:
        return public.best_prices(self._market(http.args[0]), with_rpi=bool(http.args[1]))

    def _book(self, http: Http) -> dict[str, Any]:
        depth, tick_e8 = http.number("depth", DEPTH_DEFAULT), http.amount_e8("price_tick")
        return public.order_book(self._market(http.args[0]), depth, tick_e8=tick_e8, with_rpi=bool(http.args[1]))

    def _trades(self, http: Http) -> dict[str, Any]:
        trades = [trade for market in self._named(http) for trade in public.recent_trades(market)]
        return self._page(http, trades, lambda trade: f"{trade['market']} {trade['id']}", dict)

    def _funding(self, http: Http) -> dict[str, Any]:
        return _paged(public.funding_data(market, self._venue.clock.unix_ns()) for market in self._named(http))

    def _jwks(self, _http: Http) -> dict[str, Any]:
        return self._venue.tokens.jwks()

    def _auth(self, http: Http) -> dict[str, Any]:
        interactive = http.call.query.get("token_usage") == "interactive"
        return {"jwt_token": self._venue.tokens.sign_in(http.args[0], http.call.headers, interactive=interactive)}

    def _onboarding(self, http: Http) -> dict[str, Any]:
        """Say which account a public key has. One it does not know is not derived: accounts come from the settings."""
        public_key = http.call.query.get("public_key", "").lower()
        for account in self._exchange.accounts.values():
            if public_key in {address_text(key) for key in account.public_keys}:
                return public.onboarded(address_text(account.address))
        raise ApiRefusal("ACCOUNT_NOT_FOUND", "no account of this key")

    def _onboard(self, http: Http) -> dict[str, Any]:
        self._venue.tokens.check_onboarding(http.call.headers)
        return {}

    # The account

    def _busts(self, http: Http) -> dict[str, Any]:
        address = http.caller().account.address
        own = [bust for bust in reversed(self._exchange.busts) if bust.account == address]
        return self._page(http, own, lambda bust: bust.fill_id, events.bust_json)

    def _nothing(self, http: Http) -> dict[str, Any]:
        """Answer what never happens here: transfers."""
        http.caller()
        return _paged(())

    def _account(self, http: Http) -> dict[str, Any]:
        view = self._exchange.account_view(http.caller().account)
        return wire_json.account_json(account_record(view))

    def _account_info(self, http: Http) -> dict[str, Any]:
        caller = http.caller()
        fees = self._exchange.fees[caller.rank]
        address = address_text(caller.account.address)
        info = rest.AccountInfo(address, "main", fees.maker_e8, fees.taker_e8)
        return _results([rest.account_info_json(info, address_text(caller.account.public_keys[0]))])

    def _balance(self, http: Http) -> dict[str, Any]:
        account = http.caller().account
        balance = rest.Balance("USDC", account.collateral_e8)
        return _results([rest.balance_json(balance, account.updated_unix_ns // NS_PER_MS)])

    def _positions(self, http: Http) -> dict[str, Any]:
        views = self._exchange.position_views(http.caller().account)
        return _results(wire_json.position_json(position_record(view)) for view in views)

    def _open_orders(self, http: Http) -> dict[str, Any]:
        account, market = http.caller().account, http.call.query.get("market", "")
        live = [
            order
            for order in account.live.values()
            if order.status in {OPEN, UNTRIGGERED} and market in {"", order.symbol}
        ]
        return _results(self._order_json(order) for order in live)

    def _order(self, http: Http) -> dict[str, Any]:
        return self._order_json(self._venue.gateway.find(http.caller(), order_id=http.args[0]))

    def _order_by_client_id(self, http: Http) -> dict[str, Any]:
        """Return an open one only, as the reference has it; orders-history finds the closed ones."""
        order = self._venue.gateway.find(http.caller(), client_id=http.args[0])
        if order.status == CLOSED:
            raise ApiRefusal("CLIENT_ORDER_ID_NOT_FOUND", "no such order")
        return self._order_json(order)

    def _history(self, http: Http) -> dict[str, Any]:
        query = http.call.query
        orders = [
            order
            for order in reversed(http.caller().account.orders.values())
            if query.get("client_id") in {None, "", order.client_id}
            and query.get("market") in {None, "", order.symbol}
            and not self._venue.gateway.is_hidden(order)
            and query.get("side") in {None, "", order.side.name}
            and query.get("status") in {None, "", order.status}
            and query.get("type") in {None, "", order.kind}
            and http.within(order.created_unix_ns)
        ]
        return self._page(http, orders, lambda order: order.id, self._order_json)

    def _fills(self, http: Http) -> dict[str, Any]:
        market, account = http.call.query.get("market", ""), http.caller().account
        fills = [
            fill
            for fill in reversed(account.fills)
            if market in {"", fill.symbol}
            and http.within(fill.created_unix_ns)
            and not (fill.order_id in account.orders and self._venue.gateway.is_hidden(account.orders[fill.order_id]))
        ]
        return self._page(http, fills, lambda fill: fill.id, lambda fill: wire_json.fill_json(fill_record(fill)))

    def _funding_payments(self, http: Http) -> dict[str, Any]:
        market = http.call.query.get("market", "")
        if not market:
            raise ApiRefusal("INVALID_REQUEST_PARAMETER", "market is required")
        paid = [
            fill
            for fill in reversed(http.caller().account.fills)
            if market in {"ALL", fill.symbol} and fill.realized_funding_e8 and http.within(fill.created_unix_ns)
        ]
        return self._page(http, paid, lambda fill: fill.id, events.funding_payment)

    def _transactions(self, http: Http) -> dict[str, Any]:
        account = http.caller().account
        busted = {bust.fill_id for bust in self._exchange.busts}
        fills = [fill for fill in reversed(account.fills) if http.within(fill.created_unix_ns)]
        return self._page(
            http, fills, lambda fill: fill.id, lambda fill: events.transaction(fill, busted=fill.id in busted)
        )

    def _margin(self, http: Http) -> dict[str, Any]:
        account = http.caller().account
        return private.margin(account, [market.rules for market in self._named(http, everything=True)])

    def _tokens(self, http: Http) -> dict[str, Any]:
        with_invalid = http.call.query.get("with_invalid") == "true"
        kept = self._venue.tokens.reading(http.caller().account, with_invalid=with_invalid)
        return _results(private.read_token(token) for token in kept)

    def _create_token(self, http: Http) -> dict[str, Any]:
        account, body = http.caller().account, http.body(_CreateToken)
        if body.token_type != READ_ONLY:
            raise ApiRefusal("VALIDATION_ERROR", f"only tokens of the type {READ_ONLY} are simulated")
        token, kept = self._venue.tokens.create_reading(account, body.name, body.expiry_duration)
        return {"token": token, "api_token": private.read_token(kept)}

    def _revoke_token(self, http: Http) -> dict[str, Any]:
        self._venue.tokens.revoke(http.caller().account, http.args[0])
        return {"lookup_id": http.args[0]}

    # Orders

    def _create(self, http: Http) -> None:
        caller = http.caller()
        self._venue.gateway.create(caller, http.body(rpc.CreateParams), http.received(), http)

    def _create_batch(self, http: Http) -> None:
        caller = http.caller()
        outcomes = self._venue.gateway.create_batch(caller, http.body(list[rpc.CreateParams]), http.received())
        refused = [outcome for outcome in outcomes if isinstance(outcome, ApiRefusal)]
        orders = [self._order_json(outcome) for outcome in outcomes if isinstance(outcome, SimOrder)]
        errors = [{"error": refusal.code, "message": refusal.message} for refusal in refused]
        http.json({"orders": orders, "errors": errors}, 201)

    def _modify(self, http: Http) -> dict[str, Any]:
        caller, params = http.caller(), http.body(ModifyParams)
        if params.id != http.args[0]:
            raise ApiRefusal("VALIDATION_ERROR", "the id of the path and of the body differ")
        return self._order_json(self._venue.gateway.modify(caller, params.id, params.as_create()))

    def _cancel(self, http: Http) -> None:
        caller = http.caller()
        self._venue.gateway.cancel(caller, self._venue.gateway.find(caller, order_id=http.args[0]), http.no_content)

    def _cancel_by_client_id(self, http: Http) -> None:
        caller, market = http.caller(), http.call.query.get("market", "")
        order = self._venue.gateway.find(caller, client_id=http.args[0], market=market)
        self._venue.gateway.cancel(caller, order, http.no_content)

    def _cancel_all(self, http: Http) -> dict[str, Any]:
        self._venue.gateway.cancel_all(http.caller(), http.call.query.get("market", ""))
        return {}

    def _cancel_batch(self, http: Http) -> dict[str, Any]:
        caller, body = http.caller(), http.body(_CancelBatch)
        account = caller.account
        asked = [(order_id, "", account.orders.get(order_id)) for order_id in body.order_ids]
        asked += [("", client_id, account.by_client_id.get(client_id)) for client_id in body.client_order_ids]
        statuses = self._venue.gateway.cancel_batch(caller, [order for _, _, order in asked])
        return _results(
            private.cancel_result(
                account,
                order.id if order else order_id,
                order.client_id if order else client_id,
                order.symbol if order else "",
                status,
            )
            for (order_id, client_id, order), status in zip(asked, statuses, strict=True)
        )

    # Helpers

    def _page(
        self, http: Http, newest_first: Sequence[T], id_of: Callable[[T], str], to_json: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the page of a list that the query asks for."""
        cursor = http.call.query.get("cursor", "")
        page = self._pager.page(http.list_name(), newest_first, id_of, http.page_size(), cursor)
        return {"results": [to_json(item) for item in page.items], "next": page.next, "prev": page.prev}

    def _order_json(self, order: SimOrder) -> dict[str, Any]:
        return wire_json.order_json(order_record(order, self._venue.clock.unix_ns()))

    def _market(self, symbol: str, unknown_status: int = 400) -> SimMarket:
        market = self._exchange.markets.get(symbol)
        if market is None:
            raise ApiRefusal("MARKET_NOT_FOUND", f"no market {symbol[:40]}", unknown_status)
        return market

    def _named(self, http: Http, *, everything: bool = False) -> list[SimMarket]:
        """Return the market the query names, or all for ALL.

        everything: also when it names none; the spec has such calls answer 404 for an unknown market, and others 400.
        """
        symbol = http.call.query.get("market", "ALL" if everything else "")
        if not symbol:
            raise ApiRefusal("INVALID_REQUEST_PARAMETER", "market is required")
        return (
            list(self._exchange.markets.values())
            if symbol == "ALL"
            else [self._market(symbol, 404 if everything else 400)]
        )


class _CreateToken(msgspec.Struct):
    name: str
    token_type: str
    expiry_duration: int


class _CancelBatch(msgspec.Struct):
    order_ids: list[str] = []
    client_order_ids: list[str] = []


def _results(objects: Any) -> dict[str, Any]:
    return {"results": list(objects)}


def _paged(objects: Any) -> dict[str, Any]:
    return {"results": list(objects), "next": None, "prev": None}
