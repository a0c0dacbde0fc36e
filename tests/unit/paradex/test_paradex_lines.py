"""Several market data connections as one: first copy wins, holes are filled or seen, lost lines cost nothing."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.paradex.paradex_fake import E8, FakeConnection, MemoryLog, MemorySink, RealClock
from tests.unit.paradex.paradex_rig import BTC, SETTINGS, Rig, make_rig, snapshot
from tests.unit.paradex.test_paradex_feed import bbo, delta, random_market

from deltawire.core.book import Book
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.feed import MarketFeed
from deltawire.venues.paradex.lines import HOLE_WAIT_NS, WAITING_MAX, Line, Lines
from deltawire.venues.paradex.records import Record
from deltawire.venues.paradex.settings import BookFeed

TWO = replace(SETTINGS, symbols=(BTC,), feed_connections=2)


@pytest.fixture
async def pair() -> AsyncIterator[Rig]:
    rig = make_rig(TWO)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    yield rig
    await rig.venue.close()


def data_lines(rig: Rig) -> list[FakeConnection]:
    return [known for known in rig.fake.connections if known.is_open and "auth" not in known.methods]


def tell(line: FakeConnection, *records: Record) -> None:
    for record in records:
        line.handler.on_binary(memoryview(sbe.encode(record)), RealClock().mono_ns())


def subscribes(rig: Rig) -> int:
    return sum(line.methods.count("subscribe") for line in data_lines(rig))


async def test_both_lines_carry_the_same_channels_and_the_first_copy_wins(pair):
    first, second = data_lines(pair)
    assert first.channels == second.channels
    told = len(pair.sink.books)
    change = delta(101, [(100_000 * E8, 5 * E8)])
    tell(second, change)
    tell(first, change)
    assert pair.venue.book(BTC).bids[0] == (100_000 * E8, 5 * E8)
    assert pair.sink.books[told:] == [(BTC, True)]


async def test_a_lost_line_costs_no_book_and_is_made_anew(pair):
    first, second = data_lines(pair)
    links = list(pair.sink.links)
    first.lose()
    await pair.sink.until(lambda: any(line[1] == "paradex.line_down" for line in pair.log.lines))
    assert pair.venue.book(BTC).valid
    tell(second, delta(101, [(100_000 * E8, 5 * E8)]))
    assert pair.venue.book(BTC).seq == 101
    await pair.sink.until(lambda: len(data_lines(pair)) == 2)
    assert pair.sink.links == links, "for the engine the feed was never down"
    assert pair.venue.book(BTC).seq == 101, "the new line's older snapshot changes nothing"


async def test_with_all_lines_lost_the_books_are_invalid_until_one_is_back(pair):
    pair.fake.refuse_connects = 1_000_000
    for line in data_lines(pair):
        line.lose()
    await pair.sink.until(lambda: not pair.venue.book(BTC).valid)
    assert pair.sink.links[-1] == ("market data", False)
    pair.fake.refuse_connects = 0
    await pair.sink.until(lambda: pair.sink.links[-1] == ("market data", True))
    assert pair.venue.book(BTC).valid


async def test_a_delta_missing_on_one_line_is_taken_from_the_other(pair):
    first, second = data_lines(pair)
    before = subscribes(pair)
    tell(first, delta(102, [(99_999 * E8, 7 * E8)]))
    assert pair.venue.book(BTC).seq == 100, "102 waits for 101"
    tell(second, delta(101, [(100_000 * E8, 5 * E8)]))
    book = pair.venue.book(BTC)
    assert (book.seq, book.bids[:2]) == (102, [(100_000 * E8, 5 * E8), (99_999 * E8, 7 * E8)])
    assert book.valid
    assert subscribes(pair) == before


async def test_a_delta_missing_on_all_lines_is_a_gap(pair):
    first, second = data_lines(pair)
    before = subscribes(pair)
    tell(first, delta(102))
    tell(second, delta(102))
    assert "gap" in pair.venue.book(BTC).why_invalid
    pair.fake.snapshots = lambda market: snapshot(market, 500)
    await pair.sink.until(lambda: pair.venue.book(BTC).valid)
    assert subscribes(pair) == before + 2, "on both lines"


async def test_a_hole_that_nobody_fills_in_time_is_a_gap(pair):
    tell(data_lines(pair)[0], delta(102))
    assert pair.venue.book(BTC).valid
    await pair.sink.until(lambda: (BTC, False) in pair.sink.books)
    assert HOLE_WAIT_NS < 10**9


async def test_the_line_that_had_the_missing_delta_is_lost(pair):
    first, second = data_lines(pair)
    tell(first, delta(102))
    second.lose()
    await pair.sink.until(lambda: (BTC, False) in pair.sink.books)


async def test_an_unreadable_frame_costs_its_line_while_there_is_another(pair):
    first, second = data_lines(pair)
    first.handler.on_binary(memoryview(sbe.encode(delta(101))[:-3]), 1)
    assert pair.venue.book(BTC).valid
    assert not first.is_open
    tell(second, delta(101, [(100_000 * E8, 5 * E8)]))
    assert pair.venue.book(BTC).seq == 101


async def test_an_unreadable_frame_of_the_last_line_invalidates_the_books(pair):
    first, second = data_lines(pair)
    pair.fake.refuse_connects = 1_000_000
    first.lose()
    await pair.sink.until(lambda: any(line[1] == "paradex.line_down" for line in pair.log.lines))
    second.handler.on_binary(memoryview(sbe.encode(delta(101))[:-3]), 1)
    assert "unreadable" in pair.venue.book(BTC).why_invalid


async def test_bbos_come_from_whichever_line_is_first(pair):
    first, second = data_lines(pair)
    top = bbo(102, (99_999 * E8, E8), (100_003 * E8, 4 * E8))
    tell(second, top)
    told = len(pair.sink.books)
    tell(first, top)
    assert len(pair.sink.books) == told
    assert pair.venue.book(BTC).bids[0] == (99_999 * E8, E8)


async def test_whole_frames_need_no_order(unstarted: Rig):
    rig = unstarted.restart_with(symbols=(BTC,), feed_connections=2, book_feed=BookFeed.SNAPSHOT)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.venue.book(BTC).valid)
    first, second = data_lines(rig)
    tell(first, snapshot(BTC, 150))
    tell(second, snapshot(BTC, 140)._replace(bids=[(E8, E8)]))
    assert (rig.venue.book(BTC).seq, rig.venue.book(BTC).bids[0]) == (150, (100_000 * E8, E8))
    await rig.venue.close()


def test_throttled_deltas_of_several_lines_do_not_mix():
    with pytest.raises(ValueError, match="several feed connections"):
        make_rig(replace(TWO, deltas_consecutive=False))


# ---- whatever the lines do, no book is wrong


class StandInLink:
    """Enough of a link for a line: up or not."""

    def __init__(self) -> None:
        self.up, self.heard_mono_ns = True, 1


@given(st.integers(0, 2**64), st.integers(2, 3))
def test_no_order_of_copies_losses_and_lost_lines_makes_a_wrong_book(seed, count):
    """Each line gives each delta in order, or leaves it out, or is lost; a book that is valid is the true one."""
    rng = random.Random(seed)
    history = random_market(rng, 10)
    truth: dict[int, Book] = {update.seq: book for update, _, book in history}
    truth[100] = Book("paradex", BTC)
    truth[100].replace(snapshot(BTC).bids, snapshot(BTC).asks, 100)
    market_feed, _, owners = lines_without_repair(count)
    book = market_feed.book(BTC)
    at = [0] * count
    while any(line.up and step < len(history) for line, step in zip(owners, at, strict=True)):
        which = rng.randrange(count)
        line, step = owners[which], at[which]
        if not line.up or step == len(history):
            continue
        at[which] += 1
        fate = rng.random()
        if fate < 0.85:
            line.on_binary(memoryview(sbe.encode(history[step][0])), 1)
        elif fate > 0.97:
            assert line.link is not None
            line.link.up = False
            line.on_down("lost")
        if not book.valid:
            return  # nothing is repaired here
        assert (book.bids, book.asks) == (truth[book.seq].bids, truth[book.seq].asks)


@given(st.integers(0, 2**64), st.integers(2, 3))
def test_what_at_least_one_line_brings_is_taken_in_any_interleaving(seed, count):
    rng = random.Random(seed)
    history = random_market(rng, 10)
    market_feed, _, owners = lines_without_repair(count)
    queues: list[list[bytes]] = [[] for _ in owners]
    for update, _, _ in history:
        bearers = rng.sample(range(count), rng.randint(1, count))
        for which in bearers:
            queues[which].append(sbe.encode(update))
    while any(queues):
        which = rng.choice([which for which, queue in enumerate(queues) if queue])
        owners[which].on_binary(memoryview(queues[which].pop(0)), 1)
    book, (_, _, truth) = market_feed.book(BTC), history[-1]
    assert book.valid
    assert (book.seq, book.bids, book.asks) == (110, truth.bids, truth.asks)


def lines_without_repair(count: int) -> tuple[MarketFeed, Lines, list[Line]]:
    """Make a feed with so many lines up, each past its snapshot."""
    settings = replace(TWO, resubscribe_pause_s=60.0)  # not within a test: there may be no loop
    market_feed = MarketFeed(settings, clock=RealClock(), log=MemoryLog())
    lines = Lines(market_feed, settings, clock=RealClock(), log=MemoryLog())
    market_feed.attach(NoRepair(), MemorySink())
    market_feed.begin()
    owners = [lines.add() for _ in range(count)]
    for line in owners:
        line.link = StandInLink()  # type: ignore[assignment]  # a line asks it for nothing but up
        line.on_binary(memoryview(sbe.encode(snapshot(BTC))), 1)
    return market_feed, lines, owners


class NoRepair:
    """A carrier over which nothing is repaired: an invalid book ends the run."""

    up, heard_mono_ns = False, 0

    async def call(self, method: str, params: dict[str, str]) -> dict[str, str]:
        raise ConnectionError("no repair")

    def drop(self, why: str) -> None: ...


def test_the_held_back_deltas_are_bounded():
    market_feed, _, (first, _) = lines_without_repair(2)
    for seq in range(102, 102 + WAITING_MAX):
        first.on_binary(memoryview(sbe.encode(delta(seq))), 1)
    assert market_feed.book(BTC).valid
    first.on_binary(memoryview(sbe.encode(delta(102 + WAITING_MAX))), 1)
    assert "gap" in market_feed.book(BTC).why_invalid


async def test_a_line_in_its_handshake_takes_no_sequence_from_another():
    """Both come up at once: the second's subscribing must not make the feed forget the first's snapshot."""
    market_feed = MarketFeed(TWO, clock=RealClock(), log=MemoryLog())
    lines = Lines(market_feed, TWO, clock=RealClock(), log=MemoryLog())
    market_feed.attach(NoRepair(), MemorySink())
    first, second = lines.add(), lines.add()
    for line in (first, second):
        line.link = SilentLink()  # type: ignore[assignment]  # a line asks it for nothing but calls
    await first.handshake()
    first.on_binary(memoryview(sbe.encode(snapshot(BTC))), 1)
    await second.handshake()
    assert market_feed.seq_of(BTC) == 100


class SilentLink(StandInLink):
    """Takes every call."""

    async def call(self, method: str, params: dict[str, str]) -> dict[str, str]:
        return params
