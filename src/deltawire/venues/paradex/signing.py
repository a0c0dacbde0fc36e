"""Paradex signatures: message hashes of orders, modifies and auth requests, signing, checking by the curve equation.

Pure arithmetic over fast_stark_crypto (Pedersen, STARK ECDSA with RFC 6979 nonces); the nonce is the library's, so the
same input gives the same signature. Does not know how a request is laid out on the wire.

The order of hashing is timestamp, market, side, type, size, price. Constant prefixes are kept, which leaves nine
Pedersen hashes an order; `order_chain` holds the four that need no size and price, so that a caller can prepare them.

Source: Paradex protocol reference, section 4, state of October 2026. Vectors: tests/vectors/paradex/.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import fast_stark_crypto
import orjson
import sha3

from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError

FIELD_PRIME = 2**251 + 17 * 2**192 + 1
CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
CURVE_BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
SCALAR_MAX = 2**251  # r, 1/s and the message must be below it

AUTH_PATH = "/v1/auth"  # signed as this constant, even when the URL carries the key
SHORT_STRING_CHARS_MAX = 31  # a field element holds 31 bytes
ACCOUNTS_CACHED_MAX = 1024  # constant prefixes kept: a bot has one account, a simulator some

_SIGNATURE = re.compile(r"[0-9]{1,80}|0x[0-9a-fA-F]{1,66}")


class Signature(NamedTuple):
    r: int
    s: int


def pedersen(first: int, second: int) -> int:
    return int(fast_stark_crypto.pedersen_hash(first, second))


def hash_chain(*elements: int) -> int:
    """H of the reference, 4.1: fold the elements into 0, then their count."""
    state = 0
    for element in elements:
        state = pedersen(state, element)
    return pedersen(state, len(elements))


def starknet_keccak(text: str) -> int:
    """Return the lowest 250 bits of Keccak-256 of an ASCII text."""
    return int.from_bytes(sha3.keccak_256(text.encode("ascii")).digest(), "big") & (2**250 - 1)


def short_string(text: str) -> int:
    """Return an ASCII text of at most 31 characters as a big-endian number; raises ValueError for any other."""
    if len(text) > SHORT_STRING_CHARS_MAX or not text.isascii():
        raise ValueError(f"not a short string: {text[:40]!r}")
    return int.from_bytes(text.encode("ascii"), "big")


def felt(text: str) -> int:
    """Turn a text into a number as the venue's typed data does: decimal digits, 0x hex, else a short string."""
    if text.isascii() and text.isdecimal():
        value = int(text)
    elif re.fullmatch(r"0x[0-9a-fA-F]{1,64}", text):
        value = int(text, 16)
    else:
        value = short_string(text)
    if value >= FIELD_PRIME:
        raise ValueError(f"above the field: {text[:40]!r}")
    return value


_MESSAGE_PREFIX = pedersen(0, short_string("StarkNet Message"))
_DOMAIN_TYPE = starknet_keccak("StarkNetDomain(name:felt,chainId:felt,version:felt)")
_ORDER_FIELDS = "timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt"
_ORDER_PREFIX = pedersen(0, starknet_keccak(f"Order({_ORDER_FIELDS})"))
_MODIFY_PREFIX = pedersen(0, starknet_keccak(f"ModifyOrder({_ORDER_FIELDS},id:felt)"))
_REQUEST_TYPE = starknet_keccak("Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)")
_ONBOARDING_STRUCT = hash_chain(starknet_keccak("Constant(action:felt)"), short_string("Onboarding"))


@lru_cache(maxsize=16)
def domain_hash(chain_id: str) -> int:
    """Return the hash of the signing domain. The order name, chainId, version is the venue's own."""
    return hash_chain(_DOMAIN_TYPE, short_string("Paradex"), short_string(chain_id), 1)


@lru_cache(maxsize=ACCOUNTS_CACHED_MAX)
def account_prefix(chain_id: str, account: int) -> int:
    """Return the part of every message hash that comes before the struct."""
    return pedersen(pedersen(_MESSAGE_PREFIX, domain_hash(chain_id)), account)


def message_hash(chain_id: str, account: int, struct_hash: int) -> int:
    return pedersen(pedersen(account_prefix(chain_id, account), struct_hash), 4)


_cached_felt = lru_cache(maxsize=1024)(felt)  # markets and order types: a few dozen texts


def order_chain(timestamp_ms: int, market: str, side: Side, order_type: str, *, modify: bool = False) -> int:
    """Hash what does not depend on size and price (four Pedersen hashes)."""
    state = pedersen(_MODIFY_PREFIX if modify else _ORDER_PREFIX, timestamp_ms)
    state = pedersen(state, _cached_felt(market))
    state = pedersen(state, int(side))
    return pedersen(state, _cached_felt(order_type))


def order_struct_hash(chain: int, size_e8: int, price_e8: int) -> int:
    """Finish the chain of a new order. price_e8 is 0 for the market-style types."""
    return pedersen(pedersen(pedersen(chain, size_e8), price_e8), 7)


def modify_struct_hash(chain: int, size_e8: int, price_e8: int, order_id: str) -> int:
    """Finish a chain begun with modify=True."""
    return pedersen(pedersen(pedersen(pedersen(chain, size_e8), price_e8), felt(order_id)), 8)


def auth_struct_hash(timestamp_s: int, expiration_s: int) -> int:
    return hash_chain(_REQUEST_TYPE, short_string("POST"), short_string(AUTH_PATH), 0, timestamp_s, expiration_s)


def onboarding_struct_hash() -> int:
    return _ONBOARDING_STRUCT


def public_key_of(private_key: int) -> int:
    return int(fast_stark_crypto.get_public_key(private_key))


def sign(private_key: int, message: int) -> Signature:
    """Sign a message hash. About 0.25 ms. Raises ValueError for a hash or key that cannot be signed with."""
    if not 0 < private_key < CURVE_ORDER:
        raise ValueError("private key out of range")
    if not 0 <= message < SCALAR_MAX:
        raise ValueError("message hash out of range")
    return Signature(*fast_stark_crypto.sign(private_key, message))


def verify(public_key: int, message: int, signature: Signature) -> bool:
    """Check a signature by the curve equation; any value that cannot be right gives False.

    The library panics on values out of range, so they are refused here first.
    """
    r, s = signature
    if not (0 < r < SCALAR_MAX and 0 < s < CURVE_ORDER and 0 <= message < SCALAR_MAX):
        return False
    if not 0 < pow(s, -1, CURVE_ORDER) < SCALAR_MAX or not is_public_key(public_key):
        return False
    return bool(fast_stark_crypto.verify(public_key, message, r, s))


@lru_cache(maxsize=ACCOUNTS_CACHED_MAX)
def is_public_key(x: int) -> bool:
    """Tell whether x is the x-coordinate of a point on the curve y^2 = x^3 + x + beta."""
    if not 0 < x < FIELD_PRIME:
        return False
    y_squared = (x * x * x + x + CURVE_BETA) % FIELD_PRIME
    return pow(y_squared, (FIELD_PRIME - 1) // 2, FIELD_PRIME) == 1


def encode_signature(signature: Signature) -> str:
    """Write the wire text: a JSON list of two decimal numbers as texts, no spaces."""
    return f'["{signature.r}","{signature.s}"]'


def decode_signature(text: str) -> Signature:
    """Read the wire text; decimal and 0x hex numbers are both in use. Raises DecodeError."""
    try:
        parts = orjson.loads(text)
    except orjson.JSONDecodeError as e:
        raise DecodeError("signature is not JSON") from e
    match parts:
        case [str(r), str(s)] if _SIGNATURE.fullmatch(r) and _SIGNATURE.fullmatch(s):
            return Signature(*(int(n, 16) if n.startswith("0x") else int(n) for n in (r, s)))
    raise DecodeError("signature is not a list of two numbers as texts")


class Signer:
    """Signs for one account with one key, main key or subkey. The key stays inside a Secret.

    account_address: the main account's, whichever key signs.
    """

    def __init__(self, private_key: Secret, account_address: str, chain_id: str) -> None:
        try:
            key, self.account = int(private_key.reveal(), 16), int(account_address, 16)
        except ValueError:
            # The text of that error holds the key, so it must not travel on.
            raise ValueError("Paradex private key and account address must be 0x hex numbers") from None
        if not 0 < key < CURVE_ORDER or not 0 < self.account < FIELD_PRIME:
            raise ValueError("Paradex private key or account address out of range")
        self._private_key = private_key
        self.chain_id = chain_id
        self.account_address = f"0x{self.account:x}"
        self.public_key = public_key_of(key)
        self.public_key_hex = f"0x{self.public_key:x}"
        account_prefix(chain_id, self.account)  # warm, so that the first order is not slower

    def __repr__(self) -> str:
        return f"Signer({self.account_address}, {self.chain_id})"

    def sign_struct(self, struct_hash: int) -> str:
        """Return the wire text of the signature over a struct hash."""
        message = message_hash(self.chain_id, self.account, struct_hash)
        return encode_signature(sign(int(self._private_key.reveal(), 16), message))

    def sign_order(
        self, timestamp_ms: int, market: str, side: Side, order_type: str, size_e8: int, price_e8: int
    ) -> str:
        """Sign a new order: nine Pedersen hashes and one signature, about 0.6 ms."""
        return self.finish_order(order_chain(timestamp_ms, market, side, order_type), size_e8, price_e8)

    def finish_order(self, chain: int, size_e8: int, price_e8: int) -> str:
        """Sign a new order whose `order_chain` is at hand: five Pedersen hashes and one signature."""
        return self.sign_struct(order_struct_hash(chain, size_e8, price_e8))

    def sign_modify(
        self, timestamp_ms: int, market: str, side: Side, order_type: str, size_e8: int, price_e8: int, order_id: str
    ) -> str:
        chain = order_chain(timestamp_ms, market, side, order_type, modify=True)
        return self.sign_struct(modify_struct_hash(chain, size_e8, price_e8, order_id))

    def sign_auth(self, timestamp_s: int, expiration_s: int) -> str:
        return self.sign_struct(auth_struct_hash(timestamp_s, expiration_s))
