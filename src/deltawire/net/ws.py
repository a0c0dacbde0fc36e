"""One WebSocket over picows: frames to a handler, stamps, closing. Knows no venue and never reconnects by itself.

Frames may reach the handler, and on_closed may be called, before `connect` has returned: a venue may speak first.
Text is not checked for UTF-8 here (the codec that reads it does). Compression is never offered.

picows 2.3 hands over single frames; joining fragments, bounding a message and ending exactly once are done here.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSParsedURL, WSTransport

from deltawire.net.api import NowNs, WsHandler
from deltawire.net.tcp import connect_tcp, hang_up

if TYPE_CHECKING:
    from picows.picows import WSCloseHandshake

_LOG = logging.getLogger(__name__)
# picows would log upgrade requests, whose target may carry a listen key, at its own level below DEBUG.
_PICOWS_LOG = logging.getLogger("deltawire.net.picows")
_PICOWS_LOG.setLevel(logging.WARNING)

_TEXT, _BINARY = WSMsgType.TEXT, WSMsgType.BINARY
_CONTINUATION, _CLOSE = WSMsgType.CONTINUATION, WSMsgType.CLOSE
_NO_STATUS, _LOST = 1005, 1006  # RFC 6455, 7.4.1: closed without a code; lost without a close frame
_CLOSE_GRACE_S = 1.0  # how long the peer may take to answer our close before the socket is dropped
USER_AGENT = "deltawire"


@dataclass(frozen=True, slots=True)
class WsSettings:
    """ping_idle_s: silence after which we ping (None: never); no answer within ping_reply_s drops the connection."""

    ping_idle_s: float | None = 10.0
    ping_reply_s: float = 5.0
    message_bytes_max: int = 4 * 1024 * 1024  # a full order book in JSON is under 100 KiB; more is not for us

    def __post_init__(self) -> None:
        if self.ping_idle_s is not None and not 0 < self.ping_reply_s <= self.ping_idle_s:
            raise ValueError(f"need 0 < ping_reply_s <= ping_idle_s, got {self.ping_reply_s} and {self.ping_idle_s}")


class PicowsConnection(picows.WSListener):
    """A WsConnection (net.api): the listener picows calls and the connection the adapter holds, in one."""

    def __init__(self, handler: WsHandler, now_ns: NowNs, label: str, message_bytes_max: int) -> None:
        super().__init__()
        self._handler, self._now_ns, self._label = handler, now_ns, label
        self._message_bytes_max = message_bytes_max
        self._transport: WSTransport | None = None
        self._parts: bytearray | None = None  # a fragmented message so far
        self._parts_binary = False
        self._closing = False  # we sent a close frame; what still comes is delivered
        self._dropped = False  # nothing is delivered any more, and the transport is going
        self._why = ""
        self._closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return (
            transport is not None
            and not self._dropped
            and not transport.is_close_frame_sent
            and not transport.underlying_transport.is_closing()
        )

    def send_text(self, payload: bytes) -> None:
        transport = self._transport
        # As is_open; written out, for orders leave here.
        if (
            transport is None
            or self._dropped
            or transport.is_close_frame_sent
            or transport.underlying_transport.is_closing()
        ):
            raise ConnectionError(f"{self._label} is not open")
        transport.send(_TEXT, payload)

    def close(self, code: int = 1000) -> None:
        if not self.is_open:
            return
        assert self._transport is not None
        self._closing = True
        # picows takes any code; only its type stub insists on the enum.
        self._transport.send_close(cast("WSCloseCode", code))
        asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self._drop, "")

    def abort(self) -> None:
        self._drop("aborted here")

    async def wait_closed(self) -> None:
        await self._closed.wait()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._dropped:
            transport.disconnect(graceful=False)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        received_mono_ns = self._now_ns()
        # The rest of a buffer after a failure. picows 2.3 even goes on to deliver a frame it has just refused as too
        # long; its close frame, which is not ours, gives that away.
        if self._dropped or (transport.is_close_frame_sent and not self._closing):
            return
        kind = frame.msg_type
        try:
            if kind is _TEXT and frame.fin and self._parts is None and not frame.rsv1:
                self._handler.on_text(frame.get_payload_as_memoryview(), received_mono_ns)
            elif kind is _BINARY and frame.fin and self._parts is None and not frame.rsv1:
                self._handler.on_binary(frame.get_payload_as_memoryview(), received_mono_ns)
            else:
                self._on_rare_frame(transport, frame, received_mono_ns)
        except Exception:  # noqa: BLE001  a handler's bug ends this connection, loudly, and not the loop
            _LOG.exception("net.ws.handler_failed connection=%s", self._label)
            self._drop("the handler failed")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._closed.is_set():
            return
        self._dropped = True
        self._closed.set()
        code, reason = _close_facts(transport, self._why)
        try:
            self._handler.on_closed(code, reason)
        except Exception:  # noqa: BLE001  the same; the connection is already gone
            _LOG.exception("net.ws.handler_failed connection=%s event=closed", self._label)

    def pause_writing(self) -> None:
        # 64 KiB unread by the peer: an order behind it would leave at a time nobody chose.
        _LOG.warning("net.ws.peer_not_reading connection=%s", self._label)
        self._drop("the peer does not read")

    def resume_writing(self) -> None: ...

    # Helpers.

    def _on_rare_frame(self, transport: WSTransport, frame: WSFrame, received_mono_ns: int) -> None:
        kind = frame.msg_type
        if kind is _CLOSE:
            if not transport.is_close_frame_sent:
                code = int(cast("int", frame.get_close_code()))  # goes back as it came (RFC 6455, 5.5.1)
                transport.send_close(cast("WSCloseCode", code or 1000))
            transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._refuse(transport, WSCloseCode.PROTOCOL_ERROR, "reserved bit set, no extension was agreed")
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            self._on_fragment(transport, frame, received_mono_ns)
        # What is left is a pong nobody waits for.

    def _on_fragment(self, transport: WSTransport, frame: WSFrame, received_mono_ns: int) -> None:
        """Collect one piece of a message; the stamp of a message is that of its last piece."""
        kind = frame.msg_type
        if (kind is _CONTINUATION) != (self._parts is not None):
            self._refuse(transport, WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
            return
        if self._parts is None:
            self._parts, self._parts_binary = bytearray(), kind is _BINARY
        if len(self._parts) + frame.payload_size > self._message_bytes_max:
            self._refuse(transport, WSCloseCode.MESSAGE_TOO_BIG, f"message over {self._message_bytes_max} bytes")
            return
        self._parts += frame.get_payload_as_memoryview()
        if not frame.fin:
            return
        parts, self._parts = self._parts, None
        deliver = self._handler.on_binary if self._parts_binary else self._handler.on_text
        deliver(memoryview(parts), received_mono_ns)

    def _refuse(self, transport: WSTransport, code: WSCloseCode, reason: str) -> None:
        _LOG.warning("net.ws.protocol_error connection=%s reason=%s", self._label, reason)
        transport.send_close(code, reason.encode())
        self._drop(reason)

    def _drop(self, why: str) -> None:
        if self._dropped:
            return
        self._dropped, self._why = True, why
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


def _close_facts(transport: WSTransport, why: str) -> tuple[int, str]:
    """Return code and reason: the peer's words if it had any, else ours, else 1006."""
    # picows' stub leaves out that it is None when neither side sent a close frame.
    handshake = cast("WSCloseHandshake | None", transport.close_handshake)
    if handshake is not None:
        if handshake.recv is not None:
            return int(cast("int", handshake.recv.code)) or _NO_STATUS, handshake.recv.reason or ""
        if handshake.sent is not None:
            return int(cast("int", handshake.sent.code)), why or handshake.sent.reason or "no answer to our close"
    return _LOST, why or "connection lost"


async def connect(
    url: str,
    handler: WsHandler,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    ssl_context: ssl.SSLContext,
    now_ns: NowNs,
    settings: WsSettings,
) -> PicowsConnection:
    """Open one WebSocket. Raises TimeoutError or ConnectionError; both name the url without its query."""
    label = _label(url)
    connection = PicowsConnection(handler, now_ns, label, settings.message_bytes_max)
    sockets: list[socket.socket] = []

    async def make_socket(parsed: WSParsedURL) -> socket.socket:
        sockets.append(await connect_tcp(parsed.host, parsed.port))
        return sockets[0]

    def give_up() -> None:
        """End what there is; picows leaves a half-open upgrade to its own timeout."""
        connection.abort()
        for sock in sockets:
            hang_up(sock)

    try:
        async with asyncio.timeout(timeout_s):
            transport, listener = await picows.ws_connect(
                lambda _request, _response: connection,
                url,
                ssl_context=ssl_context,
                websocket_handshake_timeout=timeout_s,
                socket_factory=make_socket,
                logger_name=_PICOWS_LOG,
                enable_auto_ping=settings.ping_idle_s is not None,
                auto_ping_idle_timeout=settings.ping_idle_s or 0,
                auto_ping_reply_timeout=settings.ping_reply_s,
                max_frame_size=settings.message_bytes_max,
                extra_headers={"User-Agent": USER_AGENT, **headers},
                max_redirects=0,
                ssl_shutdown_timeout=_CLOSE_GRACE_S,
            )
    except TimeoutError as e:
        give_up()
        raise TimeoutError(f"{label} did not open within {timeout_s:g} s") from e
    except (OSError, picows.WSError) as e:
        give_up()
        raise ConnectionError(f"{label} did not open: {type(e).__name__}: {_first_line(e)}") from e
    except BaseException:
        give_up()
        raise
    if cast("object", listener) is None:  # picows reports so a connection lost during the upgrade
        raise ConnectionError(f"{label} did not open: closed by the peer during the upgrade")
    _watch(transport)
    return connection


_WATCHERS: set[asyncio.Task[None]] = set()  # the loop holds tasks weakly


def _watch(transport: WSTransport) -> None:
    """Take the end of the connection from picows, which has logged it: an error nobody takes, asyncio reports late."""
    task = asyncio.get_running_loop().create_task(transport.wait_disconnected())
    _WATCHERS.add(task)

    def taken(task: asyncio.Task[None]) -> None:
        _WATCHERS.discard(task)
        if not task.cancelled():
            task.exception()

    task.add_done_callback(taken)


def _label(url: str) -> str:
    """Return the url without query and user: either may carry a key. Raises ValueError for anything but wss."""
    parts = urlsplit(url)
    if parts.scheme != "wss" or not parts.hostname:
        raise ValueError(f"need a wss:// url with a host, got {parts.scheme}://{parts.hostname or ''}")
    port = f":{parts.port}" if parts.port else ""
    return f"wss://{parts.hostname}{port}{parts.path}"


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200]
