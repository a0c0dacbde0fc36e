"""How fast market frames are taken in: read alone, and all the way a real frame takes, on one core.

"_evaluated" hands frames to the live bot where its socket would: link, feed, book, then the pair's edge. None is worth
a trade, as nearly every frame is. "_decode" is the codec alone, "floor_unpack" one struct call, which any reader of the
frame must make. Frames are as the simulated venues encode them, all different, the market moving.
Left out: WebSocket, TLS and kernel; the simulators run beside, but nothing is waited for while the clock runs.
"""

import asyncio
import random
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp

from deltawire.bench import rig
from deltawire.bench.figures import Report, Table, figures, machine
from deltawire.core.book import Level
from deltawire.engine.assembly import assemble
from deltawire.engine.bot import Bot
from deltawire.engine.clock import SystemClock
from deltawire.net.loop import quiet_gc, run
from deltawire.observe.log import BufferedLog
from deltawire.venues.contract import MARKET_DATA
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.records import Bbo, BookUpdate
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.vest import wire, ws
from deltawire.venues.vest.session import VestVenue

_FRAMES = 1_000  # in one sample: long enough that reading the clock does not count, short enough for a percentile
_WARM_UP = 3
_TICK_E8 = 10**7
_SWAY_TICKS = 40  # the market stays this near to the other venue's: 0.6 bps of BTC, far from any threshold
_LEVELS, _CHANGED = 15, 4  # of a whole book and of a usual delta, a side
_VEST_LEVELS = 20
_SYMBOL, _VEST_SYMBOL = "BTC-USD-PERP", "BTC-PERP"
_MID_E8 = 61_800 * 10**8
_SIM_YAML = "seed: 1\n" + rig.QUICK_VEST
_READY_S = 20.0

# All that any reader of a best-bid/offer frame must do in Python: the floor the others are compared with.
_BBO = struct.Struct("<HHHH6qB")

Frames = list[memoryview]


@dataclass(frozen=True, slots=True)
class _Case:
    make: Callable[[], Frames]  # untimed, anew each round
    take: Callable[[Frames], None]  # timed


class _Walk:
    """A mid price that sways around its start by a tick at a time, and the frames that tell of it."""

    def __init__(self, mid_e8: int, rng: random.Random) -> None:
        self.start_e8 = self.mid_e8 = mid_e8 - mid_e8 % _TICK_E8
        self._rng = rng

    def bbos(self, seq: int) -> list[Bbo]:
        found = []
        for at in range(seq, seq + _FRAMES):
            self._move()
            bids, asks = self.sides(1)
            found.append(Bbo(_stamp(at), at, bids[0], asks[0], _SYMBOL))
        return found

    def books(self, seq: int, levels: int) -> list[BookUpdate]:
        """Return a whole book and changes to it; levels on each side change, and one that was passed goes."""
        found = [self._book(seq, *self.sides(_LEVELS), is_snapshot=True)]
        for at in range(seq + 1, seq + _FRAMES):
            passed_e8 = self.mid_e8
            self._move()
            moved_e8 = self.mid_e8 - passed_e8
            bids, asks = self.sides(levels)
            if moved_e8 > 0:
                asks[-1] = (passed_e8 + _TICK_E8, 0)
            elif moved_e8 < 0:
                bids[-1] = (passed_e8 - _TICK_E8, 0)
            found.append(self._book(at, bids, asks, is_snapshot=False))
        return found

    def depths(self) -> list[tuple[list[Level], list[Level]]]:
        found = []
        for _ in range(_FRAMES):
            self._move()
            found.append(self.sides(_VEST_LEVELS))
        return found

    def sides(self, levels: int) -> tuple[list[Level], list[Level]]:
        rng = self._rng
        bids = [(self.mid_e8 - (i + 1) * _TICK_E8, rng.randrange(1, 500) * 10**6) for i in range(levels)]
        asks = [(self.mid_e8 + (i + 1) * _TICK_E8, rng.randrange(1, 500) * 10**6) for i in range(levels)]
        return bids, asks

    def _move(self) -> None:
        moved_e8 = self.mid_e8 + self._rng.randint(-1, 1) * _TICK_E8
        if abs(moved_e8 - self.start_e8) <= _SWAY_TICKS * _TICK_E8:
            self.mid_e8 = moved_e8

    def _book(self, seq: int, bids: list[Level], asks: list[Level], *, is_snapshot: bool) -> BookUpdate:
        return BookUpdate(_stamp(seq), seq, is_snapshot, bids, asks, _SYMBOL)


def bench_throughput(rounds: int = 60, seed: int = 1) -> Report:
    """Time `rounds` batches per case, in turn. Samples are ns per frame, each the mean of one batch.

    Raises RuntimeError when the simulators do not come up, AssertionError when the books do not end where frames do.
    """
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        samples, frame_bytes = run(_measure(Path(name), rounds, random.Random(seed)))  # noqa: S311  a made-up market
    results = {case: figures(taken, "ns") for case, taken in samples.items()}
    bbo = results["bbo_evaluated"].p50
    settings = {
        "rounds": rounds,
        "warm_up": _WARM_UP,
        "frames_per_sample": _FRAMES,
        "seed": seed,
        "pairs": 1,
        "clock": "CPU time of the thread: what one core does, whoever else uses it",
        **machine(),
    }
    ratios = {
        f"{case}/bbo_evaluated": f.p50 / bbo
        for case, f in results.items()
        if case.endswith("_evaluated") and case != "bbo_evaluated"
    }
    unpack = results["floor_unpack"].p50
    ratios |= {f"deltawire/unpack {case} p50": results[case].p50 / unpack for case in ("bbo_decode", "bbo_evaluated")}
    rates = Table(
        "What one core takes in",
        ("case", "bytes a frame", "frames a second"),
        tuple((case, frame_bytes[case], round(1e9 / f.p50)) for case, f in results.items()),
    )
    return Report("throughput", settings, results, ratios, tables=(rates,))


async def _measure(folder: Path, rounds: int, rng: random.Random) -> tuple[dict[str, list[int]], dict[str, int]]:
    async with rig.simulators(folder, _SIM_YAML) as ready, aiohttp.ClientSession() as http:
        clock = SystemClock()
        config = rig.bot_config(folder, rig.bot_settings(folder, ready))
        bot = assemble(config, rig.bot_secrets(ready), clock, BufferedLog(clock, []))
        await rig.hold_basis(http, ready, 0)
        await bot.start()
        try:
            books = [book for trader in bot.traders for book in trader.books]
            await rig.wait_until(lambda: all(book.valid for book in books), "picture of both books", _READY_S)
            quiet_gc()
            return await _take_turns(_cases(bot, rng), bot, rounds)
        finally:
            await bot.stop("bench")


async def _take_turns(cases: dict[str, _Case], bot: Bot, rounds: int) -> tuple[dict[str, list[int]], dict[str, int]]:
    books = [book for trader in bot.traders for book in trader.books]
    samples: dict[str, list[int]] = {case: [] for case in cases}
    frame_bytes: dict[str, int] = {}
    for i in range(_WARM_UP + rounds):
        for name, case in cases.items():
            # The simulators' own frames lie far behind ours; once they are missed, the feed asks for a new picture.
            await rig.wait_until(lambda: all(book.valid for book in books), "picture of both books", _READY_S)
            frames = case.make()
            frame_bytes[name] = len(frames[-1])
            before_ns = time.thread_time_ns()
            case.take(frames)
            took_ns = time.thread_time_ns() - before_ns
            if i >= _WARM_UP:
                samples[name].append(took_ns // len(frames))
            if any(not trader.is_idle for trader in bot.traders):
                raise AssertionError(f"{name}: a frame made the bot trade; what was measured is not what it says")
            # Its own timers and the simulators' frames have their turn between samples.
            await asyncio.sleep(0)
    return samples, frame_bytes


def _cases(bot: Bot, rng: random.Random) -> dict[str, _Case]:
    # Frames enter where the sockets hand them over; the adapters have no other door, and need none.
    paradex = cast("ParadexVenue", bot.venues["paradex"])
    vest = cast("VestVenue", bot.venues["vest"])
    market_link = next(link for link in paradex._market._links if link.name == MARKET_DATA)
    vest_link = vest._market.data_link
    assert vest_link is not None
    book, vest_book = bot.traders[0].books
    walk, vest_walk = _Walk(book.mid_e8(), rng), _Walk(vest_book.mid_e8(), rng)
    now_ns = bot.clock.mono_ns

    def take_binary(frames: Frames) -> None:
        socket, at_ns = market_link._socket, now_ns()
        assert socket is not None
        on_binary = socket.on_binary
        for frame in frames:
            on_binary(frame, at_ns)
        if not book.valid or book.received_mono_ns != at_ns:
            why = book.why_invalid or f"frames were left out at {book.seq}, the last is {sbe.decode(frames[-1])}"
            raise AssertionError(f"the book did not follow its frames: {why}")

    def take_text(frames: Frames) -> None:
        on_text, at_ns = vest_link.on_text, now_ns()
        for frame in frames:
            on_text(frame, at_ns)

    def delta_frames(levels: int) -> Frames:
        return _sbe(walk.books(book.seq + 1, levels))

    def depth_frames() -> Frames:
        pictures = vest_walk.depths()
        return [memoryview(ws.depth(_VEST_SYMBOL, bids, asks, 2, 4)) for bids, asks in pictures]

    def bbo_frames() -> Frames:
        return _sbe(walk.bbos(book.seq + 1))

    return {
        "floor_unpack": _Case(bbo_frames, _only(_BBO.unpack_from)),
        "bbo_decode": _Case(bbo_frames, _only(sbe.decode_bbo)),
        "bbo_evaluated": _Case(bbo_frames, take_binary),
        "delta_evaluated": _Case(lambda: delta_frames(_CHANGED), take_binary),
        "book_15_decode": _Case(lambda: delta_frames(_LEVELS), _only(sbe.decode_book)),
        "book_15_evaluated": _Case(lambda: delta_frames(_LEVELS), take_binary),
        "vest_depth_decode": _Case(depth_frames, _only(ws.FrameReader().read)),
        "vest_depth_evaluated": _Case(depth_frames, take_text),
        "vest_ticker": _Case(lambda: _tickers(rng), take_text),
    }


def _only(decode: Callable[[memoryview], Any]) -> Callable[[Frames], None]:
    def take(frames: Frames) -> None:
        for frame in frames:
            decode(frame)

    return take


def _sbe(records: Sequence[Bbo] | Sequence[BookUpdate]) -> Frames:
    return [memoryview(sbe.encode(record)) for record in records]


def _tickers(rng: random.Random) -> Frames:
    """Return frames of the `tickers` channel with one market each, as the venue sends while only one is traded."""
    frames = []
    for _ in range(_FRAMES):
        price = f"{_MID_E8 // 10**8 + rng.randrange(100)}.{rng.randrange(100):02d}"
        ticker = wire.Ticker(_VEST_SYMBOL, "0.000012500000", "0.1234", "0.000000", price, price, wire.TRADING, "1", "1")
        frames.append(memoryview(ws.tickers([ticker])))
    return frames


def _stamp(seq: int) -> int:
    return 1_763_800_000_000_000_000 + seq * 1_000_000
