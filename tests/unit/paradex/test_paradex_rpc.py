"""Text frames that once broke the codec. Each was found by tests/fuzz and is kept here by name."""

import pytest

from deltawire.sim.paradex_rpc import decode_request as decode_any_request
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import rest, rpc
from deltawire.venues.paradex.errors import INVALID_REQUEST, Unavailable

DEEP = b"[" * 2_000 + b"]" * 2_000


@pytest.mark.parametrize("read", [rpc.decode_server, rpc.decode_request, decode_any_request, rest.read_state])
def test_nesting_deeper_than_any_parser_goes_is_a_decode_error(read):
    with pytest.raises(DecodeError):
        read(b'{"jsonrpc":"2.0","id":1,"x":' + DEEP + b"}")


def test_an_error_body_that_cannot_be_read_says_nothing_of_what_was_asked():
    with pytest.raises(Unavailable):
        rest.check(400, b'{"error":' + DEEP + b"}")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'"INVALID_ORDER_SIZE: 0"', "INVALID_ORDER_SIZE: 0"),
        (b"null", ""),
        (b'{"limit":123456789012345678901234567890}', '{"limit":123456789012345678901234567890}'),
        (b"[" * 500 + b"]" * 500, "[" * 500 + "]" * 500),
    ],
)
def test_the_data_of_an_error_is_kept_as_it_was_sent(data, text):
    failure = rpc.decode_server(b'{"id":7,"error":{"code":100,"message":"m","data":' + data + b"}}")
    assert isinstance(failure, rpc.Failure)
    assert failure.data == text


@pytest.mark.parametrize("method", ["auth", "order.create_batch", "no.such"])
@pytest.mark.parametrize("request_id", [2**63, -(2**63) - 1, 10**30])
def test_a_request_whose_id_no_answer_could_carry_is_an_invalid_request(method, request_id):
    with pytest.raises(rpc.BadRequest) as bad:
        decode_any_request(f'{{"jsonrpc":"2.0","id":{request_id},"method":"{method}","params":{{}}}}'.encode())
    assert (bad.value.code, bad.value.request_id) == (INVALID_REQUEST, None)
