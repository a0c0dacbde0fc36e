"""The kinds of setting: text in the file, an exact int in the program. Each refusal says what would be right.

Names carry the unit of the int: `_e8` money and rates in 1e-8 (one bps is 10_000), `_ns` durations.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from deltawire.core.money import BPS_E8, E8, format_e8, parse_e8
from deltawire.journal.database import url_problem

_COUNT = re.compile(r"[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,12}")
_SYMBOL = re.compile(r"[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,3}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")
# The WebSocket handshake's own.
_OWN_HEADERS = {
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
}
_NS_OF_MS = 10**6


def refusal(wrong: str, right: str) -> PydanticCustomError:
    """Make the error of a validator. The texts go to the person as they are."""
    return PydanticCustomError("refused", "{wrong}; {right}", {"wrong": wrong, "right": right})


def shown(value: Any) -> str:
    """Quote a value for a message, shortened."""
    if isinstance(value, dict | list):
        return "a " + ("section" if isinstance(value, dict) else "list")
    return "nothing" if value is None else f'"{str(value)[:40]}"'


def _decimal_e8(value: Any, low_e8: int, high_e8: int, unit: str) -> int:
    span = f"from {format_e8(low_e8)} to {format_e8(high_e8)}"
    right = f"write {unit} as a plain decimal {span}"
    if not isinstance(value, str):
        raise refusal(f"{shown(value)} is not a number", right)
    try:
        value_e8 = parse_e8(value)
    except ValueError as e:
        what = str(e).partition(":")[0]
        raise refusal(f"{shown(value)} {'has' if what.startswith('more') else 'is'} {what}", right) from None
    if not low_e8 <= value_e8 <= high_e8:
        raise refusal(f"{shown(value)} is out of range", right)
    return value_e8


def _decimal(low: str, high: str, unit: str) -> BeforeValidator:
    return BeforeValidator(lambda value: _decimal_e8(value, parse_e8(low), parse_e8(high), unit))


def _bps(low: str, high: str) -> BeforeValidator:
    """One bps is 1e4 in the 1e-8 scale, so four places of a bps are exact and a fifth is refused."""

    def read(value: Any) -> int:
        bps_e8 = _decimal_e8(value, parse_e8(low), parse_e8(high), "basis points (1 = 0.01 %)")
        rate_e8, lost = divmod(bps_e8 * BPS_E8, E8)
        if lost:
            raise refusal(f"{shown(value)} has more than 4 places", "round it to 0.0001 bps")
        return rate_e8

    return BeforeValidator(read)


def _duration(low: str, high: str, *, unit: str, unit_ns: int) -> BeforeValidator:
    """unit_ns: how many nanoseconds one unit is."""

    def read(value: Any) -> int:
        ns, lost = divmod(_decimal_e8(value, parse_e8(low), parse_e8(high), unit) * unit_ns, E8)
        if lost:
            raise refusal(f"{shown(value)} is finer than a nanosecond", "round it")
        return ns

    return BeforeValidator(read)


def _reader_of_count(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        right = f"write a whole number from {low} to {high}"
        if not isinstance(value, str) or not _COUNT.fullmatch(value):
            raise refusal(f"{shown(value)} is not a whole number", right)
        if not low <= int(value) <= high:
            raise refusal(f"{shown(value)} is out of range", right)
        return int(value)

    return read


def _count(low: int, high: int) -> BeforeValidator:
    return BeforeValidator(_reader_of_count(low, high))


def one_of_counts(*choices: int) -> BeforeValidator:
    """Take one of a few whole numbers, such as codes."""

    def read(value: Any) -> int:
        if str(value) not in map(str, choices):
            raise refusal(f"{shown(value)} is not known", f"write {' or '.join(map(str, choices))}")
        return int(value)

    return BeforeValidator(read)


def _whole_ms(low: int, high: int) -> BeforeValidator:
    count = _reader_of_count(low, high)
    return BeforeValidator(lambda value: count(value) * _NS_OF_MS)


def _pattern(pattern: re.Pattern[str], right: str) -> BeforeValidator:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise refusal(f"{shown(value)} does not fit", right)
        return value

    return BeforeValidator(read)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refusal(f"{shown(value)} is neither true nor false", "write true or false")
    return value


def _headers(value: Any) -> dict[str, str]:
    """Read HTTP headers; what could end a header line, or send one of ours a second time, is refused."""
    right = "write `<header name>: <value>`, one line each, such as `User-Agent: Mozilla/5.0`"
    if not isinstance(value, dict):
        raise refusal(f"{shown(value)} is not a section", right)
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise refusal(f'"{name[:40]}" is not a header to set here', right)
        if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
            raise refusal(f"the value of {name} is not printable ASCII text", right)
    return value


def _url(scheme: str) -> BeforeValidator:
    def read(value: Any) -> str:
        right = f"write a URL such as {scheme}://host/path"
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
            host, user, _ = parts.hostname, parts.username, parts.port
        except ValueError:
            raise refusal(f"{shown(value)} is not a URL", right) from None
        if user is not None:
            raise refusal("a URL with a user name in it", "take `user:password@` out; keys belong into .env")
        if parts.scheme != scheme or not host:
            raise refusal(f"{shown(value)} is not a {scheme} URL", right)
        return str(value)

    return BeforeValidator(read)


def _journal_url(value: Any) -> str:
    problem = url_problem(value) if isinstance(value, str) else "it is not a text"
    if problem:  # never repeated: it may hold a password
        raise refusal(problem, "write it like postgresql://user@host/database, or leave the key out for SQLite")
    return str(value)


def _path(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value or value.startswith("~") or "\0" in value:
        raise refusal(f"{shown(value)} is not a path", "write an absolute path, or one from this file's folder (no ~)")
    base: Path = info.context["folder"] if info.context else Path()
    return base / value


def _existing(value: Any, info: ValidationInfo) -> Path:
    path = _path(value, info)
    if (info.context or {}).get("connects", True) and not path.is_file():
        raise refusal(
            f"there is no file {path}", "name a PEM file with the venue's certificate authority, or drop the key"
        )
    return path


def _socket(value: Any, info: ValidationInfo) -> Path:
    path = _path(value, info)
    if len(str(path.absolute()).encode()) > SOCKET_PATH_BYTES_MAX:
        raise refusal(
            f"{path} is too long for a Unix socket ({SOCKET_PATH_BYTES_MAX} bytes)", "write a shorter absolute path"
        )
    return path


SOCKET_PATH_BYTES_MAX = 107  # sun_path of Linux, less its closing zero byte

Size = Annotated[int, _decimal("0.00000001", "1000000000", "a size in base units")]
Usd = Annotated[int, _decimal("0.01", "1000000000", "US dollars")]
Bps = Annotated[int, _bps("0", "1000")]
Share = Annotated[int, _bps("0", "10000")]
SignedBps = Annotated[int, _bps("-1000", "1000")]
Slippage = Annotated[int, _bps("0.01", "500")]
Ms = Annotated[int, _duration("0", "600000", unit="milliseconds", unit_ns=_NS_OF_MS)]
PositiveMs = Annotated[int, _duration("1", "600000", unit="milliseconds", unit_ns=_NS_OF_MS)]
RecvWindow = Annotated[int, _whole_ms(10, 60_000)]  # Paradex takes no less than 10 ms
Seconds = Annotated[int, _duration("0.1", "31536000", unit="seconds", unit_ns=10**9)]
Patience = Annotated[int, _duration("10", "3600", unit="seconds", unit_ns=10**9)]  # twice what a bot calls a stall
Name = Annotated[str, _pattern(_NAME, "write 1 to 12 letters, digits or _")]
Symbol = Annotated[str, _pattern(_SYMBOL, "write the venue's own name of the market, such as BTC-USD-PERP")]
HttpsUrl = Annotated[str, _url("https")]
WssUrl = Annotated[str, _url("wss")]
Address = Annotated[str, _pattern(_ADDRESS, "write 0x and 40 hex digits")]
Flag = Annotated[bool, BeforeValidator(_flag)]
Headers = Annotated[dict[str, str], BeforeValidator(_headers)]
JournalUrl = Annotated[str, BeforeValidator(_journal_url)]
AnyPath = Annotated[Path, BeforeValidator(_path)]
CaFile = Annotated[Path, BeforeValidator(_existing)]
SocketPath = Annotated[Path, BeforeValidator(_socket)]
UpTo10 = Annotated[int, _count(0, 10)]
OneTo10 = Annotated[int, _count(1, 10)]
OneTo4 = Annotated[int, _count(1, 4)]
OneTo16 = Annotated[int, _count(1, 16)]
OneTo100 = Annotated[int, _count(1, 100)]
UpTo100 = Annotated[int, _count(0, 100)]
UpTo10000 = Annotated[int, _count(0, 10_000)]
OneTo10000 = Annotated[int, _count(1, 10_000)]
OneTo1000000 = Annotated[int, _count(1, 1_000_000)]
Port = Annotated[int, _count(1024, 65535)]
UpTo8 = Annotated[int, _count(0, 8)]
CountMs = Annotated[int, _count(0, 600_000)]  # whole milliseconds, kept as such
Seed = Annotated[int, _count(0, 999_999_999)]
Factor = Annotated[int, _decimal("0.01", "1000", "a factor (1 = as it is)")]
