from dataclasses import replace

import pytest

from deltawire.core.latency import ORDER_PHASES, VENUE_PHASES, Spread, phases_ns, presigned, spread_of
from deltawire.core.stamps import OrderStamps
from deltawire.observe.latency import duration_text, latency_fields, latency_line

PRESIGNED = OrderStamps(
    received_mono_ns=1_000_000,
    decoded_mono_ns=1_002_000,
    decided_mono_ns=1_007_000,
    prepared_mono_ns=200_000,
    signed_mono_ns=420_000,
    encoded_mono_ns=421_000,
    written_mono_ns=1_017_000,
    reply_mono_ns=85_217_000,
    acked_mono_ns=85_226_000,
    filled_mono_ns=86_007_000,
    transport="ws",
    reused=True,
)
SIGNED_AT_ONCE = replace(
    PRESIGNED,
    prepared_mono_ns=1_007_000,
    signed_mono_ns=1_227_000,
    encoded_mono_ns=1_228_000,
    written_mono_ns=1_238_000,
)


def test_the_line_keeps_the_form_users_know():
    assert latency_line("paradex", PRESIGNED) == (
        "order latency: signature=0µs json=0µs ws=84.2ms parse=9µs total=84.2ms venue=paradex transport=ws reused=yes"
    )
    assert latency_line("paradex", SIGNED_AT_ONCE) == (
        "order latency: signature=220µs json=1µs ws=84.0ms parse=9µs total=84.2ms venue=paradex transport=ws reused=yes"
    )


def test_the_line_of_an_https_order_says_http():
    stamps = replace(SIGNED_AT_ONCE, transport="https", reused=False)
    assert "json=1µs http=84.0ms parse" in latency_line("vest", stamps)
    assert latency_line("vest", stamps).endswith("venue=vest transport=https reused=no")


def test_an_order_never_answered_shows_dashes():
    stamps = replace(PRESIGNED, reply_mono_ns=0, acked_mono_ns=0)
    assert "ws=- parse=- total=- venue" in latency_line("paradex", stamps)


@pytest.mark.parametrize("stamps", [PRESIGNED, SIGNED_AT_ONCE])
def test_the_order_phases_add_up_to_the_total(stamps: OrderStamps):
    took = phases_ns(stamps)
    assert sum(took[name] for name in ORDER_PHASES if name != "total") == took["total"]
    assert took["reaction"] == stamps.written_mono_ns - stamps.received_mono_ns
    assert took["fill"] == 85_000_000


def test_signing_ahead_costs_nothing_on_the_way_and_its_cost_is_still_told():
    assert presigned(PRESIGNED)
    assert not presigned(SIGNED_AT_ONCE)
    assert phases_ns(PRESIGNED)["prepare"] == 221_000
    assert phases_ns(PRESIGNED)["signature"] == 0
    assert phases_ns(PRESIGNED)["write"] == 10_000


def test_phases_without_both_ends_are_left_out():
    assert phases_ns(OrderStamps()) == {}
    assert set(phases_ns(OrderStamps(prepared_mono_ns=5, signed_mono_ns=9))) == {"signature"}


TOLD_BY_THE_VENUE = replace(
    PRESIGNED,
    written_unix_ns=1_700_000_000_000_000_000,
    venue_ahead_ns=500_000_000,
    venue_received_unix_ns=1_700_000_000_540_000_000,
    venue_sent_unix_ns=1_700_000_000_544_200_000,
)


def test_the_venues_own_stamps_split_the_wire_into_way_out_venue_and_way_back():
    took = phases_ns(TOLD_BY_THE_VENUE)
    assert {name: took[name] for name in VENUE_PHASES} == {"out": 40_000_000, "venue": 4_200_000, "back": 40_000_000}
    assert sum(took[name] for name in VENUE_PHASES) == took["wire"]
    fields = latency_fields("c1", "paradex", TOLD_BY_THE_VENUE)
    assert (fields["out_ns"], fields["venue_ahead_ns"]) == (40_000_000, 500_000_000)


@pytest.mark.parametrize(("ahead_ns", "out_ns"), [(600_000_000, 0), (400_000_000, 80_000_000)])
def test_an_offset_that_is_off_never_makes_a_way_negative(ahead_ns: int, out_ns: int):
    took = phases_ns(replace(TOLD_BY_THE_VENUE, venue_ahead_ns=ahead_ns))
    assert (took["out"], took["back"]) == (out_ns, 80_000_000 - out_ns)


@pytest.mark.parametrize(
    "missing",
    [
        {"venue_ahead_ns": None},
        {"written_unix_ns": 0},
        {"venue_received_unix_ns": 0},
        {"venue_sent_unix_ns": 0},
        {"reply_mono_ns": 0},
        {"venue_sent_unix_ns": 1_700_000_000_640_000_000},  # longer at the venue than on the way at all
    ],
)
def test_without_all_stamps_of_the_venue_the_wire_stays_whole(missing):
    assert not set(VENUE_PHASES) & set(phases_ns(replace(TOLD_BY_THE_VENUE, **missing)))


def test_the_json_event_has_every_phase_and_the_connection():
    fields = latency_fields("c1", "paradex", PRESIGNED)
    assert fields["wire_ns"] == 84_200_000
    assert (fields["decode_ns"], fields["decide_ns"], fields["total_ns"]) == (2_000, 5_000, 84_219_000)
    assert (fields["client_id"], fields["transport"], fields["reused"], fields["presigned"]) == ("c1", "ws", True, True)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0µs"),
        (499, "0µs"),
        (500, "1µs"),
        (999_499, "999µs"),
        (999_500, "1.0ms"),
        (84_249_999, "84.2ms"),
        (978_000_000, "978.0ms"),
        (10_000_000_000, "10.0s"),
        (None, "-"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_suits_it(duration_ns: int | None, text: str):
    assert duration_text(duration_ns) == text


def test_percentiles_are_samples_that_occurred():
    assert spread_of(range(1, 101)) == Spread(100, 50, 90, 99, 100)
    assert spread_of([7]) == Spread(1, 7, 7, 7, 7)
    assert spread_of([3, 1, 2]) == Spread(3, 2, 3, 3, 3)
    assert spread_of([]) is None
