"""One Paradex WebSocket kept open: connect, handshake, reconnect with backoff and budget, control calls by id.

Knows JSON-RPC envelopes, not what they mean. Order requests go through `send` and their answers to the owner; control
calls (auth, subscribe, ...) have small ids and are answered to their caller.

Source: Paradex protocol reference, section 5.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from deltawire.net.api import Network, WsConnection
from deltawire.net.backoff import Backoff, ConnectBudget
from deltawire.venues.contract import Clock, DecodeError, EventLog, Refused
from deltawire.venues.paradex import rpc, sbe
from deltawire.venues.paradex.rest import NAME
from deltawire.venues.paradex.settings import ParadexSettings

STABLE_NS = 10 * 10**9  # a connection that lived this long has proved itself: the next reconnect starts at the floor
DISTURBED = (OSError, TimeoutError, Refused, DecodeError)  # what a connect or a handshake may fail with


class LinkOwner(Protocol):
    """Who uses a link. Calls are synchronous, on the loop."""

    async def handshake(self) -> None:
        """Make the fresh connection fit for use; raise to have it dropped and tried again."""

    def on_up(self) -> None: ...
    def on_down(self, detail: str) -> None:
        """The connection is gone, perhaps before its handshake was over."""

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        """An answer to no control call of this connection."""

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None: ...
    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None: ...
    def on_unreadable(self, reason: str) -> None:
        """A text frame could not be read: whatever it said is lost."""


class OrderCarrier(Protocol):
    """What carries orders: a link, or several of them as one (`order_lines`)."""

    @property
    def up(self) -> bool: ...
    @property
    def line(self) -> object:
        """Which connection carries the next order: orders are in doubt when theirs is lost."""

    @property
    def sent(self) -> int: ...
    @property
    def opened_mono_ns(self) -> int: ...
    def send(self, payload: bytes) -> None: ...
    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


class Link:
    """`start` opens the connection or raises; from then on it keeps itself open until `close`."""

    def __init__(
        self,
        name: str,
        owner: LinkOwner,
        settings: ParadexSettings,
        *,
        network: Network,
        clock: Clock,
        log: EventLog,
        backoff: Backoff,
        budget: ConnectBudget,
    ) -> None:
        self.name = name
        self.up = False  # open and past its handshake
        self.opened_mono_ns = 0
        self.heard_mono_ns = 0
        self.sent = 0  # requests this connection has carried
        self.connects = 0
        self._owner, self._settings = owner, settings
        self._network, self._clock, self._log = network, clock, log
        self._backoff, self._budget = backoff, budget
        self._url = f"{settings.ws_url}?{sbe.QUERY}" if settings.sbe else settings.ws_url
        self._socket: _Socket | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._closing = False

    @property
    def line(self) -> object:
        return self

    async def start(self) -> None:
        """Open once. Raises what connecting or the handshake raised."""
        await self._open()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"paradex {self.name}")

    def send(self, payload: bytes) -> None:
        """Write one text frame now. Raises ConnectionError when there is no open connection: then nothing left."""
        socket = self._socket
        if socket is None or socket.connection is None:
            raise ConnectionError(f"{self.name} is not connected")
        socket.connection.send_text(payload)
        self.sent += 1

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a control request and return its result.

        Raises Refused for an error reply, ConnectionError when the connection goes, TimeoutError when nothing comes.
        """
        self._last_id += 1
        request_id = self._last_id
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[request_id] = answered
        try:
            self.send(rpc.encode_request(request_id, method, params))
            async with asyncio.timeout(self._settings.call_timeout_s):
                return await answered
        except TimeoutError as e:
            raise TimeoutError(f"{method}: no answer within {self._settings.call_timeout_s:g} s") from e
        finally:
            self._calls.pop(request_id, None)

    def drop(self, why: str) -> None:
        """Give the connection up; the link opens a new one."""
        if self._socket is not None and self._socket.connection is not None:
            self._log.warning("paradex.ws.dropped_here", link=self.name, reason=why)
            self._socket.connection.abort()

    async def close(self) -> None:
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        connection = self._socket.connection if self._socket is not None else None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

    # The keeper.

    async def _open(self) -> None:
        self._lost.clear()
        self.up, self.sent = False, 0
        socket = _Socket(self)
        self._socket = socket
        try:
            socket.connection = await self._network.connect_ws(
                self._url,
                socket,
                timeout_s=self._settings.connect_timeout_s,
            )
            self.opened_mono_ns = self.heard_mono_ns = self._clock.mono_ns()
            await self._owner.handshake()
            socket.check()
        except BaseException as e:
            lost_already = self._socket is not socket
            self._socket = None
            self._lost.set()
            if socket.connection is not None:
                socket.connection.abort()
                if not lost_already:
                    self._owner.on_down(f"handshake failed: {e}")
            raise
        self.up = True
        self.connects += 1
        self._log.info("paradex.ws.up", link=self.name, connects=self.connects)
        self._owner.on_up()

    async def _keep(self) -> None:
        while True:
            await self._lost.wait()
            if self._clock.mono_ns() - self.opened_mono_ns > STABLE_NS:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())
            while wait_ns := self._budget.take(self._clock.mono_ns()):
                self._log.warning("paradex.ws.connect_budget_used_up", link=self.name, wait_ns=wait_ns)
                await asyncio.sleep(wait_ns / 1e9)
            try:
                await self._open()
            except DISTURBED as e:
                self._log.warning(
                    "paradex.ws.connect_failed", link=self.name, reason=str(e), tries=self._backoff.attempts
                )
            except Exception as e:  # noqa: BLE001  a bug in a handshake must be told, not end the keeper unseen
                self._log.error("paradex.ws.handshake_bug", link=self.name, reason=f"{type(e).__name__}: {e}")

    # What the socket says.

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        self.heard_mono_ns = received_mono_ns
        try:
            frame = rpc.decode_server(payload)
        except DecodeError as e:
            self._log.warning("paradex.ws.unreadable_text", link=self.name, reason=str(e))
            self._owner.on_unreadable(str(e))
            return
        if isinstance(frame, rpc.Notification):
            self._owner.on_channel(frame.channel, frame.data, received_mono_ns)
            return
        call = self._calls.get(frame.id) if frame.id is not None else None
        if call is None:
            self._owner.on_answer(frame, received_mono_ns)
        elif not call.done():
            _settle(call, frame)

    def on_closed(self, code: int, reason: str) -> None:
        detail = f"closed with code {code} {reason}".rstrip()
        was_up, self.up = self.up, False
        self._socket = None
        for call in self._calls.values():
            if not call.done():
                call.set_exception(ConnectionError(f"{self.name} {detail}"))
        self._lost.set()
        if was_up and not self._closing:
            self._log.warning("paradex.ws.down", link=self.name, code=code, reason=reason)
        self._owner.on_down(detail)


class _Socket:
    """Implements net.api.WsHandler for one connection, so that a late word of an old one is not taken for the new."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.connection: WsConnection | None = None
        self.over = False

    def check(self) -> None:
        if self.over:
            raise ConnectionError("the connection was lost in its handshake")

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        if self._link._socket is self:
            self._link.on_text(payload, received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        link = self._link
        if link._socket is self:
            link.heard_mono_ns = received_mono_ns
            link._owner.on_binary(payload, received_mono_ns)

    def on_closed(self, code: int, reason: str) -> None:
        self.over = True
        if self._link._socket is self:
            self._link.on_closed(code, reason)


class Caller(Protocol):
    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


async def subscribe(link: Caller, channels: Iterable[str]) -> None:
    """Subscribe to all of them, in this order and in one round trip. Raises as `Link.call` does when one fails."""
    calls = (link.call("subscribe", {"channel": channel}) for channel in channels)
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer


def _settle(call: asyncio.Future[dict[str, Any]], answer: rpc.Reply | rpc.Failure) -> None:
    if isinstance(answer, rpc.Failure):
        call.set_exception(Refused(NAME, str(answer.code), f"{answer.message} {answer.data}".strip()))
        return
    try:
        call.set_result(rpc.decode_result(answer.result))
    except DecodeError as e:
        call.set_exception(e)
