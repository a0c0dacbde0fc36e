"""The bot with order_class by_edge on both simulated venues: it sees edges last, and then enters in the free class."""

import time
from functools import partial
from pathlib import Path

from tests.e2e.rig import Rig, wait_until

from deltawire.core.entry_class import LIVES_MIN, SlowClass
from deltawire.journal.records import OrderIntended, OrderObserved, TradeOpened
from deltawire.journal.report import build_report

# An edge counts as lasting when it outlives the wait; half as much again leaves room for the bot's own age of it.
HELD_S = SlowClass("retail", 300, 0).wait_ns / 1e9 * 1.5
TRIPS_MAX = LIVES_MIN + 12  # a flicker of the books may make one edge two short ones
EDGE_BPS = 20  # enough to enter, and little to lose by waiting


def test_once_edges_were_seen_to_last_the_bot_enters_as_retail_and_pays_nothing_for_it(tmp_path: Path):
    with Rig(tmp_path) as rig:
        text = rig.config.read_text()
        assert text.count("order_class: pro") == 1
        rig.config.write_text(text.replace("order_class: pro", "order_class: by_edge"))
        rig.start_bot()
        opened: list[TradeOpened] = []
        trips = 0
        while not opened or not opened[-1].order_class:
            assert trips < TRIPS_MAX, [trade.class_reason for trade in opened]
            trips += 1
            rig.spread(EDGE_BPS)
            rig.wait_for("holding")
            until_s = time.monotonic() + HELD_S  # begun with the edge there, ended before it goes
            wait_until(partial(is_past, until_s), "the edge has lasted")
            rig.spread(0)
            wait_until(partial(has_made, rig, trips), "a round trip")
            opened = rig.of(TradeOpened)
        assert rig.end_bot() == 0, rig.bot_log()
        rig.assert_all_is_well()
        assert [trade.order_class for trade in opened[: LIVES_MIN - 1]] == [""] * (LIVES_MIN - 1)
        assert "of such edges end within 500 ms" in opened[-1].class_reason
        fees = entry_fees_at_paradex(rig)
        classes = {trade.trade_id: trade.order_class for trade in opened}
        assert {classes[trade_id] for trade_id, fee_e8 in fees.items() if fee_e8 == 0} == {"retail"}
        assert {classes[trade_id] for trade_id, fee_e8 in fees.items() if fee_e8 > 0} == {""}
        report = build_report(tmp_path / "bot" / "journal")
        assert report.order_classes["retail"][1] > 0, "its exit was Pro, and Vest takes its own"


def is_past(until_s: float) -> bool:
    return time.monotonic() > until_s


def has_made(rig: Rig, trips: int) -> bool:
    return bool(rig.status()["round_trips"] == trips)


def entry_fees_at_paradex(rig: Rig) -> dict[str, int]:
    """Return trade -> fees of its first order at Paradex, of those that filled."""
    fees: dict[str, int] = {}
    for intent in rig.of(OrderIntended):
        if intent.venue == "paradex" and intent.purpose == "entry":
            fills = [
                record.fee_e8
                for record in rig.of(OrderObserved)
                if record.client_id == intent.client_id and record.kind == "fill"
            ]
            if fills:
                fees[intent.trade_id] = sum(fills)
    return fees
