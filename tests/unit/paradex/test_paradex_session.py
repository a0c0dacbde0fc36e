"""The adapter's start, reconnects, token and end, against a venue in memory."""

import asyncio
import random

import orjson
import pytest
from tests.unit.paradex.paradex_fake import CHAIN_ID, E8, MemoryLog
from tests.unit.paradex.paradex_rig import BTC, ETH, KEY, SETTINGS, make_rig

from deltawire.core.events import NotSent
from deltawire.net.backoff import Backoff
from deltawire.venues.contract import DecodeError, Refused, Venue
from deltawire.venues.paradex import signing
from deltawire.venues.paradex.budget import Budgets
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.settings import OrderClass, ParadexSettings
from deltawire.venues.paradex.signing import Signer
from deltawire.venues.paradex.tokens import TokenKeeper

SOCKET_DOWN = "the order socket is down: only exits leave, by REST"


class HandClock:
    now_ns = 10**12

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return self.now_ns


def test_the_adapter_is_a_venue():
    venue: Venue = make_rig(SETTINGS).venue
    assert venue.name == "paradex"
    assert not venue.ready


async def test_start_arms_cancel_on_disconnect_before_it_is_ready(rig):
    assert rig.venue.ready
    connection = rig.fake.order_connection
    assert connection.armed
    assert connection.methods == ["auth", "order.cancel_on_disconnect", *["subscribe"] * 4]
    assert connection.channels == {"orders.ALL", "fills.ALL", "positions", "tradebusts"}
    assert rig.fake.data_connection.channels == {
        f"{prefix}.{symbol}{suffix}"
        for symbol in (BTC, ETH)
        for prefix, suffix in (("bbo", ""), ("order_book", ".deltas"), ("markets_summary", ""), ("funding_data", ""))
    }
    assert set(rig.sink.links) == {("market data", True), ("orders", True)}


async def test_without_confirmed_cancel_on_disconnect_start_fails_and_nothing_stays_open(unstarted):
    unstarted.fake.confirms_cancel_on_disconnect = False
    with pytest.raises(DecodeError):
        await unstarted.venue.start(unstarted.sink)
    assert not unstarted.venue.ready
    assert not any(connection.is_open for connection in unstarted.fake.connections)
    assert unstarted.fake.http_closed


async def test_after_a_reconnect_no_entry_leaves_until_cancel_on_disconnect_is_confirmed_again(rig):
    rig.fake.confirms_cancel_on_disconnect = False
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: len(rig.fake.connections) >= 4)  # it keeps trying
    assert rig.venue.entry_block(BTC) == SOCKET_DOWN
    client_id = rig.submit()
    assert rig.sink.of(client_id) == [NotSent("the order link is not ready")]
    assert client_id not in rig.fake.orders
    rig.fake.confirms_cancel_on_disconnect = True
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) != SOCKET_DOWN)
    assert rig.fake.order_connection.armed
    assert rig.sink.links[-1] == ("orders", True)


async def test_instruments_come_from_the_venue_with_the_accounts_own_fee(rig):
    instrument = rig.venue.instrument(BTC)
    assert (instrument.price_tick_e8, instrument.size_step_e8, instrument.notional_min_e8) == (E8 // 10, 1_000, 10 * E8)
    assert instrument.fee_rate_taker_e8 == 35_000
    with pytest.raises(KeyError):
        rig.venue.instrument("DOGE-USD-PERP")


async def test_without_an_account_fee_the_markets_fee_is_taken(unstarted):
    unstarted.fake.fee_info = False
    await unstarted.venue.start(unstarted.sink)
    assert unstarted.venue.instrument(BTC).fee_rate_taker_e8 == 45_000


async def test_the_order_class_decides_the_token_and_the_fee(unstarted):
    retail = unstarted.restart_with(order_class=OrderClass.RETAIL)
    await retail.venue.start(retail.sink)
    assert retail.fake.classes_asked == ["interactive"]
    assert retail.venue.instrument(BTC).fee_rate_taker_e8 == 0
    await retail.venue.close()
    pro = unstarted.restart_with(order_class=OrderClass.PRO)
    await pro.venue.start(pro.sink)
    assert pro.fake.classes_asked == ["interactive", ""]
    assert pro.venue.instrument(BTC).fee_rate_taker_e8 == 35_000
    await pro.venue.close()


@pytest.mark.parametrize("is_main", [True, False])
async def test_a_main_key_is_warned_of_and_a_subkey_is_not(unstarted, is_main):
    unstarted.fake.main_public_key = hex(unstarted.fake.public_key) if is_main else "0x1"
    await unstarted.venue.start(unstarted.sink)
    assert any(line[1] == "paradex.main_key" for line in unstarted.log.lines) is is_main


async def test_limits_of_the_market_are_in_the_instrument(rig):
    instrument = rig.venue.instrument(BTC)
    assert (instrument.position_max_e8, instrument.price_band_e8) == (300 * E8, E8 // 20)


@pytest.mark.parametrize("symbol", ["NOPE-USD-PERP", "RFQ-USD-PERP"])
async def test_a_symbol_that_cannot_be_traded_is_refused_at_start(symbol):
    rig = make_rig(SETTINGS).restart_with(symbols=(symbol,))
    with pytest.raises(ValueError, match=symbol):
        await rig.venue.start(rig.sink)
    assert rig.fake.connections == []


async def test_a_wrong_key_is_refused_at_start_with_the_venues_code():
    rig = make_rig(SETTINGS)
    rig.fake.public_key += 1
    with pytest.raises(Refused) as caught:
        await rig.venue.start(rig.sink)
    assert caught.value.code == "STARKNET_SIGNATURE_VERIFICATION_FAILED"


async def test_reads_translate_the_account(rig):
    assert [(p.symbol, p.size_e8, p.entry_price_e8) for p in await rig.venue.positions()] == [
        (BTC, -E8 // 2, 10_000_012_345_678)
    ]
    balance = await rig.venue.balance()
    assert (balance.equity_e8, balance.free_e8) == (1000 * E8 + E8 // 2, 900 * E8 + E8 // 4)


async def test_open_orders_are_read_with_their_client_id(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    (order,) = await rig.venue.open_orders()
    assert (order.client_id, order.symbol, order.leaves_e8) == (client_id, BTC, E8 // 100)


async def test_a_token_refused_early_is_renewed_once_and_the_read_repeated(rig):
    rig.fake.refuse_tokens = 1
    before = rig.fake.tokens_made
    await rig.venue.balance()
    assert rig.fake.tokens_made == before + 1
    rig.fake.refuse_tokens = 2
    with pytest.raises(Refused):
        await rig.venue.balance()


async def test_the_token_is_renewed_in_the_background(unstarted):
    rig = unstarted.restart_with(token_refresh_s=0.02)
    await rig.venue.start(rig.sink)
    await rig.sink.until(lambda: rig.fake.tokens_made >= 4)
    await rig.venue.close()


async def test_a_reconnect_with_a_dead_token_fetches_a_new_one(rig):
    rig.fake.tokens.clear()
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-2:] == [("orders", False), ("orders", True)])
    assert rig.fake.tokens_made == 2


async def test_a_late_word_of_an_old_connection_does_not_touch_the_new_one(rig):
    old = rig.fake.order_connection
    old.lose()
    await rig.sink.until(lambda: rig.sink.links[-2:] == [("orders", False), ("orders", True)])
    told = len(rig.sink.links)
    old.handler.on_text(memoryview(b"not even JSON"), 1)
    old.handler.on_closed(1006, "again")
    assert rig.venue.ready
    assert len(rig.sink.links) == told
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")


async def test_a_token_past_its_age_is_replaced_before_use():
    fake = make_rig(SETTINGS).fake
    clock = HandClock()
    keeper = TokenKeeper(
        SETTINGS,
        http=HttpCaller(fake, SETTINGS.rest_url, 1.0, budgets=Budgets(OrderClass.PRO), clock=clock),
        signer=Signer(SETTINGS.private_key, SETTINGS.account_address, CHAIN_ID),
        clock=clock,
        log=MemoryLog(),
        backoff=Backoff(1.0, 1.0, rng=random.Random(1)),
        interactive=False,
    )
    first = await keeper.current()
    clock.now_ns += int(SETTINGS.token_refresh_s * 1e9)
    assert await keeper.current() == first
    clock.now_ns += 1
    assert await keeper.current() != first
    assert fake.tokens_made == 2


async def test_failed_reconnects_are_tried_again(rig):
    rig.fake.refuse_connects = 3
    rig.fake.data_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-1] == ("market data", True) and rig.venue.book(BTC).valid)
    assert rig.fake.refuse_connects == 0


async def test_reconnects_stop_at_the_budget():
    rig = make_rig(SETTINGS).restart_with(connects_max=3)
    await rig.venue.start(rig.sink)
    rig.fake.refuse_connects = 1_000
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: any(line[1] == "paradex.ws.connect_budget_used_up" for line in rig.log.lines))
    assert 1_000 - rig.fake.refuse_connects == 3
    await rig.venue.close()


async def test_a_clean_close_disarms_and_ends_everything(rig):
    tasks_before = len(asyncio.all_tasks())
    connection = rig.fake.order_connection
    await rig.venue.close()
    assert connection.methods[-1] == "order.cancel_on_disconnect"
    assert not connection.armed
    assert not any(known.is_open for known in rig.fake.connections)
    assert rig.fake.http_closed
    assert tasks_before > 1
    assert len(asyncio.all_tasks()) == 1


async def test_a_close_with_an_order_open_leaves_the_protection_on(rig):
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Acked")
    await rig.venue.close()
    assert rig.fake.cancelled_by_disconnect == [client_id]


async def test_no_secret_reaches_the_log_or_a_repr(rig):
    prepared = rig.prepare()
    rig.venue.submit(prepared)
    await rig.until_kinds(prepared.request.client_id, "Sent", "Acked")
    rig.fake.order_connection.lose()
    await rig.sink.until(lambda: rig.sink.links[-1] == ("orders", True))
    shown = f"{rig.log.lines!r} {prepared!r} {rig.settings!r} {rig.sink.orders!r}"
    signature = signing.decode_signature(orjson.loads(prepared.payload)["params"]["signature"])
    for secret in (f"{KEY:x}", "jwt-", str(signature.r), str(signature.s)):
        assert secret not in shown


def test_settings_defaults_fit_together():
    settings = ParadexSettings("https://h/v1", "wss://h/v1", "0x1", SETTINGS.private_key, (BTC,))
    assert settings.token_refresh_s < 300
    assert settings.reply_timeout_s < settings.recv_window_ms / 1000
