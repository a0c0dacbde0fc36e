"""How fast best-bid/offer frames are read: Paradex SBE bytes to a record, and on into a book.

Left out: the socket and TLS, the edge, the trade. Frames are as the simulated venue would encode them, all different.
"""

import random
import time
from collections.abc import Callable

from deltawire.bench.figures import Report, figures, machine
from deltawire.core.book import Book
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.records import Bbo

_FRAMES = 2_000  # in one sample: long enough that reading the clock does not count, short enough for a percentile
_MID_E8, _TICK_E8 = 300_000_000_000, 1_000_000
_WARM_UP = 3


def bench_throughput(rounds: int = 100, seed: int = 1) -> Report:
    """Time `rounds` batches per case, in turn. Samples are ns per frame, each the mean of one batch."""
    frames, last = _frames(random.Random(seed))  # noqa: S311  a made-up market
    cases: dict[str, Callable[[], None]] = {
        "bbo_decode": lambda: _decode(frames),
        "bbo_decode_and_book": lambda: _decode_and_book(frames, last),
    }
    samples: dict[str, list[int]] = {name: [] for name in cases}
    for i in range(_WARM_UP + rounds):
        for name, work in cases.items():
            before_ns = time.perf_counter_ns()
            work()
            took_ns = time.perf_counter_ns() - before_ns
            if i >= _WARM_UP:
                samples[name].append(took_ns // len(frames))
    results = {name: figures(taken, "ns") for name, taken in samples.items()}
    ratios = {"bbo_decode_and_book/bbo_decode": results["bbo_decode_and_book"].p50 / results["bbo_decode"].p50}
    settings = {
        "rounds": rounds,
        "warm_up": _WARM_UP,
        "frames_per_sample": len(frames),
        "frame_bytes": len(frames[0]),
        "seed": seed,
        "frames_per_s_p50": {name: round(1e9 / f.p50) for name, f in results.items()},
        **machine(),
    }
    return Report("throughput", settings, results, ratios)


def _decode(frames: list[memoryview]) -> None:
    decode_bbo = sbe.decode_bbo
    for frame in frames:
        decode_bbo(frame)


def _decode_and_book(frames: list[memoryview], last: Bbo) -> None:
    book = Book("paradex", last.market)
    # Deep on both sides, so that a new top has something to cut.
    book.replace(
        [(_MID_E8 - i * _TICK_E8, 10**8) for i in range(1, 16)], [(_MID_E8 + i * _TICK_E8, 10**8) for i in range(1, 16)]
    )
    for frame in frames:
        bbo = sbe.decode_bbo(frame)
        book.set_top(bbo.bid, bbo.ask, bbo.seq)
    if (book.bids[0], book.asks[0], book.seq) != (last.bid, last.ask, last.seq) or not book.valid:
        raise AssertionError("the book does not end where the frames do")


def _frames(rng: random.Random) -> tuple[list[memoryview], Bbo]:
    """Return frames of a random walk as views, as a socket hands them over, and the last one's record."""
    bbos: list[Bbo] = []
    mid_e8 = _MID_E8
    for seq in range(1, _FRAMES + 1):
        mid_e8 += rng.randrange(-3, 4) * _TICK_E8
        bid = (mid_e8 - rng.randrange(1, 4) * _TICK_E8, rng.randrange(1, 50) * 10**7)
        ask = (mid_e8 + rng.randrange(1, 4) * _TICK_E8, rng.randrange(1, 50) * 10**7)
        bbos.append(Bbo(1_763_800_000_000_000_000 + seq * 1_000_000, seq, bid, ask, "ETH-USD-PERP"))
    return [memoryview(sbe.encode(bbo)) for bbo in bbos], bbos[-1]
