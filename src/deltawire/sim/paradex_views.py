"""How the simulated Paradex shows its state: exchange objects turned into the codec's records. Pure.

One place decides what a field means on the wire; SBE frames, JSON replies and REST bodies are all made from these.
"""

from collections.abc import Iterable

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.sim.paradex_accounts import AccountView, PositionView, SimFill, SimOrder, divide
from deltawire.sim.paradex_book import BookUpdate, MatchingBook, Rank, Trade
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_rules import FUNDING_PERIOD_S, Fees
from deltawire.sim.paradex_settlement import PrivateEvent, trade_id
from deltawire.sim.paradex_triggers import is_below
from deltawire.venues.paradex import records, rest

FUNDING_PERIOD_HOURS = FUNDING_PERIOD_S // 3600


def address_text(address: int) -> str:
    return f"0x{address:x}"


def order_record(order: SimOrder, published_unix_ns: int) -> records.Order:
    waits_below = order.trigger_price_e8 > 0 and is_below(order.kind, order.side)
    flags = (
        ("REDUCE_ONLY", order.reduce_only),
        ("STOP_CONDITION_BELOW_TRIGGER", waits_below),
        ("STOP_CONDITION_ABOVE_TRIGGER", order.trigger_price_e8 > 0 and not waits_below),
        ("INTERACTIVE", order.rank is Rank.RETAIL),
        ("TARGET_STRATEGY_VWAP", order.vwap_price_e8 > 0),
    )
    return records.Order(
        venue_unix_ns=order.signed_unix_ms * 1_000_000,
        seq=order.seq_no,
        status=order.status,
        side=order.side,
        order_type=order.kind,
        instruction=order.instruction,
        price_e8=order.price_e8 or None,
        trigger_price_e8=order.trigger_price_e8 or None,
        size_e8=order.size_e8,
        remaining_e8=order.leaves_e8,
        avg_fill_price_e8=order.average_price_e8 or None,
        created_unix_ns=order.created_unix_ns,
        updated_unix_ns=order.updated_unix_ns,
        account=address_text(order.account),
        received_unix_ns=order.received_unix_ns,
        published_unix_ns=published_unix_ns,
        stp=order.self_trade.value,
        flags=_those(flags),
        request_status="SUCCESS" if order.modify_id else None,
        request_type="MODIFY_ORDER" if order.modify_id else None,
        order_id=order.id,
        client_id=order.client_id,
        market=order.symbol,
        cancel_reason=order.cancel_reason,
        request_id=order.modify_id,  # the layout of 1:2 has the texts, empty when nothing was asked
        request_message="",
    )


def fill_record(fill: SimFill) -> records.Fill:
    return records.Fill(
        venue_unix_ns=fill.created_unix_ns,
        seq=fill.seq_no,
        fill_type=fill.fill_type,
        side=fill.side,
        liquidity="MAKER" if fill.is_maker else "TAKER",
        price_e8=fill.price_e8,
        size_e8=fill.size_e8,
        fee_e8=fill.fee_e8,
        realized_pnl_e8=fill.realized_pnl_e8,
        created_unix_ns=fill.created_unix_ns,
        account=address_text(fill.account),
        underlying_price_e8=fill.underlying_price_e8,
        realized_funding_e8=fill.realized_funding_e8,
        flags=_those((("INTERACTIVE", fill.is_retail), ("RPI", fill.is_rpi), ("FASTFILL", fill.is_fastfill))),
        book_seq=fill.book_seq,
        fill_id=fill.id,
        order_id=fill.order_id,
        client_id=fill.client_id,
        trade_id=fill.trade_id,
        market=fill.symbol,
        fee_currency="USDC",
        remaining_e8=fill.order_leaves_e8,
    )


def _those(flags: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
    return tuple(name for name, has in flags if has)


def position_record(position: PositionView) -> records.Position:
    return records.Position(
        venue_unix_ns=position.updated_unix_ns,
        seq=position.seq_no,
        side=Side.SELL if position.size_e8 < 0 else Side.BUY,  # a closed one is shown as long
        size_e8=position.size_e8,
        entry_price_e8=position.entry_price_e8,
        unrealized_pnl_e8=position.unrealized_pnl_e8,
        realized_pnl_e8=position.realized_pnl_e8,
        mark_price_e8=None,
        liquidation_price_e8=position.liquidation_price_e8,
        leverage_e8=position.leverage_e8,
        updated_unix_ns=position.updated_unix_ns,
        account=address_text(position.account),
        entry_price_usd_e8=position.entry_price_e8,
        cost_e8=position.cost_e8,
        cost_usd_e8=position.cost_e8,
        funding_index_e8=position.funding_index_e8,
        unrealized_funding_e8=position.unrealized_funding_e8,
        status="OPEN" if position.size_e8 else "CLOSED",
        market=position.symbol,
        last_fill_id=position.last_fill_id,
    )


def account_record(account: AccountView) -> records.Account:
    return records.Account(
        venue_unix_ns=account.updated_unix_ns,
        seq=account.seq_no,
        total_collateral_e8=account.collateral_e8,
        free_collateral_e8=account.free_e8,
        initial_margin_e8=account.initial_e8,
        maintenance_margin_e8=account.maintenance_e8,
        account_value_e8=account.value_e8,
        unrealized_pnl_e8=None,
        updated_unix_ns=account.updated_unix_ns,
        account=address_text(account.account),
        margin_cushion_e8=account.value_e8 - account.maintenance_e8,
        status="LIQUIDATION" if account.in_liquidation else "ACTIVE",
        last_seen_notification_unix_ns=0,
        settlement_asset="USDC",
    )


def private_record(event: PrivateEvent, now_unix_ns: int) -> tuple[str, str, records.Record]:
    """Return (channel kind, market, record) of one private event; the market is "" for an account."""
    if isinstance(event, SimOrder):
        return "orders", event.symbol, order_record(event, now_unix_ns)
    if isinstance(event, SimFill):
        return "fills", event.symbol, fill_record(event)
    if isinstance(event, PositionView):
        return "positions", event.symbol, position_record(event)
    return "account", "", account_record(event)


def bbo_record(book: MatchingBook, now_unix_ns: int) -> records.Bbo:
    return records.Bbo(now_unix_ns, book.seq, book.best(Side.BUY), book.best(Side.SELL), book.symbol)


def snapshot_record(book: MatchingBook, now_unix_ns: int, depth: int | None = None) -> records.BookUpdate:
    bids, asks = book.levels(Side.BUY, depth), book.levels(Side.SELL, depth)
    return records.BookUpdate(now_unix_ns, book.seq, True, bids, asks, book.symbol)  # noqa: FBT003  a record's field


def interactive_record(book: MatchingBook, update: records.BookUpdate) -> records.BookUpdate:
    """Return a frame of the interactive feed: with the best prices of both views. A spread is negative when crossed."""
    bid, ask = book.best(Side.BUY, with_rpi=True), book.best(Side.SELL, with_rpi=True)
    spread_e8 = divide(2 * (ask[0] - bid[0]) * E8, ask[0] + bid[0]) if bid and ask else None
    return update._replace(
        best_bid=bid,
        best_ask=ask,
        relative_spread_e8=spread_e8,
        best_bid_api=book.best(Side.BUY),
        best_ask_api=book.best(Side.SELL),
    )


def delta_record(update: BookUpdate, now_unix_ns: int) -> records.BookUpdate:
    bids, asks = list(update.bids), list(update.asks)
    return records.BookUpdate(now_unix_ns, update.seq, False, bids, asks, update.symbol)  # noqa: FBT003  a record's field


def trade_record(symbol: str, trade: Trade, now_unix_ns: int) -> records.Trade:
    return records.Trade(
        venue_unix_ns=now_unix_ns,
        seq=trade.seq,
        trade_id_low64=trade.seq,
        aggressor=trade.aggressor,
        price_e8=trade.price_e8,
        size_e8=trade.size_e8,
        created_unix_ns=now_unix_ns,
        trade_type="RPI" if trade.is_rpi else "FILL",
        market=symbol,
        trade_id=trade_id(trade.seq),
    )


def summary_record(market: SimMarket, now_unix_ns: int) -> records.MarketSummary:
    """Return what is known; what a perpetual does not have is null, and the totals count from the simulator's start."""
    bid, ask = market.book.best(Side.BUY), market.book.best(Side.SELL)
    unknown = dict.fromkeys(
        (
            "mark_iv_e8", "bid_iv_e8", "ask_iv_e8", "last_iv_e8", "delta_e8", "gamma_e8", "vega_e8", "theta_e8",
            "rho_e8", "volga_e8", "vanna_e8", "future_funding_rate_e8", "forward_rate_e8", "risk_free_rate_e8",
            "settlement_twap_e8",
        )
    )  # fmt: skip
    return records.MarketSummary(
        venue_unix_ns=now_unix_ns,
        seq=market.book.seq,
        mark_price_e8=market.mark_e8,
        index_price_e8=market.mark_e8,
        last_price_e8=market.last_price_e8,
        volume_usd_24h_e8=market.volume_usd_e8,
        open_interest_e8=0,
        funding_rate_e8=market.funding_rate_e8,
        bid_price_e8=bid[0] if bid else None,
        ask_price_e8=ask[0] if ask else None,
        total_volume_e8=market.volume_usd_e8,
        price_change_rate_24h_e8=0,
        external_fair_price_e8=market.mark_e8,
        bid_size_e8=bid[1] if bid else None,
        ask_size_e8=ask[1] if ask else None,
        funding_rate_e12=market.funding_rate_e8 * 10_000,
        market=market.rules.symbol,
        **unknown,
    )


def funding_record(market: SimMarket, now_unix_ns: int) -> records.FundingData:
    return records.FundingData(
        venue_unix_ns=now_unix_ns,
        seq=market.book.seq,
        funding_rate_e8=market.funding_rate_e8,
        funding_index_e8=market.funding.index_e8,
        created_unix_ns=now_unix_ns,
        funding_premium_e8=market.premium_e8(),
        funding_rate_8h_e8=market.funding_rate_e8,
        funding_period_hours=FUNDING_PERIOD_HOURS,
        impact_premium_rate_e8=None,
        market=market.rules.symbol,
    )


def market_record(market: SimMarket, fees: Fees) -> rest.Market:
    rules = market.rules
    return rest.Market(
        symbol=rules.symbol,
        price_tick_e8=rules.price_tick_e8,
        size_step_e8=rules.size_step_e8,
        notional_min_e8=rules.notional_min_e8,
        size_max_e8=rules.size_max_e8,
        position_limit_e8=rules.position_max_e8,
        price_band_e8=rules.band_e8,
        fee_maker_e8=fees.maker_e8,
        fee_taker_e8=fees.taker_e8,
        trading_mode="STANDARD",
        asset_kind="PERP",
        funding_period_hours=FUNDING_PERIOD_HOURS,
    )
