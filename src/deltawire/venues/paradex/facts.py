"""What Paradex says of a market beside its book: mark and index price, funding. And what that forbids: the price band.

Source: Paradex protocol reference, sections 8, 9.3, 13 and 17.
"""

from dataclasses import dataclass

from deltawire.core.book import Book
from deltawire.core.money import E8
from deltawire.core.types import Instrument
from deltawire.venues.contract import Clock, MarketState
from deltawire.venues.paradex.records import FundingData, MarketSummary

# The venue refuses an order that reaches further from the mark price than its band. An entry leaves half of that for
# its exit, which may have to reach further and must not be refused.
BAND_SHARE = 2
MARK_AGE_NS_MAX = 60 * 10**9  # an older mark price says nothing; the feed comes about every second
E12_PER_E8 = 10_000


@dataclass(slots=True)
class _Fact:
    mark_price_e8: int = 0
    index_price_e8: int = 0
    hourly_rate_e8: int = 0
    marked_mono_ns: int = 0
    received_mono_ns: int = 0


class Facts:
    """One entry for each market; nothing here touches a book."""

    def __init__(self, symbols: tuple[str, ...], *, clock: Clock) -> None:
        self._clock = clock
        self._facts = {symbol: _Fact() for symbol in symbols}

    def on_summary(self, summary: MarketSummary, received_mono_ns: int) -> None:
        fact = self._facts.get(summary.market)
        if fact is not None and summary.mark_price_e8 > 0:
            fact.mark_price_e8, fact.index_price_e8 = summary.mark_price_e8, summary.index_price_e8
            fact.marked_mono_ns = fact.received_mono_ns = received_mono_ns

    def on_funding(self, funding: FundingData, received_mono_ns: int) -> None:
        fact = self._facts.get(funding.market)
        if fact is not None and funding.funding_period_hours > 0:
            fact.hourly_rate_e8 = funding.funding_rate_e8 // funding.funding_period_hours
            fact.received_mono_ns = received_mono_ns

    def state(self, symbol: str, status: str) -> MarketState | None:
        """Return what is known of a market, None before its first mark price. status: the venue's own word."""
        fact = self._facts[symbol]
        if not fact.marked_mono_ns:
            return None
        return MarketState(
            symbol=symbol,
            mark_price_e8=fact.mark_price_e8,
            index_price_e8=fact.index_price_e8,
            funding_rate_e8=fact.hourly_rate_e8,
            status=status,
            received_mono_ns=fact.received_mono_ns,
        )

    def band_block(self, instrument: Instrument, book: Book) -> str:
        """Say why the price band forbids an entry; "" too while no fresh mark price is known: the venue judges."""
        fact = self._facts[instrument.symbol]
        is_known = fact.marked_mono_ns and self._clock.mono_ns() - fact.marked_mono_ns <= MARK_AGE_NS_MAX
        if not (is_known and instrument.price_band_e8 and book.two_sided):
            return ""
        room_e8 = fact.mark_price_e8 * instrument.price_band_e8 // E8 // BAND_SHARE
        for price_e8 in (book.bids[0][0], book.asks[0][0]):
            if abs(price_e8 - fact.mark_price_e8) > room_e8:
                return (
                    f"the book is at {price_e8}e-8, the mark price at {fact.mark_price_e8}e-8: over half of the "
                    f"price band of {instrument.price_band_e8}e-8, so an exit might be refused"
                )
        return ""
