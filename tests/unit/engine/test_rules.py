"""Settings meet the venues' own rules."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.builders import PARADEX, VEST

from deltawire.cli.demo_files import write_bot_files
from deltawire.cli.sim_files import Ready, Urls
from deltawire.config import load_config
from deltawire.core.money import parse_e8
from deltawire.engine.rules import UnusableRules, limits_of, pair_rules


@pytest.fixture
def config(tmp_path: Path):
    import contextlib

    from deltawire.cli.sim_files import Account, ParadexAccount, VestAccount

    (tmp_path / "ca.pem").write_text("")
    ready = Ready(
        Urls("https://127.0.0.1:1/v1", "wss://127.0.0.1:2/v1"),
        Urls("https://127.0.0.1:3/v2", "wss://127.0.0.1:4/ws-api"),
        str(tmp_path / "ca.pem"),
        [Account(ParadexAccount("0x1", "0x2"), VestAccount("0x" + "1" * 40, "0x" + "2" * 64))],
        "http://127.0.0.1:5",
    )
    with contextlib.ExitStack() as cleanup:
        path, _ = write_bot_files(tmp_path, ready, cleanup)
        yield load_config(path)


def test_sizes_are_whole_lots_of_both_venues(config):
    rules = pair_rules(config.pairs[0], config, (PARADEX, VEST))
    assert rules.size_e8 % rules.lot_e8 == 0
    assert rules.lot_e8 == VEST.size_step_e8


def test_a_size_under_what_both_venues_trade_is_refused_with_its_remedy(config):
    coarse = replace(VEST, size_step_e8=parse_e8("1"), size_min_e8=parse_e8("1"))
    with pytest.raises(UnusableRules, match=r"raise pairs\.BTC\.size"):
        pair_rules(config.pairs[0], config, (PARADEX, coarse))


def test_steps_that_do_not_nest_are_refused(config):
    odd = replace(PARADEX, size_step_e8=parse_e8("0.00003"))
    with pytest.raises(UnusableRules, match="do not nest"):
        pair_rules(config.pairs[0], config, (odd, VEST))


def test_the_gate_gets_the_files_limits(config):
    limits = limits_of(config)
    assert limits.order_notional_e8_max == config.limits.order_notional_max_e8
    assert limits.quote_age_ns_max == {"paradex": 1_500_000_000, "vest": 1_500_000_000}
