"""What the simulated Vest checks in an order's fields before anything is kept. Pure; raises Refusal with the code.

Source: Vest API v2 notes, sections 3, 5, 7 and 9.
"""

import re
from collections.abc import Callable, Iterable

from deltawire.core.money import parse_e8
from deltawire.sim import vest_refusal as no
from deltawire.sim.vest_refusal import Refusal
from deltawire.venues.vest import children, signing, wire
from deltawire.venues.vest.children import ChildNonce

GTC, FOK, IOC = "GTC", "FOK", "IOC"
_UINT256_MAX = 2**256 - 1


def check_window(time_ms: int, recv_window_ms: int, now_ms: int, recv_window_max_ms: int) -> None:
    """Refuse a request that came too late (1132). Times in the future pass: no limit is known."""
    if not 0 < recv_window_ms <= recv_window_max_ms:
        raise Refusal(no.BAD_RECV_WINDOW)
    if not 0 <= time_ms <= _UINT256_MAX:
        raise Refusal(no.INVALID_PARAMETER, "time is not a uint256")
    if now_ms > time_ms + recv_window_ms:
        raise Refusal(no.ORDER_EXPIRED)


def check_nonce(nonce: int) -> None:
    if not 0 <= nonce <= _UINT256_MAX:
        raise Refusal(no.INVALID_NONCE)


def check_kind(fields: wire.OrderFields, *, accepts_ioc: bool) -> None:
    """Refuse what is no MARKET or LIMIT order, or has a timeInForce the venue does not take ("IOC" is undocumented)."""
    if fields.order_type not in {signing.MARKET, signing.LIMIT}:
        raise Refusal(no.INVALID_ORDER_TYPE)
    allowed = {GTC, FOK, IOC} if accepts_ioc else {GTC, FOK}
    if fields.time_in_force and (fields.order_type != signing.LIMIT or fields.time_in_force not in allowed):
        raise Refusal(no.INVALID_TIME_IN_FORCE)
    if (fields.tp_price or fields.sl_price) and fields.order_type != signing.LIMIT:
        raise Refusal(no.INVALID_TP_SL_PRICE, "take-profit and stop-loss belong to a LIMIT order")


def checked_children(
    fields: wire.OrderFields,
    limit_price_e8: int,
    price_decimals: int,
    *,
    readings: Iterable[ChildNonce],
    may_sign: Callable[[str], bool],
) -> list[wire.OrderFields]:
    """Return the children an order carries, in the reading of their nonce in which all of them are signed well."""
    carried = children.children_of(fields, ChildNonce.SAME)
    for child, _ in carried:
        price_e8 = exact_e8(child.limit_price, price_decimals)
        gains = child.order_type == wire.TAKE_PROFIT
        if price_e8 == limit_price_e8 or (price_e8 > limit_price_e8) != (gains == fields.is_buy):
            raise Refusal(no.INVALID_TP_SL_PRICE)
    if not carried:
        return []
    readings = tuple(readings)
    if not readings:
        raise Refusal(no.INVALID_TP_SL_PRICE, "take-profit and stop-loss are not taken here")
    for reading in readings:
        found = children.children_of(fields, reading)
        if all(may_sign((children.signer_of(child, signature) or "").lower()) for child, signature in found):
            return [child for child, _ in found]
    raise Refusal(no.INVALID_SIGNATURE)


def exact_e8(text: str, decimals: int) -> int:
    """Read a decimal with exactly this many places, or refuse with 1111."""
    pattern = rf"(0|[1-9][0-9]{{0,12}})\.[0-9]{{{decimals}}}" if decimals else r"0|[1-9][0-9]{0,12}"
    if re.fullmatch(pattern, text, re.ASCII) is None:
        raise Refusal(no.BAD_DECIMALS)
    return parse_e8(text)
