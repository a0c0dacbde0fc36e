"""Liquidation at the simulated Vest: what an account under its maintenance margin loses next. Pure.

Its waiting orders go first (3008), then the venue closes a share of the position that needs most, again and again, by
orders of type LIQUIDATION, until what is left is carried. A position of an isolated market stands for itself: its own
margin is what it was opened with. Source: Vest API v2 notes, sections 9 and 10; shares and order of closing are ours.
"""

from collections.abc import Mapping

from deltawire.core.money import E8, floor_to, format_e8, notional_e8, rate_of_e8
from deltawire.sim.vest_accounts import Account, margin_of
from deltawire.sim.vest_pool import HousePool
from deltawire.venues.vest import wire

STEPS_MAX = 64  # closings in one go: a half each time leaves nothing of any size long before


def next_closing(account: Account, pools: Mapping[str, HousePool], share_e8: int) -> tuple[str, int] | None:
    """Return symbol and size (signed as the position) of what is to be closed now; None when all is carried."""
    if not account.ledger.positions:
        return None
    margin = margin_of(account, account.ledger, pools)
    if margin.equity_e8 < margin.maintenance_e8:
        symbol = max(account.ledger.positions, key=lambda held: (_maintenance_e8(account, pools[held]), held))
        return symbol, _part(account.ledger.position(symbol).size_e8, share_e8, pools[symbol].rules.size_step_e8)
    for symbol in sorted(account.ledger.positions):
        if pools[symbol].rules.isolated and _is_short_by_itself(account, pools[symbol]):
            return symbol, account.ledger.position(symbol).size_e8
    return None


def order_fields(pool: HousePool, held_e8: int, now_ms: int) -> wire.OrderFields:
    """Return the order by which the venue closes a part of a position (signed); nobody signs it."""
    rules = pool.rules
    return wire.OrderFields(
        time=now_ms,
        nonce=0,
        order_type=wire.LIQUIDATION,
        symbol=rules.symbol,
        is_buy=held_e8 < 0,
        size=format_e8(abs(held_e8), rules.size_decimals),
        limit_price=format_e8(0, rules.price_decimals),
        reduce_only=True,
    )


def _maintenance_e8(account: Account, pool: HousePool) -> int:
    size_e8 = abs(account.ledger.position(pool.rules.symbol).size_e8)
    return rate_of_e8(notional_e8(pool.index_e8, size_e8), pool.rules.maint_margin_ratio_e8)


def _is_short_by_itself(account: Account, pool: HousePool) -> bool:
    held = account.ledger.position(pool.rules.symbol)
    own_e8 = rate_of_e8(abs(held.cost_e8), account.init_margin_ratio_e8(pool))
    own_e8 += held.unrealized_e8(pool.mark_e8) + held.funding_due_e8(pool.cum_funding_e8)
    return own_e8 < _maintenance_e8(account, pool)


def _part(size_e8: int, share_e8: int, step_e8: int) -> int:
    part_e8 = max(floor_to(abs(size_e8) * share_e8 // E8, step_e8), step_e8)
    return part_e8 if size_e8 > 0 else -part_e8
