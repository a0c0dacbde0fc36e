"""The account of paper trading on one venue: a file of what happened, and the ledger it amounts to.

It is the venue's word for the bot, so it outlives the bot: each line is written before the bot hears of it. A cut-off
last line is not there yet. One writer at a time; who holds the journal's lock is the one.
"""

import os
from collections import OrderedDict
from pathlib import Path

import msgspec

from deltawire.core.ledger import Ledger, Settled
from deltawire.core.money import notional_e8
from deltawire.core.types import Side

ORDERS_KEPT = 5_000  # newest orders that can still be looked up: a look-up comes within seconds, or at the next start


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account was made, with this much play money."""

    equity_e8: int
    unix_ns: int


class Fill(msgspec.Struct, frozen=True, array_like=True):
    price_e8: int
    size_e8: int
    fee_e8: int


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One order and its end. code: of a refusal, "" when it was taken. index_e8: the funding index at its fills."""

    client_id: str
    correlator: int
    order_id: str
    symbol: str
    side: int
    size_e8: int
    fills: list[Fill] = []
    index_e8: int = 0
    code: str = ""
    reason: str = ""
    unix_ns: int

    @property
    def filled_e8(self) -> int:
        return sum(fill.size_e8 for fill in self.fills)

    @property
    def notional_e8(self) -> int:
        return sum(notional_e8(fill.price_e8, fill.size_e8) for fill in self.fills)

    @property
    def fee_e8(self) -> int:
        return sum(fill.fee_e8 for fill in self.fills)


class Funded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The funding index of a market reached this: USD a coin since the account was made. Longs pay while it rises."""

    symbol: str
    index_e8: int
    unix_ns: int


Entry = Opened | Ended | Funded

_decoder = msgspec.json.Decoder(Entry)


class PaperFileBroken(ValueError):
    """A line that is not the last cannot be read. Names the file and the line."""


class PaperAccount:
    """Read from its file when made, made with `equity_e8` when there is none. Raises PaperFileBroken, OSError."""

    def __init__(self, path: Path, *, equity_e8: int, unix_ns: int) -> None:
        self._path = path
        self.ledger = Ledger(0)
        self.orders: OrderedDict[str, Ended] = OrderedDict()
        self.settled: dict[str, Settled] = {}  # client id -> gain and funding, of the orders kept that filled
        self.index_e8: dict[str, int] = {}  # symbol -> funding index
        self.funded_unix_ns: dict[str, int] = {}  # symbol -> up to when
        self.count = 0  # orders ever
        good_bytes = 0
        for entry, end in _entries(path):
            self._apply(entry)
            good_bytes = end
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._fd, good_bytes)  # a line cut off by a crash was never heard by anyone
        self._bytes, self._is_torn = good_bytes, False
        if not good_bytes:
            self._add(Opened(equity_e8=equity_e8, unix_ns=unix_ns))

    def end(self, ended: Ended) -> None:
        """Write an order's end down, then count it. Raises OSError, and then it has not happened."""
        self._add(ended)

    def fund(self, symbol: str, index_e8: int, unix_ns: int) -> None:
        """Carry the funding index of a market forward."""
        self._add(Funded(symbol=symbol, index_e8=index_e8, unix_ns=unix_ns))

    def held_e8(self, symbol: str) -> int:
        return self.ledger.position(symbol).size_e8

    def equity_e8(self, marks_e8: dict[str, int]) -> int:
        """Return what the account is worth at these prices; a market without one stands at its entry price."""
        worth_e8 = self.ledger.collateral_e8
        for symbol, position in self.ledger.positions.items():
            mark_e8 = marks_e8.get(symbol) or position.entry_price_e8
            worth_e8 += position.unrealized_e8(mark_e8) + position.funding_due_e8(self.index_e8.get(symbol, 0))
        return worth_e8

    def bound_e8(self, marks_e8: dict[str, int], leverage: int) -> int:
        """Return the margin its positions bind."""
        held = self.ledger.positions.items()
        return sum(
            notional_e8(marks_e8.get(symbol) or at.entry_price_e8, abs(at.size_e8)) // leverage for symbol, at in held
        )

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _add(self, entry: Entry) -> None:
        """Write a line whole, or raise OSError with nothing written and nothing counted."""
        line = msgspec.json.encode(entry) + b"\n"
        try:
            if self._is_torn:
                os.ftruncate(self._fd, self._bytes)
                self._is_torn = False
            written = os.write(self._fd, line)
        except OSError as e:
            raise OSError(f"{self._path} cannot be written: {e.strerror}") from e
        if written != len(line):
            self._is_torn = True  # cut off before the next line, or at the next start
            raise OSError(f"{self._path} cannot be written: the disk took {written} of {len(line)} bytes")
        self._bytes += len(line)
        self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        match entry:
            case Opened():
                self.ledger.collateral_e8 += entry.equity_e8
            case Funded():
                self.index_e8[entry.symbol] = entry.index_e8
                self.funded_unix_ns[entry.symbol] = entry.unix_ns
            case Ended():
                self.count += 1
                self.funded_unix_ns[entry.symbol] = entry.unix_ns
                self.orders[entry.client_id] = entry
                if len(self.orders) > ORDERS_KEPT:
                    self.settled.pop(self.orders.popitem(last=False)[0], None)
                if entry.fills:
                    self._fill(entry)

    def _fill(self, entry: Ended) -> None:
        gain_e8 = funding_e8 = 0
        sign = Side(entry.side).sign
        for fill in entry.fills:
            done = self.ledger.apply_fill(entry.symbol, sign * fill.size_e8, fill.price_e8, fill.fee_e8, entry.index_e8)
            gain_e8, funding_e8 = gain_e8 + done.realized_e8, funding_e8 + done.funding_e8
        self.settled[entry.client_id] = Settled(gain_e8, funding_e8)


def _entries(path: Path) -> list[tuple[Entry, int]]:
    """Return the file's entries, each with the offset of its end."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    found: list[tuple[Entry, int]] = []
    offset = 0
    for number, line in enumerate(lines, 1):
        offset += len(line)
        try:
            found.append((_decoder.decode(line), offset))
        except (msgspec.DecodeError, ValueError) as e:
            if number == len(lines):
                break
            raise PaperFileBroken(f"{path}:{number} cannot be read ({e}); move the folder away to begin anew") from e
        if not line.endswith(b"\n"):
            found.pop()
            break
    return found
