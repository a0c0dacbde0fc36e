"""One WebSocket connection of the simulated Paradex: JSON-RPC in, replies and frames out. Sans-I/O.

The binding hands in text frames with the time they were read and takes what is to be sent through Outlet. Nothing is
sent after the connection is closed. Source: Paradex reference, sections 5, 6 and 19.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from deltawire.sim.paradex_accounts import SimOrder
from deltawire.sim.paradex_channels import Channel, parse_channel
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_gateway import Gateway, Received
from deltawire.sim.paradex_rpc import (
    CancelBatchParams,
    CreateBatchParams,
    ModifyParams,
    ModifySubscriptionParams,
    Params,
    Request,
    decode_request,
)
from deltawire.sim.paradex_rules import ApiRefusal, ParadexSimSettings
from deltawire.sim.paradex_streams import Streams
from deltawire.sim.paradex_tokens import Caller, Tokens
from deltawire.sim.paradex_views import order_record
from deltawire.venues.contract import Clock
from deltawire.venues.paradex import errors, records, rpc, sbe
from deltawire.venues.paradex.wire_json import order_json

P = TypeVar("P", bound=Params)

ON_DISCONNECT = "CANCEL_ON_DISCONNECT"  # GUESS: the venue's text is not known
SCOPED = "markets_summary"  # the channel that takes a list of markets, changeable while it runs
NO_SUBSCRIPTION = 4031  # the close code others saw; after how long is a GUESS


class Outlet(Protocol):
    """The socket side of one connection."""

    @property
    def unsent(self) -> int:
        """Return how many messages the peer has not taken yet."""

    def send_text(self, payload: bytes) -> None: ...
    def send_binary(self, payload: bytes) -> None: ...
    def close(self, code: int) -> None:
        """Say why and close."""

    def abort(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Venue:
    """What every connection works with."""

    clock: Clock
    settings: ParadexSimSettings
    exchange: ParadexExchange
    gateway: Gateway
    tokens: Tokens
    streams: Streams
    counters: Counter[str]


class Session:
    """number: from 1, never used again; it marks the orders that came by this connection."""

    def __init__(self, venue: Venue, outlet: Outlet, number: int, sbe_version: int) -> None:
        self.sbe_version = sbe_version  # as negotiated: every frame it is sent has that layout
        self._venue = venue
        self._outlet = outlet
        self._number = number
        self._caller: Caller | None = None
        self._channels: dict[str, Channel] = {}
        self._cancels_on_disconnect = False
        self._sends_orders = False
        self._silent_until_mono_ns = 0
        self._sent_mono_ns = self._unsubscribed_mono_ns = venue.clock.mono_ns()
        self._heartbeats = 0
        self._open = True
        self._handlers: dict[str, Callable[[_Call], None]] = {
            "auth": self._auth,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "modify_subscription": self._modify_subscription,
            "order.create": self._create,
            "order.create_batch": self._create_batch,
            "order.modify": self._modify,
            "order.cancel": self._cancel,
            "order.cancel_batch": self._cancel_batch,
            "order.cancel_all": self._cancel_all,
            "order.cancel_on_disconnect": self._cancel_on_disconnect,
        }
        venue.streams.connections.append(self)
        venue.counters["connections"] += 1

    # The socket side

    def on_text(self, payload: bytes | memoryview, read_mono_ns: int) -> None:
        """Answer one text frame. A frame that cannot be read is answered with an error."""
        if not self._open:
            return  # read from the socket before a drop took effect
        self._venue.counters["requests"] += 1
        read_unix_ns = self._venue.clock.unix_ns()
        try:
            request = decode_request(payload)
        except rpc.BadRequest as bad:
            self._fail(bad.request_id, bad.code, bad.message, bad.data, read_unix_ns)
            return
        call = _Call(self, request, read_mono_ns, read_unix_ns)
        try:
            if request.method.startswith("order."):
                self._sends_orders = True
            if request.method.startswith("order.create"):
                self._venue.gateway.orders_read_mono_ns.append(read_mono_ns)
            self._venue.counters["private_calls"] += request.method == "auth" or request.method.startswith("order.")
            self._handlers[request.method](call)
        except rpc.BadRequest as bad:
            self._fail(request.id, bad.code, bad.message, bad.data, read_unix_ns)
        except ApiRefusal as refusal:
            code = errors.RATE_LIMITED if refusal.status == 429 else errors.METHOD_ERROR
            # GUESS: the reference expects code 100 with the REST code in message or data.
            self._fail(request.id, code, refusal.message, refusal.code, read_unix_ns)

    def on_disconnected(self) -> None:
        """End the connection's subscriptions and, if armed, its orders. Called once, however it ended."""
        self._open = False
        self._venue.streams.remove(self)
        if self._cancels_on_disconnect and self._caller is not None:
            account = self._caller.account
            self._venue.exchange.cancel_all(account, origin=self._number, reason=ON_DISCONNECT)

    # What the streams see

    @property
    def account(self) -> int:
        return self._caller.account.address if self._caller else 0

    def links(self) -> frozenset[str]:
        kinds = {"private" if channel.is_private else "market data" for channel in self._channels.values()}
        return frozenset(kinds | ({"orders"} if self._sends_orders else set()))

    def send_frame(self, frame: bytes) -> None:
        if self._may_send():
            self._sent_mono_ns = self._venue.clock.mono_ns()
            self._outlet.send_binary(frame)

    def send_json(self, payload: bytes) -> None:
        if self._may_send():
            self._sent_mono_ns = self._venue.clock.mono_ns()
            self._outlet.send_text(payload)

    def tend(self) -> None:
        """Send a heartbeat when nothing else was sent for long, or close what subscribes to nothing. By a timer."""
        settings, now_mono_ns = self._venue.settings, self._venue.clock.mono_ns()
        unsubscribed_ns = 0 if self._channels else now_mono_ns - self._unsubscribed_mono_ns
        if settings.unsubscribed_max_s and unsubscribed_ns >= settings.unsubscribed_max_s * 10**9:
            self._venue.counters["closed_without_subscription"] += 1
            self._open = False
            self._outlet.close(NO_SUBSCRIPTION)
        elif settings.heartbeat_idle_s and now_mono_ns - self._sent_mono_ns >= settings.heartbeat_idle_s * 10**9:
            self._heartbeats += 1
            heartbeat = records.Heartbeat(self._venue.clock.unix_ns(), self._heartbeats)
            self.send_frame(sbe.encode(heartbeat, self.sbe_version))

    def fall_silent(self, for_ms: int) -> None:
        self._silent_until_mono_ns = self._venue.clock.mono_ns() + for_ms * 1_000_000

    def drop(self) -> None:
        self._open = False
        self._outlet.abort()

    def _may_send(self) -> bool:
        if not self._open or self._venue.clock.mono_ns() < self._silent_until_mono_ns:
            return False
        if self._outlet.unsent > self._venue.settings.unsent_messages_max:
            self._venue.counters["slow_readers_cut"] += 1
            self.drop()
            return False
        return True

    # Answers

    def reply(self, request_id: int | str | None, result: dict[str, Any], read_unix_ns: int) -> None:
        now_us = self._venue.clock.unix_ns() // 1_000
        self.send_json(rpc.encode_reply(request_id, result, read_unix_ns // 1_000, now_us))

    def reply_order(self, request_id: int | str | None, order: SimOrder, read_unix_ns: int) -> None:
        record = order_record(order, self._venue.clock.unix_ns())
        self.reply(request_id, rpc.order_result(record, order.received_unix_ns), read_unix_ns)

    def _fail(self, request_id: int | str | None, code: int, message: str, data: str, read_unix_ns: int) -> None:
        now_us = self._venue.clock.unix_ns() // 1_000
        self._venue.counters["requests_refused"] += 1
        self.send_json(rpc.encode_error(request_id, code, message, read_unix_ns // 1_000, now_us, data))

    # Methods

    def _auth(self, call: "_Call") -> None:
        token = call.params(rpc.AuthParams).bearer
        try:
            self._caller = self._venue.tokens.check(token)
        except ApiRefusal as refusal:
            is_jwt = token.count(".") == 2
            code = errors.TOKEN_INVALID if is_jwt else errors.TOKEN_MALFORMED
            raise rpc.BadRequest(code, refusal.message) from refusal
        call.reply({"node_id": f"sim-{self._number}"})

    def _subscribe(self, call: "_Call") -> None:
        params = call.params(rpc.ChannelParams)
        name, markets = params.channel, params.markets
        channel = parse_channel(name, self._venue.exchange.markets)
        if channel is None or (markets is not None and name != SCOPED):
            raise rpc.BadRequest(errors.INVALID_REQUEST, "invalid request", data="invalid channel")
        if name in self._channels:
            raise rpc.BadRequest(errors.INVALID_REQUEST, "invalid request", data="already subscribed")
        if channel.is_private and self._caller is None:
            raise rpc.BadRequest(errors.TOKEN_INVALID, "invalid bearer token", data="channel needs auth")
        if markets is not None:
            channel = replace(channel, scope=self._known(markets))
        self._channels[name] = channel
        call.reply({"channel": name})
        self._venue.streams.subscribe(channel, self)

    def _unsubscribe(self, call: "_Call") -> None:
        name = call.params(rpc.ChannelParams).channel
        if self._channels.pop(name, None) is None:
            raise rpc.BadRequest(errors.INVALID_REQUEST, "invalid request", data="not subscribed")
        self._unsubscribed_mono_ns = self._venue.clock.mono_ns()
        self._venue.streams.unsubscribe(name, self)
        call.reply({"channel": name})

    def _modify_subscription(self, call: "_Call") -> None:
        params = call.params(ModifySubscriptionParams)
        channel = self._channels.get(params.channel)
        if channel is None or channel.scope is None:
            raise rpc.BadRequest(errors.INVALID_REQUEST, "invalid request", data="not subscribed to with markets")
        added, removed = self._known(params.add), self._known(params.remove)
        channel = self._channels[params.channel] = replace(channel, scope=(channel.scope | added) - removed)
        self._venue.streams.rescope(channel, self)
        call.reply({"channel": params.channel, "add": params.add, "remove": params.remove})

    def _known(self, markets: Sequence[str]) -> frozenset[str]:
        """Return the markets as a set. Raises BadRequest for one that does not exist."""
        if not self._venue.exchange.markets.keys() >= set(markets):
            raise rpc.BadRequest(errors.INVALID_PARAMS, "no such market")
        return frozenset(markets)

    def _create(self, call: "_Call") -> None:
        self._venue.gateway.create(call.caller, call.params(rpc.CreateParams), call.received, call)

    def _create_batch(self, call: "_Call") -> None:
        orders = call.params(CreateBatchParams).orders
        outcomes = self._venue.gateway.create_batch(call.caller, orders, call.received)
        now_unix_ns = self._venue.clock.unix_ns()
        call.reply({
            "results": [
                {"error": f"{outcome.code}: {outcome.message}"}
                if isinstance(outcome, ApiRefusal)
                else rpc.order_result(order_record(outcome, now_unix_ns), outcome.received_unix_ns)
                for outcome in outcomes
            ]
        })  # fmt: skip

    def _modify(self, call: "_Call") -> None:
        params = call.params(ModifyParams)
        order = self._venue.gateway.modify(call.caller, params.id, params.as_create())
        record = order_record(order, self._venue.clock.unix_ns())
        call.reply({"order": order_json(record, in_reply=True)})

    def _cancel(self, call: "_Call") -> None:
        params = call.params(rpc.CancelParams)
        if not params.id and not (params.client_id and params.market):
            raise rpc.BadRequest(errors.INVALID_PARAMS, "id, or client_id with market, is required")
        order = self._venue.gateway.find(call.caller, params.id or "", params.client_id or "", params.market or "")
        queued = {"order_id": order.id, "status": "QUEUED_FOR_CANCELLATION"}
        self._venue.gateway.cancel(call.caller, order, lambda: call.reply(queued))

    def _cancel_batch(self, call: "_Call") -> None:
        ids = call.params(CancelBatchParams).order_ids
        orders = [call.caller.account.orders.get(order_id) for order_id in ids]
        statuses = self._venue.gateway.cancel_batch(call.caller, orders)
        results = [
            {"id": order_id, **({"market": order.symbol} if order else {}), "status": status}
            for order_id, order, status in zip(ids, orders, statuses, strict=True)
        ]
        call.reply({"results": results})

    def _cancel_all(self, call: "_Call") -> None:
        market = call.params(rpc.CancelAllParams).market or ""
        self._venue.gateway.cancel_all(call.caller, market)
        call.reply({"status": "ok"})

    def _cancel_on_disconnect(self, call: "_Call") -> None:
        _ = call.caller  # only who has signed in
        self._cancels_on_disconnect = call.params(rpc.CancelOnDisconnectParams).enabled
        call.reply({"enabled": self._cancels_on_disconnect})


class _Call:
    """One request of one connection; answers an order by the gateway's Answer protocol."""

    def __init__(self, session: Session, request: Request, read_mono_ns: int, read_unix_ns: int) -> None:
        self._session = session
        self._request = request
        self._read_unix_ns = read_unix_ns
        self._read_mono_ns = read_mono_ns

    @property
    def caller(self) -> Caller:
        """Return who signed in; raises BadRequest when nobody has."""
        caller = self._session._caller
        if caller is None:
            raise rpc.BadRequest(errors.NOT_AUTHENTICATED, "permission denied")
        if caller.read_only:  # GUESS: it may sign in and listen; the reference has it for GET alone
            raise rpc.BadRequest(errors.NOT_AUTHENTICATED, "permission denied", data="token may only read")
        return caller

    @property
    def received(self) -> Received:
        written = self._session._venue.streams.market_written_mono_ns
        return Received(self._read_mono_ns, self._read_unix_ns, self._session._number, lambda m: written.get(m, 0))

    def params(self, kind: type[P]) -> P:
        assert isinstance(self._request.params, kind)
        return self._request.params

    def reply(self, result: dict[str, Any]) -> None:
        self._session.reply(self._request.id, result, self._read_unix_ns)

    def order(self, order: SimOrder) -> None:
        self._session.reply_order(self._request.id, order, self._read_unix_ns)

    def fail_without_id(self) -> None:
        self._session._fail(None, errors.INTERNAL_ERROR, "internal error", "", self._read_unix_ns)

    def drop(self) -> None:
        self._session.drop()
