from typing import Any

import pytest
from tests.event_names import in_source

from deltawire.observe.alarms import CRITICAL, EVENTS, GOOD, WARNING, Conditions, Patience, alarm_of

S = 10**9
PATIENCE = Patience(bot_silent_ns=10 * S, venue_down_ns=30 * S, feed_stale_ns=30 * S, free_margin_e8=20_000_000)


def healthy(**changes: Any) -> dict[str, Any]:
    venue = {
        "ready": True,
        "links": {"orders": True},
        "feed_age_ms": {"BTC": 20.0},
        "equity_usd": "1000",
        "free_usd": "800",
    }
    limits = {"lost_today_usd": "3", "daily_loss_max_usd": "50"}
    pairs = [{"id": "BTC", "state": "watching", "trade": None}]
    reply = {"guarded_s": 0.4, "state": "running", "halted": "", "journal": "ok", "limits": limits, "pairs": pairs}
    return reply | {"venues": {"vest": venue | changes.pop("vest", {})}} | changes


def test_every_event_that_is_named_exists():
    events, _ = in_source()
    assert set(EVENTS) - set(events) == set()


def test_every_error_event_of_the_source_is_an_alarm():
    events, _ = in_source()
    errors = [name for name, use in events.items() if "error" in use.levels]
    assert len(errors) > 20
    for name in errors:
        alarm = alarm_of({"event": name, "level": "error", "unix_ns": 1, "reason": "why"})
        assert alarm is not None
        assert alarm.level == CRITICAL
        assert "why" in alarm.text


@pytest.mark.parametrize(
    "name", ["paradex.ws.down", "entry.refused", "link.down", "order.in_doubt", "positions.unreadable"]
)
def test_what_was_handled_wakes_nobody(name: str):
    assert alarm_of({"event": name, "level": "warning", "reason": "x"}) is None


@pytest.mark.parametrize(
    ("name", "level"), [("guardian.done", CRITICAL), ("bot.disarmed", WARNING), ("venue.clock", WARNING)]
)
def test_some_warnings_are_told(name: str, level: str):
    alarm = alarm_of({"event": name, "level": "warning"})
    assert alarm is not None
    assert alarm.level == level


def test_a_clock_that_is_well_is_not_told():
    assert alarm_of({"event": "venue.clock", "level": "info", "offset_ms": 2}) is None


def test_a_kill_is_told_and_other_commands_are_not():
    told = alarm_of({"event": "control.command", "level": "info", "command": "kill"})
    assert told is not None
    assert "KILL" in told.title
    assert alarm_of({"event": "control.command", "level": "info", "command": "pause"}) is None


def test_two_troubles_of_one_kind_are_two_alarms():
    keys = {alarm_of({"event": "position.changed", "level": "error", "pair": pair}).key for pair in ("A", "B")}  # type: ignore[union-attr]
    assert len(keys) == 2


@pytest.mark.parametrize("line", [{}, {"event": None, "level": "error"}, {"event": 7, "level": ["x"]}])
def test_an_odd_line_does_not_stop_the_watch(line: dict[str, Any]):
    alarm_of(line)


def test_a_healthy_bot_is_quiet():
    conditions = Conditions(PATIENCE)
    assert [list(conditions.look(healthy(), second * S)) for second in range(100)] == [[]] * 100


@pytest.mark.parametrize(
    ("reply", "key", "after_s"),
    [
        (None, "bot silent", 10),
        (healthy(halted="lost 51 today"), "halted", 0),
        (healthy(journal="no space left"), "journal", 0),
        (healthy(guarded_s=31.0), "guardian", 0),
        (healthy(vest={"ready": False}), "venue vest", 30),
        (healthy(vest={"feed_age_ms": {"BTC": 31_000.0}}), "feed vest BTC", 0),
        (healthy(vest={"free_usd": "199.99"}), "margin vest", 0),
        (healthy(limits={"lost_today_usd": "41", "daily_loss_max_usd": "50"}), "daily loss", 0),
        (healthy(pairs=[{"id": "BTC", "trade": {"in_doubt": 2}}]), "doubt BTC", 30),
    ],
)
def test_a_condition_is_told_once_it_has_lasted_and_its_end_too(reply: dict[str, Any] | None, key: str, after_s: int):
    conditions = Conditions(PATIENCE)
    assert list(conditions.look(healthy(), 0)) == []
    if after_s:
        assert list(conditions.look(reply, S)) == []
        assert list(conditions.look(reply, (after_s + 1) * S - 1)) == []
    [began] = conditions.look(reply, (after_s + 1) * S)
    assert (began.key, began.lasting) == (key, False)
    [still] = conditions.look(reply, (after_s + 3) * S)
    assert (still.key, still.lasting) == (key, True)
    [over] = conditions.look(healthy(), (after_s + 5) * S)
    assert (over.key, over.level) == (key, GOOD)
    assert list(conditions.look(healthy(), (after_s + 7) * S)) == []


def test_real_money_without_a_guardian_is_told_and_anything_else_is_not():
    conditions = Conditions(PATIENCE)
    unguarded = healthy(mode="live", simulated=False, guarded_s=None)
    assert list(conditions.look(unguarded, 0)) == []
    [alarm] = conditions.look(unguarded, 120 * S)
    assert (alarm.title, alarm.level) == ("nobody guards the bot", WARNING)
    for other in ({"mode": "paper"}, {"simulated": True}, {"guarded_s": 0.5}):
        conditions = Conditions(PATIENCE)
        assert [list(conditions.look(unguarded | other, second * S)) for second in (0, 200)] == [[], []]


def test_a_short_condition_is_never_told():
    conditions = Conditions(PATIENCE)
    down = healthy(vest={"ready": False})
    for second in range(0, 200, 20):  # down, up, down, up: each for 20 s
        assert list(conditions.look(down, second * S)) == []
        assert list(conditions.look(healthy(), (second + 10) * S)) == []


def test_a_bot_that_ended_clean_is_not_missed():
    conditions = Conditions(PATIENCE)
    assert [list(conditions.look(None, second * S, expected_gone=True)) for second in (0, 60)] == [[], []]


def test_what_was_wrong_is_not_over_because_the_bot_died():
    conditions = Conditions(PATIENCE)
    [halted] = conditions.look(healthy(halted="x"), 0)
    told = [alarm for second in (1, 12) for alarm in conditions.look(None, second * S)]
    assert [alarm.key for alarm in told] == ["bot silent"]
    over = {alarm.key for alarm in conditions.look(healthy(), 20 * S)}
    assert over == {halted.key, "bot silent"}


def test_venues_that_close_at_the_end_are_not_told():
    conditions = Conditions(PATIENCE)
    stopping = healthy(state="stopping", vest={"ready": False})
    assert [list(conditions.look(stopping, second * S)) for second in (0, 40)] == [[], []]
