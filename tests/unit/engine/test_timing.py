"""What the bot keeps of its own times: histograms of orders, the venue's stamps joined, the loop's lag, collections."""

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.engine.fake_venue import ListLog, ManualClock
from tests.unit.journal.facts import run_ended, run_started

from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.engine.figures import Figures
from deltawire.engine.health import TELL_EVERY_NS, Health
from deltawire.engine.recorder import Recorder
from deltawire.engine.registry import LiveOrder
from deltawire.engine.timing import Timing
from deltawire.journal.log import JournalLog
from deltawire.journal.records import LoopMeasured, OrderTimed, Record
from deltawire.journal.report import build_report
from deltawire.journal.segments import read

MS = 1_000_000


class Kept:
    """A recorder on a real journal, and the clock the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.log = ListLog()
        self.figures = Figures()
        self.recorder = Recorder(JournalLog(folder), self.log)

    async def records(self) -> list[Record]:
        await self.recorder.close()
        return [record for _, record in read(self.folder)]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "journal")


def finish(
    timing: Timing, clock: ManualClock, *, ahead_ns: int, out_ns: int, venue_ns: int, back_ns: int
) -> OrderStamps:
    """Tell an order whose venue's clock is so far ahead, and which was so long on each way."""
    written_mono_ns, written_unix_ns = clock.mono_ns(), clock.unix_ns()
    received_unix_ns = written_unix_ns + out_ns + ahead_ns
    reply_mono_ns = written_mono_ns + out_ns + venue_ns + back_ns
    stamps = OrderStamps(
        decided_mono_ns=written_mono_ns - 20_000,
        prepared_mono_ns=written_mono_ns - 20_000,
        signed_mono_ns=written_mono_ns - 15_000,
        encoded_mono_ns=written_mono_ns - 10_000,
        written_mono_ns=written_mono_ns,
        reply_mono_ns=reply_mono_ns,
        acked_mono_ns=reply_mono_ns + 5_000,
        venue_received_unix_ns=received_unix_ns,
        venue_sent_unix_ns=received_unix_ns + venue_ns,
        transport="ws",
    )
    clock.now_ns += out_ns + venue_ns + back_ns + MS
    doubtful: Any = SimpleNamespace(venue=SimpleNamespace(name="paradex"))
    trader: Any = None
    timing.finished(ClientOrderId("c1"), LiveOrder(trader, doubtful, stamps))
    return stamps


async def test_the_venues_stamps_are_joined_by_the_offset_its_answers_show(kept):
    timing = Timing(recorder=kept.recorder, clock=kept.clock, log=kept.log, figures=kept.figures)
    finish(timing, kept.clock, ahead_ns=300 * MS, out_ns=10 * MS, venue_ns=2 * MS, back_ns=10 * MS)
    slow = finish(timing, kept.clock, ahead_ns=300 * MS, out_ns=90 * MS, venue_ns=2 * MS, back_ns=10 * MS)
    assert slow.venue_ahead_ns == 300 * MS
    paths = {phase: kept.figures.latencies["paradex", "ws", phase].max for phase in ("out", "venue", "back", "wire")}
    assert {phase: round(ns / MS) for phase, ns in paths.items()} == {"out": 90, "venue": 2, "back": 10, "wire": 102}
    assert kept.figures.latencies["paradex", "ws", "signature"].spread().p50 == 5_000
    told = [record.stamps for record in await kept.records() if isinstance(record, OrderTimed)]
    assert [stamps.venue_ahead_ns for stamps in told] == [300 * MS, 300 * MS]


async def test_without_stamps_of_the_venue_the_order_is_counted_all_the_same(kept):
    timing = Timing(recorder=kept.recorder, clock=kept.clock, log=kept.log, figures=kept.figures)
    stamps = OrderStamps(
        written_mono_ns=kept.clock.mono_ns() - 5 * MS, reply_mono_ns=kept.clock.mono_ns(), acked_mono_ns=1
    )
    doubtful: Any = SimpleNamespace(venue=SimpleNamespace(name="vest"))
    trader: Any = None
    timing.finished(ClientOrderId("c2"), LiveOrder(trader, doubtful, stamps))
    assert stamps.venue_ahead_ns is None
    assert stamps.written_unix_ns == kept.clock.unix_ns() - 5 * MS
    assert kept.figures.latencies["vest", "none", "wire"].max == 5 * MS
    await kept.records()


async def test_the_lag_of_the_tick_is_recorded_every_minute_and_reported(kept):
    health = Health(recorder=kept.recorder, clock=kept.clock)
    kept.recorder.later(run_started())
    for late_ns in (0, 0, 0, 7 * MS, TELL_EVERY_NS):
        health.on_tick(10 * MS)
        kept.clock.now_ns += 10 * MS + late_ns
    health.on_tick(10 * MS)
    assert (health.lag.n, health.lag.max) == (5, TELL_EVERY_NS)
    kept.recorder.later(run_ended())
    measured = [record for record in await kept.records() if isinstance(record, LoopMeasured)]
    assert [record.lag["n"] for record in measured] == [5]
    loop = build_report(kept.folder).to_json()["loop"]
    assert (loop["lag"]["n"], loop["lag"]["max"]) == (5, TELL_EVERY_NS / 1e3)
    assert loop["gc_pauses"] == {"n": 0, "p50": None, "p90": None, "p99": None, "max": None}


async def test_collections_are_timed_until_it_is_closed(kept):
    health = Health(recorder=kept.recorder, clock=kept.clock)
    before = list(gc.callbacks)
    health.watch_collector()
    gc.collect()
    health.close()
    health.close()
    counted = health.pauses.n
    assert counted >= 1
    assert gc.callbacks == before
    gc.collect()
    assert health.pauses.n == counted
    await kept.records()
