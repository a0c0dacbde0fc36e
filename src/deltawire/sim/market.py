"""The market both simulated venues see: best bid and offer per venue and base, handed on as they come.

A hub without a clock of its own. A player or generator publishes; the venues subscribe. Calls are synchronous, on the
loop, in publishing order. Does not round to venue ticks: that is each venue's own rule.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and offer: prices in 1e-8 quote units, sizes in 1e-8 coins."""

    bid_price_e8: int
    bid_size_e8: int
    ask_price_e8: int
    ask_size_e8: int


OnQuote = Callable[[str, Quote], None]  # (base, quote)


class Market:
    """Quotes of every venue and base. publish is for whoever plays the market (and for tests)."""

    def __init__(self, bases: tuple[str, ...]) -> None:
        self.bases = bases
        self.published = 0
        self._last: dict[tuple[str, str], Quote] = {}
        self._subscribers: dict[str, list[OnQuote]] = {}

    def subscribe(self, venue: str, on_quote: OnQuote) -> None:
        """Call on_quote(base, quote) for every later quote of the venue ("paradex" or "vest")."""
        self._subscribers.setdefault(venue, []).append(on_quote)

    def last(self, venue: str, base: str) -> Quote | None:
        """Return the newest quote, None before the first."""
        return self._last.get((venue, base))

    def publish(self, venue: str, base: str, quote: Quote) -> None:
        """Make this the newest quote and hand it to the venue's subscribers."""
        self.published += 1
        self._last[venue, base] = quote
        for on_quote in self._subscribers.get(venue, ()):
            on_quote(base, quote)
