"""Asks the venues themselves what a journal says of them. Sends no order; opens its own connections.

Not while a bot runs on the same account: Vest has one trading key registered at a time, and a running bot compares
itself anyway.
"""

import asyncio
import random
import sys
from collections.abc import Mapping
from pathlib import Path

from deltawire.config.model import BotConfig
from deltawire.config.secrets import BotSecrets
from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.money import format_e8
from deltawire.core.types import ClientOrderId
from deltawire.engine.account_side import AccountSide
from deltawire.engine.assembly import venues_of
from deltawire.engine.clock import SystemClock
from deltawire.engine.ids import is_ours
from deltawire.engine.recovery import Recovered, read_back
from deltawire.engine.tally import Tally
from deltawire.journal.read import OrderRow
from deltawire.journal.records import MoneyRow
from deltawire.journal.segments import read
from deltawire.journal.statement import Difference, OrderAnswer, Statement, VenueAnswer
from deltawire.net import loop as net_loop
from deltawire.observe.log import BufferedLog, Level, Output, human_line
from deltawire.venues.contract import KeepsBooks, Payment, Refused, Venue

SETTLE_S = 5.0  # Vest shows a position up to half a second after its fill; a difference is believed after this long
_POLL_S = 0.5
_FAILURES = (OSError, TimeoutError, ValueError, Refused)


def ask_venues(config: BotConfig, secrets: BotSecrets, statement: Statement, folder: Path) -> dict[str, VenueAnswer]:
    """Ask every venue of the config, all at once. folder: of the journal."""
    recovered = read_back((record for _, record in read(folder)), 0)
    return net_loop.run(_ask_all(config, secrets, statement, recovered))


async def _ask_all(
    config: BotConfig, secrets: BotSecrets, statement: Statement, recovered: Recovered
) -> dict[str, VenueAnswer]:
    clock = SystemClock()
    with BufferedLog(clock, [Output(sys.stderr.buffer, human_line, Level.ERROR)]) as log:
        log.hide(secrets.paradex_private_key)
        log.hide(secrets.vest_primary_private_key)
        log.start()
        venues = venues_of(config, secrets, clock, log, random.Random())  # noqa: S311 - for the jitter of reconnects
        answers = await asyncio.gather(*(ask_venue(venue, statement, recovered) for venue in venues))
        return {venue.name: answer for venue, answer in zip(venues, answers, strict=True)}


async def ask_venue(venue: Venue, statement: Statement, recovered: Recovered) -> VenueAnswer:
    """Start one adapter, read what it says of the account, and close it."""
    account = statement.accounts.get(venue.name)
    expected = account.positions if account is not None else {}
    try:
        await venue.start(_Deaf())
        positions = await _positions(venue, expected)
        balance = await venue.balance()
        resting = [order.client_id for order in await venue.open_orders() if is_ours(order.client_id)]
        asked = statement.to_look_up.get(venue.name, ())
        orders = [await _look_up(venue, order) for order in asked]
        money, found = await _money(venue, statement, recovered)
    except _FAILURES as e:
        return VenueAnswer(failure=f"{type(e).__name__}: {e}")
    finally:
        await venue.close()
    equity_e8, free_e8 = balance.equity_e8, balance.free_e8
    return VenueAnswer(positions, tuple(resting), equity_e8, free_e8, tuple(orders), money, tuple(found))


async def _positions(venue: Venue, expected: Mapping[str, int]) -> dict[str, int]:
    deadline_s = asyncio.get_running_loop().time() + SETTLE_S
    while True:
        held = {report.symbol: report.size_e8 for report in await venue.positions()}
        agrees = all(held.get(symbol, 0) == size_e8 for symbol, size_e8 in expected.items())
        if agrees or asyncio.get_running_loop().time() > deadline_s:
            return held
        await asyncio.sleep(_POLL_S)


async def _money(venue: Venue, statement: Statement, recovered: Recovered) -> tuple[MoneyRow | None, list[Difference]]:
    """Compare fills, fees, funding and balance since the last run opened the account."""
    row = statement.money.get(venue.name)
    if row is None or not isinstance(venue, KeepsBooks):
        return None, []
    tally = Tally()
    intents = [(intent, trade) for trade in recovered.trades.values() for intent in trade.intents]
    for intent, trade in intents:
        if intent.venue == venue.name and intent.unix_ns >= row.opening_unix_ns:
            tally.take_over(intent, trade.news.get(intent.client_id, []))
    unrecorded: list[Difference] = []

    def on_payment(name: str, payment: Payment, _client_id: str) -> None:
        told = format_e8(payment.payment_e8)
        unrecorded.append(Difference(f"{name} payment {payment.payment_id}", "not on record", told, "funding"))

    side = AccountSide(
        venue=venue.name,
        tally=tally,
        instruments={symbol: venue.instrument(symbol) for symbol in statement.accounts[venue.name].positions},
        known_payments=dict(recovered.payments.get(venue.name, {})),
        on_payment=on_payment,
        since_unix_ns=row.opening_unix_ns,
        is_open=True,
        opening_unix_ns=row.opening_unix_ns,
        opening_e8=row.opening_e8,
    )
    now_row, items = side.take(await venue.money(row.opening_unix_ns), row.opening_unix_ns)
    differing = [Difference(f"{i.venue} {i.item}", i.journal, i.told, i.kind) for i in items]
    return now_row, unrecorded + differing


async def _look_up(venue: Venue, order: OrderRow) -> OrderAnswer:
    try:
        told = await venue.look_up(ClientOrderId(order.client_id), order.correlator, order.symbol)
    except _FAILURES as e:
        return OrderAnswer(order.client_id, failure=f"{type(e).__name__}: {e}")
    if told is None:
        return OrderAnswer(order.client_id)
    return OrderAnswer(order.client_id, told.filled_e8, told.fee_e8, told.is_final)


class _Deaf:
    """A sink for what an adapter tells by itself."""

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        pass

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        pass

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        pass
