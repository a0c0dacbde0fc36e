"""Every adapter: start, instruments, books, links, account reads, close, and what the log may hold."""

import asyncio
import re
import ssl
from functools import partial
from itertools import count

import pytest
from tests.conformance.venues.suite import ASK_E8, BASE, BID_E8, SIZE_E8, Rig, quote, until, until_awaited

from deltawire.core.book import Book
from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.venues.contract import MARKET_DATA, ORDERS, PRIVATE, Refused

BPS_E8 = BID_E8 // 10_000


async def test_start_ends_ready_and_not_before(make):
    rig = make()
    assert rig.venue.name == rig.world.name
    assert not rig.venue.ready
    await rig.venue.start(rig.ear)
    assert rig.venue.ready
    await until(lambda: rig.book.valid, "the first picture of the book")
    assert rig.venue.entry_block(rig.world.symbol) == ""


async def test_instruments_are_the_venues_own_rules_exactly(rig: Rig):
    assert rig.venue.instrument(rig.world.symbol) == rig.world.instrument
    with pytest.raises(KeyError):
        rig.venue.instrument("NO-SUCH")


async def test_the_book_follows_the_market(rig: Rig):
    book = rig.book
    for step in (1, -2, 3):
        shift_e8 = step * 10 * BPS_E8
        rig.world.market.publish(rig.world.name, BASE, quote(BID_E8 + shift_e8, ASK_E8 + shift_e8))
        wanted_e8 = (BID_E8 + ASK_E8) // 2 + shift_e8
        await until(partial(is_near, book, wanted_e8), f"the mid is {wanted_e8}")
    assert rig.venue.book(rig.world.symbol) is book, "one object for the life of the adapter"
    assert book.valid
    assert book.bids[0][0] < book.asks[0][0]
    assert book.bids == sorted(book.bids, reverse=True)
    assert book.asks == sorted(book.asks)
    assert all(price_e8 % rig.world.instrument.price_tick_e8 == 0 for price_e8, _ in book.bids + book.asks)


def is_near(book: Book, mid_e8: int) -> bool:
    return abs(book.mid_e8() - mid_e8) < BPS_E8


async def test_each_change_of_a_book_is_told_with_its_receipt(rig: Rig):
    before = len(rig.ear.book_calls)
    rig.world.market.publish(rig.world.name, BASE, quote(BID_E8 + 5 * BPS_E8, ASK_E8 + 5 * BPS_E8))
    await until(lambda: len(rig.ear.book_calls) > before, "the change is told")
    symbol, valid, received_mono_ns = rig.ear.book_calls[-1]
    assert (symbol, valid) == (rig.world.symbol, True)
    assert received_mono_ns == rig.book.received_mono_ns > 0
    receipts = [received for _, _, received in rig.ear.book_calls]
    assert receipts == sorted(receipts)


async def test_books_carry_the_venues_time_where_the_capabilities_say_so(rig: Rig):
    assert (rig.book.venue_unix_ns > 0) == rig.venue.capabilities.venue_stamps_books


async def test_a_book_in_question_is_invalid_until_a_fresh_picture(rig: Rig):
    for fault in rig.world.break_book():
        rig.world.faults.add(fault)
    seen = len(rig.ear.book_calls)
    shifts_e8 = count(BPS_E8 // 10, BPS_E8 // 10)

    def is_in_question() -> bool:
        """Publish once more, for a lost delta shows with the next one, and say whether the loss was told."""
        shift_e8 = next(shifts_e8)
        rig.world.market.publish(rig.world.name, BASE, quote(BID_E8 + shift_e8, ASK_E8 + shift_e8))
        return any(not valid for _, valid, _ in rig.ear.book_calls[seen:])

    await until(is_in_question, "it is told that the book became invalid")
    rig.world.mend_book()
    await until(lambda: rig.book.valid, "valid again")


async def test_a_lost_connection_is_told_voids_the_book_and_is_made_again(rig: Rig):
    seen_links, seen_books = len(rig.ear.links), len(rig.ear.book_calls)
    rig.fault("drop_stream")
    await until(lambda: any(not up for _, up in rig.ear.links[seen_links:]), "the loss is told")
    await until(lambda: any(not valid for _, valid, _ in rig.ear.book_calls[seen_books:]), "the book became invalid")
    await rig.fit_again()
    last = dict(rig.ear.links)
    await until(lambda: all(dict(rig.ear.links).values()), f"every link is up again: {last}")
    prepared = rig.submit()
    await rig.ended(prepared)
    rig.assert_true(prepared)


async def test_links_have_the_contracts_names_and_are_told_up_once_each(rig: Rig):
    await until(lambda: rig.ear.links, "a link is told")
    names = [link for link, up in rig.ear.links if up]
    assert set(names) <= {MARKET_DATA, ORDERS, PRIVATE}
    assert len(names) == len(set(names))
    assert MARKET_DATA in names
    assert ORDERS in names


async def test_positions_open_orders_and_balance_agree_with_the_venues_record(rig: Rig):
    assert await rig.venue.positions() == []
    assert (await rig.venue.balance()).equity_e8 == rig.world.truth().equity_e8 > 0
    prepared = rig.submit(Side.SELL)
    order = await rig.ended(prepared)
    assert rig.world.truth().position_e8 == -SIZE_E8
    price_e8 = order.notional_e8 * E8 // SIZE_E8

    async def agreed() -> bool:
        """The venue may show a fill in the account later than it tells it."""
        held, balance = await rig.venue.positions(), await rig.venue.balance()
        truth = rig.world.truth()
        return (
            len(held) == 1
            and held[0].size_e8 == truth.position_e8
            and balance.equity_e8 == truth.equity_e8
            and 0 < balance.free_e8 < balance.equity_e8
        )

    await until_awaited(agreed, "the account agrees with the venue's record")
    [position] = await rig.venue.positions()
    assert (position.symbol, position.size_e8) == (rig.world.symbol, -SIZE_E8)
    assert abs(position.entry_price_e8 - price_e8) <= rig.world.instrument.price_tick_e8
    assert await rig.venue.open_orders() == []
    assert rig.world.truth().open_orders == 0


async def test_an_order_the_venue_holds_is_listed_as_it_is(slow: Rig):
    held = await slow.world.hold(slow)
    assert await slow.venue.open_orders() == ([] if held is None else [held])


async def test_open_orders_die_with_the_connection_where_the_capabilities_say_so(slow: Rig):
    held = await slow.world.hold(slow)
    if held is None:
        pytest.skip("no order is ever open here")
    seen = len(slow.ear.links)
    slow.fault("drop_stream")
    await until(lambda: any(not up for _, up in slow.ear.links[seen:]), "the loss is told")
    await until(lambda: slow.venue.ready and slow.book.valid, "connected again")
    listed = await slow.venue.open_orders()
    assert listed == ([] if slow.venue.capabilities.cancels_on_disconnect else [held])


async def test_a_position_that_was_closed_is_not_listed(rig: Rig):
    await rig.ended(rig.submit(Side.BUY))
    await rig.ended(rig.submit(Side.SELL))

    async def is_flat() -> bool:
        return await rig.venue.positions() == []

    await until_awaited(is_flat, "no position is listed")
    assert rig.world.truth().position_e8 == 0


async def test_close_may_be_repeated_and_leaves_no_task_and_no_timer_behind(make):
    before = asyncio.all_tasks()
    rig = make()
    await rig.start()
    await rig.ended(rig.submit())
    if not rig.world.on_paper:
        rig.fault("drop_before")
    rig.submit()  # closing with an order unanswered
    await rig.venue.close()
    heard = list(rig.ear.events.items())
    await rig.venue.close()
    assert not rig.venue.ready
    await until(lambda: asyncio.all_tasks() <= before, f"left behind: {asyncio.all_tasks() - before}")
    calls = len(rig.ear.book_calls)
    rig.world.market.publish(rig.world.name, BASE, quote(BID_E8 + BPS_E8, ASK_E8 + BPS_E8))
    await asyncio.sleep(0.05)  # nothing is to happen, so there is nothing to wait for
    assert len(rig.ear.book_calls) == calls
    assert list(rig.ear.events.items()) == heard


async def test_close_before_start_is_harmless(make):
    rig = make()
    await rig.venue.close()
    await rig.venue.close()
    assert not rig.venue.ready


async def test_a_start_that_cannot_be_raises_and_leaves_nothing_behind(make):
    before = asyncio.all_tasks()
    rig = make()
    await rig.world.stop()
    with pytest.raises((OSError, TimeoutError, Refused, ValueError)) as caught:
        await rig.venue.start(rig.ear)
    assert not rig.venue.ready
    await until(lambda: asyncio.all_tasks() <= before, f"left behind: {asyncio.all_tasks() - before}")
    assert not hidden_in(repr(caught.value), rig.world.secrets())


async def test_no_secret_reaches_the_log_a_repr_or_a_message(make, client_tls: ssl.SSLContext):
    rig = make(reply_timeout_s=0.3, recv_window_ms=300)
    await rig.start()
    long_runs: set[str] = set()
    secrets = set(rig.world.secrets())
    seen = [repr(rig.venue)]
    for kind in ("reject_order", "drop_before", "drop_after", "lose_reply"):
        rig.fault(kind)
        prepared = rig.submit()
        if kind.startswith("drop"):
            await rig.doubted_or_ended(prepared)  # the loss is seen: "ready again" below means after it
        await rig.resolve(prepared)
        # A signature is a long run of digits or letters in the bytes that were written.
        long_runs |= set(re.findall(r"\w{40,}", prepared.payload.decode()))
        seen += [repr(prepared), repr(rig.events(prepared))]
        await rig.fit_again()
    await rig.venue.balance()
    secrets |= set(rig.world.secrets())
    await rig.venue.close()
    assert long_runs, "the signature was found in the payload"
    assert secrets
    text = "\n".join([*seen, *(f"{event} {fields}" for event, fields in rig.log.events)])
    assert hidden_in(text, sorted(secrets | long_runs)) == []
    assert rig.log.events


def hidden_in(text: str, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret.lower() in text.lower()]


async def test_two_adapters_of_one_account_hear_each_other_without_harm(make):
    one = make()
    one.wants_a_venue()
    other = make()
    await one.start()
    await other.start()
    prepared = one.submit()
    await one.ended(prepared)
    one.assert_true(prepared)
    await other.venue.positions()
    assert other.ear.illegal == []
    theirs = other.submit(Side.SELL)
    await other.ended(theirs)
    assert other.order(theirs).filled_e8 == SIZE_E8
