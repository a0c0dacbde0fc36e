"""Every signature vector, byte for byte, and the side that verifies."""

import json
from pathlib import Path

import pytest

from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import rest, signing, wire
from deltawire.venues.vest.signing import Signer

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"


def vectors(name):
    found = json.loads((VECTORS / name).read_text())
    assert found
    return [pytest.param(v, id=v["id"]) for v in found]


def order_of(fields):
    return rest.read_body(json.dumps(fields).encode(), wire.OrderFields)


@pytest.mark.parametrize("v", vectors("orders.json"))
def test_an_order_is_signed_byte_for_byte(v):
    encoded = rest.signed_order_bytes(order_of(v["input"]))
    assert "0x" + encoded.hex() == v["abi_encoded"]
    assert "0x" + signing.keccak(encoded).hex() == v["args_hash"]
    assert "0x" + signing.personal_digest(encoded).hex() == v["eip191_digest"]
    signer = Signer(Secret(v["signing_private_key"]))
    assert signer.address == v["signer_address"]
    assert signer.sign(encoded) == v["signature"]
    assert signing.recover(signing.personal_digest(encoded), v["signature"]) == v["signer_address"]


@pytest.mark.parametrize("v", vectors("cancels.json"))
def test_a_cancel_is_signed_byte_for_byte(v):
    encoded = rest.signed_cancel_bytes(wire.CancelFields(**v["input"]))
    assert "0x" + encoded.hex() == v["abi_encoded"]
    assert "0x" + signing.keccak(encoded).hex() == v["args_hash"]
    assert "0x" + signing.personal_digest(encoded).hex() == v["eip191_digest"]
    assert Signer(Secret(v["signing_private_key"])).sign(encoded) == v["signature"]


@pytest.mark.parametrize("v", vectors("register.json"))
def test_a_registration_proof_is_signed_byte_for_byte(v):
    contract, address, expiry = v["verifying_contract"], v["signing_address"], v["expiry_ms"]
    assert "0x" + signing.domain_separator(contract).hex() == v["domain_separator"]
    assert "0x" + signing.proof_struct_hash(address, expiry).hex() == v["struct_hash"]
    assert "0x" + signing.proof_digest(contract, address, expiry).hex() == v["digest"]
    primary = Signer(Secret(v["primary_private_key"]))
    assert primary.address == v["primary_address"]
    assert primary.prove(contract, address, expiry) == v["signature"]
    assert Signer(Secret(v["signing_private_key"])).address == address
    request = rest.post_register(rest.Access(), primary, address, contract, expiry)
    assert json.loads(request.body) == v["body"]


@pytest.mark.parametrize("v", vectors("signature_checks.json"))
def test_the_verifying_side_tells_good_from_bad(v):
    body = json.dumps(v["body"]).encode()
    if v["kind"] == "order":
        encoded = rest.signed_order_bytes(rest.read_body(body, wire.OrderSubmit).order)
    else:
        encoded = rest.signed_cancel_bytes(rest.read_body(body, wire.CancelSubmit).order)
    signature = v["body"]["signature"]
    assert signing.is_signed_by(v["signer_address"], signing.personal_digest(encoded), signature) is v["valid"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "hello",
        "0x" + "zz" * 65,
        "0x" + "00" * 65,
        "0x" + "11" * 64 + "1d",
        "0x" + "ff" * 64 + "1b",
        "11" * 66,
    ],
)
def test_a_text_that_is_no_signature_recovers_nobody(text):
    assert signing.recover(bytes(32), text) is None


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "0x" + "00" * 32, "ff" * 32, "11" * 33])
def test_a_bad_private_key_is_refused_without_being_shown(text):
    with pytest.raises(ValueError) as caught:
        Signer(Secret(text))
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_new_signing_key_skips_draws_that_are_no_key():
    draws = iter([bytes(32), b"\xff" * 32, b"\x01" * 32])
    assert signing.new_signing_key(lambda n: next(draws)) == Secret("0x" + "01" * 32)


def test_a_signer_shows_its_address_and_not_its_key():
    key = "0x" + "01" * 32
    assert "01" * 8 not in repr(Signer(Secret(key)))
    assert Signer(Secret(key)).address in repr(Signer(Secret(key)))


def test_the_contract_address_must_be_an_address():
    with pytest.raises(ValueError, match="not an Ethereum address"):
        signing.domain_separator("0x1234")


def test_a_body_without_a_signature_is_a_decode_error_naming_the_field():
    with pytest.raises(DecodeError, match="signature"):
        rest.read_body(b'{"order":{"time":1,"nonce":1,"id":"0x1"}}', wire.CancelSubmit)
