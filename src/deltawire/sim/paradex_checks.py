"""What the simulated Paradex checks of an order: the API first (a refusal), then the risk engine (CLOSED, a reason).

Pure functions. Codes and reasons are the venue's (reference, sections 13 and 14); which code stands for a bad step or
value is a GUESS, nothing states it.
"""

from dataclasses import dataclass

from deltawire.core.money import BPS_E8, notional_e8, rate_of_e8
from deltawire.core.types import Side
from deltawire.sim.paradex_accounts import Account, Prices, SimOrder, initial_margin_e8, value_e8
from deltawire.sim.paradex_book import Rank, SelfTrade
from deltawire.sim.paradex_maintenance import CANCEL_ONLY, MAINTENANCE, POST_ONLY
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_rules import ApiRefusal, MarketRules, ParadexSimSettings

RPI_ACROSS_MAX_E8 = 5 * BPS_E8  # how far across the best price of the visible book an RPI order may stand
PRICE_MAX_E8 = 10**18  # fits the wire's int64 with room for sums


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A parsed, authenticated order.create. price_e8 is 0 for market kinds."""

    account: int
    symbol: str
    side: Side
    kind: str
    instruction: str
    size_e8: int
    price_e8: int
    signed_unix_ms: int
    received_unix_ns: int
    client_id: str = ""
    reduce_only: bool = False
    self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER
    rank: Rank = Rank.PRO
    origin: int = 0
    trigger_price_e8: int = 0
    vwap_price_e8: int = 0

    @property
    def signed_fields(self) -> tuple[int | str, ...]:
        """What the signature covers: two orders that agree here carry the same message hash."""
        return self.signed_unix_ms, self.symbol, int(self.side), self.kind, self.size_e8, self.price_e8


def check_order(
    request: NewOrder, market: SimMarket | None, account: Account, status: str, settings: ParadexSimSettings
) -> None:
    """Raise ApiRefusal for an order the API does not take."""
    if market is None:
        raise ApiRefusal("MARKET_NOT_FOUND", f"no market {request.symbol[:40]}")
    check_status(status, request.instruction)
    if request.instruction == "RPI" and not settings.rpi_orders:
        raise ApiRefusal("RPI_ACCOUNT_NOT_WHITELISTED", "account may not place RPI orders")
    if market.mark_e8 == 0:
        raise ApiRefusal("MARKET_NOT_OPEN", f"{request.symbol} has no price yet")
    if request.client_id and request.client_id in account.by_client_id:
        raise ApiRefusal("DUPLICATED_CLIENT_ID", f"client_id {request.client_id} is in use")
    # GUESS: the venue calls the timestamp a nonce; that the same signed fields work only once is our reading.
    if request.signed_fields in account.signed:
        raise ApiRefusal("VALIDATION_ERROR", "an order with the same signed fields was already received")
    closes = request.reduce_only and request.size_e8 == abs(account.size_e8(request.symbol))
    check_size(market.rules, market.mark_e8, request.size_e8, request.price_e8, closes=closes)
    check_price(market.rules, request.trigger_price_e8)
    if sum(order.symbol == request.symbol for order in account.live.values()) >= settings.open_orders_max:
        raise ApiRefusal("VALIDATION_ERROR", f"more than {settings.open_orders_max} open orders in the market")


def check_status(status: str, instruction: str) -> None:
    """Raise ApiRefusal where the system's state takes no order, or change of one, with this instruction."""
    check_available(status)
    if status == CANCEL_ONLY:
        raise ApiRefusal("SYSTEM_STATUS_CANCEL_ONLY", "system is in cancel-only mode")
    if status == POST_ONLY and instruction not in {"POST_ONLY", "RPI"}:
        raise ApiRefusal("SYSTEM_STATUS_POST_ONLY", "system is in post-only mode")


def check_available(status: str) -> None:
    """Raise ApiRefusal in maintenance: not even a cancel is taken then (GUESS; "trading unavailable")."""
    if status == MAINTENANCE:
        raise ApiRefusal("SERVICE_UNAVAILABLE", "system is in maintenance", 503)


def check_size(rules: MarketRules, mark_e8: int, size_e8: int, price_e8: int, *, closes: bool = False) -> None:
    """Check steps and bounds; price_e8 0 is an unpriced order. closes: it ends a position, so any value is fine."""
    if size_e8 <= 0 or size_e8 % rules.size_step_e8:
        raise ApiRefusal("INVALID_ORDER_SIZE", f"size {size_e8}e-8 is not a multiple of {rules.size_step_e8}e-8")
    if size_e8 > rules.size_max_e8:
        raise ApiRefusal("INVALID_ORDER_SIZE", f"size {size_e8}e-8 is above the maximum {rules.size_max_e8}e-8")
    if notional_e8(mark_e8, size_e8) < rules.notional_min_e8 and not closes:
        raise ApiRefusal("INVALID_ORDER_SIZE", f"order value is below the minimum {rules.notional_min_e8}e-8")
    check_price(rules, price_e8)


def check_price(rules: MarketRules, price_e8: int) -> None:
    """Check a limit or a trigger price; 0 is none."""
    if price_e8 > PRICE_MAX_E8:
        raise ApiRefusal("VALIDATION_ERROR", f"price {price_e8}e-8 is above the maximum {PRICE_MAX_E8}e-8")
    if price_e8 < 0 or price_e8 % rules.price_tick_e8:
        raise ApiRefusal("VALIDATION_ERROR", f"price {price_e8}e-8 is not a multiple of {rules.price_tick_e8}e-8")


def risk_reason(order: SimOrder, market: SimMarket, account: Account, prices: Prices) -> str:
    """Return why the risk engine closes a NEW order of the account, "" when it may trade."""
    if account.in_liquidation and not order.is_liquidation:
        return "IN_LIQUIDATION"
    held_e8, sign = account.size_e8(order.symbol), order.side.sign
    # Our reading: a reduce-only order larger than the position would end up increasing it, on the other side.
    if order.reduce_only and order.leaves_e8 > -sign * held_e8:
        return "REDUCE_ONLY_WILL_INCREASE"
    if order.price_e8 and order.price_e8 * sign > market.band_e8(order.side) * sign:
        return "PRICE_OUTSIDE_BANDS"
    if order.instruction in {"POST_ONLY", "RPI"} and _crosses(order, market):
        return "POST_ONLY_WOULD_CROSS"
    return "" if order.reduce_only else _exposure_reason(order, market, account, prices)


def _crosses(order: SimOrder, market: SimMarket) -> bool:
    """Say whether an order that may not take would: of the book it sees, RPI from a little across it on."""
    if order.rank is not Rank.RPI:
        return market.book.would_trade(order.side, order.price_e8, meets_rpi=order.rank is Rank.RETAIL)
    best = market.book.best(order.side.opposite)
    return best is not None and order.side.sign * (order.price_e8 - best[0]) > rate_of_e8(best[0], RPI_ACROSS_MAX_E8)


def _exposure_reason(order: SimOrder, market: SimMarket, account: Account, prices: Prices) -> str:
    held_e8 = order.side.sign * account.size_e8(order.symbol)
    # The order is among the live ones already, so the open size counts it.
    if account.open_size_e8(order.symbol, order.side) + held_e8 > market.rules.position_max_e8:
        return "ORDER_EXCEEDS_POSITION_LIMIT"
    after_e8 = initial_margin_e8(account, prices)
    before_e8 = initial_margin_e8(account, prices, without=order)
    return "NOT_ENOUGH_MARGIN" if after_e8 > before_e8 and value_e8(account, prices) < after_e8 else ""
