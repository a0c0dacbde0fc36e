"""What the simulated Paradex is set to: trading rules per market, fees, timings and limits. Plain data.

Defaults are the venue's figures of October 2026 (Paradex reference, sections 2, 5, 12, 15, 16); GUESS marks our reading
where nothing states one. ApiRefusal is the one way a call is refused before it reaches the matching engine.
"""

from dataclasses import dataclass, field

from deltawire.core.money import BPS_E8, E8, ceil_to, floor_to
from deltawire.core.types import Side
from deltawire.sim.paradex_maintenance import Release

CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"  # the testnet's
FUNDING_PERIOD_S = 8 * 3600

Rates = tuple[tuple[int, int], ...]


class ApiRefusal(Exception):
    """A call the API refuses, with the venue's code (reference, section 14) and a text. HTTP status for REST."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class MarketRules:
    """One market's parameters. Sizes in base units, all 1e-8; rates in 1e-8."""

    symbol: str
    base: str
    price_tick_e8: int
    size_step_e8: int
    size_max_e8: int
    position_max_e8: int
    notional_min_e8: int = 10 * E8
    band_e8: int = 5 * E8 // 100
    slippage_max_e8: int = 5 * E8 // 100  # of a market order's average price, from the best one
    margin_initial_e8: int = 2 * E8 // 100
    margin_maintenance_factor_e8: int = E8 // 2
    funding_cap_e8: int = 2 * E8 // 100

    def on_tick(self, side: Side, price_e8: int) -> int:
        """Round a recorded price so that the quoted spread never narrows: bids down, asks up."""
        return (floor_to if side is Side.BUY else ceil_to)(price_e8, self.price_tick_e8)


BTC = MarketRules("BTC-USD-PERP", "BTC", E8 // 10, E8 // 100_000, 100 * E8, 300 * E8)
ETH = MarketRules("ETH-USD-PERP", "ETH", E8 // 100, E8 // 10_000, 1_000 * E8, 9_000 * E8)


@dataclass(frozen=True, slots=True)
class Fees:
    """Rates in 1e-8 of the notional; positive is paid."""

    maker_e8: int
    taker_e8: int


@dataclass(frozen=True, slots=True)
class Depth:
    """The recorded market's levels behind its best: each a step further away and a share larger than the one before.

    The recording has the best price only; the shape behind it is ours, fixed so that a walk has a known cost.
    """

    levels: int = 5  # a side, the best one included
    step_e8: int = 1 * BPS_E8  # distance between levels as a part of the best price
    growth_e8: int = E8  # size added per level, as a part of the best level's size
    rpi_improve_e8: int = 0  # how much better its RPI quote is, as a part of the price; 0: it has none


@dataclass(frozen=True, slots=True)
class ParadexSimSettings:
    markets: tuple[MarketRules, ...] = (BTC, ETH)
    fees_pro: Fees = Fees(maker_e8=3_000, taker_e8=45_000)  # 0.3 bps and 4.5 bps
    fees_retail: Fees = Fees(maker_e8=0, taker_e8=0)
    fees_rpi: Fees = Fees(maker_e8=3_000, taker_e8=45_000)
    rpi_orders: bool = False  # whether accounts may place RPI orders; the venue keeps a list of who may
    depth: Depth = field(default_factory=Depth)
    fastfill_discount_e8: int = 30 * E8 // 100  # of a Pro taker's fee when it meets a resting Retail order
    retail_delay_s: float = 0.3  # before an order or a cancel of that class is handled
    cancel_queue_s: float = 0.0  # before a queued cancel of the Pro class is handled: what its races with fills need
    open_orders_max: int = 100  # per market
    funding_rate_e8: int = 10_000  # per period: the venue's resting point of 0.01 % in 8 h
    funding_tick_s: float = 1.0
    recv_window_ms: int = 300_000  # when the order names none
    clock_ahead_max_ms: int = 60_000  # GUESS: how far in the future a signature may be dated
    token_life_s: int = 300
    auth_expiry_default_s: int = 30 * 60
    auth_expiry_max_s: int = 7 * 24 * 3600
    sbe_version_max: int = 3  # ccxt asks for 3 and trades live, so the venue serves it, though no schema file shows it
    ping_every_s: float = 55.0
    pong_within_s: float = 5.0
    heartbeat_idle_s: float = 20.0  # a binary heartbeat after so long without a frame; 0: none
    unsubscribed_max_s: float = 60.0  # GUESS: a connection that subscribes to nothing is closed after this; 0: never
    unsent_messages_max: int = 2_000  # a slower reader is cut
    tells_new: bool = True  # whether `orders` tells of an order when it is accepted, before it is executed
    private_as_json: bool = False  # the reference, section 7: documents disagree; SBE is what clients expect
    batch_max: int = 10
    release: Release | None = None  # the weekday window in which it does not trade normally; None: none
    # Limits as (calls, seconds); a call must pass all of a line.
    orders_pro: Rates = ((800, 1), (17_250, 60))
    orders_retail: Rates = ((3, 1), (30, 60), (300, 3_600), (1_000, 86_400))
    reads_private: Rates = ((120, 1), (600, 60))  # per account
    calls_public: Rates = ((1_500, 60),)  # per IP, and all clients here have one
    calls_private: Rates = ((1_500, 60),)  # per IP, every private REST call; GUESS: calls by WebSocket do not count
    sign_ins: Rates = ((600, 60),)
    connects: Rates = ((20, 1), (600, 60))
    # Off only for measurements: the sign-in stays verified, orders are then taken at their word.
    verify_orders: bool = True
