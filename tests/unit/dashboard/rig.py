"""The page's application called as a server would call it, and a bot's end of the control socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message

from deltawire.core.secret import Secret
from deltawire.dashboard.app import Settings, make_app
from deltawire.dashboard.door import Keyring
from deltawire.dashboard.hub import Hub
from deltawire.engine.control import ControlServer

TOKEN = "the token of this start"
HOST = "127.0.0.1:8710"
OURS = {"host": HOST, "origin": f"http://{HOST}", "content-type": "application/json"}
WAIT_S = 60.0


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Browser:
    """Calls the application with a browser's headers, and keeps the cookie and the key as one does."""

    app: ASGIApp
    cookie: str = ""
    key: str = ""

    async def get(self, path: str, **headers: str) -> Answer:
        return await call(self.app, "GET", path, {"host": HOST, "cookie": self.cookie} | _names(headers))

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        sent = OURS | {"cookie": self.cookie, "x-deltawire-key": self.key} | _names(headers)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await call(self.app, "POST", path, {name: text for name, text in sent.items() if text}, data)

    async def enter(self) -> None:
        answer = await self.post("/login", {"token": TOKEN})
        assert answer.status == 200
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.key = answer.json["key"]


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}


async def call(app: ASGIApp, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    """Make one request and wait for the whole answer; of a stream, for its first piece."""
    path, _, query = target.partition("?")
    answer, done = Answer(), asyncio.Event()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), text.encode("latin-1")) for name, text in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8710),
    }
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if left:
            return left.pop()
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): text.decode("latin-1") for name, text in message["headers"]}
            return
        answer.body += message.get("body", b"")
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            done.set()
            raise OSError("the browser went away")  # as a server tells a stream's application

    async with asyncio.timeout(WAIT_S):
        try:
            await app(scope, receive, send)
        except Exception:
            if not done.is_set():
                raise
    return answer


class Bot:
    """Answers at a real control socket, and keeps what it was told to do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self.status: dict[str, Any] = {"state": "running", "run_id": "r1", "pairs": []}

    def _command(self, name: str) -> Any:
        def run() -> dict[str, Any]:
            self.told.append(name)
            return {"state": f"after {name}"}

        return run

    @asynccontextmanager
    async def answering(self) -> AsyncIterator["Bot"]:
        names = ("pause", "resume", "flatten", "kill", "arm", "stop")
        commands = {name: self._command(name) for name in names} | {"status": lambda: self.status}
        server = ControlServer(self.path, commands, _NoLog())
        await server.start()
        try:
            yield self
        finally:
            await server.close()


class _NoLog:
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


def page(tmp_path: Path, **settings: Any) -> Browser:
    """Return a browser on a page over an empty journal, not logged in."""
    known: dict[str, Any] = {"journal": tmp_path / "journal", "journal_url": "", "socket": None, "port": 8710}
    keyring = Keyring(Secret(TOKEN), now_s=lambda: 0.0)
    return Browser(make_app(Settings(**known | settings), keyring, Hub()))
