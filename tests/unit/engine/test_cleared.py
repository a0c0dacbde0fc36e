"""Orders cleared ahead of the trigger: the short way sends what the long way would, and nothing it would not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import SIZE_E8, book, rules
from tests.unit.core.test_limits import LIMITS
from tests.unit.engine.test_bot import MS, World

from deltawire.core.edge import opening
from deltawire.core.ladder import Aim, caps, touch
from deltawire.core.limits import Approved, Gate, reference_price_e8
from deltawire.core.money import E8, format_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.trade import EXITING
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.gateway import Outgoing
from deltawire.engine.ladders import Ladder, Ladders
from deltawire.engine.trader import CLEARED_NS
from deltawire.journal.check import check_journal
from deltawire.venues.contract import PreparedOrder

NOW, UNIX = 10**12, 1_763_800_000 * 10**9
RULES = rules()


async def cleared(world: World) -> Ladder:
    """Let the market come near an edge until a ladder is signed and cleared."""
    world.spread(8)
    ladders = world.bot.traders[0].ladders
    await world.until(lambda: any(ladder is not None and ladder.cleared_at_news >= 0 for ladder in ladders.entries))
    world.bot.traders[0].clear()
    found = ladders.entries[0]
    assert found is not None
    return found


async def held(world: World) -> Ladder:
    """Hold a trade whose exit is signed and cleared."""
    await world.begin()
    world.enter()
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    trader = world.bot.traders[0]
    await world.until(lambda: bool(trader.ladders.exits))
    trader.clear()
    (ladder,) = trader.ladders.exits.values()
    assert ladder.cleared_at_news == world.bot.news.count
    return ladder


# ---- in the whole bot ------------------------------------------------------------------------------------------------


async def test_a_cleared_entry_leaves_without_asking_the_long_way(world: World):
    await world.begin()
    ladder = await cleared(world)
    world.enter()
    assert world.paradex.last.trade_id == ladder.trade_id
    assert world.paradex.orders[world.paradex.last.client_id].stamps.presigned
    ladders = world.bot.traders[0].ladders
    assert (ladders.served, ladders.cleared) == (1, 1)
    assert ladders.entries[0] is None


async def test_a_cleared_exit_moves_the_trade_as_the_long_way_does(world: World):
    await held(world)
    trader = world.bot.traders[0]
    (trade,) = trader.dealer.open
    world.spread(0)
    assert trader.ladders.cleared >= 1
    assert trade.phase is EXITING
    assert trade.attempts == 1
    assert trade.exit_reason == "spread_back"
    assert trade.exit_spread_e8 is not None
    for venue in (world.paradex, world.vest):
        assert venue.last.purpose is Purpose.EXIT
        assert venue.last.reduce_only
        venue.fill(venue.last.client_id)
    assert world.paradex.position_e8 == world.vest.position_e8 == 0
    assert trader.is_idle
    assert world.bot.gate.halted == ""
    world.bot.recorder.flush()
    assert check_journal(world.folder) == []


@pytest.mark.parametrize("leg", [0, 1])
async def test_an_exit_that_a_venue_could_not_take_is_not_written_to_the_other(world: World, leg: int):
    await held(world)
    before = [len(venue.orders) for venue in (world.paradex, world.vest)]
    (world.paradex, world.vest)[leg].ready = False
    world.spread(0)
    assert [len(venue.orders) for venue in (world.paradex, world.vest)] == before


async def test_news_between_the_clearing_and_the_trigger_ends_the_clearance(world: World):
    await world.begin()
    await cleared(world)
    world.paradex.blocked = "maintenance"
    world.bot.on_link("paradex", "orders", up=True, detail="")
    world.enter()
    assert world.paradex.orders == {}


async def test_a_clearance_ends_by_itself(world: World):
    await world.begin()
    await cleared(world)
    world.clock.now_ns += CLEARED_NS
    world.paradex.blocked = "maintenance"
    world.enter()
    assert world.paradex.orders == {}


@pytest.mark.parametrize("leg", [0, 1])
async def test_a_venue_that_is_away_is_seen_at_the_trigger(world: World, leg: int):
    await world.begin()
    await cleared(world)
    (world.paradex, world.vest)[leg].ready = False
    world.enter()
    assert world.paradex.orders == world.vest.orders == {}


async def test_a_halt_and_a_position_that_differs_are_seen_at_the_trigger(world: World):
    await world.begin()
    await cleared(world)
    world.bot.gate.halt("a person")
    world.enter()
    world.bot.gate.release()
    world.bot.traders[0].suspicion = "differs"
    world.enter()
    assert world.paradex.orders == {}


async def test_a_position_changed_by_others_takes_the_exit_back(world: World):
    await held(world)
    trader = world.bot.traders[0]
    world.paradex.liquidated_e8 = -SIZE_E8 // 2
    for _ in range(2):  # once is not believed
        await world.bot.watcher.round()
    assert trader.ladders.exits == {}


async def test_orders_over_a_limit_are_never_cleared(world: World):
    bot = await world.begin()
    bot.gate.limits = replace(bot.gate.limits, order_notional_e8_max=E8)
    world.spread(8)
    ladders = bot.traders[0].ladders
    await world.until(lambda: ladders.entries[0] is not None)
    bot.traders[0].clear()
    ladder = ladders.entries[0]
    assert ladder is not None
    assert ladder.cleared_until_mono_ns == 0
    world.enter()
    assert world.paradex.orders == {}
    assert bot.traders[0].last_refusal == "order_notional"


# ---- the gate's two halves -------------------------------------------------------------------------------------------


def entry(side: Side, cap_e8: int, size_e8: int) -> OrderRequest:
    leg = 0 if side is Side.BUY else 1
    client_id = ClientOrderId(f"dw1-0-1-{'ab'[leg]}1")
    return OrderRequest(client_id, TradeId("dw1-0-1"), Purpose.ENTRY, RULES.legs[leg], side, size_e8, cap_e8)


@given(
    caps_off_e8=st.tuples(st.integers(-700_000, 700_000), st.integers(-700_000, 700_000)),
    size_e8=st.integers(1, 3 * 10**6),
    ages_ms=st.tuples(st.integers(0, 2_500), st.integers(0, 2_500)),
    venue_age_ms=st.integers(0, 6_000),
    wide_bps=st.integers(1, 300),
    edge_e8=st.integers(0, 20_000_000),
    sent=st.integers(0, LIMITS.orders_per_minute_max),
    halted=st.booleans(),
)
def test_clearing_and_admitting_say_yes_only_where_the_whole_gate_does(
    caps_off_e8, size_e8, ages_ms, venue_age_ms, wide_bps, edge_e8, sent, halted
):
    half = wide_bps * 3 * E8  # of 60 000
    made = [book(RULES.legs[leg], format_e8(60_000 * E8 - half), format_e8(60_000 * E8 + half)) for leg in (0, 1)]
    for at, age_ms in zip(made, ages_ms, strict=True):
        at.received_mono_ns = NOW - age_ms * MS
        at.venue_unix_ns = UNIX - venue_age_ms * MS
    books = (made[0], made[1])
    best = (books[0].asks[0][0], books[1].bids[0][0])
    buy = entry(Side.BUY, best[0] + best[0] * caps_off_e8[0] // E8, size_e8)
    sell = entry(Side.SELL, best[1] + best[1] * caps_off_e8[1] // E8, size_e8)

    short, long = Gate(LIMITS), Gate(LIMITS)
    for gate in (short, long):
        gate.sent_mono_ns.extend([NOW] * sent)
        if halted:
            gate.halt("a person")
    says_short = short.clear(buy) and short.clear(sell) and short.admit_entry(buy, sell, books, edge_e8, (NOW, UNIX))
    says_long = (
        long.entry_refusal(books, 0, NOW, UNIX) is None
        and long.edge_refusal(edge_e8) is None
        and all(
            isinstance(long.approve(order, reference_price_e8(books[leg], order.side), NOW), Approved)
            for leg, order in enumerate((buy, sell))
        )
    )
    assert says_short == says_long
    if says_short:
        assert list(short.sent_mono_ns) == list(long.sent_mono_ns)


def test_an_exit_is_admitted_while_there_is_any_room_at_all():
    gate = Gate(LIMITS)
    gate.halt("a person")
    gate.sent_mono_ns.extend([NOW] * (LIMITS.orders_per_minute_max - 2))
    assert gate.admit_exit(NOW)
    assert not gate.admit_exit(NOW)
    assert len(gate.sent_mono_ns) == LIMITS.orders_per_minute_max


# ---- the choice ------------------------------------------------------------------------------------------------------


class Still:
    """A venue of which only the freshness of orders is asked."""

    def is_fresh(self, _prepared: PreparedOrder) -> bool:
        return True


def ladder_at(buy_leg: int, signed_bps: int) -> tuple[Ladders, Ladder]:
    up = signed_bps * 6 * E8
    at = (book(RULES.legs[0], "59999.9", "60000.1"), book(RULES.legs[1], format_e8(60_000 * E8 + up), "60200"))
    at = at if buy_leg == 0 else (book(RULES.legs[0], format_e8(60_000 * E8 + up), "60200"), at[0])
    aim = Aim(buy_leg, RULES.needed_e8, (RULES.size_e8, RULES.size_e8))
    now = touch(aim, at)
    assert now is not None
    caps_e8 = caps(RULES, aim, now)
    orders = []
    for leg in (0, 1):
        side = Side.BUY if leg == buy_leg else Side.SELL
        requests = [replace(entry(side, cap_e8, RULES.size_e8), instrument=RULES.legs[leg]) for cap_e8 in caps_e8[leg]]
        orders.append(
            [
                Outgoing(Still(), leg, "btc", made, 0, OrderStamps(), PreparedOrder(made, 1, 1, b"", 1, OrderStamps()))  # type: ignore[arg-type]
                for made in requests
            ]
        )
    ladders = Ladders(RULES, (Still(), Still()))  # type: ignore[arg-type]  # nothing else of a venue is asked
    ladder = Ladder(Purpose.ENTRY, TradeId("dw1-0-1"), aim, now, (orders[0], orders[1]), caps_e8, NOW, NOW)
    ladders.entries[buy_leg] = ladder
    return ladders, ladder


@given(
    buy_leg=st.sampled_from([0, 1]),
    signed_bps=st.integers(-20, 12),
    moved_e8=st.tuples(st.integers(-400_000, 400_000), st.integers(-400_000, 400_000)),
)
def test_the_short_way_chooses_what_the_long_way_chooses(buy_leg, signed_bps, moved_e8):
    ladders, ladder = ladder_at(buy_leg, signed_bps)
    ladders.clear(ladder, NOW, news=1)
    buy_e8 = ladder.signed_at.buy_e8 + ladder.signed_at.buy_e8 * moved_e8[0] // E8
    sell_e8 = ladder.signed_at.sell_e8 + ladder.signed_at.sell_e8 * moved_e8[1] // E8
    found = opening(RULES, (book(RULES.legs[0], "1", "2"), book(RULES.legs[1], "1", "2")), buy_leg, RULES.size_e8)
    assert found is not None
    found = found._replace(buy_worst_e8=buy_e8, sell_worst_e8=sell_e8)
    short = ladders.choose_cleared(ladder, buy_e8, sell_e8)
    taken = ladders.take_entry(found, None, NOW)
    assert (list(short) if short is not None else None) == (taken.chosen if taken is not None else None)
