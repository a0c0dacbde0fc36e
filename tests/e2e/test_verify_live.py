"""`deltawire verify --live` against the simulated venues: agreement is signed off, and a difference is named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.rig import Rig, wait_until

from deltawire.journal.log import JournalLog
from deltawire.journal.records import OrderIntended, OrderObserved

pytestmark = pytest.mark.e2e


def verify(rig: Rig) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "deltawire", "verify", "--live", "--json", "--config", str(rig.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def test_the_venues_themselves_confirm_the_journal_or_each_difference_is_named(tmp_path: Path):
    with Rig(tmp_path) as rig:
        rig.start_bot()
        rig.spread(40)
        rig.wait_for("holding")
        code, told = verify(rig)
        assert code == 2, "not beside a running bot"
        assert "runs on this journal" in told["stderr"]
        rig.spread(0)
        wait_until(lambda: rig.status()["round_trips"] == 1, "a round trip")
        assert rig.end_bot() == 0

        code, told = verify(rig)
        assert (code, told["signed_off"], told["differences"]) == (0, True, [])
        assert {venue: answer["orders_asked"] for venue, answer in told["answers"].items()} == {"paradex": 2, "vest": 2}
        assert all(float(answer["equity_usd"]) > 90_000 for answer in told["answers"].values())

        invented = next(record for record in rig.of(OrderIntended) if record.venue == "vest")
        with JournalLog(rig.folder / "bot" / "journal") as log:  # a fill that never was
            log.append_all(
                [
                    OrderIntended(
                        **{name: getattr(invented, name) for name in OrderIntended.__struct_fields__}
                        | {"client_id": "dwinvented-0-9-b1", "trade_id": "dwinvented-0-9", "correlator": 1}
                    ),
                    OrderObserved(client_id="dwinvented-0-9-b1", kind="sent", unix_ns=1),
                    OrderObserved(
                        client_id="dwinvented-0-9-b1", kind="filled_total", unix_ns=1, size_e8=invented.size_e8
                    ),
                ]
            )
        code, told = verify(rig)
        assert (code, told["signed_off"]) == (1, False)
        assert {difference["item"]: difference["venue"] for difference in told["differences"]} == {
            "vest position BTC-PERP": "0",
            "vest order dwinvented-0-9-b1 filled": "unknown there",
        }
