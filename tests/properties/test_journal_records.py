"""What is written is what is read, whatever it says; and what a reader adds up is what the engine's machines add up."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.journal import facts

from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, InDoubt, NotFound, NotSent, Rejected, Sent
from deltawire.core.order import IllegalTransition, Order, apply
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId, VenueOrderId
from deltawire.journal.log import JournalLog
from deltawire.journal.read import JournalReader
from deltawire.journal.records import (
    OrderObserved,
    OrderTimed,
    PairConfigured,
    PositionRow,
    PositionsChecked,
    Record,
    RunStarted,
    decode,
    encode,
    event_of,
    intended,
    observed,
)
from deltawire.journal.segments import JournalCorrupt, read

E8 = 10**8
I64 = st.integers(-(2**63), 2**63 - 1)
# Every text a venue may send, line ends and control characters included; lone surrogates cannot be encoded at all.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)

EVENTS = st.one_of(
    st.just(Sent()),
    st.builds(NotSent, TEXT),
    st.builds(Acked, TEXT.map(VenueOrderId)),
    st.builds(FillSeen, TEXT, I64, I64, I64),
    st.builds(FilledTotal, I64, I64, I64),
    st.builds(Closed, st.none() | I64, TEXT),
    st.builds(Rejected, TEXT, TEXT),
    st.builds(InDoubt, TEXT),
    st.just(NotFound()),
)
PAIRS = st.builds(PairConfigured, pair_id=TEXT, venue_a=TEXT, symbol_a=TEXT, venue_b=TEXT, symbol_b=TEXT, size_e8=I64)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(observed, TEXT.map(ClientOrderId), EVENTS, I64),
    st.builds(
        RunStarted,
        run_id=TEXT,
        unix_ns=I64,
        mono_ns=I64,
        version=TEXT,
        mode=st.sampled_from(["paper", "live"]),
        simulated=st.booleans(),
        pairs=st.lists(PAIRS, max_size=3),
        config_digest=TEXT,
        unclean_before=st.booleans(),
    ),
    st.builds(
        OrderTimed, client_id=TEXT, venue=TEXT, stamps=st.builds(OrderStamps, received_mono_ns=I64, transport=TEXT)
    ),
    st.builds(
        PositionsChecked,
        when=st.sampled_from(["start", "timer", "reconnect", "shutdown"]),
        rows=st.lists(
            st.builds(PositionRow, venue=TEXT, symbol=TEXT, journal_e8=I64, venue_e8=I64, agree=st.booleans()),
            max_size=3,
        ),
        unix_ns=I64,
    ),
    st.sampled_from(facts.round_trip()),
)


@given(RECORDS)
def test_a_record_reads_back_as_it_was_written_on_one_line(record: Record):
    written = encode(record)
    assert b"\n" not in written
    assert decode(written) == record


@given(TEXT, EVENTS, I64)
def test_an_order_event_survives_its_record(client_id, event, unix_ns):
    record = observed(ClientOrderId(client_id), event, unix_ns)
    assert event_of(record) == event
    assert event_of(decode(encode(record))) == event  # type: ignore[arg-type]  # the record of one order event


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORDS, max_size=30), st.integers(200, 3000), st.lists(st.integers(1, 8), min_size=1, max_size=10))
def test_a_log_reads_back_as_it_was_written_however_it_was_cut_up(records, segment_bytes_max, batches):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        left = list(records)
        for batch in itertools.cycle(batches):
            if not left:
                break
            with JournalLog(directory, segment_bytes_max=segment_bytes_max) as log:
                log.append_all(left[:batch])
            del left[:batch]
        assert list(read(directory)) == list(enumerate(records, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=6), st.data())
def test_cutting_a_log_anywhere_costs_only_the_records_that_were_cut(records, data):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with JournalLog(directory) as log:
            log.append_all(records)
        path = next(directory.glob("*.wal"))
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        with JournalLog(directory) as log:
            assert log.last_seq == kept
            assert (log.torn is not None) == (cut > 0 and whole[cut - 1 : cut] != b"\n")
            log.append(facts.run_started())
        assert [record for _, record in read(directory)] == [*records[:kept], facts.run_started()]


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, min_size=2, max_size=6), st.data())
def test_any_changed_byte_before_the_last_line_is_found(records, data):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with JournalLog(directory) as log:
            log.append_all(records)
        path = next(directory.glob("*.wal"))
        whole = bytearray(path.read_bytes())
        last_line = whole.rfind(b"\n", 0, len(whole) - 1) + 1
        at = data.draw(st.integers(0, last_line - 2))
        whole[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(bytes(whole))
        with pytest.raises(JournalCorrupt):
            list(read(directory))


INSTRUMENT = Instrument("paradex", "BTC-USD-PERP", 1, 1, 1, 0, 0, 0)
SIZES = st.integers(0, 3).map(lambda units: units * E8)
NEWS = st.one_of(
    st.just(Sent()),
    st.just(Acked(VenueOrderId("v"))),
    st.builds(FillSeen, st.sampled_from("abc"), st.integers(1, 200).map(lambda p: p * E8), SIZES, st.integers(-5, 5)),
    st.builds(FilledTotal, SIZES, st.integers(0, 600).map(lambda n: n * E8), st.integers(-5, 5)),
    st.builds(Closed, st.none() | SIZES, st.sampled_from(["", "expired"])),
    st.just(Rejected("R1", "no")),
    st.just(InDoubt("timeout")),
    st.just(NotSent("down")),
    st.just(NotFound()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(NEWS, max_size=10), st.sampled_from(list(Side)))
def test_the_projection_of_an_order_is_the_fold_of_its_records_by_the_engines_machine(news, side):
    request = OrderRequest(ClientOrderId("c"), TradeId("t"), Purpose.ENTRY, INSTRUMENT, side, 3 * E8, 200 * E8)
    order = Order(request)
    told: list[OrderObserved] = []
    for event in news:
        try:
            order = apply(order, event)
        except IllegalTransition:
            continue  # the bot would have halted; what it makes of such news is tested by name
        told.append(observed(ClientOrderId("c"), event, 1))
    intent = intended(request, pair_id="p", leg="a", correlator=1, signed_unix_ms=1, unix_ns=1)
    with tempfile.TemporaryDirectory() as name:
        with JournalLog(Path(name)) as log:
            log.append_all([facts.run_started(), intent, *told])
        with JournalReader(Path(name)) as journal:
            row = journal.orders()[0]
            positions = journal.positions()
    assert row.state is order.state
    assert (row.filled_e8, row.notional_e8, row.fee_e8) == (order.filled_e8, order.notional_e8, order.fee_e8)
    assert row.is_priced is order.is_priced
    assert row.venue_order_id == (order.venue_order_id or "")
    assert row.why == order.why
    assert row.surprises == 0
    assert positions == {("paradex", "BTC-USD-PERP"): side.sign * order.filled_e8}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), NEWS), max_size=25), st.integers(0, 25))
def test_a_projection_brought_up_in_steps_is_the_projection_of_the_whole(told, pause):
    requests = [
        OrderRequest(ClientOrderId(f"c{n}"), TradeId("t"), Purpose.ENTRY, INSTRUMENT, Side.BUY, 3 * E8, E8)
        for n in range(4)
    ]
    intents = [intended(r, pair_id="p", leg="a", correlator=1, signed_unix_ms=1, unix_ns=1) for r in requests]
    news = [observed(ClientOrderId(f"c{n}"), event, 1) for n, event in told]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with JournalLog(directory) as log:
            log.append_all([facts.run_started(), *intents, *news[:pause]])
            with JournalReader(directory) as journal:
                journal.orders()
            log.append_all(news[pause:])
        with JournalReader(directory) as journal:
            in_steps = journal.orders()
        (directory / "projection.sqlite3").unlink()
        with JournalReader(directory) as journal:
            assert journal.orders() == in_steps
