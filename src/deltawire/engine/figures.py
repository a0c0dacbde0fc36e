"""Counts and histograms of a run, kept as plain ints off the hot path and read on request. No metric names, no server.

An order is counted when it is over and a trade when it is closed; nothing here grows with the length of a run.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from deltawire.core.histogram import Histogram as FineHistogram
from deltawire.core.latency import phases_ns, spread_of
from deltawire.core.order import Order
from deltawire.core.stamps import OrderStamps
from deltawire.journal.records import TradeClosed

# Upper bounds in ns. From a signature's microseconds to the second at which an order is in doubt; 500 ms is the
# figure an answer has to beat.
PHASE_BOUNDS_NS = tuple(
    int(ms * 1e6) for ms in (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 200, 300, 500, 1000, 2500)
)
# From legs that fill together to the alarm after max_unhedged_ms.
UNHEDGED_BOUNDS_NS = tuple(int(ms * 1e6) for ms in (1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000))
RECENT_ORDERS = 200  # of which exact percentiles are told


class Histogram:
    """Counts by few upper bounds, for a metrics server; the last count is of what lies above every bound."""

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0

    def add(self, value: int) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def told(self) -> dict[str, Any]:
        return {"bounds_ns": self.bounds, "counts": self.counts, "sum_ns": self.sum}


class Figures:
    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()  # trades by pair and outcome
        self.pnl_e8: Counter[str] = Counter()
        self.fees_e8: Counter[str] = Counter()
        self._orders: Counter[tuple[str, str]] = Counter()  # of closed trades, by venue and purpose
        self._roads: Counter[tuple[str, str, bool]] = Counter()  # by venue, transport, connection reused
        self.latencies: dict[tuple[str, str, str], FineHistogram] = {}  # by venue, transport, phase; ns
        self._phases: dict[tuple[str, str], Histogram] = {}
        self._recent: dict[tuple[str, str], deque[int]] = {}
        self._unhedged: dict[str, Histogram] = {}
        self._spreads: dict[tuple[str, str], list[int]] = {}  # pair and kind: how many, their sum in 1e-8
        self._percentiles: dict[str, dict[str, Any]] | None = None  # made when asked for, until the next order

    @property
    def trades(self) -> int:
        return sum(self.outcomes.values())

    @property
    def round_trips(self) -> int:
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome == "closed")

    def order_timed(self, venue: str, stamps: OrderStamps) -> None:
        self._percentiles = None
        self._roads[venue, stamps.transport or "none", stamps.reused] += 1
        for phase, took_ns in phases_ns(stamps).items():
            self.latencies.setdefault((venue, stamps.transport or "none", phase), FineHistogram()).record(took_ns)
            at = (venue, phase)
            if at not in self._phases:
                self._phases[at], self._recent[at] = Histogram(PHASE_BOUNDS_NS), deque(maxlen=RECENT_ORDERS)
            self._phases[at].add(took_ns)
            self._recent[at].append(took_ns)

    def trade_closed(self, closed: TradeClosed, orders: Iterable[Order]) -> None:
        pair = closed.pair_id
        for order in orders:
            self._orders[order.request.instrument.venue, order.request.purpose.value] += 1
        self.outcomes[pair, closed.outcome] += 1
        self.pnl_e8[pair] += closed.pnl_e8
        self.fees_e8[pair] += closed.fees_e8
        self._unhedged.setdefault(pair, Histogram(UNHEDGED_BOUNDS_NS)).add(closed.unhedged_ns_max)
        detected_e8, executed_e8 = closed.entry_detected_spread_rate_e8, closed.entry_executed_spread_rate_e8
        if detected_e8 is not None and executed_e8 is not None:  # the one against the other, of the same trades
            for kind, rate_e8 in (("detected", detected_e8), ("executed", executed_e8)):
                known = self._spreads.setdefault((pair, kind), [0, 0])
                known[0] += 1
                known[1] += rate_e8

    def latency_us(self) -> dict[str, dict[str, Any]]:
        """Return venue: phase: n, p50, p90, p99 and max of the last orders, in µs."""
        if self._percentiles is None:
            self._percentiles = {}
            for (venue, phase), samples in self._recent.items():
                spread = spread_of(samples)
                assert spread is not None  # a deque is made with its first sample
                figures = {name: getattr(spread, name) / 1e3 for name in ("p50", "p90", "p99", "max")}
                self._percentiles.setdefault(venue, {})[phase] = {"n": spread.n} | figures
        return self._percentiles

    def told(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "orders": [[*labels, count] for labels, count in self._orders.items()],
            "roads": [[*labels, count] for labels, count in self._roads.items()],
            "phases": [[*labels, histogram.told()] for labels, histogram in self._phases.items()],
            "trades": [[*labels, count] for labels, count in self.outcomes.items()],
            "pnl_e8": dict(self.pnl_e8),
            "fees_e8": dict(self.fees_e8),
            "unhedged": [[pair, histogram.told()] for pair, histogram in self._unhedged.items()],
            "spreads": [[*labels, count, sum_e8] for labels, (count, sum_e8) in self._spreads.items()],
        }
