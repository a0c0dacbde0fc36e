from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.book import Book
from deltawire.core.money import E8
from deltawire.core.types import Side

levels = st.dictionaries(st.integers(1, 50), st.integers(0, 5), max_size=12)


def _book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    book = Book("paradex", "BTC-USD-PERP")
    book.replace(bids, asks, seq=1)
    return book


def test_a_snapshot_may_come_unsorted_and_with_empty_levels():
    book = _book([(98, 1), (99, 2), (97, 0)], [(102, 1), (101, 3)])
    assert book.bids == [(99, 2), (98, 1)]
    assert book.asks == [(101, 3), (102, 1)]
    assert book.valid


def test_a_change_before_the_first_snapshot_is_ignored():
    book = Book("paradex", "BTC-USD-PERP")
    book.apply([(99, 1)], [], seq=5)
    book.set_top((99, 1), (101, 1), seq=6)
    assert (book.valid, book.bids, book.why_invalid) == (False, [], "no snapshot yet")


def test_a_crossed_book_is_invalid_until_the_next_snapshot():
    book = _book([(99, 1)], [(101, 1)])
    book.apply([(101, 1)], [], seq=2)
    assert not book.valid
    assert "crossed" in book.why_invalid
    book.replace([(99, 1)], [(101, 1)], seq=3)
    assert book.valid


def test_a_new_top_removes_what_lies_inside_it():
    book = _book([(99, 1), (98, 1), (97, 1)], [(101, 1), (102, 1)])
    book.set_top((98, 5), (102, 7), seq=2)
    assert book.bids == [(98, 5), (97, 1)]
    assert book.asks == [(102, 7)]


def test_a_better_top_is_put_in_front():
    book = _book([(98, 1)], [(101, 1)])
    book.set_top((99, 5), (100, 7), seq=2)
    assert book.bids == [(99, 5), (98, 1)]
    assert book.asks == [(100, 7), (101, 1)]


def test_a_top_without_a_side_empties_that_side():
    book = _book([(98, 1)], [(101, 1)])
    book.set_top(None, (101, 1), seq=2)
    assert book.bids == []
    assert not book.two_sided
    assert book.valid


def test_walking_stops_where_the_size_is_met():
    book = _book([(98 * E8, E8)], [(100 * E8, E8), (101 * E8, 2 * E8)])
    walk = book.walk(Side.BUY, 2 * E8)
    assert (walk.size_e8, walk.notional_e8, walk.worst_price_e8) == (2 * E8, 201 * E8, 101 * E8)


def test_walking_a_thin_book_tells_what_it_got():
    assert _book([(98 * E8, E8)], []).walk(Side.SELL, 5 * E8).size_e8 == E8


@given(levels, st.lists(st.tuples(st.booleans(), st.integers(1, 50), st.integers(0, 5)), max_size=40))
def test_changes_leave_the_same_book_as_a_fresh_snapshot(start, changes):
    """The incremental book against a plain dictionary; sides far apart so that nothing crosses."""
    bids = {price: size for price, size in start.items() if size}
    asks = {price + 1000: size for price, size in start.items() if size}
    book = _book(list(bids.items()), list(asks.items()))
    for seq, (is_bid, price, size) in enumerate(changes, start=2):
        side, at = (bids, price) if is_bid else (asks, price + 1000)
        side[at] = size
        if not size:
            del side[at]
        book.apply([(at, size)] if is_bid else [], [] if is_bid else [(at, size)], seq)
    assert book.bids == sorted(bids.items(), reverse=True)
    assert book.asks == sorted(asks.items())


def test_a_picture_with_two_levels_at_one_price_is_no_book():
    book = _book([(99 * E8, E8), (98 * E8, E8), (99 * E8, 2 * E8)], [(100 * E8, E8)])
    assert not book.valid
    assert "one price" in book.why_invalid
    book.replace([(99 * E8, E8), (99 * E8, 0)], [(100 * E8, E8)])  # an empty level is none
    assert book.valid


def test_a_book_counts_how_often_it_was_lost_and_not_how_often_that_was_said():
    book = _book([(99, 1)], [(101, 1)])
    book.invalidate("sequence gap")
    book.invalidate("link down")
    assert book.breaks == 1
    book.replace([(99, 1)], [(101, 1)], seq=2)
    book.invalidate("sequence gap")
    assert book.breaks == 2


@given(levels, levels, st.dictionaries(st.integers(1, 50), st.integers(0, 5), max_size=15))
def test_a_change_of_many_levels_equals_its_levels_one_by_one(bids, asks, changes):
    """Best first, as the venue sends them, and in any other order."""
    ways = []
    for order in (sorted(changes.items()), sorted(changes.items(), reverse=True), list(changes.items())):
        book = _book(list(bids.items()), [(price + 1000, size) for price, size in asks.items()])
        book.apply(order, [(price + 1000, size) for price, size in order], 2)
        ways.append((book.bids, book.asks))
    kept_bids = {price: size for price, size in {**bids, **changes}.items() if size}
    kept_asks = {price + 1000: size for price, size in {**asks, **changes}.items() if size}
    assert ways == [(sorted(kept_bids.items(), reverse=True), sorted(kept_asks.items()))] * 3


@given(levels, st.lists(st.none() | st.tuples(st.integers(1, 50), st.integers(1, 5)), max_size=20))
def test_a_run_of_tops_leaves_what_lies_behind_each(start, tops):
    """Against plain dictionaries: all better than the top goes, the top's size counts, the rest stays."""
    bids = {price: size for price, size in start.items() if size}
    asks = {1000 - price: size for price, size in start.items() if size}
    book = _book(list(bids.items()), list(asks.items()))
    for seq, top in enumerate(tops, start=2):
        book.set_top(top, None if top is None else (1000 - top[0], top[1]), seq)
        worst = top[0] if top is not None else 0
        bids = {price: size for price, size in bids.items() if price < worst}
        asks = {price: size for price, size in asks.items() if price > 1000 - worst}
        if top is not None:
            bids[top[0]], asks[1000 - top[0]] = top[1], top[1]
        assert book.bids == sorted(bids.items(), reverse=True)
        assert book.asks == sorted(asks.items())


def test_a_top_that_crosses_the_other_side_leaves_no_book():
    book = _book([(98, 1)], [(101, 1)])
    book.set_top((101, 1), (101, 1), seq=2)
    assert not book.valid
    assert "crossed" in book.why_invalid
