"""What `import deltawire` promises: these names, with types, at no cost before use; and no real order by oversight."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import deltawire
from deltawire.cli.template import LIVE, PAPER, config_text
from deltawire.config.secrets import NO_SECRETS

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "src" / "deltawire"
NAMES = [name for name in deltawire.__all__ if name != "__version__"]


def test_importing_it_loads_nothing_else():
    code = "import sys, deltawire; print([n for n in sys.modules if n.startswith('deltawire.') or n == 'asyncio'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_what_it_says(name: str):
    thing = getattr(deltawire, name)
    assert getattr(thing, "__name__", name) == name
    assert thing.__doc__, f"{name}: what other people build on says what it does"


def test_a_name_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rum_bot'"):
        deltawire.rum_bot  # type: ignore[attr-defined]  # noqa: B018 - that is what is tested


def test_what_the_stub_tells_type_checkers_is_what_is_imported():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    told = {alias.asname: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == vars(deltawire)["_FROM"]
    listed = next(node.value for node in stub.body if isinstance(node, ast.Assign))
    assert set(ast.literal_eval(listed)) == set(deltawire.__all__)
    assert (PACKAGE / "py.typed").exists()
    assert set(dir(deltawire)) == set(deltawire.__all__)


def test_the_page_names_all_of_it():
    page = (ROOT / "docs" / "library.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in page] == []


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[deltawire.BotConfig, deltawire.BotSecrets]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config.yaml").write_text(config_text(LIVE))
    secrets = replace(NO_SECRETS, paradex_account="0x1", vest_primary_address="0x2")
    return deltawire.load_config(tmp_path / "config.yaml"), secrets


def test_real_orders_want_a_word_once(live: tuple[deltawire.BotConfig, deltawire.BotSecrets]):
    config, secrets = live
    with pytest.raises(deltawire.LiveNotConfirmed, match="live=True"):
        deltawire.BotRun(config, secrets)
    deltawire.BotRun(config, secrets, live=True)
    deltawire.BotRun(config, secrets)  # the word was given
    with pytest.raises(deltawire.LiveNotConfirmed):
        deltawire.BotRun(config, replace(secrets, paradex_account="0x3"))


def test_the_word_is_refused_where_no_order_would_be_real(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(config_text(PAPER))
    with pytest.raises(ValueError, match="mode paper"):
        deltawire.BotRun(deltawire.load_config(tmp_path / "config.yaml"), live=True)
