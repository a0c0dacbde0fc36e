"""Mark price, funding and the price band; the interactive feed; the public channels as JSON."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.unit.paradex.paradex_fake import E8
from tests.unit.paradex.paradex_rig import BTC, ETH, SETTINGS, Rig, make_rig, snapshot
from tests.unit.paradex.test_paradex_feed import push

from deltawire.core.types import Instrument
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import rpc, sbe, wire_public
from deltawire.venues.paradex.facts import MARK_AGE_NS_MAX, Facts
from deltawire.venues.paradex.records import Bbo, BookUpdate, FundingData, MarketSummary
from deltawire.venues.paradex.settings import BookFeed, OrderClass

STAMP_NS = 1_795_000_000_000_000_000


class HandClock:
    now_ns = 10**12

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return self.now_ns


def summary(mark_e8: int = 100_000 * E8, market: str = BTC) -> MarketSummary:
    data = {"symbol": market, "mark_price": f"{mark_e8 // E8}", "underlying_price": "99990", "created_at": 1}
    record = wire_public.decode("markets_summary." + market, orjson.dumps(data))
    assert isinstance(record, MarketSummary)
    return replace(record, bid_price_e8=1, ask_price_e8=2)


def instrument_with(band_e8: int) -> Instrument:
    return Instrument("paradex", BTC, 1, 1, 1, 0, 0, 0, price_band_e8=band_e8)


def funding(rate_e8: int = 8_000, hours: int = 8, market: str = BTC) -> FundingData:
    return FundingData(STAMP_NS, 7, rate_e8, 0, STAMP_NS, 0, rate_e8, hours, None, market)


# ---- facts


async def test_mark_price_and_funding_are_known_once_the_venue_has_told_them(rig: Rig):
    assert rig.venue.market_state(BTC) is None
    await push(rig, funding(-8_004))
    assert rig.venue.market_state(BTC) is None, "without a mark price there is nothing to go by"
    await push(rig, summary())
    state = rig.venue.market_state(BTC)
    assert state is not None
    assert (state.mark_price_e8, state.index_price_e8, state.status) == (100_000 * E8, 99_990 * E8, "ok")
    assert state.funding_rate_e8 == -1_001, "an hour's share of eight, rounded against us"
    assert rig.venue.market_state(ETH) is None


async def test_facts_change_no_book_and_those_of_other_markets_are_passed_over(rig: Rig):
    updates = rig.venue.book(BTC).updates
    await push(rig, summary(), funding(), summary(market="SOL-USD-PERP"), funding(market="SOL-USD-PERP"))
    assert rig.venue.book(BTC).updates == updates
    assert rig.venue.book(BTC).valid


@pytest.mark.parametrize("kind", ["markets_summary", "funding_data"])
async def test_a_refused_fact_channel_does_not_cost_the_books(unstarted: Rig, kind: str):
    unstarted.fake.channels_refused = {f"{kind}.{BTC}"}
    await unstarted.venue.start(unstarted.sink)
    await unstarted.sink.until(lambda: unstarted.venue.book(BTC).valid)
    assert any(line[1] == "paradex.channel_refused" for line in unstarted.log.lines)


@pytest.mark.parametrize(
    ("mark", "blocked"), [(100_000, False), (97_600, False), (97_500, True), (102_700, True), (50_000, True)]
)
async def test_an_entry_leaves_half_the_price_band_for_its_exit(rig, mark, blocked):
    """The book is at 100000 and 100001, the band 5 %: 2.5 % on either side of the mark price."""
    await push(rig, summary(mark * E8))
    assert ("price band" in rig.venue.entry_block(BTC)) is blocked


def test_an_old_mark_price_forbids_nothing():
    rig, clock = make_rig(SETTINGS), HandClock()
    facts = Facts((BTC,), clock=clock)
    facts.on_summary(summary(50_000 * E8), clock.now_ns)
    book = rig.venue.book(BTC)
    book.replace([(100_000 * E8, E8)], [(100_001 * E8, E8)])
    instrument = instrument_with(E8 // 20)
    assert facts.band_block(instrument, book)
    assert not facts.band_block(instrument_with(0), book)
    clock.now_ns += MARK_AGE_NS_MAX + 1
    assert not facts.band_block(instrument, book)


# ---- the interactive feed


def test_the_interactive_feed_is_for_retail_orders_only():
    with pytest.raises(ValueError, match="Retail"):
        make_rig(replace(SETTINGS, book_feed=BookFeed.INTERACTIVE, order_class=OrderClass.PRO))


async def test_the_interactive_feed_is_taken_without_bbo_and_a_crossed_frame_only_stops_trading_on_it():
    rig = make_rig(replace(SETTINGS, book_feed=BookFeed.INTERACTIVE, order_class=OrderClass.RETAIL, symbols=(BTC,)))
    await rig.venue.start(rig.sink)
    book = rig.venue.book(BTC)
    await rig.sink.until(lambda: book.valid)
    channels = rig.fake.data_connection.channels
    assert f"order_book.{BTC}.interactive@15@50ms" in channels
    assert not any(channel.startswith("bbo.") for channel in channels)
    before = rig.fake.data_connection.methods.count("subscribe")
    await push(rig, snapshot(BTC, 150)._replace(bids=[(100_002 * E8, E8)]))
    assert rig.sink.books[-1] == (BTC, False)
    await push(rig, snapshot(BTC, 151), snapshot(BTC, 150)._replace(bids=[(1 * E8, E8)]))
    assert book.valid
    assert book.bids[0] == (100_000 * E8, E8), "the older frame is dropped"
    assert rig.fake.data_connection.methods.count("subscribe") == before
    await rig.venue.close()


# ---- templates nobody asked for


async def test_unknown_templates_are_counted_and_told_once(rig: Rig):
    unknown = bytearray(sbe.encode(snapshot(BTC)))
    unknown[2] = 99
    for _ in range(3):
        await push(rig, bytes(unknown))
    assert [fields for _, event, fields in rig.log.lines if event == "paradex.template_skipped"] == [{"template": 99}]


# ---- JSON


def level(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "price": price, "size": size}


def book_json(seq: int, kind: str, **changes: list[dict[str, str]]) -> dict[str, Any]:
    parts = {name: changes.get(name, []) for name in ("inserts", "updates", "deletes")}
    return {"market": BTC, "seq_no": seq, "last_updated_at": 1_795_000_000_000, "update_type": kind, **parts}


SNAPSHOT = book_json(10, "s", inserts=[level("SELL", "101", "2"), level("BUY", "99", "1"), level("BUY", "100", "1.5")])


async def test_with_the_switch_off_the_books_are_made_of_json():
    rig = make_rig(replace(SETTINGS, sbe=False, symbols=(BTC,)))
    await rig.venue.start(rig.sink)
    assert not any(connection.is_sbe for connection in rig.fake.connections)
    channel = rpc.deltas_channel(BTC)

    async def tell(data: dict[str, Any], channel: str = channel) -> None:
        rig.fake.data_connection.text(rpc.encode_notification(channel, data))
        await push(rig)

    book = rig.venue.book(BTC)
    await tell(SNAPSHOT)
    assert rig.venue.book(BTC).valid
    assert (book.bids, book.asks) == ([(100 * E8, 3 * E8 // 2), (99 * E8, E8)], [(101 * E8, 2 * E8)])
    await tell(book_json(11, "d", updates=[level("SELL", "101", "3")], deletes=[level("BUY", "100", "1.5")]))
    assert (book.bids, book.asks, book.seq) == ([(99 * E8, E8)], [(101 * E8, 3 * E8)], 11)
    top = {"market": BTC, "seq_no": 12, "last_updated_at": 1, "bid": "", "bid_size": "", "ask": "102", "ask_size": "1"}
    await tell(top, rpc.bbo_channel(BTC))
    assert (book.bids, book.asks) == ([], [(102 * E8, E8)])
    await tell({"symbol": BTC, "mark_price": "100.5"}, rpc.summary_channel(BTC))
    await tell({"market": BTC, "funding_rate": "0.0008", "funding_period_hours": 8}, rpc.funding_channel(BTC))
    state = rig.venue.market_state(BTC)
    assert state is not None
    assert (state.mark_price_e8, state.funding_rate_e8) == (100 * E8 + E8 // 2, 10_000)
    await tell(book_json(11, "d") | {"seq_no": "x"})
    assert not rig.venue.book(BTC).valid, "a frame that cannot be read invalidates the book in JSON too"
    await rig.venue.close()


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("bbo.X", {"market": BTC, "seq_no": 1, "last_updated_at": 1, "bid": "-1", "bid_size": "1"}),
        ("bbo.X", {"market": BTC, "seq_no": 1, "last_updated_at": 1, "bid": "0", "bid_size": "1"}),
        ("bbo.X", {"market": BTC, "seq_no": 1, "last_updated_at": 1, "bid": "1", "bid_size": "many"}),
        ("bbo.X", {"market": BTC}),
        ("order_book.X.deltas", book_json(1, "x")),
        ("order_book.X.deltas", book_json(1, "d", inserts=[level("UP", "1", "1")])),
        ("order_book.X.deltas", book_json(1, "d", updates=[level("BUY", "0", "1")])),
        ("order_book.X.deltas", book_json(1, "d", updates=[level("BUY", "1", "-1")])),
        ("markets_summary.X", {"symbol": BTC, "mark_price": "high"}),
        ("funding_data.X", []),
    ],
)
def test_json_that_no_book_can_hold_is_a_decode_error(channel: str, data: Any):
    with pytest.raises(DecodeError):
        wire_public.decode(channel, orjson.dumps(data))


def test_channels_not_modelled_are_none_and_both_forms_give_one_record():
    assert wire_public.decode("trades.BTC-USD-PERP", b"{}") is None
    update = wire_public.decode("order_book.X.deltas", orjson.dumps(SNAPSHOT))
    assert isinstance(update, BookUpdate)
    assert sbe.decode(sbe.encode(update)) == update
    top = {"market": BTC, "seq_no": 12, "last_updated_at": 5, "bid": "1", "bid_size": "2", "ask": "3", "ask_size": "4"}
    bbo = wire_public.decode("bbo.X", orjson.dumps(top))
    assert bbo == Bbo(5_000_000, 12, (E8, 2 * E8), (3 * E8, 4 * E8), BTC)
    assert sbe.decode(sbe.encode(bbo)) == bbo
