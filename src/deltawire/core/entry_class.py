"""Whether an entry should wait at its venue to pay less: how long edges have lasted, against the fee saved. Pure.

A venue may take orders in a second class: held back for a while, and cheaper (Paradex Retail). Such an entry goes
alone, the other leg follows once it has filled. What may be lost by waiting is the edge, and a leg that must be given
back; what is won is the fee. Rates are 1e-8. Exits, repairs and unwinds never wait, so they are no matter of this page.
"""

from collections import deque
from dataclasses import dataclass

from deltawire.core.book import Book
from deltawire.core.edge import PairRules, spread_rate_e8
from deltawire.core.money import BPS_E8, E8

LIVES_KEPT = 64  # the newest: what the market did an hour ago says little of what it does now
LIVES_MIN = 8  # of fewer edges nothing is concluded, and the entry does not wait
# Added to the venue's delay: the order's way there, the fill's way back and the other leg's way to its venue. Twice the
# 100 ms class of one round trip, so that a slow one is covered.
WAY_NS = 200_000_000
_MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class SlowClass:
    """A second class of a venue's orders: each is held there for delay_ms, and pays this taker fee."""

    name: str
    delay_ms: int
    fee_rate_taker_e8: int

    @property
    def wait_ns(self) -> int:
        """Return how long an edge must still last for an entry of this class to be complete."""
        return self.delay_ms * _MS_NS + WAY_NS


class Lifetimes:
    """How long the edges of one pair have lasted, as its books showed them. The newest LIVES_KEPT count.

    An edge that our own orders ended counts as any other: it looks shorter than it was, which speaks against waiting.
    """

    def __init__(self) -> None:
        self._lives_ns: deque[int] = deque(maxlen=LIVES_KEPT)
        self._buy_leg = -1
        self._since_ns = 0

    def seen(self, buy_leg: int, now_mono_ns: int) -> None:
        """Take what a change of the books showed: an edge buying on this leg, or none (-1)."""
        if buy_leg == self._buy_leg:
            return
        if self._buy_leg >= 0:
            self._lives_ns.append(max(now_mono_ns - self._since_ns, 0))
        self._buy_leg, self._since_ns = buy_leg, now_mono_ns

    def lost(self) -> None:
        """The books cannot be believed: of an edge that was there nobody knows how long it lasts."""
        self._buy_leg = -1

    def ends_within_e8(self, wait_ns: int, now_mono_ns: int) -> int | None:
        """Return the share of edges that, once as old as the present one, ended within wait_ns; 1e-8, never 0 nor 1.

        None where too few have lasted so long. One end and one survivor are added: so few cases prove no certainty.
        """
        age_ns = max(now_mono_ns - self._since_ns, 0) if self._buy_leg >= 0 else 0
        as_old = [life_ns for life_ns in self._lives_ns if life_ns >= age_ns]
        if len(as_old) < LIVES_MIN:
            return None
        ended = sum(life_ns <= age_ns + wait_ns for life_ns in as_old)
        return (ended + 1) * E8 // (len(as_old) + 2)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided for one entry, and from what. ends_e8 None: nothing is known; block: the class has no room."""

    is_slow: bool
    wait_ns: int
    ends_e8: int | None
    lost_e8: int
    gained_e8: int
    block: str = ""

    @property
    def why(self) -> str:
        """Say it in words, for journal and log. Not for the hot path."""
        if self.block:
            return self.block
        if self.ends_e8 is None:
            return f"fewer than {LIVES_MIN} edges were seen to last so long"
        percent = (self.ends_e8 * 100 + E8 // 2) // E8
        share = f"{percent}% of such edges end within {self.wait_ns // _MS_NS} ms"
        return f"{share}: {_bps(self.lost_e8)} bps lost by waiting, {_bps(self.gained_e8)} gained"


def choose(
    slow: SlowClass, *, edge_e8: int, gained_e8: int, unwind_e8: int, ends_e8: int | None, block: str = ""
) -> Choice:
    """Choose the slow class where the expected loss by waiting is less than what it gains.

    edge_e8: with the slow class's fee; it is lost if the edge ends, and unwind_e8, the cost of giving the first leg
    back, is paid. gained_e8: over what would be done else: the fee saved, or the whole edge where the usual fee leaves
    no entry. block: why the venue has no room for it.
    """
    lost_e8 = 0 if ends_e8 is None else -(-ends_e8 * (edge_e8 + unwind_e8) // E8)
    is_slow = not block and ends_e8 is not None and lost_e8 < gained_e8
    return Choice(is_slow, slow.wait_ns, ends_e8, lost_e8, gained_e8, block)


def unwind_e8(rules: PairRules, leg: int, book: Book) -> int:
    """Return what giving back a leg costs: its book's spread, the usual fee, and the slippage allowed."""
    spread_e8 = spread_rate_e8(book.bids[0][0], book.asks[0][0]) if book.two_sided else 0
    return spread_e8 + rules.legs[leg].fee_rate_taker_e8 + rules.slippage_e8


def _bps(rate_e8: int) -> str:
    """Write a rate in bps with two places, cut off."""
    hundredths = abs(rate_e8) * 100 // BPS_E8
    return f"{'-' if rate_e8 < 0 else ''}{hundredths // 100}.{hundredths % 100:02d}"
