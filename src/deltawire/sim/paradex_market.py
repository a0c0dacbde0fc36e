"""One market of the simulated Paradex: rules, matching book, mark price, funding index, totals. Pure.

The mark is the middle of the recorded quote: the oracle and fair basis behind the venue's own are not modelled.
"""

from collections import deque
from collections.abc import Callable

from deltawire.core.book import Level
from deltawire.core.money import E8, floor_to, rate_of_e8
from deltawire.core.types import Side
from deltawire.sim.market import Quote
from deltawire.sim.paradex_book import BookUpdate, MatchingBook, Trade
from deltawire.sim.paradex_rules import FUNDING_PERIOD_S, Depth, MarketRules

FUNDING_STEP_MAX_NS = 30 * 10**9  # a longer step counts as zero (reference, section 17)
TRADES_KEPT = 1_000
_PERIOD_NS = FUNDING_PERIOD_S * 10**9


class FundingIndex:
    """USDC per unit of base a long has paid so far. Keeps each step's remainder: no time is lost to rounding."""

    def __init__(self) -> None:
        self.index_e8 = 0
        self._remainder = 0
        self._accrued_mono_ns: int | None = None

    def accrue(self, premium_e8: int, now_mono_ns: int) -> None:
        """Move the index to now. premium_e8: USDC per unit and period, already capped."""
        since, self._accrued_mono_ns = self._accrued_mono_ns, now_mono_ns
        if since is not None and 0 < now_mono_ns - since <= FUNDING_STEP_MAX_NS:
            step, self._remainder = divmod(premium_e8 * (now_mono_ns - since) + self._remainder, _PERIOD_NS)
            self.index_e8 += step


class SimMarket:
    def __init__(self, rules: MarketRules, depth: Depth, publish: Callable[[BookUpdate], None]) -> None:
        self.rules = rules
        self.book = MatchingBook(rules.symbol, publish)
        self.funding = FundingIndex()
        self.funding_rate_e8 = 0  # per period
        self.mark_e8 = 0  # 0 before the first quote
        self.last_price_e8 = 0
        self.volume_usd_e8 = 0  # since start
        self.updated_unix_ns = 0
        self.trades: deque[tuple[Trade, int]] = deque(maxlen=TRADES_KEPT)  # with their UTC ns, oldest first
        self._depth = depth

    def on_quote(self, quote: Quote, *, may_trade: bool = True) -> list[Trade]:
        """Take a tick of the recorded market. Raises ValueError, changing nothing, for a crossed or empty one.

        may_trade: whether it may meet accounts' orders; where it may not and would, only the mark moves.
        """
        if not 0 < quote.bid_price_e8 < quote.ask_price_e8 or quote.bid_size_e8 <= 0 or quote.ask_size_e8 <= 0:
            raise ValueError(f"not a quote to build a book from: {quote}")
        self.mark_e8 = (quote.bid_price_e8 + quote.ask_price_e8) // 2
        bids = self._ladder(Side.BUY, quote.bid_price_e8, quote.bid_size_e8)
        asks = self._ladder(Side.SELL, quote.ask_price_e8, quote.ask_size_e8)
        if not may_trade and (self.book.meets_orders(Side.BUY, bids) or self.book.meets_orders(Side.SELL, asks)):
            return []
        trades = self.book.requote(bids, asks)
        if self._depth.rpi_improve_e8:
            self._requote_rpi(Side.BUY, *bids[0])
            self._requote_rpi(Side.SELL, *asks[0])
        return trades

    def _requote_rpi(self, side: Side, price_e8: int, size_e8: int) -> None:
        better_e8 = price_e8 + side.sign * rate_of_e8(price_e8, self._depth.rpi_improve_e8)
        self.book.requote_rpi(side, (self.rules.on_tick(side, better_e8), size_e8))

    def _ladder(self, side: Side, price_e8: int, size_e8: int) -> list[Level]:
        """Return the recorded best level and the made-up ones behind it, on the venue's tick and step."""
        away_e8, grow_e8 = rate_of_e8(price_e8, self._depth.step_e8), rate_of_e8(size_e8, self._depth.growth_e8)
        levels: dict[int, int] = {}
        for at in range(self._depth.levels):
            level_e8 = self.rules.on_tick(side, price_e8 - side.sign * away_e8 * at)
            grown_e8 = floor_to(size_e8 + grow_e8 * at, self.rules.size_step_e8)
            if level_e8 > 0:
                levels.setdefault(level_e8, max(grown_e8, self.rules.size_step_e8))
        return list(levels.items())

    def band_e8(self, side: Side) -> int:
        """Return the worst price an order of this side may ask for or trade at."""
        return self.mark_e8 + side.sign * (self.mark_e8 * self.rules.band_e8 // E8)

    def worst_average_e8(self, side: Side, asked_e8: int) -> int:
        """Return the worst average price a market order may have: as asked, or the slippage allowed from the best."""
        best = self.book.best(side.opposite)
        return asked_e8 or (best[0] + side.sign * rate_of_e8(best[0], self.rules.slippage_max_e8) if best else 0)

    def premium_e8(self) -> int:
        cap_e8 = self.rules.funding_cap_e8
        return max(-cap_e8, min(cap_e8, self.funding_rate_e8)) * self.mark_e8 // E8
