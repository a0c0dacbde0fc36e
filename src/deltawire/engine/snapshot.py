"""The bot's state as the control socket tells it: plain JSON, made on request, never on the hot path."""

from typing import Any

from deltawire.core.book import Book
from deltawire.core.edge import closing_spread_e8, opening
from deltawire.core.histogram import Histogram
from deltawire.core.limits import WINDOW_NS
from deltawire.core.money import format_e8, notional_e8
from deltawire.core.trade import Trade
from deltawire.engine.bot import Bot
from deltawire.engine.offsets import clock_state
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import ItemRow
from deltawire.observe.latency import latency_line
from deltawire.venues.contract import MarketState, TellsBudgets, TellsMarket

LEVELS_SHOWN = 5  # of each side of a book
DIFFERENCES_SHOWN = 50  # beyond, the count says more than the list


def status(bot: Bot) -> dict[str, Any]:
    """Return everything a person watching would ask for. Money and prices as decimal texts, bps as numbers."""
    now_ns = bot.clock.mono_ns()
    return {
        "state": bot.state,
        "run_id": bot.run_id,
        "mode": bot.settings.mode,
        "simulated": bot.settings.simulated,
        "halted": bot.gate.halted,
        "journal": bot.recorder.broken or "ok",
        "journal_bytes": bot.recorder.journal_bytes,
        "guarded_s": round((now_ns - bot.guarded_mono_ns) / 1e9, 1) if bot.guarded_mono_ns else None,
        "unix_ns": bot.clock.unix_ns(),
        "uptime_s": round((now_ns - bot.started_mono_ns) / 1e9, 1),
        "venues": {name: _venue(bot, name, now_ns) for name in bot.venues},
        "pairs": [_pair(bot, trader, now_ns) for trader in bot.traders],
        "differences": [_difference(item) for item in bot.reconciler.differences[:DIFFERENCES_SHOWN]],
        "differences_n": len(bot.reconciler.differences),
        "round_trips": bot.figures.round_trips,
        "trades": bot.figures.trades,
        "pnl_usd": format_e8(sum(bot.figures.pnl_e8.values())),
        "fees_usd": format_e8(sum(bot.figures.fees_e8.values())),
        "limits": _limits(bot, now_ns),
        "latency_us": bot.figures.latency_us(),
        "latency_run_us": _latency(bot),
        "loop": {"lag": _micros(bot.health.lag), "gc_pauses": _micros(bot.health.pauses)},
        "last_latency": [latency_line(timed.venue, timed.stamps) for timed in bot.timing.last],
    }


def _latency(bot: Bot) -> dict[str, dict[str, dict[str, Any]]]:
    """Tell venue -> transport -> phase -> percentiles in µs of all orders of this run."""
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for (venue, transport, phase), histogram in bot.figures.latencies.items():
        told.setdefault(venue, {}).setdefault(transport, {})[phase] = _micros(histogram)
    return told


def _micros(histogram: Histogram) -> dict[str, Any]:
    spread = histogram.spread()
    if spread is None:
        return {"n": 0, "p50": None, "p90": None, "p99": None, "max": None}
    figures = {"p50": spread.p50, "p90": spread.p90, "p99": spread.p99, "max": spread.max}
    return {"n": spread.n, **{name: round(ns / 1e3, 1) for name, ns in figures.items()}}


def _limits(bot: Bot, now_ns: int) -> dict[str, Any]:
    gate = bot.gate
    return {
        "orders_per_minute": sum(now_ns - sent_ns <= WINDOW_NS for sent_ns in gate.sent_mono_ns),
        "orders_per_minute_max": gate.limits.orders_per_minute_max,
        "lost_today_usd": format_e8(gate.lost_today_e8),
        "daily_loss_max_usd": format_e8(gate.limits.daily_loss_e8_max),
        "drawdown_usd": format_e8(gate.result_peak_e8 - gate.result_e8),
        "drawdown_max_usd": format_e8(gate.limits.drawdown_e8_max),
        "open_pairs": sum(not trader.is_idle for trader in bot.traders),
        "open_pairs_max": gate.limits.open_pairs_max,
    }


def _venue(bot: Bot, name: str, now_ns: int) -> dict[str, Any]:
    books = [book for trader in bot.traders for book in trader.books if book.venue == name]
    venue, account = bot.venues[name], bot.gate.accounts.get(name)
    budgets = venue.budgets() if isinstance(venue, TellsBudgets) else []
    return {
        "ready": venue.ready,
        "clock": clock_state(venue, now_ns, bot.clock.unix_ns()),
        "links": bot.links[name],
        "reconnects": {link: bot.link_ups[name, link] - 1 for link in bot.links[name] if bot.link_ups[name, link]},
        "feed_age_ms": {book.symbol: _age_ms(book, now_ns) for book in books},
        "feed_age_ms_max": bot.gate.limits.quote_age_ns_max.get(name, 0) / 1e6,
        "book_breaks": {book.symbol: book.breaks for book in books},
        "orders": bot.registry.count_by_venue.get(name, 0),
        "budgets": [
            {"name": b.name, "left": b.left, "size": b.size, "period_s": b.period_s, "refused": b.refused}
            for b in budgets
        ],
        "equity_usd": None if account is None else format_e8(account.equity_e8),
        "free_usd": None if account is None else format_e8(account.free_e8),
    }


def _pair(bot: Bot, trader: PairTrader, now_ns: int) -> dict[str, Any]:
    rules, trade = trader.rules, trader.trade
    openings = [opening(rules, trader.books, buy_leg, rules.size_min_e8) for buy_leg in (0, 1)]
    spreads = [None if found is None else found.spread_e8 / 1e4 for found in openings]
    edges = [found.edge_e8 / 1e4 for found in openings if found is not None]
    closing = None if trade is None else closing_spread_e8(trader.books, trade.buy_leg, trade.matched_e8)
    delta_e8 = sum(bot.positions.of(leg.venue, leg.symbol) for leg in rules.legs)
    price_e8 = next((book.mid_e8() for book in trader.books if book.two_sided), 0)
    return {
        "id": rules.pair_id,
        "state": trade.phase.value if trade else "watching",
        "entries_on": trader.entries_on,
        "spread_bps": {"buy_a": spreads[0], "buy_b": spreads[1]},
        "edge_bps": max(edges, default=None),
        "closing_spread_bps": None if closing is None else closing / 1e4,
        "books": {book.venue: _book(book, now_ns) for book in trader.books},
        "markets": {venue.name: _market(trader, leg) for leg, venue in enumerate(trader.venues)},
        "trade": None if trade is None else _trade(trader, trade, now_ns),
        "layers": len(trader.dealer.open),
        "presigned": {"served": trader.ladders.served, "missed": dict(trader.ladders.missed)},
        "position": {leg.venue: format_e8(bot.positions.of(leg.venue, leg.symbol)) for leg in rules.legs},
        "delta": format_e8(delta_e8),
        "delta_usd": format_e8(notional_e8(price_e8, delta_e8)) if price_e8 else None,
        "lot": format_e8(rules.lot_e8),
        "thresholds": {
            "entry": rules.entry_edge_e8 / 1e4,
            "exit": rules.exit_spread_e8 / 1e4,
            "entry_spread": (rules.entry_edge_e8 + rules.entry_costs_e8) / 1e4,
        },
        "last_refusal": trader.last_refusal,
        "suspicion": trader.suspicion,
    }


def _difference(item: ItemRow) -> dict[str, str]:
    """Tell one item on which journal and venue differ, as it was told when it was found."""
    return {name: getattr(item, name) for name in item.__struct_fields__}


def _trade(trader: PairTrader, trade: Trade, now_ns: int) -> dict[str, Any]:
    since_ns = trade.unhedged_since_mono_ns
    return {
        "trade_id": trade.trade_id,
        "phase": trade.phase.value,
        "buy": trader.rules.legs[trade.buy_leg].venue,
        "entry_spread_bps": trade.entry_spread_e8 / 1e4,
        "size": format_e8(trade.matched_e8),
        "in_doubt": len(trade.in_doubt),
        "legs": {leg.venue: format_e8(trade.position_e8(at)) for at, leg in enumerate(trader.rules.legs)},
        "open_s": round((now_ns - trade.opened_mono_ns) / 1e9, 1),
        "unhedged_ms": round((now_ns - since_ns) / 1e6, 1) if since_ns else 0,
        "exit_reason": trade.exit_reason,
        "is_rest": trade.is_rest,
    }


def _market(trader: PairTrader, leg: int) -> dict[str, Any] | None:
    """Tell mark price, index and funding; None where the venue does not say."""
    venue = trader.venues[leg]
    state: MarketState | None = None
    if isinstance(venue, TellsMarket):
        state = venue.market_state(trader.rules.legs[leg].symbol)
    if state is None:
        return None
    return {
        "mark": format_e8(state.mark_price_e8),
        "index": format_e8(state.index_price_e8),
        "funding_bps_per_hour": state.funding_rate_e8 / 1e4,
        "status": state.status,
    }


def _book(book: Book, now_ns: int) -> dict[str, Any]:
    bid = book.bids[0] if book.bids else (0, 0)
    ask = book.asks[0] if book.asks else (0, 0)
    return {
        "symbol": book.symbol,
        "bid": format_e8(bid[0]),
        "bid_size": format_e8(bid[1]),
        "ask": format_e8(ask[0]),
        "ask_size": format_e8(ask[1]),
        # As they are, in 1e-8: texts of twenty levels a pair would cost the loop more than all the rest.
        "bids_e8": book.bids[:LEVELS_SHOWN],
        "asks_e8": book.asks[:LEVELS_SHOWN],
        "age_ms": _age_ms(book, now_ns),
        "valid": book.valid,
        "why_invalid": book.why_invalid,
        "updates": book.updates,
    }


def _age_ms(book: Book, now_ns: int) -> float | None:
    return round((now_ns - book.received_mono_ns) / 1e6, 1) if book.received_mono_ns else None
