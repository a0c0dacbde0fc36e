"""One pair's entries in the slow class of one of its venues: watches how long edges last, and chooses per entry.

Only for a venue that offers such a class (venues.contract.OffersSlowClass); the pair of one that does not has none of
this. The choice itself is core's.
"""

from dataclasses import replace

from deltawire.core.book import Book
from deltawire.core.edge import Opportunity, PairRules, best_opening
from deltawire.core.entry_class import Choice, Lifetimes, SlowClass, choose, unwind_e8
from deltawire.venues.contract import OffersSlowClass, Venue


class SlowEntries:
    """rules: as for an entry of this class, with its fee. found: what they find in the books as last watched."""

    def __init__(self, leg: int, venue: OffersSlowClass, slow: SlowClass, usual: PairRules) -> None:
        self.leg, self.name = leg, slow.name
        self.saved_e8 = usual.legs[leg].fee_rate_taker_e8 - slow.fee_rate_taker_e8
        self.rules = replace(usual, entry_fee_saved_e8=self.saved_e8)
        self.found: Opportunity | None = None
        self._venue, self._slow, self._symbol = venue, slow, usual.legs[leg].symbol
        self._lives = Lifetimes()

    def watch(self, books: tuple[Book, Book], received_mono_ns: int) -> None:
        """Take a change of either book."""
        if not (books[0].valid and books[1].valid):
            self.found = None
            self._lives.lost()
            return
        found = best_opening(self.rules, books, self.rules.size_e8)
        if found is not None and found.edge_e8 < self.rules.entry_edge_e8:
            found = None
        self.found = found
        self._lives.seen(-1 if found is None else found.buy_leg, received_mono_ns)

    def choose(self, found: Opportunity, books: tuple[Book, Book], now_mono_ns: int) -> Choice:
        """Choose for an entry: one the usual fee allows, or `self.found`, which only this class's fee may allow."""
        is_ours_alone = found is self.found
        return choose(
            self._slow,
            edge_e8=found.edge_e8 if is_ours_alone else found.edge_e8 + self.saved_e8,
            gained_e8=found.edge_e8 if is_ours_alone else self.saved_e8,
            unwind_e8=unwind_e8(self.rules, self.leg, books[self.leg]),
            ends_e8=self._lives.ends_within_e8(self._slow.wait_ns, now_mono_ns),
            block=self._venue.slow_block(self._symbol),
        )

    def priced(self, found: Opportunity) -> Opportunity:
        """Return it with the edge it has in this class."""
        return found if found is self.found else found._replace(edge_e8=found.edge_e8 + self.saved_e8)


def slow_entries(rules: PairRules, venues: tuple[Venue, Venue]) -> SlowEntries | None:
    """Return what the pair needs to use a slow class, None where no venue offers one that saves anything."""
    for leg, venue in enumerate(venues):
        if isinstance(venue, OffersSlowClass):
            slow = venue.slow_class(rules.legs[leg].symbol)
            if slow is not None and slow.fee_rate_taker_e8 < rules.legs[leg].fee_rate_taker_e8:
                return SlowEntries(leg, venue, slow, rules)
    return None
