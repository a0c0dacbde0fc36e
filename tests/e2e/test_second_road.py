"""A real bot whose Paradex order socket is cut and stays away, while it must get out: the exit leaves over REST."""

from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, ask_sim, wait_until

from deltawire.journal.records import OrderIntended, OrderObserved, OrderTimed, TradeClosed

pytestmark = pytest.mark.e2e

WIDE_BPS = 40
SOCKETS = 2  # market data and orders, as opened at the start; every later connection is a try to come back
TRIES_CUT = 40  # more than the bot can make while it closes: it waits longer before each


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path, "rtt_ms: 4\n") as made:
        yield made


def _orders_link_is_up(rig: Rig) -> bool:
    return bool(rig.status()["venues"]["paradex"]["links"]["orders"])


def test_with_the_order_socket_cut_the_exit_leaves_over_rest_once_and_ends_flat(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    for number in range(SOCKETS + 1, SOCKETS + 1 + TRIES_CUT):
        rig.fault("paradex", "cut", port="ws", way="up", bytes=0, connection=number)
    rig.fault("paradex", "drop_stream", link="orders")
    wait_until(lambda: not _orders_link_is_up(rig), f"the order socket is down\n{rig.bot_log()}")
    rig.spread(0)
    wait_until(lambda: rig.status()["trades"] == 1, f"the trade ended\n{rig.bot_log()}")
    assert not _orders_link_is_up(rig), "it stayed away all the time"
    assert rig.end_bot() == 0
    exits = {r.client_id for r in rig.of(OrderIntended) if r.purpose == "exit" and r.venue == "paradex"}
    roads = {r.client_id: r.stamps.transport for r in rig.of(OrderTimed) if r.client_id in exits}
    assert set(roads.values()) == {"https"}
    sent = Counter(r.client_id for r in rig.of(OrderObserved) if r.kind == "sent")
    assert max(sent.values()) == 1
    [closed] = rig.of(TradeClosed)
    assert (closed.outcome, closed.dust_a_e8, closed.dust_b_e8) == ("closed", 0, 0)
    counters = ask_sim(rig.ready, "/state")["paradex"]["counters"]
    assert not counters.get("duplicates_of_a_client_id", 0)
    rig.assert_all_is_well()
