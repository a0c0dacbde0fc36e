"""What the simulated Vest shows of markets and accounts, as wire structs. Reads state, changes none.

Source: Vest API v2 notes, sections 6 and 7.
"""

from bisect import bisect_right
from collections.abc import Mapping

from deltawire.core.ledger import Ledger, Position
from deltawire.core.money import E8, ceil_to, format_e8, notional_e8, rate_of_e8
from deltawire.sim.vest_accounts import Account, Margin, margin_of
from deltawire.sim.vest_candles import DAY_MS, Candle
from deltawire.sim.vest_orders import FUNDING_DECIMALS, USDC_DECIMALS, ratio, usdc
from deltawire.sim.vest_pool import HousePool
from deltawire.venues.vest import signing, wire

_QUOTE = "USDC"
_RATE_DECIMALS = 8


def exchange_info(pools: list[HousePool], house: Ledger) -> wire.ExchangeInfo:
    exchange = wire.Exchange(collateral_decimals=USDC_DECIMALS, lp=usdc(house.collateral_e8))
    return wire.ExchangeInfo(symbols=[_market(pool) for pool in pools], exchange=exchange)


def _market(pool: HousePool) -> wire.Market:
    rules = pool.rules
    return wire.Market(
        symbol=rules.symbol,
        size_decimals=rules.size_decimals,
        price_decimals=rules.price_decimals,
        taker_fee=format_e8(rules.taker_fee_e8),
        init_margin_ratio=format_e8(rules.init_margin_ratio_e8),
        maint_margin_ratio=format_e8(rules.maint_margin_ratio_e8),
        display_name=rules.symbol,
        base=rules.base,
        quote=_QUOTE,
        isolated=rules.isolated,
        asset="crypto",
        trading_status=_status(pool),
    )


def ticker(pool: HousePool, *, with_change: bool = False) -> wire.Ticker:
    """Return a market's ticker; the price change, since the start of the simulator, is on the channel only."""
    price = pool.rules.price_decimals
    found = wire.Ticker(
        symbol=pool.rules.symbol,
        one_hr_funding_rate=_rate(pool.funding_rate_e8),
        cum_funding=format_e8(pool.cum_funding_e8, FUNDING_DECIMALS),
        imbalance=format_e8(-pool.net_e8, pool.rules.size_decimals),
        index_price=format_e8(pool.index_e8, price),
        mark_price=format_e8(pool.mark_e8, price),
        status=_status(pool),
    )
    if with_change and pool.first_index_e8:
        change_e8 = pool.index_e8 - pool.first_index_e8
        found.price_change = format_e8(change_e8, price)
        found.price_change_percent = _percent(change_e8, pool.first_index_e8)
    return found


def account(owner: Account, pools: Mapping[str, HousePool], now_ms: int) -> wire.Account:
    """Return GET /account from the ledger as shown, which trails the true one."""
    ledger = owner.shown
    margin = margin_of(owner, ledger, pools)
    free_e8 = max(0, min(ledger.collateral_e8, margin.equity_e8) - margin.initial_e8)
    collateral = usdc(ledger.collateral_e8)
    return wire.Account(
        address=signing.checksummed(owner.address),
        collateral=collateral,
        withdrawable=usdc(free_e8),
        total_account_value=usdc(margin.equity_e8),
        positions=[_position(owner, pools[symbol], held, margin) for symbol, held in sorted(ledger.positions.items())],
        balances=[wire.Balance(_QUOTE, collateral, usdc(0))],
        total_maint_margin=usdc(margin.maintenance_e8),
        leverages=[wire.Leverage(symbol, value) for symbol, value in sorted(owner.leverages.items())],
        time=now_ms,
    )


def _position(owner: Account, pool: HousePool, held: Position, margin: Margin) -> wire.Position:
    rules, held_e8 = pool.rules, notional_e8(pool.index_e8, abs(held.size_e8))
    init_ratio_e8 = owner.init_margin_ratio_e8(pool)
    liquidation_e8 = _liquidation_price_e8(pool, held, margin)
    gain_e8 = held.unrealized_e8(pool.mark_e8) + held.funding_due_e8(pool.cum_funding_e8)
    return wire.Position(
        symbol=rules.symbol,
        is_long=held.size_e8 > 0,
        size=format_e8(abs(held.size_e8), rules.size_decimals),
        entry_price=format_e8(ceil_to(held.entry_price_e8, rules.price_tick_e8), rules.price_decimals),
        entry_funding=format_e8(held.entry_funding_e8, FUNDING_DECIMALS),
        unrealized_pnl=usdc(gain_e8),
        settled_funding=usdc(held.settled_funding_e8),
        mark_price=format_e8(pool.mark_e8, rules.price_decimals),
        index_price=format_e8(pool.index_e8, rules.price_decimals),
        liq_price=format_e8(liquidation_e8, rules.price_decimals) if liquidation_e8 > 0 else None,
        init_margin=usdc(rate_of_e8(held_e8, init_ratio_e8)),
        maint_margin=usdc(rate_of_e8(held_e8, rules.maint_margin_ratio_e8)),
        init_margin_ratio=ratio(init_ratio_e8),
    )


def _liquidation_price_e8(pool: HousePool, held: Position, margin: Margin) -> int:
    """Return the price at which this position alone would use up what stands above maintenance; 0 or less: none."""
    spare_e8 = margin.equity_e8 - margin.maintenance_e8
    # A long loses (1 - ratio) of a coin's fall, as its need falls with it; a short (1 + ratio) of its rise.
    per_coin_e8 = E8 - pool.rules.maint_margin_ratio_e8 if held.size_e8 > 0 else E8 + pool.rules.maint_margin_ratio_e8
    distance_e8 = spare_e8 * E8 * E8 // (abs(held.size_e8) * per_coin_e8)
    price_e8 = pool.mark_e8 - distance_e8 if held.size_e8 > 0 else pool.mark_e8 + distance_e8
    return ceil_to(price_e8, pool.rules.price_tick_e8)


def _status(pool: HousePool) -> str:
    return wire.HALT if pool.halted else wire.TRADING


def funding_history(
    pool: HousePool, rates: list[tuple[int, int]], interval_ms: int, first_ms: int, last_ms: int, limit: int
) -> list[wire.FundingRate]:
    """Return the hourly rate in force at whole intervals, newest first. rates: (from ms, rate), oldest first."""
    newest_ms = last_ms - last_ms % interval_ms
    times = range(newest_ms, max(first_ms - 1, newest_ms - limit * interval_ms), -interval_ms)
    return [wire.FundingRate(pool.rules.symbol, time, _rate(_in_force_e8(pool, rates, time))) for time in times]


def _in_force_e8(pool: HousePool, rates: list[tuple[int, int]], time_ms: int) -> int:
    at = bisect_right(rates, time_ms, key=lambda known: known[0])
    return rates[at - 1][1] if at else pool.rules.one_hr_funding_rate_e8


def kline(pool: HousePool, candle: Candle, interval_ms: int) -> wire.Kline:
    price = pool.rules.price_decimals
    return wire.Kline(
        open_time=candle.open_ms,
        open=format_e8(candle.open_e8, price),
        high=format_e8(candle.high_e8, price),
        low=format_e8(candle.low_e8, price),
        close=format_e8(candle.close_e8, price),
        close_time=candle.open_ms + interval_ms - 1,
        volume=format_e8(candle.volume_e8, pool.rules.size_decimals),
        quote_volume=usdc(candle.quote_volume_e8),
        trades=candle.trades,
    )


def ticker_24hr(pool: HousePool, day: Candle, now_ms: int) -> wire.Ticker24h:
    """Return the last 24 hours; the change is against their first price, which a run of less than a day starts with."""
    price = pool.rules.price_decimals
    change_e8 = day.close_e8 - day.open_e8
    return wire.Ticker24h(
        symbol=pool.rules.symbol,
        open_price=format_e8(day.open_e8, price),
        close_price=format_e8(day.close_e8, price),
        high_price=format_e8(day.high_e8, price),
        low_price=format_e8(day.low_e8, price),
        quote_volume=usdc(day.quote_volume_e8),
        volume=format_e8(day.volume_e8, pool.rules.size_decimals),
        price_change=format_e8(change_e8, price),
        price_change_percent=_percent(change_e8, day.open_e8),
        open_time=now_ms - DAY_MS,
        close_time=now_ms,
    )


def _rate(rate_e8: int) -> str:
    return format_e8(rate_e8, _RATE_DECIMALS)


def _percent(change_e8: int, base_e8: int) -> str:
    return format_e8(change_e8 * 10**4 // base_e8 * 10**6, 2)


def open_interest(sides: list[tuple[HousePool, int, int]]) -> dict[str, list[dict[str, str]]]:
    """Return /oi (undocumented, one reader) from (pool, long, short) in 1e-8 coins."""
    return {
        "ois": [
            {
                "symbol": pool.rules.symbol,
                "longOi": format_e8(long_e8, pool.rules.size_decimals),
                "shortOi": format_e8(short_e8, pool.rules.size_decimals),
            }
            for pool, long_e8, short_e8 in sides
        ]
    }
