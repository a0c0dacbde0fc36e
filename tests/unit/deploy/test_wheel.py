"""The installed package: what the Dockerfile and `pip install` bring must be all of it, data files too."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deltawire import __version__

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 100


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=WITHIN_S)
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_the_wheel_holds_every_file_of_the_package_as_it_is(wheel: zipfile.ZipFile):
    names = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "src/deltawire"], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    tracked = {name.removeprefix("src/") for name in names.split("\0") if name}
    assert {"deltawire/dashboard/static/index.html", "deltawire/py.typed"} <= tracked
    assert any(name.endswith(".gz") for name in tracked), "the recorded market"
    held = {name for name in wheel.namelist() if name.startswith("deltawire/")}
    assert tracked - held == set()
    assert {name for name in tracked if wheel.read(name) != (ROOT / "src" / name).read_bytes()} == set()


def test_the_wheel_has_the_command_and_the_licence(wheel: zipfile.ZipFile):
    held = wheel.namelist()
    [points] = [name for name in held if name.endswith("entry_points.txt")]
    assert "deltawire = deltawire.cli.main:app" in wheel.read(points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_command_of_the_unpacked_wheel_says_its_version(wheel: zipfile.ZipFile, tmp_path: Path):
    wheel.extractall(tmp_path)
    told = subprocess.run(
        [sys.executable, "-m", "deltawire", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert told.stdout == f"deltawire {__version__}\n"


def test_the_image_is_built_from_files_that_are_there():
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == {"pyproject.toml", "README.md", "LICENSE", "requirements/run.lock", "src"}
