"""The floor of `bench reaction`: the bot's loop and sockets, and no bot. To each frame it writes bytes made before.

It decodes nothing, decides nothing, signs nothing and never signs in, so both venues refuse every order: after they
have read it, which is the moment that counts. What a bot in this language and on these sockets cannot be faster than.
"""

import asyncio
import json
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiofastnet
import picows
from picows import WSFrame, WSMsgType, WSTransport

from deltawire.bench.subject import Subject, serve
from deltawire.core.types import Side
from deltawire.net.tls import client_context
from deltawire.venues.paradex import rpc, sbe

_MARKET = "BTC-USD-PERP"
_READY_S = 20.0
ANSWERS = "answers.json"
# As long as the bot's own: about 470 bytes over WebSocket, 700 over HTTPS.
_ORDER = rpc.encode_order_create(
    1,
    market=_MARKET,
    side=Side.BUY,
    size_e8=100_000,
    price_e8=6_000_000_000_000,
    signature=f'["{10**75 - 1}","{10**75 - 1}"]',
    signature_timestamp_ms=1_763_800_000_000,
    client_id="floor-0-0-P-1",
)
_VEST_BODY = (
    b'{"order":{"time":1763800000000,"nonce":1763800000000,"orderType":"MARKET"},"signature":"0x' + b"0" * 420 + b'"}'
)


class _Paradex(picows.WSListener):
    """Answers each binary frame, which is market data, with the same order, at both venues."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.first = asyncio.Event()
        self.vest: asyncio.Transport | None = None
        self.vest_request = b""
        self.answers: list[tuple[int, int, int]] = []  # frame in callback, first order written, both; monotonic ns

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        received_ns = time.monotonic_ns()
        if frame.msg_type is WSMsgType.BINARY:
            transport.send(WSMsgType.TEXT, _ORDER)
            first_ns = time.monotonic_ns()
            if self.vest is not None:
                self.vest.write(self.vest_request)
            self.answers.append((received_ns, first_ns, time.monotonic_ns()))
            self.frames += 1
            if self.frames == 1:
                self.first.set()


class _Vest(asyncio.Protocol):
    """An HTTPS connection whose answers nobody reads."""

    def __init__(self) -> None:
        self.lost = False

    def data_received(self, data: bytes) -> None:
        """Let the refusal go by."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        self.lost = True


async def body(subject: Subject) -> dict[str, Any]:
    ready = subject.job["ready"]
    context = client_context(ready["ca_file"])
    transport, vest = await _vest(ready["vest"]["rest_url"], context)
    paradex = _Paradex()
    paradex.vest, paradex.vest_request = transport, _vest_request(ready["vest"]["rest_url"])
    url = f"{ready['paradex']['ws_url']}?{sbe.QUERY}"
    socket, _ = await picows.ws_connect(lambda _request, _response: paradex, url, ssl_context=context)
    socket.send(WSMsgType.TEXT, rpc.encode_request(1, "subscribe", {"channel": rpc.bbo_channel(_MARKET)}))
    await asyncio.wait_for(paradex.first.wait(), _READY_S)
    began_s = time.monotonic()
    await subject.ready()
    # Too many for a line of standard output.
    await asyncio.to_thread((Path(subject.job["folder"]) / ANSWERS).write_text, json.dumps(paradex.answers))
    told = {"frames": paradex.frames, "seconds": time.monotonic() - began_s, "vest_lost": vest.lost}
    socket.disconnect()
    await socket.wait_disconnected()
    transport.abort()
    return told


async def _vest(rest_url: str, context: ssl.SSLContext) -> tuple[asyncio.Transport, _Vest]:
    at = urlsplit(rest_url)
    transport, protocol = await aiofastnet.create_connection(
        asyncio.get_running_loop(), _Vest, at.hostname, at.port, ssl=context, server_hostname=at.hostname
    )
    return transport, protocol


def _vest_request(rest_url: str) -> bytes:
    at = urlsplit(rest_url)
    head = (
        f"POST {at.path}/orders HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n"
        f"X-API-KEY: {'0' * 64}\r\nContent-Length: {len(_VEST_BODY)}\r\n\r\n"
    )
    return head.encode() + _VEST_BODY


if __name__ == "__main__":
    serve(body)
