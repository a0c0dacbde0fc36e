"""Decimals as Vest wants them: as many places as the market has, zero-padded, no exponent, no dot at zero places.

Rounding is never done here in passing: an amount that does not fit is a ValueError (the venue would answer 1111). The
three roundings are separate calls. Source: Vest API v2 notes section 3. Vectors: tests/vectors/vest/formatting.json.
"""

import re

from deltawire.core.money import ceil_to, floor_to, format_e8, parse_e8

DECIMALS_MAX = 8  # our money scale; the venue's markets have up to 6
_BELOW_E8 = re.compile(r"(\.[0-9]{8})[0-9]+$")
_STEPS_E8 = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]


def step_e8(decimals: int) -> int:
    """Return the smallest step of a market with this many decimals, in 1e-8 units."""
    if not 0 <= decimals <= DECIMALS_MAX:
        raise ValueError(f"{decimals} decimals, want 0 to {DECIMALS_MAX}")
    return _STEPS_E8[decimals]


def decimals_of(step: int) -> int:
    """Return the decimals of a step made by step_e8."""
    decimals = DECIMALS_MAX - (len(str(step)) - 1)
    if step_e8(decimals) != step:
        raise ValueError(f"{step}e-8 is not a decimal step")
    return decimals


def exact(value_e8: int, decimals: int) -> str:
    """Write with exactly this many places. Raises ValueError when digits would be lost or the value is negative."""
    if value_e8 < 0:
        raise ValueError(f"negative amount {value_e8}e-8")
    return format_e8(value_e8, decimals)


def cut_e8(text: str) -> int:
    """Read an average, a fee or a rate. Digits below 1e-8 are cut: the venue may divide; losing it would be worse."""
    return parse_e8(_BELOW_E8.sub(r"\1", text))


def floor(value_e8: int, decimals: int) -> int:
    """Round down: a buy limit, a size."""
    return floor_to(value_e8, step_e8(decimals))


def ceil(value_e8: int, decimals: int) -> int:
    """Round up: a sell limit."""
    return ceil_to(value_e8, step_e8(decimals))
