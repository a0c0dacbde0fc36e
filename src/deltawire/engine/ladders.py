"""Orders signed ahead for one pair: for an entry in each direction, and for the exit of each open trade.

Made by the presigner off the hot path, taken here on it. A ladder is used once: of each leg one order leaves, and the
others never do. Nothing here signs, writes or waits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deltawire.core.edge import PairRules
from deltawire.core.ladder import Aim, Touch, is_worth_it, tightest
from deltawire.core.trade import Place, Trade
from deltawire.core.types import Purpose, Side, TradeId
from deltawire.venues.contract import PreparedOrder, Venue


@dataclass(slots=True, eq=False)
class Ladder:
    """Signed and journalled orders that may leave. orders and caps_e8: by leg, tightest cap first."""

    purpose: Purpose
    trade_id: TradeId
    aim: Aim
    signed_at: Touch  # the prices it was made from
    orders: tuple[Sequence[PreparedOrder], Sequence[PreparedOrder]]
    caps_e8: tuple[Sequence[int], Sequence[int]]
    renew_at_mono_ns: int
    usable_until_mono_ns: int  # enough of the receive windows is left for the way to the venue


class Ladders:
    """The ladders of one pair. `served` and `missed` count triggers, the latter by what was wrong."""

    def __init__(self, rules: PairRules, venues: tuple[Venue, Venue]) -> None:
        self._rules, self._venues = rules, venues
        self.entries: list[Ladder | None] = [None, None]  # by the leg bought
        self.exits: dict[TradeId, Ladder] = {}
        self.served = 0
        self.missed: Counter[str] = Counter()
        self.last_miss = ""  # why the last trigger was not served; "" when it was

    def take_entry(
        self, buy_leg: int, places: Sequence[Place], now_mono_ns: int
    ) -> tuple[TradeId, list[PreparedOrder]] | None:
        """Return the orders for an entry with the id its trade must have, or None where none fit."""
        ladder = self.entries[buy_leg]
        taken = self._take(ladder, places, now_mono_ns)
        if taken is None or ladder is None:
            return None
        self.entries[buy_leg] = None
        return ladder.trade_id, taken

    def take_exit(self, trade: Trade, places: Sequence[Place], now_mono_ns: int) -> list[PreparedOrder] | None:
        """Return the orders for the calm close of a trade, or None where none fit."""
        return self._take(self.exits.pop(trade.trade_id, None), places, now_mono_ns)

    def forget(self, trade_id: TradeId) -> None:
        """A trade is over: nothing of it is to be closed any more."""
        self.exits.pop(trade_id, None)

    def _take(self, ladder: Ladder | None, places: Sequence[Place], now_mono_ns: int) -> list[PreparedOrder] | None:
        orders = "no ladder" if ladder is None else self._fitting(ladder, places, now_mono_ns)
        if isinstance(orders, str):
            self.missed[orders] += 1
            self.last_miss = orders
            return None
        self.served += 1
        self.last_miss = ""
        return orders

    def _fitting(self, ladder: Ladder, places: Sequence[Place], now_mono_ns: int) -> list[PreparedOrder] | str:
        """Return an order for each place, or what is wrong with the ladder."""
        if now_mono_ns > ladder.usable_until_mono_ns:
            return "too old"
        found: list[PreparedOrder] = []
        caps_e8 = [0, 0]
        for place in places:
            leg = place.leg
            if place.size_e8 != ladder.aim.sizes_e8[leg]:
                return "other size"
            at = tightest(ladder.caps_e8[leg], place.side, place.price_e8)
            if at is None:
                return "out of reach"
            order = ladder.orders[leg][at]
            if not self._venues[leg].is_fresh(order):
                return "no longer fresh"
            caps_e8[leg] = ladder.caps_e8[leg][at]
            found.append(order)
        if not self._allowed(ladder.aim, places, caps_e8):
            return "too loose"
        return found

    def _allowed(self, aim: Aim, places: Sequence[Place], caps_e8: Sequence[int]) -> bool:
        if len(places) == 2:
            return is_worth_it(self._rules, aim, caps_e8[aim.buy_leg], caps_e8[1 - aim.buy_leg])
        # One leg alone: against its own price, seen from the other side of which the trade was found worth it.
        place = places[0]
        buy_e8, sell_e8 = caps_e8[place.leg], place.price_e8
        if place.side is Side.SELL:
            buy_e8, sell_e8 = sell_e8, buy_e8
        alone = Aim(aim.buy_leg, 0, aim.sizes_e8)
        return is_worth_it(self._rules, alone, buy_e8, sell_e8)
