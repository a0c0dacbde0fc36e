"""The recorded market: real best bids and offers of two venues, read from package data and played for ever.

Source and format: data/README.md beside this file. Reads and orders ticks only; time passes in player.py.

The end meets the beginning without a jump: every second pass is mirrored (bid and ask swapped, prices turned around one
fixed middle), so it starts at the price where the pass before ended and ends where that one began. Played backwards in
time, the price would join as well, but causes would follow their effects; shifted, it would drift away for ever.
"""

import gzip
import hashlib
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate
from operator import add
from typing import NamedTuple, TypeAlias

from deltawire.core.money import E8
from deltawire.sim.market import Quote

FILE = "binance_usdm_coinm_btc_eth_20240808.gz"
SHA256 = "5980865ab3d999f3e9dbc4f18c10872671d33dcda34149b0a22cb1e31414e965"  # of the text inside
FORMAT = "deltawire market slice 1"

Ints: TypeAlias = "array[int]"  # a text: no type at run time before Python 3.12

PAUSE_NS = 10_000_000  # between the last quote of a pass and the first of the next: a usual gap of the recording


class RecordingError(Exception):
    """The recording is not the one this code was made for."""


class Tick(NamedTuple):
    """One quote of a market. offset_ns: market time since the start, never falling."""

    offset_ns: int
    venue: str
    base: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class Feed:
    """The quotes of one base on one venue, as recorded. Prices in ticks, sizes in units, one array entry a quote.

    A size unit is lot_e8 coins; where lot_e8 is 0 it is a contract worth contract_usd_e8 at that side's price.
    """

    venue: str
    base: str
    tick_e8: int
    lot_e8: int
    contract_usd_e8: int
    bid_ticks: Ints
    ask_ticks: Ints
    bid_units: Ints
    ask_units: Ints

    def size_e8(self, units: int, price_e8: int) -> int:
        """Return a size in coins, rounded down where a contract is no round number of them."""
        return units * self.lot_e8 if self.lot_e8 else units * self.contract_usd_e8 * E8 // price_e8


@dataclass(frozen=True, slots=True)
class Recording:
    """All feeds. order: for each quote in time order the index of its feed; offsets_us: its time.

    levels: base -> for each second, in ticks, how far the vest feed stood above the paradex feed on average.
    """

    feeds: tuple[Feed, ...]
    offsets_us: Ints
    order: Ints
    levels: dict[str, Ints]

    @property
    def bases(self) -> tuple[str, ...]:
        return tuple(self.levels)

    @property
    def duration_ns(self) -> int:
        """Market time of one pass."""
        return self.offsets_us[-1] * 1000 + PAUSE_NS

    def ticks(self) -> Iterator[Tick]:
        """Yield every quote in order of time, without end."""
        turns = {feed.base: _turn_ticks(feed) for feed in self.feeds if feed.venue == "paradex"}
        start_ns = 0
        while True:
            yield from self._pass(start_ns, None)
            yield from self._pass(start_ns + self.duration_ns, turns)
            start_ns += 2 * self.duration_ns

    def _pass(self, start_ns: int, turns: dict[str, int] | None) -> Iterator[Tick]:
        """Yield one pass. turns: per base, first plus last price in ticks of a mirrored pass; None as recorded."""
        positions = [0] * len(self.feeds)
        for offset_us, index in zip(self.offsets_us, self.order, strict=True):
            feed, at = self.feeds[index], positions[index]
            positions[index] += 1
            level = self.levels[feed.base][offset_us // 1_000_000] if feed.venue == "vest" else 0
            bid, ask = feed.bid_ticks[at] - level, feed.ask_ticks[at] - level
            bid_units, ask_units = feed.bid_units[at], feed.ask_units[at]
            # Sizes belong to the recorded price: a contract's worth in coins is not mirrored.
            bid_size_e8 = feed.size_e8(bid_units, feed.bid_ticks[at] * feed.tick_e8)
            ask_size_e8 = feed.size_e8(ask_units, feed.ask_ticks[at] * feed.tick_e8)
            if turns is None:
                quote = Quote(bid * feed.tick_e8, bid_size_e8, ask * feed.tick_e8, ask_size_e8)
            else:
                turn = turns[feed.base]
                quote = Quote((turn - ask) * feed.tick_e8, ask_size_e8, (turn - bid) * feed.tick_e8, bid_size_e8)
            yield Tick(start_ns + offset_us * 1000, feed.venue, feed.base, quote)


def load_recording() -> Recording:
    """Read the recording of the package (about 0.1 s). Raises RecordingError when it is missing or not itself."""
    try:
        packed = files("deltawire.sim").joinpath("data", FILE).read_bytes()
        text = gzip.decompress(packed)
    except (OSError, EOFError) as e:
        raise RecordingError(f"cannot read {FILE} of the package: {e}; install deltawire again") from e
    return decode_recording(text, SHA256)


def decode_recording(text: bytes, sha256: str) -> Recording:
    """Read the text form. Raises RecordingError unless it has this checksum and the known shape."""
    found = hashlib.sha256(text).hexdigest()
    if found != sha256:
        raise RecordingError(f"the recording's SHA-256 is {found}, not {sha256}; install deltawire again")
    head, *lines = text.splitlines()
    header = json.loads(head)
    if header["format"] != FORMAT:
        raise RecordingError(f"the recording is of format {header['format']!r}, not {FORMAT!r}")
    columns = iter([array("q", map(int, line.split())) for line in lines])
    offsets_us, order = _sums(next(columns)), next(columns)
    feeds = []
    for feed in header["feeds"]:
        bid_ticks = _sums(next(columns))
        ask_ticks = array("q", map(add, bid_ticks, next(columns)))
        feeds.append(
            Feed(
                venue=feed["venue"],
                base=feed["base"],
                tick_e8=feed["tick_e8"],
                lot_e8=feed["lot_e8"],
                contract_usd_e8=feed["contract_usd_e8"],
                bid_ticks=bid_ticks,
                ask_ticks=ask_ticks,
                bid_units=_sums(next(columns)),
                ask_units=_sums(next(columns)),
            )
        )
    return Recording(tuple(feeds), offsets_us, order, {base: next(columns) for base in header["levels"]})


def _sums(deltas: Ints) -> Ints:
    return array("q", accumulate(deltas))


def _turn_ticks(feed: Feed) -> int:
    """Return first plus last middle, in ticks: mirrored prices are this less the recorded ones."""
    first, last = feed.bid_ticks[0] + feed.ask_ticks[0], feed.bid_ticks[-1] + feed.ask_ticks[-1]
    return (first + last) // 2
