"""Orders signed ahead for one pair: for an entry in each direction, and for the exit of each open trade.

Made by the presigner off the hot path, taken here on it. A ladder is used once: of each leg one order leaves, and the
others never do. Nothing here signs, writes or waits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from deltawire.core.edge import Opportunity, PairRules
from deltawire.core.ladder import Aim, Touch, is_worth_it, tightest
from deltawire.core.trade import Place, Trade
from deltawire.core.types import Purpose, Side, TradeId
from deltawire.engine.gateway import Outgoing
from deltawire.venues.contract import Venue

_BOTH = (0, 1)


@dataclass(slots=True, eq=False)
class Ladder:
    """Signed and journalled orders that may leave. orders and caps_e8: by leg, tightest cap first."""

    purpose: Purpose
    trade_id: TradeId
    aim: Aim
    signed_at: Touch  # the prices it was made from
    orders: tuple[Sequence[Outgoing], Sequence[Outgoing]]
    caps_e8: tuple[Sequence[int], Sequence[int]]
    renew_at_mono_ns: int
    usable_until_mono_ns: int  # enough of the receive windows is left for the way to the venue
    chosen: list[Outgoing] = field(default_factory=list)  # what a trigger takes of it
    # Set by `Ladders.clear`: the answers hold until then, and until any further news.
    cleared_until_mono_ns: int = 0
    cleared_at_news: int = -1
    pays: tuple[tuple[bool, ...], ...] = ()  # by rung bought, by rung sold: whether both together are worth it


class Ladders:
    """The ladders of one pair. `served` and `missed` count triggers, the latter by what was wrong."""

    def __init__(self, rules: PairRules, venues: tuple[Venue, Venue]) -> None:
        self._rules, self._venues = rules, venues
        self.entries: list[Ladder | None] = [None, None]  # by the leg bought
        self.exits: dict[TradeId, Ladder] = {}
        self.served = 0
        self.cleared = 0  # of those served, how many went the short way
        self.missed: Counter[str] = Counter()
        self.last_miss = ""  # why the last trigger was not served; "" when it was

    def take_entry(self, found: Opportunity, first_leg: int | None, now_mono_ns: int) -> Ladder | None:
        """Return the ladder for an entry with its choice made, or None where none fits. first_leg: that leg alone."""
        legs = _BOTH if first_leg is None else (first_leg,)
        sizes_e8 = (found.size_e8, found.size_e8)
        ladder = self._take(self.entries[found.buy_leg], legs, sizes_e8, _prices_e8(found), now_mono_ns)
        if ladder is not None:
            self.entries[found.buy_leg] = None
        return ladder

    def clear(self, ladder: Ladder, until_mono_ns: int, news: int) -> None:
        """Ask of a ladder ahead what no frame changes. news: the count of it; the answers hold until it grows."""
        ladder.cleared_at_news = -1
        aim = ladder.aim
        for venue, orders in zip(self._venues, ladder.orders, strict=True):
            for out in orders:
                if out.presigned is None or not venue.is_fresh(out.presigned):
                    return
        if not ladder.pays:
            buys_e8, sells_e8 = ladder.caps_e8[aim.buy_leg], ladder.caps_e8[1 - aim.buy_leg]
            ladder.pays = tuple(
                tuple(is_worth_it(self._rules, aim, buy_e8, sell_e8) for sell_e8 in sells_e8) for buy_e8 in buys_e8
            )
        ladder.cleared_until_mono_ns = min(until_mono_ns, ladder.usable_until_mono_ns)
        ladder.cleared_at_news = news

    def choose_cleared(self, ladder: Ladder, buy_e8: int, sell_e8: int) -> tuple[Outgoing, Outgoing] | None:
        """Return, by leg, the tightest orders of a cleared ladder that reach both prices; None where none do.

        The same choice as `take_entry` and `take_exit` make, in one step for the hot path.
        """
        buy_leg = ladder.aim.buy_leg
        bought = 0
        for cap_e8 in ladder.caps_e8[buy_leg]:
            if cap_e8 >= buy_e8:
                break
            bought += 1
        else:
            return None
        sold = 0
        for cap_e8 in ladder.caps_e8[1 - buy_leg]:
            if cap_e8 <= sell_e8:
                break
            sold += 1
        else:
            return None
        if not ladder.pays[bought][sold]:
            return None
        rungs = (sold, bought) if buy_leg else (bought, sold)
        one, other = ladder.orders[0][rungs[0]], ladder.orders[1][rungs[1]]
        assert one.presigned is not None
        assert other.presigned is not None
        # What was fresh at the clearing may not be any more: a cancel uses up a nonce, too.
        if not (self._venues[0].is_fresh(one.presigned) and self._venues[1].is_fresh(other.presigned)):
            return None
        return one, other

    def was_taken(self, ladder: Ladder) -> None:
        """Note that orders of a cleared ladder have left."""
        self.served += 1
        self.cleared += 1
        self.last_miss = ""
        if ladder.purpose is Purpose.ENTRY:
            self.entries[ladder.aim.buy_leg] = None
        else:
            self.exits.pop(ladder.trade_id, None)

    def take_exit(self, trade: Trade, places: Sequence[Place], now_mono_ns: int) -> Ladder | None:
        """Return the ladder for the calm close of a trade with its choice made, or None where none fits."""
        sizes_e8, prices_e8 = [0, 0], [0, 0]
        for place in places:
            sizes_e8[place.leg], prices_e8[place.leg] = place.size_e8, place.price_e8
        legs = [place.leg for place in places]
        return self._take(self.exits.pop(trade.trade_id, None), legs, sizes_e8, prices_e8, now_mono_ns)

    def forget(self, trade_id: TradeId) -> None:
        """A trade is over: nothing of it is to be closed any more."""
        self.exits.pop(trade_id, None)

    def _take(
        self,
        ladder: Ladder | None,
        legs: Sequence[int],
        sizes_e8: Sequence[int],
        prices_e8: Sequence[int],
        now_mono_ns: int,
    ) -> Ladder | None:
        wrong = "no ladder" if ladder is None else self._choose(ladder, legs, sizes_e8, prices_e8, now_mono_ns)
        self.last_miss = wrong
        if wrong:
            self.missed[wrong] += 1
            return None
        self.served += 1
        return ladder

    def _choose(
        self, ladder: Ladder, legs: Sequence[int], sizes_e8: Sequence[int], prices_e8: Sequence[int], now_mono_ns: int
    ) -> str:
        """Choose an order for each leg that reaches its price; return what is wrong with the ladder, "" for nothing."""
        if now_mono_ns > ladder.usable_until_mono_ns:
            return "too old"
        aim, chosen = ladder.aim, []
        caps_e8 = [*prices_e8]
        for leg in legs:
            if sizes_e8[leg] != aim.sizes_e8[leg]:
                return "other size"
            at = tightest(ladder.caps_e8[leg], Side.BUY if leg == aim.buy_leg else Side.SELL, prices_e8[leg])
            if at is None:
                return "out of reach"
            outgoing = ladder.orders[leg][at]
            assert outgoing.presigned is not None
            if not self._venues[leg].is_fresh(outgoing.presigned):
                return "no longer fresh"
            caps_e8[leg] = ladder.caps_e8[leg][at]
            chosen.append(outgoing)
        # Of one leg alone the other's price counts as it is seen.
        if not is_worth_it(self._rules, aim, caps_e8[aim.buy_leg], caps_e8[1 - aim.buy_leg]):
            return "too loose"
        ladder.chosen = chosen
        return ""


def _prices_e8(found: Opportunity) -> tuple[int, int]:
    """Return the worst price of each leg."""
    buy_e8, sell_e8 = found.buy_worst_e8, found.sell_worst_e8
    return (sell_e8, buy_e8) if found.buy_leg else (buy_e8, sell_e8)
