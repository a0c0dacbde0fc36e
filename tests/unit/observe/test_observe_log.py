import asyncio
import io
import json
import threading
from enum import Enum

import pytest

from deltawire.core.secret import Secret
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.observe.latency import log_order_latency
from deltawire.observe.log import BufferedLog, Level, Output, human_line, json_line
from deltawire.venues.contract import EventLog

UNIX_NS = 1_700_000_000_123_456_789


class FixedClock:
    def mono_ns(self) -> int:
        return 1

    def unix_ns(self) -> int:
        return UNIX_NS


def a_log(form=json_line, level: Level = Level.INFO, **options) -> tuple[BufferedLog, io.BytesIO]:
    stream = io.BytesIO()
    return BufferedLog(FixedClock(), [Output(stream, form, level)], **options), stream


def lines(stream: io.BytesIO) -> list[str]:
    return stream.getvalue().decode().splitlines()


def test_nothing_is_written_by_the_call_itself_and_all_of_it_at_the_end():
    log, stream = a_log()
    for n in range(250):
        log.info("tick", n=n)
    assert stream.getvalue() == b""
    log.close()
    assert [json.loads(line)["n"] for line in lines(stream)] == list(range(250))


def test_it_is_the_event_log_of_the_contract():
    log: EventLog = a_log()[0]
    log.info("x")


def test_a_json_line_has_time_level_event_and_fields():
    log, stream = a_log()
    log.warning("ws.lost", venue="paradex", code=1006, why=None)
    log.close()
    assert json.loads(lines(stream)[0]) == {
        "unix_ns": UNIX_NS,
        "level": "warning",
        "event": "ws.lost",
        "venue": "paradex",
        "code": 1006,
        "why": None,
    }


def test_a_field_cannot_pose_as_the_head_of_a_line():
    log, stream = a_log()
    log.info("x", level="error", unix_ns=0)
    log.close()
    assert json.loads(lines(stream)[0]) == {
        "unix_ns": UNIX_NS, "level": "info", "event": "x", "level_": "error", "unix_ns_": 0
    }  # fmt: skip


def test_a_human_line_is_one_line_and_cannot_drive_the_terminal():
    log, stream = a_log(human_line)
    log.info("order.rejected", text="no\nroom \x1b[31mred\x9b", code="X1", empty="")
    log.error("halt", price_e8=5)
    log.close()
    assert lines(stream) == [
        '22:13:20.123 order.rejected text="no\\nroom \\u001b[31mred\\u009b" code=X1 empty=""',
        "22:13:20.123 ERROR halt price_e8=5",
    ]


def test_each_output_has_its_own_form_and_level():
    everything, important = io.BytesIO(), io.BytesIO()
    log = BufferedLog(
        FixedClock(),
        [Output(everything, json_line, Level.DEBUG), Output(important, human_line, Level.WARNING)],
    )
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.close()
    assert [json.loads(line)["event"] for line in lines(everything)] == ["a", "b", "c"]
    assert lines(important) == ["22:13:20.123 WARNING c"]


def test_what_no_output_wants_is_not_kept():
    log, stream = a_log(entries_max=1)
    for _ in range(5):
        log.debug("noise")
    log.info("news")
    log.close()
    assert log.dropped == 0
    assert len(lines(stream)) == 1


def test_what_does_not_fit_is_counted_and_told():
    log, stream = a_log(entries_max=3)
    for n in range(10):
        log.info("tick", n=n)
    log.close()
    told = [json.loads(line) for line in lines(stream)]
    assert [entry["event"] for entry in told] == ["tick", "tick", "tick", "log.dropped"]
    assert (told[-1]["entries"], told[-1]["level"], log.dropped) == (7, "error", 7)


def test_the_connection_of_an_order_is_told_in_the_form_people_look_for_and_in_whole_fields():
    fields = {"reused": True, "age_ns": 8_240_000_000, "requests": 41, "client_id": "c-1", "venue": "vest"}
    human, human_stream = a_log(human_line)
    human.info("order.connection", **fields)
    human.close()
    assert lines(human_stream) == [
        "22:13:20.123 connection reused=yes age=8240.0ms requests=41 client_id=c-1 venue=vest"
    ]
    exact, exact_stream = a_log(json_line)
    exact.info("order.connection", **fields)
    exact.close()
    assert fields.items() <= json.loads(lines(exact_stream)[0]).items()


def test_the_latency_line_of_an_order_in_both_forms():
    stamps = OrderStamps(decided_mono_ns=10, encoded_mono_ns=5, written_mono_ns=10, transport="ws", reused=True)
    for form in (human_line, json_line):
        log, stream = a_log(form)
        log_order_latency(log, ClientOrderId("c1"), "paradex", stamps)
        stamps.reply_mono_ns, stamps.acked_mono_ns = 84_200_010, 84_209_010
        log.close()
        if form is human_line:
            phases = "signature=0µs json=0µs ws=84.2ms parse=9µs total=84.2ms"
            assert lines(stream) == [f"22:13:20.123 order latency: {phases} venue=paradex transport=ws reused=yes"]
        else:
            told = json.loads(lines(stream)[0])
            assert (told["event"], told["wire_ns"], told["total_ns"]) == ("order.latency", 84_200_000, 84_209_000)


KEY = "0x" + "5eC7e7" * 8


@pytest.mark.parametrize("value", [Secret(KEY), [Secret(KEY)], {"key": Secret(KEY)}])
def test_a_secret_given_to_the_log_raises_where_it_is_strict_and_is_never_shown(value: object):
    log, _ = a_log(strict=True)
    with pytest.raises(TypeError, match="event auth, field key") as raised:
        log.info("auth", key=value)
    assert KEY not in str(raised.value)

    for form in (json_line, human_line):
        log, stream = a_log(form)
        log.info("auth", key=value)
        log.close()
        assert "***" in stream.getvalue().decode()
        assert KEY not in stream.getvalue().decode()


def test_a_registered_secret_is_masked_wherever_it_turns_up_and_that_is_an_error_event():
    log, stream = a_log()
    log.hide(Secret(KEY))
    log.info("http.failed", url=f"https://x/?key={KEY[2:]}&b=1", headers=[f"auth: {KEY}"])
    log.close()
    text = stream.getvalue().decode()
    assert KEY[2:] not in text
    told = [json.loads(line) for line in lines(stream)]
    assert told[0]["url"] == "https://x/?key=***&b=1"
    assert (told[1]["event"], told[1]["level"], told[1]["in_event"]) == ("log.secret_masked", "error", "http.failed")
    assert log.masked == 1


def test_a_short_secret_does_not_mask_ordinary_words():
    log, stream = a_log()
    log.hide(Secret("ok"))
    log.info("book.ok")
    log.close()
    assert json.loads(lines(stream)[0])["event"] == "book.ok"


class Colour(Enum):
    RED = 1


class Stubborn:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_a_value_that_cannot_be_shown_does_not_cost_the_other_lines():
    for form in (json_line, human_line):
        log, stream = a_log(form)
        log.info("odd", value=Stubborn())
        log.info("enum", colour=Colour.RED, big=2**80, text="\udcff")
        log.close()
        assert "unprintable" in lines(stream)[0]
        assert "RED" in lines(stream)[1]


class BrokenPipe(io.BytesIO):
    def write(self, _data: object, /) -> int:
        raise BrokenPipeError


def test_an_output_that_fails_is_counted_and_the_others_go_on():
    good = io.BytesIO()
    log = BufferedLog(FixedClock(), [Output(BrokenPipe(), json_line), Output(good, json_line)])
    log.info("a")
    log.close()
    assert log.output_failures == 1
    assert len(lines(good)) == 1


class StuckStream(io.BytesIO):
    def __init__(self) -> None:
        super().__init__()
        self.may_write = threading.Event()
        self.reached = threading.Event()

    def write(self, data: object, /) -> int:
        self.reached.set()
        self.may_write.wait(60)
        return super().write(data)  # type: ignore[arg-type]  # BytesIO takes any buffer


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is set by another thread
            await asyncio.sleep(0.005)


async def test_a_running_log_writes_by_itself():
    log, stream = a_log()
    log.start()
    log.info("a")
    await until(lambda: stream.getvalue().endswith(b"\n"))
    log.close()
    assert len(lines(stream)) == 1


async def test_a_stuck_output_never_stops_the_loop_and_the_overflow_is_told():
    stream = StuckStream()
    log = BufferedLog(FixedClock(), [Output(stream, json_line)], entries_max=5)
    log.start()
    log.info("first")
    await until(stream.reached.is_set)
    for n in range(9):
        log.info("tick", n=n)
    assert log.dropped == 4  # and this line ran, with the output still stuck
    stream.may_write.set()
    await until(lambda: b"log.dropped" in stream.getvalue())
    log.close()
    told = [json.loads(line)["event"] for line in lines(stream)]
    assert told == ["first", *["tick"] * 5, "log.dropped"]


def test_the_last_warnings_and_errors_can_be_shown_without_what_is_secret():
    log, _ = a_log()
    log.hide(Secret("0xfeedbeefcafe"))
    log.info("order.sent")
    log.warning("link.down", venue="vest", detail="key feedbeefcafe refused")
    log.error("loss.limit", reason="lost 5")
    assert [(told["level"], told["event"], told["text"]) for told in log.recent()] == [
        ("warning", "link.down", 'venue=vest detail="key *** refused"'),
        ("error", "loss.limit", 'reason="lost 5"'),
    ]
    for n in range(1000):
        log.warning("w", n=n)
    assert len(log.recent()) == 40
    assert log.recent()[-1]["text"] == "n=999"
