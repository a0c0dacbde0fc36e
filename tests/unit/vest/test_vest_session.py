"""Start, upkeep and end of the Vest adapter: registration, listen key, links, books, account reads."""

import asyncio
from collections import deque

import pytest
from tests.unit.vest.bench import SYMBOL, Bench, started
from tests.unit.vest.fake_vest import Fate, settings
from tests.unit.vest.virtual import until, virtual

from deltawire.core.money import E8
from deltawire.core.secret import Secret
from deltawire.core.types import ClientOrderId, Side
from deltawire.net.api import HttpFailure, PoolSettings
from deltawire.venues.contract import BalanceReport, DecodeError, PositionReport, Refused
from deltawire.venues.vest import rest, wire, ws

BIDS, ASKS = [(69_990 * E8, E8), (69_980 * E8, 2 * E8)], [(70_010 * E8, E8), (70_020 * E8, 2 * E8)]


def depth(bids=BIDS, asks=ASKS, symbol=SYMBOL):
    return ws.depth(symbol, bids, asks, 2, 4)


@virtual
async def test_start_registers_checks_warms_and_subscribes():
    async with started(leverage=20, pool=PoolSettings(connections=3, keepalive_s=7)) as b:
        assert b.adapter.ready
        assert b.start_calls == [
            "GET /exchangeInfo",
            "POST /register",
            "POST /account/listenKey",
            "GET /account",
            "GET /account/nonce",
            "GET /orders",
            "POST /account/leverage",
            "POST /account/leverage",
            "GET /ticker/latest",
        ]
        (pool,) = b.log.named("vest.pool")
        assert (pool["connections"], pool["keepalive_s"], pool["idle"]) == (3, 7, 3)
        (public,), (private,) = b.vest.open_sockets(private=False), b.vest.open_sockets(private=True)
        assert [c.params for c in public.sent if c.method == ws.SUBSCRIBE] == [
            ["BTC-PERP@depth"],
            ["AAPL-USD-PERP@depth"],  # shares apart from crypto
            ["tickers"],
        ]
        assert "xwebsocketserver=restserver1" in public.url  # the group that register returned
        assert private.channels == {"account_private"}
        assert ("private", True) in b.ear.links
        assert ("orders", True) in b.ear.links


@virtual
async def test_instruments_carry_the_venues_own_steps_and_fee():
    async with started() as b:
        found = b.adapter.instrument("AAPL-USD-PERP")
        assert (found.size_step_e8, found.size_min_e8, found.price_tick_e8) == (E8 // 1000, E8 // 1000, E8 // 100)
        assert found.fee_rate_taker_e8 == 10_000
        with pytest.raises(KeyError):
            b.adapter.instrument("ETH-PERP")


@virtual
async def test_start_refuses_an_account_that_is_not_ours():
    b = Bench()
    b.vest.account_address = "0x" + "99" * 20
    with pytest.raises(Refused, match="address is 0x99"):
        await b.start()
    assert b.vest.client_closed
    assert b.vest.listen_key == ""


@virtual
async def test_start_refuses_a_market_that_is_not_listed():
    b = Bench(symbols=("DOGE-PERP",))
    with pytest.raises(Refused, match="does not list DOGE-PERP"):
        await b.start()


@virtual
async def test_start_refuses_a_leverage_that_was_not_taken():
    b = Bench(leverage=20)
    b.vest.failing["POST /account/leverage"] = deque([(200, b'{"symbol":"BTC-PERP","value":10}')])
    with pytest.raises(Refused, match="asked BTC-PERP 20, got BTC-PERP 10"):
        await b.start()


@virtual
async def test_a_leverage_that_stands_already_is_not_set_again():
    b = Bench(leverage=20)
    b.vest.leverages = [wire.Leverage(SYMBOL, 20), wire.Leverage("AAPL-USD-PERP", 5)]
    await b.start()
    assert b.vest.calls.count("POST /account/leverage") == 1
    await b.adapter.close()


@virtual
async def test_a_leverage_that_an_open_position_keeps_is_told_and_does_not_stop_the_start():
    b = Bench(leverage=5)
    b.vest.failing["POST /account/leverage"] = deque([(400, rest.error_answer(3021, "position open"))])
    await b.start()
    (told,) = b.log.named("vest.leverage.kept")
    assert (told["symbol"], told["wanted"]) == (SYMBOL, 5)
    await b.adapter.close()


@virtual
async def test_registration_is_tried_three_times_while_the_edge_fails():
    b = Bench()
    b.vest.failing["POST /register"] = deque([(530, b"<html>"), HttpFailure("lost", maybe_sent=True)])
    await b.start()
    assert b.vest.calls.count("POST /register") == 3
    await b.adapter.close()
    b = Bench()
    b.vest.failing["POST /register"] = deque([(530, b"<html>")] * 3)
    with pytest.raises(Refused, match="http 530"):
        await b.start()


@virtual
async def test_a_refused_registration_is_not_tried_again():
    b = Bench()
    b.vest.failing["POST /register"] = deque([(400, rest.error_answer_nested(1022, "Invalid signature"))])
    with pytest.raises(Refused, match="1022"):
        await b.start()
    assert b.vest.calls.count("POST /register") == 1


def test_a_primary_key_of_another_address_is_refused_and_not_shown():
    with pytest.raises(ValueError, match="not that of") as caught:
        Bench(primary_private_key=Secret("0x" + "77" * 32))
    assert "7777" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "named"), [({"symbols": ()}, "symbols"), ({"registration_days": 1}, "registration_days")]
)
def test_settings_that_cannot_work_are_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        settings(**change)


@virtual
async def test_start_fails_and_leaves_nothing_open_when_the_pool_does_not_warm():
    b = Bench()
    b.vest.pool_down = True
    with pytest.raises(HttpFailure):
        await b.start()
    assert b.vest.pools[0].closed
    assert b.vest.client_closed
    assert not b.adapter.ready


@virtual
async def test_the_pools_warm_up_is_public_and_carries_no_key():
    async with started() as b:
        pool = b.vest.pools[0]
        assert pool.warm_target == "/v2/ticker/latest?symbols=BTC-PERP"
        assert pool.warm_headers == b"xrestservermm: restserver1\r\n"


@virtual
async def test_no_key_or_signature_reaches_the_log_or_a_repr():
    async with started() as b:
        b.vest.open_sockets(private=True)[0].end(4005)
        prepared = b.submit(Fate(answer="lost"))
        b.vest.failing["GET /account"] = deque([(403, b"Forbidden")])
        with pytest.raises(Refused):
            await b.adapter.balance()
        await until(lambda: b.order(prepared).is_final)
        shown = b.log.text() + repr(prepared) + repr(b.adapter._account.access) + repr(settings())
        assert b.log.lines
        signature = rest.read_body(prepared.payload, wire.OrderSubmit).signature
        for secret in ("api-key-", "listen-key-", signature, "22" * 16, "11" * 16):
            assert secret not in shown


# --- books ---


@virtual
async def test_a_depth_picture_replaces_the_book_and_is_stamped_on_arrival():
    async with started() as b:
        book = b.adapter.book(SYMBOL)
        assert not book.valid
        b.vest.push_public(depth(BIDS[::-1], ASKS[::-1]))
        assert (book.bids, book.asks, book.valid) == (BIDS, ASKS, True)
        assert b.ear.books == [(book, b.clock.mono_ns())]
        assert book.received_mono_ns == b.clock.mono_ns()
        assert ("market data", True) in b.ear.links
        b.vest.push_public(depth(BIDS[1:], []))
        assert (book.bids, book.asks, book.two_sided) == (BIDS[1:], [], False)
        b.vest.push_public(depth([(70_010 * E8, E8)], ASKS))
        assert not book.valid
        b.vest.push_public(depth())
        assert b.adapter.book(SYMBOL) is book
        assert book.valid


@virtual
async def test_an_unreadable_frame_invalidates_the_books_until_the_next_picture():
    async with started() as b:
        book = b.adapter.book(SYMBOL)
        b.vest.push_public(depth())
        b.vest.push_public(depth()[:-5])
        assert not book.valid
        assert b.log.named("vest.feed.unreadable_frame")
        b.vest.push_public(depth())
        assert book.valid


@virtual
async def test_frames_nobody_asked_for_are_counted_and_change_nothing():
    async with started() as b:
        book = b.adapter.book(SYMBOL)
        b.vest.push_public(depth())
        b.vest.push_public(depth(symbol="ETH-PERP"))
        b.vest.push_public(b'{"channel":"BTC-PERP@newthing","data":1}')
        b.vest.push_public(b'{"code":1130,"msg":"Invalid parameter"}')
        assert (book.bids, book.valid) == (BIDS, True)
        assert b.log.named("vest.feed.unknown_frame")[0]["count"] == 1
        assert b.log.named("vest.feed.error_frame")[0]["code"] == 1130


@virtual
async def test_a_halted_market_has_no_valid_book_until_it_trades_again():
    async with started() as b:
        book = b.adapter.book(SYMBOL)
        ticker = wire.Ticker(SYMBOL, "0.0001", "0", "0", "70000", "70000", wire.HALT)
        b.vest.push_public(depth())
        b.vest.push_public(ws.tickers([ticker]))
        assert not book.valid
        b.vest.push_public(depth())
        assert not book.valid
        ticker.status = wire.TRADING
        b.vest.push_public(ws.tickers([ticker]))
        b.vest.push_public(depth())
        assert book.valid


@pytest.mark.parametrize(("status", "why"), [(wire.HALT, "halted"), ("AUCTION", "status is AUCTION")])
@virtual
async def test_a_market_that_does_not_trade_takes_no_entry_from_the_start_on(status, why):
    b = Bench()
    b.vest.statuses[SYMBOL] = status
    await b.start()
    assert why in b.adapter.entry_block(SYMBOL)
    assert b.adapter.entry_block("AAPL-USD-PERP") == ""
    assert b.adapter.ready  # a close would go out
    b.vest.push_public(ws.tickers([wire.Ticker(SYMBOL, "0", "0", "0", "70000", "70000", wire.TRADING)]))
    assert b.adapter.entry_block(SYMBOL) == ""
    await b.adapter.close()


@virtual
async def test_the_state_of_a_market_is_known_from_the_start_and_follows_the_tickers():
    async with started() as b:
        found = b.adapter.market_state(SYMBOL)
        assert (found.index_price_e8, found.mark_price_e8) == (6_999_950_000_000, 70_000 * E8)
        assert (found.funding_rate_e8, found.status) == (1_250, "TRADING")
        ticker = wire.Ticker(SYMBOL, "-0.000042123456", "0", "0", "70001.5", "70002.5", wire.HALT)
        b.vest.push_public(ws.tickers([ticker]))
        found = b.adapter.market_state(SYMBOL)
        assert (found.mark_price_e8, found.funding_rate_e8, found.status) == (7_000_250_000_000, -4_212, "HALT")
        assert found.received_mono_ns == b.clock.mono_ns()
        ticker.mark_price = "many"
        b.vest.push_public(ws.tickers([ticker]))
        assert b.adapter.market_state(SYMBOL) == found
        assert b.log.named("vest.ticker.unreadable")
        with pytest.raises(KeyError):
            b.adapter.market_state("ETH-PERP")


@pytest.mark.parametrize("code", [1148, 3024])
@virtual
async def test_an_order_refused_for_a_closed_market_halts_it_until_a_ticker_says_it_trades(code):
    async with started() as b:
        b.vest.push_public(depth())
        prepared = b.submit(Fate(answer="refuse", refusal=(400, rest.error_answer(code, "closed"))))
        await until(lambda: b.order(prepared).is_final)
        assert not b.adapter.book(SYMBOL).valid
        assert "halted" in b.adapter.entry_block(SYMBOL)
        b.vest.push_public(ws.tickers([wire.Ticker(SYMBOL, "0", "0", "0", "70000", "70000", wire.TRADING)]))
        b.vest.push_public(depth())
        assert b.adapter.entry_block(SYMBOL) == ""
        assert b.adapter.book(SYMBOL).valid


@pytest.mark.parametrize(
    ("refusal", "elsewhere", "seconds"),
    [
        ((429, b""), True, 5),
        ((429, rest.error_answer(1003, "slow down")), True, 5),
        ((200, rest.error_answer(3010, "cap")), False, 60),
        ((200, rest.error_answer(3002, "margin")), True, 10),
    ],
)
@virtual
async def test_a_refusal_worth_waiting_on_keeps_entries_out_for_a_while_and_exits_never(refusal, elsewhere, seconds):
    async with started() as b:
        prepared = b.submit(Fate(answer="refuse", refusal=refusal))
        await until(lambda: b.order(prepared).is_final)
        assert "waiting" in b.adapter.entry_block(SYMBOL)
        assert bool(b.adapter.entry_block("AAPL-USD-PERP")) is elsewhere
        assert b.adapter.ready
        await asyncio.sleep(seconds)
        assert b.adapter.entry_block(SYMBOL) == ""


@virtual
async def test_an_ordinary_refusal_keeps_nothing_out():
    async with started() as b:
        prepared = b.submit(Fate(answer="refuse", refusal=(200, rest.error_answer(3001, "price moved"))))
        await until(lambda: b.order(prepared).is_final)
        assert b.adapter.entry_block(SYMBOL) == ""


@virtual
async def test_a_lost_feed_invalidates_the_books_and_comes_back_by_itself():
    async with started() as b:
        b.vest.push_public(depth())
        b.vest.open_sockets(private=False)[0].end(1012)
        assert not b.adapter.book(SYMBOL).valid
        assert b.ear.links[-1] == ("market data", False)
        await until(lambda: b.vest.open_sockets(private=False), within_s=1)
        b.vest.push_public(depth())
        assert b.adapter.book(SYMBOL).valid
        assert b.ear.links[-1] == ("market data", True)


@virtual
async def test_reconnects_are_paced_while_the_venue_is_away():
    async with started() as b:
        b.vest.ws_down = True
        b.vest.open_sockets(private=False)[0].end(1006)
        await asyncio.sleep(60)
        failed = [f for f in b.log.named("vest.ws.connect_failed") if f["link"] == "market data"]
        assert 10 <= len(failed) <= 20
        b.vest.ws_down = False
        await until(lambda: b.vest.open_sockets(private=False), within_s=6)


@virtual
async def test_a_socket_that_lived_a_while_is_replaced_quickly_again():
    async with started() as b:
        for _ in range(8):
            await asyncio.sleep(31)
            b.vest.open_sockets(private=False)[0].end(1012)
            await until(lambda: b.vest.open_sockets(private=False), within_s=0.6)


@virtual
async def test_a_silent_channel_is_asked_for_again():
    async with started() as b:
        (public,) = b.vest.open_sockets(private=False)
        public.sent.clear()
        b.vest.push_public(depth())
        for _ in range(20):
            await asyncio.sleep(1)
            b.vest.push_public(depth())
        asked = [c.params for c in public.sent if c.method == ws.SUBSCRIBE]
        assert ["AAPL-USD-PERP@depth"] in asked
        assert ["BTC-PERP@depth"] not in asked


# --- links and keys ---


@virtual
async def test_a_ping_goes_out_every_fifteen_seconds():
    async with started() as b:
        (private,) = b.vest.open_sockets(private=True)
        await asyncio.sleep(61)
        pings = [c.id for c in private.sent if c.method == ws.PING]
        assert len(pings) == 5
        assert len(set(pings)) == 5
        assert private.is_open


@virtual
async def test_a_socket_without_any_frame_is_dropped_and_replaced():
    async with started() as b:
        b.vest.answers_pings = False
        (private,) = b.vest.open_sockets(private=True)
        await until(lambda: not private.is_open)
        assert b.log.named("vest.ws.dropped_here")
        await until(lambda: ("private", True) in b.ear.links[b.ear.links.index(("private", False)) :])


@virtual
async def test_any_frame_counts_as_a_sign_of_life():
    async with started() as b:
        b.vest.answers_pings = False
        (private,) = b.vest.open_sockets(private=True)
        for _ in range(12):
            await asyncio.sleep(10)
            private.push(b'{"channel":"account_private","data":{"event":"SOMETHING_NEW","args":{}}}')
        assert private.is_open


@pytest.mark.parametrize("code", [4004, 4005])
@virtual
async def test_an_expired_listen_key_is_replaced_before_the_stream_reconnects(code):
    async with started() as b:
        b.vest.listen_key = ""
        b.vest.open_sockets(private=True)[0].end(code)
        await until(lambda: b.vest.open_sockets(private=True), within_s=2)
        assert b.vest.listen_keys_made == 2
        await until(lambda: b.ear.links[-1] == ("private", True), within_s=2)


@virtual
async def test_the_listen_key_is_renewed_and_a_lost_one_replaced():
    async with started() as b:
        first = b.vest.open_sockets(private=True)
        await asyncio.sleep(1_801)
        assert b.vest.calls.count("PUT /account/listenKey") == 1
        assert b.vest.open_sockets(private=True) == first
        b.vest.listen_key = ""
        await asyncio.sleep(1_805)
        assert b.vest.listen_keys_made == 2
        assert b.vest.open_sockets(private=True) != first
        assert b.ear.links[-1] == ("private", True)


@virtual
async def test_a_renewal_that_fails_is_tried_again_soon():
    async with started() as b:
        b.vest.failing["PUT /account/listenKey"] = deque([(530, b""), HttpFailure("lost", maybe_sent=True)])
        await asyncio.sleep(1_865)
        assert b.vest.calls.count("PUT /account/listenKey") == 3
        assert b.vest.listen_keys_made == 1


@virtual
async def test_the_registration_is_renewed_ahead_of_its_end():
    async with started(listen_key_renew_s=86_400, ping_interval_s=3_600, silence_s=10_000) as b:
        await asyncio.sleep(5.9 * 86_400)
        assert b.vest.api_keys_made == 1
        await asyncio.sleep(0.2 * 86_400)
        assert b.vest.api_keys_made == 2
        prepared = b.submit()
        await until(lambda: b.order(prepared).is_final)
        assert b.order(prepared).filled_e8


@virtual
async def test_refusals_for_the_key_do_not_make_a_storm_of_registrations():
    async with started() as b:
        for _ in range(20):
            b.vest.failing["GET /account"] = deque([(401, b"")])
            with pytest.raises(Refused):
                await b.adapter.positions()
        await asyncio.sleep(15)
        assert b.vest.api_keys_made == 2


@pytest.mark.parametrize("code", [4001, 4002])
@virtual
async def test_an_account_that_has_moved_to_another_group_is_followed(code):
    async with started() as b:
        b.vest.group = 3
        b.vest.listen_key = ""  # keys belong to the group
        for socket in b.vest.open_sockets(private=False) + b.vest.open_sockets(private=True):
            socket.end(code)
        await until(lambda: len(b.vest.open_sockets(private=True)) == 1, within_s=30)
        await until(lambda: len(b.vest.open_sockets(private=False)) == 1, within_s=5)
        assert all("xwebsocketserver=restserver3" in s.url for s in b.vest.sockets if s.is_open)
        assert b.vest.listen_keys_made == 2
        assert b.log.named("vest.account_group.changed")[0]["now"] == 3
        prepared = b.submit()
        await until(lambda: b.order(prepared).is_final)
        assert b.order(prepared).filled_e8


@virtual
async def test_a_call_refused_for_its_group_leads_to_the_group_the_account_is_in():
    async with started() as b:
        b.vest.failing["GET /account"] = deque([(400, rest.error_answer(1146, "Invalid account group"))])
        b.vest.group = 0
        with pytest.raises(Refused, match="1146"):
            await b.adapter.positions()
        await until(lambda: b.adapter._account.access.account_group == 0, within_s=30)
        assert await b.adapter.positions() == []


@virtual
async def test_a_link_refused_for_its_group_stays_down_while_the_group_is_the_same():
    async with started() as b:
        b.vest.open_sockets(private=True)[0].end(4001)
        await asyncio.sleep(120)
        assert b.vest.open_sockets(private=True) == []
        assert b.vest.api_keys_made == 2  # asked once, and once is enough


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4003])
@virtual
async def test_a_close_code_that_blames_the_configuration_is_final(code):
    async with started() as b:
        b.vest.open_sockets(private=True)[0].end(code)
        await asyncio.sleep(60)
        assert b.vest.open_sockets(private=True) == []
        assert b.log.named("vest.ws.refused")[0]["code"] == code


@virtual
async def test_an_unreadable_private_frame_has_open_orders_read():
    async with started(fill_poll_after_ms=60_000) as b:
        prepared = b.submit(Fate(events=()))
        await until(lambda: len(b.events(prepared)) == 2)
        order = b.vest.orders[prepared.correlator]
        order.fate.repeats = 0
        b.vest.move(order, wire.FILLED)
        b.vest.push_private(b'{"channel":"account_private","data":{"event":"ORDER","args":{"id":7}}}')
        await until(lambda: b.order(prepared).is_final, within_s=1)
        assert b.log.errors()


# --- account reads and the end ---


@virtual
async def test_positions_are_signed_and_empty_ones_dropped():
    async with started() as b:
        b.vest.positions = [
            wire.Position("BTC-PERP", is_long=False, size="0.0200", entry_price="70000.00"),
            wire.Position("ETH-PERP", is_long=True, size="0.000", entry_price="3000.000"),
        ]
        assert await b.adapter.positions() == [PositionReport("BTC-PERP", -2 * E8 // 100, 70_000 * E8)]
        b.vest.positions[0].size = "-0.02"
        with pytest.raises(DecodeError, match="negative"):
            await b.adapter.positions()


@virtual
async def test_balance_reports_account_value_and_what_is_free():
    async with started() as b:
        assert await b.adapter.balance() == BalanceReport(1025 * E8 // 100, 85 * E8 // 10)


@virtual
async def test_open_orders_lists_what_the_venue_still_holds():
    async with started() as b:
        b.submit()
        resting = b.submit(Fate(events=("NEW",)), side=Side.SELL)
        partial = b.submit(Fate(events=("PARTIALLY_FILLED",), partial="0.0040"))
        await asyncio.sleep(0.5)
        found = {o.correlator: o for o in await b.adapter.open_orders()}
        assert found.keys() == {resting.correlator, partial.correlator}
        assert (found[resting.correlator].side, found[resting.correlator].leaves_e8) == (Side.SELL, E8 // 100)
        assert found[partial.correlator].leaves_e8 == 6 * E8 // 1000


@virtual
async def test_close_ends_the_key_the_sockets_and_the_pool_and_may_be_repeated():
    async with started() as b:
        await b.adapter.close()
        assert not b.adapter.ready
        assert b.vest.listen_key == ""
        assert not any(socket.is_open for socket in b.vest.sockets)
        assert b.vest.pools[0].closed
        assert b.vest.client_closed
        assert len(asyncio.all_tasks()) == 1
        await b.adapter.close()


@virtual
async def test_an_order_before_start_is_a_plain_error():
    b = Bench()
    with pytest.raises(RuntimeError, match="not started"):
        b.adapter.cancel(ClientOrderId("x"))
