"""`deltawire alert run` and `alert test`: who tells a person. A process of its own, which can tell of the bot's end.

It reads what the bot and the guardian write to their logs, and asks the bot for its status. It sends no order and needs
no key. Why it stands apart: docs/decisions/0013-alerts-and-metrics-beside-the-bot.md.
"""

import json
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from deltawire.cli import exits
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.config import load_config
from deltawire.config.model import AlertsConfig, BotConfig
from deltawire.config.secrets import load_alert_urls
from deltawire.observe.alarms import GOOD, Alarm, Conditions, Patience, alarm_of
from deltawire.observe.follow import Follower, last_of
from deltawire.observe.notify import AppriseSender, BadUrl, Message, Outbox, Sender, Throttle

READ_EVERY_S = 0.5
ASK_EVERY_NS = 2 * 10**9
ASK_WITHIN_S = 3.0
OLD_NS = 3600 * 10**9  # an event older than this is history, not news
_ENDING = ("stopping", "stopped")  # it answers a moment longer than it writes
_LIFE = {"bot.trading", "bot.stopped"}

Reply = dict[str, Any] | None


class Watch:
    """Turns what happens into messages. One step reads, asks and decides; it never sends."""

    def __init__(
        self,
        settings: AlertsConfig,
        logs: list[Path],
        *,
        name: str,
        read_status: Callable[[], Reply],
        add: Callable[[Message], None],
        places: dict[str, tuple[int, int]],
    ) -> None:
        """logs: the bot's first. places: how far an earlier process had read, by file name."""
        self._settings, self._read_status, self._add = settings, read_status, add
        self._throttle = Throttle(repeat_ns=settings.repeat_ns, per_hour_max=settings.per_hour_max, name=name)
        self._conditions = Conditions(
            Patience(
                bot_silent_ns=settings.bot_silent_ns,
                venue_down_ns=settings.venue_down_ns,
                feed_stale_ns=settings.feed_stale_ns,
                free_margin_e8=settings.free_margin_e8,
            )
        )
        self._followers = {path.name: Follower(path, places.get(path.name)) for path in logs}
        # One that never wrote a line has not run yet.
        self._has_ended_clean = _is_clean_end(last_of(logs[0], _LIFE)) or not _has_content(logs[0])
        self._asked_mono_ns = self._beaten_mono_ns = 0

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        found = {name: follower.place for name, follower in self._followers.items()}
        return {name: place for name, place in found.items() if place is not None}

    def step(self, now_mono_ns: int, now_unix_ns: int) -> None:
        for follower in self._followers.values():
            for line in follower.read():
                if line.get("event") in _LIFE:
                    self._has_ended_clean = _is_clean_end(line)
                alarm = alarm_of(line)
                if alarm is not None and now_unix_ns - int(line.get("unix_ns", 0)) < OLD_NS:
                    self._offer(alarm, now_mono_ns)
        if now_mono_ns - self._asked_mono_ns >= ASK_EVERY_NS:
            self._asked_mono_ns = now_mono_ns
            reply = self._read_status()
            if reply is not None and reply.get("state") not in _ENDING:
                self._has_ended_clean = False
            for alarm in self._conditions.look(reply, now_mono_ns, expected_gone=self._has_ended_clean):
                self._offer(alarm, now_mono_ns)
            if not self._beaten_mono_ns or now_mono_ns - self._beaten_mono_ns >= self._settings.heartbeat_ns:
                self._beaten_mono_ns = now_mono_ns
                self._offer(Alarm("heartbeat", GOOD, "somebody is watching", _state_of(reply)), now_mono_ns)

    def close(self) -> None:
        for follower in self._followers.values():
            follower.close()

    def _offer(self, alarm: Alarm, now_mono_ns: int) -> None:
        message = self._throttle.message(alarm, now_mono_ns)
        if message is not None:
            self._add(message)


def _is_clean_end(line: dict[str, Any] | None) -> bool:
    """Say whether the bot's last word was a clean end; one that was told to stop while starting had nothing open."""
    return (
        line is not None and line["event"] == "bot.stopped" and bool(line.get("flat", True) and line.get("agree", True))
    )


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _state_of(reply: Reply) -> str:
    if reply is None:
        return "the bot does not run"
    pairs = ", ".join(f"{pair['id']} {pair['state']}" for pair in reply.get("pairs", []))
    figures = f"{reply.get('trades', 0)} trades, pnl {reply.get('pnl_usd', '?')} USD in this run"
    return f"the bot is {reply.get('state')} ({pairs}); {figures}"


def run(config_path: Path, env_file: Path | None) -> None:
    """Watch until SIGINT or SIGTERM."""
    config, senders = _prepared(config_path, env_file)
    logs = [path for path in (config.log.file, config.guardian_log_file) if path is not None]
    if config.log.file is None:
        exits.leave(f"{config_path}: log.file is not set; alerts are read from it: name a file", exits.MISUSED)
    stop, outbox = threading.Event(), Outbox(senders, _tell_failure)
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda *_: stop.set())
    kept = config.log.file.with_name(f"{config.log.file.name}.alerts")
    watch = Watch(
        config.alerts,
        logs,
        name=platform.node(),
        read_status=lambda: _status(config),
        add=outbox.add,
        places=_read_places(kept),
    )
    threads = [threading.Thread(target=_send, args=(outbox, at, stop), daemon=True) for at in range(len(senders))]
    for thread in threads:
        thread.start()
    typer.echo(f"deltawire: watching {', '.join(map(str, logs))}; telling {len(senders)} URL(s)", err=True)
    told_places: dict[str, tuple[int, int]] = {}
    while not stop.wait(READ_EVERY_S):
        watch.step(time.monotonic_ns(), time.time_ns())
        # Only once all is delivered: what was read and not delivered is read again after a restart.
        if outbox.is_empty and watch.places != told_places:
            told_places = watch.places
            _write_places(kept, told_places)
    for thread in threads:
        thread.join(timeout=5)
    watch.close()


def test(config_path: Path, env_file: Path | None, *, as_json: bool) -> None:
    """Send one message to every URL, and say of each whether it was delivered."""
    _, senders = _prepared(config_path, env_file)
    text = "This is a test of `deltawire alert test`. Nothing is wrong."
    message = Message(f"deltawire {platform.node()}: test", text, GOOD)
    delivered = [sender.send(message) for sender in senders]
    if as_json:
        typer.echo(json.dumps({"delivered": delivered}))
    else:
        for number, is_delivered in enumerate(delivered, 1):
            typer.echo(f"URL {number}: {'delivered' if is_delivered else 'NOT delivered'}")
    if not all(delivered):
        raise typer.Exit(exits.FAILED)


def _prepared(config_path: Path, env_file: Path | None) -> tuple[BotConfig, list[Sender]]:
    with exits.wrong_settings_told():
        config = load_config(config_path)
        urls = load_alert_urls(env_file or config_path.absolute().parent / ".env")
    try:
        return config, [AppriseSender(url, number) for number, url in enumerate(urls, 1)]
    except BadUrl as e:
        exits.leave(f"{e}; docs/alerts.md shows the forms", exits.MISUSED)


def _status(config: BotConfig) -> Reply:
    try:
        return ask(config.control.socket, "status", ASK_WITHIN_S)
    except (NotRunning, BotRefused):
        return None


def _send(outbox: Outbox, at: int, stop: threading.Event) -> None:
    while not stop.wait(READ_EVERY_S):
        outbox.send_some(at, time.monotonic_ns())
    outbox.send_some(at, time.monotonic_ns())


def _tell_failure(number: int) -> None:
    typer.echo(f"deltawire: URL {number} did not take a message; tried again in 30 s", err=True)


def _read_places(path: Path) -> dict[str, tuple[int, int]]:
    try:
        kept = json.loads(path.read_text())
        return {str(name): (int(inode), int(offset)) for name, (inode, offset) in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_places(path: Path, places: dict[str, tuple[int, int]]) -> None:
    try:
        path.write_text(json.dumps(places))
    except OSError as e:
        sys.stderr.write(f"deltawire: cannot keep the place in {path}: {e.strerror}\n")
