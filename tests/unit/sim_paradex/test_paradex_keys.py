"""Who may sign and who may only read: main key, subkey, read-only token."""

import pytest
from tests.unit.sim_paradex.memory import SIGNER, World
from tests.unit.sim_paradex.venue import ALICE, BTC, e8

from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_http import HttpAnswer, HttpCall
from deltawire.sim.paradex_rules import CHAIN_ID
from deltawire.venues.paradex.signing import Signer

SUBKEY = Signer(Secret("0x5ab"), f"0x{ALICE:x}", CHAIN_ID)  # signs with the main account's address


def sign_in(world, signer, path):
    now_s = world.now_ms // 1000
    headers = {
        "PARADEX-STARKNET-ACCOUNT": f"0x{ALICE:x}",
        "PARADEX-STARKNET-SIGNATURE": signer.sign_auth(now_s, now_s + 600),
        "PARADEX-TIMESTAMP": str(now_s),
        "PARADEX-SIGNATURE-EXPIRATION": str(now_s + 600),
    }
    answers: list[HttpAnswer] = []
    world.venue.rest.handle(HttpCall("POST", path, {}, headers), answers.append)
    return answers[0].status


def test_a_subkey_signs_in_under_its_own_name_and_orders_for_the_account():
    world = World()
    assert sign_in(world, SUBKEY, f"/auth/{SUBKEY.public_key_hex}") == 401  # not registered
    world.exchange.add_subkey(ALICE, SUBKEY.public_key)
    assert sign_in(world, SUBKEY, f"/auth/{SUBKEY.public_key_hex}") == 200
    assert sign_in(world, SUBKEY, "/auth") == 401  # that path is the main key's
    assert sign_in(world, SIGNER, "/auth") == 200
    params = world.order(Side.BUY, "0.1", "100010")
    params["signature"] = SUBKEY.sign_order(world.now_ms, BTC, Side.BUY, "LIMIT", e8("0.1"), e8("100010"))
    assert world.http("POST", "/orders", world.token(), params).status == 201
    assert world.account.size_e8(BTC) == e8("0.1")
    main = world.http("GET", "/account/info", world.token()).body["results"][0]["public_key"]
    assert main == SIGNER.public_key_hex


def reading(world, for_s=3_600):
    body = {"name": "watch", "token_type": "read_only", "expiry_duration": for_s}
    return world.http("POST", "/account/tokens", world.token(), body)


def test_a_read_only_token_reads_for_longer_and_does_nothing_else():
    world = World()
    made = reading(world).body
    world.clock.advance(1_000)  # any other token is long dead
    assert world.http("GET", "/account", made["token"]).status == 200
    for method, path in (("POST", "/orders"), ("DELETE", "/orders"), ("POST", "/account/tokens")):
        refused = world.http(method, path, made["token"], world.order(Side.BUY, "0.1", "100010"))
        assert (refused.status, refused.body["error"]) == (401, "UNAUTHORIZED_ERROR")
    wire = world.connect("orders.ALL", token=made["token"])
    for call in ("order.cancel_all", "order.cancel_on_disconnect"):
        assert wire.call(call, enabled=True)["error"]["code"] == 40300
    assert not world.account.orders
    world.clock.advance(2_601)
    assert world.http("GET", "/account", made["token"]).status == 401


def test_a_read_only_token_is_listed_and_revoked():
    world = World()
    first, second = reading(world).body, reading(world).body
    listed = world.http("GET", "/account/tokens", world.token()).body["results"]
    assert listed == [first["api_token"], second["api_token"]]
    revoked = world.http("DELETE", f"/account/tokens/{first['api_token']['lookup_id']}", world.token())
    assert (revoked.status, revoked.body) == (200, {"lookup_id": first["api_token"]["lookup_id"]})
    assert [world.http("GET", "/account", one["token"]).status for one in (first, second)] == [401, 200]
    valid, every = (
        world.http("GET", "/account/tokens", world.token(), with_invalid=flag).body["results"]
        for flag in ("false", "true")
    )
    assert (len(valid), len(every)) == (1, 2)
    assert world.http("DELETE", "/account/tokens/none", world.token()).status == 400


@pytest.mark.parametrize("for_s", [59, 31_536_001])
def test_a_read_only_token_lives_a_minute_to_a_year(for_s):
    assert reading(World(), for_s).body["error"] == "VALIDATION_ERROR"


def test_an_account_revokes_its_own_tokens_only():
    world = World()
    made = reading(world).body
    stranger = world.exchange.add_account(0xBEEF, 7, 10**13)
    token = world.venue._parts.tokens.issue(stranger, Rank.PRO)
    assert world.http("DELETE", f"/account/tokens/{made['api_token']['lookup_id']}", token).status == 400
    assert world.http("GET", "/account", made["token"]).status == 200
