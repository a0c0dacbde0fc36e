"""Accounts of the simulated Paradex: orders, positions, fills, collateral and margin. Pure arithmetic in 1e-8 units.

A position keeps its signed cost, not an average price: opening adds to it, closing takes the closed share out, so
realised PnL plus what is left always equals what was paid. Margin follows the reference's section 17, simply: no open
loss, USDC worth one dollar. When an account is liquidated is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from deltawire.core.money import E8, notional_e8, rate_of_e8
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank, SelfTrade
from deltawire.sim.paradex_rules import MarketRules
from deltawire.sim.paradex_triggers import is_market

CLOSED_ORDERS_MAX = 50_000  # remembered per account, with their client ids; the oldest are forgotten
FILLS_MAX = 50_000

NEW, UNTRIGGERED, OPEN, CLOSED = "NEW", "UNTRIGGERED", "OPEN", "CLOSED"


@dataclass(slots=True, eq=False)
class SimOrder:
    """One order. Mutated by the exchange only; what leaves the exchange is a copy."""

    id: str
    account: int
    symbol: str
    side: Side
    kind: str  # LIMIT, MARKET, or one that waits for its trigger
    instruction: str  # GTC, IOC, POST_ONLY, RPI
    size_e8: int
    price_e8: int  # 0 for market kinds
    client_id: str
    reduce_only: bool
    self_trade: SelfTrade
    rank: Rank
    signed_unix_ms: int
    received_unix_ns: int
    created_unix_ns: int
    updated_unix_ns: int
    leaves_e8: int
    seq_no: int
    origin: int = 0  # the connection it came by, 0 for REST
    status: str = NEW
    cancel_reason: str = ""
    filled_notional_e8: int = 0
    trigger_price_e8: int = 0  # 0: it waits for nothing
    was_triggered: bool = False
    vwap_price_e8: int = 0  # the worst average asked for, 0: the market's
    is_liquidation: bool = False
    hidden_until_mono_ns: int = 0  # a fault: look-ups do not find it before
    misled: bool = False  # a fault: the venue denied an order that it had
    modify_id: str = ""  # set only in the news of a modify

    @property
    def is_market(self) -> bool:
        return is_market(self.kind)

    @property
    def filled_e8(self) -> int:
        return self.size_e8 - self.leaves_e8

    @property
    def average_price_e8(self) -> int:
        """Average over all fills, to the nearest 1e-8; 0 when unfilled."""
        return divide(self.filled_notional_e8 * E8, self.filled_e8) if self.filled_e8 else 0


@dataclass(frozen=True, slots=True)
class SimFill:
    id: str
    order_id: str
    client_id: str
    account: int
    symbol: str
    side: Side
    is_maker: bool
    price_e8: int
    size_e8: int
    fee_e8: int
    realized_pnl_e8: int
    realized_funding_e8: int
    funding_index_e8: int  # at which that was realised
    underlying_price_e8: int
    order_leaves_e8: int
    trade_id: str
    book_seq: int
    seq_no: int
    created_unix_ns: int
    is_retail: bool
    is_fastfill: bool
    is_rpi: bool
    fill_type: str
    collateral_e8: int  # of the account, after it


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position as the venue reports it, at one mark price."""

    account: int
    symbol: str
    size_e8: int  # signed
    cost_e8: int  # signed
    entry_price_e8: int
    unrealized_pnl_e8: int  # with unrealised funding
    unrealized_funding_e8: int
    realized_pnl_e8: int  # with realised funding
    realized_funding_e8: int
    funding_index_e8: int
    liquidation_price_e8: int | None
    leverage_e8: int
    last_fill_id: str
    created_unix_ns: int
    closed_unix_ns: int
    updated_unix_ns: int
    seq_no: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account's summary at the present mark prices."""

    account: int
    collateral_e8: int
    value_e8: int
    initial_e8: int
    maintenance_e8: int
    updated_unix_ns: int
    seq_no: int
    in_liquidation: bool

    @property
    def free_e8(self) -> int:
        return self.value_e8 - self.initial_e8


@dataclass(frozen=True, slots=True)
class Bust:
    """A fill the chain did not bear: taken back after the fact."""

    account: int
    fill_id: str
    created_unix_ns: int


@dataclass(slots=True, eq=False)
class Position:
    symbol: str
    size_e8: int = 0
    cost_e8: int = 0
    funding_index_e8: int = 0
    realized_pnl_e8: int = 0  # since it was last flat or flipped, with funding
    realized_funding_e8: int = 0
    last_fill_id: str = ""
    created_unix_ns: int = 0
    closed_unix_ns: int = 0
    updated_unix_ns: int = 0

    def unrealized_funding_e8(self, index_e8: int) -> int:
        return -notional_e8(index_e8 - self.funding_index_e8, self.size_e8)

    def unrealized_pnl_e8(self, mark_e8: int, index_e8: int) -> int:
        return notional_e8(mark_e8, self.size_e8) - self.cost_e8 + self.unrealized_funding_e8(index_e8)

    def trade(self, side: Side, size_e8: int, paid_e8: int, index_e8: int) -> tuple[int, int]:
        """Apply one fill worth paid_e8 (unsigned). Returns realised PnL without funding, and realised funding."""
        funding_e8 = self.unrealized_funding_e8(index_e8)
        self.funding_index_e8 = index_e8
        before_e8 = self.size_e8
        if before_e8 == 0:
            self.realized_pnl_e8 = self.realized_funding_e8 = 0
        closing_e8 = min(size_e8, abs(before_e8)) if before_e8 * side.sign < 0 else 0
        pnl_e8 = 0
        if closing_e8:
            cost_out_e8 = divide(self.cost_e8 * closing_e8, abs(before_e8))
            paid_out_e8 = divide(paid_e8 * closing_e8, size_e8)
            pnl_e8 = -side.sign * paid_out_e8 - cost_out_e8
            self.cost_e8 -= cost_out_e8
            paid_e8 -= paid_out_e8
        self.size_e8 += side.sign * size_e8
        self.realized_pnl_e8 += pnl_e8 + funding_e8
        self.realized_funding_e8 += funding_e8
        if closing_e8 < size_e8:
            self.cost_e8 += side.sign * paid_e8
            if closing_e8:  # flipped: the new side starts its own account
                self.realized_pnl_e8 = self.realized_funding_e8 = 0
        return pnl_e8, funding_e8


@dataclass(slots=True, eq=False)
class Account:
    address: int
    public_keys: list[int]  # the main one first, then the subkeys
    collateral_e8: int
    created_unix_ns: int
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, SimOrder] = field(default_factory=dict)  # by venue id, oldest first, the closed ones too
    live: dict[str, SimOrder] = field(default_factory=dict)  # all but the closed ones
    by_client_id: dict[str, SimOrder] = field(default_factory=dict)
    signed: dict[tuple[int | str, ...], str] = field(default_factory=dict)  # what was signed -> order id
    fills: list[SimFill] = field(default_factory=list)
    fees_paid_e8: int = 0
    funding_e8: int = 0
    realized_pnl_e8: int = 0
    updated_unix_ns: int = 0
    in_liquidation: bool = False

    def position(self, symbol: str) -> Position:
        return self.positions.setdefault(symbol, Position(symbol))

    def size_e8(self, symbol: str) -> int:
        position = self.positions.get(symbol)
        return position.size_e8 if position else 0

    def open_size_e8(self, symbol: str, side: Side) -> int:
        """Return what live orders of one side may still trade; those that wait for a trigger do not count yet."""
        live = (o for o in self.live.values() if o.symbol == symbol and o.side is side and o.status != UNTRIGGERED)
        return sum(o.leaves_e8 for o in live)

    def remember(self, order: SimOrder, signed_fields: tuple[int | str, ...]) -> None:
        """Register an order; beyond the bound the oldest closed one is forgotten, with its ids."""
        self.orders[order.id] = self.live[order.id] = order
        self.signed[signed_fields] = order.id
        if order.client_id:
            self.by_client_id[order.client_id] = order
        if len(self.orders) - len(self.live) > CLOSED_ORDERS_MAX:
            oldest = next(o for o in self.orders.values() if o.status == CLOSED)
            del self.orders[oldest.id], self.signed[next(iter(self.signed))]
            self.by_client_id.pop(oldest.client_id, None)

    def record(self, fill: SimFill) -> None:
        self.fills.append(fill)
        del self.fills[:-FILLS_MAX]


@dataclass(frozen=True, slots=True)
class Prices:
    """What an account is valued at: mark price and funding index of every market, by symbol."""

    rules: Callable[[str], MarketRules]
    mark_e8: Callable[[str], int]
    index_e8: Callable[[str], int]
    exit_fee_e8: int  # the taker rate, for the fee provisions


def value_e8(account: Account, prices: Prices) -> int:
    unrealized = (
        position.unrealized_pnl_e8(prices.mark_e8(symbol), prices.index_e8(symbol))
        for symbol, position in account.positions.items()
    )
    return account.collateral_e8 + sum(unrealized)


def initial_margin_e8(account: Account, prices: Prices, without: SimOrder | None = None) -> int:
    """Return the initial requirement of positions and live orders, as it would be without one of the orders."""
    total_e8 = 0
    for symbol in sorted(set(account.positions) | {order.symbol for order in account.live.values()}):
        exposed_e8 = {side: side.sign * account.size_e8(symbol) + account.open_size_e8(symbol, side) for side in Side}
        if without and without.symbol == symbol:
            exposed_e8[without.side] -= without.leaves_e8
        worth_e8 = notional_e8(prices.mark_e8(symbol), max(*exposed_e8.values(), 0))
        total_e8 += rate_of_e8(worth_e8, prices.rules(symbol).margin_initial_e8 + prices.exit_fee_e8)
    return total_e8


def maintenance_margin_e8(account: Account, prices: Prices) -> int:
    total_e8 = 0
    for symbol, position in account.positions.items():
        rules = prices.rules(symbol)
        worth_e8 = notional_e8(prices.mark_e8(symbol), abs(position.size_e8))
        initial_e8 = rate_of_e8(worth_e8, rules.margin_initial_e8)
        total_e8 += rate_of_e8(initial_e8, rules.margin_maintenance_factor_e8)
        total_e8 += rate_of_e8(worth_e8, prices.exit_fee_e8)
    return total_e8


def account_view(account: Account, prices: Prices, seq_no: int) -> AccountView:
    return AccountView(
        account.address,
        account.collateral_e8,
        value_e8(account, prices),
        initial_margin_e8(account, prices),
        maintenance_margin_e8(account, prices),
        account.updated_unix_ns,
        seq_no,
        account.in_liquidation,
    )


def position_view(account: Account, position: Position, prices: Prices, seq_no: int) -> PositionView:
    mark_e8, index_e8 = prices.mark_e8(position.symbol), prices.index_e8(position.symbol)
    return PositionView(
        account.address,
        position.symbol,
        position.size_e8,
        position.cost_e8,
        divide(position.cost_e8 * E8, position.size_e8) if position.size_e8 else 0,
        position.unrealized_pnl_e8(mark_e8, index_e8),
        position.unrealized_funding_e8(index_e8),
        position.realized_pnl_e8,
        position.realized_funding_e8,
        position.funding_index_e8,
        _liquidation_price_e8(account, position, prices, mark_e8),
        E8 * E8 // prices.rules(position.symbol).margin_initial_e8,
        position.last_fill_id,
        position.created_unix_ns,
        position.closed_unix_ns,
        position.updated_unix_ns,
        seq_no,
    )


def _liquidation_price_e8(account: Account, position: Position, prices: Prices, mark_e8: int) -> int | None:
    """Return the mark at which the cushion is used up by this position alone; None when there is none above zero."""
    if position.size_e8 == 0:
        return None
    cushion_e8 = value_e8(account, prices) - maintenance_margin_e8(account, prices)
    price_e8 = mark_e8 - divide(cushion_e8 * E8, position.size_e8)
    return price_e8 if price_e8 > 0 else None


def divide(numerator: int, denominator: int) -> int:
    """Divide to the nearest integer, halves away from zero."""
    quotient = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return quotient if (numerator < 0) == (denominator < 0) else -quotient
