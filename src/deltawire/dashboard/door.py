"""Who may come in. Every request passes here first, and every answer leaves with the same strict headers.

- Host must name this machine (or what --allow-host named): a page elsewhere that rebinds its DNS name to loopback is
  stopped here. Origin, where a browser sends one, must be our own; so must Sec-Fetch-Site.
- The token, new at each start, buys a session: a cookie no script can read and no other site can send, and beside it a
  key that a button must send in a header. The key is given once, in the answer to the token, and never in a page; so
  the cookie alone, which other servers on this machine's loopback may be shown by the browser, pushes no button.
- Wrong tokens are counted; after some, none is listened to for a while.

Speaks plain HTTP: it belongs on loopback, behind an SSH tunnel or a proxy with TLS. Source for the headers: OWASP HTTP
Headers Cheat Sheet; CSP level 3; Fetch Metadata.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deltawire.core.secret import Secret

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
KEY_HEADER = "x-deltawire-key"
SESSIONS_MAX = 16  # the oldest gives way; as many as there may be open pages
BAD_TOKENS_MAX = 5
BAD_TOKENS_WINDOW_S = 60.0
BODY_BYTES_MAX = 2048  # a token or the name of a command

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class WrongToken(Exception):
    """Not the token of this start."""


class TooManyWrongTokens(Exception):
    """No token is listened to for so many seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many wrong tokens; try again in {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: `cookie` goes into the browser's jar, `key` into the page's memory."""

    cookie: Secret
    key: Secret


class Keyring:
    """The token of this start and the sessions it opened. Kept in memory: a restart ends them all."""

    def __init__(self, token: Secret, *, now_s: Callable[[], float]) -> None:
        self._token, self._now_s = token, now_s
        self._sessions: OrderedDict[str, str] = OrderedDict()  # hash of the cookie: hash of the key
        self._wrong_s: deque[float] = deque(maxlen=BAD_TOKENS_MAX)

    def open(self, token: str) -> Session:
        """Open a session for the right token. Raises WrongToken or TooManyWrongTokens."""
        now_s = self._now_s()
        if len(self._wrong_s) == BAD_TOKENS_MAX and now_s - self._wrong_s[0] < BAD_TOKENS_WINDOW_S:
            raise TooManyWrongTokens(max(1, round(BAD_TOKENS_WINDOW_S - (now_s - self._wrong_s[0]))))
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.reveal().encode()):
            self._wrong_s.append(now_s)
            raise WrongToken
        session = Session(Secret(secrets.token_urlsafe(32)), Secret(secrets.token_urlsafe(32)))
        self._sessions[_hash(session.cookie.reveal())] = _hash(session.key.reveal())
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session

    def knows(self, cookie: str) -> bool:
        return _hash(cookie) in self._sessions

    def fits(self, cookie: str, key: str) -> bool:
        """Whether the key belongs to the cookie's session."""
        return hmac.compare_digest(self._sessions.get(_hash(cookie), ""), _hash(key))


class Door:
    """The middleware. `public`: paths that anybody who passes the Host check may read; they hold nothing of the bot."""

    def __init__(
        self, app: ASGIApp, *, keyring: Keyring, cookie_name: str, hosts: frozenset[str], public: frozenset[str]
    ) -> None:
        self._app, self._keyring, self._cookie_name = app, keyring, cookie_name
        self._hosts, self._public = hosts | LOOPBACK, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a WebSocket: uvicorn closes it unanswered

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        """Return the answer to a request that may not go on, or None."""
        host = headers.get("host", "")
        if _hostname(host) not in self._hosts:
            return _no(421, "this page answers to loopback names only; see --allow-host")
        if not _is_ours(headers, host, writes=method == "POST"):
            return _no(403, "a page of another origin asked")
        return None if path in self._public else self._refusal_of_a_stranger(method, path, headers)

    def _refusal_of_a_stranger(self, method: str, path: str, headers: Headers) -> Response | None:
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie_name, "")
        if not self._keyring.knows(cookie):
            if path == "/" and method == "GET":
                return RedirectResponse("/login", 303)  # a browser carries a token in the fragment along
            return _no(401, "no session: open the address that `deltawire dashboard` printed")
        if method == "POST" and not self._keyring.fits(cookie, headers.get(KEY_HEADER, "")):
            return _no(403, "the key of this session is missing: open the address that `deltawire dashboard` printed")
        return None


def _is_ours(headers: Headers, host: str, *, writes: bool) -> bool:
    """Whether the request came from our own page, or from a person's address bar (reading only)."""
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return False
    if writes:
        is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        return origin is not None and is_json  # no HTML form can send JSON
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _hostname(host: str) -> str:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return ""
    return parts.hostname or ""


def _no(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
