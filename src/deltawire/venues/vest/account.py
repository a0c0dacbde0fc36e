"""Vest calls over REST beside order entry: start-up checks, registration, listen key, account, order reads, cancel.

Never places an order. Shapes are checked where they are read, so a changed venue is refused with the name
of the field. Source: Vest API v2 notes, sections 4, 6, 7.
"""

import asyncio
from collections.abc import Callable

from deltawire.core.money import parse_e8
from deltawire.core.secret import Secret
from deltawire.core.types import Side, VenueOrderId
from deltawire.net.api import HttpClient
from deltawire.venues.contract import (
    BalanceReport,
    Clock,
    DecodeError,
    EventLog,
    OpenOrder,
    PositionReport,
    Refused,
)
from deltawire.venues.vest import errors, rest, wire
from deltawire.venues.vest.reads import VENUE, PublicReads
from deltawire.venues.vest.rest import Access, RestRequest, VenueError
from deltawire.venues.vest.settings import VestSettings
from deltawire.venues.vest.signing import Signer, new_signing_key

_DAY_MS = 86_400_000
_DECREASE_WITH_POSITION = 3021
# A nonce is a uint256 that must rise; what is near its end was not written by any clock.
_NONCE_MAX = 2**255


class Account(PublicReads):
    """The account as REST sees it, and the keys that open it. Owns the REST client."""

    def __init__(
        self,
        settings: VestSettings,
        client: HttpClient,
        *,
        clock: Clock,
        log: EventLog,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Raise ValueError when the primary key does not belong to the primary address."""
        super().__init__(settings, client, clock=clock, log=log)
        self._primary = primary_signer(settings)
        self.signer = Signer(new_signing_key(random_bytes))
        self.registration_expiry_unix_ms = 0
        self._listen_key: Secret | None = None
        self.on_unauthorized: Callable[[], None] = lambda: None  # a private call was refused for its key

    # Start-up.

    async def register(self) -> None:
        """Have the signing key approved; a few tries, but none after a definite refusal."""
        for tries_left in reversed(range(self._settings.register_tries)):
            try:
                await self._register_once()
            except (OSError, DecodeError, VenueError) as e:
                refused = isinstance(e, VenueError) and _is_definite(e)
                if refused or not tries_left:
                    raise
                self._log.warning("vest.register_failed", reason=str(e), tries_left=tries_left)
                await asyncio.sleep(self._settings.register_retry_s)
            else:
                return

    async def check(self) -> int:
        """Compare the account with ours, set the leverage, return the last nonce used. Raises Refused on a mismatch."""
        account = await self.read()
        if account.address.lower() != self._settings.primary_address.lower():
            # The guard against wrong routing: a wrong group may show somebody else.
            raise Refused(VENUE, "account", f"address is {account.address[:50]}, not {self._settings.primary_address}")
        last = await self.call(rest.get_nonce(self.access, self.now_ms()), wire.LastNonce)
        if not 0 <= last.last_nonce < _NONCE_MAX:
            raise Refused(VENUE, "account/nonce", f"lastNonce {last.last_nonce} leaves no room above it")
        await self._look_at_an_order()
        if self._settings.leverage is not None:
            known = {found.symbol: found.value for found in account.leverages}
            for symbol in self._settings.symbols:
                if known.get(symbol) != self._settings.leverage:
                    await self._set_leverage(symbol, self._settings.leverage)
        return last.last_nonce

    # Listen key.

    async def listen_key(self) -> Secret:
        """Return the key in force, making one if there is none."""
        if self._listen_key is None:
            made = await self.call(rest.listen_key(self.access, "POST"), wire.ListenKey)
            self._listen_key = Secret(made.listen_key)
        return self._listen_key

    def forget_listen_key(self) -> None:
        self._listen_key = None

    async def extend_listen_key(self) -> bool:
        """Extend the key by an hour; False when the venue no longer knows it (then it is forgotten)."""
        try:
            await self.call(rest.listen_key(self.access, "PUT"), wire.ListenKey)
        except VenueError as e:
            if errors.rule_for_code(e.code).then is not errors.Next.LISTEN_KEY:
                raise
            self.forget_listen_key()
            return False
        return True

    async def end_listen_key(self) -> None:
        if self._listen_key is not None:
            request = rest.listen_key(self.access, "DELETE")
            self.forget_listen_key()
            rest.read_done(*await self.exchange(request))

    # Reads.

    async def read(self) -> wire.Account:
        return await self.call(rest.get_account(self.access, self.now_ms()), wire.Account)

    async def positions(self) -> list[PositionReport]:
        account = await self.read()
        return [found for found in map(_position, account.positions) if found.size_e8]

    async def balance(self) -> BalanceReport:
        account = await self.read()
        return BalanceReport(_e8(account.total_account_value), _e8(account.withdrawable))

    async def orders_by_nonce(self, nonce: int) -> list[wire.OrderRow]:
        """Return the rows that carry the nonce; the venue's filter is not trusted with an order's fate."""
        rows = await self.call(rest.get_orders(self.access, self.now_ms(), nonce=nonce), list[wire.OrderRow])
        return [row for row in rows if row.nonce == nonce]

    async def orders_since(self, start_ms: int, end_ms: int | None, limit: int) -> list[wire.OrderRow]:
        """Return the newest orders posted in a span of time, those of other programs too."""
        request = rest.get_orders(self.access, self.now_ms(), start_ms=start_ms, end_ms=end_ms, limit=limit)
        return await self.call(request, list[wire.OrderRow])

    async def open_orders(self) -> list[OpenOrder]:
        found: list[OpenOrder] = []
        for status in (wire.NEW, wire.PARTIALLY_FILLED):  # one value a call: a list is refused with 1130
            request = rest.get_orders(self.access, self.now_ms(), status=status)
            rows = await self.call(request, list[wire.OrderRow])
            found.extend(_open_order(row) for row in rows if row.status == status)
        return found

    async def cancel(self, order: wire.CancelFields) -> None:
        """Ask to cancel. The answer means "received"; how the order stands is read."""
        await self.call(
            rest.post_cancel(self.access, order, self._settings.exit_recv_window_ms, self.signer), wire.OrderId
        )

    # Helpers.

    async def _register_once(self) -> None:
        expiry_ms = self.now_ms() + self._settings.registration_days * _DAY_MS
        request = rest.post_register(
            Access(),  # in group 0, as before the first: the account may have left the group it was in
            self._primary,
            self.signer.address,
            self._settings.verifying_contract,
            expiry_ms,
        )
        status, body = await self.exchange(request)
        rest.raise_if_refused(status, body)
        self.first_look.look_at_answer(wire.Registered, body)
        registered = rest.read_registered(status, body)
        self.access = Access(registered.acc_group, Secret(registered.api_key))
        self.registration_expiry_unix_ms = expiry_ms
        self._log.info(
            "vest.registered", account_group=registered.acc_group, signer=self.signer.address, expiry_unix_ms=expiry_ms
        )

    async def _look_at_an_order(self) -> None:
        """Have the shape of an order compared before the first is sent; an account without any has it at its first."""
        request = rest.get_orders(self.access, self.now_ms(), status=wire.FILLED, limit=1)
        if not await self.call(request, list[wire.OrderRow]):
            self._log.info("vest.shape.not_seen", what="orders", reason="no order has filled yet on this account")

    async def _set_leverage(self, symbol: str, value: int) -> None:
        request = rest.post_leverage(self.access, self.now_ms(), symbol, value)
        try:
            answer = await self.call(request, wire.Leverage)
        except VenueError as e:
            if e.code != _DECREASE_WITH_POSITION:
                raise
            # Not starting would leave the position to itself, which is worse than the leverage it was opened with.
            self._log.error("vest.leverage.kept", symbol=symbol, wanted=value, reason=e.msg)
            return
        if (answer.symbol, answer.value) != (symbol, value):
            raise Refused(VENUE, "leverage", f"asked {symbol} {value}, got {answer.symbol[:40]} {answer.value}")

    def _on_refused_call(self, request: RestRequest, error: VenueError) -> None:
        if "X-API-KEY" in request.headers and needs_registration(error):
            self.on_unauthorized()


def primary_signer(settings: VestSettings) -> Signer:
    """Raise ValueError when the primary key does not belong to the primary address."""
    primary = Signer(settings.primary_private_key)
    if primary.address.lower() != settings.primary_address.lower():
        raise ValueError(f"the primary private key is not that of {settings.primary_address}")
    return primary


def needs_registration(error: VenueError) -> bool:
    """Say whether the API key or the proof behind it has ended."""
    return errors.rule_for_answer(error).then is errors.Next.REGISTER


def _is_definite(error: VenueError) -> bool:
    rule = errors.rule_for_answer(error)
    return rule.verdict is errors.Verdict.REJECTED and rule.then is not errors.Next.RETRY


def _position(row: wire.Position) -> PositionReport:
    size_e8 = _e8(row.size)
    if size_e8 < 0:
        raise DecodeError(f"position {row.symbol}: size {row.size} is negative, want isLong for the sign")
    liquidation_e8 = _e8(row.liq_price) if row.liq_price else 0
    return PositionReport(row.symbol, size_e8 if row.is_long else -size_e8, _e8(row.entry_price), liquidation_e8)


def _open_order(row: wire.OrderRow) -> OpenOrder:
    """Read an open row. leaves_e8 counts the last execution only (the row has no sum): at most too large."""
    leaves_e8 = _e8(row.size) - (_e8(row.last_filled_size) if row.last_filled_size else 0)
    side = Side.BUY if row.is_buy else Side.SELL
    return OpenOrder(row.symbol, VenueOrderId(row.id), "", row.nonce or 0, side, leaves_e8)


def _e8(text: str) -> int:
    try:
        return parse_e8(text)
    except ValueError as e:
        raise DecodeError(str(e)) from e
