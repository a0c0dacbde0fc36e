"""A tiny TLS peer in a process of its own: answers Paradex-shaped orders over WebSocket and over HTTPS.

It checks no signature and keeps no order, so that what is measured is the connection. For each round trip asked for it
listens behind a simulated network of that length; 0 means loopback itself, with no proxy between.
Started by `connect`; prints one JSON line when ready and ends when its standard input does.
"""

import argparse
import asyncio
import json
import random
import ssl
import sys
from pathlib import Path

import httptools
import orjson
import picows
import trustme
from picows import WSFrame, WSMsgType, WSTransport

from deltawire.net.loop import run
from deltawire.net.tls import server_context
from deltawire.sim.network import DelayProxy, Link

_HOST = "127.0.0.1"
_TEXT = WSMsgType.TEXT


def reply(request: bytes) -> bytes:
    """Return a Paradex-shaped answer to an order.create request: same id, the order as NEW."""
    call = orjson.loads(request)
    order = call["params"]
    return orjson.dumps(
        {
            "jsonrpc": "2.0",
            "result": {
                "order": {
                    **{name: order[name] for name in ("market", "side", "size", "price", "type", "instruction")},
                    "id": "1763800000000201709123456789",
                    "client_id": order.get("client_id", ""),
                    "account": "0x2b4a1f3c7d",
                    "status": "NEW",
                    "remaining_size": order["size"],
                    "cancel_reason": "",
                    "avg_fill_price": "",
                    "created_at": 1763800000000,
                    "last_updated_at": 1763800000000,
                }
            },
            "usIn": 1763800000000000,
            "usOut": 1763800000000350,
            "id": call["id"],
        }
    )


class _Orders(picows.WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is _TEXT:
            transport.send(_TEXT, reply(frame.get_payload_as_bytes()))
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


class _Http(asyncio.Protocol):
    """Answers every POST with `reply`, and every GET with a small object; keeps its connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # the base class is typed for pipes too

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        content = reply(bytes(self._body)) if self._body else b'{"server_time":1763800000000}'
        self._body.clear()
        assert self._transport is not None
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
        self._transport.write(head + content)


async def serve(rtts_ms: list[float], folder: Path) -> None:
    """Serve until standard input ends. folder: gets the CA (ca.pem) and the server's key."""
    context = _context(folder)
    loop = asyncio.get_running_loop()
    http = await loop.create_server(_Http, _HOST, 0, ssl=context)
    ws = await picows.ws_create_server(lambda _request: _Orders(), _HOST, 0, ssl=context)
    ports = {"http": _port_of(http), "ws": _port_of(ws)}
    proxies: list[DelayProxy] = []
    peers = []
    for rtt_ms in rtts_ms:
        at = dict(ports)
        if rtt_ms > 0:
            for kind, port in ports.items():
                proxy = DelayProxy(
                    port,
                    Link.of_rtt(rtt_ms),
                    rng=random.Random(1),  # noqa: S311  no jitter is drawn from it
                    log=None,
                )
                at[kind] = await proxy.start()
                proxies.append(proxy)
        peers.append({"rtt_ms": rtt_ms, **at})
    sys.stdout.write(json.dumps({"peers": peers}) + "\n")
    sys.stdout.flush()
    await _end_of_input()
    for proxy in proxies:
        await proxy.stop()
    http.close()
    ws.close()


def _context(folder: Path) -> ssl.SSLContext:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.issue_cert(_HOST).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return server_context(str(folder / "server.pem"))


def _port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtt-ms", type=float, nargs="+", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    run(serve(arguments.rtt_ms, arguments.folder))


if __name__ == "__main__":
    main()
