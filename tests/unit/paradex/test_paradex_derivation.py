"""Keys and addresses as the official client derives them."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from deltawire.core.secret import Secret
from deltawire.venues.paradex import derivation
from deltawire.venues.paradex.signing import CURVE_ORDER, public_key_of

FILE = Path(__file__).resolve().parents[2] / "vectors/paradex/derivation.json"
VECTORS: list[dict[str, Any]] = orjson.loads(FILE.read_bytes())["vectors"]


def number(text: str) -> int:
    return int(text, 16)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_key_and_address_follow_from_the_ethereum_key(vector):
    chain_id = int(vector["l1_chain_id"])
    assert derivation.key_message(chain_id).hex() == vector["eip712_digest"].removeprefix("0x")
    assert derivation.grind(number(vector["eth_signature"]["r"])) == number(vector["l2_private_key"])
    key = derivation.stark_key(Secret(vector["eth_private_key"]), chain_id)
    assert number(key.reveal()) == number(vector["l2_private_key"])
    public_key = public_key_of(number(key.reveal()))
    assert public_key == number(vector["l2_public_key"])
    address = derivation.account_address(
        public_key,
        proxy_class_hash=number(vector["proxy_class_hash"]),
        account_class_hash=number(vector["account_class_hash"]),
    )
    assert address == number(vector["l2_address"])


def test_the_class_hashes_are_those_of_the_vectors():
    assert {number(vector["proxy_class_hash"]) for vector in VECTORS} == {derivation.PROXY_CLASS_HASH}
    assert {number(vector["account_class_hash"]) for vector in VECTORS} == {derivation.ACCOUNT_CLASS_HASH}


def test_ground_keys_are_in_range_and_a_zero_seed_is_one_zero_byte():
    for seed in range(300):
        assert 0 < derivation.grind(seed) < CURVE_ORDER
    assert derivation.grind(0) != derivation.grind(1)
