import random
from itertools import islice, pairwise

from deltawire.core.money import E8
from deltawire.sim.walk import WalkBase, WalkSettings, walk_ticks

BASES = {"BTC": WalkBase(60_000 * E8, E8 // 10, E8), "ETH": WalkBase(2_600 * E8, E8 // 100, 10 * E8)}


def walk(seed: int, count: int = 20_000):
    return list(islice(walk_ticks(BASES, WalkSettings(), random.Random(seed)), count))


def test_one_seed_is_one_market():
    assert walk(5) == walk(5)
    assert walk(5) != walk(6)


def test_quotes_are_in_order_on_ticks_uncrossed_and_near_the_start():
    ticks = walk(1)
    assert all(before.offset_ns <= after.offset_ns for before, after in pairwise(ticks))
    for _, _, name, quote in ticks:
        base = BASES[name]
        assert quote.bid_price_e8 < quote.ask_price_e8
        assert quote.bid_price_e8 % base.tick_e8 == quote.ask_price_e8 % base.tick_e8 == 0
        assert abs(quote.bid_price_e8 - base.price_e8) <= base.price_e8 // 50 + 10 * base.tick_e8
        assert min(quote.bid_size_e8, quote.ask_size_e8) >= base.size_e8 // 2


def test_every_base_and_venue_quotes_at_the_rate_set():
    ticks = walk(1)
    seconds = ticks[-1].offset_ns / 1e9
    for venue in ("paradex", "vest"):
        for base in BASES:
            rate = sum((tick.venue, tick.base) == (venue, base) for tick in ticks) / seconds
            assert 49 < rate < 51  # one in 20 ms


def test_prices_do_move():
    assert len({tick.quote.bid_price_e8 for tick in walk(1) if tick.base == "BTC"}) > 100
