"""The page's end of the bot's control socket: one JSON line asked, one answered, each with a time limit."""

import asyncio
from pathlib import Path
from typing import Any

import orjson

REPLY_BYTES_MAX = 2**22  # as every client of the socket
TIMEOUT_S = 2.0


class BotAway(Exception):
    """No answer: the bot is not there, or does not answer in time. Says which."""


class BotRefused(Exception):
    """The bot answered, and said no. Holds its words."""


async def ask(path: Path, command: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Send a command and return the bot's answer. Raises BotAway or BotRefused."""
    try:
        async with asyncio.timeout(timeout_s):
            line = await _exchange(path, command)
    except (FileNotFoundError, ConnectionRefusedError):
        raise BotAway("no bot is running") from None
    except TimeoutError:
        raise BotAway(f"the bot did not answer in {timeout_s:g} s") from None
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
        raise BotAway(f"the bot cannot be reached: {type(e).__name__}") from e
    try:
        reply = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BotAway("what answers at the control socket is not a bot") from None
    if not isinstance(reply, dict):
        raise BotAway("what answers at the control socket is not a bot")
    if reply.get("ok") is not True:
        raise BotRefused(str(reply.get("error", "refused without a reason")))
    return reply


async def _exchange(path: Path, command: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path, limit=REPLY_BYTES_MAX)
    try:
        writer.write(orjson.dumps({"cmd": command}) + b"\n")
        return await reader.readuntil(b"\n")
    finally:
        writer.close()
