"""The log of a process as its settings say."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from deltawire.cli.template import Values, config_text
from deltawire.config import load_config
from deltawire.config.errors import ConfigError
from deltawire.config.model import BotConfig, LogLevel
from deltawire.config.secrets import NO_SECRETS
from deltawire.engine.logs import open_log
from deltawire.observe.rotation import numbered


@dataclass
class SetClock:
    def mono_ns(self) -> int:
        return 1

    def unix_ns(self) -> int:
        return 1_763_855_999 * 10**9


def config_of(folder: Path, **log: object) -> BotConfig:
    path = folder / "config.yaml"
    path.write_text(config_text(Values()))
    config = load_config(path)
    return config.model_copy(update={"log": config.log.model_copy(update=log)})


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_the_file_has_the_whole_story_whatever_the_screen_shows(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    config = config_of(tmp_path, level=LogLevel.WARNING)
    with open_log(config, NO_SECRETS, SetClock()) as log:
        log.info("bot.trading")
        log.warning("link.down")
        logging.getLogger("asyncio").warning("odd")
    assert config.log.file is not None
    assert events(config.log.file) == ["bot.trading", "link.down", "library.message"]
    screen = capfd.readouterr().err
    assert "link.down" in screen
    assert "bot.trading" not in screen


def test_after_it_is_closed_libraries_speak_elsewhere_again(tmp_path: Path):
    before = list(logging.getLogger().handlers)
    with open_log(config_of(tmp_path), NO_SECRETS, SetClock()):
        assert list(logging.getLogger().handlers) != before
    assert list(logging.getLogger().handlers) == before


def test_the_file_rotates_as_set(tmp_path: Path):
    config = config_of(tmp_path, max_mb=1, keep=2)
    with open_log(config, NO_SECRETS, SetClock()) as log:
        for number in range(4_000):
            log.info("tick", number=number, filler="x" * 1000)
    assert config.log.file is not None
    assert numbered(config.log.file, 2).exists()
    assert not numbered(config.log.file, 3).exists()
    assert json.loads(config.log.file.read_text().splitlines()[-1])["number"] == 3_999


def test_a_file_that_cannot_be_opened_is_told_with_its_key(tmp_path: Path):
    (tmp_path / "in-the-way").write_text("")
    config = config_of(tmp_path, file=tmp_path / "in-the-way" / "log")
    with pytest.raises(ConfigError, match=r"log\.file: cannot be opened"), open_log(config, NO_SECRETS, SetClock()):
        pass


def test_the_guardian_has_a_file_of_its_own_beside_the_bots(tmp_path: Path):
    config = config_of(tmp_path)
    assert config.guardian_view().log.file == tmp_path / "deltawire-guardian.log.jsonl"
    assert config_of(tmp_path, file=None).guardian_view().log.file is None
