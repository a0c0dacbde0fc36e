"""The simulated Paradex over real TLS sockets, met by a client that shares none of the adapter's code."""

import struct
from dataclasses import replace

import aiohttp
import jwt
import pytest
from tests.unit.sim_paradex.venue import ALICE, BTC, DEADLINE_S, ONE_LEVEL, Client, quote, running

from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records, sbe

PRIVATE = ("orders.ALL", "fills.ALL", "positions", "account")


@pytest.fixture
async def venue():
    async with running() as venue:
        yield venue


def signed(venue, size="0.1", price="100010", **fields):
    return venue.client.order(Side.BUY, size, price, signature_timestamp=venue.now_ms, **fields)


async def buy(venue, socket, size="0.1", price="100010", **fields):
    return await socket.call("order.create", **signed(venue, size, price, **fields))


# --- auth ---


async def test_a_signed_request_gives_a_five_minute_token_the_published_key_proves(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    _, jwks = await venue.client.call("GET", "/jwks.json")
    key = jwt.PyJWK(jwks["keys"][0]).key
    claims = jwt.decode(token, key, algorithms=["ES384"], options={"verify_exp": False, "verify_iat": False})
    assert claims["exp"] - claims["iat"] == 300
    assert int(claims["sub"], 16) == ALICE
    assert jwt.get_unverified_header(token)["typ"] == "at+JWT"


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({"PARADEX-STARKNET-SIGNATURE": '["1","2"]'}, None, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ({"PARADEX-STARKNET-SIGNATURE": "nonsense"}, None, "INVALID_STARKNET_SIGNATURE"),
        ({"PARADEX-STARKNET-ACCOUNT": "0x77"}, None, "NOT_ONBOARDED"),
        ({"PARADEX-TIMESTAMP": "1795000001"}, None, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ({"PARADEX-TIMESTAMP": "1795000000000"}, None, "INVALID_TIMESTAMP"),
        ({}, "0x99", "INVALID_SUBKEY"),
    ],
)
async def test_a_wrong_sign_in_is_refused_by_its_code(venue, headers, path, code):
    now_s = venue.now_ms // 1000
    status, body = await venue.client.sign_in(now_s, now_s + 600, headers=headers, path=path)
    assert status in {400, 401}
    assert body["error"] == code


@pytest.mark.parametrize(("since_s", "for_s"), [(-700, 600), (100, 600), (0, 8 * 24 * 3600)])
async def test_a_sign_in_that_is_expired_too_early_or_too_long_is_refused(venue, since_s, for_s):
    begin_s = venue.now_ms // 1000 + since_s
    status, body = await venue.client.sign_in(begin_s, begin_s + for_s)
    assert (status, body["error"]) == (400, "INVALID_TIMESTAMP")


@pytest.mark.parametrize("path", ["/account", "/positions", "/orders", "/balance", "/fills", "/orders-history"])
async def test_private_reads_without_a_token_are_401(venue, path):
    assert await venue.client.call("GET", path) == (
        401,
        {"error": "INVALID_TOKEN", "message": "a bearer token is required"},
    )


async def test_a_token_dies_after_five_minutes_for_rest_but_not_for_a_signed_in_socket(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    async with venue.socket(auth=True) as socket, venue.socket() as late:
        venue.clock.advance(300)
        status, body = await venue.client.call("GET", "/account", token)
        assert (status, body["error"]) == (401, "INVALID_TOKEN")
        assert (await late.call("auth", bearer=token))["error"]["code"] == 40111
        assert "result" in await socket.call("order.cancel_all")


async def test_a_token_of_another_venue_is_refused(venue):
    token = jwt.encode({"sub": "0xa11ce", "exp": 9e9, "iat": 0, "iss": "Paradex testnet"}, "k" * 32, algorithm="HS256")
    assert (await venue.client.call("GET", "/account", token))[0] == 401
    async with venue.socket() as socket:
        assert (await socket.call("auth", bearer=token))["error"]["code"] == 40111
        assert (await socket.call("auth", bearer="nonsense"))["error"]["code"] == 40110


# --- connecting ---


@pytest.mark.parametrize(
    "query", ["", "?sbeSchemaId=1", "?sbeSchemaId=1&sbeSchemaVersion=4", "?sbeSchemaId=2&sbeSchemaVersion=2"]
)
async def test_a_socket_without_a_served_sbe_schema_is_400(venue, query):
    url = venue.client.ws_url.split("?")[0] + query
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await venue.http.ws_connect(url)
    assert refused.value.status == 400


async def test_wrong_and_repeated_channels_are_refused(venue):
    async with venue.socket(channels=["trades.ALL"]) as socket:
        for channel in ("bbo", "bbo.DOGE-USD-PERP", "order_book.BTC-USD-PERP.snapshot@20@50ms", "nonsense"):
            error = (await socket.call("subscribe", channel=channel))["error"]
            assert (error["code"], error["data"]) == (-32600, "invalid channel")
        assert (await socket.call("subscribe", channel="trades.ALL"))["error"]["data"] == "already subscribed"
        assert "result" in await socket.call("unsubscribe", channel="trades.ALL")
        assert (await socket.call("unsubscribe", channel="trades.ALL"))["error"]["data"] == "not subscribed"
        assert (await socket.call("subscribe", channel="orders.ALL"))["error"]["code"] == 40111


@pytest.mark.parametrize(
    ("frame", "code"),
    [("{", -32700), ('{"jsonrpc":"2.0","id":1,"method":"order.fly","params":{}}', -32601), ("[]", -32600)],
)
async def test_frames_that_are_no_request_are_answered_by_their_code(venue, frame, code):
    async with venue.socket() as socket:
        await socket.ws.send_str(frame)
        reply = await socket.ws.receive_json()
        assert reply["error"]["code"] == code


# --- market data ---


async def test_a_book_feed_begins_with_a_snapshot_and_goes_up_by_one(venue):
    async with venue.socket(channels=[f"order_book.{BTC}.deltas", f"bbo.{BTC}"]) as socket:
        first = await socket.wait_for(records.BookUpdate)
        assert first.is_snapshot
        assert (first.bids, first.asks) == ([(100_000 * 10**8, 10**8)], [(100_010 * 10**8, 10**8)])
        for price in ("100001", "100002"):
            venue.market.publish("paradex", "BTC", quote(bid=price))
        await socket.wait_for(records.BookUpdate, lambda update: update.seq == first.seq + 2)
        updates = [record for record in socket.frames if isinstance(record, records.BookUpdate)]
        assert [update.seq for update in updates] == [first.seq, first.seq + 1, first.seq + 2]
        assert updates[1].bids == [(100_001 * 10**8, 10**8), (100_000 * 10**8, 0)]
        bbo = await socket.wait_for(records.Bbo, lambda bbo: bbo.seq == first.seq + 2)
        assert bbo.bid == (100_002 * 10**8, 10**8)


@pytest.mark.parametrize(("version", "summary_bytes"), [(0, 216), (1, 240), (2, 240), (3, 248)])
async def test_a_frame_has_the_layout_its_connection_negotiated(version, summary_bytes):
    async with running(replace(ONE_LEVEL, funding_tick_s=0.02)) as venue:
        url = f"{venue.client.ws_url.split('?')[0]}?sbeSchemaId=1&sbeSchemaVersion={version}"
        async with venue.http.ws_connect(url) as ws:
            await ws.send_str('{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"channel":"markets_summary"}}')
            assert "result" in await ws.receive_json()
            frame = await ws.receive_bytes()
    assert struct.unpack_from("<HHHH", frame) == (summary_bytes, 4, 1, version)
    summary = sbe.decode(frame)
    assert isinstance(summary, records.MarketSummary)
    assert summary.mark_price_e8 == 100_005 * 10**8


async def test_a_gap_fault_loses_one_delta(venue):
    async with venue.socket(channels=[f"order_book.{BTC}.deltas"]) as socket:
        first = await socket.wait_for(records.BookUpdate)
        venue.fault("gap", base="BTC")
        for price in ("100001", "100002"):
            venue.market.publish("paradex", "BTC", quote(bid=price))
        await socket.wait_for(records.BookUpdate, lambda update: update.seq == first.seq + 2)
        assert [record.seq for record in socket.frames] == [first.seq, first.seq + 2]


async def test_a_paced_book_shows_its_top_whole_or_as_changes_that_fit(venue):
    names = [f"order_book.{BTC}.snapshot@15@50ms", f"order_book.{BTC}.deltas@15@50ms"]
    async with venue.socket(channels=names[:1]) as whole, venue.socket(channels=names[1:]) as deltas:
        venue.market.publish("paradex", "BTC", quote(bid="100003"))
        venue.market.publish("paradex", "BTC", quote(bid="100004"))
        last = await whole.wait_for(records.BookUpdate, lambda update: update.bids[0][0] == 100_004 * 10**8)
        assert last.is_snapshot
        change = await deltas.wait_for(records.BookUpdate, lambda update: not update.is_snapshot)
        assert change.bids[-1] == (100_004 * 10**8, 10**8)
        assert (100_000 * 10**8, 0) in change.bids


async def test_a_dropped_stream_is_closed_without_a_word(venue):
    async with venue.socket(channels=["trades.ALL"]) as market, venue.socket(auth=True, channels=PRIVATE) as private:
        venue.fault("drop_stream", link="market data")
        await market.wait_closed()
        assert market.ws.close_code == 1006
        assert "result" in await private.call("order.cancel_all")


async def test_a_silent_stream_stays_open_and_says_nothing(venue):
    async with venue.socket(channels=[f"bbo.{BTC}"]) as socket:
        venue.fault("silent_stream", link="market data", ms=2_000)
        venue.market.publish("paradex", "BTC", quote(bid="100001"))
        venue.clock.advance(2)
        venue.market.publish("paradex", "BTC", quote(bid="100002"))
        bbo = await socket.wait_for(records.Bbo)
        assert bbo.bid[0] == 100_002 * 10**8


# --- orders ---


async def test_an_order_is_answered_new_then_told_by_sbe(venue):
    async with venue.socket(auth=True, channels=PRIVATE) as socket:
        reply = await buy(venue, socket, client_id="a-1")
        order = reply["result"]["order"]
        assert (order["status"], order["remaining_size"], order["client_id"]) == ("NEW", "0.1", "a-1")
        assert len(order["id"]) == 28
        assert order["id"].isdecimal()
        assert reply["usDiff"] == reply["usOut"] - reply["usIn"]
        await socket.wait_for(records.Account)
        assert socket.seen[-6:] == ["reply", "Order", "Fill", "Order", "Position", "Account"]
        accepted = socket.frames[-5]
        assert (accepted.order_id, accepted.status, accepted.remaining_e8) == (order["id"], "NEW", 10**7)
        fill, told, position, account = socket.frames[-4:]
        assert (fill.size_e8, fill.price_e8, fill.fee_e8) == (10**7, 100_010 * 10**8, 4_50045000)
        assert (told.status, told.remaining_e8, told.cancel_reason, told.client_id) == ("CLOSED", 0, "", "a-1")
        assert (position.size_e8, position.entry_price_e8) == (10**7, 100_010 * 10**8)
        assert account.total_collateral_e8 == 100_000 * 10**8 - 4_50045000
        assert fill.book_seq == venue.sim.exchange.markets[BTC].book.seq


async def test_the_trade_is_public_with_the_fills_sequence(venue):
    async with (
        venue.socket(auth=True, channels=["fills.ALL"]) as own,
        venue.socket(channels=[f"trades.{BTC}"]) as public,
    ):
        await buy(venue, own)
        fill, trade = await own.wait_for(records.Fill), await public.wait_for(records.Trade)
        assert (trade.seq, trade.trade_id) == (fill.book_seq, fill.trade_id)
        assert trade.aggressor is Side.BUY


@pytest.mark.parametrize(
    ("changes", "code", "data"),
    [
        ({"signature": '["1","2"]'}, 100, "INVALID_ORDER_SIGNATURE"),
        ({"signature": "rubbish"}, 100, "INVALID_ORDER_SIGNATURE"),
        ({"price": "100010.1"}, 100, "INVALID_ORDER_SIGNATURE"),  # not the price that was signed
        ({"side": "SELL"}, 100, "INVALID_ORDER_SIGNATURE"),
        ({"market": "DOGE-USD-PERP"}, 100, "INVALID_ORDER_SIGNATURE"),
        ({"side": "HOLD"}, -32602, None),
        ({"size": "1e-1"}, -32602, None),
        ({"instruction": "FOK"}, 100, "VALIDATION_ERROR"),
        ({"instruction": "RPI"}, 100, "RPI_ACCOUNT_NOT_WHITELISTED"),
    ],
)
async def test_a_tampered_order_is_refused(venue, changes, code, data):
    async with venue.socket(auth=True) as socket:
        reply = await socket.call("order.create", **(signed(venue) | changes))
        assert reply["error"]["code"] == code
        assert data is None or reply["error"]["data"] == data
    assert venue.sim.state()["counters"].get("trades", 0) == 0


async def test_price_off_tick_size_off_step_and_small_value_are_refused(venue):
    async with venue.socket(auth=True) as socket:
        assert (await buy(venue, socket, price="100010.05"))["error"]["data"] == "VALIDATION_ERROR"
        assert (await buy(venue, socket, size="0.100001"))["error"]["data"] == "INVALID_ORDER_SIZE"
        assert (await buy(venue, socket, size="0.00009"))["error"]["data"] == "INVALID_ORDER_SIZE"


async def test_orders_need_a_signed_in_connection(venue):
    async with venue.socket() as socket:
        assert (await buy(venue, socket))["error"]["code"] == 40300
        assert (await socket.call("order.cancel_on_disconnect", enabled=True))["error"]["code"] == 40300


async def test_an_order_outside_its_window_is_refused(venue):
    async with venue.socket(auth=True) as socket:
        order = signed(venue, recv_window=1_000)
        venue.clock.advance(1.001)
        assert (await socket.call("order.create", **order))["error"]["data"] == "INVALID_TIMESTAMP"


async def test_a_key_of_another_account_cannot_order(venue):
    stranger = Client(venue.http, 1, 1, ALICE, 0x987654321)
    async with venue.socket(auth=True) as socket:
        order = stranger.order(Side.BUY, "0.1", "100010", signature_timestamp=venue.now_ms)
        assert (await socket.call("order.create", **order))["error"]["data"] == "INVALID_ORDER_SIGNATURE"


async def test_a_resting_order_is_cancelled_by_id_and_by_client_id(venue):
    async with venue.socket(auth=True, channels=["orders.ALL"]) as socket:
        for by_id in (True, False):
            client_id = f"c-{by_id}"
            reply = await buy(
                venue, socket, price="99000", size="0.01" if by_id else "0.02", instruction="GTC", client_id=client_id
            )
            order_id = reply["result"]["order"]["id"]
            await socket.wait_for(records.Order, lambda o, i=order_id: (o.order_id, o.status) == (i, "OPEN"))
            named = {"id": order_id} if by_id else {"client_id": client_id, "market": BTC}
            queued = await socket.call("order.cancel", **named)
            assert queued["result"] == {"order_id": order_id, "status": "QUEUED_FOR_CANCELLATION"}
            gone = await socket.wait_for(records.Order, lambda o, i=order_id: (o.order_id, o.status) == (i, "CLOSED"))
            assert gone.cancel_reason == "USER_CANCELED"
            assert (await socket.call("order.cancel", id=order_id))["error"]["data"] == "ORDER_IS_CLOSED"


async def test_cancel_on_disconnect_takes_the_connections_own_orders_only(venue):
    async with venue.socket(auth=True, channels=["orders.ALL"]) as watcher:
        kept = (await buy(venue, watcher, price="98000", instruction="GTC"))["result"]["order"]["id"]
        async with venue.socket(auth=True) as socket:
            assert (await socket.call("order.cancel_on_disconnect", enabled=True))["result"] == {"enabled": True}
            gone = (await buy(venue, socket, price="99000", instruction="GTC"))["result"]["order"]["id"]
        closed = await watcher.wait_for(records.Order, lambda order: order.status == "CLOSED")
        assert (closed.order_id, closed.cancel_reason) == (gone, "CANCEL_ON_DISCONNECT")
        token = await venue.client.auth(venue.now_ms // 1000)
        _, body = await venue.client.call("GET", "/orders", token)
        assert [order["id"] for order in body["results"]] == [kept]


async def test_every_order_is_stamped_with_the_market_frame_before_it(venue):
    async with venue.socket(auth=True, channels=[f"bbo.{BTC}"]) as socket:
        venue.clock.advance(1)
        venue.market.publish("paradex", "BTC", quote(bid="100001"))
        await socket.wait_for(records.Bbo)
        venue.clock.advance(0.25)
        await buy(venue, socket, client_id="a-1")
        [stamp] = venue.sim.state()["order_stamps"]
        assert stamp["client_id"] == "a-1"
        assert stamp["read_mono_ns"] - stamp["market_written_mono_ns"] == 250_000_000


async def test_an_interactive_token_makes_retail_orders_late_and_free():
    async with (
        running(replace(ONE_LEVEL, retail_delay_s=2.0)) as venue,
        venue.socket(auth=True, channels=PRIVATE, token_usage="interactive") as socket,
    ):
        await buy(venue, socket)
        assert venue.sim.state()["counters"].get("trades", 0) == 0
        async with venue.socket(auth=True) as pro:
            await pro.call("order.cancel_all", market="ETH-USD-PERP")  # nothing of it is here
        assert venue.sim.exchange.accounts[ALICE].live
        fill = await socket.wait_for(records.Fill)
        assert (fill.fee_e8, fill.flags) == (0, ("INTERACTIVE",))


async def test_too_many_orders_a_second_are_42901():
    async with running(replace(ONE_LEVEL, orders_pro=((2, 1),))) as venue, venue.socket(auth=True) as socket:
        for size in ("0.01", "0.02"):
            assert "result" in await buy(venue, socket, size=size)
        assert (await buy(venue, socket, size="0.03"))["error"]["code"] == 42901
        venue.clock.advance(0.5)
        assert "result" in await buy(venue, socket, size="0.03")


async def test_retail_over_its_limits_is_treated_as_pro():
    settings = replace(ONE_LEVEL, orders_retail=((1, 60),))
    async with running(settings) as venue, venue.socket(auth=True, token_usage="interactive") as socket:
        for size in ("0.01", "0.02"):
            await buy(venue, socket, size=size)
        first, second = venue.sim.exchange.accounts[ALICE].orders.values()
        assert (first.rank, first.status) == (Rank.RETAIL, "NEW")
        assert (second.rank, second.status) == (Rank.PRO, "CLOSED")


async def test_reads_sign_ins_and_connects_have_limits():
    once = ((1, 60),)
    settings = replace(ONE_LEVEL, calls_public=once, reads_private=once, sign_ins=once, connects=once)
    async with running(settings) as venue:
        token = await venue.client.auth(venue.now_ms // 1000)
        assert (await venue.client.sign_in(venue.now_ms // 1000, venue.now_ms // 1000 + 60))[0] == 429
        for path, bearer in (("/system/time", ""), ("/account", token)):
            assert (await venue.client.call("GET", path, bearer))[0] == 200
            status, body = await venue.client.call("GET", path, bearer)
            assert (status, body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
        async with venue.socket():
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await venue.http.ws_connect(venue.client.ws_url)
            assert refused.value.status == 429


# --- batches and modify ---


async def test_a_batch_stands_order_by_order_unless_a_signature_is_bad(venue):
    async with venue.socket(auth=True) as socket:
        reply = await socket.call(
            "order.create_batch", orders=[signed(venue, size) for size in ("0.01", "0.000011", "0.02")]
        )
        assert [("order" in one, "error" in one) for one in reply["result"]["results"]] == [
            (True, False), (False, True), (True, False),
        ]  # fmt: skip
        bad = await socket.call(
            "order.create_batch", orders=[signed(venue, "0.03"), signed(venue, "0.04", signature='["1","2"]')]
        )
        assert bad["error"]["data"] == "INVALID_ORDER_SIGNATURE"
    assert venue.sim.exchange.accounts[ALICE].size_e8(BTC) == 3_000_000


async def test_a_modified_order_keeps_its_id_and_moves(venue):
    async with venue.socket(auth=True, channels=["orders.ALL"]) as socket:
        order_id = (await buy(venue, socket, price="99000", instruction="GTC"))["result"]["order"]["id"]
        now_ms = venue.now_ms
        signature = venue.client.signer.sign_modify(now_ms, BTC, Side.BUY, "LIMIT", 2 * 10**7, 99_500 * 10**8, order_id)
        fields = {"id": order_id, "market": BTC, "side": "BUY", "type": "LIMIT", "size": "0.2", "price": "99500"}
        reply = await socket.call("order.modify", **fields, signature=signature, signature_timestamp=now_ms)
        modified = reply["result"]["order"]
        assert (modified["id"], modified["size"], modified["price"]) == (order_id, "0.2", "99500")
        assert set(reply["result"]) == {"order"}
        moved = await socket.wait_for(records.Order, lambda order: order.price_e8 == 99_500 * 10**8)
        assert (moved.order_id, moved.status, moved.remaining_e8) == (order_id, "OPEN", 2 * 10**7)
        assert (moved.request_type, moved.request_status) == ("MODIFY_ORDER", "SUCCESS")
        forged = await socket.call("order.modify", **fields, signature='["1","2"]', signature_timestamp=now_ms)
        assert forged["error"]["data"] == "INVALID_ORDER_SIGNATURE"


# --- REST ---


async def test_rest_reads_agree_with_what_happened(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    order = signed(venue, client_id="r-1")
    status, created = await venue.client.call("POST", "/orders", token, order)
    assert (status, created["status"], created["client_id"]) == (201, "NEW", "r-1")
    _, positions = await venue.client.call("GET", "/positions", token)
    assert [(p["side"], p["size"], p["average_entry_price"]) for p in positions["results"]] == [
        ("LONG", "0.1", "100010")
    ]
    _, fills = await venue.client.call("GET", f"/fills?market={BTC}", token)
    assert [(f["order_id"], f["fee"], f["remaining_size"]) for f in fills["results"]] == [
        (created["id"], "4.50045", "0")
    ]
    _, history = await venue.client.call("GET", "/orders-history?client_id=r-1", token)
    assert [(o["status"], o["avg_fill_price"]) for o in history["results"]] == [("CLOSED", "100010")]
    _, account = await venue.client.call("GET", "/account", token)
    assert account["total_collateral"] == "99995.49955"
    _, info = await venue.client.call("GET", "/account/info", token)
    assert info["results"][0]["fees"] == {"maker_rate": "0.00003", "taker_rate": "0.00045"}
    assert (await venue.client.call("GET", "/orders/by_client_id/r-1", token))[0] == 400
    assert (await venue.client.call("GET", f"/orders/{created['id']}", token))[1]["status"] == "CLOSED"
    again = await venue.client.call("POST", "/orders", token, order | {"signature_timestamp": venue.now_ms})
    assert (again[0], again[1]["error"]) == (400, "DUPLICATED_CLIENT_ID")


async def test_public_reads_need_no_token(venue):
    async def get(path):
        status, body = await venue.client.call("GET", path)
        assert status == 200
        return body

    assert int((await get("/system/time"))["server_time"]) == venue.now_ms
    assert (await get("/system/config"))["starknet_chain_id"] == "PRIVATE_SN_POTC_SEPOLIA"
    assert (await get("/system/state")) == {"status": "ok"}
    assert [m["symbol"] for m in (await get("/markets"))["results"]] == [BTC, "ETH-USD-PERP"]
    assert (await get(f"/markets/summary?market={BTC}"))["results"][0]["mark_price"] == "100005"
    assert (await get(f"/bbo/{BTC}"))["bid"] == "100000"
    assert (await get(f"/orderbook/{BTC}"))["asks"] == [["100010", "1"]]
    key = venue.client.signer.public_key_hex
    assert (await get(f"/onboarding?public_key={key}&account_signer_type=starknet"))["exists"]
    assert (await venue.client.call("GET", "/nothing"))[0] == 404


async def test_public_trades_are_the_newest_first(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    for size in ("0.1", "0.2"):
        await venue.client.call("POST", "/orders", token, signed(venue, size))
    _, body = await venue.client.call("GET", f"/trades?market={BTC}")
    assert [(trade["size"], trade["side"]) for trade in body["results"]] == [("0.2", "BUY"), ("0.1", "BUY")]


async def test_a_batch_by_rest_is_201_and_cancels_of_a_batch_tell_what_was_found(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    orders = [signed(venue, price=price, instruction="GTC", client_id=f"b{price}") for price in ("99000", "98000")]
    status, placed = await venue.client.call("POST", "/orders/batch", token, orders)
    assert (status, [order["client_id"] for order in placed["orders"]]) == (201, ["b99000", "b98000"])
    asked = {"order_ids": [placed["orders"][0]["id"], "1"], "client_order_ids": ["b98000", "b1"]}
    _, cancelled = await venue.client.call("DELETE", "/orders/batch", token, asked)
    assert [one["status"] for one in cancelled["results"]] == [
        "QUEUED_FOR_CANCELLATION", "NOT_FOUND", "QUEUED_FOR_CANCELLATION", "NOT_FOUND",
    ]  # fmt: skip
    assert [set(one) - {"status"} for one in cancelled["results"]] == [
        {"id", "client_id", "account", "market"}, {"id"}, {"id", "client_id", "account", "market"}, {"client_id"},
    ]  # fmt: skip


async def test_funding_is_paid_when_a_position_changes(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    await venue.client.call("POST", "/orders", token, signed(venue))
    for _ in range(60):
        venue.clock.advance(1)
        venue.sim.exchange.accrue_funding()
    _, held = await venue.client.call("GET", "/positions", token)
    owed = held["results"][0]["unrealized_funding_pnl"]
    assert owed.startswith("-")  # a long pays while the rate is positive
    await venue.client.call("POST", "/orders", token, signed(venue, size="0.05"))
    _, paid = await venue.client.call("GET", f"/funding/payments?market={BTC}", token)
    _, fills = await venue.client.call("GET", "/fills", token)
    assert [(one["payment"], one["fill_id"]) for one in paid["results"]] == [(owed, fills["results"][0]["id"])]
    assert (await venue.client.call("GET", "/funding/payments?market=ETH-USD-PERP", token))[1]["results"] == []


async def test_a_resting_order_is_cancelled_by_rest(venue):
    token = await venue.client.auth(venue.now_ms // 1000)
    order = signed(venue, price="99000", instruction="GTC")
    _, created = await venue.client.call("POST", "/orders", token, order)
    assert await venue.client.call("DELETE", f"/orders/{created['id']}", token) == (204, None)
    status, body = await venue.client.call("DELETE", f"/orders/{created['id']}", token)
    assert (status, body["error"]) == (400, "ORDER_IS_CLOSED")
    status, body = await venue.client.call("DELETE", "/orders/123", token)
    assert (status, body["error"]) == (400, "ORDER_ID_NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("cancel_only", "SYSTEM_STATUS_CANCEL_ONLY"),
        ("post_only", "SYSTEM_STATUS_POST_ONLY"),
        ("maintenance", "SERVICE_UNAVAILABLE"),
    ],
)
async def test_maintenance_states_refuse_what_they_forbid(venue, status, code):
    venue.sim.exchange.status = status
    assert (await venue.client.call("GET", "/system/state"))[1] == {"status": status}
    async with venue.socket(auth=True) as socket:
        assert (await buy(venue, socket))["error"]["data"] == code


# --- faults of an order ---


async def test_a_rejected_order_is_not_executed(venue):
    venue.fault("reject_order", code="MARKET_NOT_OPEN", text="closed for a test")
    async with venue.socket(auth=True) as socket:
        error = (await buy(venue, socket))["error"]
        assert (error["code"], error["message"], error["data"]) == (100, "closed for a test", "MARKET_NOT_OPEN")
    assert venue.sim.exchange.accounts[ALICE].size_e8(BTC) == 0


@pytest.mark.parametrize(("kind", "size_e8"), [("drop_before", 0), ("drop_after", 10**7)])
async def test_a_dropped_order_is_executed_only_after(venue, kind, size_e8):
    venue.fault(kind)
    async with venue.socket(auth=True, channels=PRIVATE) as socket:
        await socket.send("order.create", **signed(venue))
        await socket.wait_closed()
        assert not socket.frames
        assert not any("order" in reply["result"] for reply in socket.replies.values())
    assert venue.sim.exchange.accounts[ALICE].size_e8(BTC) == size_e8


async def test_a_lost_reply_is_never_answered_but_the_order_happened(venue):
    venue.fault("lose_reply")
    async with venue.socket(auth=True, channels=["orders.ALL"]) as socket:
        lost = await socket.send("order.create", **signed(venue))
        await socket.wait_for(records.Order, lambda order: order.status == "CLOSED")
        await socket.call("order.cancel_all")
        assert lost not in socket.replies


async def test_a_late_reply_comes_after_the_news(venue):
    venue.fault("delay_reply", ms=20)
    async with venue.socket(auth=True, channels=["orders.ALL"]) as socket:
        reply = await buy(venue, socket)
        assert socket.seen[-2:] == ["Order", "reply"]
        assert reply["result"]["order"]["status"] == "NEW"


async def test_a_fill_may_come_before_its_reply(venue):
    venue.fault("fill_before_ack")
    async with venue.socket(auth=True, channels=["fills.ALL"]) as socket:
        await buy(venue, socket)
        assert socket.seen[-2:] == ["Fill", "reply"]


async def test_late_fills_come_after_the_reply_and_the_account_has_them_at_once(venue):
    venue.fault("late_fill", ms=30)
    async with venue.socket(auth=True, channels=["fills.ALL"]) as socket:
        await buy(venue, socket)
        assert venue.sim.exchange.accounts[ALICE].size_e8(BTC) == 10**7
        assert not socket.frames
        await socket.wait_for(records.Fill)


async def test_duplicated_events_are_the_same_twice(venue):
    venue.fault("duplicate_events")
    async with venue.socket(auth=True, channels=["fills.ALL", "account"]) as socket:
        await buy(venue, socket)
        while sum(isinstance(record, records.Account) for record in socket.frames) < 2:
            await socket.read()
        fills = [record for record in socket.frames if isinstance(record, records.Fill)]
        assert len(fills) == 2
        assert fills[0] == fills[1]


async def test_a_partial_fill_fault_cancels_the_rest(venue):
    venue.fault("partial_fill", fraction_e8=30_000_000)
    async with venue.socket(auth=True, channels=["orders.ALL"]) as socket:
        await buy(venue, socket)
        order = await socket.wait_for(records.Order, lambda order: order.status == "CLOSED")
        assert (order.filled_e8, order.cancel_reason) == (3_000_000, "REMAINING_IOC_CANCEL")


async def test_a_reader_that_takes_nothing_is_cut():
    async with (
        running(replace(ONE_LEVEL, unsent_messages_max=50)) as venue,
        venue.socket(channels=[f"bbo.{BTC}"]) as socket,
    ):
        socket.ws._response.connection.transport.pause_reading()
        [session] = venue.sim._venue._streams.connections
        for _ in range(2_000):  # large frames, to fill the buffers of both kernels soon
            session.send_frame(bytes(1 << 16))
            if venue.sim.state()["connections"].get("slow_readers_cut"):
                break
        assert venue.sim.state()["connections"]["slow_readers_cut"] == 1


async def test_the_venues_pings_are_met_by_a_pong_or_the_end():
    impatient = replace(ONE_LEVEL, ping_every_s=0.05, pong_within_s=0.05)
    async with running(impatient) as venue, venue.http.ws_connect(venue.client.ws_url, autoping=False) as deaf:
        assert (await deaf.receive(DEADLINE_S)).type == aiohttp.WSMsgType.PING
        assert (await deaf.receive(DEADLINE_S)).type == aiohttp.WSMsgType.CLOSE


async def test_a_peer_that_answers_pings_is_kept_until_it_stops_answering():
    impatient = replace(ONE_LEVEL, ping_every_s=1, pong_within_s=1)
    async with running(impatient) as venue, venue.http.ws_connect(venue.client.ws_url, autoping=False) as peer:
        for _ in range(2):
            ping = await peer.receive(DEADLINE_S)
            assert ping.type == aiohttp.WSMsgType.PING
            await peer.pong(ping.data)
        assert (await peer.receive(DEADLINE_S)).type == aiohttp.WSMsgType.PING
        assert (await peer.receive(DEADLINE_S)).type == aiohttp.WSMsgType.CLOSE


def test_pings_go_out_every_55_s_and_want_an_answer_in_5():
    assert (ONE_LEVEL.ping_every_s, ONE_LEVEL.pong_within_s, ONE_LEVEL.unsent_messages_max) == (55, 5, 2_000)


async def test_stop_may_be_called_twice_and_closes_connections():
    async with running() as venue, venue.socket() as socket:
        await venue.sim.stop()
        await socket.wait_closed()
        await venue.sim.stop()


def test_the_sbe_query_is_what_the_server_serves():
    assert sbe.QUERY == "sbeSchemaId=1&sbeSchemaVersion=2"
