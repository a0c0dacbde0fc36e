"""A slow basis on top of the recorded market: humps that make one venue dear for seconds to minutes, as seen live.

Logged Paradex-Vest spreads (scanner lines of 2026-02-14) stood at 5 to 22 bps for BTC and 28 to 52 for ETH, for tens
of seconds to minutes, nearly always with Vest the dear one. The recording has none of that: its level is taken out, and
its crossings last milliseconds. So a hump of a drawn height comes once a period, at a drawn moment. The defaults are
faster and higher than life, so that a round trip, taker fees paid four times, comes every ten seconds.

Pure and exact: a function of settings, seed, base and market time. No state, no random generator, no float.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.market import Quote

MS = 1_000_000  # ns


@dataclass(frozen=True, slots=True)
class BasisSettings:
    """Shape of the humps. Rates in 1e-8, times in ns. A hump rises linearly, holds, and falls linearly."""

    level_e8: int = 0  # stands all the time; the humps come on top
    height_min_e8: int = 25 * BPS_E8
    height_max_e8: int = 40 * BPS_E8
    period_ns: int = 10_000 * MS
    ramp_ns: int = 1_000 * MS
    hold_min_ns: int = 2_500 * MS
    hold_max_ns: int = 4_000 * MS
    alternate: bool = False  # True: every second hump is negative (Vest the cheap one)

    def __post_init__(self) -> None:
        """Raise ValueError for a shape that does not fit its period."""
        if not 0 <= self.height_min_e8 <= self.height_max_e8:
            raise ValueError("the hump's least height must not be negative nor above its greatest")
        if self.ramp_ns <= 0 or not 0 <= self.hold_min_ns <= self.hold_max_ns:
            raise ValueError("the hump's ramp must be positive, its least hold not negative nor above its greatest")
        if 2 * self.ramp_ns + self.hold_max_ns > self.period_ns:
            raise ValueError("two ramps and the longest hold do not fit into the period")
        # Up to 1 in magnitude would leave prices positive; a tenth is already no market.
        if abs(self.level_e8) + self.height_max_e8 > E8 // 10:
            raise ValueError("level and height together are above 1000 bps")


@dataclass(frozen=True, slots=True)
class Hump:
    """One hump: its height with its sign, and its times from the start of its period."""

    height_e8: int
    start_ns: int
    hold_ns: int


def basis_e8(settings: BasisSettings, seed: int, base: str, market_ns: int) -> int:
    """Return the basis at this market time, as a rate in 1e-8. Positive: Vest is the dear one."""
    number, into_period_ns = divmod(market_ns, settings.period_ns)
    hump = hump_of(settings, seed, base, number)
    ramp_ns = settings.ramp_ns
    since_start_ns = into_period_ns - hump.start_ns
    until_end_ns = 2 * ramp_ns + hump.hold_ns - since_start_ns
    part_ns = max(0, min(since_start_ns, until_end_ns, ramp_ns))
    return settings.level_e8 + hump.height_e8 * part_ns // ramp_ns


@lru_cache(maxsize=1024)  # asked at every tick, changes once a period and base
def hump_of(settings: BasisSettings, seed: int, base: str, number: int) -> Hump:
    """Draw the hump of one period. The draw is a hash, so it is the same in every Python version and process."""
    digest = blake2b(f"{seed}/{base}/{number}".encode(), digest_size=24).digest()
    height, hold, start = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16))
    height_e8 = settings.height_min_e8 + height % (settings.height_max_e8 - settings.height_min_e8 + 1)
    hold_ns = settings.hold_min_ns + hold % (settings.hold_max_ns - settings.hold_min_ns + 1)
    start_ns = start % (settings.period_ns - 2 * settings.ramp_ns - hold_ns + 1)
    negative = settings.alternate and number % 2 == 1
    return Hump(-height_e8 if negative else height_e8, start_ns, hold_ns)


def shifted(quote: Quote, rate_e8: int) -> Quote:
    """Return the quote moved by the rate: both sides by one amount, so its own bid-offer spread stays."""
    if rate_e8 == 0:
        return quote
    by_e8 = (quote.bid_price_e8 + quote.ask_price_e8) * rate_e8 // (2 * E8)
    return Quote(quote.bid_price_e8 + by_e8, quote.bid_size_e8, quote.ask_price_e8 + by_e8, quote.ask_size_e8)
