"""Settings of the simulated Vest: its markets, its pool's prices, its delays and the choices the documents leave open.

Delays are ranges in milliseconds, drawn evenly. The defaults are for demos and tests; the *_DOCUMENTED_MS constants
hold what the venue was seen to take. Source: Vest API v2 notes, sections 3, 4, 9, 12 and 13.
"""

from dataclasses import dataclass

from deltawire.core.money import BPS_E8, E8
from deltawire.venues.vest.children import ChildNonce

RangeMs = tuple[int, int]

EXECUTION_DELAY_DOCUMENTED_MS: RangeMs = (50, 400)
ACCOUNT_DELAY_DOCUMENTED_MS: RangeMs = (200, 500)
# The production contract the registration proof is made for; a public address.
PRODUCTION_CONTRACT = "0x919386306C47b2Fe1036e3B4F7C40D22D2461a23"


@dataclass(frozen=True, slots=True)
class VestMarketRules:
    """One market as exchangeInfo shows it. Rates and ratios in 1e-8."""

    base: str
    size_decimals: int
    price_decimals: int
    init_margin_ratio_e8: int = E8 // 20
    maint_margin_ratio_e8: int = E8 // 40
    taker_fee_e8: int = BPS_E8
    isolated: bool = False  # a position there stands for itself; the user cannot choose
    one_hr_funding_rate_e8: int = 1_250  # 0.0000125 an hour, longs pay: the usual 0.01 % in eight hours

    @property
    def symbol(self) -> str:
        return f"{self.base}-PERP"

    @property
    def size_step_e8(self) -> int:
        return int(10 ** (8 - self.size_decimals))

    @property
    def price_tick_e8(self) -> int:
        return int(10 ** (8 - self.price_decimals))

    @property
    def leverage_max(self) -> int:
        return E8 // self.init_margin_ratio_e8


# Decimals and BTC's margin as read live on 2026-02-08.
MARKETS = (
    VestMarketRules("BTC", 4, 2, init_margin_ratio_e8=E8 // 10, maint_margin_ratio_e8=E8 // 20),
    VestMarketRules("ETH", 3, 3),
    VestMarketRules("SOL", 2, 4),
)


@dataclass(frozen=True, slots=True)
class VestSimSettings:
    """What one simulated Vest does. Money in 1e-8 USDC."""

    markets: tuple[VestMarketRules, ...] = MARKETS
    seed: int = 1

    # The depth picture: how often it is re-made, and what it is made of.
    depth_median_ms: int = 300
    depth_p90_ms: int = 800  # equal to the median: a steady beat
    depth_levels: int = 20
    level_spacing_bps_e8: int = BPS_E8 // 5  # second level this far from the first; later gaps grow by it
    level_notional_min_e8: int = 5_000 * E8  # a recorded top smaller than this is shown with this much
    unsorted_share: float = 0.05  # of the pictures sent with levels out of order
    ticker_interval_ms: int = 1_000
    index_stale_ms: int = 0  # orders are refused (3003) when the last quote is older; 0: never

    # Premium for trades that raise the pool's risk: its rate where the pool carries a million USDC, else in proportion.
    premium_rate_at_million_e8: int = 3 * BPS_E8
    house_collateral_e8: int = 100_000_000 * E8
    # Added to a market's hourly funding rate where users together are long a million USDC, else in proportion.
    funding_rate_at_million_e8: int = 500
    funding_rate_max_e8: int = E8 // 1_000  # of the whole rate, either way

    liquidation_share_e8: int = E8 // 2  # of a position that is closed at once, while the account is under-margined
    liquidation_fee_rate_e8: int = 0  # the trading pages know no penalty, the API text mentions one

    execution_delay_ms: RangeMs = (20, 60)
    account_delay_ms: RangeMs = (20, 60)  # until a fill shows in /account
    event_first_share: float = 0.05  # of the orders whose events overtake the REST answer

    # Open questions of the documents, answered here in one place (notes, "Not known").
    price_check_code: int = 3001  # or 3011: a limitPrice the executed price does not meet
    accepts_ioc: bool = False  # True: a LIMIT with timeInForce IOC acts now or dies, as FOK does; else 1133
    # Readings of a take-profit or stop-loss child's nonce that are taken; none: such an order is refused with 1145.
    child_nonces: tuple[ChildNonce, ...] = (ChildNonce.SAME, ChildNonce.NEXT)
    # How a refusal's code travels: in a 200 body (seen live), nested in `detail` (two wrappers), all others plain.
    codes_in_200: frozenset[int] = frozenset({1121, 3017})
    codes_nested: frozenset[int] = frozenset({1022, 1023})
    cancel_needs_query_time: bool = True  # one live adapter got 422 without it
    recv_window_max_ms: int = 60_000  # the longest seen live; longer answers 1131
    recv_window_default_ms: int = 5_000

    verifying_contract: str = PRODUCTION_CONTRACT
    groups: int = 2  # account groups 0 .. groups - 1 exist
    listen_key_life_ms: int = 60 * 60 * 1000
    rate_limit: int = 200  # requests in a window, for each API key; 0: no limit and no headers
    rate_window_ms: int = 1_000
    keepalive_s: float = 75.0  # idle time after which the venue closes an HTTP connection

    orders_kept: int = 100_000  # oldest finished orders beyond this are forgotten
    trades_kept: int = 1_000  # newest public trades of each market

    def rules(self, symbol: str) -> VestMarketRules | None:
        return next((rules for rules in self.markets if rules.symbol == symbol), None)
