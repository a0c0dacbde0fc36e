"""Talks to the control URL of `deltawire sim`: plain HTTP on loopback. Blocking; never in the bot."""

import urllib.error
import urllib.request
from typing import Any

import orjson

_TIMEOUT_S = 10.0


class Unreadable(Exception):
    """The simulators did not answer, or not as they should; nothing can be said of their books."""


def control(control_url: str, path: str, body: dict[str, Any] | None = None, *, method: str | None = None) -> Any:
    """GET a path, or POST a body to it, and return the decoded answer. Raises Unreadable."""
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(f"{control_url}{path}", data, method=method)  # noqa: S310 - a URL of our own making
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no place on loopback
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return orjson.loads(answer.read())
    except (urllib.error.URLError, OSError, orjson.JSONDecodeError) as e:
        raise Unreadable(f"no answer from the simulators at {control_url}: {e}") from e
