"""Each benchmark runs, has the cases it promises, and notices a wrong answer. No figure is held to a limit above."""

import asyncio
import json
import sys

import pytest

from deltawire.bench import connect
from deltawire.bench.connect import ConnectSettings, bench_connect
from deltawire.bench.execution import ExecutionSettings, bench_execution
from deltawire.bench.peer import reply
from deltawire.bench.reaction import ReactionSettings, bench_reaction
from deltawire.bench.reaction_run import Client, run_block
from deltawire.bench.scale import ScaleSettings, bench_scale
from deltawire.bench.sign import bench_sign
from deltawire.bench.start import StartSettings, bench_start
from deltawire.bench.throughput import bench_throughput


def test_sign_has_its_cases_and_plain_json():
    report = bench_sign(rounds=3, with_others=False).as_json()
    cases = {"floor_paradex", "floor_vest", "paradex_order", "paradex_order_chain_ready", "vest_order"}
    assert set(report["results"]) == cases
    assert report["missing"] == ["paradex-py and ccxt: left out by setting"]
    assert all(result["n"] == 3 and result["unit"] == "us" for result in report["results"].values())
    assert json.loads(json.dumps(report)) == report


@pytest.mark.e2e
def test_throughput_takes_every_frame_through_a_live_bot_and_tells_the_rate():
    report = bench_throughput(rounds=2).as_json()
    cases = {"floor_unpack", "bbo_decode", "bbo_evaluated", "delta_evaluated", "book_15_decode", "book_15_evaluated"}
    cases |= {"vest_depth_decode", "vest_depth_evaluated", "vest_ticker"}
    (rates,) = report["tables"]
    assert set(report["results"]) == {case for case, *_ in rates["rows"]} == cases
    assert all(result["n"] == 2 and result["p50"] > 0 for result in report["results"].values())


@pytest.mark.e2e
def test_connect_measures_every_way_at_every_distance_and_no_faster_than_light():
    report = bench_connect(ConnectSettings(rtts_ms=(0.0, 10.0), rounds=2, pause_ms=0, other_orders=0)).as_json()
    results = report["results"]
    assert set(results) == {
        f"{kind}_{rtt}" for kind in ("ws_warm", "https_pooled", "https_cold") for rtt in ("0ms", "10ms")
    }
    assert all(result["n"] == 2 and result["unit"] == "ms" for result in results.values())
    assert results["ws_warm_10ms"]["p50"] >= 10
    assert results["https_pooled_10ms"]["p50"] >= 10
    assert results["https_cold_10ms"]["p50"] >= 30  # TCP, TLS 1.3 and the request: a round trip each
    assert report["ratios"]["https_cold/ws_warm at 10 ms"] > 0


def test_an_answer_to_another_order_stops_the_benchmark():
    orders = connect._Orders()
    first, first_bytes = orders.next()
    second, _ = orders.next()
    connect._check(reply(first_bytes), first)
    with pytest.raises(AssertionError, match="got another's answer"):
        connect._check(reply(first_bytes), second)


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_reaction_accounts_for_every_step_of_bot_and_floor_and_says_what_is_missing():
    settings = ReactionSettings(blocks=1, idle_steps=4, hot_steps=2, warm_up=2, never_sleep=False, others=False)
    report = bench_reaction(settings).as_json()
    orders, steps = report["tables"]
    counted = {(client, mode): sum(counts) for client, mode, *counts in steps["rows"]}
    wanted = {(client, mode): n for client in ("deltawire", "floor") for mode, n in (("idle", 4), ("hot", 2))}
    assert counted == wanted
    for name, figures in report["results"].items():
        assert figures["unit"] == "us", name
        assert 0 < figures["p50"] <= figures["p99"] <= figures["max"], name
    assert {venue for _, _, venue, *_ in orders["rows"]} <= {"paradex", "vest"}
    assert report["missing"] == ["paradex-py and ccxt: left out by setting"]
    assert json.loads(json.dumps(report)) == report


def test_a_client_that_fails_is_named_with_its_last_words(tmp_path):
    client = Client("broken", (sys.executable, "-c", "import sys; sys.exit('no such venue')"))
    with pytest.raises(RuntimeError, match=r"broken failed .* no such venue"):
        asyncio.run(run_block(client, {"control_url": "http://127.0.0.1:1"}, tmp_path, None, 0, []))


@pytest.mark.e2e
def test_execution_sends_every_order_over_every_transport_and_none_faster_than_light():
    report = bench_execution(ExecutionSettings(rtt_ms=20, steps=2, retail_steps=0, rounds=1)).as_json()
    results = report["results"]
    singles = {"WebSocket Paradex order", "cold HTTPS both legs"}
    singles |= {f"{way} HTTPS {venue} order" for way in ("pooled", "cold") for venue in ("Paradex", "Vest")}
    assert singles <= set(results)
    for name in singles:
        assert results[name]["p50"] >= (60 if name.startswith("cold") else 20), name
    before, steps = report["tables"]
    assert [row[0] for row in before["rows"]][:3] == ["Paradex order", "Vest order", "both legs"]
    assert sum(steps["rows"][0][1:]) == 2  # each step is accounted for


@pytest.mark.e2e
def test_scale_tells_what_each_number_of_pairs_uses():
    settings = ScaleSettings(pairs=(2,), updates_per_s=20, quiet_s=0.3, steps=2, warm_up=0)
    (table,) = bench_scale(settings).as_json()["tables"]
    (row,) = table["rows"]
    told = dict(zip(table["columns"], row, strict=True))
    assert told["pairs"] == 2
    assert told["bot's memory, MB"] > 10
    assert told["steps timed"] + told["unanswered"] + told["unclear"] == 2


@pytest.mark.e2e
def test_start_times_the_command_an_operator_runs_and_reads_its_memory():
    report = bench_start(StartSettings(pairs=(2,), rtts_ms=(0.0,), rounds=1)).as_json()
    results = report["results"]
    assert results["process start to ready, 2 pairs, 0 ms"]["p50"] > 0
    assert results["own: interpreter"]["p50"] > 0
    (table,) = report["tables"]
    assert table["rows"][0][2] > 10
