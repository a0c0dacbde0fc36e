"""A TLS WebSocket server on loopback for a simulated venue that speaks in text frames. Knows no venue.

For new venues' simulators; the product's two have their own, which stamp and pace what they send.
"""

import asyncio
import ssl
from collections.abc import Callable

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

LOOPBACK = "127.0.0.1"


class TextSession(WSListener):
    """One accepted connection. `user` is for the venue: whose it is, once it has signed in."""

    def __init__(self, server: "TextServer") -> None:
        super().__init__()
        self.user = ""
        self._server = server
        self._transport: WSTransport | None = None

    def send(self, payload: bytes) -> None:
        """Write one text frame; a connection that is gone takes nothing, as in life."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, payload)

    def drop(self) -> None:
        """Close without a close frame."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._server.sessions[self] = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self._server.on_text(self, frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self._transport = None
        self._server.sessions.pop(self, None)


class TextServer:
    def __init__(self, on_text: Callable[[TextSession, bytes], None]) -> None:
        self.on_text = on_text
        self.sessions: dict[TextSession, None] = {}  # open ones, oldest first
        self._server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext, port: int = 0) -> int:
        """Listen on loopback; returns the port."""
        self._server = await ws_create_server(self._accept, LOOPBACK, port, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop every connection; harmless when repeated."""
        if self._server is not None:
            self._server.close()
            for session in list(self.sessions):
                session.drop()
            await self._server.wait_closed()
            self._server = None

    def _accept(self, _request: WSUpgradeRequest) -> TextSession:
        return TextSession(self)
