"""Paradex accounts from keys: the STARK key an Ethereum key stands for, and the address of a STARK key's account.

For simulators and for checking what a venue's page shows; a bot with a subkey and its account's address needs neither.
Source: Paradex protocol reference, section 3. Vectors: tests/vectors/paradex/derivation.json.
"""

import hashlib

import sha3
from coincurve import PrivateKey

from deltawire.core.secret import Secret
from deltawire.venues.paradex.signing import CURVE_ORDER, hash_chain, short_string, starknet_keccak

# Class hashes seen on production and testnet; GET /system/config serves the ones in force.
PROXY_CLASS_HASH = 0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9
ACCOUNT_CLASS_HASH = 0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E
ADDRESS_BOUND = 2**251 - 256  # contract addresses of Starknet are below it

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
_CONSTANT_TYPE = b"Constant(string action)"
# Draws at or above it would make small keys likelier: they are passed over.
_DRAW_BOUND = 2**256 - 2**256 % CURVE_ORDER


def stark_key(ethereum_key: Secret, l1_chain_id: int) -> Secret:
    """Return the STARK private key of an Ethereum private key: sign a constant, grind the signature's r."""
    signed = PrivateKey(int(ethereum_key.reveal(), 16).to_bytes(32, "big")).sign_recoverable(
        key_message(l1_chain_id), hasher=None
    )
    return Secret(hex(grind(int.from_bytes(signed[:32], "big"))))


def key_message(l1_chain_id: int) -> bytes:
    """Return the EIP-712 digest that is signed: Constant(action = "STARK Key") of domain Paradex, version 1."""
    domain = _keccak(_keccak(_DOMAIN_TYPE) + _keccak(b"Paradex") + _keccak(b"1") + l1_chain_id.to_bytes(32, "big"))
    struct = _keccak(_keccak(_CONSTANT_TYPE) + _keccak(b"STARK Key"))
    return _keccak(b"\x19\x01" + domain + struct)


def grind(seed: int) -> int:
    """Hash the seed with 0, 1, ... until the number is below the largest multiple of the order; take it modulo."""
    index = 0
    while True:
        digest = hashlib.sha256(_shortest(seed) + _shortest(index)).digest()
        drawn = int.from_bytes(digest, "big")
        if drawn < _DRAW_BOUND:
            return drawn % CURVE_ORDER
        index += 1


def account_address(
    public_key: int, *, proxy_class_hash: int = PROXY_CLASS_HASH, account_class_hash: int = ACCOUNT_CLASS_HASH
) -> int:
    """Return the address of the account whose main key this is: Starknet's contract-address formula."""
    constructor = hash_chain(account_class_hash, starknet_keccak("initialize"), 2, public_key, 0)
    deployer = 0
    formula = short_string("STARKNET_CONTRACT_ADDRESS"), deployer, public_key, proxy_class_hash, constructor
    return hash_chain(*formula) % ADDRESS_BOUND


def _shortest(number: int) -> bytes:
    """Return big-endian bytes without leading zeros; 0 is one zero byte."""
    return number.to_bytes(max((number.bit_length() + 7) // 8, 1), "big")


def _keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
