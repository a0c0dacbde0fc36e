"""Every jq recipe of docs/logs.md, run by jq over lines that the log itself wrote."""

import io
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.observe.latency import log_order_latency
from deltawire.observe.log import BufferedLog, Output, human_line, json_line

PAGE = Path(__file__).resolve().parents[3] / "docs/logs.md"
RECIPES = re.findall(r"^```jq([^\n]*)\n(.*?)\n```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
EVENING_UNIX_NS = 1_763_855_999_000_000_000  # a second before midnight, UTC

# The first words of each recipe's answer, in the page's order.
EXPECTED = [
    ["2025-11-22T23:59:59Z trade.alarm one leg for 5001 ms"],
    ["BTC\tclosed\t0.421\t12.4\t11.9", "BTC\tunwound\t-0.25\t9\t"],
    ["2025-11-22 trades 1 pnl 0.421 fees 0.052", "2025-11-23 trades 1 pnl -0.25 fees 0.02"],
    ["paradex n=3 p50=84 max=90", "vest n=1 p50=200 max=200"],
    ['"client_id": "r1-0-3-b2"', '"total_ns": 200000000', '"wire_ns": 190000000'],
    ["2 quote_age", "1 margin"],
    ["1 paradex orders", "1 vest market data"],
    ['"trade_id": "r1-0-3"', '"client_id": "r1-0-3-b2"'],
]


@dataclass
class SetClock:
    now_unix_ns: int = EVENING_UNIX_NS

    def mono_ns(self) -> int:
        return 1

    def unix_ns(self) -> int:
        return self.now_unix_ns


def stamps(total_ms: int, transport: str) -> OrderStamps:
    start_ns = 10**9
    end_ns = start_ns + total_ms * 10**6
    return OrderStamps(
        decided_mono_ns=start_ns,
        prepared_mono_ns=start_ns,
        signed_mono_ns=start_ns + 10**6,
        encoded_mono_ns=start_ns + 2 * 10**6,
        written_mono_ns=start_ns + 3 * 10**6,
        reply_mono_ns=end_ns - 7 * 10**6,
        acked_mono_ns=end_ns,
        transport=transport,
        reused=True,
    )


STORY = {
    "trade_id": "r1-0-3", "pair": "BTC", "outcome": "closed", "buy": "paradex", "sell": "vest", "size": "0.01",
    "detected_bps": 12.4, "executed_bps": 11.9, "exit_detected_bps": -1.0, "exit_executed_bps": -1.2, "pnl_usd": 0.421,
    "fees_usd": 0.052, "unhedged_ms": 6.1, "held_s": 7.4, "orders": 4, "repairs": 0, "unwinds": 0, "why": "spread_back",
    "latency_ms": {"paradex": 84.3, "vest": 200.0},
}  # fmt: skip


def session() -> bytes:
    """Return the lines of a small session over midnight."""
    clock, file = SetClock(), io.BytesIO()
    with BufferedLog(clock, [Output(file, json_line)]) as log:
        log.info("bot.trading", run_id="r1", pairs=1, state="running")
        for rule in ("quote_age", "margin", "quote_age"):
            log.warning("entry.refused", pair="BTC", rule=rule, reason="as said")
        for number, total_ms in enumerate((80, 84, 90)):
            log_order_latency(log, ClientOrderId(f"r1-0-{number}-a1"), "paradex", stamps(total_ms, "ws"))
        log_order_latency(log, ClientOrderId("r1-0-3-b2"), "vest", stamps(200, "https"))
        log_order_latency(log, ClientOrderId("r1-0-31-b2"), "vest", OrderStamps())
        log.info("trade.closed", **STORY)
        log.error("trade.alarm", trade_id="r1-0-4", reason="one leg for 5001 ms")
        log.warning("link.down", venue="paradex", link="orders", detail="lost")
        log.warning("link.down", venue="vest", link="market data", detail="lost")
        clock.now_unix_ns += 2 * 10**9
        unwound = {"trade_id": "r1-0-4", "outcome": "unwound", "executed_bps": None, "detected_bps": 9}
        log.info("trade.closed", **STORY | unwound | {"pnl_usd": -0.25, "fees_usd": 0.02})
        log.info("link.down", venue="vest", link="private", detail="planned")
    return file.getvalue()


def test_each_recipe_of_the_page_has_an_expected_answer():
    assert len(RECIPES) == len(EXPECTED)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed: the recipes of docs/logs.md are untested")
@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_a_recipe_answers_what_it_says(number: int):
    options, program = RECIPES[number]
    words = [word.replace("1K2-0-3", "r1-0-3") for word in shlex.split(options)]
    done = subprocess.run(["jq", "-r", *words, program], input=session(), capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    told = done.stdout.decode()
    for words_expected in EXPECTED[number]:
        assert words_expected in told
    if number not in {4, 7}:  # those answer with whole objects
        assert len(told.splitlines()) == len(EXPECTED[number]), told
    assert "r1-0-31" not in told


def test_a_person_reads_a_trade_as_the_page_shows_it():
    file = io.BytesIO()
    with BufferedLog(SetClock(), [Output(file, human_line)]) as log:
        log.info("trade.closed", **STORY)
    [shown] = [line for line in PAGE.read_text().splitlines() if line.startswith("12:00:07.412 trade closed")]
    told = file.getvalue().decode().strip().partition(" ")[2]
    assert re.sub(r"[-+\d.]+|trade=\S+", "#", told) == re.sub(r"[-+\d.]+|trade=\S+", "#", shown.partition(" ")[2])
