"""The Paradex codec round-trips whatever the venue can say, and garbage gives DecodeError and nothing else."""

import contextlib
import dataclasses
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import rest, rpc, sbe, signing, wire_json
from deltawire.venues.paradex.records import Account, Bbo, BookUpdate, Fill, Order, Position, Trade

int64 = st.integers(-(2**63) + 1, 2**63 - 1)
sizes = st.integers(0, 2**62)
prices = st.integers(1, 2**62)
times_us = st.integers(0, 2**52).map(lambda us: us * 1000)
times_ms = st.integers(0, 2**42).map(lambda ms: ms * 1_000_000)
texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40)
symbols = st.sampled_from(["BTC-USD-PERP", "ETH-USD-PERP", "kPEPE-USD-PERP"])
levels = st.tuples(prices, sizes)
sides = st.sampled_from(Side)
accounts = st.integers(0, signing.FIELD_PRIME - 1).map(hex)


def flags(names: list[str]) -> Any:
    return st.sets(st.sampled_from(names)).map(lambda chosen: tuple(name for name in names if name in chosen))


bbos = st.builds(Bbo, times_us, int64, st.none() | levels, st.none() | levels, symbols)
books = st.builds(
    BookUpdate, times_us, int64, st.booleans(), st.lists(levels, max_size=20), st.lists(levels, max_size=20), symbols,
    st.none() | levels, st.none() | levels, st.none() | int64, st.none() | levels, st.none() | levels,
)  # fmt: skip
trades = st.builds(
    Trade, times_us, int64, int64, st.none() | sides, prices, sizes, times_us, st.sampled_from(["FILL", "RPI"]),
    symbols, texts,
)  # fmt: skip


def orders(times: Any) -> Any:
    return st.builds(
        Order, times, sizes, st.sampled_from(["NEW", "OPEN", "CLOSED"]), sides, st.sampled_from(["LIMIT", "MARKET"]),
        st.sampled_from(["GTC", "IOC"]), st.none() | prices, st.none() | prices, sizes, sizes, st.none() | prices,
        times, times, accounts, times, times, st.sampled_from(["NONE", "EXPIRE_TAKER"]), flags(["REDUCE_ONLY", "MMP"]),
        st.just("PENDING"), st.just("MODIFY_ORDER"), texts, texts, symbols, texts, texts.filter(bool), texts,
    )  # fmt: skip


def fills(times: Any, **fixed: Any) -> Any:
    fields = {
        "venue_unix_ns": times, "seq": st.none() | int64, "fill_type": st.just("FILL"), "side": sides,
        "liquidity": st.just("TAKER"), "price_e8": prices, "size_e8": sizes, "fee_e8": int64,
        "realized_pnl_e8": int64, "created_unix_ns": times, "account": accounts, "underlying_price_e8": prices,
        "realized_funding_e8": int64, "flags": flags(["INTERACTIVE", "FASTFILL"]), "book_seq": sizes,
        "fill_id": texts, "order_id": texts, "client_id": texts, "trade_id": texts, "market": symbols,
        "fee_currency": st.just("USDC"),
    }  # fmt: skip
    return st.builds(Fill, **(fields | fixed))


def position_of(size_e8: int, record: Position) -> Position:
    return dataclasses.replace(record, size_e8=size_e8, side=Side.SELL if size_e8 < 0 else Side.BUY)


positions = st.builds(
    position_of,
    st.integers(-(2**60), 2**60),
    st.builds(
        Position, times_us, int64, sides, st.just(0), int64, int64, int64, st.none(), st.none() | prices, int64,
        times_us, accounts, int64, int64, int64, int64, int64, st.sampled_from(["OPEN", "CLOSED"]), symbols, texts,
    ),
)  # fmt: skip
accounts_records = st.builds(
    Account, times_us, int64, int64, int64, int64, int64, int64, st.none() | int64, times_us, accounts, int64,
    st.sampled_from(["ACTIVE", "LIQUIDATION"]), times_us, st.just("USDC"),
)  # fmt: skip


@given(st.one_of(bbos, books, trades, orders(times_us), fills(times_us), positions, accounts_records))
def test_every_record_survives_the_sbe_wire(record):
    assert sbe.decode(sbe.encode(record)) == record


@given(st.binary(max_size=300), st.sampled_from([0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 23, 40, 41, 99]))
def test_garbage_behind_a_valid_header_is_a_decode_error_or_a_record(body, template):
    for frame in (body, template.to_bytes(2, "little").join([b"\x10\x00", b"\x01\x00\x02\x00"]) + body):
        with contextlib.suppress(DecodeError):
            sbe.decode(frame)


@given(st.one_of(bbos, books, trades, orders(times_us), fills(times_us), positions), st.data())
def test_a_frame_cut_anywhere_or_with_one_byte_changed_never_crashes(record, data):
    frame = sbe.encode(record)
    cut = data.draw(st.integers(0, len(frame) - 1))
    changed = bytearray(frame)
    changed[cut] ^= data.draw(st.integers(1, 255))
    for bad in (frame[:cut], bytes(changed)):
        with contextlib.suppress(DecodeError):
            sbe.decode(bad)


@given(orders(times_ms))
def test_an_order_survives_the_json_wire(order):
    data = orjson.dumps(wire_json.order_json(order))
    assert rpc.decode_channel("orders.ALL", data) == order
    assert rest.read_order(data) == order


@given(fills(times_ms, seq=st.none(), trade_id=st.just(""), remaining_e8=sizes))
def test_a_fill_survives_the_json_wire(fill):
    expected = dataclasses.replace(fill, venue_unix_ns=fill.created_unix_ns)
    assert rpc.decode_channel("fills.ALL", orjson.dumps(wire_json.fill_json(fill))) == expected


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_garbage_text_frames_are_decode_errors(payload):
    for read in (rpc.decode_server, rpc.decode_request, rest.read_orders, rest.read_markets, rest.read_token):
        with contextlib.suppress(DecodeError):
            read(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
rpc_shapes = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0"), "id": json_values, "method": st.sampled_from([*rpc.METHODS, "subscription", "x"]),
        "params": json_values, "result": json_values, "error": json_values, "usIn": json_values,
    },
)  # fmt: skip


@given(rpc_shapes)
def test_json_of_the_right_shape_with_wrong_values_is_a_decode_error_or_read(shape):
    payload = orjson.dumps(shape)
    for read in (rpc.decode_server, rpc.decode_request):
        with contextlib.suppress(DecodeError):
            read(payload)


@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Order)] + ["id", "type"]), json_values))
def test_private_channel_data_with_wrong_values_is_a_decode_error(data):
    for channel in ("orders.ALL", "fills.ALL", "positions", "account"):
        with contextlib.suppress(DecodeError):
            rpc.decode_channel(channel, orjson.dumps(data))


@given(
    side=sides, size_e8=st.integers(1, 2**60), price_e8=st.integers(1, 2**60), timestamp=st.integers(0, 2**42),
    client_id=texts, reduce_only=st.booleans(), recv_window=st.none() | st.integers(10, 10**6),
)  # fmt: skip
def test_an_order_create_request_is_read_by_the_server_as_it_was_meant(
    side, size_e8, price_e8, timestamp, client_id, reduce_only, recv_window
):
    payload = rpc.encode_order_create(
        7, market="BTC-USD-PERP", side=side, size_e8=size_e8, price_e8=price_e8, signature='["1","2"]',
        signature_timestamp_ms=timestamp, client_id=client_id, reduce_only=reduce_only, recv_window_ms=recv_window,
    )  # fmt: skip
    request = rpc.decode_request(payload)
    assert (request.id, request.method) == (7, "order.create")
    params = request.params
    assert isinstance(params, rpc.CreateParams)
    assert (params.order_side, params.size_e8, params.price_e8, params.reduce_only, params.recv_window) == (
        side, size_e8, price_e8, reduce_only, recv_window,
    )  # fmt: skip
    assert (params.signature, params.signature_timestamp, params.client_id, params.instruction) == (
        '["1","2"]', timestamp, client_id, "IOC",
    )  # fmt: skip
