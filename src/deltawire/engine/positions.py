"""What we hold by our own count, and whether the venues say the same. Reading and comparing; it repairs nothing."""

import asyncio
from collections.abc import Sequence

from deltawire.core.types import OrderRequest
from deltawire.journal.records import PositionRow
from deltawire.venues.contract import Venue


class Positions:
    """Signed sizes by (venue, symbol), counted from fills: those of the journal, then those of this run."""

    def __init__(self, from_journal: dict[tuple[str, str], int]) -> None:
        self._sizes = dict(from_journal)

    def on_filled(self, request: OrderRequest, size_e8: int) -> None:
        key = (request.instrument.venue, request.instrument.symbol)
        self._sizes[key] = self._sizes.get(key, 0) + request.side.sign * size_e8

    def adjust(self, venue: str, symbol: str, size_e8: int) -> None:
        """Count a change that no order of ours made."""
        self._sizes[venue, symbol] = self.of(venue, symbol) + size_e8

    def held(self, venue: str) -> dict[str, int]:
        """Return the signed sizes held on a venue by symbol, zeros left out."""
        return {symbol: size_e8 for (name, symbol), size_e8 in self._sizes.items() if name == venue and size_e8}

    def of(self, venue: str, symbol: str) -> int:
        return self._sizes.get((venue, symbol), 0)

    @property
    def is_flat(self) -> bool:
        return not any(self._sizes.values())

    async def compare(self, venues: Sequence[Venue], watched: Sequence[tuple[str, str]]) -> list[PositionRow]:
        """Ask each venue, and return one row for each instrument we watch or hold. Raises what the venue raises.

        Positions in other instruments are the owner's own business and are left alone.
        """
        rows = []
        answers = await asyncio.gather(*(venue.positions() for venue in venues))
        for venue, answer in zip(venues, answers, strict=True):
            held = {report.symbol: report.size_e8 for report in answer}
            symbols = {symbol for name, symbol in (*watched, *self._sizes) if name == venue.name}
            for symbol in sorted(symbols):
                journal_e8, venue_e8 = self.of(venue.name, symbol), held.get(symbol, 0)
                rows.append(
                    PositionRow(
                        venue=venue.name,
                        symbol=symbol,
                        journal_e8=journal_e8,
                        venue_e8=venue_e8,
                        agree=journal_e8 == venue_e8,
                    )
                )
        return rows
