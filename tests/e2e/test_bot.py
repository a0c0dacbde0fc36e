"""The bot as its owner runs it: real processes, real TLS, the simulated venues, and what goes wrong between them."""

import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, spawn, wait_until

from deltawire.journal.records import OrderIntended, OrderObserved, OrderTimed, RunEnded, TradeClosed

pytestmark = pytest.mark.e2e

WIDE_BPS = 40


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        yield made


def _ids_are_used_once(rig: Rig) -> None:
    """No order was sent twice: by our intents, and by what the venues received."""
    ids = Counter(intent.client_id for intent in rig.of(OrderIntended))
    assert max(ids.values()) == 1
    sent = Counter(r.client_id for r in rig.of(OrderObserved) if r.kind == "sent")
    assert max(sent.values()) == 1


def test_a_full_cycle_with_entry_exit_and_clean_stop(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.status()["round_trips"] == 1, "a round trip")
    assert rig.end_bot(signal.SIGINT) == 0
    [closed], [ended] = rig.of(TradeClosed), rig.of(RunEnded)
    assert closed.outcome == "closed"
    assert (ended.clean, ended.flat, ended.agree) == (True, True, True)
    timed = rig.of(OrderTimed)
    assert Counter(record.venue for record in timed) == {"paradex": 2, "vest": 2}
    for record in timed:
        stamps = record.stamps
        moments = [
            stamps.received_mono_ns,
            stamps.decoded_mono_ns,
            stamps.decided_mono_ns,
            stamps.prepared_mono_ns,
            stamps.signed_mono_ns,
            stamps.encoded_mono_ns,
            stamps.written_mono_ns,
            stamps.reply_mono_ns,
            stamps.acked_mono_ns,
        ]
        assert moments == sorted(moments)
        assert 0 not in moments
        assert stamps.reused, "the connection was warm"
    assert rig.bot_log().count("order latency: signature=") == 4
    rig.assert_all_is_well()


def test_a_rejected_second_leg_is_followed_by_an_unwind_to_zero(rig: Rig):
    rig.start_bot()
    # Every Vest order is refused: the entry and both repairs. What Paradex filled must be given back.
    for _ in range(3):
        rig.fault("vest", "reject_order", code="3001")
    rig.spread(WIDE_BPS)
    wait_until(lambda: rig.status()["trades"] == 1, f"the trade ended\n{rig.bot_log()}")
    rig.spread(0)
    assert rig.end_bot() == 0
    first = rig.of(TradeClosed)[0]
    assert first.outcome == "unwound"
    assert (first.dust_a_e8, first.dust_b_e8) == (0, 0)
    purposes = [intent.purpose for intent in rig.of(OrderIntended) if intent.trade_id == first.trade_id]
    assert purposes == ["entry", "entry", "repair", "repair", "unwind"]
    rig.assert_all_is_well()


@pytest.mark.parametrize(
    ("kind", "doubted"),
    # Without a reply the private channels still tell all: nothing is in doubt. Without the socket nobody tells.
    [("drop_before", True), ("drop_after", True), ("lose_reply", False)],
)
def test_a_paradex_socket_lost_in_mid_entry_sends_nothing_twice_and_ends_well(rig: Rig, kind: str, *, doubted: bool):
    rig.start_bot()
    rig.fault("paradex", kind)
    rig.spread(WIDE_BPS)
    wait_until(lambda: rig.of(OrderIntended), "an entry")
    wait_until(
        lambda: rig.pair_state() in ("holding", "watching") and rig.status()["trades"] + len(_held(rig)) > 0,
        f"the pair is settled\n{rig.bot_log()}",
    )
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    _ids_are_used_once(rig)
    rig.assert_all_is_well()
    doubtful = [r.client_id for r in rig.of(OrderObserved) if r.kind == "in_doubt"]
    assert bool(doubtful) == doubted


def _held(rig: Rig) -> list[dict[str, object]]:
    return [pair for pair in rig.status()["pairs"] if pair["state"] == "holding"]


@pytest.mark.parametrize("kind", ["lose_reply", "drop_after", "drop_before"])
def test_a_lost_vest_answer_is_resolved_by_reading(rig: Rig, kind: str):
    rig.start_bot()
    rig.fault("vest", kind)
    rig.spread(WIDE_BPS)
    wait_until(lambda: rig.of(OrderIntended), "an entry")
    wait_until(lambda: _held(rig) or rig.status()["trades"], f"the pair is settled\n{rig.bot_log()}")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    _ids_are_used_once(rig)
    rig.assert_all_is_well()


def test_sigterm_during_an_entry_ends_with_nothing_open(rig: Rig):
    rig.start_bot()
    # Fills come late, so the signal meets an entry with both orders out.
    rig.fault("paradex", "late_fill", ms=400)
    rig.fault("vest", "late_fill", ms=400)
    rig.spread(WIDE_BPS)
    wait_until(lambda: len(rig.of(OrderIntended)) == 2, "both legs are out")
    assert rig.end_bot(signal.SIGTERM) == 0
    [ended] = rig.of(RunEnded)
    assert (ended.clean, ended.flat, ended.agree, ended.reason) == (True, True, True, "SIGTERM")
    rig.assert_all_is_well()


def test_a_killed_bot_is_followed_by_one_that_finishes_its_trade(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    assert rig.bot is not None
    rig.bot.kill()
    rig.bot.wait()
    rig.start_bot()
    assert rig.status()["state"] == "disarmed", "it manages what is open, and opens nothing before a person says so"
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    assert [closed.outcome for closed in rig.of(TradeClosed)] == ["closed"]
    _ids_are_used_once(rig)
    rig.assert_all_is_well()


def test_a_partly_filled_leg_is_hedged_for_what_filled(rig: Rig):
    rig.start_bot()
    rig.fault("paradex", "partial_fill", fraction_e8=50_000_000)
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}")
    assert rig.end_bot() == 0
    rig.assert_all_is_well()


def test_a_second_bot_on_the_same_journal_is_refused_in_words(rig: Rig, tmp_path: Path):
    rig.start_bot()
    second = spawn(tmp_path / "second.log", "run", "--config", str(rig.config))
    assert second.wait(timeout=60) == 2
    assert "journal" in (tmp_path / "second.log").read_text()
    assert rig.end_bot() == 0


def test_a_second_bot_on_the_same_accounts_with_another_journal_is_refused_in_words(rig: Rig, tmp_path: Path):
    rig.start_bot()
    other = rig.config.with_name("other.yaml")
    text = rig.config.read_text().replace("dir: journal\n", "dir: other-journal\n")
    other.write_text(text.replace(str(rig.socket), str(rig.socket.with_name("other.sock"))))
    second = spawn(tmp_path / "second.log", "run", "--config", str(other))
    assert second.wait(timeout=60) == 2
    told = (tmp_path / "second.log").read_text()
    assert f"of paradex is traded by process {rig.bot.pid if rig.bot else 0}, with another journal" in told
    assert rig.end_bot() == 0
