"""docs/configuration.md is written from the types of the settings."""

import runpy
from pathlib import Path

from deltawire.cli.template import PAPER, config_text
from deltawire.config.load import load_config

ROOT = Path(__file__).resolve().parents[3]
MAKE = runpy.run_path(str(ROOT / "scripts" / "make_configuration_page.py"))
PAGE = (ROOT / "docs" / "configuration.md").read_text()


def section(name: str) -> str:
    return PAGE.partition(f"## `{name}`\n")[2].partition("\n## ")[0]


def test_the_page_is_what_the_types_say():
    assert MAKE["page"]() == PAGE, "renew it: python scripts/make_configuration_page.py"


def test_defaults_stand_in_the_unit_of_their_key():
    assert "| `recv_window_ms` | whole, 10 to 60000 | `1500` |" in section("venues.paradex")
    assert "| `max_slippage_bps` | bps, 0.01 to 500 | `2` |" in section("pairs[]")
    assert "| `equity_usd` | US dollars, 0.01 to 1000000000 | `10000` |" in section("paper")
    assert "| `silent_s` | seconds, 10 to 3600 | `15` |" in section("guardian")
    assert "| `never_sleep` | true or false | `false` |" in section("latency")
    assert "| `open_pairs_max` | whole, 1 to 100 | required |" in section("limits")


def test_a_default_on_the_page_is_a_value_the_file_may_have(tmp_path: Path):
    text = config_text(PAPER)
    for name, key in (("limits", "drawdown_max_usd"), ("limits", "edge_bps_max"), ("pairs[]", "max_hold_s")):
        default = section(name).partition(f"| `{key}` |")[2].split("|")[1].strip().strip("`")
        lines = [f"{line.partition(':')[0]}: {default}" if f" {key}:" in line else line for line in text.splitlines()]
        (tmp_path / "config.yaml").write_text("\n".join(lines))
        assert default
        load_config(tmp_path / "config.yaml")  # or it raises, naming the key


def test_the_sample_of_a_refusal_is_one(tmp_path: Path):
    from deltawire.config.errors import ConfigError

    told = PAGE.partition("```text\n")[2].partition("\n")[0]
    wrong = config_text(PAPER).replace("entry_edge_bps:", "entry_edge:")
    (tmp_path / "config.yaml").write_text(wrong)
    try:
        load_config(tmp_path / "config.yaml")
    except ConfigError as e:
        problems = [str(problem) for problem in e.problems]
    else:
        problems = []
    ends = told.partition("pairs[0]")[2]
    assert [text for text in problems if text.endswith(ends)]
