"""The bot's state as the control socket tells it: plain JSON, made on request, never on the hot path."""

from typing import Any

from deltawire.core.book import Book
from deltawire.core.edge import closing_spread_e8, opening
from deltawire.core.money import format_e8
from deltawire.engine.bot import Bot
from deltawire.engine.trader import PairTrader
from deltawire.observe.latency import latency_line


def status(bot: Bot) -> dict[str, Any]:
    """Return everything a person watching would ask for. Money and prices as decimal texts, bps as numbers."""
    now_ns = bot.clock.mono_ns()
    return {
        "state": bot.state,
        "run_id": bot.run_id,
        "mode": "live",
        "simulated": bot.settings.simulated,
        "halted": bot.gate.halted,
        "journal": bot.recorder.broken or "ok",
        "uptime_s": round((now_ns - bot.started_mono_ns) / 1e9, 1),
        "venues": {name: _venue(bot, name, now_ns) for name in bot.venues},
        "pairs": [_pair(bot, trader, now_ns) for trader in bot.traders],
        "round_trips": sum(closed.outcome == "closed" for closed in bot.closed),
        "trades": len(bot.closed),
        "pnl_usd": format_e8(sum(closed.pnl_e8 for closed in bot.closed)),
        "fees_usd": format_e8(sum(closed.fees_e8 for closed in bot.closed)),
        "last_latency": [latency_line(timed.venue, timed.stamps) for timed in bot.timing.last],
    }


def _venue(bot: Bot, name: str, now_ns: int) -> dict[str, Any]:
    books = [book for trader in bot.traders for book in trader.books if book.venue == name]
    return {
        "ready": bot.venues[name].ready,
        "links": bot.links[name],
        "feed_age_ms": {book.symbol: _age_ms(book, now_ns) for book in books},
        "orders": bot.registry.count_by_venue.get(name, 0),
    }


def _pair(bot: Bot, trader: PairTrader, now_ns: int) -> dict[str, Any]:
    rules, trade = trader.rules, trader.trade
    openings = [opening(rules, trader.books, buy_leg, rules.size_min_e8) for buy_leg in (0, 1)]
    spreads = [None if found is None else found.spread_e8 / 1e4 for found in openings]
    edges = [found.edge_e8 / 1e4 for found in openings if found is not None]
    closing = None if trade is None else closing_spread_e8(trader.books, trade.buy_leg, trade.matched_e8)
    return {
        "id": rules.pair_id,
        "state": trade.phase.value if trade else "watching",
        "spread_bps": {"buy_a": spreads[0], "buy_b": spreads[1]},
        "edge_bps": max(edges, default=None),
        "closing_spread_bps": None if closing is None else closing / 1e4,
        "books": {book.venue: _book(book, now_ns) for book in trader.books},
        "trade": None
        if trade is None
        else {
            "trade_id": trade.trade_id,
            "phase": trade.phase.value,
            "buy": rules.legs[trade.buy_leg].venue,
            "entry_spread_bps": trade.entry_spread_e8 / 1e4,
            "size": format_e8(trade.matched_e8),
            "in_doubt": len(trade.in_doubt),
        },
        "position": {leg.venue: format_e8(bot.positions.of(leg.venue, leg.symbol)) for leg in rules.legs},
        "thresholds": {"entry": rules.entry_edge_e8 / 1e4, "exit": rules.exit_spread_e8 / 1e4},
        "last_refusal": trader.last_refusal,
    }


def _book(book: Book, now_ns: int) -> dict[str, Any]:
    bid = book.bids[0] if book.bids else (0, 0)
    ask = book.asks[0] if book.asks else (0, 0)
    return {
        "bid": format_e8(bid[0]),
        "bid_size": format_e8(bid[1]),
        "ask": format_e8(ask[0]),
        "ask_size": format_e8(ask[1]),
        "age_ms": _age_ms(book, now_ns),
        "valid": book.valid,
        "why_invalid": book.why_invalid,
        "updates": book.updates,
    }


def _age_ms(book: Book, now_ns: int) -> float | None:
    return round((now_ns - book.received_mono_ns) / 1e6, 1) if book.received_mono_ns else None
