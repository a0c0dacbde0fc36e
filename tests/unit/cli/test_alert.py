"""The alert process: what it reads becomes messages; its two commands as a person types them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.webhook import webhook
from typer.testing import CliRunner

from deltawire.cli.alert import OLD_NS, Watch
from deltawire.cli.init import init
from deltawire.cli.main import app
from deltawire.config.model import AlertsConfig
from deltawire.observe.notify import Message

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # below apprise
S = 10**9
NOW_UNIX_NS = 1_763_855_999 * S
RUNNING = {"state": "running", "pairs": [{"id": "BTC", "state": "holding"}], "trades": 3, "pnl_usd": "1.5"}


class Case:
    """A watch over logs in a folder, with a clock and a bot that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.log, self.guardian_log = folder / "bot.jsonl", folder / "bot-guardian.jsonl"
        self.reply: dict[str, Any] | None = RUNNING
        self.sent: list[Message] = []
        self.now_ns = 100 * S
        self.places: dict[str, tuple[int, int]] = {}

    def begin(self) -> Watch:
        self.watch = Watch(
            AlertsConfig(),
            [self.log, self.guardian_log],
            name="box",
            read_status=lambda: self.reply,
            add=self.sent.append,
            places=self.places,
        )
        return self.watch

    def write(self, path: Path, event: str, level: str = "error", *, age_ns: int = 0, **fields: Any) -> None:
        with path.open("a") as file:
            file.write(json.dumps({"unix_ns": NOW_UNIX_NS - age_ns, "level": level, "event": event, **fields}) + "\n")

    def step(self, seconds: float = 0.5) -> list[str]:
        """Let time pass, and return the titles of what was sent."""
        self.now_ns += int(seconds * S)
        self.sent.clear()
        self.watch.step(self.now_ns, NOW_UNIX_NS)
        return [message.title.partition(": ")[2] for message in self.sent]


@pytest.fixture
def case(tmp_path: Path):
    made = Case(tmp_path)
    yield made
    made.watch.close()


def test_the_first_word_says_that_somebody_is_watching_and_what(case: Case):
    case.begin()
    assert case.step() == ["somebody is watching"]
    assert case.sent[0].body == "the bot is running (BTC holding); 3 trades, pnl 1.5 USD in this run"
    assert case.step(86_398) == []
    assert case.step(2) == ["somebody is watching"]


def test_events_of_bot_and_guardian_are_told_and_a_dead_bot_too(case: Case):
    case.begin()
    case.step()
    case.write(case.log, "trade.alarm", reason="one leg for 5001 ms")
    case.write(case.guardian_log, "guardian.acts", silent_s=15)
    case.write(case.log, "trade.closed", "info")
    assert case.step() == ["a leg is alone, or a trade is stuck", "the guardian closes both legs"]
    case.reply = None
    assert case.step(5) == []
    assert case.step(10) == ["the bot does not answer"]
    case.reply = RUNNING
    assert case.step(5) == ["over: the bot does not answer"]


def test_a_bot_that_ended_clean_is_not_missed_and_one_that_did_not_is(case: Case):
    case.write(case.log, "bot.stopped", "info", flat=True, agree=True)
    case.begin()
    case.reply = None
    assert case.step() == ["somebody is watching"]
    assert case.step(60) == []
    case.write(case.log, "bot.trading", "info")
    case.step(2)
    assert case.step(60) == ["the bot does not answer"]
    case.write(case.log, "bot.stopped", "info", flat=False, agree=True)
    assert case.step(60) == []  # told already, and still so


def test_a_bot_that_never_ran_is_not_missed_and_one_whose_log_ends_in_mid_trade_is(case: Case):
    case.reply = None
    case.begin()
    assert case.step(60) == ["somebody is watching"]
    case.step(60)
    case.watch.close()
    case.write(case.log, "order.latency", "info")
    case.begin()
    case.step(60)
    assert case.step(60) == ["the bot does not answer"]


def test_what_happened_while_nobody_watched_is_told_once_and_history_is_not(case: Case):
    case.write(case.log, "loss.limit", reason="before")
    case.begin()
    assert case.step() == ["somebody is watching"]
    case.places = case.watch.places
    case.watch.close()
    case.write(case.log, "loss.limit", reason="long ago", age_ns=OLD_NS)
    case.write(case.log, "margin.danger", pair="BTC", reason="meanwhile")
    case.begin()
    assert case.step() == ["a position is near liquidation", "somebody is watching"]
    assert case.step() == []


def folder_with(tmp_path: Path, urls: str) -> Path:
    init(tmp_path, "paper", None)
    env = tmp_path / ".env"
    env.write_text(f"DELTAWIRE_ALERT_URLS={urls}\n" if urls else "")
    return tmp_path / "config.yaml"


def test_alert_test_says_of_each_url_whether_it_was_delivered(tmp_path: Path):
    with webhook() as good, webhook() as bad:
        bad.status = 500
        config = folder_with(tmp_path, f"{good.url} {bad.url}")
        done = CliRunner().invoke(app, ["alert", "test", "--config", str(config)])
        assert (done.exit_code, done.stdout) == (1, "URL 1: delivered\nURL 2: NOT delivered\n")
        bad.status = 200
        done = CliRunner().invoke(app, ["alert", "test", "--config", str(config), "--json"])
        assert (done.exit_code, json.loads(done.stdout)) == (0, {"delivered": [True, True]})
        assert good.titles == ["test", "test"]


@pytest.mark.parametrize(
    ("urls", "told"),
    [("", "DELTAWIRE_ALERT_URLS: is missing"), ("nosuch://hidden-token", "URL 1 of DELTAWIRE_ALERT_URLS is not one")],
)
@pytest.mark.parametrize("command", ["run", "test"])
def test_without_a_usable_url_it_says_so_and_shows_none(tmp_path: Path, urls: str, told: str, command: str):
    config = folder_with(tmp_path, urls)
    done = CliRunner().invoke(app, ["alert", command, "--config", str(config)])
    assert done.exit_code == 2
    assert told in done.stderr
    assert "hidden-token" not in done.output


def test_without_a_log_file_there_is_nothing_to_watch(tmp_path: Path):
    with webhook() as hook:
        config = folder_with(tmp_path, hook.url)
        config.write_text("".join(part for part in config.read_text().splitlines(keepends=True) if "jsonl" not in part))
        done = CliRunner().invoke(app, ["alert", "run", "--config", str(config)])
    assert done.exit_code == 2
    assert "log.file is not set" in done.stderr
