"""Hashes and signatures against the golden vectors, and what must be refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import rest, signing
from deltawire.venues.paradex.signing import Signature, Signer

VECTORS = Path(__file__).parents[2] / "vectors" / "paradex"
PRIMITIVES = json.loads((VECTORS / "primitives.json").read_text())
ORDERS = json.loads((VECTORS / "orders.json").read_text())["vectors"]
AUTH = json.loads((VECTORS / "auth.json").read_text())["vectors"]

Vector = dict[str, Any]


def by_name(vectors: list[Vector]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def signer_of(vector: Vector) -> Signer:
    return Signer(Secret(vector["private_key"]), vector["account"], vector["chain_id"])


def struct_hash_of(vector: Vector) -> int:
    order, felts = vector["order"], [int(text) for text in vector["felts"]]
    modify_id = order["modify_id"]
    chain = signing.order_chain(
        order["timestamp_ms"], order["market"], Side[order["side"]], order["type"], modify=modify_id is not None
    )
    if modify_id is None:
        return signing.order_struct_hash(chain, felts[4], felts[5])
    return signing.modify_struct_hash(chain, felts[4], felts[5], modify_id)


def test_the_vector_files_are_whole():
    assert (len(ORDERS), len(AUTH), len(PRIMITIVES["pedersen"]), len(PRIMITIVES["ecdsa"])) == (52, 10, 19, 16)


def test_pedersen_hashes_equal_the_vectors():
    for case in PRIMITIVES["pedersen"]:
        assert signing.pedersen(int(case["a"], 16), int(case["b"], 16)) == int(case["hash"], 16), case


def test_hash_chains_equal_the_vectors():
    for case in PRIMITIVES["hash_chain"]:
        elements = [int(element, 16) for element in case["elements"]]
        assert signing.hash_chain(*elements) == int(case["hash"], 16), case


def test_keccaks_short_strings_and_domains_equal_the_vectors():
    for case in PRIMITIVES["starknet_keccak"]:
        assert signing.starknet_keccak(case["text"]) == int(case["hash"], 16), case
    for case in PRIMITIVES["short_string"]:
        assert signing.short_string(case["text"]) == int(case["felt"], 16), case
    for case in PRIMITIVES["domain_hash"]:
        assert signing.domain_hash(case["chain_id"]) == int(case["domain_hash"], 16), case


def test_curve_constants_equal_the_vectors():
    curve = PRIMITIVES["curve"]
    assert int(curve["p"], 16) == signing.FIELD_PRIME
    assert int(curve["order"], 16) == signing.CURVE_ORDER
    assert int(curve["beta"], 16) == signing.CURVE_BETA


@pytest.mark.parametrize("case", PRIMITIVES["ecdsa"], ids=lambda case: case["message_hash"][:10])
def test_signatures_of_either_nonce_verify_and_the_altered_one_does_not(case):
    public_key, message = int(case["public_key"], 16), int(case["message_hash"], 16)
    assert signing.public_key_of(int(case["private_key"], 16)) == public_key
    for form in ("seed32", "no_seed"):
        assert signing.verify(public_key, message, Signature(int(case[form]["r"]), int(case[form]["s"])))
    assert not signing.verify(public_key, message, Signature(int(case["seed32"]["r"]), int(case["invalid_s"])))
    own = signing.sign(int(case["private_key"], 16), message)
    assert signing.verify(public_key, message, own)
    assert signing.sign(int(case["private_key"], 16), message) == own


@by_name(ORDERS)
def test_every_order_hash_equals_the_vector_and_both_signatures_verify(vector):
    signer = signer_of(vector)
    assert signer.public_key_hex == vector["public_key"]
    struct_hash = struct_hash_of(vector)
    assert hex(struct_hash) == vector["struct_hash"]
    message = signing.message_hash(vector["chain_id"], signer.account, struct_hash)
    assert hex(message) == vector["message_hash"]
    theirs = signing.decode_signature(vector["signature"])
    assert theirs == (int(vector["r"]), int(vector["s"]))
    assert signing.encode_signature(theirs) == vector["signature"]
    assert signing.verify(signer.public_key, message, theirs)
    assert signing.verify(signer.public_key, message, signing.decode_signature(signer.sign_struct(struct_hash)))


@by_name([vector for vector in ORDERS[:38:7] if vector["order"]["modify_id"] is None])
def test_whole_and_split_signing_give_the_same_signature(vector):
    signer, order = signer_of(vector), vector["order"]
    terms = order["timestamp_ms"], order["market"], Side[order["side"]], order["type"]
    size_e8, price_e8 = (int(text) for text in vector["felts"][4:6])
    whole = signer.sign_order(*terms, size_e8, price_e8)
    assert signer.finish_order(signing.order_chain(*terms), size_e8, price_e8) == whole
    assert signing.verify(signer.public_key, int(vector["message_hash"], 16), signing.decode_signature(whole))


def test_a_modify_is_signed_over_its_own_type():
    vector = next(vector for vector in ORDERS if vector["order"]["modify_id"] is not None)
    signer, order = signer_of(vector), vector["order"]
    size_e8, price_e8 = (int(text) for text in vector["felts"][4:6])
    text = signer.sign_modify(
        order["timestamp_ms"],
        order["market"],
        Side[order["side"]],
        order["type"],
        size_e8,
        price_e8,
        order["modify_id"],
    )
    assert signing.verify(signer.public_key, int(vector["message_hash"], 16), signing.decode_signature(text))


@by_name([vector for vector in AUTH if vector["kind"] == "auth"])
def test_every_auth_request_equals_the_vector_up_to_its_nonce(vector):
    signer = signer_of(vector)
    struct_hash = signing.auth_struct_hash(vector["timestamp_s"], vector["expiration_s"])
    assert hex(struct_hash) == vector["struct_hash"]
    message = signing.message_hash(vector["chain_id"], signer.account, struct_hash)
    assert hex(message) == vector["message_hash"]
    assert signing.verify(signer.public_key, message, signing.decode_signature(vector["signature"]))
    request = rest.auth(signer, vector["timestamp_s"], vector["expiration_s"])
    expected = dict(vector["request"]["headers"])
    headers = dict(request.headers)
    own = headers.pop("PARADEX-STARKNET-SIGNATURE")
    expected.pop("PARADEX-STARKNET-SIGNATURE")
    assert (request.method, "/v1" + request.path, headers) == ("POST", vector["request"]["path"], expected)
    assert signing.verify(signer.public_key, message, signing.decode_signature(own))


@by_name([vector for vector in AUTH if vector["kind"] == "onboarding"])
def test_every_onboarding_hash_equals_the_vector(vector):
    assert hex(signing.onboarding_struct_hash()) == vector["struct_hash"]
    message = signing.message_hash(vector["chain_id"], int(vector["account"], 16), signing.onboarding_struct_hash())
    assert hex(message) == vector["message_hash"]
    signature = signing.decode_signature(vector["signature"])
    assert signing.verify(int(vector["public_key"], 16), message, signature)


def test_another_price_account_or_chain_does_not_verify():
    vector = ORDERS[0]
    signer, order = signer_of(vector), vector["order"]
    signature = signing.decode_signature(vector["signature"])
    chain = signing.order_chain(order["timestamp_ms"], order["market"], Side.BUY, order["type"])
    size_e8, price_e8 = (int(text) for text in vector["felts"][4:6])
    good, other = (signing.order_struct_hash(chain, size_e8, price) for price in (price_e8, price_e8 + 1))
    for chain_id, account, struct_hash, is_right in (
        (signer.chain_id, signer.account, good, True),
        (signer.chain_id, signer.account, other, False),
        (signer.chain_id, signer.account + 1, good, False),
        ("PRIVATE_SN_POTC_SEPOLIA", signer.account, good, False),
    ):
        message = signing.message_hash(chain_id, account, struct_hash)
        assert signing.verify(signer.public_key, message, signature) is is_right


@pytest.mark.parametrize(
    "signature",
    [
        Signature(0, 1),
        Signature(1, 0),
        Signature(2**251, 1),
        Signature(2**300, 1),
        Signature(1, signing.CURVE_ORDER),
        Signature(-1, 1),
        Signature(1, pow(2**251 + 1, -1, signing.CURVE_ORDER)),  # 1/s out of range
    ],
)
def test_a_signature_out_of_range_is_false_and_no_panic(signature):
    case = PRIMITIVES["ecdsa"][0]
    assert not signing.verify(int(case["public_key"], 16), int(case["message_hash"], 16), signature)


def test_a_public_key_off_the_curve_is_false_and_no_panic():
    case = PRIMITIVES["ecdsa"][0]
    signature = Signature(int(case["no_seed"]["r"]), int(case["no_seed"]["s"]))
    off_curve = next(x for x in range(1, 100) if not signing.is_public_key(x))
    for public_key in (off_curve, 0, -1, signing.FIELD_PRIME):
        assert not signing.verify(public_key, int(case["message_hash"], 16), signature)


@pytest.mark.parametrize("text", ["", "[]", '["1"]', '["1","2","3"]', "[1,2]", '["1","x"]', '["-1","2"]', "nonsense"])
def test_a_malformed_signature_text_is_a_decode_error(text):
    with pytest.raises(DecodeError):
        signing.decode_signature(text)


def test_a_signature_in_hex_is_read_too():
    assert signing.decode_signature('["0x1f","0xA"]') == (31, 10)


@pytest.mark.parametrize("key", ["0x0", hex(signing.CURVE_ORDER), "not hex at all"])
def test_a_bad_private_key_is_refused_without_showing_it(key):
    with pytest.raises(ValueError) as caught:
        Signer(Secret(key), "0x1", "PRIVATE_SN_POTC_SEPOLIA")
    assert key not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_signer_does_not_show_its_key():
    vector = ORDERS[0]
    signer = signer_of(vector)
    assert vector["private_key"][2:] not in f"{signer!r} {signer} {vars(signer)}"
