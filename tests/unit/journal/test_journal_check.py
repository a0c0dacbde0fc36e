"""Every rule of the checker is shown a journal that breaks it, made from one that breaks none."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.journal.check import Violation, check_journal, check_records
from deltawire.journal.log import JournalLog
from deltawire.journal.records import OrderIntended, OrderObserved, PositionRow, Record, TradeClosed, TradeOpened


def sound() -> list[Record]:
    return [
        facts.run_started(),
        facts.instrument(),
        facts.instrument(venue="vest", symbol="BTC-PERP"),
        *facts.round_trip("t1"),
        *facts.round_trip("t2"),
        facts.positions_checked(),
        facts.run_ended(),
    ]


def check(records: Sequence[Record]) -> list[Violation]:
    return check_records(list(enumerate(records, 1)))


def at(records: list[Record], client_id: str, kind: str) -> int:
    return next(
        index
        for index, record in enumerate(records)
        if isinstance(record, OrderObserved) and (record.client_id, record.kind) == (client_id, kind)
    )


def intent_at(records: list[Record], client_id: str) -> int:
    return next(i for i, r in enumerate(records) if isinstance(r, OrderIntended) and r.client_id == client_id)


def closed_at(records: list[Record], trade_id: str) -> int:
    return next(i for i, r in enumerate(records) if isinstance(r, TradeClosed) and r.trade_id == trade_id)


def only(records: Sequence[Record], rule: str, text: str, index: int) -> None:
    found = check(records)
    assert [(violation.rule, violation.seq) for violation in found] == [(rule, index + 1)], found
    assert text in found[0].text


def test_a_sound_journal_has_no_violation(tmp_path: Path):
    assert check(sound()) == []
    with JournalLog(tmp_path) as log:
        log.append_all(sound())
    assert check_journal(tmp_path) == []
    assert check_journal(tmp_path / "absent") == []


def test_an_order_that_left_without_an_intent_is_i6():
    records = sound()
    del records[intent_at(records, "t1-ea")]
    found = check(records)
    assert found[0] == Violation(at(records, "t1-ea", "sent") + 1, "I6", "order t1-ea sent, but it was never intended")


def test_an_intent_written_after_the_bytes_left_is_i6():
    records = sound()
    index = intent_at(records, "t2-xb")
    records[index], records[index + 1] = records[index + 1], records[index]
    only(records, "I6", "order t2-xb sent", index)


def test_an_id_used_by_two_orders_is_i3():
    records = sound()
    index = intent_at(records, "t2-ea")
    records[index:index] = [intended("t1-ea", "a", 1, trade_id="t2")]
    only(records, "I3", "id t1-ea used again", index)


def test_an_intent_told_twice_before_it_left_is_one_intent_and_after_it_left_two():
    records = sound()
    index = intent_at(records, "t1-ea")
    assert check([*records[:index], records[index], *records[index:]]) == []
    again = at(records, "t1-ea", "sent") + 1
    records.insert(again, records[index])
    only(records, "I3", "id t1-ea used again", again)


def test_an_order_in_doubt_that_is_sent_again_is_i3():
    records = sound()
    index = at(records, "t1-ea", "sent") + 1
    records[index:index] = [seen("t1-ea", "in_doubt", text="timeout"), seen("t1-ea", "sent")]
    only(records, "I3", "order t1-ea sent again while in doubt", index + 1)


def test_a_doubt_resolved_by_reading_is_no_violation():
    records = sound()
    index = at(records, "t1-ea", "acked")
    records[index:index] = [seen("t1-ea", "in_doubt", text="timeout")]
    assert check(records) == []


def test_an_end_that_does_not_say_how_much_filled_keeps_the_order_in_doubt():
    records = sound()
    start = at(records, "t1-ea", "fill")
    records[start : start + 2] = [
        seen("t1-ea", "closed", text="expired"),
        intended("t1-ea2", "a", 1, purpose="repair"),
        seen("t1-ea2", "sent"),
        fill("t1-ea2", "f", 100, 2 * E8, E8 // 100),
    ]
    found = check(records)
    assert [(v.rule, v.seq) for v in found[:2]] == [("I1", start + 3), ("I4", closed_at(records, "t1") + 1)]


def test_a_second_order_for_what_one_in_doubt_may_still_fill_is_i1():
    records = sound()
    index = at(records, "t1-ea", "acked")
    repair = intended("t1-ea2", "a", 1, purpose="repair")
    records[index:index] = [seen("t1-ea", "in_doubt"), repair, seen("t1-ea2", "sent"), seen("t1-ea2", "not_sent")]
    only(records, "I1", "leg a could reach 4 over its target 2", index + 2)


def test_a_repair_of_what_is_certainly_missing_is_no_violation():
    records = sound()
    start, end = at(records, "t1-ea", "fill"), at(records, "t1-ea", "closed") + 1
    records[start:end] = [
        fill("t1-ea", "f1", 100, E8, E8 // 200),
        seen("t1-ea", "closed", size_e8=E8, text="expired"),
        intended("t1-ea2", "a", 1, E8, purpose="repair"),
        seen("t1-ea2", "sent"),
        fill("t1-ea2", "f2", 100, E8, E8 // 200),
    ]
    assert check(records) == []


def test_an_order_filled_past_its_size_is_i1():
    records = sound()
    index = at(records, "t1-ea", "fill") + 1
    records.insert(index, fill("t1-ea", "extra", 100, E8))
    found = check(records)
    assert [(v.rule, v.seq) for v in found[:2]] == [("I1", index + 1), ("I1", index + 1)]
    assert "order t1-ea filled 3 of 2" in found[0].text
    assert "leg a is on with 3, target 2" in found[1].text
    assert "I5" in {v.rule for v in found[2:]}


def test_a_leg_larger_than_the_trade_decided_is_i1():
    records = sound()
    opened = next(i for i, r in enumerate(records) if isinstance(r, TradeOpened))
    records[opened] = msgspec.structs.replace(records[opened], size_e8=E8)
    assert {v.rule for v in check(records)} == {"I1"}
    assert check(records)[0].seq == at(records, "t1-ea", "sent") + 1


def test_closing_more_than_is_on_is_i1():
    records = sound()
    index = at(records, "t1-xa", "acked")
    records[index:index] = [
        intended("t1-xa2", "a", 2, purpose="exit", reduce_only=True),
        seen("t1-xa2", "sent"),
        seen("t1-xa2", "rejected", code="R1"),
    ]
    only(records, "I1", "leg a could close 4 while 2 is on", index + 1)


def test_a_fill_told_twice_or_in_both_accounts_counts_once():
    records = sound()
    index = at(records, "t1-ea", "fill") + 1
    total = seen("t1-ea", "filled_total", size_e8=2 * E8, notional_e8=200 * E8, fee_e8=E8 // 100)
    records[index:index] = [records[index - 1], total]
    assert check(records) == []


def test_a_new_entry_of_a_pair_with_an_order_in_doubt_is_i4():
    records = sound()
    t1: list[Record] = [r for r in records if isinstance(r, OrderObserved) and r.client_id == "t1-xb"]
    late: list[Record] = [seen("t1-xb", "in_doubt", text="timeout"), *t1[1:], records[closed_at(records, "t1")]]
    kept = [r for r in records if r not in late]
    index = at(kept, "t1-xb", "sent") + 1
    kept.insert(index, late[0])
    after = at(kept, "t2-ea", "sent")
    kept[after + 1 : after + 1] = late[1:]
    only(kept, "I4", "entry t2-ea sent while t1-xb of its pair is in doubt", after)


def test_a_rejection_without_a_code_is_i4():
    records = sound()
    index = at(records, "t1-ea", "acked")
    rejected: list[Record] = [intended("t1-ea0", "b", 1, purpose="unwind"), seen("t1-ea0", "rejected", text="HTTP 500")]
    records[index:index] = rejected
    assert ("I4", index + 2) in {(v.rule, v.seq) for v in check(records)}


@pytest.mark.parametrize("kind", ["sent", "in_doubt"])
def test_a_trade_that_ends_with_an_order_unresolved_is_i4(kind: str):
    records = sound()
    index = closed_at(records, "t2")
    records[index:index] = [
        intended("t2-u", "a", 1, trade_id="t2", purpose="unwind"),
        seen("t2-u", kind),
    ]
    found = {(v.rule, v.seq) for v in check(records)}
    assert ("I4", closed_at(records, "t2") + 1) in found
    assert ("I4", len(records)) in found


def test_a_look_up_that_misses_an_acknowledged_order_does_not_end_it():
    records = sound()
    index = at(records, "t1-ea", "fill")
    del records[index : index + 2]
    records[index:index] = [seen("t1-ea", "in_doubt"), seen("t1-ea", "not_found")]
    assert ("I4", closed_at(records, "t1") + 1) in {(v.rule, v.seq) for v in check(records)}


def test_a_trade_that_ends_with_a_leg_on_is_i5():
    records = sound()
    start = at(records, "t1-xa", "fill")
    records[start : start + 2] = [seen("t1-xa", "closed", size_e8=0, text="expired")]
    found = check(records)
    texts = [v.text for v in found if v.seq == closed_at(records, "t1") + 1]
    assert "trade t1 leg a ended with 2 on, 0 named as dust" in texts
    assert {v.rule for v in found} == {"I5"}
    assert "run ended flat, but paradex BTC-USD-PERP has 2 on" in {v.text for v in found}


def test_dust_that_is_named_passes_below_a_lot_and_not_above():
    for left_e8, sound_end in ((E8 // 2000, True), (E8 // 500, False)):
        records = sound()
        start = at(records, "t2-xa", "fill")
        closed_e8 = 2 * E8 - left_e8
        records[start : start + 2] = [
            fill("t2-xa", "f", 100, closed_e8),
            seen("t2-xa", "closed", size_e8=closed_e8, text="expired"),
        ]
        index = closed_at(records, "t2")
        pnl_e8 = 2 * E8 - 100 * left_e8 - 3 * E8 // 100
        closed = msgspec.structs.replace(records[index], dust_a_e8=left_e8, fees_e8=3 * E8 // 100, pnl_e8=pnl_e8)
        records[index] = closed
        row = PositionRow(venue="paradex", symbol="BTC-USD-PERP", journal_e8=left_e8, venue_e8=left_e8, agree=True)
        records[-2] = facts.positions_checked(rows=[row])
        found = check(records)
        assert (found == []) is sound_end, found
        assert all("is a lot" in v.text or "run ended flat" in v.text for v in found)


@pytest.mark.parametrize("wrong", [{"pnl_e8": 5}, {"fees_e8": 5}])
def test_money_told_at_the_end_that_the_fills_do_not_give_is_i5(wrong: dict[str, int]):
    records = sound()
    index = closed_at(records, "t2")
    records[index] = msgspec.structs.replace(records[index], **wrong)
    only(records, "I5", "trade t2 told PnL", index)


def test_a_fill_told_after_the_end_of_its_trade_is_i5_at_a_clean_end_of_the_run():
    records = sound()
    records[-2:-2] = [
        intended("t2-late", "a", 2, E8, trade_id="t2", purpose="exit"),
        seen("t2-late", "sent"),
        seen("t2-late", "closed", size_e8=0),
        fill("t2-late", "f", 100, E8),
    ]
    texts = [v.text for v in check(records) if v.seq == len(records)]
    assert any("trade t2 leg a was filled after its end" in text for text in texts)


def test_a_trade_that_never_began_cannot_end():
    records = [facts.trade_closed(trade_id="t9")]
    only(records, "I5", "trade t9 ended but never began", 0)


def test_agreement_told_against_the_numbers_is_i5():
    records = sound()
    row = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=0, venue_e8=1, agree=True)
    records[-2] = facts.positions_checked(rows=[row])
    assert ("I5", len(records) - 1) in {(v.rule, v.seq) for v in check(records)}


def test_a_run_that_ends_in_agreement_without_having_compared_is_i5():
    records = sound()
    del records[-2]
    only(records, "I5", "nothing was compared", len(records) - 1)


def test_a_crashed_run_alone_breaks_no_rule():
    records = sound()
    for cut in range(len(records)):
        assert check(records[:cut]) == [], cut
