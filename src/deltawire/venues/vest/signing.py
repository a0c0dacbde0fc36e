"""Vest signatures: orders and cancels (ABI words, keccak, EIP-191) and the registration proof (EIP-712). Pure.

Signs and recovers for both sides of the wire; withdraw and LP actions are left out on purpose (a bot must not hold
code that moves money out). Source: Vest API v2 notes sections 4 and 5. Vectors: tests/vectors/vest.
"""

from collections.abc import Callable

import sha3
from coincurve import PrivateKey, PublicKey

from deltawire.core.secret import Secret

# Order types as they stand on the wire. LIMIT is a trigger on the index price, not a resting order.
MARKET = "MARKET"
LIMIT = "LIMIT"

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,address verifyingContract)"
_PROOF_TYPE = b"SignerProof(address approvedSigner,uint256 signerExpiry)"
_DOMAIN_NAME = b"VestRouterV2"
_DOMAIN_VERSION = b"0.0.1"
_EIP191_32 = b"\x19Ethereum Signed Message:\n32"
_V_BASE = 27  # Ethereum's v is 27 plus the recovery id


def keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


def encode_order(
    time_ms: int,
    nonce: int,
    order_type: str,
    symbol: str,
    size: str,
    limit_price: str,
    *,
    is_buy: bool,
    reduce_only: bool,
) -> bytes:
    """Lay out the eight signed fields in standard ABI encoding. The texts must be the very bytes of the body."""
    kind, name = _abi_text(order_type), _abi_text(symbol)
    amount, price = _abi_text(size), _abi_text(limit_price)
    at_name = 256 + len(kind)  # eight head words, then the four texts in the order of their fields
    at_amount = at_name + len(name)
    at_price = at_amount + len(amount)
    head = (
        _word(time_ms)
        + _word(nonce)
        + _word(256)
        + _word(at_name)
        + _word(is_buy)
        + _word(at_amount)
        + _word(at_price)
        + _word(reduce_only)
    )
    return head + kind + name + amount + price


def encode_cancel(time_ms: int, nonce: int, order_id: str) -> bytes:
    """Lay out a cancel. The order id is text: its case matters."""
    return _word(time_ms) + _word(nonce) + _word(96) + _abi_text(order_id)


def personal_digest(encoded: bytes) -> bytes:
    """Hash ABI bytes and wrap the 32 raw bytes as an EIP-191 personal message."""
    return keccak(_EIP191_32 + keccak(encoded))


def domain_separator(verifying_contract: str) -> bytes:
    return keccak(
        keccak(_DOMAIN_TYPE) + keccak(_DOMAIN_NAME) + keccak(_DOMAIN_VERSION) + _address_word(verifying_contract)
    )


def proof_struct_hash(signing_address: str, expiry_ms: int) -> bytes:
    return keccak(keccak(_PROOF_TYPE) + _address_word(signing_address) + _word(expiry_ms))


def proof_digest(verifying_contract: str, signing_address: str, expiry_ms: int) -> bytes:
    """Return the EIP-712 digest by which the primary key approves a signing address until expiry_ms."""
    return keccak(b"\x19\x01" + domain_separator(verifying_contract) + proof_struct_hash(signing_address, expiry_ms))


class Signer:
    """One secp256k1 key. Signatures are deterministic (RFC 6979), low-s, `0x` + r + s + v."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: Secret) -> None:
        """Raise ValueError (without the key in it) when the text is not a usable 32-byte hex key."""
        text = private_key.reveal()
        try:
            self._key = PrivateKey(_exactly_32(bytes.fromhex(text.removeprefix("0x"))))
        except ValueError:
            # The cause is dropped: its text may quote part of the key.
            raise ValueError("not a secp256k1 private key: want 64 hex digits, with or without 0x") from None
        self.address = _address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign_digest(self, digest: bytes) -> str:
        raw = self._key.sign_recoverable(digest, hasher=None)
        return f"0x{raw[:64].hex()}{raw[64] + _V_BASE:02x}"

    def sign(self, encoded: bytes) -> str:
        """Sign the ABI bytes of an order or cancel."""
        return self.sign_digest(personal_digest(encoded))

    def prove(self, verifying_contract: str, signing_address: str, expiry_ms: int) -> str:
        """Approve a signing address; this signer must be the primary key."""
        return self.sign_digest(proof_digest(verifying_contract, signing_address, expiry_ms))


def new_signing_key(random_bytes: Callable[[int], bytes]) -> Secret:
    """Make a fresh delegate key from a source such as secrets.token_bytes."""
    while True:
        raw = random_bytes(32)
        try:
            PrivateKey(raw)
        except ValueError:  # zero or past the group order: about one draw in 2^128
            continue
        return Secret("0x" + raw.hex())


def recover(digest: bytes, signature: str) -> str | None:
    """Return the checksummed address that signed, or None when the text is no signature at all."""
    if len(signature) != 132 or not signature.startswith("0x"):
        return None
    try:
        raw = bytes.fromhex(signature[2:])
        if len(raw) != 65 or raw[64] - _V_BASE not in {0, 1}:
            return None
        key = PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - _V_BASE]), digest, hasher=None)
    except ValueError:  # not hex, or no such point on the curve
        return None
    return _address_of(key)


def is_signed_by(address: str, digest: bytes, signature: str) -> bool:
    """Say whether this address made the signature; addresses compare without case."""
    found = recover(digest, signature)
    return found is not None and found.lower() == address.lower()


def is_address(text: str) -> bool:
    if len(text) != 42 or not text.startswith("0x"):
        return False
    try:
        return len(bytes.fromhex(text[2:])) == 20
    except ValueError:
        return False


def checksummed(address: str) -> str:
    """Write a 20-byte hex address with the upper and lower case of EIP-55."""
    lower = address.lower().removeprefix("0x")
    digest = keccak(lower.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(lower, digest, strict=False))


def _address_of(key: PublicKey) -> str:
    return checksummed(keccak(key.format(compressed=False)[1:])[-20:].hex())


def _exactly_32(raw: bytes) -> bytes:
    if len(raw) != 32:
        raise ValueError("wrong length")
    return raw


def _word(value: int) -> bytes:
    return value.to_bytes(32)


def _address_word(address: str) -> bytes:
    if not is_address(address):
        raise ValueError(f"not an Ethereum address: {address[:50]!r}")
    return bytes(12) + bytes.fromhex(address[2:])


def _abi_text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(32) + raw + bytes(-len(raw) % 32)
