"""Take-profit and stop-loss children of a LIMIT order: their fields and signatures, for both sides of the wire. Pure.

The adapter sends none: both legs of a pair are closed together, and a child that fires alone would leave one leg open.
It is here so that the simulator judges them, and so that they are no surprise. There are two readings of their nonce
(same as the parent's: the documents as written; parent + 1 and + 2: one wrapper), and which is right is not known.
Source: Vest API v2 notes, section 5. Vectors: tests/vectors/vest/tpsl.json.
"""

from enum import Enum

from msgspec import UNSET, structs

from deltawire.venues.vest import rest, signing, wire
from deltawire.venues.vest.signing import Signer


class ChildNonce(Enum):
    SAME = "same"
    NEXT = "next"


def child(parent: wire.OrderFields, order_type: str, price: str, reading: ChildNonce) -> wire.OrderFields:
    """Return the order a child's signature covers: the parent's size and time, its opposite side, reduce-only."""
    steps = {wire.TAKE_PROFIT: 1, wire.STOP_LOSS: 2}[order_type] if reading is ChildNonce.NEXT else 0
    return wire.OrderFields(
        time=parent.time,
        nonce=parent.nonce + steps,
        order_type=order_type,
        symbol=parent.symbol,
        is_buy=not parent.is_buy,
        size=parent.size,
        limit_price=price,
        reduce_only=True,
    )


def with_children(
    parent: wire.OrderFields, signer: Signer, reading: ChildNonce, *, tp_price: str = "", sl_price: str = ""
) -> wire.OrderFields:
    """Return the parent with the children asked for. Raises ValueError unless it is a LIMIT order."""
    if parent.order_type != signing.LIMIT:
        raise ValueError(f"children belong to a LIMIT order, not to {parent.order_type}")
    found = structs.replace(parent)
    if tp_price:
        found.tp_price = tp_price
        found.tp_signature = _sign(child(parent, wire.TAKE_PROFIT, tp_price, reading), signer)
    if sl_price:
        found.sl_price = sl_price
        found.sl_signature = _sign(child(parent, wire.STOP_LOSS, sl_price, reading), signer)
    return found


def children_of(parent: wire.OrderFields, reading: ChildNonce) -> list[tuple[wire.OrderFields, str]]:
    """Return the children a parent carries, each with its signature as sent; "" where there is none."""
    carried = (
        (wire.TAKE_PROFIT, parent.tp_price, parent.tp_signature),
        (wire.STOP_LOSS, parent.sl_price, parent.sl_signature),
    )
    return [
        (child(parent, kind, price, reading), "" if signature is UNSET else signature)
        for kind, price, signature in carried
        if price is not UNSET and price
    ]


def signer_of(order: wire.OrderFields, signature: str) -> str | None:
    """Return who signed an order or a child, None when the text is no signature."""
    return signing.recover(signing.personal_digest(rest.signed_order_bytes(order)), signature)


def _sign(order: wire.OrderFields, signer: Signer) -> str:
    return signer.sign(rest.signed_order_bytes(order))
