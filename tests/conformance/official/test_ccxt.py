"""ccxt, unmodified against the simulated Paradex, REST and WebSocket: see use_ccxt.py for what it does."""

import pytest
from tests.conformance.official.conftest import run_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

BTC = "BTC/USD:USDC"


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    yield from run_client("ccxt", "use_ccxt.py", tmp_path_factory)


def test_it_is_the_published_package_untouched(proof, versions):
    assert proof.said["version"] == versions["ccxt"]
    assert proof.said["modified"] == []


def test_an_order_is_taken_and_the_position_is_held(proof):
    rest = proof.said["rest"]
    assert (rest["taken"]["status"], rest["taken"]["timeInForce"]) == ("open", "IOC")  # NEW: its fate comes later
    assert [(p["symbol"], p["side"], p["contracts"]) for p in rest["positions"]] == [(BTC, "long", 0.01)]
    closed = {order["clientOrderId"]: order for order in rest["orders"] if order["status"] == "closed"}
    assert (closed["ioc"]["filled"], closed["ioc"]["remaining"]) == (0.01, 0.0)


def test_a_resting_order_is_found_edited_and_cancelled(proof):
    rest = proof.said["rest"]
    order_id = rest["resting"]["id"]
    assert [order["id"] for order in rest["open_orders"]] == [order_id]
    assert rest["found"]["id"] == rest["by_client_id"]["id"] == rest["edited"]["id"] == order_id
    assert rest["edited"]["price"] < rest["resting"]["price"]
    assert {order["status"] for order in rest["orders"] if order["id"] == order_id} == {"canceled"}
    assert rest["none_left"] == []


def test_batches_are_placed_and_cancelled(proof):
    rest = proof.said["rest"]
    ids = [order["id"] for order in rest["batch"]]
    assert len(set(ids)) == 2
    assert [order["id"] for order in rest["cancel_batch"]] == ids


def test_fills_and_fees_are_read(proof):
    bought, sold = proof.said["rest"]["my_trades"]
    assert (bought["side"], sold["side"]) == ("buy", "sell")
    assert bought["fee"]["cost"] == pytest.approx(bought["cost"] * 0.00045, abs=1e-8)
    assert sold["order"] == proof.said["rest"]["back"]["id"]


def test_refusals_are_the_exceptions_ccxt_has_for_them(proof):
    refused = proof.said["rest"]["refused"]
    assert refused["duplicate"].startswith("InvalidOrder: ")
    assert "DUPLICATED_CLIENT_ID" in refused["duplicate"]
    assert "ORDER_ID_NOT_FOUND" in refused["unknown"]


def test_every_read_is_answered(proof):
    reads = proof.said["reads"]
    assert reads["status"]["status"] == "ok"
    assert [market["symbol"] for market in reads["markets"]] == [BTC, "ETH/USD:USDC"]
    assert (reads["trading_fee"]["maker"], reads["trading_fee"]["taker"]) == (0.00003, 0.00045)
    assert reads["ticker"]["bid"] < reads["ticker"]["ask"]
    assert set(reads["tickers"]) == {BTC, "ETH/USD:USDC"}
    assert reads["book"]["bids"][0][0] < reads["book"]["asks"][0][0]
    assert [trade["side"] for trade in reads["trades"]] == ["buy", "sell"]
    assert reads["balance"]["USDC"]["total"] > 99_000
    assert reads["funding_rate"]["fundingRate"] == 0.0001
    assert len(reads["funding_rate_history"]) == 1
    assert (reads["margin_mode"]["marginMode"], reads["leverage"]["longLeverage"]) == ("cross", 50)
    assert reads["open_interest"]["symbol"] == BTC
    assert reads["deposits"] == []


def test_its_sbe_decoder_reads_every_channel_it_asks_for(proof):
    ws = proof.said["ws"]
    assert ws["url"].endswith("?sbeSchemaId=1&sbeSchemaVersion=3")  # its own default: nothing was set
    assert ws["book"]["bids"][0][0] < ws["book"]["asks"][0][0]
    assert ws["ticker"]["bid"] < ws["ticker"]["ask"]
    assert ws["funding"]["fundingRate"] == 0.0001
    order_id = ws["taken"]["id"]
    assert [(trade["side"], trade["amount"]) for trade in ws["trades"]] == [("buy", 0.01)]
    assert [(order["id"], order["status"], order["filled"]) for order in ws["orders"]] == [(order_id, "closed", 0.01)]
    assert [(trade["order"], trade["amount"]) for trade in ws["my_trades"]] == [(order_id, 0.01)]
    assert [(position["side"], position["contracts"]) for position in ws["positions"]] == [("long", 0.01)]
    assert ws["balance"]["USDC"]["used"] > 0


def test_the_venue_agrees_that_nothing_is_left(proof):
    assert set(proof.account["positions"].values()) == {"0"}
    assert proof.account["orders_live"] == 0
    assert proof.account["fills"] == 4
