"""The WebSocket against a peer written by hand from RFC 6455, so that picows is not tested with picows."""

import asyncio
import base64
import contextlib
import hashlib
import random
import socket
import struct
import time

import pytest
from tests.unit.net.peers import DeafServer

from deltawire.net.sockets import SocketNetwork
from deltawire.net.ws import WsSettings

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    if len(payload) < 126:
        return bytes([first, len(payload)]) + payload
    if len(payload) < 65536:
        return bytes([first, 126]) + struct.pack(">H", len(payload)) + payload
    return bytes([first, 127]) + struct.pack(">Q", len(payload)) + payload


async def read_frame(peer) -> tuple[int, bytes]:
    """Read one small frame from the client, which must be masked."""
    first, second = await peer.reader.readexactly(2)
    assert second & 0x80
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", await peer.reader.readexactly(2))
    mask = await peer.reader.readexactly(4)
    payload = await peer.reader.readexactly(length)
    return first & 0xF, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


async def upgrade(peer, then: bytes = b"") -> bytes:
    """Accept the upgrade, with `then` in the same write; return the request."""
    head: bytes = await peer.request()
    key = next(line[19:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    await peer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n%s" % (accept, then)
    )
    return head


def after_upgrade(*frames: bytes):
    """A script: upgrade, write the frames, stay until the client leaves."""

    async def script(peer):
        await upgrade(peer)
        await peer.write(b"".join(frames))
        await peer.gone()

    return script


class Recorder:
    """A handler that keeps copies; `fail_on` is a payload it cannot take."""

    def __init__(self, fail_on: bytes = b"\0never") -> None:
        self.got: list[tuple[str, bytes]] = []
        self.stamps: list[int] = []
        self.closed: list[tuple[int, str]] = []
        self._fail_on = fail_on

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        assert isinstance(payload, memoryview)
        if bytes(payload) == self._fail_on:
            raise KeyError("handler bug")
        self.got.append(("text", bytes(payload)))
        self.stamps.append(received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        self.got.append(("binary", bytes(payload)))

    def on_closed(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


@contextlib.asynccontextmanager
async def opened(network, server, handler, path="/v1", **kwargs):
    connection = await network.connect_ws(f"wss://localhost:{server.port}{path}", handler, timeout_s=60, **kwargs)
    try:
        yield connection
    finally:
        connection.abort()
        await asyncio.wait_for(connection.wait_closed(), 60)
        assert len(handler.closed) == 1


async def test_frames_reach_the_handler_in_order_with_their_kind_and_a_stamp(network, server, until):
    big = bytes(range(256)) * 300
    server.script = after_upgrade(
        frame(TEXT, b'{"a":1}'), frame(BINARY, big), frame(TEXT, b""), frame(TEXT, b"x" * 200)
    )
    handler = Recorder()
    before = time.monotonic_ns()
    async with opened(network, server, handler) as connection:
        await until(lambda: len(handler.got) == 4, "all came")
        assert connection.is_open
    assert handler.got == [("text", b'{"a":1}'), ("binary", big), ("text", b""), ("text", b"x" * 200)]
    assert before < handler.stamps[0] <= handler.stamps[1] < time.monotonic_ns()


async def test_frames_sent_along_with_the_upgrade_are_not_lost(network, server, until):
    async def eager(peer):
        await upgrade(peer, then=frame(TEXT, b"hello"))
        await peer.gone()

    server.script = eager
    handler = Recorder()
    async with opened(network, server, handler):
        await until(lambda: handler.got == [("text", b"hello")], "came")


async def test_text_is_sent_masked_and_whole_and_extra_headers_are_too(network, server, until):
    heads, frames = [], []

    async def listen(peer):
        heads.append(await upgrade(peer))
        frames.append(await read_frame(peer))
        await peer.gone()

    server.script = listen
    async with opened(network, server, Recorder(), path="/v1?listenKey=k", headers={"X-Account": "7"}) as connection:
        connection.send_text(b"order" * 100)
        await until(lambda: bool(frames), "arrived")
    assert frames == [(TEXT, b"order" * 100)]
    (head,) = heads
    assert head.startswith(b"GET /v1?listenKey=k HTTP/1.1\r\n")
    assert b"X-Account: 7\r\n" in head
    assert b"User-Agent: deltawire\r\n" in head
    assert b"sec-websocket-extensions" not in head.lower()


async def test_fragments_are_joined_also_around_a_ping_which_is_answered(network, server, until):
    pongs = []

    async def fragments(peer):
        await upgrade(peer)
        await peer.write(frame(TEXT, b"one ", fin=False) + frame(PING, b"p"))
        pongs.append(await read_frame(peer))
        await peer.write(frame(CONTINUATION, b"two ", fin=False) + frame(CONTINUATION, b"three") + frame(TEXT, b"next"))
        await peer.gone()

    server.script = fragments
    handler = Recorder()
    async with opened(network, server, handler):
        await until(lambda: len(handler.got) == 2, "joined")
    assert handler.got == [("text", b"one two three"), ("text", b"next")]
    assert pongs == [(PONG, b"p")]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(CONTINUATION, b"of nothing")], 1002),
        ([frame(TEXT, b"one", fin=False), frame(TEXT, b"not a continuation")], 1002),
        ([frame(TEXT, b"compressed?", reserved=4)], 1002),
        ([frame(3, b"unknown opcode")], 1002),
        ([frame(BINARY, b"x" * 100_001)], 1009),
        ([frame(BINARY, b"x" * 60_000, fin=False), frame(CONTINUATION, b"x" * 60_000)], 1009),
    ],
    ids=["continuation first", "interrupted", "reserved bit", "opcode", "oversized frame", "oversized message"],
)
async def test_a_peer_that_breaks_the_protocol_is_told_so_and_left(network, server, until, frames, code):
    told = []

    async def rude(peer):
        await upgrade(peer)
        await peer.write(b"".join(frames))
        told.append(await read_frame(peer))
        await peer.gone()

    server.script = rude
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert [c for c, _reason in handler.closed] == [code]
    assert handler.got == []
    assert not connection.is_open
    await until(lambda: bool(told), "read")  # our side is over before the peer's task has read what we told it
    (opcode, payload) = told[0]
    assert (opcode, payload[:2]) == (CLOSE, struct.pack(">H", code))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (struct.pack(">H", 1001) + b"maintenance", (1001, "maintenance")),
        (struct.pack(">H", 4003) + b"token expired", (4003, "token expired")),
        (b"", (1005, "")),
    ],
)
async def test_the_peers_close_code_and_reason_reach_the_handler_and_the_close_is_answered(
    network, server, until, payload, expected
):
    answers = []

    async def close(peer):
        await upgrade(peer)
        await peer.write(frame(CLOSE, payload))
        answers.append(await read_frame(peer))
        await peer.gone()

    server.script = close
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed == [expected]
    await until(lambda: bool(answers), "read")  # our side is over before the peer's task has read what we told it
    assert answers == [(CLOSE, payload[:2] or struct.pack(">H", 1000))]


async def test_a_connection_lost_without_a_close_frame_is_1006(network, server):
    async def vanish(peer):
        await upgrade(peer)
        peer.writer.transport.abort()

    server.script = vanish
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed == [(1006, "connection lost")]
    with pytest.raises(ConnectionError):
        connection.send_text(b"x")


async def test_a_clean_close_sends_the_code_and_ends_with_the_peers_answer(network, server):
    got = []

    async def answer_close(peer):
        await upgrade(peer)
        got.append(await read_frame(peer))
        await peer.write(frame(CLOSE, got[0][1]))
        await peer.gone()

    server.script = answer_close
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    connection.close(4001)
    assert not connection.is_open
    with pytest.raises(ConnectionError):
        connection.send_text(b"late")
    await asyncio.wait_for(connection.wait_closed(), 60)
    connection.close()
    connection.abort()
    assert got == [(CLOSE, struct.pack(">H", 4001))]
    assert handler.closed == [(4001, "")]


async def test_a_close_the_peer_ignores_ends_all_the_same(network, server):
    server.script = after_upgrade()
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    connection.close()
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed == [(1000, "no answer to our close")]


async def test_abort_ends_at_once_and_on_closed_is_called_once(network, server):
    server.script = after_upgrade(frame(TEXT, b"x"))
    handler = Recorder()
    async with opened(network, server, handler) as connection:
        connection.abort()
        connection.abort()
        assert not connection.is_open
        await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed == [(1006, "aborted here")]


async def test_a_failing_handler_loses_its_connection_loudly_and_sees_nothing_more(network, server, caplog):
    server.script = after_upgrade(frame(TEXT, b"good"), frame(TEXT, b"bad"), frame(TEXT, b"after"))
    handler = Recorder(fail_on=b"bad")
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.got == [("text", b"good")]
    assert handler.closed == [(1006, "the handler failed")]
    assert "KeyError" in caplog.text


async def test_a_peer_that_answers_no_ping_is_dropped(server, client_context):
    server.script = after_upgrade()
    network = SocketNetwork(
        now_ns=time.monotonic_ns,
        ssl_context=client_context,
        rng=random.Random(1),
        ws_settings=WsSettings(ping_idle_s=0.05, ping_reply_s=0.05),
    )
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed[0][0] == 1001
    assert "ping" in handler.closed[0][1]


async def test_a_refused_upgrade_raises_and_names_the_url_without_its_query(network, server):
    async def refuse(peer):
        await peer.request()
        await peer.answer(status=b"401 Unauthorized")

    server.script = refuse
    handler = Recorder()
    with pytest.raises(ConnectionError) as failure:
        await network.connect_ws(f"wss://localhost:{server.port}/private?listenKey=secret", handler)
    assert f"wss://localhost:{server.port}/private" in str(failure.value)
    assert "401" in str(failure.value)
    assert "secret" not in str(failure.value)
    assert handler.closed == []


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"302 Found"])
async def test_what_is_no_upgrade_raises(network, server, status):
    async def wrong(peer):
        await peer.request()
        await peer.answer(status=status, headers=b"Location: wss://elsewhere.invalid/\r\n")

    server.script = wrong
    with pytest.raises(ConnectionError):
        await network.connect_ws(f"wss://localhost:{server.port}/", Recorder(), timeout_s=60)


async def test_a_connection_lost_during_the_upgrade_raises(network, server):
    async def vanish(peer):
        await peer.request()

    server.script = vanish
    with pytest.raises(ConnectionError):
        await network.connect_ws(f"wss://localhost:{server.port}/", Recorder(), timeout_s=60)


async def test_a_silent_upgrade_times_out_and_the_socket_is_given_up(network, server):
    left = asyncio.Event()

    async def silent(peer):
        await peer.request()
        await peer.gone()
        left.set()

    server.script = silent
    with pytest.raises(TimeoutError, match=f"wss://localhost:{server.port}/x did not open within 1 s"):
        await network.connect_ws(f"wss://localhost:{server.port}/x?key=k", Recorder(), timeout_s=1.0)
    await asyncio.wait_for(left.wait(), 60)


async def test_an_upgrade_that_is_given_up_leaves_nothing_open(network, server):
    asked, left = asyncio.Event(), asyncio.Event()

    async def silent(peer):
        await peer.request()
        asked.set()
        await peer.gone()
        left.set()

    server.script = silent
    opening = asyncio.create_task(network.connect_ws(f"wss://localhost:{server.port}/", Recorder(), timeout_s=600))
    await asyncio.wait_for(asked.wait(), 60)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.wait_for(left.wait(), 60)


async def test_a_server_that_never_shakes_hands_times_out_and_is_left(network):
    async with DeafServer() as deaf:
        with pytest.raises(TimeoutError, match=r"did not open within 1 s"):
            await network.connect_ws(f"wss://localhost:{deaf.port}/", Recorder(), timeout_s=1.0)
        await asyncio.wait_for(deaf.left.wait(), 60)


async def test_nobody_listening_raises(network):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # held while nobody listens there, so that nobody else can
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionError, match=f"wss://localhost:{port}"):
            await network.connect_ws(f"wss://localhost:{port}", Recorder())


@pytest.mark.parametrize("url", ["ws://localhost:1/", "https://localhost:1/", "wss:///path"])
async def test_only_wss_is_opened(network, url):
    with pytest.raises(ValueError, match="need a wss"):
        await network.connect_ws(url, Recorder())


async def test_a_peer_that_reads_nothing_is_dropped_before_orders_pile_up(network, server):
    stop = asyncio.Event()

    async def deaf(peer):
        await upgrade(peer)
        peer.writer.transport.pause_reading()
        await stop.wait()

    server.script = deaf
    handler = Recorder()
    connection = await network.connect_ws(f"wss://localhost:{server.port}/", handler, timeout_s=60)
    while connection.is_open:
        connection.send_text(b"x" * 60_000)
        await asyncio.sleep(0)
    await asyncio.wait_for(connection.wait_closed(), 60)
    assert handler.closed == [(1006, "the peer does not read")]
    stop.set()
