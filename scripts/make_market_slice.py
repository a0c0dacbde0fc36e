# ruff: noqa: INP001 - a script, not a package
"""Make src/deltawire/sim/data/*.gz, the simulators' recorded market, from the public recording it is a slice of.

    python scripts/make_market_slice.py FOLDER [OUTPUT]

FOLDER holds the four files named in SOURCES (src/deltawire/sim/data/README.md says where they come from), plain or cut
to a shorter span. Integer arithmetic throughout; the same input gives the same text, whose SHA-256 is printed and must
stand in deltawire.sim.recording. Not part of the installed package.
"""

import gzip
import hashlib
import json
import sys
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent.parent / "src/deltawire/sim/data/binance_usdm_coinm_btc_eth_20240808.gz"

E8 = 10**8
NS = 10**9
END_UNIX_NS = 1_723_161_480_000_000_000  # 2024-08-08 23:58:00 UTC; enough for a demo, and a small file
LEVEL_WINDOW_S = 60  # long against the crossings kept (tens of milliseconds), short against the level's own drift
SAMPLES_A_SECOND = 100


@dataclass
class Feed:
    """One source file and the role it plays. Rows: (receive time ns, bid ticks, ask ticks, bid units, ask units)."""

    file: str
    venue: str
    base: str
    tick_e8: int
    lot_e8: int  # one size unit in coins, or 0 where the unit is a contract of contract_usd_e8
    contract_usd_e8: int
    rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)


SOURCES = (
    Feed("usdm_btcusdt_20240808*.gz", "paradex", "BTC", E8 // 10, E8 // 1000, 0),
    Feed("usdm_ethusdt_20240808*.gz", "paradex", "ETH", E8 // 100, E8 // 1000, 0),
    Feed("cm_btcusd_perp_20240808*.gz", "vest", "BTC", E8 // 10, 0, 100 * E8),
    Feed("cm_ethusd_perp_20240808*.gz", "vest", "ETH", E8 // 100, 0, 10 * E8),
)


def main(folder: Path, output: Path) -> None:
    for feed in SOURCES:
        read(feed, folder)
    start_ns = max(feed.rows[0][0] for feed in SOURCES)
    for feed in SOURCES:
        cut(feed, start_ns)
    text = encode(SOURCES, start_ns)
    # mtime 0: the same content makes the same file.
    output.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    quotes = sum(len(feed.rows) for feed in SOURCES)
    sys.stdout.write(f"{output}: {output.stat().st_size} bytes, {quotes} quotes\n")
    sys.stdout.write(f"SHA-256 of the text: {hashlib.sha256(text).hexdigest()}\n")


def read(feed: Feed, folder: Path) -> None:
    """Take the bookTicker lines "<receive ns> <message>" of one file, up to END_UNIX_NS."""
    (path,) = folder.glob(feed.file)
    with gzip.open(path, "rt") as lines:
        for line in lines:
            stamp, _, message = line.partition(" ")
            if int(stamp) >= END_UNIX_NS:
                break
            if '@bookTicker"' not in message[:60]:
                continue
            top: dict[str, Any] = json.loads(message)["data"]
            prices = (units(top["b"], feed.tick_e8), units(top["a"], feed.tick_e8))
            sizes = (units(top["B"], feed.lot_e8 or E8), units(top["A"], feed.lot_e8 or E8))
            feed.rows.append((int(stamp), *prices, *sizes))


def units(text: str, unit_e8: int) -> int:
    """Read a decimal as a whole number of units; anything left over is an error, not a rounding."""
    whole, _, places = text.partition(".")
    count, rest = divmod(int(whole) * E8 + int(places.ljust(8, "0") or 0), unit_e8)
    if rest:
        raise ValueError(f"{text} is not a multiple of {unit_e8}e-8")
    return count


def cut(feed: Feed, start_ns: int) -> None:
    """Begin where all feeds have spoken: the quote in force then, moved to that moment, and all later ones."""
    before = [row for row in feed.rows if row[0] <= start_ns]
    feed.rows = [(start_ns, *before[-1][1:]), *(row for row in feed.rows if row[0] > start_ns)]


def level(paradex: Feed, vest: Feed, start_ns: int) -> list[int]:
    """Return the running mean of vest mid less paradex mid, in ticks, one for each second of the recording.

    A centred mean over LEVEL_WINDOW_S, cut short at both ends, of the difference read every 10 ms.
    """
    end_ns = max(paradex.rows[-1][0], vest.rows[-1][0])
    differences: list[int] = []  # of bid + ask: twice the mid
    at_paradex = at_vest = 0
    for now_ns in range(start_ns, end_ns + 1, NS // SAMPLES_A_SECOND):
        while at_paradex + 1 < len(paradex.rows) and paradex.rows[at_paradex + 1][0] <= now_ns:
            at_paradex += 1
        while at_vest + 1 < len(vest.rows) and vest.rows[at_vest + 1][0] <= now_ns:
            at_vest += 1
        _, paradex_bid, paradex_ask, *_ = paradex.rows[at_paradex]
        _, vest_bid, vest_ask, *_ = vest.rows[at_vest]
        differences.append(vest_bid + vest_ask - paradex_bid - paradex_ask)
    sums = [0, *accumulate(differences)]
    levels = []
    for second in range((END_UNIX_NS - start_ns) // NS + 1):
        middle = second * SAMPLES_A_SECOND + SAMPLES_A_SECOND // 2
        half = LEVEL_WINDOW_S * SAMPLES_A_SECOND // 2
        first, last = max(0, middle - half), min(len(differences), middle + half)
        count = 2 * (last - first)
        levels.append((2 * (sums[last] - sums[first]) + count) // (2 * count))  # nearest whole tick
    return levels


def encode(feeds: tuple[Feed, ...], start_ns: int) -> bytes:
    """Write the text form: a JSON header, then one line of numbers a column (see the data README)."""
    merged = sorted((row[0], index) for index, feed in enumerate(feeds) for row in feed.rows)
    stamps_us = [(stamp_ns - start_ns) // 1000 for stamp_ns, _ in merged]
    header = {
        "format": "deltawire market slice 1",
        "start_unix_ns": start_ns,
        "feeds": [
            {
                "venue": feed.venue,
                "base": feed.base,
                "quotes": len(feed.rows),
                "tick_e8": feed.tick_e8,
                "lot_e8": feed.lot_e8,
                "contract_usd_e8": feed.contract_usd_e8,
            }
            for feed in feeds
        ],
        "levels": ["BTC", "ETH"],
    }
    lines = [json.dumps(header, separators=(",", ":")), numbers(deltas(stamps_us)), numbers([i for _, i in merged])]
    for feed in feeds:
        _, bids, asks, bid_units, ask_units = map(list, zip(*feed.rows, strict=True))
        spreads = [ask - bid for bid, ask in zip(bids, asks, strict=True)]
        lines += [numbers(deltas(bids)), numbers(spreads), numbers(deltas(bid_units)), numbers(deltas(ask_units))]
    paradex_btc, paradex_eth, vest_btc, vest_eth = feeds
    lines += [numbers(level(paradex_btc, vest_btc, start_ns)), numbers(level(paradex_eth, vest_eth, start_ns))]
    return ("\n".join(lines) + "\n").encode()


def deltas(values: list[int]) -> list[int]:
    return [after - before for before, after in pairwise([0, *values])]


def numbers(values: list[int]) -> str:
    return " ".join(map(str, values))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT)
