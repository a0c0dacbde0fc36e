"""Accounts of the simulated Vest: owners, delegate keys, API keys, listen keys, leverage, margin. No orders, no I/O.

Source: Vest API v2 notes, sections 4, 7 and 9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from deltawire.core.ledger import Ledger
from deltawire.core.money import E8, notional_e8, rate_of_e8
from deltawire.sim.vest_pool import HousePool
from deltawire.sim.vest_refusal import (
    ACCOUNT_NOT_FOUND,
    DECREASE_LEVERAGE_WITH_POSITION,
    INVALID_ACCOUNT_GROUP,
    INVALID_LISTEN_KEY,
    INVALID_NETWORK_TYPE,
    INVALID_PARAMETER,
    INVALID_SIGNATURE,
    UNAUTHORIZED,
    Refusal,
)
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.venues.vest import signing, wire
from deltawire.venues.vest.rest import NETWORK_TYPE_EVM


@dataclass(slots=True, eq=False, repr=False)
class Account:
    """One primary address. `shown` is the ledger as GET /account shows it: some time behind the true one."""

    address: str  # lower case
    group: int
    ledger: Ledger
    shown: Ledger
    signers: dict[str, int] = field(default_factory=dict)  # signing address, lower case -> expiry ms
    leverages: dict[str, int] = field(default_factory=dict)
    fills: int = 0
    shown_as_of: int = 0  # how many of the fills the shown ledger includes
    last_nonce: int = 0
    seen: dict[bytes, None] = field(default_factory=dict)  # digests of signed orders, oldest first
    listen_key: str = ""
    listen_key_expiry_ms: int = 0

    def __repr__(self) -> str:
        return f"Account({self.address})"

    def may_sign(self, address: str, now_ms: int) -> bool:
        """Say whether this address signs for the account: the primary itself, or a delegate not yet expired."""
        return address == self.address or self.signers.get(address, 0) > now_ms

    def init_margin_ratio_e8(self, pool: HousePool) -> int:
        leverage = self.leverages.get(pool.rules.symbol)
        return E8 // leverage if leverage else pool.rules.init_margin_ratio_e8


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """What an API key stands for."""

    account: Account
    expiry_ms: int

    def __repr__(self) -> str:
        return f"Session({self.account.address})"


class Accounts:
    """The registration table. Keys come from the handed-in generator: throw-away accounts of a simulator."""

    def __init__(self, settings: VestSimSettings, rng: Random, now_ms: Callable[[], int]) -> None:
        self._settings, self._rng, self._now_ms = settings, rng, now_ms
        self.by_address: dict[str, Account] = {}
        self._sessions: dict[str, Session] = {}  # by API key
        self._keys: dict[tuple[str, str], str] = {}  # (account, signing address) -> API key
        self._expired_listen_keys: dict[str, None] = {}

    def add(self, primary_address: str, collateral_e8: int, group: int) -> Account:
        """Open an account with a deposit. Raises ValueError for a bad address or group, or an address known already."""
        address = primary_address.lower()
        if not signing.is_address(address) or address in self.by_address:
            raise ValueError(f"not a new Ethereum address: {primary_address[:50]!r}")
        if not 0 <= group < self._settings.groups:
            raise ValueError(f"account group {group} is not within 0 and {self._settings.groups - 1}")
        account = Account(address, group, Ledger(collateral_e8), Ledger(collateral_e8))
        self.by_address[address] = account
        return account

    def register(self, body: wire.Registration) -> wire.Registered:
        """Check the EIP-712 proof and hand out an API key; a signing address registered before keeps its key."""
        if body.network_type != NETWORK_TYPE_EVM:
            raise Refusal(INVALID_NETWORK_TYPE)
        if not (signing.is_address(body.signing_addr) and signing.is_address(body.primary_addr)):
            raise Refusal(INVALID_PARAMETER, "not an address")
        if not 0 <= body.expiry_time < 2**256:
            raise Refusal(INVALID_PARAMETER, "expiryTime is not a uint256")
        digest = signing.proof_digest(self._settings.verifying_contract, body.signing_addr, body.expiry_time)
        if body.expiry_time <= self._now_ms() or not signing.is_signed_by(body.primary_addr, digest, body.signature):
            raise Refusal(INVALID_SIGNATURE)
        account = self.by_address.get(body.primary_addr.lower())
        if account is None:
            raise Refusal(ACCOUNT_NOT_FOUND)
        signer = body.signing_addr.lower()
        account.signers[signer] = body.expiry_time
        key = self._keys.setdefault((account.address, signer), self._hex32())
        self._sessions[key] = Session(account, body.expiry_time)
        return wire.Registered(api_key=key, acc_group=account.group)

    def authenticate(self, api_key: str, group: int) -> Session:
        """Return the session of an API key sent to this group; 1002 when unknown or expired, 1146 in a wrong group."""
        session = self._sessions.get(api_key)
        if session is None or session.expiry_ms <= self._now_ms():
            raise Refusal(UNAUTHORIZED)
        if session.account.group != group:
            raise Refusal(INVALID_ACCOUNT_GROUP)
        return session

    def expire_sessions(self) -> None:
        """Let every API key run out now; the next registration gets a new one."""
        self._sessions.clear()
        self._keys.clear()

    def set_leverage(self, account: Account, pool: HousePool, value: int) -> None:
        if not 1 <= value <= pool.rules.leverage_max:
            raise Refusal(INVALID_PARAMETER, f"leverage {value} is not within 1 and {pool.rules.leverage_max}")
        symbol = pool.rules.symbol
        if value < account.leverages.get(symbol, pool.rules.leverage_max) and symbol in account.ledger.positions:
            raise Refusal(DECREASE_LEVERAGE_WITH_POSITION)
        account.leverages[symbol] = value

    # --- listen keys ---

    def open_listen_key(self, account: Account) -> str:
        """Make a key, or return the live one with its life renewed."""
        self._expire_listen_key(account)
        account.listen_key = account.listen_key or self._hex32()
        account.listen_key_expiry_ms = self._now_ms() + self._settings.listen_key_life_ms
        return account.listen_key

    def extend_listen_key(self, account: Account) -> str:
        self._expire_listen_key(account)
        if not account.listen_key:
            raise Refusal(INVALID_LISTEN_KEY)
        return self.open_listen_key(account)

    def close_listen_key(self, account: Account) -> str:
        """End the key and return it, "" when there was none."""
        key, account.listen_key = account.listen_key, ""
        return key

    def expire_listen_keys(self) -> None:
        """Let every key run out now."""
        for account in self.by_address.values():
            account.listen_key_expiry_ms = self._now_ms()
            self._expire_listen_key(account)

    def listener(self, listen_key: str) -> Account | None:
        """Return whose live key this is."""
        for account in self.by_address.values():
            self._expire_listen_key(account)
            if listen_key and account.listen_key == listen_key:
                return account
        return None

    def listen_key_expired(self, listen_key: str) -> bool:
        """Say whether this key ran out, rather than never having been one."""
        return listen_key in self._expired_listen_keys

    def _expire_listen_key(self, account: Account) -> None:
        if account.listen_key and account.listen_key_expiry_ms <= self._now_ms():
            self._expired_listen_keys[account.listen_key] = None
            account.listen_key = ""

    def _hex32(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True)
class Margin:
    """An account's standing at current prices, in 1e-8 USDC."""

    equity_e8: int
    initial_e8: int
    maintenance_e8: int


def margin_of(account: Account, ledger: Ledger, pools: Mapping[str, HousePool], fee_e8: int = 0) -> Margin:
    """Value a ledger: gains at the mark price with funding due, needs at the index price."""
    equity_e8, initial_e8, maintenance_e8 = ledger.collateral_e8 - fee_e8, 0, 0
    for symbol, position in ledger.positions.items():
        pool = pools[symbol]
        held_e8 = notional_e8(pool.index_e8, abs(position.size_e8))
        equity_e8 += position.unrealized_e8(pool.mark_e8) + position.funding_due_e8(pool.cum_funding_e8)
        initial_e8 += rate_of_e8(held_e8, account.init_margin_ratio_e8(pool))
        maintenance_e8 += rate_of_e8(held_e8, pool.rules.maint_margin_ratio_e8)
    return Margin(equity_e8, initial_e8, maintenance_e8)
