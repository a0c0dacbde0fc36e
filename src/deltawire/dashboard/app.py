"""The addresses of the page. What may pass is the door's business; what is told is the watch's and the ledger's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from deltawire.dashboard.bot import BotAway, BotRefused, ask
from deltawire.dashboard.door import BODY_BYTES_MAX, Door, Keyring, TooManyWrongTokens, WrongToken
from deltawire.dashboard.history import History
from deltawire.dashboard.hub import Hub, TooManyPages
from deltawire.dashboard.ledger import Ledger
from deltawire.dashboard.watch import Watch
from deltawire.journal.segments import JournalError

STATIC = Path(__file__).parent / "static"
COMMANDS = frozenset({"pause", "resume", "flatten", "kill", "arm"})
COMMAND_TIMEOUT_S = 10.0
# Anybody may read these: they are the same in every copy of deltawire.
LOGIN_FILES = ("login.js", "key.js", "theme.js", "app.css", "icon.svg")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Settings:
    """socket: of the bot, None for a journal alone. hosts: names besides loopback's that the page answers to."""

    journal: Path
    journal_url: str
    socket: Path | None
    port: int
    hosts: frozenset[str] = frozenset()
    read_only: bool = False


def make_app(settings: Settings, keyring: Keyring, hub: Hub) -> ASGIApp:
    """Return the whole page. The hub is the caller's, who closes it to end the streams."""
    return _Page(settings, keyring, hub).app()


class _Page:
    def __init__(self, settings: Settings, keyring: Keyring, hub: Hub) -> None:
        self._settings, self._keyring, self._hub = settings, keyring, hub
        self._history = History()
        self._ledger = Ledger(settings.journal, settings.journal_url)
        self._watch = Watch(settings.socket, self._ledger, self._history, hub)
        self._cookie_name = f"deltawire_{settings.port}"  # cookies know no ports: two pages would share one name

    def app(self) -> ASGIApp:
        files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in _TYPES}
        routes = [Route(f"/{name}", _file(path)) for name, path in files.items()]
        routes += [
            Route("/", _file(STATIC / "index.html")),
            Route("/login", _file(STATIC / "login.html"), methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/api/events", self._events),
            Route("/api/page", self._about),
            Route("/api/history", self._columns),
            Route("/api/run", self._run),
            Route("/api/trade", self._trade),
            Route("/api/command", self._command, methods=["POST"]),
        ]
        public = frozenset({"/login", *(f"/{name}" for name in LOGIN_FILES)})
        return Door(
            Starlette(routes=routes, lifespan=self._life),
            keyring=self._keyring,
            cookie_name=self._cookie_name,
            hosts=self._settings.hosts,
            public=public,
        )

    @asynccontextmanager
    async def _life(self, _app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch.run())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._ledger.close()

    async def _login(self, request: Request) -> Response:
        body = await _body(request)
        if body is None or not isinstance(token := body.get("token"), str):
            return _json({"error": 'send {"token": ...}'}, 400)
        try:
            session = self._keyring.open(token)
        except WrongToken:
            return _json({"error": "that is not the token of this start"}, 401)
        except TooManyWrongTokens as e:
            return _json({"error": str(e)}, 429, {"retry-after": str(e.wait_s)})
        answer = _json({"key": session.key.reveal()})
        is_tls = request.headers.get("origin", "").startswith("https://")
        answer.set_cookie(
            self._cookie_name, session.cookie.reveal(), httponly=True, samesite="strict", path="/", secure=is_tls
        )
        return answer

    async def _events(self, _request: Request) -> Response:
        try:
            events = self._hub.stream()
        except TooManyPages:
            return PlainTextResponse("too many open pages; close one\n", 503)
        self._watch.now()
        return StreamingResponse(events, media_type="text/event-stream")

    async def _about(self, _request: Request) -> Response:
        can = self._settings.socket is not None and not self._settings.read_only
        return _json({"commands": sorted(COMMANDS) if can else [], "read_only": self._settings.read_only})

    async def _columns(self, request: Request) -> Response:
        return _json(self._history.columns(request.query_params.get("pair", "")))

    async def _run(self, request: Request) -> Response:
        try:
            view = await self._ledger.run(request.query_params.get("id", ""))
        except JournalError as e:
            return _json({"error": str(e)}, 404)
        return Response(view, media_type="application/json")

    async def _trade(self, request: Request) -> Response:
        try:
            found = await self._ledger.trade(request.query_params.get("id", ""))
        except JournalError as e:
            return _json({"error": str(e)}, 503)
        return Response(found, media_type="application/json") if found else _json({"error": "no such trade"}, 404)

    async def _command(self, request: Request) -> Response:
        """Pass a button on. `confirm` repeats the command: the page asked the person, and the person said yes."""
        body = await _body(request)
        command = None if body is None else body.get("command")
        if self._settings.read_only or self._settings.socket is None:
            return _json({"error": "this page only looks"}, 403)
        if not isinstance(command, str) or command not in COMMANDS:
            return _json({"error": f"not a command; one of {', '.join(sorted(COMMANDS))}"}, 400)
        if body is None or body.get("confirm") != command:
            return _json({"error": f'not confirmed; send "confirm": "{command}" besides'}, 400)
        try:
            reply = await ask(self._settings.socket, command, COMMAND_TIMEOUT_S)
        except BotAway as e:
            return _json({"error": str(e)}, 502)
        except BotRefused as e:
            return _json({"error": f"the bot refused: {e}"}, 409)
        finally:
            self._watch.now()
        return _json(reply)


async def _body(request: Request) -> dict[str, Any] | None:
    """Read a small JSON object, None for anything else."""
    data = b""
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > BODY_BYTES_MAX:
                return None
        found = orjson.loads(data)
    except (ClientDisconnect, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _file(path: Path) -> Any:
    async def send(_request: Request) -> Response:
        return FileResponse(path, media_type=_TYPES[path.suffix])

    return send
