"""Sends alarms to people through apprise: not too often, not too many, and again when a send failed. Decides no alarm.

The URLs are secrets: they reach apprise and nothing else; errors name a URL by its number. Sending takes seconds and
runs in a thread of the alert process, which is not the bot's.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deltawire.core.secret import Secret
from deltawire.observe.alarms import CRITICAL, GOOD, Alarm

HOUR_NS = 3600 * 10**9
SEND_WITHIN_S = 20.0
RETRY_NS = 30 * 10**9
PATIENT = 8  # times repeat_s
QUEUE_MAX = 200  # messages that wait for a network; the oldest go first, for news is worth more
_KINDS = {CRITICAL: "failure", GOOD: "success"}


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    level: str


class Sender(Protocol):
    """One way to a person. False: not delivered, try again."""

    def send(self, message: Message) -> bool: ...


class BadUrl(ValueError):
    """A URL that apprise does not know. Says its number, never its text."""


class AppriseSender:
    """One URL of DELTAWIRE_ALERT_URLS."""

    def __init__(self, url: Secret, number: int) -> None:
        from apprise import Apprise  # noqa: PLC0415 - a hundred plug-ins, for the one process that sends

        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it may quote a URL
        self._service = Apprise()
        if not self._service.add(url.reveal()):
            raise BadUrl(f"URL {number} of DELTAWIRE_ALERT_URLS is not one that apprise knows")

    def send(self, message: Message) -> bool:
        from apprise import NotifyType  # noqa: PLC0415 - as above

        kind = NotifyType(_KINDS.get(message.level, "warning"))
        return bool(self._service.notify(message.body, message.title, notify_type=kind, timeout=SEND_WITHIN_S))


class Throttle:
    """Decides which alarms become messages: each trouble once in a while, and not more than so many an hour."""

    def __init__(self, *, repeat_ns: int, per_hour_max: int, name: str) -> None:
        """name: of the bot, at the head of every message."""
        self._repeat_ns, self._per_hour_max, self._name = repeat_ns, per_hour_max, name
        self._told_ns: dict[str, int] = {}
        self._held: dict[str, int] = {}  # how often an alarm came since it was told
        self._sent_ns: deque[int] = deque()
        self._overflow = 0
        self._overflow_told = False

    def message(self, alarm: Alarm, now_mono_ns: int) -> Message | None:
        """Return what to send now, or None for an alarm that was told lately."""
        if alarm.level == GOOD:
            self._told_ns.pop(alarm.key, None)
            self._held.pop(alarm.key, None)
        told_ns = self._told_ns.get(alarm.key)
        # What lasts and can wait for the morning is said less often.
        patience = PATIENT if alarm.lasting and alarm.level != CRITICAL else 1
        if told_ns is not None and now_mono_ns - told_ns < self._repeat_ns * patience:
            self._held[alarm.key] = self._held.get(alarm.key, 0) + 1
            return None
        while self._sent_ns and now_mono_ns - self._sent_ns[0] >= HOUR_NS:
            self._sent_ns.popleft()
        # Half of them are kept for what is critical: a venue that comes and goes must not use up the night's messages.
        most = self._per_hour_max if alarm.level == CRITICAL else (self._per_hour_max + 1) // 2
        if len(self._sent_ns) >= most:
            return self._over()
        self._sent_ns.append(now_mono_ns)
        lost, self._overflow, self._overflow_told = self._overflow, 0, False
        if alarm.level != GOOD:
            self._told_ns[alarm.key] = now_mono_ns
        again = self._held.pop(alarm.key, 0)
        lines = [alarm.text]
        if again:
            lines.append("still so" if alarm.lasting else f"and {again} more of these since the last message")
        if lost:
            lines.append(f"{lost} other messages were held back within the last hour: see the log")
        if alarm.runbook:
            lines.append(f"what to do: docs/runbook.md#{alarm.runbook}")
        return Message(f"deltawire {self._name}: {alarm.title}", "\n".join(lines), alarm.level)

    def _over(self) -> Message | None:
        self._overflow += 1
        if self._overflow_told:
            return None
        self._overflow_told = True
        text = f"{len(self._sent_ns)} messages within an hour: others are held back. Look at the bot and its log, now."
        return Message(f"deltawire {self._name}: too many alarms", text, CRITICAL)


class Outbox:
    """Messages on their way to every sender; each sender has its own queue, so a dead one holds up no other."""

    def __init__(self, senders: Sequence[Sender], on_failure: Callable[[int], None]) -> None:
        """on_failure: told the number of a sender that did not deliver, counted from one."""
        self._senders, self._on_failure = senders, on_failure
        self._waiting: list[deque[Message]] = [deque(maxlen=QUEUE_MAX) for _ in senders]
        self._not_before_ns = [0] * len(senders)

    def add(self, message: Message) -> None:
        for queue in self._waiting:
            queue.append(message)

    @property
    def is_empty(self) -> bool:
        return not any(self._waiting)

    def send_some(self, at: int, now_mono_ns: int) -> None:
        """Send what waits for one sender, until one fails. Blocks; called by that sender's thread."""
        queue = self._waiting[at]
        while queue and now_mono_ns >= self._not_before_ns[at]:
            message = queue[0]
            if not self._senders[at].send(message):
                self._not_before_ns[at] = now_mono_ns + RETRY_NS
                self._on_failure(at + 1)
                return
            if queue and queue[0] is message:  # else a full queue has dropped it meanwhile
                queue.popleft()
