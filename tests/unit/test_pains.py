"""What went wrong for others, and the tests that stand against it here.

Gathered from the issue threads of the systems that trade two legs today; the same list, for readers, is docs/pains.md.
"""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PAINS: dict[int, tuple[str, list[str]]] = {
    1: (
        "The second leg is never created, or the bot hangs with one leg on",
        [
            "test_the_missing_leg_is_asked_again_for_what_filled_not_for_what_was_asked",
            "test_a_leg_alone_for_too_long_is_alarmed_once",
            "test_a_rejected_second_leg_is_followed_by_an_unwind_to_zero",
        ],
    ),
    2: (
        "The second leg fails in a fast market: no retry, or a limit order left behind",
        [
            "test_repairs_are_bounded_in_count",
            "test_where_a_repair_cannot_pay_the_filled_leg_is_given_back",
            "test_a_thin_book_is_no_place_for_a_repair",
        ],
    ),
    3: (
        "Hedge amount zero, minimum size of one venue only, decimals that do not fit",
        [
            "test_dust_under_a_lot_is_hedged_enough_and_gone_after_the_exit",
            "test_the_lot_covers_the_larger_minimum_notional",
            "test_a_size_under_what_both_venues_trade_is_refused_with_its_remedy",
            "test_a_cap_lies_on_the_tick",
        ],
    ),
    4: (
        "A retried close opens a new position; open and close in a loop eat the fees",
        [
            "test_a_full_round_trip_ends_flat_with_its_money_exact",
            "test_an_exit_that_missed_its_price_on_both_legs_goes_back_to_holding",
            "test_entering_and_leaving_at_once_never_makes_money",
        ],
    ),
    5: (
        "False roll-back after a good hedge; cancelled counted as filled; filled before it was looked at",
        [
            "test_the_order_is_the_same_in_every_delivery_order",
            "test_executions_and_totals_are_two_accounts_of_one_thing",
            "test_an_end_that_does_not_say_how_much_filled_must_be_read",
        ],
    ),
    6: (
        "State lost on a restart: positions unattended, or thought flat",
        [
            "test_a_dead_bot_is_followed_by_one_that_closes_what_was_open",
            "test_a_dead_bots_order_without_an_answer_is_asked_for_at_the_venue",
            "test_a_killed_bot_is_followed_by_one_that_finishes_its_trade",
        ],
    ),
    7: (
        "No recovery after a dropped socket; a token that has died",
        ["test_a_paradex_socket_lost_in_mid_entry_sends_nothing_twice_and_ends_well"],
    ),
    8: (
        "Reconciliation that never ends, never agrees, or trades on an old picture",
        [
            "test_a_position_that_shrinks_by_itself_closes_the_pair_not_the_leg",
            "test_a_position_nobody_can_account_for_keeps_the_bot_from_trading",
        ],
    ),
    9: (
        "A timed-out order declared rejected though it lives; fast fills missed",
        [
            "test_an_order_in_doubt_reserves_its_full_size",
            "test_a_lost_order_is_read_never_sent_again",
            "test_an_order_the_venue_never_saw_is_believed_lost_only_after_its_window",
        ],
    ),
    10: (
        "A retry without a client id submits twice; updates come twice",
        ["test_a_client_id_is_never_used_twice", "test_the_same_fill_twice_counts_once"],
    ),
    11: (
        "A reconnect storm leaves orphans that fill many times the limit",
        [
            "test_a_pair_with_a_leg_in_doubt_takes_no_new_risk",
            "test_whatever_the_venues_do_no_leg_is_too_large_and_none_is_left_alone",
        ],
    ),
    12: (
        "Trading on a dead book",
        ["test_entries_are_refused_by_name", "test_a_change_before_the_first_snapshot_is_ignored"],
    ),
    13: (
        "A fill in a wide book; unsorted levels; and the false alarm of a stale-book guard",
        [
            "test_a_snapshot_may_come_unsorted_and_with_empty_levels",
            "test_a_crossed_book_is_invalid_until_the_next_snapshot",
            "test_an_old_quote_within_its_own_venues_bound_passes",
        ],
    ),
    14: ("Signatures of tens of milliseconds on the loop", ["test_sign_has_its_cases_and_plain_json"]),
    15: ("A one-second tick between quote and order", ["test_one_frame_sends_both_legs_in_one_call"]),
    16: (
        "Most of the edge lost between seeing and filling, and nobody knows where",
        ["test_a_full_cycle_with_entry_exit_and_clean_stop", "test_executed_spreads_come_from_what_filled"],
    ),
}


@functools.cache
def _tests() -> set[str]:
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                names.add(node.name)
    return names


@pytest.mark.parametrize("number", sorted(PAINS))
def test_each_pain_has_tests_that_are_there(number):
    _, tests = PAINS[number]
    assert tests
    assert set(tests) - _tests() == set()


def test_the_page_tells_the_same():
    page = (ROOT / "docs" / "pains.md").read_text()
    for number, (what, tests) in PAINS.items():
        assert f"| {number} | {what} |" in page
        assert all(f"`{name}`" in page for name in tests)
