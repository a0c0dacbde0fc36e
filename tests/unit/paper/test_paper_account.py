"""The paper account: what its file says is what it holds, at the next start too."""

import os
from pathlib import Path

import pytest

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.venues.paper.account import ORDERS_KEPT, Ended, Fill, PaperAccount, PaperFileBroken


def opened(folder: Path, equity_e8: int = 1_000 * E8) -> PaperAccount:
    return PaperAccount(folder / "paper.jsonl", equity_e8=equity_e8, unix_ns=5)


def ended(client_id: str, side: Side, price_e8: int, size_e8: int, fee_e8: int = 0, *, index_e8: int = 0) -> Ended:
    fills = [Fill(price_e8, size_e8, fee_e8)] if size_e8 else []
    return Ended(
        client_id=client_id,
        correlator=1,
        order_id="o",
        symbol="X",
        side=side.value,
        size_e8=size_e8,
        fills=fills,
        index_e8=index_e8,
        unix_ns=7,
    )


def test_what_was_filled_is_there_at_the_next_start(tmp_path: Path):
    first = opened(tmp_path)
    first.end(ended("a", Side.BUY, 100 * E8, 2 * E8, E8))
    first.close()
    again = opened(tmp_path, equity_e8=77 * E8)
    assert again.held_e8("X") == 2 * E8
    assert again.orders["a"].fee_e8 == E8
    assert again.equity_e8({"X": 110 * E8}) == 1_019 * E8, "the first equity counts, not the setting of today"
    again.close()


def test_a_round_trip_leaves_its_gain_less_fees(tmp_path: Path):
    account = opened(tmp_path)
    account.end(ended("a", Side.SELL, 100 * E8, 2 * E8, E8))
    account.end(ended("b", Side.BUY, 90 * E8, 2 * E8, E8))
    assert account.held_e8("X") == 0
    assert account.equity_e8({}) == 1_018 * E8
    assert account.bound_e8({}, 10) == 0
    account.close()


def test_longs_pay_while_the_funding_index_rises_and_the_file_keeps_it(tmp_path: Path):
    account = opened(tmp_path)
    account.end(ended("a", Side.BUY, 100 * E8, 2 * E8))
    account.fund("X", 3 * E8, 9)
    assert account.equity_e8({"X": 100 * E8}) == 994 * E8
    account.close()
    again = opened(tmp_path)
    assert again.funded_unix_ns["X"] == 9
    again.end(ended("b", Side.SELL, 100 * E8, 2 * E8, index_e8=3 * E8))
    assert again.equity_e8({}) == 994 * E8
    again.close()


def test_a_line_cut_off_by_a_crash_never_happened(tmp_path: Path):
    account = opened(tmp_path)
    account.end(ended("a", Side.BUY, 100 * E8, 2 * E8))
    account.close()
    path = tmp_path / "paper.jsonl"
    whole = path.read_bytes()
    for cut in range(1, 30):
        path.write_bytes(whole[:-cut])
        again = opened(tmp_path)
        assert again.held_e8("X") == 0
        again.end(ended("b", Side.BUY, 100 * E8, E8))
        again.close()
        last = opened(tmp_path)
        assert (last.held_e8("X"), list(last.orders)) == (E8, ["b"])
        last.close()


def test_a_damaged_line_in_the_middle_is_refused_with_its_place(tmp_path: Path):
    account = opened(tmp_path)
    account.end(ended("a", Side.BUY, 100 * E8, 2 * E8))
    account.close()
    path = tmp_path / "paper.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"Opened"', b'"Open"'))
    with pytest.raises(PaperFileBroken, match=r"paper\.jsonl:1 "):
        opened(tmp_path)


def test_the_orders_kept_for_look_ups_are_bounded_and_the_money_is_not_forgotten(tmp_path: Path):
    account = opened(tmp_path)
    for number in range(ORDERS_KEPT + 10):
        account._apply(ended(f"o{number}", Side.BUY, E8, E8))
    assert len(account.orders) == ORDERS_KEPT
    assert account.held_e8("X") == (ORDERS_KEPT + 10) * E8
    account.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full, as Linux offers it")
def test_a_full_disk_leaves_the_account_as_it_was(tmp_path: Path):
    account = opened(tmp_path)
    full, good = os.open("/dev/full", os.O_WRONLY), account._fd
    os.dup2(full, good)
    with pytest.raises(OSError, match=r"paper\.jsonl cannot be written"):
        account.end(ended("a", Side.BUY, 100 * E8, E8))
    assert account.held_e8("X") == 0
    assert "a" not in account.orders
    os.close(full)
    account.close()
