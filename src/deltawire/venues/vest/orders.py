"""Vest order entry: sign, write on a warm connection, and follow each order to its end.

An order is written once and never again (I3). What is learned comes from the answer, the private stream and, when that
stays silent, GET /orders; tracking.py turns it into events. Source: Vest API v2 notes, sections 5, 7, 8, 9.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

from msgspec import UNSET, UnsetType

from deltawire.core.events import Acked, InDoubt, NotSent, OrderEvent, Rejected, Sent
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side, VenueOrderId
from deltawire.net.api import HttpFailure, HttpPool, HttpResponse
from deltawire.venues.contract import Clock, DecodeError, EventLog, OrderReport, PreparedOrder, VenueSink
from deltawire.venues.vest import errors, formatting, rest, signing, tracking, wire
from deltawire.venues.vest.account import Account, needs_registration
from deltawire.venues.vest.reads import VENUE, split_rest_url
from deltawire.venues.vest.registry import Registry
from deltawire.venues.vest.rest import VenueError
from deltawire.venues.vest.settings import OrderStyle, VestSettings
from deltawire.venues.vest.tracking import OrderNews, TrackedOrder

_MS_NS = 1_000_000
_REDUCE_ONLY_REFUSALS = {3018, 3019}
# Style -> orderType and timeInForce; on MARKET the second must be left out.
_STYLES: dict[OrderStyle, tuple[str, str | UnsetType]] = {
    OrderStyle.MARKET: (signing.MARKET, UNSET),
    OrderStyle.LIMIT_FOK: (signing.LIMIT, "FOK"),
    OrderStyle.LIMIT_IOC: (signing.LIMIT, "IOC"),
}


class Nonces:
    """One generator for orders and cancels: above the last one used, and at least the time in ms."""

    def __init__(self) -> None:
        self.last = 0  # given out
        self.used = 0  # the highest that was sent

    def start_above(self, last_used: int) -> None:
        self.last = max(self.last, last_used)

    def next(self, now_ms: int) -> int:
        self.last = max(self.last + 1, now_ms)
        return self.last

    def use(self, nonce: int) -> None:
        """Note that an order or cancel with this nonce leaves now."""
        self.used = max(self.used, nonce)


class OrderDesk:
    """Implements prepare, submit, cancel and look_up of the venue contract."""

    def __init__(
        self,
        settings: VestSettings,
        account: Account,
        pool: HttpPool,
        markets: dict[str, tuple[Instrument, wire.Market]],
        *,
        sink: VenueSink,
        clock: Clock,
        log: EventLog,
        on_rejected: Callable[[str, int], None],
    ) -> None:
        """on_rejected: called with symbol and code (or HTTP status) of each rejection, before the sink hears of it."""
        self._on_rejected = on_rejected
        self._settings, self._account, self._pool, self._markets = settings, account, pool, markets
        self._sink, self._clock, self._log = sink, clock, log
        self._send_reduce_only = settings.send_reduce_only
        self.nonces = Nonces()
        self._target = split_rest_url(settings.rest_url)[1] + "/orders"
        self._headers = b""
        self.refresh_headers()
        self._registry = Registry(log)
        self._tasks: set[asyncio.Task[None]] = set()
        self._polling: set[int] = set()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._stream_up = False
        self._closing = False

    def refresh_headers(self) -> None:
        """Take over a new API key or account group."""
        self._headers = rest.header_lines(self._account.access.headers(private=True, has_body=True))

    async def close(self) -> None:
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # The contract.

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        """Sign and encode an immediate order with its cap. Raises ValueError for amounts the market does not take."""
        stamps.prepared_mono_ns = self._clock.mono_ns()
        return self._sign(request, self._fields(request), self._account.signer, stamps)

    def presign(self, request: OrderRequest) -> Callable[[], PreparedOrder]:
        """Lay out an order now, and return the work of signing it. Raises as prepare does."""
        return partial(self._sign, request, self._fields(request), self._account.signer, OrderStamps())

    def _fields(self, request: OrderRequest) -> wire.OrderFields:
        if request.size_e8 <= 0 or request.cap_price_e8 <= 0:
            raise ValueError(f"size {request.size_e8}e-8 and cap {request.cap_price_e8}e-8 must be above zero")
        market = self._markets[request.instrument.symbol][1]
        time_ms = self._account.now_ms()
        order_type, time_in_force = _STYLES[self._settings.order_style]
        return wire.OrderFields(
            time=time_ms,
            nonce=self.nonces.next(time_ms),
            order_type=order_type,
            symbol=market.symbol,
            is_buy=request.side is Side.BUY,
            size=formatting.exact(request.size_e8, market.size_decimals),
            # Mandatory: the worst price we take. Without it MARKET orders failed live.
            limit_price=formatting.exact(request.cap_price_e8, market.price_decimals),
            reduce_only=request.reduce_only and self._send_reduce_only,
            time_in_force=time_in_force,
        )

    def _sign(
        self, request: OrderRequest, order: wire.OrderFields, signer: signing.Signer, stamps: OrderStamps
    ) -> PreparedOrder:
        """Work on the order alone: it may run on another thread."""
        signature = signer.sign(rest.signed_order_bytes(order))
        stamps.signed_mono_ns = self._clock.mono_ns()
        window_ms = self._settings.window_ms(request.purpose)
        payload = rest.order_body(order, window_ms, signature)
        stamps.encoded_mono_ns = self._clock.mono_ns()
        return PreparedOrder(request, order.nonce, order.time, payload, window_ms, stamps)

    def submit(self, prepared: PreparedOrder) -> None:
        """Write the order on an idle warm connection; with none idle, open one in a task."""
        order = self._registry.add(prepared, window_ms=prepared.window_ms)
        self.nonces.use(prepared.correlator)
        stamps = prepared.stamps
        stamps.transport = "https"
        written = self._pool.post_now(self._target, self._headers, prepared.payload, partial(self._on_answer, order))
        if written is None:
            # From here on the bytes may leave at any time, so it counts as sent; NotSent follows if none could.
            self._tell(order, Sent())
            self._log.warning("vest.order.no_idle_connection", client_id=order.client_id, idle=self._pool.idle)
            self._spawn(self._submit_cold(order, prepared.payload))
            return
        stamps.written_mono_ns = written.written_mono_ns
        stamps.reused = written.reused
        stamps.connection_age_ns = written.connection_age_ns
        stamps.connection_requests = written.connection_requests
        self._tell(order, Sent())

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask for the end of an order. MARKET orders never rest, so mostly this only reads how it ended."""
        order = self._registry.by_client_id(client_id)
        if order is None or order.closed:
            return
        self._spawn(self._cancel(order))

    async def look_up(self, client_id: ClientOrderId, correlator: int) -> OrderReport | None:
        """Read an order by its nonce. None: the lists do not have it now; they lag by look_up_lag_ms."""
        order = self._registry.by_client_id(client_id)
        rows = await self._account.orders_by_nonce(correlator)
        if order is not None:
            rows = [row for row in rows if tracking.is_ours(order, row)]
            self._learn_rows(order, rows)
        return tracking.report(order, rows) if rows else None

    # The private stream.

    def on_stream(self, *, up: bool) -> None:
        """Take note of the private stream: while it is down nothing is told, so unfinished orders are read."""
        self._stream_up = up
        if up:
            for order in self._registry.unfinished():
                self._poll_after(order, 0)

    def on_order_event(self, event: wire.OrderEvent, received_mono_ns: int) -> None:
        order = self._registry.find(event)
        if order is not None:
            self._learn(order, event, received_mono_ns, is_row=False)

    # Answers.

    def _on_answer(self, order: TrackedOrder, outcome: HttpResponse | HttpFailure) -> None:
        if isinstance(outcome, HttpFailure):
            self._log.warning(
                "vest.order.failed", client_id=order.client_id, reason=outcome.reason, maybe_sent=outcome.maybe_sent
            )
            self._settle_doubt(order, InDoubt(outcome.reason) if outcome.maybe_sent else NotSent(outcome.reason))
            if order.stamps.written_mono_ns:
                self._log_connection(order, None)
            return
        order.stamps.reply_mono_ns = outcome.received_mono_ns
        try:
            venue_order_id = rest.read_answer(outcome.status, outcome.body, wire.OrderId).id
            if not venue_order_id:
                raise DecodeError("the answer's id is empty")  # noqa: TRY301  the same as a missing one
        except VenueError as e:
            order.stamps.acked_mono_ns = self._clock.mono_ns()
            self._on_refusal(order, e)
        except DecodeError as e:
            self._settle_doubt(order, InDoubt(str(e)))
        else:
            order.stamps.acked_mono_ns = self._clock.mono_ns()
            self._on_ack(order, venue_order_id)
        self._log_connection(order, outcome)

    def _on_ack(self, order: TrackedOrder, venue_order_id: str) -> None:
        if order.venue_order_id and order.venue_order_id != venue_order_id:
            self._alarm(order, f"answered as {venue_order_id[:80]}, known as {order.venue_order_id[:80]}")
        told, order.venue_order_id = order.venue_order_id, venue_order_id
        self._registry.name(order)
        if not told and not order.closed:
            self._tell(order, Acked(VenueOrderId(venue_order_id)))
        for event in self._registry.take_early(venue_order_id):
            self._learn(order, event, order.stamps.reply_mono_ns, is_row=False)
        if not order.closed:
            self._poll_after(order, self._settings.fill_poll_after_ms if self._stream_up else 0)

    def _on_refusal(self, order: TrackedOrder, error: VenueError) -> None:
        rule = errors.rule_for_answer(error)
        if needs_registration(error):
            self._account.on_unauthorized()
        if order.venue_order_id or order.told_e8:
            # The stream has already shown the order at the venue: the answer contradicts it, so read.
            self._alarm(order, f"refused with {errors.reason(error.code)} after the venue showed it")
            self._poll_after(order, 0)
        elif rule.verdict is errors.Verdict.REJECTED:
            order.closed = True
            code = str(error.code if error.code is not None else f"http {error.http_status}")
            self._tell(order, Rejected(code, error.msg or rule.name))
        else:
            self._settle_doubt(order, InDoubt(str(error)))

    def _settle_doubt(self, order: TrackedOrder, event: InDoubt | NotSent) -> None:
        """Tell what a lost answer leaves open, unless the stream has settled it already."""
        if order.closed:
            return
        if order.venue_order_id:
            self._poll_after(order, 0)  # the venue has shown it: no doubt that it is there, only how it ended
            return
        if isinstance(event, NotSent):
            order.closed = True
        self._tell(order, event)

    async def _submit_cold(self, order: TrackedOrder, payload: bytes) -> None:
        try:
            response = await self._pool.request("POST", self._target, self._headers, payload)
        except HttpFailure as e:
            self._on_answer(order, e)
            return
        stamps = order.stamps
        stamps.written_mono_ns = response.written_mono_ns
        stamps.reused = response.reused
        stamps.connection_age_ns = response.connection_age_ns
        stamps.connection_requests = response.connection_requests
        self._on_answer(order, response)

    async def _cancel(self, order: TrackedOrder) -> None:
        if not order.venue_order_id:
            await self._read_rows(order)  # a cancel names the venue's id
        if order.closed or not order.venue_order_id:
            return
        time_ms = self._account.now_ms()
        fields = wire.CancelFields(time_ms, self.nonces.next(time_ms), order.venue_order_id)
        self.nonces.use(fields.nonce)
        try:
            await self._account.cancel(fields)
        except (OSError, DecodeError, VenueError) as e:
            # 3017 is usual: it has ended. Whatever it was, the row says how the order stands.
            self._log.info("vest.cancel.not_taken", client_id=order.client_id, reason=str(e))
        self._poll_after(order, 0)

    # Reading how an order ended.

    def _poll_after(self, order: TrackedOrder, delay_ms: int) -> None:
        timer = self._timers.pop(order.nonce, None)
        if timer is not None:
            timer.cancel()
        if self._closing:
            return
        loop = asyncio.get_running_loop()
        self._timers[order.nonce] = loop.call_later(delay_ms / 1e3, self._start_poll, order)

    def _start_poll(self, order: TrackedOrder) -> None:
        self._timers.pop(order.nonce, None)
        if not order.closed and order.nonce not in self._polling:
            self._polling.add(order.nonce)
            self._spawn(self._poll(order))

    async def _poll(self, order: TrackedOrder) -> None:
        try:
            for attempt in range(self._settings.fill_polls):
                if attempt:
                    await asyncio.sleep(self._settings.fill_poll_interval_ms / 1e3)
                if not order.closed:  # the stream may have been quicker
                    await self._read_rows(order)
                if order.closed:
                    return
        finally:
            self._polling.discard(order.nonce)
        self._tell(order, InDoubt(f"no end shown in {self._settings.fill_polls} reads after the acknowledgement"))

    async def _read_rows(self, order: TrackedOrder) -> None:
        try:
            rows = await self._account.orders_by_nonce(order.nonce)
        except (OSError, DecodeError, VenueError) as e:
            self._log.warning("vest.order.read_failed", client_id=order.client_id, reason=str(e))
            return
        self._learn_rows(order, rows)

    def _learn_rows(self, order: TrackedOrder, rows: list[wire.OrderRow]) -> None:
        for row in sorted(rows, key=lambda found: (found.status == wire.REJECTED, found.post_time)):
            if tracking.is_ours(order, row):
                self._learn(order, row, self._clock.mono_ns(), is_row=True)

    def _learn(self, order: TrackedOrder, news: OrderNews, received_mono_ns: int, *, is_row: bool) -> None:
        told_e8 = order.told_e8
        learned = tracking.learn(order, news, is_row=is_row)
        self._registry.name(order)
        if not order.stamps.venue_received_unix_ns:  # the one stamp Vest tells of an order, in whole milliseconds
            order.stamps.venue_received_unix_ns = news.post_time * 10**6
        if order.told_e8 > told_e8:
            order.stamps.filled_mono_ns = received_mono_ns
        for event in learned.events:
            self._tell(order, event)
        if learned.alarm:
            self._alarm(order, learned.alarm)
        if learned.read_again and not is_row:
            self._poll_after(order, 0)
        if order.closed:
            timer = self._timers.pop(order.nonce, None)
            if timer is not None:
                timer.cancel()
        elif not is_row and order.nonce not in self._timers:
            # Known from the stream, perhaps before its answer or instead of it: its end must not be missed either.
            self._poll_after(order, self._settings.fill_poll_after_ms)

    # Bookkeeping.

    def _tell(self, order: TrackedOrder, event: OrderEvent) -> None:
        if isinstance(event, Rejected):
            self._note_rejection(order, int(event.code.removeprefix("http ")))
        self._sink.on_order(order.client_id, event)

    def _note_rejection(self, order: TrackedOrder, code: int) -> None:
        if code in _REDUCE_ONLY_REFUSALS and self._send_reduce_only:
            # Reports clash on whether the venue takes the flag. No close fails on it twice: the size does the work.
            self._send_reduce_only = False
            self.nonces.use(self.nonces.last)  # what was signed ahead carries the flag
            self._log.warning("vest.reduce_only.refused", client_id=order.client_id, code=code)
        self._on_rejected(order.symbol, code)

    def _alarm(self, order: TrackedOrder, what: str) -> None:
        self._log.error("vest.order.alarm", client_id=order.client_id, nonce=order.nonce, what=what)

    def _log_connection(self, order: TrackedOrder, response: HttpResponse | None) -> None:
        """Log by which connection the order went and what came back; without an answer there is no status."""
        stamps = order.stamps
        headers = {} if response is None else response.headers
        limits = {k.removeprefix("x-"): v for k, v in headers.items() if k.startswith("x-ratelimit-")}
        self._log.info(
            "order.connection",
            reused=stamps.reused,
            age_ns=stamps.connection_age_ns,
            requests=stamps.connection_requests,
            client_id=order.client_id,
            venue=VENUE,
            status="none" if response is None else response.status,
            **{name.replace("-", "_"): value for name, value in limits.items()},
        )

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.error("vest.orders.task_failed", reason=repr(task.exception()))
