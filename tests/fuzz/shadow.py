"""Second book-keepers, one dictionary a side, written from the venues' rules; slow and plain. They judge the feeds."""

from typing import Any

Levels = dict[int, int]


class _Shadow:
    def __init__(self) -> None:
        self.valid = False
        self.bids: Levels = {}
        self.asks: Levels = {}

    def sorted_bids(self) -> list[tuple[int, int]]:
        return sorted(self.bids.items(), reverse=True)

    def sorted_asks(self) -> list[tuple[int, int]]:
        return sorted(self.asks.items())

    def _crossed(self) -> bool:
        return bool(self.bids and self.asks and max(self.bids) >= min(self.asks))

    def _forget(self) -> None:
        self.valid = False
        self.bids, self.asks = {}, {}


class ParadexShadow(_Shadow):
    """A snapshot, then deltas each one above the last. A newer best bid and offer lies over the book meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = -1
        self.top: dict[str, Any] | None = None

    def unreadable(self) -> None:
        """Forget all, if anything is there that the lost frame could have changed."""
        if self.seq >= 0:
            self._start_again()

    def on_bbo(self, bbo: dict[str, Any]) -> None:
        if self.top is not None and bbo["seq"] <= self.top["seq"]:
            return
        self.top = bbo
        if self.seq >= 0 and bbo["seq"] > self.seq:
            self._lay_top()
            self._judge()

    def on_book(self, book: dict[str, Any]) -> None:
        ahead = self.top is not None and self.top["seq"] > book["seq"]
        if book["seq"] < 0:
            self.unreadable()
        elif book["snapshot"]:
            self.seq, self.valid = book["seq"], True
            twice = any(
                len({p for p, s in side if s}) < sum(s > 0 for _, s in side) for side in (book["bids"], book["asks"])
            )
            self.bids = {p: s for p, s in book["bids"] if s}
            self.asks = {p: s for p, s in book["asks"] if s}
            if twice or self._crossed():
                self._start_again()
                return
            if ahead:
                self._lay_top()
        else:
            if self.seq < 0 or book["seq"] <= self.seq:
                return
            if book["seq"] != self.seq + 1:
                self._start_again()
                return
            self.seq = book["seq"]
            for mine, news, sign, name in ((self.bids, book["bids"], 1, "bid"), (self.asks, book["asks"], -1, "ask")):
                best = self.top[name] if ahead and self.top is not None else None
                for price, size in news:
                    if ahead and (best is None or sign * price >= sign * best[0]):
                        continue  # what the newer top has replaced already
                    if size:
                        mine[price] = size
                    else:
                        mine.pop(price, None)
        self._judge()

    def _lay_top(self) -> None:
        assert self.top is not None
        for name, sign in (("bids", 1), ("asks", -1)):
            best = self.top[name[:3]]
            kept = {} if best is None else {p: s for p, s in getattr(self, name).items() if sign * p < sign * best[0]}
            setattr(self, name, kept if best is None else kept | {best[0]: best[1]})

    def _judge(self) -> None:
        if self._crossed():
            self._start_again()

    def _start_again(self) -> None:
        self.seq, self.top = -1, None
        self._forget()


class VestShadow(_Shadow):
    """Each picture is the whole book; a halted market has none."""

    def __init__(self) -> None:
        super().__init__()
        self._halted = False

    def unreadable(self) -> None:
        self._forget()

    def on_tickers(self, symbol: str, statuses: list[tuple[str, str]]) -> None:
        for of, status in statuses:
            if of == symbol:
                self._halted = status == "HALT"
                if self._halted:
                    self._forget()

    def on_picture(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        if self._halted:
            return
        twice = any(len({p for p, s in side if s}) < sum(s > 0 for _, s in side) for side in (bids, asks))
        self.bids, self.asks = {p: s for p, s in bids if s}, {p: s for p, s in asks if s}
        self.valid = not twice and not self._crossed()
        if not self.valid:
            self._forget()
