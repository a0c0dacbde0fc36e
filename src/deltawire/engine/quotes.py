"""What both books held when an entry or a close was decided, for the record. Read after the writes: it decides nothing.

Nothing awaits between the decision and the writes, so after them the books are still the ones that were decided on.
"""

from deltawire.core.book import Book
from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.engine.gateway import LEG_NAMES
from deltawire.journal.records import QuoteSeen


def quotes_seen(
    books: tuple[Book, Book], buy_leg: int, size_e8: int, mono_ns: int, unix_ns: int, *, closing: bool = False
) -> list[QuoteSeen]:
    """Return a quote for each leg whose book is not empty. buy_leg: where the trade bought at its entry."""
    quotes = []
    for leg, book in enumerate(books):
        side = Side.BUY if (leg == buy_leg) is not closing else Side.SELL
        levels = book.asks if side is Side.BUY else book.bids
        if not levels or size_e8 <= 0:
            continue
        walk = book.walk(side, size_e8)
        quotes.append(
            QuoteSeen(
                leg=LEG_NAMES[leg],
                venue=book.venue,
                size_e8=size_e8,
                best_price_e8=levels[0][0],
                price_e8=walk.notional_e8 * E8 // size_e8 if walk.size_e8 == size_e8 else 0,
                age_ns=max(0, mono_ns - book.received_mono_ns),
                venue_age_ns=unix_ns - book.venue_unix_ns if book.venue_unix_ns else None,
            )
        )
    return quotes
