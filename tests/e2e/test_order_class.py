"""The bot with order_class by_edge on both simulated venues: it sees edges last, and then enters in the free class."""

import time
from pathlib import Path

from tests.e2e.rig import Rig, wait_until

from deltawire.core.entry_class import LIVES_MIN, SlowClass
from deltawire.journal.records import OrderIntended, OrderObserved, TradeOpened
from deltawire.journal.report import build_report

# An edge counts as lasting when it outlives the wait; half as much again leaves room for the bot's own age of it.
HELD_S = SlowClass("retail", 300, 0).wait_ns / 1e9 * 1.5
TRIPS_MAX = LIVES_MIN + 4


def test_once_edges_were_seen_to_last_the_bot_enters_as_retail_and_pays_nothing_for_it(tmp_path: Path):
    with Rig(tmp_path) as rig:
        text = rig.config.read_text()
        assert text.count("order_class: pro") == 1
        rig.config.write_text(text.replace("order_class: pro", "order_class: by_edge"))
        rig.start_bot()
        opened: list[TradeOpened] = []
        while not opened or not opened[-1].order_class:
            assert len(opened) < TRIPS_MAX, opened
            rig.spread(30)
            began_s = time.monotonic()
            rig.wait_for("holding")
            wait_until(lambda began_s=began_s: time.monotonic() - began_s > HELD_S, "the edge has lasted")
            rig.spread(0)
            trips = len(opened) + 1
            wait_until(lambda trips=trips: rig.status()["round_trips"] == trips, "a round trip")
            opened = rig.of(TradeOpened)
        assert rig.end_bot() == 0, rig.bot_log()
        rig.assert_all_is_well()
        assert [trade.order_class for trade in opened[: LIVES_MIN - 1]] == [""] * (LIVES_MIN - 1)
        assert "of such edges end within 500 ms" in opened[-1].class_reason
        fees = entry_fees_at_paradex(rig)
        assert fees[opened[-1].trade_id] == 0
        assert all(fees[trade.trade_id] > 0 for trade in opened if not trade.order_class)
        report = build_report(tmp_path / "bot" / "journal")
        assert report.order_classes["retail"][0] == 1
        assert report.order_classes["retail"][1] > 0, "its exit was Pro, and Vest takes its own"


def entry_fees_at_paradex(rig: Rig) -> dict[str, int]:
    """Return trade -> fees of what its first order at Paradex filled."""
    fees: dict[str, int] = {}
    for intent in rig.of(OrderIntended):
        if intent.venue == "paradex" and intent.purpose == "entry":
            fills = [
                record.fee_e8
                for record in rig.of(OrderObserved)
                if record.client_id == intent.client_id and record.kind == "fill"
            ]
            fees[intent.trade_id] = fees.get(intent.trade_id, 0) + sum(fills)
    return fees
