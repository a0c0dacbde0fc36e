"""Sign-in at the simulated Paradex: the Starknet signature is verified, a five-minute ES384 token comes back.

The token's class (Pro, or Retail for token_usage=interactive) is that of every order sent with it. Expiry is judged by
the clock handed in, never by the library's own. The signing key is drawn anew at each start.

Source: Paradex reference, section 2. GUESS: which of the listed codes and statuses belongs to which fault.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from deltawire.sim.paradex_accounts import Account
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_rules import CHAIN_ID, ApiRefusal, ParadexSimSettings
from deltawire.venues.contract import Clock, DecodeError
from deltawire.venues.paradex.signing import (
    auth_struct_hash,
    decode_signature,
    message_hash,
    onboarding_struct_hash,
    verify,
)

ISSUER = "Paradex testnet"
_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
LONG_LIFE_S = (60, 365 * 24 * 3600)
COORDINATE_BYTES = 48  # of P-384


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token stands for."""

    account: Account
    rank: Rank
    read_only: bool = False


@dataclass(slots=True)
class ReadToken:
    """A long-lived token that may only read. Kept without the token itself."""

    lookup_id: str
    account: int
    name: str
    created_unix_ns: int
    expiry_unix_ns: int
    revoked_unix_ns: int = 0


class Tokens:
    def __init__(self, clock: Clock, settings: ParadexSimSettings, accounts: Mapping[int, Account]) -> None:
        self._clock = clock
        self._settings = settings
        self._accounts = accounts
        self._read_tokens: dict[str, ReadToken] = {}  # by lookup id
        self.expire()

    def expire(self) -> None:
        """Void every token issued so far, by a new signing key."""
        self._verified: dict[str, dict[str, Any]] = {}  # a signature costs a millisecond, and each call brings it again
        self._key = ec.generate_private_key(ec.SECP384R1())
        self._jwk = _jwk(self._key.public_key())

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._jwk]}

    def sign_in(self, public_key_text: str, headers: Mapping[str, str], *, interactive: bool) -> str:
        """Return a token for a correctly signed request; raises ApiRefusal. public_key_text "": the main key."""
        account = self._account_of(headers)
        public_key = _number(public_key_text, "PUBLIC_KEY_INVALID") if public_key_text else account.public_keys[0]
        if public_key not in account.public_keys:
            raise ApiRefusal("INVALID_SUBKEY", "public key does not belong to the account", 401)
        timestamp_s, expiration_s = self._window(headers)
        self._verify(account, public_key, auth_struct_hash(timestamp_s, expiration_s), headers)
        return self.issue(account, Rank.RETAIL if interactive else Rank.PRO)

    def check_onboarding(self, headers: Mapping[str, str]) -> None:
        """Check the signature of POST /onboarding, which changes nothing for an account that exists."""
        account = self._account_of(headers)
        self._verify(account, account.public_keys[0], onboarding_struct_hash(), headers)

    def issue(self, account: Account, rank: Rank) -> str:
        return self._encode(account, self._settings.token_life_s, {"class": rank.name})

    def create_reading(self, account: Account, name: str, for_s: int) -> tuple[str, ReadToken]:
        """Return a long-lived token that may only read, and what is kept of it."""
        if not LONG_LIFE_S[0] <= for_s <= LONG_LIFE_S[1]:
            raise ApiRefusal("VALIDATION_ERROR", "expiry_duration is 1 minute to 1 year")
        now_unix_ns = self._clock.unix_ns()
        lookup_id = f"read-{len(self._read_tokens) + 1}"
        kept = ReadToken(lookup_id, account.address, name, now_unix_ns, now_unix_ns + for_s * 10**9)
        self._read_tokens[lookup_id] = kept
        return self._encode(account, for_s, {"class": Rank.PRO.name, "jti": lookup_id}), kept

    def reading(self, account: Account, *, with_invalid: bool) -> list[ReadToken]:
        """Return the account's long-lived tokens; with_invalid: the revoked and expired ones too."""
        own = [kept for kept in self._read_tokens.values() if kept.account == account.address]
        return [kept for kept in own if with_invalid or self._is_valid(kept)]

    def revoke(self, account: Account, lookup_id: str) -> None:
        kept = self._read_tokens.get(lookup_id)
        if kept is None or kept.account != account.address:
            raise ApiRefusal("INVALID_TOKEN", "no such token")
        kept.revoked_unix_ns = kept.revoked_unix_ns or self._clock.unix_ns()

    def _is_valid(self, kept: ReadToken) -> bool:
        return not kept.revoked_unix_ns and kept.expiry_unix_ns > self._clock.unix_ns()

    def _encode(self, account: Account, life_s: int, more: dict[str, str]) -> str:
        now_s = self._clock.unix_ns() // 10**9
        claims = {"iat": now_s, "exp": now_s + life_s, "iss": ISSUER, "sub": f"0x{account.address:x}", **more}
        headers = {"typ": "at+JWT", "kid": self._jwk["kid"]}
        return jwt.encode(claims, self._key, algorithm="ES384", headers=headers)

    def check(self, token: str) -> Caller:
        """Return whom the token stands for. Raises ApiRefusal INVALID_TOKEN."""
        claims = self._verified.get(token)
        if claims is None:
            try:
                claims = jwt.decode(
                    token,
                    self._key.public_key(),
                    algorithms=["ES384"],
                    issuer=ISSUER,
                    options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
                )
            except (jwt.InvalidTokenError, UnicodeError):
                raise ApiRefusal("INVALID_TOKEN", "invalid token", 401) from None
            self._verified[token] = claims
        if claims["exp"] <= self._clock.unix_ns() // 10**9:
            raise ApiRefusal("INVALID_TOKEN", "token is expired", 401)
        account = self._accounts[int(claims["sub"], 16)]
        if "jti" not in claims:
            return Caller(account, Rank[claims["class"]])
        if not self._is_valid(self._read_tokens[claims["jti"]]):
            raise ApiRefusal("INVALID_TOKEN", "token is revoked", 401)
        return Caller(account, Rank.PRO, read_only=True)

    def _account_of(self, headers: Mapping[str, str]) -> Account:
        account = self._accounts.get(_number(headers.get("PARADEX-STARKNET-ACCOUNT", ""), "INVALID_STARKNET_ADDRESS"))
        if account is None:
            raise ApiRefusal("NOT_ONBOARDED", "account is not known")
        return account

    def _verify(self, account: Account, public_key: int, struct_hash: int, headers: Mapping[str, str]) -> None:
        try:
            signature = decode_signature(headers.get("PARADEX-STARKNET-SIGNATURE", ""))
        except DecodeError as e:
            raise ApiRefusal("INVALID_STARKNET_SIGNATURE", "signature cannot be read") from e
        if not verify(public_key, message_hash(CHAIN_ID, account.address, struct_hash), signature):
            raise ApiRefusal("STARKNET_SIGNATURE_VERIFICATION_FAILED", "signature does not fit the request", 401)

    def _window(self, headers: Mapping[str, str]) -> tuple[int, int]:
        """Return the signed timestamp and expiration, in seconds, if now lies between them."""
        now_s = self._clock.unix_ns() // 10**9
        timestamp_s = _seconds(headers.get("PARADEX-TIMESTAMP", ""))
        default_s = timestamp_s + self._settings.auth_expiry_default_s
        expiration_s = _seconds(headers.get("PARADEX-SIGNATURE-EXPIRATION", str(default_s)))
        if timestamp_s > now_s + self._settings.clock_ahead_max_ms // 1000:
            raise ApiRefusal("INVALID_TIMESTAMP", "timestamp is in the future")
        if expiration_s <= now_s:
            raise ApiRefusal("INVALID_TIMESTAMP", "signature is expired")
        if expiration_s > timestamp_s + self._settings.auth_expiry_max_s:
            raise ApiRefusal("INVALID_TIMESTAMP", "signature expires more than a week after its timestamp")
        return timestamp_s, expiration_s


def _seconds(text: str) -> int:
    # Twelve digits: a time in ms, sent by mistake, has thirteen.
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise ApiRefusal("INVALID_TIMESTAMP", "timestamps are Unix seconds")
    return int(text)


def _number(text: str, code: str) -> int:
    if not _HEX.fullmatch(text):
        raise ApiRefusal(code, "not a 0x hex number")
    return int(text, 16)


def _jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    required = {"crv": "P-384", "kty": "EC", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}
    digest = hashlib.sha256(orjson.dumps(required)).digest()  # RFC 7638: these members, in this order
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**required, "alg": "ES384", "use": "sig", "kid": thumbprint}


def _base64url(coordinate: int) -> str:
    return base64.urlsafe_b64encode(coordinate.to_bytes(COORDINATE_BYTES, "big")).rstrip(b"=").decode()
