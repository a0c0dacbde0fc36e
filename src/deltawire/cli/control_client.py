"""The other end of a running bot's control socket: one JSON line asked, one answered. Blocking; never in the bot."""

import socket
from pathlib import Path
from typing import Any

import orjson

REPLY_BYTES_MAX = 2**22  # 100 pairs with their books come to about a tenth of this
_TIMEOUT_S = 5.0


class NotRunning(Exception):
    """Nobody answers at the socket."""


class BotRefused(Exception):
    """The bot answered, and said no. Holds its words."""


def ask(path: Path, command: str, timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
    """Send a command and return the bot's answer. Raises NotRunning, or BotRefused."""
    try:
        line = _exchange(path, orjson.dumps({"cmd": command}) + b"\n", timeout_s)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunning(f"no bot is running at {path}") from None
    except TimeoutError:
        raise NotRunning(f"the bot at {path} did not answer in {timeout_s:g} s") from None
    except OSError as e:
        raise NotRunning(f"cannot reach the bot at {path}: {e}") from e
    try:
        reply = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        raise NotRunning(f"{path} answered, but not as a bot does") from e
    if not isinstance(reply, dict):
        raise NotRunning(f"{path} answered, but not as a bot does")
    if reply.get("ok") is not True:
        raise BotRefused(str(reply.get("error", "refused without a reason")))
    return reply


def _exchange(path: Path, request: bytes, timeout_s: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(request)
        line = bytearray()
        while not line.endswith(b"\n") and len(line) <= REPLY_BYTES_MAX:
            chunk = connection.recv(65536)
            if not chunk:
                break
            line += chunk
        return bytes(line)
