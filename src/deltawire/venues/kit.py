"""Parts an adapter starts from: a WebSocket kept open, orders in flight, numbered questions and orders. Knows no venue.

Paradex and Vest mostly have their own in place of these, for what is particular to them (several sockets with one
budget of connects, nonces, listen keys). examples/toy_venue shows these at work; the conformance suite proves them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, InDoubt, NotSent, OrderEvent, Rejected, Sent
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest
from deltawire.net.api import Network, WsConnection
from deltawire.net.backoff import Backoff
from deltawire.venues.contract import Clock, DecodeError, EventLog, PreparedOrder, Refused

DISTURBED = (OSError, TimeoutError, Refused, DecodeError)  # what a connect or a sign-in may fail with
ORDERS_KEPT = 1_000  # newest orders whose late news still finds its stamps: it comes within seconds
STABLE_NS = 10 * 10**9  # a connection that lived this long has proved itself: the next reconnect starts at the floor


class SocketOwner(Protocol):
    """Who uses a kept socket. Calls are synchronous, on the loop, except sign_in."""

    async def sign_in(self) -> None:
        """Make the fresh connection fit for use; raise one of DISTURBED to have it dropped and tried again."""

    def on_message(self, payload: memoryview, received_mono_ns: int) -> None:
        """Take one text frame. ValueError, KeyError and TypeError mean that it cannot be read: see KeptSocket."""

    def on_up(self) -> None: ...
    def on_down(self, detail: str, *, was_up: bool) -> None:
        """The connection is gone. was_up False: on_up was not called for it; sign_in may still be waiting."""


class KeptSocket:
    """`start` opens the socket or raises; from then on it keeps itself open until `close`. The URL is logged.

    A frame that cannot be read costs the connection: whatever it said of a book or an order is lost, and without the
    connection all of it is in question, which is the truth.
    """

    def __init__(
        self, url: str, owner: SocketOwner, *, network: Network, clock: Clock, log: EventLog, backoff: Backoff
    ) -> None:
        self.is_up = False  # open and signed in
        self.opened_mono_ns = 0
        self.sent = 0  # frames this connection has carried
        self._url, self._owner, self._network = url, owner, network
        self._clock, self._log, self._backoff = clock, log, backoff
        self._connection: WsConnection | None = None
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._open()
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"keep {self._url}")

    def send(self, payload: bytes) -> None:
        """Write one text frame now. Raises ConnectionError when there is no open connection: then nothing left."""
        if self._connection is None or self._lost.is_set():
            raise ConnectionError("not connected")
        self._connection.send_text(payload)
        self.sent += 1

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()

    # net.api.WsHandler

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            self._owner.on_message(payload, received_mono_ns)
        except (ValueError, KeyError, TypeError) as e:
            self._log.warning("socket.unreadable_frame", reason=f"{type(e).__name__}: {e}")
            if self._connection is not None:
                self._connection.abort()

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        self.on_text(payload, received_mono_ns)

    def on_closed(self, code: int, reason: str) -> None:
        was_up, self.is_up = self.is_up, False
        self._lost.set()
        self._log.info("socket.down", url=self._url, code=code, reason=reason)
        self._owner.on_down(f"closed with code {code} {reason}".rstrip(), was_up=was_up)

    # The keeper.

    async def _open(self) -> None:
        self._lost.clear()
        connection = self._connection = await self._network.connect_ws(self._url, self)
        self.opened_mono_ns, self.sent = self._clock.mono_ns(), 0
        try:
            await self._owner.sign_in()
            if self._lost.is_set():
                raise ConnectionError("lost while signing in")  # noqa: TRY301  treated as what sign_in raises
        except BaseException:
            connection.abort()
            await connection.wait_closed()
            raise
        self.is_up = True
        self._log.info("socket.up", url=self._url)
        self._owner.on_up()

    async def _keep(self) -> None:
        while True:
            await self._lost.wait()
            if self._clock.mono_ns() - self.opened_mono_ns > STABLE_NS:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())
            try:
                await self._open()
            except DISTURBED as e:
                self._log.warning("socket.connect_failed", reason=str(e), tries=self._backoff.attempts)
                self._lost.set()
            except Exception as e:  # noqa: BLE001  a bug in a sign-in must be told, not end the keeper unseen
                self._log.error("socket.sign_in_bug", reason=f"{type(e).__name__}: {e}")
                self._lost.set()


class InFlight:
    """Orders written to a kept socket, until each is over or in doubt. Tells of every order what the contract wants."""

    def __init__(
        self, socket: KeptSocket, timeout_s: float, clock: Clock, tell: Callable[[ClientOrderId, OrderEvent], None]
    ) -> None:
        """timeout_s: without an end for this long after the write, an immediate order is in doubt."""
        self._socket, self._timeout_s, self._clock, self._tell = socket, timeout_s, clock, tell
        self._orders: dict[ClientOrderId, PreparedOrder] = {}
        self._timers: dict[ClientOrderId, asyncio.TimerHandle] = {}  # of those neither over nor in doubt

    def submit(self, prepared: PreparedOrder) -> None:
        """Write the order, once. Raises ValueError for one that was submitted before (I3)."""
        client_id, stamps, socket = prepared.request.client_id, prepared.stamps, self._socket
        if client_id in self._orders or stamps.written_mono_ns:
            raise ValueError(f"{client_id} was submitted before")
        self._orders[client_id] = prepared
        if len(self._orders) > ORDERS_KEPT:
            del self._orders[next(iter(self._orders))]
        before = socket.sent
        try:
            if not socket.is_up:
                raise ConnectionError("not signed in")  # noqa: TRY301  the same as from the socket
            socket.send(prepared.payload)
        except ConnectionError as e:
            self._tell(client_id, NotSent(str(e)))
            return
        stamps.written_mono_ns = self._clock.mono_ns()
        stamps.transport, stamps.reused, stamps.connection_requests = "ws", before > 0, before
        stamps.connection_age_ns = stamps.written_mono_ns - socket.opened_mono_ns
        late = InDoubt(f"no end within {self._timeout_s:g} s")
        self._timers[client_id] = asyncio.get_running_loop().call_later(self._timeout_s, self._settle, client_id, late)
        self._tell(client_id, Sent())

    def learn(self, client_id: ClientOrderId, event: OrderEvent, received_mono_ns: int) -> None:
        """Stamp and tell what the venue said of an order, be it ours, finished, or of an earlier run."""
        prepared = self._orders.get(client_id)
        if prepared is not None:
            stamps = prepared.stamps
            stamps.reply_mono_ns = stamps.reply_mono_ns or received_mono_ns
            if isinstance(event, Acked | Rejected):
                stamps.acked_mono_ns = stamps.acked_mono_ns or self._clock.mono_ns()
            elif isinstance(event, FillSeen | FilledTotal):
                stamps.filled_mono_ns = received_mono_ns
        if isinstance(event, Closed | Rejected):
            self._settle(client_id, event)
        else:
            self._tell(client_id, event)

    def doubt_all(self, why: str) -> None:
        """The connection is gone: nobody knows of the orders in flight. Said once of each."""
        for client_id in list(self._timers):
            self._settle(client_id, InDoubt(why))

    def _settle(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        timer = self._timers.pop(client_id, None)
        if timer is not None:
            timer.cancel()
        self._tell(client_id, event)


class Questions:
    """Numbered requests whose answers carry the number."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0

    async def ask(self, send: Callable[[int], None]) -> Any:
        """Call send with a fresh number and return the answer. Raises ConnectionError or TimeoutError."""
        self._last = number = self._last + 1
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            send(number)
            async with asyncio.timeout(self._timeout_s):
                return await asked
        finally:
            del self._asked[number]

    def answer(self, number: int, answer: Any) -> None:
        """Hand an answer to whoever waits for it; nobody does when it comes too late."""
        asked = self._asked.get(number)
        if asked is not None and not asked.done():
            asked.set_result(answer)

    def fail_all(self, why: str) -> None:
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionError(why))


class NumberedOrders(ABC):
    """Prepares orders for a venue that wants each with a time in ms that is used once, and does not want them rising.

    An adapter inherits it, sets `clock` and writes `sign`.
    """

    clock: Clock
    _last_ms = 0

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        """Sign and encode now. See venues.contract."""
        stamps.prepared_mono_ns = self.clock.mono_ns()
        return self.sign(request, self.next_ms(), stamps)

    def presign(self, request: OrderRequest) -> Callable[[], PreparedOrder]:
        """Take the order's number now, and return the work of signing it."""
        return partial(self.sign, request, self.next_ms(), OrderStamps())

    def is_fresh(self, prepared: PreparedOrder) -> bool:  # noqa: ARG002 - its number does not age by those of others
        return True

    def next_ms(self) -> int:
        """Return now, or one more than the last: it never repeats nor goes back."""
        self._last_ms = max(self.clock.unix_ns() // 1_000_000, self._last_ms + 1)
        return self._last_ms

    @abstractmethod
    def sign(self, request: OrderRequest, signed_ms: int, stamps: OrderStamps) -> PreparedOrder:
        """Sign and encode, and stamp both. It may run on another thread, so it touches nothing but the order."""
