"""What the simulators' file says of Vest reaches its settings; what it cannot mean is refused."""

from pathlib import Path

import pytest

from deltawire.config import ConfigError
from deltawire.sim.settings_file import load_settings
from deltawire.sim.vest_settings import VestSimSettings

ALL_KEYS = """\
vest:
  account_min_ms: 200
  account_max_ms: 500
  accepts_ioc: true
  price_check_code: 3011
  rate_limit: 0
  connection_idle_s: 2.5
  funding_bps_at_million: 0.3
  markets:
    - {base: BTC, size_decimals: 4, price_decimals: 2, isolated: true}
"""


def load(tmp_path: Path, text: str) -> VestSimSettings:
    path = tmp_path / "sim.yaml"
    path.write_text(text)
    return load_settings(path).vest


def test_every_key_reaches_the_simulated_vest(tmp_path):
    found = load(tmp_path, ALL_KEYS)
    assert found.account_delay_ms == (200, 500)
    assert (found.accepts_ioc, found.price_check_code, found.rate_limit) == (True, 3011, 0)
    assert (found.keepalive_s, found.funding_rate_at_million_e8) == (2.5, 3_000)
    assert [market.isolated for market in found.markets] == [True]


def test_an_empty_section_is_the_default(tmp_path):
    assert load(tmp_path, "seed: 1\n") == VestSimSettings()


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("price_check_code: 3002", "3001 or 3011"),
        ("accepts_ioc: perhaps", "true or false"),
        ("account_min_ms: 900", "no larger"),
        ("rate_limit: -1", "whole number from 0 to 10000"),
    ],
)
def test_what_it_cannot_mean_is_refused_with_what_would_be_right(tmp_path, line, right):
    with pytest.raises(ConfigError, match=right):
        load(tmp_path, f"vest:\n  {line}\n")
