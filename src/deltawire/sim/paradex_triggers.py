"""Orders of the simulated Paradex that wait for the mark price: which kinds there are, and what lets them go. Pure.

A stop goes the way the price goes: to buy above its trigger, to sell below it; a take-profit the other way round.
Source: Paradex reference, sections 6.1 and 7.1. GUESS: the directions by type, which no text states.
"""

from deltawire.core.types import Side

LIMIT, MARKET = "LIMIT", "MARKET"
STOPS = frozenset(f"{kind}_{base}" for kind in ("STOP", "STOP_LOSS", "TAKE_PROFIT") for base in (LIMIT, MARKET))
KINDS = STOPS | {LIMIT, MARKET}


def is_market(kind: str) -> bool:
    """Say whether orders of this kind have no limit price, once they are let go."""
    return kind.endswith(MARKET)


def is_below(kind: str, side: Side) -> bool:
    """Say whether a fall of the mark to the trigger lets the order go; otherwise a rise does."""
    return (side is Side.SELL) != kind.startswith("TAKE_PROFIT")


def is_triggered(kind: str, side: Side, trigger_price_e8: int, mark_e8: int) -> bool:
    return mark_e8 <= trigger_price_e8 if is_below(kind, side) else mark_e8 >= trigger_price_e8
