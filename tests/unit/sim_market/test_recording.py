import gzip
from importlib.resources import files
from itertools import islice, pairwise

import pytest

from deltawire.core.money import E8
from deltawire.sim.recording import FILE, SHA256, RecordingError, Tick, decode_recording, load_recording

MS = 1_000_000


@pytest.fixture(scope="module")
def recording():
    return load_recording()


@pytest.fixture(scope="module")
def passes(recording) -> list[Tick]:
    """As recorded, mirrored, and the first tick of the third pass."""
    return list(islice(recording.ticks(), 2 * len(recording.order) + 1))


def packaged_text() -> bytes:
    return gzip.decompress(files("deltawire.sim").joinpath("data", FILE).read_bytes())


def test_it_has_both_venues_and_bases_at_the_rates_its_readme_states(recording):
    quotes = {(feed.venue, feed.base): len(feed.bid_ticks) for feed in recording.feeds}
    seconds = recording.duration_ns / 1e9
    assert sum(quotes.values()) == len(recording.order) == 94_954
    assert 223.7 < seconds < 223.9
    assert {key: round(count / seconds) for key, count in quotes.items()} == {
        ("paradex", "BTC"): 177,
        ("paradex", "ETH"): 152,
        ("vest", "BTC"): 50,
        ("vest", "ETH"): 45,
    }


def test_quotes_are_those_of_the_venues_messages(recording, passes):
    # First lines of the source files: BTCUSDT bookTicker in force at the start, BTCUSD_PERP 61804.7 x 35 contracts.
    assert recording.bases == ("BTC", "ETH")
    first = {(tick.venue, tick.base): tick.quote for tick in passes[:4]}
    assert first["paradex", "BTC"].bid_price_e8 == 61_800 * E8
    vest, level_ticks = first["vest", "BTC"], recording.levels["BTC"][0]
    assert vest.bid_price_e8 == 618_047 * E8 // 10 - level_ticks * E8 // 10
    assert vest.bid_size_e8 == 35 * 100 * E8 * E8 // (618_047 * E8 // 10)


def test_a_changed_text_is_refused():
    text = packaged_text()
    with pytest.raises(RecordingError, match="SHA-256"):
        decode_recording(text.replace(b"618000", b"618001", 1), SHA256)
    with pytest.raises(RecordingError, match="SHA-256"):
        decode_recording(text[:-1], SHA256)


def test_no_quote_is_crossed_or_empty_in_either_direction(passes):
    for _, _, _, quote in passes:
        assert quote.bid_price_e8 < quote.ask_price_e8
        assert min(quote.bid_size_e8, quote.ask_size_e8) > 0


def test_time_never_falls_and_the_wrap_adds_no_hole(passes):
    assert passes[0].offset_ns == 0
    assert all(0 <= after.offset_ns - before.offset_ns < 500 * MS for before, after in pairwise(passes))


def test_prices_join_at_both_wraps_and_drift_nowhere(recording, passes):
    ticks_e8 = {feed.base: feed.tick_e8 for feed in recording.feeds}
    n = len(recording.order)
    for end, start in ((passes[:n], passes[n : 2 * n]), (passes[n : 2 * n], passes)):
        for base in recording.bases:
            before = next(t.quote for t in reversed(end) if (t.venue, t.base) == ("paradex", base))
            after = next(t.quote for t in start if (t.venue, t.base) == ("paradex", base))
            # Only the rounding of the fixed middle to a tick, and a spread turned around, may show.
            assert abs(after.bid_price_e8 - before.bid_price_e8) <= 2 * ticks_e8[base]
    assert passes[2 * n].quote == passes[0].quote
    assert passes[2 * n].offset_ns == 2 * recording.duration_ns


def test_with_the_level_out_neither_venue_is_dear_on_average_and_crossings_remain(recording, passes):
    for base in recording.bases:
        tops: dict[str, int] = {}
        differences, crossed = [], 0
        for _, venue, _, quote in (tick for tick in passes[: len(recording.order)] if tick.base == base):
            tops[venue] = quote.bid_price_e8
            if len(tops) == 2:
                difference_e8 = (tops["vest"] - tops["paradex"]) * E8 // tops["paradex"]
                differences.append(difference_e8)
                crossed += abs(difference_e8) > 10_000
        assert abs(sum(differences) / len(differences)) < 3_000  # 0.3 bps
        assert crossed > 500  # quotes more than 1 bp apart
