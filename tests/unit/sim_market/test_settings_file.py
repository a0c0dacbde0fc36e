import re
from dataclasses import replace
from pathlib import Path

import pytest

from deltawire.config.errors import ConfigError
from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import BasisSettings
from deltawire.sim.faults import Fault
from deltawire.sim.network import Link, PortLinks
from deltawire.sim.paradex_rules import Fees
from deltawire.sim.scenario import PlannedFault
from deltawire.sim.settings import WALK_BASES, SimSettings
from deltawire.sim.settings_file import load_settings

MS = 1_000_000
BTC = "{base: BTC, size_decimals: 2, price_decimals: 2}"


def written(folder: Path, text: str) -> Path:
    path = folder / "sim.yaml"
    path.write_text(text)
    return path


def test_an_almost_empty_file_is_the_defaults(tmp_path):
    assert load_settings(written(tmp_path, "accounts: 1\n")) == SimSettings()


def test_every_knob_reaches_its_setting(tmp_path):
    text = """
seed: 7
accounts: 3
collateral_usd: 2500.50
speed: 2.5
rtt_ms: 80
jitter_ms: 4.5
walk: true
basis:
  level_bps: -3
  height_min_bps: 12.5
  height_max_bps: 30
  period_ms: 10000
  ramp_ms: 1000
  hold_min_ms: 2000
  hold_max_ms: 4000
  alternate: true
paradex:
  fee_maker_bps: -0.5
  fee_taker_bps: 2
  markets:
    - {base: BTC, symbol: BTC-USD-PERP, price_tick: 0.5, size_step: 0.001, size_max: 5, position_max: 9}
vest:
  depth_median_ms: 40
  depth_p90_ms: 60
  execution_min_ms: 5
  execution_max_ms: 9
  markets:
    - {base: BTC, size_decimals: 3, price_decimals: 1, fee_taker_bps: 0.25}
"""
    settings = load_settings(written(tmp_path, text))
    shape = BasisSettings(
        -3 * BPS_E8, 125_000, 30 * BPS_E8, 10_000 * MS, 1_000 * MS, 2_000 * MS, 4_000 * MS, alternate=True
    )
    assert settings.basis == shape
    assert settings.paradex.fees_pro == Fees(maker_e8=-5_000, taker_e8=20_000)
    (paradex,) = settings.paradex.markets
    assert (paradex.base, paradex.symbol) == ("BTC", "BTC-USD-PERP")
    assert (paradex.price_tick_e8, paradex.size_step_e8) == (E8 // 2, E8 // 1000)
    assert (paradex.size_max_e8, paradex.position_max_e8, paradex.notional_min_e8) == (5 * E8, 9 * E8, 10 * E8)
    (vest,) = settings.vest.markets
    assert (vest.symbol, vest.size_step_e8, vest.price_tick_e8) == ("BTC-PERP", E8 // 1000, E8 // 10)
    assert vest.taker_fee_e8 == 2_500
    assert (settings.vest.depth_median_ms, settings.vest.depth_p90_ms) == (40, 60)
    assert settings.vest.execution_delay_ms == (5, 9)
    assert settings == replace(
        SimSettings(),
        seed=7,
        accounts=3,
        collateral_e8=250_050_000_000,
        speed_e8=5 * E8 // 2,
        rtt_ns=80 * MS,
        jitter_ns=4_500_000,
        walk=WALK_BASES,
        basis=shape,
        paradex=settings.paradex,
        vest=settings.vest,
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "wrong", "right"),
    [
        ("seed: 1\nsped: 2\n", 2, "sped", "not a known key", 'did you mean "speed"?'),
        ("basis:\n  height: 3\n", 2, "basis.height", "not a known key", "did you mean"),
        ("speed: 0\n", 1, "speed", "out of range", "from 0.01 to 1000"),
        ("accounts: many\n", 1, "accounts", '"many" is not a whole number', "from 1 to 100"),
        ("basis:\n  height_min_bps: 50\n", 1, "basis", "least height", "docs/venues/sim.md"),
        ("basis:\n  period_ms: 5000\n", 1, "basis", "do not fit into the period", "docs/venues/sim.md"),
        ("vest:\n  execution_min_ms: 900\n", 2, "vest.execution_min_ms", "above execution_max_ms (60)", "no larger"),
        ("vest:\n  depth_median_ms: 0\n", 2, "vest.depth_median_ms", "not within 1 and depth_p90_ms", "set both"),
        ("paradex:\n  markets:\n    - {base: BTC}\n", 3, "paradex.markets[0].symbol", "is missing", "add it"),
        (
            "vest:\n  markets:\n    - {base: SOL, size_decimals: 2, price_decimals: 2}\n",
            3,
            "vest.markets[0].base",
            '"SOL" has no quotes',
            "BTC, ETH",
        ),
        (
            f"vest:\n  markets:\n    - {BTC}\n    - {BTC}\n",
            4,
            "vest.markets[1].base",
            "twice",
            "keep one",
        ),
        ("private_key: 5\n", 1, "private_key", "looks like a secret", "delete it"),
    ],
)
def test_a_wrong_setting_is_told_with_file_line_key_reason_and_remedy(tmp_path, text, line, key, wrong, right):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    told = next(problem for problem in caught.value.problems if problem.key == key)
    assert (told.file, told.line) == (path, line)
    assert wrong in told.wrong
    assert right in told.right


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(tmp_path / "none.yaml")


def test_the_settings_shown_in_the_documentation_load_and_the_first_are_the_defaults(tmp_path):
    page = Path(__file__).parents[3] / "docs" / "venues" / "sim.md"
    shown = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    loaded = [load_settings(written(tmp_path, text)) for text in shown]
    assert len(loaded) == 5
    assert loaded[0] == SimSettings()
    assert loaded[2].paradex.markets == SimSettings().paradex.markets[:1]


def test_the_network_of_a_port_and_of_single_connections(tmp_path):
    text = """
network:
  paradex:
    ws:
      up_ms: 10
      down_ms: 12.5
      jitter_up_ms: 1
      jitter_down_ms: 2
      kilobytes_per_s: 500
      connections:
        2: {up_ms: 40}
  vest:
    rest: {down_ms: 3}
"""
    assert load_settings(written(tmp_path, text)).network == {
        ("paradex", "ws"): PortLinks(
            Link(10 * MS, 12_500_000, MS, 2 * MS, 500_000),
            {2: Link(up_ns=40 * MS)},
        ),
        ("vest", "rest"): PortLinks(Link(down_ns=3 * MS)),
    }


def test_a_scenario_is_read_line_by_line(tmp_path):
    text = """
faults:
  - {venue: paradex, kind: lose_reply}
  - {venue: vest, kind: delay_reply, at_order: 3, params: {ms: 250}}
  - {venue: vest, kind: reject_order, on_first: fill, count: 2, params: {code: 3001}}
  - {venue: paradex, kind: gap, at_ms: 1500, params: {base: BTC}}
"""
    assert load_settings(written(tmp_path, text)).faults == (
        PlannedFault(Fault("paradex", "lose_reply")),
        PlannedFault(Fault("vest", "delay_reply", params={"ms": 250}), moment="order", number=3),
        PlannedFault(Fault("vest", "reject_order", 2, {"code": "3001"}), moment="fill"),
        PlannedFault(Fault("paradex", "gap", params={"base": "BTC"}), at_ns=1500 * MS),
    )


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{venue: paradex, kind: explode}", "explode"),
        ("{venue: binance, kind: gap}", "binance"),
        ("{venue: paradex, kind: delay_reply, params: {ms: soon}}", "soon"),
        ("{venue: paradex, kind: lose_reply, at_ms: 1, at_order: 2}", "exclude"),
        ("{venue: paradex, kind: lose_reply, on_first: dawn}", "dawn"),
        ("{venue: paradex, kind: cut, params: {port: ws}}", "needs its parameter"),
    ],
)
def test_a_line_of_a_scenario_that_cannot_be_is_named(tmp_path, line, named):
    with pytest.raises(ConfigError) as found:
        load_settings(written(tmp_path, f"seed: 1\nfaults:\n  - {line}\n"))
    assert named in str(found.value)
    assert "sim.yaml:3" in str(found.value)


def test_synthetic_markets_stand_on_both_venues_and_walk(tmp_path):
    settings = load_settings(written(tmp_path, "synthetic_markets: 3\nwalk_interval_ms: 5\n"))
    assert settings.walk is not None
    assert list(settings.walk) == ["S001", "S002", "S003"]
    assert settings.walk_settings.interval_ns == 5_000_000
    assert [market.symbol for market in settings.paradex.markets] == ["S001-USD-PERP", "S002-USD-PERP", "S003-USD-PERP"]
    assert [market.symbol for market in settings.vest.markets] == ["S001-PERP", "S002-PERP", "S003-PERP"]
    for base, start in settings.walk.items():
        paradex = next(market for market in settings.paradex.markets if market.base == base)
        vest = next(market for market in settings.vest.markets if market.base == base)
        assert start.tick_e8 == paradex.price_tick_e8 == vest.price_tick_e8


def test_synthetic_markets_and_listed_ones_exclude_each_other(tmp_path):
    text = f"synthetic_markets: 2\nvest:\n  markets:\n    - {BTC}\n"
    with pytest.raises(ConfigError, match="keep one of the two"):
        load_settings(written(tmp_path, text))
