"""Exact money: prices, sizes and amounts as integers scaled by 1e8. No floats, no Decimal, no rounding by accident.

A rate of 1e-8 is also 1e-4 of a basis point, so one scale serves fees, edges and bps: see BPS_E8.
"""

import re

E8 = 10**8
BPS_E8 = 10**4  # one basis point, in the 1e-8 scale of rates and edges

_POWERS: tuple[int, ...] = tuple(10**n for n in range(9))
_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?")


def parse_e8(text: str) -> int:
    """Read a plain decimal ("-12.5", no exponent) into 1e-8 units.

    Raises ValueError for anything else, and for digits below 1e-8 that are not zero: they would be lost.
    """
    whole, point, places = text.partition(".")
    # What venues send nearly always, at a third of the cost: a book that jumps has forty new prices.
    if whole.isdigit() and len(whole) <= 18 and text.isascii() and (places.isdigit() if point else True):
        missing = 8 - len(places)
        if missing >= 0:
            return int(whole + places) * _POWERS[missing]
    parts = _DECIMAL.fullmatch(text)
    if parts is None:
        raise ValueError(f"not a plain decimal: {text[:40]!r}")
    sign, whole, places = parts.groups(default="")
    if places[8:].strip("0"):
        raise ValueError(f"more than 8 decimal places: {text[:40]!r}")
    value_e8 = int(whole) * E8 + int(places[:8].ljust(8, "0"))
    return -value_e8 if sign else value_e8


def format_e8(value_e8: int, decimals: int | None = None) -> str:
    """Write 1e-8 units as a decimal: trimmed when decimals is None, else with exactly that many places.

    Raises ValueError when the value has digits below the places asked for.
    """
    sign = "-" if value_e8 < 0 else ""
    whole, places_e8 = divmod(abs(value_e8), E8)
    places = f"{places_e8:08d}"
    if decimals is None:
        places = places.rstrip("0")
    else:
        if places[decimals:].strip("0"):
            raise ValueError(f"{value_e8}e-8 does not fit {decimals} decimal places")
        places = places[:decimals].ljust(decimals, "0")
    return f"{sign}{whole}.{places}" if places else f"{sign}{whole}"


def floor_to(value_e8: int, step_e8: int) -> int:
    """Round down (towards minus infinity) to a multiple of the step: buy limits and sizes."""
    return value_e8 - value_e8 % step_e8


def ceil_to(value_e8: int, step_e8: int) -> int:
    """Round up (towards plus infinity) to a multiple of the step: sell limits."""
    return value_e8 + -value_e8 % step_e8


def notional_e8(price_e8: int, size_e8: int) -> int:
    """Return price times size in 1e-8 quote units, rounded half away from zero."""
    product = price_e8 * size_e8
    quotient = (abs(product) + E8 // 2) // E8
    return -quotient if product < 0 else quotient


def rate_of_e8(amount_e8: int, rate_e8: int) -> int:
    """Return amount times rate in 1e-8 units, rounded up in magnitude: a cost is never underestimated."""
    product = amount_e8 * rate_e8
    quotient = -(-abs(product) // E8)
    return -quotient if product < 0 else quotient
