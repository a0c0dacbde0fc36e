"""What the safety on the hot path costs: gate, journal and registration around the two writes of an entry.

The real gateway, gate, recorder and journal (on a real disk), with two venues that sign and send nothing, so that only
safety is left: from the decision to the second order's arrival at its venue. Orders of a ladder were journalled when
they were signed, and are recorded as sent after it; others are journalled in between. Cases take turns in one run.
Left out: signing and sockets (see reaction), and the trade machine, which is not safety but the job.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deltawire.bench.figures import Report, figures, machine
from deltawire.core.limits import Gate, Limits
from deltawire.core.money import E8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.clock import SystemClock
from deltawire.engine.gateway import Gateway, Outgoing
from deltawire.engine.recorder import Recorder
from deltawire.journal.log import JournalLog
from deltawire.journal.records import intended
from deltawire.net.loop import quiet_gc, run
from deltawire.observe.log import BufferedLog
from deltawire.venues.contract import PreparedOrder

_LIMITS = Limits(
    order_notional_e8_max=10**6 * E8,
    orders_per_minute_max=10**9,
    open_pairs_max=1,
    daily_loss_e8_max=E8,
    quote_age_ns_max={},
    venue_age_ns_max=1,
    book_spread_e8_max=1,
    price_cap_e8_max=500_000,
    edge_e8_max=E8,
    drawdown_e8_max=E8,
    inventory_e8_max=E8,
    free_margin_e8_min=0,
    liquidation_e8_min=0,
)
_PRICE_E8 = 60_000 * E8


class _Mute:
    """A venue whose orders cost nothing: what is measured is around it."""

    submitted_ns = 0  # when the last order came, of all such venues

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        return PreparedOrder(request, 1, 1, b"", 1_000, stamps)

    def submit(self, prepared: PreparedOrder) -> None:  # noqa: ARG002 - the contract's
        _Mute.submitted_ns = time.perf_counter_ns()


def bench_safety(rounds: int = 2_000) -> Report:
    """Measure and return; needs a writable temporary folder for the journal."""
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        samples = run(_measure(Path(name), rounds))
    results = {case: figures(taken, "us") for case, taken in samples.items()}
    cost = results["with_safety"].p50 - results["without"].p50
    return Report(
        name="safety",
        settings={"rounds": rounds, "orders_each": 2, "pause_us": 500, **machine()},
        results=results,
        ratios={
            "safety_us_p50": cost,
            "safety_presigned_us_p50": results["presigned_with_safety"].p50 - results["without"].p50,
        },
    )


async def _measure(folder: Path, rounds: int) -> dict[str, list[int]]:
    clock = SystemClock()
    log = BufferedLog(clock, [])
    journal = JournalLog(folder)
    recorder = Recorder(journal, log)
    gate = Gate(_LIMITS)
    gateway = Gateway(gate=gate, recorder=recorder, clock=clock, log=log)
    ids = iter(range(10**9))

    def without(pair: list[Outgoing]) -> None:
        prepared = [out.venue.prepare(out.request, out.stamps) for out in pair]
        for out, order in zip(pair, prepared, strict=True):
            out.venue.submit(order)

    def gate_only(pair: list[Outgoing]) -> None:
        for out in pair:
            gate.approve(out.request, out.reference_price_e8, clock.mono_ns())

    def journal_only(pair: list[Outgoing]) -> None:
        intents = [
            intended(out.request, pair_id="btc", leg="a", correlator=1, signed_unix_ms=1, unix_ns=1) for out in pair
        ]
        recorder.record_now(intents)

    cases: dict[str, Callable[[list[Outgoing]], object]] = {
        "with_safety": lambda pair: gateway.send(pair, lambda _out, _order: None),
        "presigned_with_safety": lambda pair: gateway.write(pair, lambda _out, _order: None),
        "without": without,
        "gate": gate_only,
        "journal": journal_only,
    }
    samples: dict[str, list[int]] = {name: [] for name in cases}
    rng = random.Random(1)  # noqa: S311 - the order of cases
    names = list(cases)
    quiet_gc()
    for _ in range(rounds):
        rng.shuffle(names)
        for name in names:
            pair = [_outgoing(next(ids), side) for side in Side]
            gate.sent_mono_ns.clear()
            await asyncio.sleep(0.0005)  # an order finds an idle loop, not a hot one
            before_ns = time.perf_counter_ns()
            cases[name](pair)
            done_ns = time.perf_counter_ns() if name in {"gate", "journal"} else _Mute.submitted_ns
            samples[name].append(done_ns - before_ns)
    await recorder.close()
    return samples


def _outgoing(number: int, side: Side) -> Outgoing:
    instrument = Instrument("mute", "BTC", E8 // 10, E8 // 10_000, E8 // 10_000, 0, 0, 0)
    request = OrderRequest(
        ClientOrderId(f"dwbench-0-{number}-a1"),
        TradeId(f"dwbench-0-{number}"),
        Purpose.ENTRY,
        instrument,
        side,
        E8 // 100,
        _PRICE_E8,
    )
    # A venue of the contract has more to it; the gateway asks these two things only.
    venue, stamps = _Mute(), OrderStamps()
    ahead = venue.prepare(request, stamps)
    return Outgoing(venue, 0, "btc", request, _PRICE_E8, stamps, ahead)  # type: ignore[arg-type]
