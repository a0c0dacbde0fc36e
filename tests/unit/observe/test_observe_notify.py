"""What is sent, how often, and that it arrives: apprise itself, over a webhook on loopback."""

from typing import Any

import pytest
from tests.webhook import webhook

from deltawire.core.secret import Secret
from deltawire.observe.alarms import CRITICAL, GOOD, WARNING, Alarm
from deltawire.observe.notify import HOUR_NS, RETRY_NS, AppriseSender, BadUrl, Message, Outbox, Throttle

# A plug-in of apprise imports a library that imports this one.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
S = 10**9
MESSAGE = Message("deltawire box: a title", "one\ntwo", CRITICAL)


def test_a_message_arrives_at_a_webhook():
    with webhook() as server:
        assert AppriseSender(Secret(server.url), 1).send(MESSAGE)
    [got] = server.got
    assert (got["title"], got["message"], got["type"]) == ("deltawire box: a title", "one\ntwo", "failure")


def test_a_webhook_that_refuses_or_is_gone_is_not_taken_for_delivered():
    with webhook() as server:
        server.status = 500
        assert not AppriseSender(Secret(server.url), 1).send(MESSAGE)
    assert not AppriseSender(Secret(server.url), 1).send(MESSAGE)


@pytest.mark.parametrize("text", ["nosuchservice://secret-token", "secret-token", "tgram://"])
def test_a_url_that_cannot_be_is_named_by_its_number_and_never_shown(text: str, caplog: pytest.LogCaptureFixture):
    with pytest.raises(BadUrl, match="URL 3") as raised:
        AppriseSender(Secret(text), 3)
    assert "secret-token" not in str(raised.value)
    assert "secret-token" not in caplog.text


def throttle(per_hour_max: int = 30) -> Throttle:
    return Throttle(repeat_ns=900 * S, per_hour_max=per_hour_max, name="box")


def alarm(key: str = "k", level: str = CRITICAL, **more: Any) -> Alarm:
    return Alarm(key, level, "a title", "a text", **more)


def test_a_message_says_who_what_and_what_to_do():
    told = throttle().message(alarm(runbook="disk-full"), 0)
    assert told == Message("deltawire box: a title", "a text\nwhat to do: docs/runbook.md#disk-full", CRITICAL)


def test_the_same_trouble_is_told_again_only_after_a_while_with_how_often_it_came():
    made = throttle()
    assert made.message(alarm(), 0) is not None
    assert [made.message(alarm(), second * S) for second in range(1, 900)] == [None] * 899
    again = made.message(alarm(), 900 * S)
    assert again is not None
    assert "and 899 more of these" in again.body


def test_a_lasting_trouble_is_not_counted():
    made = throttle()
    made.message(alarm(), 0)
    made.message(alarm(lasting=True), 2 * S)
    again = made.message(alarm(lasting=True), 900 * S)
    assert again is not None
    assert again.body == "a text\nstill so"


def test_a_lasting_warning_is_told_less_often_than_what_is_critical():
    made = throttle()
    made.message(alarm(level=WARNING), 0)
    told_s = [s for s in range(0, 15_000, 100) if made.message(alarm(level=WARNING, lasting=True), s * S)]
    assert told_s == [7_200, 14_400]


def test_other_trouble_is_told_at_once():
    made = throttle()
    assert made.message(alarm("a"), 0) is not None
    assert made.message(alarm("b"), 1) is not None


def test_what_was_over_is_told_anew_when_it_comes_again():
    made = throttle()
    assert made.message(alarm(), 0) is not None
    assert made.message(alarm(level=GOOD), S) is not None
    assert made.message(alarm(), 2 * S) is not None


def test_past_the_hours_limit_one_message_says_so_and_the_next_hour_says_how_many_were_held_back():
    made = throttle(per_hour_max=4)
    sent = [made.message(alarm(f"k{n}"), n * S) for n in range(10)]
    assert [message is not None for message in sent] == [True] * 5 + [False] * 5
    assert sent[4] is not None
    assert "too many" in sent[4].title
    later = made.message(alarm("later"), HOUR_NS + 5 * S)
    assert later is not None
    assert "6 other messages were held back" in later.body


def test_warnings_leave_half_of_the_hour_to_what_is_critical():
    made = throttle(per_hour_max=4)
    warnings = [made.message(alarm(f"w{n}", WARNING), n) for n in range(6)]
    assert sum(message is not None and "too many" not in message.title for message in warnings) == 2
    assert made.message(alarm("c"), 10) is not None


class Flaky:
    """Delivers when it is told to."""

    def __init__(self) -> None:
        self.works = True
        self.got: list[str] = []

    def send(self, message: Message) -> bool:
        if self.works:
            self.got.append(message.title)
        return self.works


def test_a_dead_way_holds_up_no_other_and_gets_everything_in_order_once_it_works():
    dead, fine, failed = Flaky(), Flaky(), list[int]()
    outbox = Outbox([dead, fine], failed.append)
    dead.works = False
    for title in "abc":
        outbox.add(Message(title, "", CRITICAL))
        outbox.send_some(0, S)
        outbox.send_some(1, S)
    assert (dead.got, fine.got, failed) == ([], ["a", "b", "c"], [1])
    assert not outbox.is_empty
    dead.works = True
    outbox.send_some(0, 2 * S)
    assert dead.got == [], "not before the pause is over"
    outbox.send_some(0, S + RETRY_NS)
    assert dead.got == ["a", "b", "c"]
    assert outbox.is_empty
