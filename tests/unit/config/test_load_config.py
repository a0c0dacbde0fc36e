"""What the settings file becomes, and how it is refused."""

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawire.cli.template import Values, config_text
from deltawire.config import BotConfig, ConfigError, LogLevel, Mode, Problem, load_config
from deltawire.core.money import format_e8

GOOD = """\
mode: live
venues:
  paradex:
    rest_url: https://127.0.0.1:9001/v1
    ws_url: wss://127.0.0.1:9002/v1
  vest:
    rest_url: https://127.0.0.1:9003/v2
    ws_url: wss://127.0.0.1:9004/ws-api?version=1.0
pairs:
  - id: BTC
    legs:
      paradex: BTC-USD-PERP
      vest: BTC-PERP
    size: 0.1
    size_min: 0.001
    entry_edge_bps: 3.5
    exit_spread_bps: -1.25
limits:
  order_notional_max_usd: 20000
  daily_loss_max_usd: 500.10
  open_pairs_max: 1
journal:
  dir: runs/journal
control:
  socket: runs/bot.sock
"""


def load(tmp_path: Path, text: str) -> BotConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path)


def problems(tmp_path: Path, text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    return list(refused.value.problems)


def problem(tmp_path: Path, old: str, new: str) -> Problem:
    """The one problem of the good file with one change."""
    assert GOOD.count(old) == 1, old
    found = problems(tmp_path, GOOD.replace(old, new))
    assert len(found) == 1, found
    return found[0]


def test_a_good_file_becomes_exact_integers(tmp_path):
    config = load(tmp_path, GOOD)
    (pair,) = config.pairs
    assert config.mode is Mode.LIVE
    assert pair.legs == {"paradex": "BTC-USD-PERP", "vest": "BTC-PERP"}
    assert (pair.size_e8, pair.size_min_e8) == (10_000_000, 100_000)
    assert (pair.entry_edge_e8, pair.exit_spread_e8) == (35_000, -12_500)
    assert config.limits.daily_loss_max_e8 == 500_10000000
    assert config.limits.quote_age_ns_max == {"paradex": 1_500_000_000, "vest": 1_500_000_000}


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.journal.dir == tmp_path / "runs/journal"
    assert config.control.socket == tmp_path / "runs/bot.sock"


def test_paper_is_the_default_mode(tmp_path):
    assert load(tmp_path, GOOD.replace("mode: live\n", "")).mode is Mode.PAPER


def test_the_template_of_init_is_a_good_file(tmp_path):
    config = load(tmp_path, config_text(Values()))
    assert config.mode is Mode.PAPER
    assert config.log.level is LogLevel.INFO
    assert not config.is_simulated


def test_a_run_is_simulated_only_when_every_url_is_on_this_machine(tmp_path):
    assert load(tmp_path, GOOD).is_simulated
    assert not load(tmp_path, GOOD.replace("wss://127.0.0.1:9004", "wss://ws.example.com")).is_simulated


@given(value_e8=st.integers(min_value=1, max_value=10**17))
def test_no_digit_of_a_size_is_lost(tmp_path_factory, value_e8):
    text = GOOD.replace("size: 0.1\n", f"size: {format_e8(value_e8)}\n").replace(
        "size_min: 0.001\n", "size_min: 0.00000001\n"
    )
    assert load(tmp_path_factory.mktemp("config"), text).pairs[0].size_e8 == value_e8


def test_a_problem_names_file_line_key_reason_and_remedy(tmp_path):
    found = problem(tmp_path, "size: 0.1\n", "size: much\n")
    assert found.file == tmp_path / "config.yaml"
    assert found.line == 14
    assert found.key == "pairs[0].size"
    assert found.wrong == '"much" is not a plain decimal'
    assert found.right.startswith("write a size in base units as a plain decimal from 0.00000001")
    assert str(found).startswith(f'{tmp_path}/config.yaml:14: pairs[0].size: "much" is not a plain decimal; write')


@pytest.mark.parametrize(
    ("old", "new", "key", "wrong", "right"),
    [
        ("    size: 0.1\n", "    size: 1e-1\n", "pairs[0].size", "not a plain decimal", "size in base units"),
        ("size: 0.1\n", "size: 0.123456789\n", "pairs[0].size", "more than 8 decimal places", "plain decimal"),
        ("size: 0.1\n", "size: 0\n", "pairs[0].size", "out of range", "from 0.00000001"),
        ("size: 0.1\n", "size: -1\n", "pairs[0].size", "out of range", "from 0.00000001"),
        ("size: 0.1\n", "size: .inf\n", "pairs[0].size", "not a plain decimal", "plain decimal"),
        ("size: 0.1\n", "size:\n", "pairs[0].size", "nothing is not a number", "plain decimal"),
        ("size: 0.1\n", "size: [1]\n", "pairs[0].size", "a list is not a number", "plain decimal"),
        ("size: 0.1\n", "size: true\n", "pairs[0].size", '"True" is not a number', "plain decimal"),
        ("entry_edge_bps: 3.5\n", "entry_edge_bps: 3.50001\n", "pairs[0].entry_edge_bps", "more than 4", "0.0001"),
        ("entry_edge_bps: 3.5\n", "entry_edge_bps: -1\n", "pairs[0].entry_edge_bps", "out of range", "from 0 to"),
        ("entry_edge_bps: 3.5\n", "entry_edg_bps: 3.5\n    entry_edge_bps: 4\n", "pairs[0].entry_edg_bps", "known key",
         'did you mean "entry_edge_bps"?'),
        ("open_pairs_max: 1", "open_pairs_max: 1.5", "limits.open_pairs_max", "whole number", "from 1 to 100"),
        ("open_pairs_max: 1", "open_pairs_max: 0", "limits.open_pairs_max", "out of range", "from 1 to 100"),
        ("  open_pairs_max: 1\n", "", "limits.open_pairs_max", "is missing", "add it"),
        ("mode: live", "mode: lve", "mode", '"lve" is not known', "write live"),
        ("mode: live", "mode: yes", "mode", "is not known", "write paper or testnet or live"),
        ("https://127.0.0.1:9001/v1", "http://127.0.0.1:9001/v1", "venues.paradex.rest_url", "https URL", "https://host"),
        ("https://127.0.0.1:9001/v1", "https://u:p@h/v1", "venues.paradex.rest_url", "user name", "take"),
        ("wss://127.0.0.1:9002/v1", "wss://", "venues.paradex.ws_url", "wss URL", "wss://host/path"),
        ("wss://127.0.0.1:9002/v1", "wss://h:port/", "venues.paradex.ws_url", "is not a URL", "wss://host/path"),
        ("      vest: BTC-PERP\n", "      vst: BTC-PERP\n", "pairs[0].legs", '"vst" is not a venue', '"vest"'),
        ("      vest: BTC-PERP\n", "", "pairs[0].legs", "1 of 2 legs", "paradex and vest"),
        ("      vest: BTC-PERP\n", "      vest: btc perp\n", "pairs[0].legs.vest", "does not fit", "BTC-USD-PERP"),
        ("  - id: BTC\n", "  - id: far-too-long-an-id\n", "pairs[0].id", "does not fit", "1 to 12"),
        ("  dir: runs/journal", "  dir: ~/journal", "journal.dir", "is not a path", "no ~"),
        ("  socket: runs/bot.sock", f"  socket: /{'x' * 107}", "control.socket", "too long", "shorter"),
        ("  dir: runs/journal", "  dir: j\n  url: mysql://h/d", "journal.url", "not mysql://", "postgresql://user@host"),
        ("  dir: runs/journal", "  dir: j\n  url: postgresql://u:pw@h/d", "journal.url", "PGPASSWORD", "postgresql://"),
        ("journal:\n  dir: runs/journal\n", "journal: here\n", "journal", "is not a section", "indented"),
        ("  - id: BTC\n", "    id: BTC\n", "pairs", "is not a list", "- "),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_key_reason_and_remedy(tmp_path, old, new, key, wrong, right):
    found = problem(tmp_path, old, new)
    assert found.key == key
    assert wrong in found.wrong
    assert right in found.right


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("size_min: 0.001", "size_min: 0.2", "size_min is above size"),
        (
            "exit_spread_bps: -1.25",
            "exit_spread_bps: 0\n    margin_bps: 0\n    funding_bps: -4",
            "entries lie under exits",
        ),
        ("open_pairs_max: 1", "open_pairs_max: 1\n  reply_timeout_ms: 6000", "lost answer would use up"),
        ("exit_spread_bps: -1.25", "exit_spread_bps: 0\n    max_slippage_bps: 51", "emergency_slippage_bps"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, old, new, wrong):
    assert wrong in problem(tmp_path, old, new).wrong


def test_two_pairs_never_share_a_market_or_an_id(tmp_path):
    again = dedent(GOOD[GOOD.index("  - id: BTC") : GOOD.index("limits:")])
    again = "".join(f"  {line}\n" for line in again.splitlines())
    (shared,) = problems(tmp_path, GOOD.replace("limits:\n", again.replace("id: BTC", "id: TWO") + "limits:\n"))
    assert 'pairs "BTC" and "TWO" both trade BTC-USD-PERP on paradex' in shared.wrong
    (twice,) = problems(tmp_path, GOOD.replace("limits:\n", again + "limits:\n"))
    assert 'two pairs have the id "BTC"' in twice.wrong


def test_every_problem_of_a_file_is_told_at_once(tmp_path):
    text = GOOD.replace("size: 0.1\n", "size: a\n").replace("mode: live", "mode: b")
    assert {found.key for found in problems(tmp_path, text)} == {"mode", "pairs[0].size"}


@pytest.mark.parametrize(
    ("added", "key"),
    [
        ("    private_key: 0x1234\n", "venues.vest.private_key"),
        ("    apiKey: abc\n", "venues.vest.apiKey"),
        ("    password: hunter2\n", "venues.vest.password"),
        (f"    account: '0x{'a' * 64}'\n", "venues.vest.account"),
        (f"    account: '{'7' * 63}'\n", "venues.vest.account"),
    ],
)
def test_a_secret_in_the_file_is_refused_without_repeating_it(tmp_path, added, key):
    text = GOOD.replace("pairs:\n", added + "pairs:\n")
    (found,) = problems(tmp_path, text)
    assert found.key == key
    assert "looks like a secret" in found.wrong
    assert ".env" in found.right
    value = added.split(": ")[1].strip().strip("'")
    assert value not in str(found)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (GOOD + "mode: paper\n", "is there twice"),
        (GOOD.replace("size: 0.1\n", "size: &a 0.1\n").replace("size_min: 0.001", "size_min: *a"), "is an alias"),
        (GOOD.replace("size: 0.1\n", "size: !!python/name:os.system 0.1\n"), "has a tag"),
        (GOOD.replace("size: 0.1\n", "size: 0.1: 2\n"), "is not YAML here"),
        ("", "is not a list of"),
        ("- a\n", "is not a list of"),
    ],
)
def test_yaml_beyond_the_plain_part_is_refused(tmp_path, text, wrong):
    assert wrong in problems(tmp_path, text)[0].wrong


def test_a_recursive_alias_ends_in_a_refusal(tmp_path):
    assert "is an alias" in problems(tmp_path, GOOD.replace("limits:\n", "limits: &l\n  more: *l\n"))[0].wrong


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "none.yaml")
    (found,) = refused.value.problems
    assert "deltawire init" in found.right


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "config.yaml")


def test_a_certificate_authority_must_be_there(tmp_path):
    text = GOOD.replace("pairs:\n", "    ca_file: ca.pem\npairs:\n")
    (found,) = problems(tmp_path, text)
    assert found.key == "venues.vest.ca_file"
    assert "there is no file" in found.wrong
    (tmp_path / "ca.pem").touch()
    assert load(tmp_path, text).venues.vest.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize("order_class", ["retail", "by_edge"])
def test_orders_the_venue_holds_need_a_reply_timeout_that_bears_it(tmp_path, order_class):
    slow = GOOD.replace("9002/v1\n", f"9002/v1\n    order_class: {order_class}\n")
    assert load(tmp_path, slow).venues.paradex.order_class.value == order_class
    (found,) = problems(tmp_path, slow.replace("open_pairs_max: 1", "open_pairs_max: 1\n  reply_timeout_ms: 500"))
    assert "held for 300 ms" in str(found)
    assert "order_class: pro" in str(found)


def test_the_view_of_retail_takers_is_not_for_a_bot_that_is_both(tmp_path):
    both = GOOD.replace("9002/v1\n", "9002/v1\n    order_class: by_edge\n    book_feed: interactive\n")
    (found,) = problems(tmp_path, both)
    assert "only retail orders can take" in str(found)
