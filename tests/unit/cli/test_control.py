"""The commands that talk to a running bot, against a socket that answers as told."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.main import app

runner = CliRunner()

STATUS: dict[str, Any] = {
    "ok": True,
    "state": "running",
    "run_id": "r1",
    "mode": "live",
    "uptime_s": 12.5,
    "venues": {
        "paradex": {
            "ready": True, "links": {"orders": True, "private": False}, "feed_age_ms": {"BTC-USD-PERP": 9}, "orders": 1,
        },
        "vest": {"ready": False, "links": {}, "feed_age_ms": {"BTC-PERP": None}, "orders": 0},
    },
    "pairs": [
        {
            "id": "BTC",
            "state": "open",
            "spread_bps": {"buy_a": 7.25, "buy_b": -9.5},
            "edge_bps": 3.1,
            "books": {
                "paradex": {
                    "bid": "61800.1", "ask": "61800.2", "bid_size": "1.5", "ask_size": "2", "age_ms": 12, "valid": True,
                },
                "vest": {"bid": None, "ask": None, "bid_size": None, "ask_size": None, "age_ms": None, "valid": False},
            },
            "closing_spread_bps": 4.5,
            "trade": {"trade_id": "t1", "phase": "holding", "buy": "paradex", "size": "0.1", "entry_spread_bps": 21.5},
            "position": {"paradex": "0.1", "vest": "-0.1"},
            "thresholds": {"entry": 3, "exit": 2},
        }
    ],
    "round_trips": 4,
    "trades": 5,
    "pnl_usd": "1.25",
    "fees_usd": "0.75",
    "last_latency": ["order latency: signature=9µs total=84.3ms venue=paradex"],
}  # fmt: skip


class Bot:
    """Takes one connection at a time, keeps what was asked, and answers with the bytes it was given."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.path, self.answer = path, answer
        self.asked: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                line = connection.makefile("rb").readline()
                if not line:
                    return
                self.asked.append(line)
                connection.sendall(self.answer)

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as goodbye:
            goodbye.connect(str(self.path))
        self._thread.join()
        self._listener.close()


@contextmanager
def bot(tmp_path: Path, answer: object) -> Iterator[Bot]:
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"
    running = Bot(tmp_path / "bot.sock", raw)
    try:
        yield running
    finally:
        running.close()


def test_one_json_line_is_asked_and_the_answer_returned(tmp_path):
    with bot(tmp_path, {"ok": True, "x": 1}) as running:
        assert ask(running.path, "pause") == {"ok": True, "x": 1}
        assert running.asked == [b'{"cmd":"pause"}\n']


def test_a_refusal_carries_the_words_of_the_bot(tmp_path):
    with bot(tmp_path, {"ok": False, "error": "already stopping"}) as running, pytest.raises(BotRefused) as refused:
        ask(running.path, "pause")
    assert str(refused.value) == "already stopping"


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"[1]\n", b'{"ok": tru'])
def test_an_answer_no_bot_gives_is_told_as_such(tmp_path, answer):
    with bot(tmp_path, answer) as running, pytest.raises(NotRunning, match="not as a bot does"):
        ask(running.path, "status")


def test_no_socket_means_no_bot(tmp_path):
    with pytest.raises(NotRunning, match="no bot is running"):
        ask(tmp_path / "none.sock", "status")


def test_a_socket_left_by_a_dead_bot_means_no_bot(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(NotRunning, match="no bot is running"):
        ask(tmp_path / "dead.sock", "status")


def test_a_silent_bot_is_not_waited_for_longer_than_asked(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen(1)
        with pytest.raises(NotRunning, match="did not answer in 0"):
            ask(tmp_path / "silent.sock", "status", timeout_s=0.05)


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_status_shows_what_the_bot_said_at_every_width(tmp_path, columns):
    with bot(tmp_path, STATUS) as running:
        result = runner.invoke(app, ["status", "--socket", str(running.path)], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.output
    assert all(len(line) <= columns for line in result.output.splitlines())
    for shown in ("running", "paradex", "vest", "61800.1", "no book", "+7.25", "-9.50", "-0.1", "+4.50", "+21.50"):
        assert shown in result.output, shown


def test_status_names_every_item_on_which_journal_and_venue_differ(tmp_path):
    fee = {
        "kind": "fee", "venue": "vest", "item": "order x7 fee", "journal": "0.03", "told": "0.05", "answer": "alarmed",
    }  # fmt: skip
    pair = STATUS["pairs"][0] | {"suspicion": "vest BTC-PERP differs by 0.1: read again first"}
    with bot(tmp_path, STATUS | {"differences": [fee], "differences_n": 3, "pairs": [pair]}) as running:
        result = runner.invoke(app, ["status", "--socket", str(running.path)], env={"COLUMNS": "120"})
    assert "vest order x7 fee: journal 0.03, venue 0.05 (alarmed)" in result.output
    assert "and 2 more; deltawire verify lists them" in result.output
    assert "no entries: vest BTC-PERP differs by 0.1: read again first" in result.output


def test_status_json_is_the_reply_and_nothing_else(tmp_path):
    with bot(tmp_path, STATUS) as running:
        result = runner.invoke(app, ["status", "--json", "--socket", str(running.path)])
    assert json.loads(result.stdout) == STATUS


@pytest.mark.parametrize("command", ["pause", "resume", "flatten", "stop"])
def test_each_command_asks_for_itself_and_says_what_follows(tmp_path, command):
    with bot(tmp_path, {"ok": True}) as running:
        result = runner.invoke(app, [command, "--socket", str(running.path)])
        assert running.asked == [json.dumps({"cmd": command}, separators=(",", ":")).encode() + b"\n"]
    assert result.exit_code == 0
    assert result.stdout.strip()


def test_without_a_bot_every_command_fails_in_one_sentence(tmp_path):
    result = runner.invoke(app, ["stop", "--socket", str(tmp_path / "none.sock")])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_without_a_bot_json_is_still_json(tmp_path):
    result = runner.invoke(app, ["status", "--json", "--socket", str(tmp_path / "none.sock")])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False
