"""Checks of one account: does the key sign in, what may it do, fees, balance, leverage, what is on. Sends no order."""

from deltawire.config.model import BotConfig
from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.money import E8
from deltawire.core.types import ClientOrderId
from deltawire.doctor.lines import Sheet
from deltawire.engine.ids import is_ours
from deltawire.venues.contract import Refused, TellsAccount, Venue

FAILURES = (OSError, TimeoutError, ValueError, Refused)
LEVERAGE_USUAL = 10  # reckoned with where the venue tells none


class Deaf:
    """A sink for what an adapter tells by itself."""

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        pass

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        pass

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        pass


async def check_account(venue: Venue, config: BotConfig, prices_e8: dict[str, int], sheet: Sheet) -> None:
    """Sign in and read. prices_e8: of this venue's markets, for what a position would need."""
    sheet.wait(f"{venue.name}: signing in")
    try:
        try:
            await venue.start(Deaf())
        except FAILURES as e:
            remedy = (
                "look at account and key (one account's? of this environment? a registered subkey?) and at the clock"
            )
            sheet.fail(venue.name, "sign_in", f"{type(e).__name__}: {e}", remedy)
            return
        sheet.ok(venue.name, "sign_in", "the key is accepted")
        try:
            await _look(venue, config, prices_e8, sheet)
        except FAILURES as e:
            sheet.fail(venue.name, "account", f"{type(e).__name__}: {e}", "check again; if it stays, ask the venue")
    finally:
        await venue.close()


async def _look(venue: Venue, config: BotConfig, prices_e8: dict[str, int], sheet: Sheet) -> None:
    leverages: dict[str, int] = {}
    if isinstance(venue, TellsAccount):
        _check_key(venue, venue.name, sheet)
        leverages = await venue.leverages()
        _check_leverage(venue.name, leverages, prices_e8, sheet)
    fees = {symbol: venue.instrument(symbol).fee_rate_taker_e8 for symbol in prices_e8}
    sheet.ok(venue.name, "fees", ", ".join(f"{symbol} {fee / 1e4:g} bps taker" for symbol, fee in fees.items()))
    await _check_balance(venue, config, prices_e8, leverages, sheet)
    held = await venue.positions()
    if held:
        told = ", ".join(f"{at.symbol} {at.size_e8 / 1e8:g}" for at in held)
        remedy = "the bot takes over what its journal opened; anything else in a market it trades, close first"
        sheet.warn(venue.name, "positions", told, remedy)
    else:
        sheet.ok(venue.name, "positions", "none")
    resting = await venue.open_orders()
    if resting:
        ours = sum(is_ours(order.client_id) for order in resting)
        told = f"{len(resting)} open orders, {ours} of them the bot's"
        remedy = "the bot cancels its own at the start; the others may move its position, so cancel them"
        sheet.warn(venue.name, "open_orders", told, remedy)
    else:
        sheet.ok(venue.name, "open_orders", "none")


def _check_key(venue: TellsAccount, name: str, sheet: Sheet) -> None:
    match venue.key_kind:
        case "main":
            remedy = "register a subkey at the venue and put that into .env: it can trade and not withdraw"
            sheet.warn(name, "key", "this is the account's main key, which can withdraw", remedy)
        case "subkey":
            sheet.ok(name, "key", "a subkey: trades, cannot withdraw")
        case "primary":
            told = (
                "the wallet's own key: the venue registers a trading key only with it. Keep nothing else in that wallet"
            )
            sheet.ok(name, "key", told)
        case _:
            sheet.skip(name, "key", "the venue does not tell what kind of key this is")


def _check_leverage(name: str, leverages: dict[str, int], prices_e8: dict[str, int], sheet: Sheet) -> None:
    told = ", ".join(f"{symbol} {leverages[symbol]}x" for symbol in prices_e8 if symbol in leverages)
    if told:
        sheet.ok(name, "leverage", told)
    else:
        sheet.skip(name, "leverage", "none set: the venue's own for the market counts")


async def _check_balance(
    venue: Venue, config: BotConfig, prices_e8: dict[str, int], leverages: dict[str, int], sheet: Sheet
) -> None:
    balance = await venue.balance()
    needed_e8 = margin_e8(venue.name, config, prices_e8, leverages)
    told = f"equity {balance.equity_e8 / 1e8:,.2f}, free {balance.free_e8 / 1e8:,.2f} USD"
    share_e8 = balance.free_e8 * E8 // balance.equity_e8 if balance.equity_e8 > 0 else 0
    if balance.equity_e8 <= 0:
        sheet.fail(venue.name, "balance", told, "deposit at the venue: nothing is opened without collateral")
    elif share_e8 < config.limits.free_margin_min_e8:
        remedy = "deposit or close positions: under limits.free_margin_bps_min nothing is opened"
        sheet.fail(venue.name, "balance", told, remedy)
    elif balance.free_e8 < needed_e8:
        told += f"; the largest pair wants about {needed_e8 / 1e8:,.2f}"
        sheet.warn(venue.name, "balance", told, "deposit, or lower the size: entries would be refused by the venue")
    else:
        sheet.ok(venue.name, "balance", told)


def margin_e8(venue: str, config: BotConfig, prices_e8: dict[str, int], leverages: dict[str, int]) -> int:
    """Return what one entry of the dearest pair binds on this venue, about."""
    wanted = [0]
    for pair in config.pairs:
        symbol = pair.legs[venue]
        leverage = leverages.get(symbol) or LEVERAGE_USUAL
        wanted.append(prices_e8.get(symbol, 0) * pair.size_e8 // E8 // leverage)
    return max(wanted)
