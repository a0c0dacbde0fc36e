"""Price-time matching book of one simulated Paradex market. Pure: knows nothing of accounts' money, clocks or sockets.

Two kinds of participants rest here: accounts' orders, and the recorded market (owner RECORDED_MARKET), which quotes a
few levels a side and re-quotes them on every tick. Every change of the book, and every trade, is one step of one
sequence that bbo, book, trades and fills share (Paradex reference, sections 8 and 10): a delta always has seq one above
the last, and a trade's seq is the book's after it.

RPI orders rest beside the book, seen and met by Retail takers only; they may stand across it. GUESS: a change of theirs
is a step of the same sequence in which nothing changes for everybody else, so that every feed's numbers stay whole.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from deltawire.core.book import Level
from deltawire.core.money import floor_to
from deltawire.core.types import Side

RECORDED_MARKET = 0  # the owner of quoted liquidity; account addresses are never 0


class Rank(IntEnum):
    """Who goes first at one price; arrival decides within a rank."""

    RETAIL = 0
    PRO = 1
    RPI = 2


class SelfTrade(Enum):
    """What happens when an incoming order meets one of its own account."""

    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


@dataclass(slots=True, eq=False)
class Resting:
    """Size waiting at a price. Owned and mutated by the book it rests in; arrival is set by the book."""

    order_id: str  # "" for the recorded market
    owner: int
    side: Side
    price_e8: int
    leaves_e8: int
    rank: Rank = Rank.PRO
    arrival: int = 0


@dataclass(frozen=True, slots=True)
class Trade:
    seq: int  # the book's sequence after this trade
    aggressor: Side
    price_e8: int
    size_e8: int
    maker_id: str
    maker_owner: int
    taker_id: str
    taker_owner: int
    is_rpi: bool = False  # the maker was an RPI order


@dataclass(frozen=True, slots=True)
class BookUpdate:
    """One step of the sequence: levels that changed (size 0: gone), and the trade that changed them, if one did."""

    symbol: str
    seq: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    best_changed: bool
    trade: Trade | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """An order on its way through the book. limit_e8, average_e8: the worst price of one trade, and of all together.

    average_e8 0: none. step_e8: a trade cut short by the average is a multiple of it.
    """

    order_id: str
    owner: int
    side: Side
    size_e8: int
    limit_e8: int
    self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER
    meets_rpi: bool = False
    average_e8: int = 0
    step_e8: int = 1


@dataclass(slots=True)
class Matched:
    """What an incoming order met. expired: own resting orders withdrawn by self-trade prevention."""

    left_e8: int
    trades: list[Trade] = field(default_factory=list)
    expired: list[Resting] = field(default_factory=list)
    taker_expired: bool = False


class _Ladder:
    """One side: queues by price. Keys ascend from the best price, so both sides read alike."""

    def __init__(self, side: Side) -> None:
        self._sign = -side.sign  # bids: highest price first
        self._keys: list[int] = []
        self._queues: dict[int, list[Resting]] = {}

    def add(self, resting: Resting) -> None:
        queue = self._queues.get(resting.price_e8)
        if queue is None:
            queue = self._queues[resting.price_e8] = []
            insort(self._keys, resting.price_e8 * self._sign)
        insort(queue, resting, key=lambda other: (other.rank, other.arrival))

    def remove(self, resting: Resting) -> None:
        queue = self._queues[resting.price_e8]
        queue.remove(resting)
        if not queue:
            del self._queues[resting.price_e8]
            del self._keys[bisect_left(self._keys, resting.price_e8 * self._sign)]

    def first(self) -> Resting | None:
        return self._queues[self._keys[0] * self._sign][0] if self._keys else None

    def crosses(self, price_e8: int, limit_e8: int) -> bool:
        """Say whether an opposite order with this limit may trade at the price."""
        return price_e8 * self._sign <= limit_e8 * self._sign

    def size_at(self, price_e8: int) -> int:
        return sum(resting.leaves_e8 for resting in self._queues.get(price_e8, ()))

    def levels(self, depth: int | None) -> list[Level]:
        prices = [key * self._sign for key in self._keys[:depth]]
        return [(price_e8, self.size_at(price_e8)) for price_e8 in prices]

    def orders_within(self, limit_e8: int) -> Iterable[Resting]:
        """Best first, everything an opposite order with this limit could trade with."""
        for key in list(self._keys):
            if key > limit_e8 * self._sign:
                return
            yield from list(self._queues[key * self._sign])


class MatchingBook:
    """One market's book. Each change is published at once, synchronously, before the call that made it returns."""

    def __init__(self, symbol: str, publish: Callable[[BookUpdate], None], seq: int = 0) -> None:
        self.symbol = symbol
        self.seq = seq
        self._publish = publish
        self._ladders = {side: _Ladder(side) for side in Side}
        self._rpi = {side: _Ladder(side) for side in Side}
        self._rpi_quoted: dict[Side, Resting] = {}  # what is left of the recorded market's
        self._orders: dict[str, Resting] = {}
        self._quoted: dict[Side, dict[int, int]] = {side: {} for side in Side}  # price -> size last quoted
        self._market: dict[Side, dict[int, Resting]] = {side: {} for side in Side}  # what is left of it
        self._arrivals = 0
        self._best: tuple[Level | None, Level | None] = (None, None)

    def best(self, side: Side, *, with_rpi: bool = False) -> Level | None:
        levels = self.levels(side, 1, with_rpi=with_rpi)
        return levels[0] if levels else None

    def levels(self, side: Side, depth: int | None = None, *, with_rpi: bool = False) -> list[Level]:
        """Return (price_e8, size_e8), best first; with_rpi: as Retail sees them."""
        shown = self._ladders[side].levels(depth)
        hidden = self._rpi[side].levels(depth) if with_rpi else []
        if not hidden:
            return shown
        merged = dict(shown)
        for price_e8, size_e8 in hidden:
            merged[price_e8] = merged.get(price_e8, 0) + size_e8
        return sorted(merged.items(), key=lambda level: -side.sign * level[0])[:depth]

    def would_trade(self, side: Side, limit_e8: int, *, meets_rpi: bool = False) -> bool:
        first = self._next_maker(side, meets_rpi=meets_rpi)
        return first is not None and self._ladders[side.opposite].crosses(first.price_e8, limit_e8)

    def _next_maker(self, taker_side: Side, *, meets_rpi: bool) -> Resting | None:
        """Return what an order of this side meets next: the better price, and RPI last at one price."""
        other = taker_side.opposite
        shown, hidden = self._ladders[other].first(), self._rpi[other].first() if meets_rpi else None
        if shown is None or hidden is None:
            return shown or hidden
        return hidden if (hidden.price_e8 - shown.price_e8) * other.sign > 0 else shown

    def meets_orders(self, side: Side, levels: Sequence[Level]) -> bool:
        """Say whether quoting these levels, best first, would trade with an account's order."""
        within = self._ladders[side.opposite].orders_within(levels[0][0]) if levels else ()
        return any(resting.owner != RECORDED_MARKET for resting in within)

    def match(self, taker: Incoming) -> Matched:
        """Trade the order against what rests, best price first and oldest first. The rest of it is the caller's."""
        ladder = self._ladders[taker.side.opposite]
        matched = Matched(taker.size_e8)
        while matched.left_e8 > 0:
            maker = self._next_maker(taker.side, meets_rpi=taker.meets_rpi)
            if maker is None or not ladder.crosses(maker.price_e8, taker.limit_e8):
                break
            if maker.owner == taker.owner:
                matched.taker_expired = taker.self_trade is not SelfTrade.EXPIRE_MAKER
                if taker.self_trade is not SelfTrade.EXPIRE_TAKER:
                    self.withdraw(maker.order_id)
                    matched.expired.append(maker)
                if matched.taker_expired:
                    break
                continue
            size_e8 = min(matched.left_e8, maker.leaves_e8, _within_average(taker, matched.trades, maker.price_e8))
            if size_e8 == 0:
                break
            trade = self._trade(maker, taker, size_e8)
            matched.left_e8 -= trade.size_e8
            matched.trades.append(trade)
        return matched

    def rest(self, resting: Resting) -> None:
        """Put an order behind those at its price. The caller has matched it first: it must not cross, unless RPI."""
        crosses = resting.rank is not Rank.RPI and self.would_trade(resting.side, resting.price_e8)
        assert not crosses, "a resting order may not cross the book"
        self._orders[resting.order_id] = resting
        self._add(resting)
        self._step(_touched(resting))

    def withdraw(self, order_id: str) -> Resting | None:
        """Take an account's order out of the book; None when it does not rest here."""
        resting = self._orders.pop(order_id, None)
        if resting is not None:
            self._ladder_of(resting).remove(resting)
            self._step(_touched(resting))
        return resting

    def requote_rpi(self, side: Side, level: Level | None) -> None:
        """Replace the recorded market's RPI quote of one side: one level, or none."""
        quoted = self._rpi_quoted.get(side)
        now = (quoted.price_e8, quoted.leaves_e8) if quoted else None
        if now == level:
            return
        if quoted is not None:
            self._drop_quote(quoted)
        if level is not None:
            resting = self._rpi_quoted[side] = Resting("", RECORDED_MARKET, side, *level, Rank.RPI)
            self._add(resting)
        self._step(set())

    def requote(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[Trade]:
        """Replace the recorded market's levels (best first, not crossing each other), as one step.

        A level quoted again with the same size is no tick at that level: what was taken from it stays taken. Where a
        new level crosses an account's resting order, the recorded market is the aggressor and trades at the resting
        price first.
        """
        trades: list[Trade] = []
        left_e8: dict[tuple[Side, int], int] = {}
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            for price_e8, size_e8 in levels:
                if self._quoted[side].get(price_e8) != size_e8:
                    matched = self._sweep(side, price_e8, size_e8)
                    left_e8[side, price_e8] = matched.left_e8
                    trades += matched.trades
        touched = self._replace_quotes(Side.BUY, bids, left_e8) | self._replace_quotes(Side.SELL, asks, left_e8)
        if touched:
            self._step(touched)
        return trades

    def _sweep(self, side: Side, price_e8: int, size_e8: int) -> Matched:
        """Trade a new quote with the account orders it crosses."""
        within = list(self._ladders[side.opposite].orders_within(price_e8))
        if all(resting.owner == RECORDED_MARKET for resting in within):
            return Matched(size_e8)
        # Its own old quotes in the way are gone by now at the venue that was recorded.
        stale = [resting for resting in within if resting.owner == RECORDED_MARKET]
        for resting in stale:
            self._drop_quote(resting)
        if stale:
            self._step({(resting.side, resting.price_e8) for resting in stale})
        return self.match(Incoming("", RECORDED_MARKET, side, size_e8, price_e8))

    def _replace_quotes(
        self, side: Side, levels: Sequence[Level], left_e8: dict[tuple[Side, int], int]
    ) -> set[tuple[Side, int]]:
        quoted, market = self._quoted[side], self._market[side]
        now = dict(levels)
        touched: set[tuple[Side, int]] = set()
        for price_e8 in [price_e8 for price_e8, size_e8 in quoted.items() if now.get(price_e8) != size_e8]:
            del quoted[price_e8]
            if price_e8 in market and price_e8 not in now:
                self._drop_quote(market[price_e8])
                touched.add((side, price_e8))
        for price_e8, size_e8 in levels:
            if price_e8 not in quoted:
                quoted[price_e8] = size_e8
                touched |= self._set_quote(side, price_e8, left_e8[side, price_e8])
        return touched

    def _set_quote(self, side: Side, price_e8: int, leaves_e8: int) -> set[tuple[Side, int]]:
        resting = self._market[side].get(price_e8)
        if resting is not None and resting.leaves_e8 == leaves_e8:
            return set()
        if resting is None and leaves_e8 == 0:
            return set()
        if leaves_e8 == 0 and resting is not None:
            self._drop_quote(resting)
        elif resting is not None:
            resting.leaves_e8 = leaves_e8  # it keeps its place in the queue
        else:
            resting = Resting("", RECORDED_MARKET, side, price_e8, leaves_e8)
            self._market[side][price_e8] = resting
            self._add(resting)
        return {(side, price_e8)}

    def _drop_quote(self, resting: Resting) -> None:
        if resting.rank is Rank.RPI:
            del self._rpi_quoted[resting.side]
        else:
            del self._market[resting.side][resting.price_e8]
        self._ladder_of(resting).remove(resting)

    def _ladder_of(self, resting: Resting) -> _Ladder:
        return (self._rpi if resting.rank is Rank.RPI else self._ladders)[resting.side]

    def _add(self, resting: Resting) -> None:
        self._arrivals += 1
        resting.arrival = self._arrivals
        self._ladder_of(resting).add(resting)

    def _trade(self, maker: Resting, taker: Incoming, size_e8: int) -> Trade:
        maker.leaves_e8 -= size_e8
        if maker.leaves_e8 == 0:
            if maker.owner == RECORDED_MARKET:
                self._drop_quote(maker)
            else:
                del self._orders[maker.order_id]
                self._ladder_of(maker).remove(maker)
        trade = Trade(
            self.seq + 1,
            taker.side,
            maker.price_e8,
            size_e8,
            maker.order_id,
            maker.owner,
            taker.order_id,
            taker.owner,
            maker.rank is Rank.RPI,
        )
        self._step(_touched(maker), trade)
        return trade

    def _step(self, touched: set[tuple[Side, int]], trade: Trade | None = None) -> None:
        self.seq += 1
        changed = sorted((side, price_e8, self._ladders[side].size_at(price_e8)) for side, price_e8 in touched)
        best = (self.best(Side.BUY), self.best(Side.SELL))
        best_changed, self._best = best != self._best, best
        bids = tuple((price_e8, size_e8) for side, price_e8, size_e8 in reversed(changed) if side is Side.BUY)
        asks = tuple((price_e8, size_e8) for side, price_e8, size_e8 in changed if side is Side.SELL)
        self._publish(BookUpdate(self.symbol, self.seq, bids, asks, best_changed, trade))


def _within_average(taker: Incoming, trades: Sequence[Trade], price_e8: int) -> int:
    """Return how much it may trade at the price before the average of all its trades is worse than it may be."""
    worse_e8 = (price_e8 - taker.average_e8) * taker.side.sign if taker.average_e8 else 0
    if worse_e8 <= 0:
        return taker.size_e8
    spare = sum((taker.average_e8 - trade.price_e8) * taker.side.sign * trade.size_e8 for trade in trades)
    return max(0, floor_to(spare // worse_e8, taker.step_e8))


def _touched(resting: Resting) -> set[tuple[Side, int]]:
    """Return the level everybody sees that a change of this order changes: none for RPI."""
    return set() if resting.rank is Rank.RPI else {(resting.side, resting.price_e8)}
