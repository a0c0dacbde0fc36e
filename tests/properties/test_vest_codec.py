"""Vest codec: round trips are exact, and no bytes whatever raise anything but DecodeError or VenueError."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.vest.fake_vest import Log

from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import children, formatting, levels, rest, shapes, signing, wire, ws
from deltawire.venues.vest.signing import Signer

SIGNER = Signer(Secret("0x" + "42" * 32))
UINT256 = st.integers(0, 2**256 - 1)
# The wire is UTF-8: lone surrogates cannot stand in it.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
LEVELS = st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)), max_size=20)

# Frames near the real shapes break a decoder sooner than random bytes do.
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["1.5", "-1", "1e5", "0x1"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
DATA = JSON | st.fixed_dictionaries({"bids": JSON, "asks": st.lists(st.lists(SCALARS, max_size=3), max_size=3)})
EVENT = st.fixed_dictionaries({"event": st.sampled_from(["ORDER", "LP", "TRANSFER", "X"]), "args": JSON})
CHANNEL = st.sampled_from(["BTC-PERP@depth", "@depth", "account_private", "tickers", "X@trades", "X@kline_1m", 5, None])
NEAR_FRAMES = st.fixed_dictionaries(
    {}, optional={"channel": CHANNEL, "data": DATA | EVENT, "id": JSON, "code": JSON, "msg": JSON, "detail": JSON}
).map(lambda message: json.dumps(message).encode())
BYTES = st.binary(max_size=200) | NEAR_FRAMES


@given(BYTES)
def test_any_bytes_on_the_socket_give_a_frame_or_a_decode_error(raw):
    for read in (ws.FrameReader().read, ws.read_command):
        with contextlib.suppress(DecodeError):
            read(raw)


@given(st.integers(100, 599), BYTES)
def test_any_answer_gives_its_shape_or_a_typed_error(status, raw):
    for shape in (wire.OrderId, wire.Account, wire.ExchangeInfo, wire.Registered, list[wire.OrderRow], dict):
        with contextlib.suppress(DecodeError, rest.VenueError):
            rest.read_answer(status, raw, shape)
            assert 200 <= status < 300
    for known in shapes.OF_ANSWER:
        with contextlib.suppress(DecodeError):
            shapes.FirstLook(Log()).look_at_answer(known, raw)
    with contextlib.suppress(DecodeError, rest.VenueError):
        rest.read_depth(status, raw, levels.LevelReader())
    with contextlib.suppress(DecodeError):
        rest.read_body(raw, wire.OrderSubmit)


@given(BYTES, st.integers(1, 1000))
def test_a_cut_off_real_frame_is_a_decode_error(raw, cut):
    whole = ws.depth("BTC-PERP", [(10**12, 10**7)] * 10, [(2 * 10**12, 10**7)] * 10, 2, 4)
    cut %= len(whole)
    try:
        frame = ws.FrameReader().read(whole[:cut])
    except DecodeError:
        return
    raise AssertionError(frame)


@given(LEVELS, LEVELS)
def test_a_book_comes_back_exactly(bids, asks):
    raw = ws.depth("BTC-PERP", bids, asks, 8, 8)
    assert ws.FrameReader().read(raw) == ws.Depth("BTC-PERP", bids, asks)
    as_numbers = raw.replace(b'"', b"").replace(b"channel:BTC-PERP@depth", b'"channel":"BTC-PERP@depth"')
    for name in (b"data", b"bids", b"asks"):
        as_numbers = as_numbers.replace(name + b":", b'"' + name + b'":')
    assert ws.FrameReader().read(as_numbers) == ws.Depth("BTC-PERP", bids, asks)


@given(
    st.builds(
        wire.OrderFields,
        time=st.integers(0, 2**63),
        nonce=UINT256,
        order_type=st.sampled_from([signing.MARKET, signing.LIMIT]),
        symbol=TEXT,
        is_buy=st.booleans(),
        size=TEXT,
        limit_price=TEXT,
        reduce_only=st.booleans(),
    )
)
def test_an_order_arrives_as_it_was_signed(order):
    signature = SIGNER.sign(rest.signed_order_bytes(order))
    arrived = rest.read_body(rest.order_body(order, 5000, signature), wire.OrderSubmit)
    assert arrived.order == order
    digest = signing.personal_digest(rest.signed_order_bytes(arrived.order))
    assert signing.is_signed_by(SIGNER.address, digest, arrived.signature)


@given(st.integers(0, 2**63), st.booleans(), st.sampled_from(children.ChildNonce), st.sets(st.sampled_from("ts")))
def test_children_arrive_as_they_were_signed(nonce, is_buy, reading, which):
    parent = wire.OrderFields(7, nonce, signing.LIMIT, "BTC-PERP", is_buy, "0.0100", "60000.00", False)
    wanted = {"tp_price": "61000.00" if "t" in which else "", "sl_price": "59000.00" if "s" in which else ""}
    sent = children.with_children(parent, SIGNER, reading, **wanted)
    arrived = rest.read_body(rest.order_body(sent, 5000, "0x"), wire.OrderSubmit).order
    found = children.children_of(arrived, reading)
    assert len(found) == len(which)
    assert all(children.signer_of(child, signature) == SIGNER.address for child, signature in found)
    assert all(child.reduce_only and child.is_buy is not is_buy for child, _ in found)


@given(UINT256, UINT256, st.text("0123456789abcdefABCDEFx", max_size=70))
def test_a_cancel_arrives_as_it_was_signed(time_ms, nonce, order_id):
    access = rest.Access(0, Secret("k"))
    request = rest.post_cancel(access, wire.CancelFields(time_ms, nonce, order_id), 5000, SIGNER)
    arrived = rest.read_body(request.body, wire.CancelSubmit)
    digest = signing.personal_digest(rest.signed_cancel_bytes(arrived.order))
    assert signing.is_signed_by(SIGNER.address, digest, arrived.signature)


@given(st.binary(min_size=65, max_size=65), st.binary(min_size=32, max_size=32))
def test_any_signature_recovers_an_address_or_nobody(raw, digest):
    found = signing.recover(digest, "0x" + raw.hex())
    assert found is None or signing.is_address(found)


@given(st.integers(0, 10**18), st.integers(0, 8))
def test_a_rounded_amount_is_written_and_read_back_exactly(value_e8, decimals):
    low, high = formatting.floor(value_e8, decimals), formatting.ceil(value_e8, decimals)
    assert low <= value_e8 <= high < low + 2 * formatting.step_e8(decimals)
    for rounded in (low, high):
        text = formatting.exact(rounded, decimals)
        whole, _, places = text.partition(".")
        assert len(places) == decimals
        assert int(whole + places) * formatting.step_e8(decimals) == rounded


@given(
    st.builds(
        wire.OrderEvent,
        id=TEXT,
        status=TEXT,
        nonce=st.none() | st.integers(0, 2**63),
        code=st.none() | st.integers(0, 9999),
    )
)
def test_an_order_event_comes_back_exactly(event):
    assert ws.FrameReader().read(ws.private_event(event)) == event
