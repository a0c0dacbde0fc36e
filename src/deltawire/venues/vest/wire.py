"""The shapes of Vest v2 messages, REST and WebSocket, as they stand on the wire. Both sides of the wire use them.

Decimals stay text here, exactly as sent; times are ms since 1970 UTC; `0x` ids are text. Fields without a default are
the ones we rely on: a message without them is refused with the field's name. Source: Vest API v2 notes, 6 to 8.
"""

from msgspec import UNSET, Struct, UnsetType, field

# Order states. The last three are final; a state not listed here is an alarm, never a guess.
NEW = "NEW"
PARTIALLY_FILLED = "PARTIALLY_FILLED"
FILLED = "FILLED"
CANCELLED = "CANCELLED"
REJECTED = "REJECTED"
FINAL = frozenset({FILLED, CANCELLED, REJECTED})
KNOWN_STATES = FINAL | {NEW, PARTIALLY_FILLED}

# Orders the venue makes itself, or from a parent's signature: they may come without a nonce.
LIQUIDATION = "LIQUIDATION"
TAKE_PROFIT = "TAKE_PROFIT"
STOP_LOSS = "STOP_LOSS"
TYPES_WITHOUT_NONCE = frozenset({LIQUIDATION, TAKE_PROFIT, STOP_LOSS})

TRADING = "TRADING"
HALT = "HALT"


def is_final(status: str) -> bool | None:
    """Say whether the order is over; None for a status the venue does not document."""
    return status in FINAL if status in KNOWN_STATES else None


class Market(Struct, rename="camel"):
    """One entry of exchangeInfo."""

    symbol: str
    size_decimals: int
    price_decimals: int
    taker_fee: str
    init_margin_ratio: str
    maint_margin_ratio: str
    display_name: str = ""
    base: str = ""
    quote: str = ""
    isolated: bool = False
    asset: str = ""  # seen live, not documented
    trading_status: str = ""  # seen live, not documented


class Exchange(Struct, rename="camel"):
    collateral_decimals: int
    lp: str = "0.000000"
    insurance: str = "0.000000"


class ExchangeInfo(Struct):
    symbols: list[Market]
    exchange: Exchange


class Ticker(Struct, rename="camel", omit_defaults=True):
    """REST ticker/latest and the `tickers` channel; the two price changes come on the channel only."""

    symbol: str
    one_hr_funding_rate: str
    cum_funding: str
    imbalance: str
    index_price: str
    mark_price: str
    status: str
    price_change: str | None = None
    price_change_percent: str | None = None

    @property
    def tradable(self) -> bool:
        return self.status == TRADING


class Tickers(Struct):
    tickers: list[Ticker]


class Ticker24h(Struct, rename="camel"):
    """One entry of ticker/24hr."""

    symbol: str
    open_price: str
    close_price: str
    high_price: str
    low_price: str
    quote_volume: str
    volume: str
    price_change: str  # against the previous day's close
    price_change_percent: str
    open_time: int
    close_time: int


class Tickers24h(Struct):
    tickers: list[Ticker24h]


class FundingRate(Struct, rename="camel"):
    """One entry of funding/history: the rate of one hour in force at a time."""

    symbol: str
    time: int
    one_hr_funding_rate: str


class Kline(Struct, array_like=True):
    """One candle. trades is a number over REST and a text on the channel."""

    open_time: int
    open: str
    high: str
    low: str
    close: str
    close_time: int
    volume: str
    quote_volume: str
    trades: int | str


class Trade(Struct, rename="camel"):
    """A public trade. One reader takes a negative qty as a sell; not confirmed, so never trade on its sign."""

    id: str | int
    price: str
    qty: str
    quote_qty: str
    time: int


class Registration(Struct, rename="camel"):
    """Body of POST /register."""

    signing_addr: str
    primary_addr: str
    signature: str
    expiry_time: int
    network_type: int


class Registered(Struct, rename="camel"):
    api_key: str
    acc_group: int

    def __repr__(self) -> str:
        return f"Registered(group {self.acc_group})"


class ListenKey(Struct, rename="camel"):
    listen_key: str

    def __repr__(self) -> str:
        return "ListenKey(***)"


class Balance(Struct):
    asset: str
    total: str
    locked: str


class Position(Struct, rename="camel"):
    """A net position; size is always positive, isLong gives the sign. Size zero may be listed."""

    symbol: str
    is_long: bool
    size: str
    entry_price: str
    entry_funding: str = "0.000000000000"
    unrealized_pnl: str = "0.000000"
    settled_funding: str = "0.000000"
    mark_price: str = "0"
    index_price: str = "0"
    liq_price: str | None = None
    init_margin: str = "0.000000"
    maint_margin: str = "0.000000"
    init_margin_ratio: str = "0"


class Leverage(Struct):
    symbol: str
    value: int


class LpShare(Struct, rename="camel"):
    balance: str = "0.000000"
    shares: str = "0.000000"
    unrealized_pnl: str = "0.000000"


class Account(Struct, rename="camel"):
    address: str
    collateral: str
    withdrawable: str
    total_account_value: str
    positions: list[Position]
    balances: list[Balance] = field(default_factory=list)
    open_order_margin: str = "0.000000"
    total_maint_margin: str = "0.000000"
    leverages: list[Leverage] = field(default_factory=list)
    lp: LpShare = field(default_factory=LpShare)
    time: int = 0
    twitter_username: str | None = None
    discord_username: str | None = None


class LastNonce(Struct, rename="camel"):
    last_nonce: int


class LeverageChange(Struct):
    """Body of POST /account/leverage."""

    time: int
    symbol: str
    value: int


class OrderFields(Struct, rename="camel", omit_defaults=True):
    """`order` of POST /orders. The first eight are signed, the rest is not."""

    time: int
    nonce: int
    order_type: str
    symbol: str
    is_buy: bool
    size: str
    limit_price: str
    reduce_only: bool
    time_in_force: str | UnsetType = UNSET  # LIMIT only: GTC or FOK
    tp_price: str | UnsetType = UNSET
    tp_signature: str | UnsetType = UNSET
    sl_price: str | UnsetType = UNSET
    sl_signature: str | UnsetType = UNSET


class OrderSubmit(Struct, rename="camel"):
    """Body of POST /orders."""

    order: OrderFields
    signature: str
    recv_window: int = 5000

    def __repr__(self) -> str:
        return f"OrderSubmit(nonce {self.order.nonce})"


class CancelFields(Struct):
    time: int
    nonce: int
    id: str


class CancelSubmit(Struct, rename="camel"):
    """Body of POST /orders/cancel."""

    order: CancelFields
    signature: str
    recv_window: int = 5000

    def __repr__(self) -> str:
        return f"CancelSubmit(id {self.order.id})"


class OrderId(Struct):
    """Answer to an order or a cancel: "received", nothing more."""

    id: str


class OrderRow(Struct, rename="camel"):
    """A row of GET /orders. Fill fields are null until the order has filled."""

    id: str
    symbol: str
    is_buy: bool
    size: str
    status: str
    nonce: int | None = None  # null on orders the venue made itself
    order_type: str = ""
    limit_price: str | None = None
    mark_price: str | None = None
    reduce_only: bool = False
    init_margin_ratio: str | None = None
    code: int | None = None  # only for REJECTED
    last_filled_size: str | None = None
    last_filled_price: str | None = None
    last_filled_time: int | None = None
    avg_filled_price: str | None = None
    settled_funding: str | None = None
    fees: str | None = None
    realized_pnl: str | None = None
    post_time: int = 0
    tp_price: str | None = None
    sl_price: str | None = None


class OrderEvent(Struct, rename="camel", omit_defaults=True):
    """ORDER on account_private. CANCELLED carries only id, status, postTime, nonce; REJECTED the same and code."""

    id: str
    status: str
    nonce: int | None = None  # null on orders the venue made itself
    symbol: str | None = None
    is_buy: bool | None = None
    order_type: str | None = None
    limit_price: str | None = None
    size: str | None = None
    reduce_only: bool | None = None
    init_margin_ratio: str | None = None
    code: int | None = None
    post_time: int = 0
    last_filled_size: str | None = None
    last_filled_price: str | None = None
    last_filled_time: int | None = None
    avg_filled_price: str | None = None
    cum_funding: str | None = None
    fees: str | None = None  # with the risk premium


class LpEvent(Struct, rename="camel"):
    id: str
    size: str
    order_type: str
    status: str
    code: int | None = None
    post_time: int = 0
    nonce: int | None = None


class TransferEvent(Struct, rename="camel"):
    id: str
    size: str
    order_type: str
    status: str
    code: int | None = None
    chain_id: int = 0
    post_time: int = 0
    nonce: int | None = None


class Command(Struct):
    """What a client sends on the socket: PING, SUBSCRIBE or UNSUBSCRIBE."""

    method: str
    id: int
    params: list[str] = field(default_factory=list)
