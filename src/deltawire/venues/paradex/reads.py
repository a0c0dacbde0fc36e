"""What the adapter reads over REST: rules and fees at start, the account's state, and one order in doubt.

Source: Paradex protocol reference, sections 2, 11 and 12.
"""

from collections.abc import Callable
from functools import partial

from deltawire.core.money import notional_e8, rate_of_e8
from deltawire.core.secret import Secret
from deltawire.core.types import ClientOrderId, Instrument, VenueOrderId
from deltawire.venues.contract import BalanceReport, EventLog, OpenOrder, OrderReport, PositionReport, Refused
from deltawire.venues.paradex import errors, rest
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.records import Fill, Order
from deltawire.venues.paradex.rest import NAME
from deltawire.venues.paradex.settings import OrderClass
from deltawire.venues.paradex.tokens import TokenKeeper

# The Pro taker rate without any discount (August 2026): the dearest of the table, so an edge is never overestimated.
FEE_RATE_TAKER_E8_DEFAULT = 45_000
# The venue's "I do not know this order", by id and by client id.
UNKNOWN_ORDER = frozenset({"CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND", "NOT_FOUND"})
# Fills are looked for from a minute before the order was signed: the clocks may differ, the lists are in venue time.
FILLS_BEFORE_MS = 60_000
PAGES_MAX = 10  # of 100 fills or orders each; one immediate order has a handful


class Reads:
    """Private reads with a fresh token; one that is refused all the same is renewed once."""

    def __init__(
        self,
        *,
        http: HttpCaller,
        tokens: TokenKeeper,
        log: EventLog,
        instrument: Callable[[str], Instrument],
        fee_of: Callable[[Fill, Instrument | None], int],
    ) -> None:
        self._http, self._tokens, self._log = http, tokens, log
        self._instrument, self._fee_of = instrument, fee_of

    async def positions(self) -> list[PositionReport]:
        records = rest.read_positions(await self.call(rest.positions))
        return [
            PositionReport(p.market, p.size_e8, p.entry_price_e8, p.liquidation_price_e8 or 0)
            for p in records
            if p.size_e8
        ]

    async def open_orders(self) -> list[OpenOrder]:
        orders, _ = rest.read_orders(await self.call(rest.open_orders))
        return [
            OpenOrder(o.market, VenueOrderId(o.order_id), o.client_id, 0, o.side, o.remaining_e8)
            for o in orders
            if not o.is_closed
        ]

    async def balance(self) -> BalanceReport:
        account = rest.read_account(await self.call(rest.account))
        return BalanceReport(account.account_value_e8, account.free_collateral_e8)

    async def leverages(self, symbols: tuple[str, ...]) -> dict[str, int]:
        found: dict[str, int] = {}
        for symbol in symbols:
            found |= rest.read_leverages(await self.call(partial(rest.account_margin, market=symbol)))
        return found

    async def account_info(self, account_address: str) -> rest.AccountInfo | None:
        """Return fees and main key of the account; its rates are those of the token's class."""
        infos = rest.read_account_info(await self.call(rest.account_info))
        return next((info for info in infos if int(info.account, 16) == int(account_address, 16)), None)

    async def look_up(self, client_id: ClientOrderId, signed_ms: int, symbol: str) -> OrderReport | None:
        """Read one order; None only when neither the open orders nor the history nor the fills know it.

        signed_ms: its signature timestamp. Raises Refused, DecodeError or ConnectionError when it cannot be told.
        """
        order = await self._find(client_id, symbol)
        fills = [fill for fill in await self._fills(symbol, signed_ms) if fill.client_id == client_id]
        if order is not None:
            return self._report(order, fills)
        if not fills:
            return None
        # The fill list is ahead of the order lists: it lives or lived, and more may fill.
        size_e8, notional, fee_e8 = self._sum(fills)
        order_id = VenueOrderId(fills[0].order_id)
        return OrderReport(order_id, is_final=False, filled_e8=size_e8, notional_e8=notional, fee_e8=fee_e8, reason="")

    async def _find(self, client_id: ClientOrderId, symbol: str) -> Order | None:
        try:
            return rest.read_order(await self.call(partial(rest.order_by_client_id, client_id=client_id)))
        except Refused as e:
            if e.code not in UNKNOWN_ORDER:
                raise
        # By client id the venue answers for open orders only; the closed ones are in the history.
        body = await self.call(partial(rest.orders_history, client_id=client_id, market=symbol))
        orders, _ = rest.read_orders(body)
        return next((order for order in orders if order.client_id == client_id), None)

    async def _fills(self, symbol: str, signed_ms: int) -> list[Fill]:
        found: list[Fill] = []
        cursor = ""
        start_ms = max(signed_ms - FILLS_BEFORE_MS, 0)
        for _ in range(PAGES_MAX):
            body = await self.call(partial(rest.fills, market=symbol, start_ms=start_ms, cursor=cursor))
            fills, cursor = rest.read_fills(body)
            found += fills
            if not cursor:
                return found
        raise ConnectionError(f"{symbol}: more than {PAGES_MAX} pages of fills since the order was signed")

    def _report(self, order: Order, fills: list[Fill]) -> OrderReport:
        size_e8, notional, fee_e8 = self._sum(fills)
        if size_e8 < order.filled_e8:
            # The fill list is behind. How much filled must be known now; price and fee are estimated from the order.
            size_e8 = order.filled_e8
            notional = notional_e8(order.avg_fill_price_e8 or order.price_e8 or 0, size_e8)
            fee_e8 = rate_of_e8(notional, self._instrument(order.market).fee_rate_taker_e8)
            self._log.warning("paradex.fills_behind_order", client_id=order.client_id, filled_e8=size_e8)
        reason = order.cancel_reason if order.remaining_e8 else ""
        return OrderReport(VenueOrderId(order.order_id), order.is_closed, size_e8, notional, fee_e8, reason)

    def _sum(self, fills: list[Fill]) -> tuple[int, int, int]:
        by_id = {fill.fill_id: fill for fill in fills}.values()  # pages may overlap
        size_e8 = sum(fill.size_e8 for fill in by_id)
        notional = sum(notional_e8(fill.price_e8, fill.size_e8) for fill in by_id)
        return size_e8, notional, sum(self._fee_of(fill, self._instrument(fill.market)) for fill in by_id)

    async def call(self, request: Callable[[Secret], rest.HttpRequest]) -> bytes:
        """Make a private call. With a token that is refused nothing was done, so it is made again with a new one."""
        try:
            return await self._http.call(request(await self._tokens.current()))
        except Refused as e:
            if e.code not in errors.NAMES_TOKEN_REFUSED:
                raise
            return await self._http.call(request(await self._tokens.renew()))


async def read_instruments(
    http: HttpCaller, symbols: tuple[str, ...], order_class: OrderClass, fee_taker_e8: int | None, log: EventLog
) -> tuple[dict[str, Instrument], dict[str, int]]:
    """Read the trading rules of the symbols, and the Retail taker fee where told. Raises ValueError for a wrong one.

    fee_taker_e8: the account's own taker rate, None where the venue does not tell it.
    """
    markets = {market.symbol: market for market in rest.read_markets(await http.call(rest.markets()))}
    instruments: dict[str, Instrument] = {}
    retail_rates_e8: dict[str, int] = {}
    for symbol in symbols:
        market = markets.get(symbol)
        if market is None:
            raise ValueError(f"paradex has no market {symbol}")
        if market.trading_mode not in ("", "STANDARD"):
            raise ValueError(f"paradex market {symbol} has trading mode {market.trading_mode}: no book orders")
        rate_e8 = _fee_taker_e8(market, order_class, fee_taker_e8)
        if rate_e8 is None:
            rate_e8 = FEE_RATE_TAKER_E8_DEFAULT
            log.warning("paradex.fee_rate_unknown", symbol=symbol, fee_rate_taker_e8=rate_e8)
        instruments[symbol] = Instrument(
            venue=NAME,
            symbol=symbol,
            price_tick_e8=market.price_tick_e8,
            size_step_e8=market.size_step_e8,
            size_min_e8=market.size_step_e8,
            size_max_e8=market.size_max_e8,
            notional_min_e8=market.notional_min_e8,
            fee_rate_taker_e8=rate_e8,
            position_max_e8=market.position_limit_e8,
            price_band_e8=market.price_band_e8,
        )
        if market.fee_interactive_taker_e8 is not None:
            retail_rates_e8[symbol] = market.fee_interactive_taker_e8
        # How many orders may rest is not kept: ours are immediate and never rest.
        log.info(
            "paradex.market",
            symbol=symbol,
            order_class=order_class.value,
            fee_rate_taker_e8=rate_e8,
            position_max_e8=market.position_limit_e8,
            price_band_e8=market.price_band_e8,
            open_orders_max=market.open_orders_max,
        )
    return instruments, retail_rates_e8


def _fee_taker_e8(market: rest.Market, order_class: OrderClass, account_e8: int | None) -> int | None:
    """Choose the rate of the class: Pro by the account's tier, Retail by the market, for tiers are about Pro orders."""
    if order_class is OrderClass.RETAIL:
        return account_e8 if market.fee_interactive_taker_e8 is None else market.fee_interactive_taker_e8
    return market.fee_taker_e8 if account_e8 is None else account_e8
