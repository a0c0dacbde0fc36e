"""The two simulated venues as hosts of the memory network: the sans-I/O parts their TLS servers bind to sockets."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from picows import WSMsgType

from deltawire.faultrun.http import Serve, ServerReply, ServerRequest
from deltawire.faultrun.loop import VirtualLoop
from deltawire.faultrun.wire import End, Way, Wire
from deltawire.sim.paradex_http import HttpAnswer, HttpCall
from deltawire.sim.paradex_session import Session
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.sim.vest_api import PREFIX, Answer, Drop, Request, VestApi
from deltawire.sim.vest_streams import Stream, StreamHub

PARADEX_PREFIX, VEST_WS_PATH = "/v1", "/ws-api"
_JSON = "application/json"
_NONE: Mapping[str, str] = {}


class ParadexHost:
    """Implements network.Host."""

    def __init__(self, venue: SimulatedParadex, loop: VirtualLoop) -> None:
        self._venue, self._loop = venue, loop

    def serve(self, port: str) -> Serve:
        del port
        return self._serve

    def _serve(self, request: ServerRequest, reply: ServerReply) -> None:
        if not request.path.startswith(f"{PARADEX_PREFIX}/"):
            reply(HTTPStatus.NOT_FOUND, b"", _JSON, _NONE)
            return
        call = HttpCall(
            method=request.method,
            path=request.path.removeprefix(PARADEX_PREFIX),
            query=request.query,
            headers={name.upper(): value for name, value in request.headers.items()},
            body=request.body,
            read_mono_ns=self._loop.now_ns,
        )

        def answered(answer: HttpAnswer) -> None:
            reply(answer.status, answer.body, _JSON, answer.headers)

        self._venue.rest.handle(call, answered)

    def accept(self, url: str, wire: Wire) -> End | None:
        if not self._venue.may_connect():
            return None
        version = int(parse_qs(urlsplit(url).query)["sbeSchemaVersion"][0])
        return _ParadexSocket(self._venue, wire, self._loop, version)


class _ParadexSocket:
    """One accepted WebSocket: a wire on one side, a Session on the other. Implements Outlet and End."""

    unsent = 0

    def __init__(self, venue: SimulatedParadex, wire: Wire, loop: VirtualLoop, version: int) -> None:
        self._wire, self._loop = wire, loop
        self._gone = False
        self._session: Session = venue.connect(self, version)

    def send_text(self, payload: bytes) -> None:
        self._wire.send(Way.DOWN, (WSMsgType.TEXT, payload))

    def send_binary(self, payload: bytes) -> None:
        self._wire.send(Way.DOWN, (WSMsgType.BINARY, bytes(payload)))

    def close(self, code: int) -> None:
        self._wire.send(Way.DOWN, (WSMsgType.CLOSE, code))
        self.abort()

    def abort(self) -> None:
        if not self._gone:
            self._wire.close_from(Way.DOWN)
            self.on_end()

    def on_data(self, data: Any) -> None:
        kind, payload = data
        if kind is WSMsgType.TEXT:
            self._session.on_text(payload, self._loop.now_ns)
        elif kind is WSMsgType.CLOSE:
            self._wire.send(Way.DOWN, data)
            self.abort()

    def on_end(self) -> None:
        if not self._gone:
            self._gone = True
            # Not inside the session's own call: a drop may come from there.
            self._loop.call_soon(self._session.on_disconnected)


class VestHost:
    """Implements network.Host."""

    def __init__(self, api: VestApi, hub: StreamHub) -> None:
        self._api, self._hub = api, hub

    def serve(self, port: str) -> Serve:
        del port
        return self._serve

    def _serve(self, request: ServerRequest, reply: ServerReply) -> None:
        path = request.path.removeprefix(PREFIX) if request.path.startswith(f"{PREFIX}/") else ""
        inner = Request(request.method, path, request.query, request.headers, request.body)

        def answered(answer: Answer | Drop) -> None:
            if isinstance(answer, Drop):
                reply(0, b"", "", _NONE)
            else:
                reply(answer.status, answer.body, answer.content_type, _NONE)

        self._api.handle(inner, answered)

    def accept(self, url: str, wire: Wire) -> End | None:
        target = urlsplit(url)
        if target.path != VEST_WS_PATH:
            return None
        return _VestSocket(self._hub, wire, dict(parse_qsl(target.query, keep_blank_values=True)))


class _VestSocket:
    """One accepted WebSocket: a wire on one side, a Stream on the other. Implements vest_streams.Connection and End."""

    def __init__(self, hub: StreamHub, wire: Wire, query: dict[str, str]) -> None:
        self._hub, self._wire = hub, wire
        self._closed = False
        self._stream: Stream | None = hub.open(query, self)

    def send_text(self, payload: bytes) -> None:
        self._wire.send(Way.DOWN, (WSMsgType.TEXT, payload))

    def close(self, code: int) -> None:
        if not self._closed:
            self._closed = True
            self._wire.send(Way.DOWN, (WSMsgType.CLOSE, code))

    def abort(self) -> None:
        self._closed = True
        self._wire.close_from(Way.DOWN)

    def on_data(self, data: Any) -> None:
        kind, payload = data
        if kind is WSMsgType.CLOSE:
            if not self._closed:
                self._wire.send(Way.DOWN, data)
            self.abort()
            self._forget()
        elif self._stream is not None and not self._closed:
            self._hub.on_text(self._stream, payload)

    def on_end(self) -> None:
        self._closed = True
        self._forget()

    def _forget(self) -> None:
        if self._stream is not None:
            self._hub.closed(self._stream)
