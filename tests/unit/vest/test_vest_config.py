"""Every key of venues.vest reaches the adapter, and a new folder names the contract of the host it names."""

from pathlib import Path

import pytest

from deltawire.cli.template import TESTNET, config_text
from deltawire.config import BotConfig, ConfigError, load_config
from deltawire.config.secrets import BotSecrets
from deltawire.core.secret import Secret
from deltawire.engine.assembly import vest_settings
from deltawire.net.api import PoolSettings
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT, OrderStyle

DEVELOPMENT_CONTRACT = "0x8E4D87AEf4AC4D5415C35A12319013e34223825B"
SECRETS = BotSecrets(
    paradex_account="0x1",
    paradex_private_key=Secret("0x" + "11" * 32),
    vest_primary_address="0x" + "22" * 20,
    vest_primary_private_key=Secret("0x" + "33" * 32),
)
ALL_KEYS = """\
    verifying_contract: 0x00000000000000000000000000000000000000Aa
    recv_window_ms: 700
    exit_recv_window_ms: 4000
    order_style: limit_fok
    leverage: 7
    send_reduce_only: true
    ws_headers:
      User-Agent: Mozilla/5.0
      Origin: https://vestmarkets.com
    fill_poll:
      after_ms: 300
      interval_ms: 200
      tries: 9
    pool:
      connections: 3
      keepalive_s: 20
      tcp_keepalive_s: 15
      dns_cache_s: 30
      connect_timeout_s: 1.5
      request_timeout_s: 2.5
"""


def load(tmp_path: Path, vest: str) -> BotConfig:
    """Read a new folder's config.yaml with these lines in place of its own below venues.vest.ca_file."""
    text = config_text(TESTNET)
    head, rest = text.split("    # The contract a registration", 1)
    path = tmp_path / "config.yaml"
    path.write_text(head + vest + "\npairs:" + rest.split("\npairs:", 1)[1])
    return load_config(path)


def test_every_key_reaches_the_adapter(tmp_path):
    found = vest_settings(load(tmp_path, ALL_KEYS), SECRETS)
    assert found.verifying_contract == "0x00000000000000000000000000000000000000Aa"
    assert (found.recv_window_ms, found.exit_recv_window_ms) == (700, 4000)
    assert found.order_style is OrderStyle.LIMIT_FOK
    assert (found.leverage, found.send_reduce_only) == (7, True)
    assert dict(found.ws_headers) == {"User-Agent": "Mozilla/5.0", "Origin": "https://vestmarkets.com"}
    assert (found.fill_poll_after_ms, found.fill_poll_interval_ms, found.fill_polls) == (300, 200, 9)
    assert found.pool == PoolSettings(
        connections=3,
        keepalive_s=20,
        tcp_keepalive_s=15,
        dns_cache_s=30,
        connect_timeout_s=1.5,
        request_timeout_s=2.5,
    )
    assert found.symbols == ("BTC-PERP",)
    assert found.primary_address == SECRETS.vest_primary_address


def test_keys_left_out_have_the_adapters_own_defaults(tmp_path):
    found = vest_settings(load(tmp_path, ""), SECRETS)
    fresh = type(found)(
        rest_url=found.rest_url,
        ws_url=found.ws_url,
        primary_address=found.primary_address,
        primary_private_key=found.primary_private_key,
        symbols=found.symbols,
    )
    assert found == fresh
    assert found.verifying_contract == PRODUCTION_CONTRACT


def test_a_new_folder_for_testnets_names_the_development_host_with_its_own_contract(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(TESTNET))
    found = vest_settings(load_config(path), SECRETS)
    assert "server-dev" in found.rest_url
    assert found.verifying_contract == DEVELOPMENT_CONTRACT


@pytest.mark.parametrize(
    ("vest", "key", "right"),
    [
        ("    verifying_contract: 0x12", "venues.vest.verifying_contract", "40 hex digits"),
        ("    order_style: ioc", "venues.vest.order_style", "market or limit_fok or limit_ioc"),
        ("    leverage: 0", "venues.vest.leverage", "from 1 to 100"),
        ("    send_reduce_only: maybe", "venues.vest.send_reduce_only", "true or false"),
        ("    ws_headers: Mozilla", "venues.vest.ws_headers", "one line each"),
        ("    ws_headers:\n      Host: x", "venues.vest.ws_headers", "one line each"),
        ('    ws_headers:\n      Origin: "a\\r\\nX: b"', "venues.vest.ws_headers", "one line each"),
        ("    exit_recv_window_ms: 60001", "venues.vest.exit_recv_window_ms", "60000"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_the_right_form(tmp_path, vest, key, right):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, vest)
    (problem,) = refused.value.problems
    assert problem.key == key
    assert right in problem.right
