"""Throw-away keys for accounts at the simulated venues. Random unless a generator is handed in; never written to a log.

They are worth nothing anywhere else: no Paradex or Vest account has them.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.secret import Secret
from deltawire.venues.paradex import signing as paradex
from deltawire.venues.paradex.derivation import account_address
from deltawire.venues.vest import signing as vest

RandomBytes = Callable[[int], bytes]

_DRAW_BYTES = 40  # 64 bits more than the range: no residue is visibly likelier than another


@dataclass(frozen=True, slots=True)
class ParadexKeys:
    """A main key and the address of its account, derived as the venue derives it."""

    account_address: int
    public_key: int
    private_key: Secret

    def as_json(self) -> dict[str, str]:
        """Return the account for the ready file: with the private key, so for a file of mode 0600 only."""
        return {
            "account_address": hex(self.account_address),
            "private_key": self.private_key.reveal(),
            "public_key": hex(self.public_key),
        }


@dataclass(frozen=True, slots=True)
class VestKeys:
    primary_address: str
    primary_private_key: Secret

    def as_json(self) -> dict[str, str]:
        """Return the account for the ready file: with the private key, so for a file of mode 0600 only."""
        return {"primary_address": self.primary_address, "primary_private_key": self.primary_private_key.reveal()}


def paradex_keys(random_bytes: RandomBytes = secrets.token_bytes) -> ParadexKeys:
    private_key = _draw(random_bytes, paradex.CURVE_ORDER)
    public_key = paradex.public_key_of(private_key)
    return ParadexKeys(
        account_address=account_address(public_key), public_key=public_key, private_key=Secret(hex(private_key))
    )


def vest_keys(random_bytes: RandomBytes = secrets.token_bytes) -> VestKeys:
    private_key = vest.new_signing_key(random_bytes)
    return VestKeys(vest.Signer(private_key).address, private_key)


def _draw(random_bytes: RandomBytes, below: int) -> int:
    """Return a number from 1 to below - 1."""
    return 1 + int.from_bytes(random_bytes(_DRAW_BYTES), "big") % (below - 1)
