"""Candles of one market of the simulated Vest, from its index and its fills: klines and the 24 h ticker. Pure.

One candle a minute is kept; longer ones are put together when asked for. Months are left out: no run is that long.
Source: Vest API v2 notes, sections 6 and 8.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
_UNITS_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS, "w": 7 * DAY_MS}
INTERVALS_MS = {
    text: int(text[:-1]) * _UNITS_MS[text[-1]]
    for text in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
}
MINUTES_KEPT = DAY_MS // MINUTE_MS + 60  # a day for the 24 h ticker, and the one that is being left


@dataclass(slots=True)
class Candle:
    """open_ms: the first ms of its interval. Volumes in 1e-8 coins and 1e-8 USDC."""

    open_ms: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    volume_e8: int = 0
    quote_volume_e8: int = 0
    trades: int = 0


class Candles:
    def __init__(self) -> None:
        self._minutes: deque[Candle] = deque(maxlen=MINUTES_KEPT)  # oldest first; a minute without a tick has none

    def on_price(self, now_ms: int, price_e8: int) -> None:
        start_ms = now_ms - now_ms % MINUTE_MS
        last = self._minutes[-1] if self._minutes else None
        if last is None or last.open_ms < start_ms:
            self._minutes.append(Candle(start_ms, price_e8, price_e8, price_e8, price_e8))
            return
        last.high_e8, last.low_e8 = max(last.high_e8, price_e8), min(last.low_e8, price_e8)
        last.close_e8 = price_e8

    def on_fill(self, now_ms: int, size_e8: int, quote_e8: int) -> None:
        """Count a fill; a market that has had no price yet has none."""
        if not self._minutes:
            return
        if self._minutes[-1].open_ms + MINUTE_MS <= now_ms:
            self.on_price(now_ms, self._minutes[-1].close_e8)  # a quiet minute opens where the last one closed
        last = self._minutes[-1]
        last.volume_e8 += size_e8
        last.quote_volume_e8 += quote_e8
        last.trades += 1

    def rows(self, interval_ms: int, first_ms: int, last_ms: int, limit: int) -> list[Candle]:
        """Return the newest candles that open within the span, oldest first."""

        def start_of(minute: Candle) -> int:
            return minute.open_ms - minute.open_ms % interval_ms

        found = [_joined(start_ms, minutes) for start_ms, minutes in groupby(self._minutes, start_of)]
        return [candle for candle in found if first_ms <= candle.open_ms <= last_ms][-limit:]

    def current(self, interval_ms: int) -> Candle | None:
        """Return the candle that is being made, None before the first price."""
        if not self._minutes:
            return None
        start_ms = self._minutes[-1].open_ms - self._minutes[-1].open_ms % interval_ms
        return _joined(start_ms, self._since(start_ms))

    def day(self, now_ms: int) -> Candle | None:
        """Return the last 24 hours as one candle."""
        minutes = list(self._since(now_ms - DAY_MS))
        return _joined(minutes[0].open_ms, minutes) if minutes else None

    def _since(self, start_ms: int) -> Iterator[Candle]:
        return (minute for minute in self._minutes if minute.open_ms >= start_ms)


def _joined(start_ms: int, minutes: Iterable[Candle]) -> Candle:
    first, *later = minutes
    whole = Candle(start_ms, first.open_e8, first.high_e8, first.low_e8, first.close_e8)
    for minute in (first, *later):
        whole.high_e8, whole.low_e8 = max(whole.high_e8, minute.high_e8), min(whole.low_e8, minute.low_e8)
        whole.close_e8 = minute.close_e8
        whole.volume_e8 += minute.volume_e8
        whole.quote_volume_e8 += minute.quote_volume_e8
        whole.trades += minute.trades
    return whole
