"""Whatever a client sends, every request is answered by a reply or an error, and nothing raises. In memory."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sim_paradex.venue import ALICE, BTC, ONE_LEVEL, HandClock, quote

from deltawire.core.money import E8
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_http import HttpAnswer, HttpCall
from deltawire.sim.paradex_rules import CHAIN_ID
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.venues.paradex.signing import Signer

SIGNER = Signer(Secret("0x123456789"), f"0x{ALICE:x}", CHAIN_ID)


class Memory:
    """The socket side of one connection, kept in lists."""

    def __init__(self) -> None:
        self.unsent = 0
        self.texts: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.aborted = False

    def send_text(self, payload: bytes) -> None:
        self.texts.append(orjson.loads(payload))

    def send_binary(self, payload: bytes) -> None:
        self.frames.append(payload)

    def close(self, code: int) -> None:
        self.closed_with = code

    def abort(self) -> None:
        self.aborted = True


def connected(*, signed_in: bool = True):
    clock, market = HandClock(), Market(("BTC", "ETH"))
    venue = SimulatedParadex(
        clock=clock, call_later=clock.call_later, market=market, faults=Faults(), settings=ONE_LEVEL
    )
    account = venue.exchange.add_account(ALICE, SIGNER.public_key, 10**12 * E8)
    market.publish("paradex", "BTC", quote())
    memory = Memory()
    session = venue.connect(memory)
    if signed_in:
        token = venue._parts.tokens.issue(account, Rank.PRO)
        send(session, "auth", {"bearer": token})
        for channel in ("orders.ALL", "fills.ALL", "positions", "account", f"order_book.{BTC}.deltas", "trades.ALL"):
            send(session, "subscribe", {"channel": channel})
        memory.texts.clear()
    return venue, session, memory, clock


def send(session, method, params, request_id: Any = 1) -> None:
    session.on_text(orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}), 0)


booleans = st.booleans()
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=80) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=6,
)
FIELDS = (
    "market", "side", "type", "size", "price", "instruction", "signature", "signature_timestamp", "client_id", "stp",
    "recv_window", "flags", "trigger_price", "vwap_price", "markets", "add", "remove", "id", "order_ids", "orders",
    "channel", "bearer", "enabled",
)  # fmt: skip
METHODS = (
    "auth", "subscribe", "unsubscribe", "order.create", "order.create_batch", "order.modify", "order.cancel",
    "order.cancel_batch", "order.cancel_all", "order.cancel_on_disconnect", "order.fly", "modify_subscription",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(METHODS), st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8) | anything, st.booleans()
)
def test_any_parameters_are_answered_once(method, params, signed_in):
    _, session, memory, _ = connected(signed_in=signed_in)
    send(session, method, params)
    assert len(memory.texts) == 1
    assert memory.texts[0]["id"] == 1
    assert ("result" in memory.texts[0]) != ("error" in memory.texts[0])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_by_an_error(frame):
    _, session, memory, _ = connected()
    session.on_text(frame, 0)
    assert [text["error"]["code"] for text in memory.texts] in ([-32700], [-32600], [-32601])


@pytest.mark.parametrize("request_id", [2**63, -(2**64), 10**30])
def test_an_id_no_answer_can_carry_is_an_invalid_request(request_id):
    _, session, memory, _ = connected()
    session.on_text(f'{{"jsonrpc":"2.0","id":{request_id},"method":"order.cancel_all","params":{{}}}}'.encode(), 0)
    assert memory.texts[0]["error"]["code"] in {-32600, -32602}


amounts = st.decimals(min_value=0, max_value=10**17, places=8).map(lambda value: f"{value:f}")


@settings(max_examples=150, deadline=None)
@given(
    amounts,
    amounts,
    st.sampled_from(list(Side)),
    st.sampled_from(["GTC", "IOC", "POST_ONLY", "RPI"]),
    st.text(max_size=64),
)
def test_signed_orders_of_any_size_and_price_are_answered_and_told(size, price, side, instruction, client_id):
    _, session, memory, clock = connected()
    now_ms = clock.unix_ns() // 1_000_000
    size_e8, price_e8 = (int(text.replace(".", "")) for text in (size, price))
    params = {
        "market": BTC,
        "side": side.name,
        "type": "LIMIT",
        "size": size,
        "price": price,
        "instruction": instruction,
        "client_id": client_id,
        "signature": SIGNER.sign_order(now_ms, BTC, side, "LIMIT", size_e8, price_e8),
        "signature_timestamp": now_ms,
    }
    send(session, "order.create", params)
    assert len(memory.texts) == 1


PARTS = (
    "orders", "auth", "orderbook", "interactive", "tokens", "trades", "fills", "markets", "bbo", "account", "batch",
    "x", "", "by_client_id", BTC,
)  # fmt: skip
QUERY = ("market", "depth", "page_size", "start_at", "cursor", "price_tick")
HEADERS = ("AUTHORIZATION", "PARADEX-STARKNET-ACCOUNT", "PARADEX-TIMESTAMP", "PARADEX-STARKNET-SIGNATURE")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    st.lists(st.sampled_from(PARTS)),
    st.dictionaries(st.sampled_from(QUERY), st.text(max_size=8)),
    st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=40)),
    st.binary(max_size=60),
)
def test_any_http_request_is_answered_once(method, parts, query, headers, body):
    venue, _, _, _ = connected(signed_in=False)
    answers: list[HttpAnswer] = []
    call = HttpCall(method, "/" + "/".join(parts), query, headers, body)
    venue.rest.handle(call, answers.append)
    assert len(answers) == 1
    assert answers[0].status in {200, 400, 401, 404}


def test_in_memory_the_whole_venue_runs_on_a_hand_moved_clock():
    venue, session, memory, clock = connected()
    venue.start()
    send(session, "subscribe", {"channel": "markets_summary"})
    memory.frames.clear()
    clock.advance(3)
    assert len(memory.frames) == 6  # two markets, three seconds
    session.on_disconnected()
    assert venue.state()["connections"]["open"] == 0
