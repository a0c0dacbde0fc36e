"""The whole check, in order: what needs nothing first, then the venues' public side, then the accounts."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deltawire.config.model import VENUES, BotConfig, PairConfig
from deltawire.config.secrets import BotSecrets
from deltawire.core.book import Book
from deltawire.core.money import format_e8
from deltawire.core.types import Instrument
from deltawire.doctor.accounts import FAILURES, Deaf, check_account, margin_e8
from deltawire.doctor.lines import Sheet
from deltawire.doctor.machine import SETTINGS, check_consent, check_machine, check_settings, disk_free
from deltawire.doctor.pairs import check_pair
from deltawire.doctor.reach import (
    Place,
    Resolve,
    check_reach,
    check_round_trip,
    date_offset_ms,
    system_resolve,
    tell_clock,
)
from deltawire.engine.assembly import market_makers, venue_makers
from deltawire.engine.clock import SystemClock
from deltawire.journal.accounts import AccountLocks, state_folder
from deltawire.journal.segments import JournalError
from deltawire.observe.log import BufferedLog
from deltawire.venues.paper.market import AnswersTime, PublicMarket

BOOK_WITHIN_S = 10.0
DATE_WITHIN_MS = 600  # half a second of the header, and the way
MS_NS = 10**6


@dataclass(slots=True)
class Found:
    """What the public side of a venue told."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=dict)


async def examine(
    config: BotConfig,
    secrets: BotSecrets | None,
    sheet: Sheet,
    *,
    clock: SystemClock,
    log: BufferedLog,
    resolve: Resolve = system_resolve,
    free: Callable[[Path], int] = disk_free,
    book_within_s: float = BOOK_WITHIN_S,
) -> None:
    """Fill the sheet. secrets: None where there are none, which the sheet says already, or the mode needs none."""
    is_usable = check_settings(config, sheet)
    if secrets is not None and not config.is_paper:
        check_consent(config, secrets.paradex_account, secrets.vest_primary_address, sheet)
    pid = check_machine(config, sheet, free)
    if not is_usable:
        for name in VENUES:
            sheet.skip(name, "market_data", "without a certificate authority nothing can be asked")
        return
    rng = random.Random()  # noqa: S311 - for the jitter of reconnects
    by_venue: dict[str, Found] = {}
    for name, make in market_makers(config, clock, log, rng).items():
        by_venue[name] = await _check_public(make(), config, sheet, clock, resolve, book_within_s)
    for pair in config.pairs:
        _check_pair(pair, config, by_venue, sheet)
    if config.is_paper:
        _check_paper(config, by_venue, sheet)
        return
    if secrets is None or pid is not None:
        why = "no usable keys" if secrets is None else f"a bot (process {pid}) is signed in"
        for name in by_venue:
            sheet.skip(name, "account", why)
        return
    accounts = {"paradex": secrets.paradex_account, "vest": secrets.vest_primary_address}
    try:
        with AccountLocks(accounts, state_folder()):
            await _check_accounts(config, secrets, by_venue, sheet, clock, log, rng)
    except JournalError as e:
        for name in by_venue:
            sheet.skip(name, "account", str(e))


async def _check_accounts(
    config: BotConfig,
    secrets: BotSecrets,
    by_venue: dict[str, Found],
    sheet: Sheet,
    clock: SystemClock,
    log: BufferedLog,
    rng: random.Random,
) -> None:
    for name, make in venue_makers(config, secrets, clock, log, rng).items():
        public = by_venue[name]
        if not public.instruments:
            sheet.skip(name, "account", "the venue's public side does not answer")
            continue
        try:
            venue = make()
        except ValueError as e:
            sheet.fail(SETTINGS, "keys", str(e), "copy account and key again, both of the same wallet")
            continue
        prices_e8 = {symbol: book.mid_e8() for symbol, book in public.books.items()}
        await check_account(venue, config, prices_e8, sheet)


async def _check_public(
    market: PublicMarket,
    config: BotConfig,
    sheet: Sheet,
    clock: SystemClock,
    resolve: Resolve,
    book_within_s: float,
) -> Found:
    """Look at all of a venue that needs no account."""
    place, symbols = _place(market, config), [pair.legs[market.name] for pair in config.pairs]
    found = Found()
    try:
        if not await check_reach(place, sheet, resolve):
            return found
        try:
            await check_round_trip(place, sheet, market.ping)
            await _check_clock(market, place, sheet, clock)
            sheet.wait(f"{market.name}: reading markets and books")
            ear = _Books(book_within_s)
            await market.start(ear)
        except FAILURES as e:
            remedy = f"look at the URLs and markets of {market.name} in the config, and at the venue's status page"
            sheet.fail(market.name, "market_data", f"{type(e).__name__}: {e}", remedy)
            return found
        for symbol in symbols:
            await _check_market(market, symbol, ear, found, sheet)
    finally:
        await market.close()
    return found


class _Books(Deaf):
    """Hears of books."""

    def __init__(self, within_s: float) -> None:
        self.within_s, self._told = within_s, asyncio.Event()

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        del book, received_mono_ns
        self._told.set()

    async def until_two_sided(self, book: Book) -> bool:
        """Wait for both sides of a book; False when they do not come."""
        try:
            async with asyncio.timeout(self.within_s):
                while not book.two_sided:
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            return False
        return True


async def _check_market(market: PublicMarket, symbol: str, ear: _Books, found: Found, sheet: Sheet) -> None:
    rules = market.instrument(symbol)
    found.instruments[symbol] = rules
    told = f"{symbol}: tick {format_e8(rules.price_tick_e8)}, size step {format_e8(rules.size_step_e8)}"
    if rules.notional_min_e8:
        told += f", from {format_e8(rules.notional_min_e8)} USD"
    sheet.ok(market.name, "rules", f"{told}, taker fee {rules.fee_rate_taker_e8 / 1e4:g} bps without an account's tier")
    block = market.entry_block(symbol)
    if block:
        sheet.warn(market.name, "market_state", f"{symbol}: {block}", "nothing is opened there until this has passed")
    else:
        sheet.ok(market.name, "market_state", f"{symbol}: trades")
    book = market.book(symbol)
    is_there = await ear.until_two_sided(book)
    found.books[symbol] = _copy(book)  # closing the market voids its books
    if is_there:
        bid, ask = format_e8(book.bids[0][0]), format_e8(book.asks[0][0])
        sheet.ok(market.name, "book", f"{symbol}: {bid} / {ask}")
    else:
        why = book.why_invalid or "a side is empty"
        remedy = "is the market shut? See the venue's status page; without a book nothing is traded"
        sheet.fail(market.name, "book", f"{symbol}: no book within {ear.within_s:g} s ({why})", remedy)


def _copy(book: Book) -> Book:
    copied = Book(book.venue, book.symbol)
    if book.valid:
        copied.replace(book.bids, book.asks)
    return copied


async def _check_clock(market: PublicMarket, place: Place, sheet: Sheet, clock: SystemClock) -> None:
    if isinstance(market, AnswersTime):
        before_ms = clock.unix_ns() // MS_NS
        venue_ms = await market.venue_unix_ms()
        after_ms = clock.unix_ns() // MS_NS
        tell_clock(place, sheet, (before_ms + after_ms) // 2 - venue_ms, (after_ms - before_ms) // 2 + 1)
        return
    offset_ms = await date_offset_ms(place, clock)
    if offset_ms is None:
        sheet.skip(market.name, "clock", "the venue does not tell its time")
    else:
        tell_clock(place, sheet, offset_ms, DATE_WITHIN_MS)


def _place(market: PublicMarket, config: BotConfig) -> Place:
    venue = config.venues.paradex if market.name == "paradex" else config.venues.vest
    return Place(market.name, venue.rest_url, venue.ws_url, venue.ca_file, venue.recv_window_ns // MS_NS)


def _check_pair(pair: PairConfig, config: BotConfig, by_venue: dict[str, Found], sheet: Sheet) -> None:
    legs = list(pair.legs.items())
    missing = [venue for venue, symbol in legs if symbol not in by_venue[venue].instruments]
    if missing:
        sheet.skip(f"pair {pair.id}", "rules", f"the market's rules are not known ({', '.join(missing)})")
        return
    instruments = [by_venue[venue].instruments[symbol] for venue, symbol in legs]
    books = [by_venue[venue].books[symbol] for venue, symbol in legs]
    check_pair(pair, config, (instruments[0], instruments[1]), (books[0], books[1]), sheet)


def _check_paper(config: BotConfig, by_venue: dict[str, Found], sheet: Sheet) -> None:
    for name, public in by_venue.items():
        prices_e8 = {symbol: book.mid_e8() for symbol, book in public.books.items()}
        leverages = dict.fromkeys(prices_e8, config.paper.leverage)
        equity_e8, needed_e8 = config.paper.equity_e8, margin_e8(name, config, prices_e8, leverages)
        told = f"paper equity {equity_e8 / 1e8:,.2f} USD"
        if needed_e8 > equity_e8:
            told += f"; the largest pair binds about {needed_e8 / 1e8:,.2f}"
            sheet.fail(name, "balance", told, "raise paper.equity_usd or paper.leverage, or lower the size")
        else:
            sheet.ok(name, "balance", told)
        sheet.skip(name, "account", "mode paper needs no key and looks at no account")
