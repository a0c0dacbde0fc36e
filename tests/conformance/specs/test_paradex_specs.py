"""Every answer of the simulated Paradex, refusals included, against the venue's own OpenAPI, OpenRPC and AsyncAPI.

Where document and wire disagree, or a document leaves open what it does not need, the exception stands below with its
reason; § is a section of the Paradex protocol reference. An exception nobody needs any more fails a test.
"""

import asyncio
import json
import re
from functools import partial

import orjson
import pytest
from tests.conformance.specs.documents import (
    Rest,
    asyncapi,
    channel_payload,
    closed,
    complaints,
    openrpc,
    rpc_errors,
    rpc_params,
    rpc_result,
)
from tests.conformance.specs.scenario import PRIVATE, QUIET, Heard, hear

from deltawire.core.types import Side
from deltawire.sim.paradex_channels import PRIVATE_KINDS
from deltawire.venues.paradex import rpc

OPTION = "of option markets; the simulator's are perpetuals"
IDENTITY = "of sub-accounts and the web page; not simulated"
OTHER_FEES = "rates of markets that are not simulated, and two deprecated ones; §11 names maker_rate and taker_rate"
SPOT = "of spot holdings, which the simulator does not have"
NOT_FOUND = "OpenAPI's own text of the call shows NOT_FOUND with what was asked for alone"

OPTIONAL = {
    "responses.MarketResp": dict.fromkeys(
        ("iv_bands_width", "option_cross_margin_params", "option_type", "strike_price"), OPTION
    ),
    "responses.FeeWithCap": dict.fromkeys(("fee_cap", "fee_floor"), OPTION),
    "responses.MarketSummaryResp": dict.fromkeys(
        (
            "ask_iv", "bid_iv", "mark_iv", "last_iv", "delta", "greeks", "forward_rate", "risk_free_rate",
            "future_funding_rate",
        ),
        OPTION,
    ) | {"rolling_details": "of markets on a rolling underlying, such as oil"},
    "responses.FundingDataResult": {"impact_premium_rate": "§9.3, template 5: null where there is none"},
    "responses.OrderResp": {"request_info": "§7.1: optional, there while a modification is reported"},
    "responses.CancelOrderResult": dict.fromkeys(("id", "client_id", "account", "market"), NOT_FOUND),
    "responses.AccountInfoResponse": dict.fromkeys(
        ("created_at", "derivation_path", "has_ecosystem_nft", "isolated_market", "username"), IDENTITY
    ),
    "responses.Fees": dict.fromkeys(
        (
            "commission_rate", "discount_rate", "dated_option_maker_rate", "dated_option_taker_rate",
            "perp_option_maker_rate", "perp_option_taker_rate", "spot_maker_rate", "spot_taker_rate",
        ),
        OTHER_FEES,
    ),
    "responses.AccountMarginEntry": {"isolated_margin_leverage": "§20: isolated margin is disabled"},
    "responses.BalanceResp": dict.fromkeys(
        ("average_entry_price", "average_entry_price_usd", "cost", "cost_usd"), SPOT
    ),
    "responses.ApiError": {"data": "§14: an object or null, no text says when it is there"},
}  # fmt: skip

# Statuses the document lists for some calls only.
STATUSES = {
    401: "§14: a private call without a token that holds is 401 INVALID_TOKEN, whichever call",
    429: "§11, §16: over a rate limit, whichever call",
    503: "§11, §14: SERVICE_UNAVAILABLE, whichever call",
}
# Complaints about bodies, as patterns, that are forgiven.
BODIES = {
    r"\$\.(next|prev): None is not of type 'string'": "live answers quoted in ccxt's source have null on the last page",
    r"\$\.error: 'RATE_LIMIT_EXCEEDED' is not one of": "§16: 429 is documented, its code is not; ours is a guess",
}
# Errors of WebSocket methods OpenRPC does not list for each.
METHOD_ERROR = 100  # §5: "refused by the method", the general code
NOT_SIMULATED: set[str] = set()
ONLY_SOMETIMES = {
    "order.create_batch": frozenset(
        {"order", "created_at", "received_at", "error"}
    ),  # "present on success", "on failure"
    "order.cancel_batch": frozenset({"market"}),  # "absent when status is NOT_FOUND"
}


@pytest.fixture(scope="module")
def heard() -> Heard:
    return asyncio.run(hear())


def by_main_key(path: str) -> str:
    """§2.2: the signing key may stand at the end of the path; OpenAPI has the call without it."""
    return "/auth" if path.startswith("/auth/") else path


def test_every_rest_answer_is_as_openapi_has_it_and_no_exception_is_idle(heard):
    rest = Rest(OPTIONAL)
    wrong, forgiven = [], set()
    for answer in heard.answers:
        operation = rest.operation(answer.method, by_main_key(answer.path))
        assert operation is not None, answer.asked
        documented = operation["responses"].get(str(answer.status))
        if documented is None:
            forgiven.add(answer.status)
            if answer.status not in STATUSES:
                wrong.append(f"{answer.asked} -> {answer.status} is not documented: {answer.body[:100]!r}")
            schema = {"$ref": "#/components/schemas/responses.ApiError"}
        else:
            schema = documented.get("content", {}).get("application/json", {}).get("schema")
        for problem in rest.problems(schema, answer.body):
            pattern = next((pattern for pattern in BODIES if re.match(pattern, problem)), "")
            forgiven.add(pattern)
            if not pattern:
                wrong.append(f"{answer.asked} -> {answer.status} {problem}")
    assert wrong == []
    assert {*STATUSES, *BODIES} - forgiven == set()
    assert {(name, field) for name, fields in OPTIONAL.items() for field in fields} - rest.used == set()


def test_every_rest_call_of_the_simulator_was_made_and_every_one_with_success(heard):
    def is_made(method: str, pattern: str) -> bool:
        return any(
            answer.method == method and re.fullmatch(pattern, answer.path) and answer.status < 300
            for answer in heard.answers
        )

    assert [route for route in heard.routes if not is_made(*route)] == []
    assert len(heard.routes) > 25


def test_lists_were_judged_with_something_in_them(heard):
    """An empty list passes any schema of its items."""
    empty = {answer.path for answer in heard.answers if answer.body.startswith(b'{"results":[]')}
    filled = {answer.path for answer in heard.answers if answer.body.startswith(b'{"results":[{')}
    assert empty - filled == {"/transfers"}  # never happens here


def test_every_refusal_of_rest_has_a_code_and_a_text(heard):
    codes = set()
    for answer in heard.answers:
        if answer.status >= 400:
            body = json.loads(answer.body)
            assert body["error"], answer.asked
            assert body["message"], answer.asked
            codes.add(body["error"])
    assert {"INVALID_TOKEN", "INVALID_ORDER_SIGNATURE", "DUPLICATED_CLIENT_ID", "SYSTEM_STATUS_CANCEL_ONLY"} <= codes
    assert len(codes) >= 20


def test_every_result_of_websocket_is_as_openrpc_and_asyncapi_have_it(heard):
    wrong = []
    for method, reply in heard.replies:
        if "result" in reply:
            lacks = ONLY_SOMETIMES.get(method, frozenset())
            for schema in (rpc_result(method, lacks), closed(channel_payload(method), lacks)):
                wrong += [f"{method}: {problem}" for problem in complaints(schema, reply["result"])]
    assert wrong == []


def test_every_reply_of_websocket_is_json_rpc_with_the_servers_stamps(heard):
    for method, reply in heard.replies:
        assert set(reply) == {"jsonrpc", "id", "usIn", "usOut", "usDiff", "result" if "result" in reply else "error"}, (
            method
        )
        assert reply["jsonrpc"] == "2.0"
        assert reply["usDiff"] == reply["usOut"] - reply["usIn"] >= 0


def test_every_error_of_websocket_has_a_code_its_method_may_give(heard):
    seen = set()
    for method, reply in heard.replies:
        if "error" in reply and method in openrpc():
            error = reply["error"]
            assert set(error) <= {"code", "message", "data"}
            assert error["message"]
            assert error["code"] in rpc_errors(method) | {METHOD_ERROR}, (method, error)
            seen.add(error["code"])
    assert {METHOD_ERROR, -32600, -32602, -32603, 40110, 40111, 40300} <= seen


def test_every_method_of_the_document_is_answered_with_success_or_named_as_not_simulated(heard):
    answered = {method for method, reply in heard.replies if "result" in reply}
    assert heard.methods == answered == set(openrpc()) - NOT_SIMULATED


def test_private_channels_in_their_json_form_are_as_asyncapi_has_them(heard):
    wrong = [f"{name}: {problem}" for name, data in heard.news for problem in complaints(channel_payload(name), data)]
    assert wrong == []
    assert {name for name, _ in heard.news} == set(PRIVATE)
    assert {name.removesuffix(".ALL") for name in (*PRIVATE, *QUIET)} == PRIVATE_KINDS
    assert [data["request_info"]["status"] for name, data in heard.news if "request_info" in data] == ["SUCCESS"]


def test_what_the_adapter_sends_is_as_openrpc_has_it():
    order = partial(
        rpc.encode_order_create,
        1,
        market="BTC-USD-PERP",
        side=Side.BUY,
        size_e8=10**6,
        price_e8=10**13,
        signature='["1","2"]',
        signature_timestamp_ms=1_795_000_000_000,
        client_id="a",
    )

    def params_of(frame: bytes) -> list[str]:
        return complaints(rpc_params("order.create"), orjson.loads(frame)["params"])

    assert params_of(order(recv_window_ms=1_000)) == []
    # The document has the list of allowed flags as the only allowed list; §6.1 has it right.
    assert params_of(order(reduce_only=True)) == ["$.flags: ['REDUCE_ONLY'] is not one of ['REDUCE_ONLY']"]
    # §6.1: OpenRPC wants the price of a MARKET order as "0"; the venue has refused it, so it is left out.
    assert params_of(order(order_type="MARKET")) == ["$: 'price' is a required property"]


# --- the judges themselves ---


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda order: order.pop("remaining_size"), "'remaining_size' is a required property"),
        (lambda order: order.update(size=0.1), "is not of type 'string'"),
        (lambda order: order.update(status="REJECTED"), "is not one of"),
        (lambda order: order.update(fill="1"), "Additional properties are not allowed"),
        (lambda order: order.update(seq_no="1"), "is not of type 'integer'"),
    ],
)
def test_the_judges_see_what_they_are_for(heard, damage, complaint):
    answer = next(a for a in heard.answers if (a.method, a.path, a.status) == ("POST", "/orders", 201))
    order = json.loads(answer.body)
    damage(order)
    rest = Rest(OPTIONAL)
    assert any(complaint in problem for problem in rest.problems(schema_of_an_order(), orjson.dumps(order)))
    reply = next(reply for method, reply in heard.replies if method == "order.create" and "result" in reply)
    result = json.loads(json.dumps(reply["result"]))
    damage(result["order"])
    assert any(complaint in problem for problem in complaints(rpc_result("order.create"), result))
    news = next(data for name, data in heard.news if name == "orders.ALL")
    wrong = dict(news)
    damage(wrong)
    assert any(complaint in problem for problem in complaints(channel_payload("orders.ALL"), wrong))


def schema_of_an_order():
    return {"$ref": "#/components/schemas/responses.OrderResp"}


def test_the_documents_are_the_versions_the_docs_name():
    assert asyncapi()["info"]["version"] == "1.3.1"
