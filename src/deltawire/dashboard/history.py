"""The last while of each pair's books and spreads, for the charts: in memory, bounded; floats, being for the eye."""

from collections import deque
from collections.abc import Mapping
from typing import Any

POINTS_MAX = 14_400  # of all pairs together, and at least POINTS_PAIR_MIN each: one pair has its last hour
POINTS_PAIR_MIN = 600
POINTS_SENT_MAX = 1_500  # more than a screen has columns for

# t: s since 1970. premium_low: bps earned by buying the first leg and selling the second; premium_high: what the
# reverse costs. Both before fees; the band between them is where neither pays.
COLUMNS = ("t", "a_bid", "a_ask", "b_bid", "b_ask", "premium_low", "premium_high", "delta_usd")
Point = tuple[float | None, ...]


class History:
    """Columns for each pair. A gap (the bot was away) is a point of None."""

    def __init__(self, points_max: int = POINTS_MAX) -> None:
        self._points_max = points_max
        self._pairs: dict[str, deque[Point]] = {}

    def add(self, status: Mapping[str, Any], unix_s: float) -> None:
        """Take the pairs of one status answer."""
        pairs = status.get("pairs") or []
        room = max(POINTS_PAIR_MIN, self._points_max // max(1, len(pairs)))
        self._pairs = {
            pair["id"]: _resized(self._pairs.get(pair["id"]), room) for pair in pairs
        }  # pairs no longer configured are forgotten
        for pair in pairs:
            self._pairs[pair["id"]].append(point_of(pair, unix_s))

    def gap(self, unix_s: float) -> None:
        """Nothing is known of this moment."""
        for points in self._pairs.values():
            if points and points[-1][1:] != _GAP:
                points.append((unix_s, *_GAP))

    def columns(self, pair_id: str) -> dict[str, list[float | None]]:
        """Return the pair's points by column, thinned to what a screen can show; empty for an unknown pair."""
        points = list(self._pairs.get(pair_id, ()))
        step = -(-len(points) // POINTS_SENT_MAX) or 1
        kept = points[::-1][::step][::-1]  # the newest is always among them
        return {name: [point[at] for point in kept] for at, name in enumerate(COLUMNS)}


_GAP: Point = (None,) * (len(COLUMNS) - 1)


def point_of(pair: Mapping[str, Any], unix_s: float) -> Point:
    """Return one pair of a status answer as a point."""
    tops: list[float | None] = []
    for book in list(pair.get("books", {}).values())[:2]:
        tops += [_price(book.get(side)) if book.get("valid") else None for side in ("bid", "ask")]
    tops += [None] * (4 - len(tops))
    spreads = pair.get("spread_bps", {})
    low, reverse = _number(spreads.get("buy_a")), _number(spreads.get("buy_b"))
    return (unix_s, *tops, low, None if reverse is None else -reverse, _number(pair.get("delta_usd")))


def _resized(points: deque[Point] | None, room: int) -> deque[Point]:
    return points if points is not None and points.maxlen == room else deque(points or (), maxlen=room)


def _number(figure: object) -> float | None:
    """Read what JSON had; what is no number is no point."""
    try:
        return float(figure)  # type: ignore[arg-type]  # that is the question
    except (TypeError, ValueError):
        return None


def _price(figure: object) -> float | None:
    return _number(figure) or None  # an empty side is told as price 0
