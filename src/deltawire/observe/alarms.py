"""What is worth waking a person for: log events, and conditions of the bot that last too long. Pure: sends nothing.

Every `error` event is an alarm, named here or not, so that a new one is never silent. Conditions come from `status`
and have a patience of their own, and an end that is told too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

CRITICAL, WARNING, GOOD = "critical", "warning", "good"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to tell. Alarms of one key are the same trouble."""

    key: str
    level: str
    title: str
    text: str
    runbook: str = ""  # the night of docs/runbook.md it belongs to
    lasting: bool = False  # told again and again while it lasts, so counting it says nothing


# event: (level, title, night of the runbook)
EVENTS: dict[str, tuple[str, str, str]] = {
    "trade.alarm": (CRITICAL, "a leg is alone, or a trade is stuck", "one-leg-on"),
    "trade.rest": (CRITICAL, "what is left of a trade is too small to sell", "one-leg-on"),
    "position.changed": (CRITICAL, "a position changed without an order of ours", "reconciliation-difference"),
    "positions.left": (CRITICAL, "positions were left or differ at the end", "reconciliation-difference"),
    "account.differs": (CRITICAL, "journal and venue differ", "reconciliation-difference"),
    "bot.unclean_end": (CRITICAL, "the bot did not end clean", "reconciliation-difference"),
    "journal.not_kept": (CRITICAL, "the journal was not kept at the end", "disk-full"),
    "positions.unreadable": (CRITICAL, "nobody could confirm the end", "venue-down"),
    "order.illegal": (CRITICAL, "news of an order that cannot be", "reconciliation-difference"),
    "loss.limit": (CRITICAL, "a loss limit was reached", "daily-loss-halt"),
    "margin.danger": (CRITICAL, "a position is near liquidation", "liquidation-near"),
    "vest.liquidation": (CRITICAL, "Vest liquidated a position", "liquidation-near"),
    "paradex.fill_busted": (CRITICAL, "Paradex took a fill back", "reconciliation-difference"),
    "bot.stalled": (CRITICAL, "the bot stood still", "bot-dead"),
    "bot.cannot_start": (CRITICAL, "the bot cannot start", "bot-dead"),
    "bot.disarmed": (WARNING, "the bot waits to be armed", "bot-dead"),
    "journal.unwritable": (CRITICAL, "the journal cannot be written", "disk-full"),
    "log.secret_masked": (CRITICAL, "a secret was about to be logged", "keys-leaked"),
    "paradex.state": (WARNING, "Paradex does not trade normally", "venue-down"),
    "vest.market.halted": (WARNING, "Vest halted a market", "venue-down"),
    "paradex.main_key": (WARNING, "a main key is in use", "keys-leaked"),
    "venue.clock": (WARNING, "the clock is off", "clock-off"),
    "guardian.bot_is_silent": (CRITICAL, "the guardian hears nothing from the bot", "bot-dead"),
    "guardian.bot_is_back": (GOOD, "the guardian hears the bot again", ""),
    "guardian.acts": (CRITICAL, "the guardian closes both legs", "guardian-fired"),
    "guardian.done": (CRITICAL, "the guardian has finished", "guardian-fired"),
    "guardian.gave_way": (CRITICAL, "the guardian let go: the bot answers", "guardian-fired"),
    "guardian.cannot_act": (CRITICAL, "THE GUARDIAN COULD NOT CLOSE", "guardian-fired"),
    "guardian.cannot_start": (CRITICAL, "the guardian cannot start", "guardian-fired"),
}
_TOLD_AT_WARNING = {name for name, (level, *_) in EVENTS.items() if level != CRITICAL} | {
    "guardian.bot_is_silent", "guardian.done", "guardian.gave_way",
}  # fmt: skip
_GUARD_SILENT_S = 30  # it asks every second; a restart of it takes a few
_SUBJECTS = ("pair", "trade_id", "venue", "symbol", "client_id")
_HEAD = ("unix_ns", "level", "event")
_SAID = ("reason", "advice", "what", "text", "msg")  # the field that says it in words
_OTHERS_CHARS_MAX = 500  # an exception's way is for the log


def alarm_of(line: dict[str, Any]) -> Alarm | None:
    """Return the alarm that an event of the log is, or None."""
    event, level = str(line.get("event", "")), line.get("level")
    if event == "control.command" and line.get("command") == "kill":
        return Alarm("kill", CRITICAL, "KILL SWITCH", "a person said kill: everything is closed, entries stay off", "")
    known = EVENTS.get(event)
    if level != "error" and event not in _TOLD_AT_WARNING:
        return None
    if level == "info" and event != "guardian.bot_is_back":
        return None
    alarm_level, title, runbook = known or (CRITICAL, event, "")
    subject = next((str(line[name]) for name in _SUBJECTS if name in line), "")
    return Alarm(f"{event} {subject}".strip(), alarm_level, title, _words(event, line), runbook)


def _words(event: str, line: dict[str, Any]) -> str:
    """Return what a person reads first: the reason, then the other fields, then the event's name to search for."""
    said = next((str(line[name]) for name in _SAID if line.get(name)), "")
    others = [f"{name}={value}" for name, value in line.items() if name not in (*_HEAD, *_SAID)]
    return "\n".join(part for part in (said, " ".join(others)[:_OTHERS_CHARS_MAX], f"({event})") if part)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a condition may last before it is told, and where margin becomes low."""

    bot_silent_ns: int
    venue_down_ns: int
    feed_stale_ns: int
    free_margin_e8: int


@dataclass(frozen=True, slots=True)
class _Condition:
    alarm: Alarm
    patience_ns: int


class Conditions:
    """Follows what `status` says over time, and tells what began or ended. The clock is the caller's."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since_ns: dict[str, int] = {}
        self._told: dict[str, Alarm] = {}

    def look(self, reply: dict[str, Any] | None, now_mono_ns: int, *, expected_gone: bool = False) -> Iterator[Alarm]:
        """Take the bot's answer, None for none. expected_gone: it ended clean, so nobody is missed."""
        if reply is None:
            found = [] if expected_gone else [_Condition(_SILENT, self._patience.bot_silent_ns)]
            kept = {key for key in self._since_ns if key != _SILENT.key} if not expected_gone else set()
        else:
            found, kept = list(_conditions(reply, self._patience)), set()
        present = {condition.alarm.key for condition in found} | kept  # without an answer the others are not over
        for condition in found:
            key = condition.alarm.key
            since_ns = self._since_ns.setdefault(key, now_mono_ns)
            if key not in self._told and now_mono_ns - since_ns >= condition.patience_ns:
                self._told[key] = condition.alarm
                yield condition.alarm
            elif key in self._told:
                # Still so: whoever sends decides how often that is said.
                yield replace(condition.alarm, lasting=True)
        for key in [key for key in self._since_ns if key not in present]:
            lasted_s = (now_mono_ns - self._since_ns.pop(key)) / 1e9
            if alarm := self._told.pop(key, None):
                yield Alarm(key, GOOD, f"over: {alarm.title}", f"it lasted {lasted_s:.0f} s")


_SILENT = Alarm("bot silent", CRITICAL, "the bot does not answer", "no answer at its control socket", "bot-dead")


def _conditions(reply: dict[str, Any], patience: Patience) -> Iterator[_Condition]:
    if halted := reply.get("halted"):
        yield _Condition(Alarm("halted", CRITICAL, "entries are halted", f"{halted}. Look, then: deltawire arm"), 0)
    if (journal := reply.get("journal", "ok")) != "ok":
        yield _Condition(Alarm("journal", CRITICAL, "the journal cannot be written", str(journal), "disk-full"), 0)
    if (guarded_s := reply.get("guarded_s")) is not None and guarded_s > _GUARD_SILENT_S:
        text = f"it asked {guarded_s:.0f} s ago; if the bot dies now, nobody closes what is on"
        yield _Condition(Alarm("guardian", CRITICAL, "the guardian is gone", text, "guardian-fired"), 0)
    elif guarded_s is None and reply.get("mode") == "live" and not reply.get("simulated"):
        text = "no guardian has ever asked this bot; if it dies, nobody closes what is on"
        yield _Condition(Alarm("guardian", WARNING, "nobody guards the bot", text, "guardian-fired"), 120 * 10**9)
    if reply.get("state") != "stopping":
        for name, venue in reply.get("venues", {}).items():
            yield from _of_venue(name, venue, patience)
    for pair in reply.get("pairs", []):
        in_doubt = (pair.get("trade") or {}).get("in_doubt", 0)
        if in_doubt:
            text = f"{pair['id']}: {in_doubt} orders whose end nobody knows"
            yield _Condition(Alarm(f"doubt {pair['id']}", WARNING, "orders in doubt", text, "venue-down"), 30 * 10**9)
    limits = reply.get("limits", {})
    lost, most = float(limits.get("lost_today_usd") or 0), float(limits.get("daily_loss_max_usd") or 0)
    if most and lost >= 0.8 * most:
        text = f"{lost:.2f} of {most:.2f} USD; at the limit everything is closed"
        yield _Condition(Alarm("daily loss", WARNING, "the daily loss is near its limit", text, "daily-loss-halt"), 0)


def _of_venue(name: str, venue: dict[str, Any], patience: Patience) -> Iterator[_Condition]:
    if not venue.get("ready", True):
        down = [link for link, up in venue.get("links", {}).items() if not up]
        text = f"down: {', '.join(down)}" if down else "connected, but it takes no orders"
        yield _Condition(Alarm(f"venue {name}", WARNING, f"{name} is down", text, "venue-down"), patience.venue_down_ns)
    stale_ms = patience.feed_stale_ns / 1e6
    for symbol, age_ms in venue.get("feed_age_ms", {}).items():
        if age_ms is not None and age_ms > stale_ms:
            text = f"no frame for {age_ms / 1e3:.0f} s"
            alarm = Alarm(f"feed {name} {symbol}", WARNING, f"{name} {symbol} is stale", text, "venue-down")
            yield _Condition(alarm, 0)
    equity, free = venue.get("equity_usd"), venue.get("free_usd")
    if equity is not None and free is not None and float(free) * 1e8 < float(equity) * patience.free_margin_e8:
        text = f"{float(free):.2f} USD free of {float(equity):.2f}"
        yield _Condition(Alarm(f"margin {name}", WARNING, f"{name}: low margin", text, "liquidation-near"), 0)
