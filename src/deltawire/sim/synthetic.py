"""Made-up markets, as many as asked for: S001, S002, … on both venues, for measuring many pairs.

Only names, rules and starting prices; the generated walk moves them. Their prices are nobody's, so nothing learned from
them says anything about a real market.
"""

from deltawire.core.money import E8
from deltawire.sim.paradex_rules import MarketRules
from deltawire.sim.vest_settings import VestMarketRules
from deltawire.sim.walk import WalkBase

_DECIMALS = 3  # of prices: a tick is a hundredth of a bps of the cheapest one, about as fine as BTC's
_TICK_E8 = E8 // 1_000
_SIZE_DECIMALS = 4


def synthetic_bases(count: int) -> dict[str, WalkBase]:
    """Return the first `count` of them. Prices lie between 1000 and 1900, so that no two markets look alike."""
    return {f"S{i + 1:03d}": WalkBase((1_000 + 100 * (i % 10)) * E8, _TICK_E8, 20 * E8) for i in range(count)}


def paradex_rules(base: str) -> MarketRules:
    return MarketRules(f"{base}-USD-PERP", base, _TICK_E8, E8 // 10**_SIZE_DECIMALS, 1_000 * E8, 10_000 * E8)


def vest_rules(base: str) -> VestMarketRules:
    return VestMarketRules(base, _SIZE_DECIMALS, _DECIMALS)
