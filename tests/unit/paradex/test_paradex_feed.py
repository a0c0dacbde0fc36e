"""Books from bbo and deltas: the sequence rules, overlays, and repair."""

import asyncio
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.paradex.paradex_fake import E8, MemoryLog, MemorySink, RealClock
from tests.unit.paradex.paradex_rig import BTC, ETH, SETTINGS, Rig, make_rig, snapshot

from deltawire.core.book import Book
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.feed import MarketFeed
from deltawire.venues.paradex.records import Bbo, BookUpdate

STAMP_NS = 1_795_000_000_000_001_000


def delta(seq: int, bids=(), asks=(), market: str = BTC) -> BookUpdate:
    return BookUpdate(STAMP_NS, seq, False, list(bids), list(asks), market)


def bbo(seq: int, bid, ask, market: str = BTC) -> Bbo:
    return Bbo(STAMP_NS, seq, bid, ask, market)


def subscriptions(rig: Rig) -> int:
    return rig.fake.data_connection.methods.count("subscribe")


async def push(rig, *records) -> None:
    for record in records:
        rig.fake.data_connection.binary(record if isinstance(record, bytes) else sbe.encode(record))
    handled = asyncio.Event()
    asyncio.get_running_loop().call_soon(handled.set)
    await handled.wait()


async def test_deltas_in_sequence_change_the_book_and_are_told_with_their_receipt(rig):
    told = len(rig.sink.books)
    before_ns = time.monotonic_ns()
    await push(rig, delta(101, [(100_000 * E8, 5 * E8)]), delta(102, asks=[(100_001 * E8, 0)]))
    book = rig.venue.book(BTC)
    assert (book.bids[0], book.asks[0], book.seq) == ((100_000 * E8, 5 * E8), (100_002 * E8, 2 * E8), 102)
    assert rig.sink.books[told:] == [(BTC, True), (BTC, True)]
    assert book.received_mono_ns > before_ns
    assert book.venue_unix_ns == STAMP_NS


async def test_a_repeated_delta_changes_nothing(rig):
    change = delta(101, [(100_000 * E8, 5 * E8)])
    await push(rig, change, delta(102, [(100_000 * E8, 7 * E8)]), change)
    assert rig.venue.book(BTC).bids[0] == (100_000 * E8, 7 * E8)


async def test_a_gap_invalidates_only_its_book_and_a_new_subscription_repairs_it(rig):
    rig.fake.snapshots = lambda market: snapshot(market, 500)
    before = subscriptions(rig)
    await push(rig, delta(103, [(100_000 * E8, 5 * E8)]))
    book = rig.venue.book(BTC)
    assert not book.valid
    assert "gap" in book.why_invalid
    assert rig.venue.book(ETH).valid
    assert rig.sink.books[-1] == (BTC, False)
    await rig.sink.until(lambda: book.valid)
    assert (book.seq, subscriptions(rig)) == (500, before + 1)
    assert rig.fake.data_connection.methods[-2:] == ["unsubscribe", "subscribe"]


async def test_deltas_after_a_gap_are_not_applied_until_the_snapshot(rig):
    rig.fake.snapshots = None
    await push(rig, delta(103), delta(104, [(100_000 * E8, 5 * E8)]))
    assert not rig.venue.book(BTC).valid
    await push(rig, snapshot(BTC, 104), delta(105, [(100_000 * E8, 9 * E8)]))
    assert rig.venue.book(BTC).bids[0] == (100_000 * E8, 9 * E8)


async def test_a_crossed_book_is_invalid_and_repaired(rig):
    await push(rig, delta(101, [(100_002 * E8, E8)]))
    assert not rig.venue.book(BTC).valid
    assert "crossed" in rig.venue.book(BTC).why_invalid
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)


async def test_an_unreadable_frame_invalidates_the_books_it_may_have_been_of_and_is_counted(rig):
    rig.fake.snapshots = None
    await push(rig, sbe.encode(delta(101))[:-3])
    assert not rig.venue.book(BTC).valid
    assert not rig.venue.book(ETH).valid
    assert any(event == "paradex.frame_unreadable" for _, event, _ in rig.log.lines)
    assert rig.fake.data_connection.is_open


async def test_a_snapshot_with_a_sequence_below_zero_is_no_book(rig):
    await push(rig, snapshot(BTC, seq=-5))
    assert not rig.venue.book(BTC).valid
    assert "sequence -5" in rig.venue.book(BTC).why_invalid


async def test_frames_of_other_templates_and_markets_are_passed_over(rig):
    updates = rig.venue.book(BTC).updates
    unknown = bytearray(sbe.encode(delta(101)))
    unknown[2] = 99
    await push(rig, bytes(unknown), delta(7, market="SOL-USD-PERP"), bbo(9, None, None, "SOL-USD-PERP"))
    assert rig.venue.book(BTC).updates == updates
    assert rig.venue.book(BTC).valid


async def test_a_bbo_newer_than_the_book_is_laid_over_it_at_once(rig):
    await push(rig, bbo(102, (99_999 * E8, E8), (100_003 * E8, 4 * E8)))
    book = rig.venue.book(BTC)
    assert book.bids == [(99_999 * E8, E8), (99_998 * E8, 3 * E8)]
    assert book.asks == [(100_003 * E8, 4 * E8)]
    assert book.seq == 102


async def test_an_older_or_equal_bbo_changes_nothing(rig):
    await push(rig, delta(101, [(100_000 * E8, 5 * E8)]))
    told = len(rig.sink.books)
    await push(rig, bbo(101, (1 * E8, E8), (2 * E8, E8)), bbo(100, (1 * E8, E8), (2 * E8, E8)))
    assert rig.venue.book(BTC).bids[0] == (100_000 * E8, 5 * E8)
    assert len(rig.sink.books) == told


async def test_a_delta_trailing_behind_a_bbo_does_not_bring_back_what_is_gone(rig):
    # At 102 the best bid has fallen to 99 999; the delta of 101 still raised 100 000.
    await push(rig, bbo(102, (99_999 * E8, E8), (100_000 * E8, E8)), delta(101, [(100_000 * E8, 8 * E8)]))
    book = rig.venue.book(BTC)
    assert book.valid
    assert (book.bids[0], book.asks[0]) == ((99_999 * E8, E8), (100_000 * E8, E8))


async def test_a_bbo_before_the_snapshot_waits_for_it(rig):
    rig.fake.snapshots = None
    await push(rig, delta(150), bbo(160, (99_998 * E8, E8), (100_003 * E8, E8)), snapshot(BTC, 155))
    book = rig.venue.book(BTC)
    assert (book.bids[0], book.asks[0], book.seq) == ((99_998 * E8, E8), (100_003 * E8, E8), 160)


async def test_a_lost_market_data_socket_invalidates_every_book_and_comes_back(rig):
    rig.fake.data_connection.lose()
    await rig.sink.until(lambda: ("market data", False) in rig.sink.links)
    assert {(BTC, False), (ETH, False)} <= set(rig.sink.books)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid and rig.venue.book(ETH).valid)
    assert rig.venue.ready  # the order socket was not touched


async def test_a_silent_subscription_is_made_again():
    rig = make_rig(SETTINGS).restart_with(symbols=(BTC,), first_frame_timeout_s=0.01)
    rig.fake.snapshots = None
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: subscriptions(rig) >= 3)
    rig.fake.snapshots = snapshot
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    await rig.venue.close()


async def test_a_socket_without_any_frame_is_dropped_and_opened_again():
    rig = make_rig(SETTINGS).restart_with(silence_s=0.1)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: ("market data", False) in rig.sink.links)
    await rig.sink.until(lambda: rig.sink.links[-1] == ("market data", True))
    await rig.venue.close()


async def test_a_book_that_trails_behind_its_bbo_is_subscribed_anew():
    rig = make_rig(SETTINGS).restart_with(book_lag_s=0.05)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    rig.fake.snapshots = lambda market: snapshot(market, 900)
    await push(rig, bbo(800, (99_999 * E8, E8), (100_003 * E8, E8)))
    await rig.sink.until(lambda: rig.venue.book(BTC).seq == 900)
    assert (BTC, False) in rig.sink.books
    await rig.venue.close()


async def test_resubscribing_is_paced():
    rig = make_rig(SETTINGS).restart_with(resubscribe_pause_s=0.3)
    rig.fake.snapshots = lambda market: snapshot(market, 100)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    before = subscriptions(rig)
    started_ns = time.monotonic_ns()
    await push(rig, delta(200))
    assert subscriptions(rig) == before
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    assert time.monotonic_ns() - started_ns > 0.1 * 10**9
    await rig.venue.close()


async def test_the_snapshot_feed_takes_whole_frames_and_drops_old_ones():
    rig = make_rig(SETTINGS).restart_with(book_feed="snapshot", symbols=(BTC,))
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    assert f"order_book.{BTC}.snapshot@15@50ms" in rig.fake.data_connection.channels
    newer = snapshot(BTC, 150)._replace(bids=[(90_000 * E8, E8)])
    await push(rig, newer, snapshot(BTC, 120))
    assert rig.venue.book(BTC).bids == [(90_000 * E8, E8)]
    await rig.venue.close()


@pytest.mark.parametrize("consecutive", [True, False])
async def test_the_gap_rule_is_a_setting(consecutive):
    rig = make_rig(SETTINGS).restart_with(deltas_consecutive=consecutive)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    rig.fake.snapshots = None
    await push(rig, delta(110, [(100_000 * E8, 5 * E8)]))
    assert rig.venue.book(BTC).valid is not consecutive
    await rig.venue.close()


def random_market(rng: random.Random, steps: int) -> list[tuple[BookUpdate, Bbo, Book]]:
    """Make a valid history: at each step one delta, the bbo after it, and the true book."""
    truth = Book("paradex", BTC)
    first = snapshot(BTC)
    truth.replace(first.bids, first.asks, 100)
    history = []
    for seq in range(101, 101 + steps):
        while True:
            candidate = Book("paradex", BTC)
            candidate.replace(truth.bids, truth.asks, seq - 1)
            price_e8 = rng.randint(99_995, 100_006) * E8
            change = [(price_e8, rng.choice([0, 0, E8, 2 * E8]))]
            update = delta(seq, change, []) if rng.random() < 0.5 else delta(seq, [], change)
            candidate.apply(update.bids, update.asks, seq)
            if candidate.valid:
                break
        truth = candidate
        top = bbo(seq, truth.bids[0] if truth.bids else None, truth.asks[0] if truth.asks else None)
        history.append((update, top, truth))
    return history


@given(st.integers(0, 2**32), st.data())
def test_bbos_and_deltas_in_any_interleaving_give_the_true_top_and_in_the_end_the_true_book(seed, data):
    rng = random.Random(seed)
    history = random_market(rng, 12)
    clock = RealClock()
    market_feed = MarketFeed(SETTINGS, clock=clock, log=MemoryLog())
    sink = MemorySink()
    market_feed.attach(None, sink)  # type: ignore[arg-type]  # no link: nothing may try to repair
    market_feed.on_binary(memoryview(sbe.encode(snapshot(BTC))), 1)
    book = market_feed.book(BTC)
    deltas, tops = 0, 0
    while deltas < len(history):
        if tops < len(history) and data.draw(st.booleans()):
            market_feed.on_binary(memoryview(sbe.encode(history[tops][1])), 1)
            tops += 1
        else:
            market_feed.on_binary(memoryview(sbe.encode(history[deltas][0])), 1)
            deltas += 1
        newest = history[max(deltas, tops) - 1][2]
        assert book.valid
        assert (book.bids[:1], book.asks[:1], book.seq) == (newest.bids[:1], newest.asks[:1], newest.seq)
        if deltas >= tops:
            assert (book.bids, book.asks) == (newest.bids, newest.asks)
