"""Take-profit and stop-loss children, signed byte for byte in both readings of their nonce."""

import json
from pathlib import Path

import pytest

from deltawire.core.secret import Secret
from deltawire.venues.vest import children, rest, signing, wire
from deltawire.venues.vest.children import ChildNonce
from deltawire.venues.vest.signing import Signer

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vest" / "tpsl.json").read_text())
READINGS = {ChildNonce.SAME: "same_nonce", ChildNonce.NEXT: "next_nonce"}


def fields(order):
    return rest.read_body(json.dumps(order).encode(), wire.OrderFields)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in VECTORS])
def test_children_are_made_and_signed_byte_for_byte(v, reading):
    signer, parent = Signer(Secret(v["signing_private_key"])), fields(v["parent"])
    want = v["variants"][READINGS[reading]]
    assert signer.address == v["signer_address"]
    assert signer.sign(rest.signed_order_bytes(parent)) == v["parent_signature"]
    made = children.with_children(parent, signer, reading, tp_price=v["tpPrice"] or "", sl_price=v["slPrice"] or "")
    assert (made.tp_price, made.sl_price) == (v["tpPrice"], v["slPrice"])
    assert (made.tp_signature, made.sl_signature) == (want["tpSignature"], want["slSignature"])
    # Children stand outside what the parent's signature covers.
    assert rest.signed_order_bytes(made) == rest.signed_order_bytes(parent)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in VECTORS])
def test_the_other_side_finds_the_children_and_who_signed_them(v, reading):
    want = v["variants"][READINGS[reading]]
    sent = fields(
        v["parent"]
        | {"tpPrice": v["tpPrice"], "tpSignature": want["tpSignature"]}
        | {"slPrice": v["slPrice"], "slSignature": want["slSignature"]}
    )
    found = children.children_of(sent, reading)
    assert [order for order, _ in found] == [fields(want["tp_input"]), fields(want["sl_input"])]
    assert [children.signer_of(order, signature) for order, signature in found] == [v["signer_address"]] * 2
    other = ChildNonce.NEXT if reading is ChildNonce.SAME else ChildNonce.SAME
    assert v["signer_address"] not in {children.signer_of(o, s) for o, s in children.children_of(sent, other)}


def test_a_parent_without_children_has_none():
    parent = fields(VECTORS[0]["parent"])
    assert children.children_of(parent, ChildNonce.SAME) == []
    alone = children.with_children(parent, Signer(Secret("0x" + "11" * 32)), ChildNonce.SAME, sl_price="1.00")
    assert [order.order_type for order, _ in children.children_of(alone, ChildNonce.SAME)] == [wire.STOP_LOSS]


def test_only_a_limit_order_has_children():
    market = fields(VECTORS[0]["parent"] | {"orderType": signing.MARKET})
    with pytest.raises(ValueError, match="LIMIT"):
        children.with_children(market, Signer(Secret("0x" + "11" * 32)), ChildNonce.SAME, tp_price="1.00")
