"""What the milliseconds are worth: one market traded by the same bot at several round trips. All money is simulated.

Real recorded prices of BTC (see docs/venues/sim.md), played to both simulated venues; on top stands a generated basis
whose humps last 0.15 to 1.6 s, because the recording has no crossings that pay the fees. How long and how high edges
stand decides the outcome, and that is ours: the table shows how loss grows with distance, not what a market pays. Each
distance sees the same quotes at the same moments. Everything runs on a virtual clock: the bot's own computing costs no
time, and no order waits for a CPU.

"Detected" or seen is the spread a trade was entered for, "executed" or got the one its fills had, both over the trades
whose two legs filled; "kept" is the sum of what was executed over the sum of what was detected in all trades begun. A
trade that finds one leg gone gives the other back, at a loss; "alone" is the longest time a leg stood without the
other. PnL is after fees, and simulated.

Left out: other traders who take the same edge (the quotes do not react to us), jitter, loss, and own computing time.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deltawire.bench.figures import Chart, Figures, Report, Table, figures, machine
from deltawire.journal.records import TradeClosed
from deltawire.research.market_world import MarketRun, run_market

_RAM = Path("/dev/shm")  # noqa: S108  a journal of a virtual run need not wear a disk out


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    rtts_ms: tuple[float, ...] = (0.0, 5.0, 20.0, 80.0, 400.0, 980.0)  # the last is what the earlier bot's orders took
    seconds: int = 300  # of the market; after it open trades find their end
    seed: int = 1
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One distance: sums in 1e-8, each of a rate of spread or of USD."""

    rtt_ms: float
    trades: Sequence[TradeClosed]

    @property
    def hedged(self) -> list[TradeClosed]:
        return [trade for trade in self.trades if trade.entry_executed_spread_rate_e8 is not None]

    @property
    def pnl_usd(self) -> float:
        return sum(trade.pnl_e8 for trade in self.trades) / 1e8

    @property
    def detected_bps(self) -> float:
        return sum(trade.entry_detected_spread_rate_e8 or 0 for trade in self.trades) / 1e4

    @property
    def executed_bps(self) -> float:
        return sum(trade.entry_executed_spread_rate_e8 or 0 for trade in self.hedged) / 1e4

    @property
    def kept(self) -> float:
        return self.executed_bps / self.detected_bps if self.trades else 0.0


def bench_edge(settings: EdgeSettings | None = None, told: Callable[[str], object] = lambda _: None) -> Report:
    """Trade the market once for each round trip. told: called with a sentence as each is done."""
    chosen = settings or EdgeSettings()
    work = partial(_trade, chosen.seconds, chosen.seed)
    outcomes: list[_Outcome] = []
    if chosen.jobs > 1:
        with ProcessPoolExecutor(chosen.jobs) as pool:
            for rtt_ms, trades in zip(chosen.rtts_ms, pool.map(work, chosen.rtts_ms), strict=True):
                outcomes.append(_Outcome(rtt_ms, trades))
                told(f"{rtt_ms:g} ms: {len(trades)} trades")
    else:
        for rtt_ms in chosen.rtts_ms:
            outcomes.append(_Outcome(rtt_ms, work(rtt_ms)))
            told(f"{rtt_ms:g} ms: {len(outcomes[-1].trades)} trades")
    return _report(outcomes, chosen)


def _trade(seconds: int, seed: int, rtt_ms: float) -> list[TradeClosed]:
    with tempfile.TemporaryDirectory(prefix="deltawire-edge-", dir=_RAM if _RAM.is_dir() else None) as name:
        return run_market(MarketRun(rtt_ms=rtt_ms, seconds=seconds, seed=seed), Path(name))


def _report(outcomes: Sequence[_Outcome], settings: EdgeSettings) -> Report:
    results: dict[str, Figures] = {}
    for at in outcomes:
        for what, rates in (
            ("detected", [trade.entry_detected_spread_rate_e8 for trade in at.trades]),
            ("executed", [trade.entry_executed_spread_rate_e8 for trade in at.hedged]),
        ):
            known = [rate for rate in rates if rate is not None]
            if known:
                results[f"{what} spread, {at.rtt_ms:g} ms"] = figures(known, "bps")
    run = MarketRun(rtt_ms=0, seconds=settings.seconds)
    return Report(
        "edge",
        {
            "rtts_ms": list(settings.rtts_ms),
            "seconds": settings.seconds,
            "seed": settings.seed,
            "clock": "virtual",
            "money": "simulated",
            "size_btc": run.size_e8 / 1e8,
            "entry_edge_bps": run.entry_edge_e8 / 1e4,
            "basis": f"one hump every {run.basis.period_ns / 1e9:g} s, {run.basis.height_min_e8 / 1e4:g} to "
            f"{run.basis.height_max_e8 / 1e4:g} bps, standing {run.basis.hold_min_ns / 1e6:g} to "
            f"{run.basis.hold_max_ns / 1e6:g} ms",
            **machine(),
        },
        results,
        {f"edge kept at {at.rtt_ms:g} ms": at.kept for at in outcomes},
        tables=(_table(outcomes),),
        charts=_charts(outcomes),
    )


def _table(outcomes: Sequence[_Outcome]) -> Table:
    nearest_usd = outcomes[0].pnl_usd
    rows = []
    for at in outcomes:
        kinds: Counter[str] = Counter(trade.outcome for trade in at.trades)
        hedged = at.hedged
        of_hedged = sum(trade.entry_detected_spread_rate_e8 or 0 for trade in hedged) / 1e4
        rows.append(
            (
                f"{at.rtt_ms:g}",
                len(at.trades),
                len(hedged),
                kinds["unwound"],
                kinds["nothing_filled"],
                round(of_hedged / len(hedged), 2) if hedged else "-",
                round(at.executed_bps / len(hedged), 2) if hedged else "-",
                round(100 * at.kept, 1),
                round(at.pnl_usd, 2),
                round(at.pnl_usd - nearest_usd, 2),
                round(max((trade.unhedged_ns_max for trade in at.trades), default=0) / 1e6, 1),
            )
        )
    columns = (
        "RTT ms",
        "begun",
        "both in",
        "given back",
        "no fill",
        "seen bps",
        "got bps",
        "kept %",
        "PnL USD",
        f"vs {outcomes[0].rtt_ms:g} ms",
        "alone ms",
    )
    return Table("The same recorded market at growing distance; money is simulated", columns, tuple(rows))


def _charts(outcomes: Sequence[_Outcome]) -> tuple[Chart, ...]:
    def mean(total: float, of: int) -> float:
        return round(total / of, 3) if of else 0.0

    return (
        Chart(
            "Spread a trade begun for, and what became of it (a trade given back counts as zero)",
            "round trip, ms",
            "bps per trade begun",
            {
                "detected": [(at.rtt_ms, mean(at.detected_bps, len(at.trades))) for at in outcomes],
                "executed": [(at.rtt_ms, mean(at.executed_bps, len(at.trades))) for at in outcomes],
            },
        ),
        Chart(
            "Simulated PnL after fees over the whole market",
            "round trip, ms",
            "simulated USD",
            {"PnL": [(at.rtt_ms, round(at.pnl_usd, 2)) for at in outcomes]},
        ),
    )
