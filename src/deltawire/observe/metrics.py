"""The bot's figures as Prometheus metrics: made when they are asked for, from one answer of the bot's control socket.

Runs in a process of its own (`deltawire metrics`), so a scrape costs the bot one snapshot and nothing more. Names
follow Prometheus' conventions: base units (seconds, ratio; one bps is 0.0001), `_total` for what only grows. Counters
start anew with the bot's process.

Source: prometheus.io/docs/practices/naming, read 2026-11-22.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Reply = dict[str, Any]
STATES = ("starting", "running", "paused", "disarmed", "stopping", "stopped")
_BPS = 1e-4
_US_S = 1e-6
_MS_S, _NS_S, _E8 = 1e-3, 1e-9, 1e-8
# What alert rules count: there from the start, because a counter whose first sample is 1 shows no increase.
ALARMING = (
    ("error", "trade.alarm"),
    ("error", "position.changed"),
    ("error", "positions.left"),
    ("error", "account.differs"),
    ("error", "loss.limit"),
    ("error", "margin.danger"),
    ("error", "order.illegal"),
    ("error", "bot.stalled"),
    ("error", "journal.unwritable"),
    ("error", "log.secret_masked"),
    ("warning", "order.in_doubt"),
    ("warning", "entry.refused"),
    ("warning", "link.down"),
)
_OPEN_ON_ONE_LEG = {"repairing", "unwinding", "stuck"}


class BotCollector(Collector):
    """Asks the bot at each scrape. read: None when nobody answers; a bot that is gone is `deltawire_up 0`."""

    def __init__(self, read: Callable[[], Reply | None]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Promise nothing in advance: registering must not ask the bot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        reply = self._read()
        yield _gauge("deltawire_up", "Whether the bot answers at its control socket.", [], [([], reply is not None)])
        if reply is not None:
            mode = [([str(reply.get("mode", "unknown"))], 1)]
            yield _gauge("deltawire_mode", "1 for the mode the bot runs in.", ["mode"], mode)
            yield from _of_bot(reply)
            yield _gauge(
                "deltawire_guarded_age_seconds",
                "Time since a guardian last asked; absent when none ever did.",
                [],
                [([], reply.get("guarded_s"))],
            )
            yield from _of_venues(reply.get("venues", {}))
            yield from _of_time(reply)
            yield from _of_pairs(reply.get("pairs", []))
            yield from _of_trades(reply.get("figures", {}))
            yield from _of_orders(reply.get("figures", {}), reply.get("venues", {}))
            yield from _of_log(reply.get("log", {}))


def _of_bot(reply: Reply) -> Iterator[Metric]:
    state = reply.get("state", "")
    limits = reply.get("limits", {})
    states = [([known], known == state) for known in dict.fromkeys((*STATES, state))]
    yield _gauge("deltawire_state", "1 for the state the bot is in.", ["state"], states)
    yield _gauge(
        "deltawire_halted",
        "Whether a halt keeps entries off until a person arms.",
        [],
        [([], bool(reply.get("halted")))],
    )
    yield _gauge(
        "deltawire_journal_writable",
        "Whether the journal can be written.",
        [],
        [([], reply.get("journal", "ok") == "ok")],
    )
    size = reply.get("journal_bytes")
    yield _gauge("deltawire_journal_bytes", "Size of the journal on the disk.", [], [([], size)])
    yield _gauge("deltawire_simulated", "Whether the venues are simulated.", [], [([], bool(reply.get("simulated")))])
    yield _gauge("deltawire_uptime_seconds", "Time since the bot's start.", [], [([], reply.get("uptime_s"))])
    yield _gauge(
        "deltawire_lost_today_usd", "Loss of the UTC day, over restarts.", [], [([], limits.get("lost_today_usd"))]
    )
    yield _gauge(
        "deltawire_daily_loss_limit_usd",
        "Loss of a day at which everything is closed.",
        [],
        [([], limits.get("daily_loss_max_usd"))],
    )
    yield _gauge(
        "deltawire_drawdown_usd", "How far the result is under its peak.", [], [([], limits.get("drawdown_usd"))]
    )
    yield _gauge(
        "deltawire_drawdown_limit_usd",
        "Drawdown at which everything is closed.",
        [],
        [([], limits.get("drawdown_max_usd"))],
    )


def _of_venues(venues: dict[str, Any]) -> Iterator[Metric]:
    each = list(venues.items())
    yield _gauge(
        "deltawire_venue_ready",
        "Whether orders can be sent to the venue.",
        ["venue"],
        [([name], venue.get("ready")) for name, venue in each],
    )
    yield _gauge(
        "deltawire_link_up",
        "Whether a connection to the venue is up.",
        ["venue", "link"],
        [([name, link], up) for name, venue in each for link, up in venue.get("links", {}).items()],
    )
    yield _counter(
        "deltawire_link_reconnects",
        "Times a connection came back.",
        ["venue", "link"],
        [([name, link], count) for name, venue in each for link, count in venue.get("reconnects", {}).items()],
    )
    yield _gauge(
        "deltawire_feed_age_seconds",
        "Age of a book since its last frame.",
        ["venue", "symbol"],
        [
            ([name, symbol], None if age_ms is None else age_ms * _MS_S)
            for name, venue in each
            for symbol, age_ms in venue.get("feed_age_ms", {}).items()
        ],
    )
    yield _gauge(
        "deltawire_feed_age_limit_seconds",
        "Age of a book past which nothing is opened.",
        ["venue"],
        [([name], venue["feed_age_ms_max"] * _MS_S) for name, venue in each if "feed_age_ms_max" in venue],
    )
    yield _counter(
        "deltawire_book_breaks",
        "Times a book was lost and had to be read anew.",
        ["venue", "symbol"],
        [([name, symbol], count) for name, venue in each for symbol, count in venue.get("book_breaks", {}).items()],
    )
    yield _gauge(
        "deltawire_equity_usd",
        "Equity of the account.",
        ["venue"],
        [([name], venue.get("equity_usd")) for name, venue in each],
    )
    yield _gauge(
        "deltawire_free_margin_usd",
        "Free collateral of the account.",
        ["venue"],
        [([name], venue.get("free_usd")) for name, venue in each],
    )
    yield _gauge(
        "deltawire_rate_budget_left",
        "Calls left of a rate limit.",
        ["venue", "budget", "period"],
        [
            ([name, budget["name"], f"{budget['period_s']}s"], budget["left"])
            for name, venue in each
            for budget in venue.get("budgets", [])
        ],
    )
    yield _gauge(
        "deltawire_rate_budget_size",
        "Calls a rate limit allows in its period.",
        ["venue", "budget", "period"],
        [
            ([name, budget["name"], f"{budget['period_s']}s"], budget["size"])
            for name, venue in each
            for budget in venue.get("budgets", [])
        ],
    )


def _of_time(reply: Reply) -> Iterator[Metric]:
    clocks = [(name, venue.get("clock") or {}) for name, venue in reply.get("venues", {}).items()]
    yield _gauge(
        "deltawire_clock_offset_seconds",
        "How far this machine's clock is ahead of the venue's.",
        ["venue"],
        [([name], _times(clock.get("offset_ms"), _MS_S)) for name, clock in clocks],
    )
    yield _gauge(
        "deltawire_clock_off",
        "Whether the clock is too far off to open anything.",
        ["venue"],
        [([name], bool(clock.get("blocks"))) for name, clock in clocks],
    )
    lag = (reply.get("loop") or {}).get("lag") or {}
    yield _gauge(
        "deltawire_loop_lag_seconds",
        "How late the bot's own timers were.",
        ["percentile"],
        [([name], _times(lag.get(name), _US_S)) for name in ("p50", "p99", "max")],
    )


def _of_pairs(pairs: list[dict[str, Any]]) -> Iterator[Metric]:
    yield _gauge(
        "deltawire_pair_open",
        "Whether a trade of the pair is open.",
        ["pair"],
        [([pair["id"]], pair.get("trade") is not None) for pair in pairs],
    )
    yield _gauge(
        "deltawire_pair_one_leg",
        "Whether a leg of the pair is being repaired or given back.",
        ["pair"],
        [([pair["id"]], pair.get("state") in _OPEN_ON_ONE_LEG) for pair in pairs],
    )
    yield _gauge(
        "deltawire_entries_on",
        "Whether the pair may be entered.",
        ["pair"],
        [([pair["id"]], pair.get("entries_on")) for pair in pairs],
    )
    yield _gauge(
        "deltawire_edge_ratio",
        "Net edge of the better direction now.",
        ["pair"],
        [([pair["id"]], _times(pair.get("edge_bps"), _BPS)) for pair in pairs],
    )
    yield _gauge(
        "deltawire_entry_edge_ratio",
        "Net edge at which the pair is entered.",
        ["pair"],
        [([pair["id"]], _times(pair.get("thresholds", {}).get("entry"), _BPS)) for pair in pairs],
    )
    yield _gauge(
        "deltawire_position",
        "Position in base units; negative is short.",
        ["pair", "venue"],
        [([pair["id"], venue], size) for pair in pairs for venue, size in pair.get("position", {}).items()],
    )
    yield _gauge(
        "deltawire_net_delta_usd",
        "Exposure of the pair over both venues; flat is 0.",
        ["pair"],
        [([pair["id"]], pair.get("delta_usd")) for pair in pairs],
    )
    yield _gauge(
        "deltawire_unhedged_seconds",
        "How long one leg has been larger by more than a lot.",
        ["pair"],
        [([pair["id"]], _times((pair.get("trade") or {}).get("unhedged_ms", 0), _MS_S)) for pair in pairs],
    )
    yield _gauge(
        "deltawire_orders_in_doubt",
        "Orders whose end nobody knows yet.",
        ["pair"],
        [([pair["id"]], (pair.get("trade") or {}).get("in_doubt", 0)) for pair in pairs],
    )


def _of_trades(figures: dict[str, Any]) -> Iterator[Metric]:
    yield _counter(
        "deltawire_trades",
        "Trades that ended.",
        ["pair", "outcome"],
        [([pair, outcome], count) for pair, outcome, count in figures.get("trades", [])],
    )
    yield _gauge(
        "deltawire_pnl_usd",
        "Result of the trades of this run, fees included.",
        ["pair"],
        [([pair], pnl_e8 * _E8) for pair, pnl_e8 in figures.get("pnl_e8", {}).items()],
    )
    yield _gauge(
        "deltawire_fees_usd",
        "Fees of the trades of this run.",
        ["pair"],
        [([pair], fees_e8 * _E8) for pair, fees_e8 in figures.get("fees_e8", {}).items()],
    )
    spread = SummaryMetricFamily(
        "deltawire_trade_entry_spread_ratio", "Entry spreads, detected and executed.", labels=["pair", "kind"]
    )
    for pair, kind, count, sum_e8 in figures.get("spreads", []):
        spread.add_metric([pair, kind], count_value=count, sum_value=sum_e8 * _E8)
    yield spread
    yield _histogram(
        "deltawire_trade_unhedged_seconds",
        "Longest time on one leg, by trade.",
        ["pair"],
        [([pair], told) for pair, told in figures.get("unhedged", [])],
    )


def _of_orders(figures: dict[str, Any], venues: dict[str, Any]) -> Iterator[Metric]:
    yield _counter(
        "deltawire_orders",
        "Orders sent.",
        ["venue"],
        [([name], venue.get("orders", 0)) for name, venue in venues.items()],
    )
    yield _counter(
        "deltawire_trade_orders",
        "Orders of ended trades.",
        ["venue", "purpose"],
        [([venue, purpose], count) for venue, purpose, count in figures.get("orders", [])],
    )
    yield _counter(
        "deltawire_order_connections",
        "Orders by the connection they took.",
        ["venue", "transport", "reused"],
        [
            ([venue, transport, "yes" if reused else "no"], count)
            for venue, transport, reused, count in figures.get("roads", [])
        ],
    )
    yield _histogram(
        "deltawire_order_phase_seconds",
        "Phases of an order; total: decision to answer.",
        ["venue", "phase"],
        [([venue, phase], told) for venue, phase, told in figures.get("phases", [])],
    )


def _of_log(log: dict[str, Any]) -> Iterator[Metric]:
    counts = dict.fromkeys(ALARMING, 0) | {(level.lower(), event): n for level, event, n in log.get("events", [])}
    yield _counter(
        "deltawire_events",
        "Log events; docs/events.md lists them.",
        ["level", "event"],
        [([level, event], count) for (level, event), count in counts.items()],
    )
    yield _counter(
        "deltawire_log_entries_dropped", "Log entries that found the buffer full.", [], [([], log.get("dropped", 0))]
    )
    yield _counter(
        "deltawire_log_writes_failed", "Writes an output of the log refused.", [], [([], log.get("output_failures", 0))]
    )


Rows = list[tuple[list[str], Any]]


def _gauge(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, figure in rows:
        if figure is not None:
            family.add_metric(values, float(figure))
    return family


def _counter(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, figure in rows:
        family.add_metric(values, float(figure))
    return family


def _histogram(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, told in rows:
        bounds = [f"{bound_ns * _NS_S:g}" for bound_ns in told["bounds_ns"]] + ["+Inf"]
        below, buckets = 0, []
        for bound, count in zip(bounds, told["counts"], strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(values, buckets, told["sum_ns"] * _NS_S)
    return family


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor
