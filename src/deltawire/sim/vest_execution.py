"""Why the simulated Vest's pool refuses an order on execution, and what an executed one costs. Pure.

The refusals are the venue's codes, 0 for none.
Source: Vest API v2 notes, sections 9 and 10. Which code a too-tight limitPrice gives is not known: a setting.
"""

from collections.abc import Mapping

from deltawire.core.ledger import MICRO_E8
from deltawire.core.money import ceil_to, notional_e8, rate_of_e8
from deltawire.sim import vest_refusal as no
from deltawire.sim.vest_accounts import Account, margin_of
from deltawire.sim.vest_pool import HousePool
from deltawire.venues.vest import signing, wire

_MS_NS = 10**6


def fee_e8(pool: HousePool, signed_size_e8: int, price_e8: int, penalty_rate_e8: int = 0) -> int:
    """Return what a fill costs: taker fee of its notional, rounded up to a millionth, plus the risk premium.

    A liquidation pays its penalty besides. The documents leave open whether the premium is in the price or in the fees.
    Here it is in the fees (golden event ws-v-20 shows 1.3 bps), and the price is the picture's.
    """
    traded_e8 = notional_e8(price_e8, abs(signed_size_e8))
    due_e8 = rate_of_e8(traded_e8, pool.rules.taker_fee_e8) + rate_of_e8(traded_e8, penalty_rate_e8)
    return ceil_to(due_e8, MICRO_E8) + pool.premium_e8(signed_size_e8)


def is_touched(fields: wire.OrderFields, limit_price_e8: int, index_e8: int) -> bool:
    """Say whether the index has reached the trigger of a LIMIT, TAKE_PROFIT or STOP_LOSS order."""
    if fields.order_type == wire.TAKE_PROFIT:  # a long's sells at or above its price
        return index_e8 <= limit_price_e8 if fields.is_buy else index_e8 >= limit_price_e8
    if fields.order_type == wire.STOP_LOSS:
        return index_e8 >= limit_price_e8 if fields.is_buy else index_e8 <= limit_price_e8
    return not _worse(fields, index_e8, limit_price_e8)


def market_refusal(pool: HousePool, mono_ns: int, stale_ms: int) -> int:
    if pool.halted:
        return no.MARKET_CLOSED
    stale = stale_ms > 0 and mono_ns - pool.quoted_mono_ns > stale_ms * _MS_NS
    return no.PRICE_STALE if stale or pool.index_e8 == 0 else 0


def reduce_only_refusal(fields: wire.OrderFields, held_e8: int, size_e8: int) -> int:
    if not fields.reduce_only:
        return 0
    if held_e8 == 0 or (held_e8 > 0) == fields.is_buy:
        return no.REDUCE_ONLY_INCREASES
    return no.REDUCE_ONLY_EXCEEDS_SIZE if size_e8 > abs(held_e8) else 0


def price_refusal(
    fields: wire.OrderFields, limit_price_e8: int, index_e8: int, price_e8: int | None, price_check_code: int
) -> int:
    """Compare with limitPrice; price_e8 is None when the picture ends before the size does."""
    if fields.order_type in wire.TYPES_WITHOUT_NONCE:  # these execute without a check of the price
        return 0 if price_e8 is not None else price_check_code
    if limit_price_e8 == 0:  # "no limit": the first live MARKET orders failed on it
        return no.INVALID_LIMIT_PRICE
    if fields.order_type == signing.LIMIT and not is_touched(fields, limit_price_e8, index_e8):
        return price_check_code
    return price_check_code if price_e8 is None or _worse(fields, price_e8, limit_price_e8) else 0


def increases(account: Account, fields: wire.OrderFields, size_e8: int) -> bool:
    held_e8 = account.ledger.position(fields.symbol).size_e8
    return abs(held_e8 + (size_e8 if fields.is_buy else -size_e8)) > abs(held_e8)


def increase_refusal(
    account: Account, pools: Mapping[str, HousePool], symbol: str, order_ratio_e8: int, *, has_children: bool
) -> int:
    """Return why a position may not grow: it has children, the account is insolvent, or its leverage would change."""
    if has_children:
        return no.INCREASE_WITH_SL_TP
    margin = margin_of(account, account.ledger, pools)
    if margin.equity_e8 < margin.maintenance_e8:
        return no.INCREASE_DURING_INSOLVENCY
    # The order was taken in under another leverage than the position now stands under.
    held = symbol in account.ledger.positions
    return no.ORDER_CHANGES_LEVERAGE if held and order_ratio_e8 != account.init_margin_ratio_e8(pools[symbol]) else 0


def margin_refusal(
    account: Account, pools: Mapping[str, HousePool], fields: wire.OrderFields, size_e8: int, price_e8: int
) -> int:
    """Ask whether the account carries its positions after the fill; what makes a position smaller always may."""
    if not increases(account, fields, size_e8):
        return 0
    pool, signed_e8 = pools[fields.symbol], size_e8 if fields.is_buy else -size_e8
    after = account.ledger.copy()
    after.apply_fill(fields.symbol, signed_e8, price_e8, fee_e8(pool, signed_e8, price_e8), pool.cum_funding_e8)
    margin = margin_of(account, after, pools)
    return 0 if margin.initial_e8 <= margin.equity_e8 else no.MARGIN_CHECK_FAILED


def _worse(fields: wire.OrderFields, price_e8: int, limit_price_e8: int) -> bool:
    return price_e8 > limit_price_e8 if fields.is_buy else price_e8 < limit_price_e8
