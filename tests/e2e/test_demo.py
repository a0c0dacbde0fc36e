"""The demo as a stranger runs it: one command, real processes, real TLS sockets; judged by what it leaves."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.rig import wait_until

pytestmark = pytest.mark.e2e

DEMO = [sys.executable, "-m", "deltawire", "demo", "--headless"]
REPORT_KEYS = {
    "round_trips", "flat", "agree", "pnl_usd", "fees_usd", "detected_bps", "executed_bps", "unhedged_ms_max",
    "in_doubt", "latency",
}  # fmt: skip
PHASES = {"signature", "encode", "write", "wire", "parse", "total"}


def environment(home: Path) -> dict[str, str]:
    """A stranger's: an empty home, and no setting of ours."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DELTAWIRE_")}
    return kept | {"HOME": str(home), "TERM": "dumb"}


def processes_of(folder: Path) -> list[int]:
    """Living processes with the folder on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, status = (entry / "cmdline").read_bytes(), (entry / "stat").read_text()
        except OSError:
            continue
        if str(folder).encode() in command and status.rpartition(")")[2].split()[0] != "Z":
            found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One demo of one round trip, to its end."""
    base = tmp_path_factory.mktemp("demo")
    folder = base / "run"
    done = subprocess.run(
        [*DEMO, "--json", "--trades", "1", "--seconds", "200", "--dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=base,
        env=environment(base / "home"),
        timeout=280,
    )
    return done, folder


@pytest.fixture(scope="module")
def report(finished) -> dict[str, Any]:
    done, _ = finished
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_stdout_is_one_json_object_and_nothing_else(finished, report):
    assert finished[0].stdout.count("\n") == 1
    assert report.keys() >= REPORT_KEYS


def test_it_traded_and_ended_flat_and_in_agreement(report):
    assert report["round_trips"] >= 1
    assert report["flat"] is True
    assert report["agree"] is True
    assert report["differences"] == []
    assert report["violations"] == []
    assert report["in_doubt"] == 0


def test_the_venues_own_books_show_a_round_trip_on_both(report):
    for venue, books in report["venue_books"].items():
        assert books["orders_filled"] >= 2, venue
        assert books["positions"] == {}, venue
        assert books["open_orders"] == 0, venue
    sizes = {books["size"] for books in report["venue_books"].values()}
    assert len(sizes) == 1, "the legs are not of one size"


def test_the_fees_of_the_report_are_the_fees_the_venues_took(report):
    taken = sum(float(books["fees_usd"]) for books in report["venue_books"].values())
    assert report["fees_usd"] == pytest.approx(taken, abs=1e-8)


def test_pnl_is_what_was_executed_less_the_fees(report):
    for trade in report["trades"]:
        gross_bps = trade["executed_bps"] + trade["exit_executed_bps"]
        notional_usd = (trade["pnl_usd"] + trade["fees_usd"]) / (gross_bps / 1e4)
        assert 60_000 < notional_usd / trade["size"] < 64_000, "not the price of the recording"


@pytest.mark.parametrize("venue", ["paradex", "vest"])
def test_every_order_is_timed_in_every_phase(report, venue):
    latency = report["latency"][venue]
    orders = latency["total"]["n"]
    assert orders >= 2
    for phase in PHASES:
        figures = latency[phase]
        assert figures["n"] == orders, phase
        assert 0 <= figures["p50"] <= figures["p90"] <= figures["p99"] <= figures["max"], phase
    assert latency["transport"] == {{"paradex": "ws", "vest": "https"}[venue]: orders}


def test_vest_orders_travel_on_warm_connections(report):
    assert report["latency"]["vest"]["reused"]["no"] == 0


def test_nothing_is_left_running(finished):
    assert processes_of(finished[1]) == []


def test_keys_are_private_and_in_no_other_file(finished):
    folder = finished[1]
    env = folder / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    keys = [line.partition("=")[2] for line in env.read_text().splitlines() if "PRIVATE_KEY=" in line]
    assert len(keys) == 2
    for path in folder.rglob("*"):
        if path.is_file() and path != env:
            content = path.read_bytes()
            assert not any(key.removeprefix("0x").encode() in content for key in keys), path


def test_the_report_command_reads_the_same_journal(finished, report):
    done = subprocess.run(
        [sys.executable, "-m", "deltawire", "report", "--json", "--journal", str(finished[1] / "journal")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    again = json.loads(done.stdout)
    assert {key: report[key] for key in again} == again


def test_a_demo_that_is_watched_has_its_page_and_takes_it_along(tmp_path: Path):
    folder = tmp_path / "run"
    demo = subprocess.Popen(
        [*DEMO[:-1], "--trades", "50", "--seconds", "100", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
    )
    try:
        assert demo.stderr is not None
        told = next(line for line in demo.stderr if "the web page" in line)
        url = re.search(r"http://127\.0\.0\.1:\d+/login", told)
        assert url is not None, told
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url[0], timeout=60) as answer:
            assert "deltawire" in answer.read().decode()
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=100)
        assert demo.returncode == 130
        assert processes_of(folder) == []
    finally:
        demo.kill()
        demo.communicate()


def test_verify_finds_nothing_in_its_journal(finished):
    done = subprocess.run(
        [sys.executable, "-m", "deltawire", "verify", "--json", "--journal", str(finished[1] / "journal")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["violations"] == []


def test_ctrl_c_ends_everything_cleanly(tmp_path: Path):
    folder = tmp_path / "run"
    demo = subprocess.Popen(
        [*DEMO, "--json", "--trades", "50", "--seconds", "100", "--dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path / "home"),
    )

    def is_there() -> bool:
        assert demo.poll() is None, demo.communicate()
        return (folder / "bot.sock").exists()

    wait_until(is_there, "the bot's socket")
    demo.send_signal(signal.SIGINT)
    stdout, stderr = demo.communicate(timeout=100)
    assert demo.returncode == 128 + signal.SIGINT, stderr
    assert processes_of(folder) == []
    if stdout:  # ended while it was starting, there is no report
        assert json.loads(stdout)["flat"] is True


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run([*DEMO, "--dir", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
