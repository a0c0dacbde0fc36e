"""The official SDK, paradex-py, unmodified against the simulated Paradex: see use_paradex_py.py for what it does."""

from decimal import Decimal

import pytest
from tests.conformance.official.conftest import run_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

BTC = "BTC-USD-PERP"
TAKER_RATE = Decimal("0.00045")


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    yield from run_client("paradex-py", "use_paradex_py.py", tmp_path_factory)


def test_it_is_the_published_package_untouched(proof, versions):
    assert proof.said["version"] == versions["paradex-py"]
    assert proof.said["modified"] == []


def test_the_address_it_derives_and_the_one_the_venue_tells_it_are_the_accounts(proof):
    assert proof.said["address"] == proof.said["interactive"]["address"] == proof.address
    assert proof.said["connected"]


def test_every_channel_is_confirmed_and_its_sbe_frames_are_decoded(proof):
    assert proof.said["channels"] == [
        "account", f"bbo.{BTC}", "fills.ALL", f"funding_data.{BTC}", f"markets_summary.{BTC}",
        f"order_book.{BTC}.deltas@15@50ms", "orders.ALL", "positions", f"trades.{BTC}",
    ]  # fmt: skip
    seen = proof.said["seen"]
    assert {name for name, (count, *_) in seen.items() if count == 0} == set()
    _, first, last = seen["book"]
    assert (first["pkg_type"], last["pkg_type"]) == ("SNAPSHOT", "DELTA")
    assert len(first["bids"]) == len(first["asks"]) == 5
    _, _, bbo = seen["bbo"]
    assert Decimal(bbo["bid_price"]) < Decimal(bbo["ask_price"])
    _, _, summary = seen["summary"]
    assert Decimal(summary["mark_price"]) > 0
    _, _, funding = seen["funding"]
    assert funding["funding_period_hours"] == 8


def test_an_ioc_order_over_websocket_is_taken_filled_and_paid_for(proof):
    ws = proof.said["ws"]
    order, closed, fill = ws["taken"]["order"], ws["closed"], ws["fill"]
    assert (order["status"], order["client_id"], order["instruction"]) == ("NEW", "ws-ioc", "IOC")
    assert closed["cancel_reason"] == ""
    assert Decimal(closed["size_open"]) == 0
    assert fill["order_id"] == order["id"]
    assert Decimal(fill["price"]) <= Decimal(order["price"])
    assert Decimal(fill["fee"]) == Decimal(fill["price"]) * Decimal(fill["size"]) * TAKER_RATE
    assert (fill["liquidity"], fill["fee_currency"], fill["client_order_id"]) == ("TAKER", "USDC", "ws-ioc")
    position = ws["position"]
    assert (position["side"], Decimal(position["size"])) == ("LONG", Decimal("0.01"))
    assert Decimal(position["avg_entry_price"]) == Decimal(fill["price"])


def test_a_reduce_only_market_order_over_websocket_makes_it_flat(proof):
    ws = proof.said["ws"]
    assert (ws["market"]["order"]["price"], ws["market"]["order"]["flags"]) == ("0", ["REDUCE_ONLY"])
    assert ws["market_fill"]["side"] == "SELL"
    assert ws["flat"]["status"] == "CLOSED"
    assert Decimal(ws["flat"]["size"]) == 0


def test_a_resting_order_is_modified_and_cancelled_over_websocket(proof):
    ws = proof.said["ws"]
    resting, modified, gone = ws["resting"]["order"], ws["modified"]["order"], ws["gone"]
    assert modified["id"] == resting["id"]
    assert Decimal(modified["price"]) < Decimal(resting["price"])
    assert ws["cancelled"] == {"order_id": resting["id"], "status": "QUEUED_FOR_CANCELLATION"}
    assert (gone["cancel_reason"], Decimal(gone["price"])) == ("USER_CANCELED", Decimal(modified["price"]))


def test_batches_and_cancel_all_work_over_websocket(proof):
    ws = proof.said["ws"]
    ids = [result["order"]["id"] for result in ws["batch"]["results"]]
    assert len(set(ids)) == 3
    assert ws["by_client_id"] == {"order_id": ids[0], "status": "QUEUED_FOR_CANCELLATION"}
    assert ws["cancel_batch"]["results"] == [
        {"id": ids[1], "market": BTC, "status": "QUEUED_FOR_CANCELLATION"},
        {"id": ids[0], "market": BTC, "status": "ALREADY_CLOSED"},
        {"id": "1", "status": "NOT_FOUND"},
    ]
    assert ws["cancel_all"] == {"status": "ok"}
    assert ws["crossed"]["cancel_reason"] == "POST_ONLY_WOULD_CROSS"


def test_refusals_reach_the_sdk_as_its_own_error(proof):
    assert {name: (refused["code"], refused["data"]) for name, refused in proof.said["ws_refused"].items()} == {
        "forged": (100, "INVALID_ORDER_SIGNATURE"),
        "too_small": (100, "INVALID_ORDER_SIZE"),
        "duplicate": (100, "DUPLICATED_CLIENT_ID"),
        "unknown": (100, "ORDER_ID_NOT_FOUND"),
    }
    refused = proof.said["rest"]["refused"]
    assert "error='ORDER_ID_NOT_FOUND'" in refused["order not found"]
    assert "error='MARKET_NOT_FOUND'" in refused["market not found"]
    assert "error='DUPLICATED_CLIENT_ID'" in refused["duplicate"]


def test_orders_by_rest_are_placed_read_modified_and_cancelled(proof):
    rest = proof.said["rest"]
    resting = rest["resting"]
    assert [order["id"] for order in rest["open_orders"]["results"]] == [resting["id"]]
    assert rest["by_id"]["id"] == rest["by_client_id"]["id"] == rest["modified"]["id"] == resting["id"]
    assert Decimal(rest["modified"]["price"]) < Decimal(resting["price"])
    assert rest["cancelled"] is rest["cancel_one"] is None
    assert ([order["client_id"] for order in rest["batch"]["orders"]], rest["batch"]["errors"]) == (
        ["rest-b0", "rest-b1", "rest-b2"], [],
    )  # fmt: skip
    assert [one["status"] for one in rest["cancel_batch"]["results"]] == ["QUEUED_FOR_CANCELLATION"]
    assert rest["none_left"] == {"results": []}


def test_fills_and_history_by_rest_tell_the_same_story(proof):
    ws, rest = proof.said["ws"], proof.said["rest"]
    filled = [fill["order_id"] for fill in rest["fills"]["results"]]
    assert filled == [
        rest["back"]["id"], rest["taken"]["id"], ws["market"]["order"]["id"], ws["taken"]["order"]["id"],
    ]  # fmt: skip
    history = {order["id"]: order for order in rest["history"]["results"]}
    assert {history[order_id]["status"] for order_id in filled} == {"CLOSED"}
    assert history[rest["resting"]["id"]]["cancel_reason"] == "USER_CANCELED"


def test_every_read_of_the_sdk_is_answered(proof):
    reads = proof.said["reads"]
    assert reads["config"]["starknet_chain_id"] == "PRIVATE_SN_POTC_SEPOLIA"
    assert reads["state"] == {"status": "ok"}
    assert [market["symbol"] for market in reads["markets"]["results"]] == [BTC, "ETH-USD-PERP"]
    assert [market["symbol"] for market in reads["market"]["results"]] == ["ETH-USD-PERP"]
    assert len(reads["summary"]["results"]) == 2
    assert Decimal(reads["bbo"]["bid"]) < Decimal(reads["bbo"]["ask"])
    assert len(reads["book"]["bids"]) == 3
    assert reads["account"]["status"] == "ACTIVE"
    assert reads["account_info"]["results"][0]["fees"] == {"maker_rate": "0.00003", "taker_rate": str(TAKER_RATE)}
    assert reads["balances"]["results"][0]["token"] == "USDC"
    assert [(p["side"], p["size"]) for p in reads["positions"]["results"]] == [("SHORT", "-0.01")]
    assert reads["trades"]["results"][0]["side"] == "SELL"
    assert reads["funding"]["results"][0]["funding_rate"] == "0.0001"


def test_the_rate_limit_headers_are_read(proof):
    limit = proof.said["reads"]["rate_limit"]
    assert 0 < limit["remaining"] < limit["limit"]
    assert limit["window"] in {1, 60}
    assert limit["reset"] > 1_700_000_000


def test_an_interactive_token_makes_orders_free_and_300_ms_late(proof):
    trades = proof.said["interactive"]["trades"]
    assert [trade["fill"]["side"] for trade in trades] == ["BUY", "SELL"]
    for trade in trades:
        order, fill = trade["order"], trade["fill"]
        assert "INTERACTIVE" in order["flags"]
        assert (fill["fee"], fill["flags"]) == ("0", ["interactive"])
        assert fill["created_at"] - order["received_at"] >= 300


def test_cancel_on_disconnect_takes_the_order_with_the_connection(proof):
    assert proof.said["cod"]["armed"] == {"enabled": True}
    assert proof.said["cod"]["after"]["cancel_reason"] == "CANCEL_ON_DISCONNECT"


def test_the_venue_agrees_that_nothing_is_left(proof):
    assert set(proof.account["positions"].values()) == {"0"}
    assert proof.account["orders_live"] == 0
    assert proof.account["fills"] == 8
