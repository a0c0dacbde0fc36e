import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, T0, fill, intended, seen

from deltawire.dashboard.ledger import Ledger
from deltawire.journal.log import JournalLog
from deltawire.journal.records import (
    AccountsReconciled,
    Armed,
    FundingPaid,
    Halted,
    ItemRow,
    PositionAdjusted,
    PositionRow,
    Record,
)
from deltawire.journal.segments import JournalError, segments


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = Ledger(tmp_path / "journal")
    yield made
    await made.close()


def write(tmp_path: Path, records: Sequence[Record]) -> None:
    with JournalLog(tmp_path / "journal") as log:
        log.append_all(records)


async def view(ledger: Ledger) -> dict[str, Any]:
    made = await ledger.newest()
    assert made is not None
    found: dict[str, Any] = json.loads(made)
    return found


def begun() -> list[Record]:
    return [facts.run_started(), facts.instrument(), facts.instrument(venue="vest", symbol="BTC-PERP")]


async def test_a_journal_that_is_not_there_yet_is_empty_and_is_seen_once_it_is(ledger: Ledger, tmp_path: Path):
    assert (await view(ledger))["run"]["status"] == "empty"
    assert await ledger.newest() is None, "nothing changed"
    assert not (tmp_path / "journal").exists(), "looking makes no file"
    write(tmp_path, [*begun(), *facts.round_trip("t1")])
    told = await view(ledger)
    assert told["run"]["run_id"] == "r1"
    assert [trade["trade_id"] for trade in told["trades"]] == ["t1"]


async def test_it_is_made_anew_only_when_something_was_written(ledger: Ledger, tmp_path: Path):
    write(tmp_path, begun())
    assert (await view(ledger))["trades_total"] == 0
    assert await ledger.newest() is None
    write(tmp_path, facts.round_trip("t1"))
    assert (await view(ledger))["trades_total"] == 1
    assert await ledger.newest() is None


async def test_the_causes_of_a_trade_add_up_to_what_was_kept(ledger: Ledger, tmp_path: Path):
    write(tmp_path, [*begun(), *facts.round_trip("t1", entry=(100, 102), out=(100, 101))])
    told = await view(ledger)
    [trade] = told["trades"]
    causes = dict(trade["causes"])
    kept = causes.pop("kept")
    assert sum(causes.values()) == pytest.approx(kept)
    # (102 - 100 + 100 - 101) * 2 less four fees of 0.01, on a notional of 2 * 102.
    assert kept == pytest.approx((2 - 0.04) / 204 * 1e4)
    assert causes["fees paradex"] + causes["fees vest"] == pytest.approx(-0.04 / 204 * 1e4)
    assert causes["entry seen"] == 30
    assert causes["entry seen"] + causes["entry slipped"] == pytest.approx(trade["executed_bps"])
    assert dict(told["causes"]) == pytest.approx(dict(trade["causes"]))


async def test_an_open_trade_has_no_causes_and_no_result_yet(ledger: Ledger, tmp_path: Path):
    write(tmp_path, [*begun(), *facts.round_trip("t1")[:7]])
    [trade] = (await view(ledger))["trades"]
    assert (trade["outcome"], trade["pnl_usd"], trade["causes"], trade["closed"]) == ("open", None, None, None)


async def test_an_unwound_trade_shows_what_it_cost(ledger: Ledger, tmp_path: Path):
    orders: list[Record] = [
        facts.trade_opened(),
        *(intended("e", "a", 1), seen("e", "sent"), fill("e", "f1", 100, 2 * E8), seen("e", "closed", size_e8=2 * E8)),
        intended("u", "a", 2, purpose="unwind", reduce_only=True),
        *(seen("u", "sent"), fill("u", "f2", 99, 2 * E8), seen("u", "closed", size_e8=2 * E8)),
    ]
    nothing: dict[str, Any] = {
        f"{side}_{what}_spread_rate_e8": None for side in ("entry", "exit") for what in ("detected", "executed")
    }
    write(tmp_path, [*begun(), *orders, facts.trade_closed(outcome="unwound", pnl_e8=-2 * E8, **nothing)])
    told = await view(ledger)
    assert dict(told["trades"][0]["causes"]) == pytest.approx({"other": -100, "kept": -100})
    assert [(alert["level"], alert["text"]) for alert in told["alerts"]] == [("warning", "t1 unwound")]


async def test_money_is_added_up_over_time(ledger: Ledger, tmp_path: Path):
    write(tmp_path, [*begun(), *facts.round_trip("t1", entry=(100, 101)), *facts.round_trip("t2", entry=(100, 102))])
    money = (await view(ledger))["money"]
    assert money["net"] == pytest.approx([1.96, 1.96 + 3.96])
    assert money["fees"] == pytest.approx([0.04, 0.08])


async def test_every_phase_of_an_order_lies_where_it_happened(ledger: Ledger, tmp_path: Path):
    write(tmp_path, [*begun(), *facts.round_trip("t1")])
    made = await ledger.trade("t1")
    assert made is not None
    order = json.loads(made)["orders"][0]
    # The stamps of facts.timed, µs from the market frame: signed ahead, so neither signature nor encode.
    assert order["phases"] == [
        ["decode", 0, 1],
        ["decide", 1, 3],
        ["write", 3, 8],
        ["wire", 8, 84208],
        ["parse", 84208, 84217],
    ]
    assert (order["side"], order["price"], order["state"], order["reused"]) == ("buy", 100, "filled", True)


async def test_latency_is_told_by_phase_and_over_time(ledger: Ledger, tmp_path: Path):
    write(tmp_path, [*begun(), *facts.round_trip("t1"), *facts.round_trip("t2")])
    told = (await view(ledger))["latency"]
    assert set(told) == {"paradex", "vest"}
    n, p50, _p90, _p99, most = told["paradex"]["phases"]["wire"]
    assert (n, p50, most) == (4, 84200, 84200)
    assert told["paradex"]["over_time"]["total"] == pytest.approx([84.214] * 4)
    assert told["paradex"]["over_time"]["p99"] == pytest.approx([84.214] * 4)


async def test_alerts_tell_halts_changes_differences_and_bad_ends_once_each(ledger: Ledger, tmp_path: Path):
    wrong = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=0, venue_e8=E8, agree=False)
    right = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=0, venue_e8=0, agree=True)
    changed = PositionAdjusted(
        trade_id="t1",
        pair_id="btc",
        leg="b",
        venue="vest",
        symbol="BTC-PERP",
        size_e8=E8,
        reason="bust",
        unix_ns=T0 + 9,
    )
    write(
        tmp_path,
        [
            *begun(),
            Halted(reason="killed by a person", unix_ns=T0 + 5),
            Armed(unix_ns=T0 + 6),
            changed,
            *(
                facts.positions_checked(when="timer", rows=[row], unix_ns=T0 + 10)
                for row in (wrong, wrong, right, wrong)
            ),
            facts.run_ended(clean=False, reason="not flat"),
        ],
    )
    alerts = (await view(ledger))["alerts"]
    texts = [alert["text"] for alert in alerts]
    assert texts.count("halted: killed by a person") == 1
    assert texts.count("armed by a person") == 1
    assert sum("changed by 1 without an order of ours: bust" in text for text in texts) == 1
    assert sum("venue holds 1, journal says 0" in text for text in texts) == 2
    assert sum("ended: not flat" in text for text in texts) == 1
    assert [alert["t"] for alert in alerts] == sorted((alert["t"] for alert in alerts), reverse=True)


async def test_a_damaged_journal_is_told_and_does_not_end_the_page(ledger: Ledger, tmp_path: Path):
    write(tmp_path, begun())
    [(_, path)] = segments(tmp_path / "journal")
    good = path.read_bytes()
    path.write_bytes(b"nonsense\n" + good)
    assert path.name in (await view(ledger))["error"]
    with pytest.raises(JournalError):
        await ledger.run("")
    path.write_bytes(good)
    assert (await view(ledger))["run"]["run_id"] == "r1"


async def test_funding_is_a_cause_of_its_own_and_part_of_the_money(ledger: Ledger, tmp_path: Path):
    paid = FundingPaid(
        venue="vest", symbol="BTC-PERP", payment_id="p1", payment_e8=E8 // 2, client_id="t1-eb",
        paid_unix_ns=T0 + 40 * 10**9, unix_ns=T0 + 41 * 10**9,
    )  # fmt: skip
    write(tmp_path, [*begun(), *facts.round_trip("t1", entry=(100, 102)), paid])
    told = await view(ledger)
    causes = dict(told["trades"][0]["causes"])
    assert causes["funding"] == pytest.approx(0.5 / 204 * 1e4)
    kept = causes.pop("kept")
    assert kept == pytest.approx((4 - 0.04 + 0.5) / 204 * 1e4)
    assert sum(causes.values()) == pytest.approx(kept)
    assert told["money"]["net"] == pytest.approx([3.96, 4.46])
    assert told["money"]["funding"] == [0, 0.5]
    assert told["run"]["funding_usd"] == 0.5
    assert told["run"]["pnl_usd"] == pytest.approx(told["money"]["net"][-1])


async def test_what_differs_with_the_venues_books_is_told(ledger: Ledger, tmp_path: Path):
    write(tmp_path, begun())
    assert (await view(ledger))["reconciled"] is None
    item = ItemRow(kind="fee", venue="vest", item="order 7", journal="0.01", told="0.02", answer="alarmed")
    write(tmp_path, [AccountsReconciled(when="timer", rows=[], differences=[item], unix_ns=T0 + 50 * 10**9)])
    told = await view(ledger)
    words = "vest fee order 7: journal 0.01, venue 0.02 (alarmed)"
    assert told["reconciled"]["differences"] == [words]
    assert (told["alerts"][0]["level"], told["alerts"][0]["text"]) == ("error", words)
    write(tmp_path, [AccountsReconciled(when="timer", rows=[], differences=[], unix_ns=T0 + 51 * 10**9)])
    told = await view(ledger)
    assert told["reconciled"]["differences"] == []
    assert told["alerts"] == []


async def test_a_folder_that_cannot_be_read_is_told_and_tried_again(ledger: Ledger, tmp_path: Path):
    (tmp_path / "journal").write_text("not a folder")
    assert "NotADirectoryError" in (await view(ledger))["error"]
    assert "NotADirectoryError" in (await view(ledger))["error"]
    (tmp_path / "journal").unlink()
    assert (await view(ledger))["run"]["status"] == "empty"
