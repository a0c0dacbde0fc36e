"""Every code of the venue in every envelope: what it proves about an order, and what the adapter makes of it."""

import json
import re
from pathlib import Path

import pytest
from tests.unit.vest.bench import started
from tests.unit.vest.fake_vest import Fate
from tests.unit.vest.virtual import until, virtual

from deltawire.core.events import InDoubt, Rejected
from deltawire.venues.vest import errors, rest, wire
from deltawire.venues.vest.errors import Verdict
from deltawire.venues.vest.rest import VenueError

# The venue's table (API v2 notes, section 10), typed off anew: errors.py must agree with it, not with itself.
REFUSALS = {
    429, 1002, 1003, 1022, 1024, 1099, 1111, 1116, 1121, 1130, 1131, 1132, 1133, 1145, 1146, 1148,
    3001, 3002, 3003, 3004, 3006, 3007, 3010, 3011, 3018, 3019, 3020, 3021, 3022, 3023, 3024,
}  # fmt: skip
# Taken nonce, listen key, deposits, mobile; liquidation, duplicate, not found; LP shares; transfers.
PROVE_NOTHING = {
    1023, 1125, 1143, 1144, 1147, 3008, 3015, 3017,
    4001, 4002, 4003, 4004, 4007, 4010, 4012, 5002, 5009, 5010, 5013,
}  # fmt: skip
ENVELOPES = {
    "200 with a code": (200, rest.error_answer),
    "4xx plain": (400, rest.error_answer),
    "4xx nested in detail": (400, rest.error_answer_nested),
    "4xx with the code as text": (400, lambda code, msg: b'{"code":"%d","msg":"%s"}' % (code, msg.encode())),
}  # fmt: skip
EDGE_PAGE = b"<!DOCTYPE html><html><head><title>530</title></head><body>1016</body></html>"
VECTORS = Path(__file__).parents[2] / "vectors" / "vest"
DOCUMENT = Path(__file__).parents[3] / "docs" / "venues" / "vest.md"


def verdict_of(code: int) -> Verdict:
    return Verdict.REJECTED if code in REFUSALS else Verdict.IN_DOUBT


def test_the_table_has_every_code_of_the_venue_and_no_other():
    assert errors.RULES.keys() == REFUSALS | PROVE_NOTHING
    assert errors.PAUSES.keys() <= REFUSALS


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("code", sorted(REFUSALS | PROVE_NOTHING))
def test_a_code_is_read_and_judged_alike_in_every_envelope(code, envelope):
    status, write = ENVELOPES[envelope]
    with pytest.raises(VenueError) as caught:
        rest.read_answer(status, write(code, "why"), wire.OrderId)
    assert (caught.value.code, caught.value.msg) == (code, "why")
    assert errors.rule_for_answer(caught.value).verdict is verdict_of(code)
    assert errors.rule_for_code(code).verdict is verdict_of(code)


@pytest.mark.parametrize("status", [500, 502, 503, 530])
@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_no_code_proves_a_refusal_when_the_server_or_the_edge_has_failed(code, status):
    assert errors.rule_for_answer(VenueError(status, code, "")).verdict is Verdict.IN_DOUBT


@pytest.mark.parametrize("body", [EDGE_PAGE, b"", b"error code: 1016", rest.error_answer_422(["query", "time"])])
@pytest.mark.parametrize("status", [500, 520, 530])
def test_an_edge_page_has_no_code_and_leaves_the_order_in_doubt(status, body):
    error = rest.error_of(status, body)
    assert error.code is None
    assert "<" not in error.msg
    assert errors.rule_for_answer(error).verdict is Verdict.IN_DOUBT


def test_a_missing_parameter_is_named_and_proves_a_refusal():
    error = rest.error_of(422, rest.error_answer_422(["query", "time"]))
    assert (error.code, error.msg) == (None, "query.time: Field required")
    assert errors.rule_for_answer(error).verdict is Verdict.REJECTED


@virtual
async def test_the_adapter_tells_each_code_in_each_envelope_as_what_it_proves():
    async with started(register_retry_s=0.0) as b:
        for code in sorted(REFUSALS | PROVE_NOTHING):
            for status, write in ENVELOPES.values():
                prepared = b.submit(Fate(answer="refuse", answer_s=0.001, refusal=(status, write(code, "why"))))
                await until(lambda p=prepared: len(b.events(p)) == 2)
                told = b.events(prepared)[1]
                if code in REFUSALS:
                    assert told == Rejected(str(code), "why"), (code, status)
                else:
                    assert isinstance(told, InDoubt), (code, status)
                    assert str(code) in told.reason


@virtual
async def test_the_adapter_tells_each_code_of_a_rejected_order_as_what_it_proves():
    async with started() as b:
        for code in sorted(REFUSALS | PROVE_NOTHING):
            prepared = b.submit(Fate(events=("NEW", "REJECTED"), code=code))
            await until(lambda p=prepared: b.order(p).is_final)
            kinds = b.kinds(prepared)
            if code in REFUSALS:
                assert kinds == ["Sent", "Acked", "Rejected"], code
            else:  # the event alone proves nothing; the row, read after it, is the venue's last word on this very order
                assert kinds == ["Sent", "Acked", "InDoubt", "Closed"], code
                assert b.order(prepared).filled_e8 == 0


@pytest.mark.parametrize("answer", [(530, EDGE_PAGE), (502, b""), (200, EDGE_PAGE), (200, b"")])
@virtual
async def test_a_page_in_place_of_an_answer_leaves_the_order_in_doubt_and_it_is_found(answer):
    async with started() as b:
        prepared = b.submit(Fate(answer="refuse", refusal=answer))
        await until(lambda: len(b.events(prepared)) == 2)
        assert b.kinds(prepared) == ["Sent", "InDoubt"]
        assert "<" not in str(b.events(prepared)[1])


def test_the_document_has_the_table_of_this_module():
    row = r"^\| (\d{3,4}) \| ([A-Z_]+) \| (rejected|in doubt) \| (.+?) \|$"
    rows = re.findall(row, DOCUMENT.read_text(), re.MULTILINE)
    told = {int(code): (name, verdict, then) for code, name, verdict, then in rows}
    assert len(told) == len(rows), "a code is there twice"
    assert told == {code: (rule.name, rule.verdict.value, rule.then.value) for code, rule in errors.RULES.items()}


def test_the_document_names_every_golden_message_and_no_other():
    told = set(re.findall(r"(?:ws|rest|request)-v-\d\d", DOCUMENT.read_text()))
    golden = {
        v["id"]
        for name in ("golden_messages", "golden_rest", "requests")
        for v in json.loads((VECTORS / f"{name}.json").read_text())
    }
    assert told == golden
