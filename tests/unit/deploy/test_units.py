"""The systemd units and the image: systemd's own judge where it is installed, and the rules they must keep anywhere."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from deltawire.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "deploy/systemd").glob("deltawire*"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]
SYSTEMD = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed: units are unjudged")
EXPOSURE_MAX = "20"  # tenths: 2.0 is what systemd calls OK; a service without any protection has 9.6


def settings(unit: Path) -> dict[str, list[str]]:
    """Return every assignment of a unit, in order; a key may come again."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def copies(tmp_path: Path) -> list[str]:
    """The units with a program that is there in place of ours: where ours will be, only the operator knows."""
    for unit in UNITS:
        text = unit.read_text()
        (tmp_path / unit.name).write_text(
            text.replace("/opt/deltawire/.venv/bin/deltawire", shutil.which("true") or "")
        )
    return [str(tmp_path / unit.name) for unit in UNITS]


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(copies: list[str]):
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True, check=False, timeout=100
    )
    # Other units of the machine are none of ours.
    assert [line for line in done.stderr.splitlines() if "deltawire" in line] == []
    assert done.returncode == 0 or "deltawire" not in done.stderr


@needs_systemd
def test_systemd_calls_every_service_well_protected(copies: list[str]):
    for copy in copies:
        if copy.endswith(".service"):
            command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", copy]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
            if "offline" in done.stderr:
                pytest.skip("this systemd-analyze cannot judge a unit offline")
            assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_unit_runs_a_command_that_exists_with_options_that_exist(unit: Path):
    [line] = settings(unit)["ExecStart"]
    words = line.split()[1:]
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_unit_is_no_root_keeps_secrets_out_of_the_environment_and_writes_its_own_folders_only(unit: Path):
    told = settings(unit)
    assert told["User"] == ["deltawire"]
    assert told["ProtectSystem"] == ["strict"]
    assert told["NoNewPrivileges"] == ["yes"]
    assert "EnvironmentFile" not in told
    assert not any("KEY" in value or "URL" in value for value in told["Environment"])


def test_a_bot_comes_back_after_a_crash_but_not_after_a_wrong_setting_and_has_time_to_close():
    told = settings(ROOT / "deploy/systemd/deltawire.service")
    assert told["Restart"] == ["on-failure"]
    assert told["RestartPreventExitStatus"] == ["2"]
    assert int(told["TimeoutStopSec"][0]) >= 120
    assert told["StartLimitBurst"] == ["5"]


def test_only_the_bot_and_the_guardian_are_given_keys():
    given = {unit.stem: settings(unit).get("LoadCredential", []) for unit in SERVICES}
    assert {name: files for name, files in given.items() if files} == {
        "deltawire": ["env:/etc/deltawire/env"],
        "deltawire-guardian": ["env:/etc/deltawire/guardian-env"],
        "deltawire-alerts": ["env:/etc/deltawire/alert-env"],
    }


def test_every_unit_parses_as_ini_and_has_an_explanation():
    for unit in UNITS:
        parser = ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
        parser.read_string(unit.read_text())
        assert parser.has_section("Unit")
        assert unit.read_text().startswith("# ")


def instructions() -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_built_from_the_hashed_lock_alone():
    installs = [line for line in instructions() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert {"--no-deps", "--no-index", "--no-build-isolation"} <= set(installs[1].split())
    lock = (ROOT / "requirements/run.lock").read_text()
    [backend] = re.findall(r'build-backend = "(\w+)', (ROOT / "pyproject.toml").read_text())
    assert re.search(rf"^{backend}==", lock, re.MULTILINE), "what builds it is in the lock"


def test_the_image_runs_as_nobody_in_particular_and_names_no_registry():
    assert [line for line in instructions() if line.startswith("USER ")] == ["USER 10001:10001"]
    for line in instructions():
        if line.startswith("FROM "):
            assert "." not in line.split()[1].partition("/")[0].partition(":")[0]


def test_what_the_image_copies_is_let_through_and_secrets_are_not():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        word
        for line in instructions()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
