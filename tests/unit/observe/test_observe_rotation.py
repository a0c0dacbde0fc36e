from pathlib import Path

import pytest

from deltawire.observe.rotation import RotatingFile, numbered


def line(number: int) -> bytes:
    return f"{number:09d}\n".encode()


def written(path: Path, keep: int) -> list[str]:
    """Return the lines of all files, oldest first."""
    files = [numbered(path, number) for number in range(keep, 0, -1)] + [path]
    return [text for file in files if file.exists() for text in file.read_text().splitlines()]


def test_a_full_file_moves_up_and_the_newest_lines_stay_whole_and_in_order(tmp_path: Path):
    path = tmp_path / "log"
    log = RotatingFile(path, bytes_max=100, keep=3)
    for number in range(95):
        log.write(line(number))
        log.flush()
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1", "log.2", "log.3"]
    assert written(path, 3) == [f"{number:09d}" for number in range(60, 95)]
    assert max(file.stat().st_size for file in tmp_path.iterdir()) <= 100


def test_a_batch_larger_than_the_limit_is_written_whole(tmp_path: Path):
    path = tmp_path / "log"
    log = RotatingFile(path, bytes_max=20, keep=2)
    for _ in range(2):
        log.write(line(1) * 5)
        log.flush()
    assert path.read_bytes() == numbered(path, 1).read_bytes() == line(1) * 5
    log.close()


def test_what_an_earlier_run_wrote_counts_and_is_kept(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(line(1) * 10)
    log = RotatingFile(path, bytes_max=100, keep=1)
    log.write(line(2))
    log.close()
    assert path.read_bytes() == line(2)
    assert numbered(path, 1).read_bytes() == line(1) * 10


@pytest.mark.parametrize("taken_away", ["deleted", "moved"])
def test_a_file_somebody_took_away_is_made_anew(tmp_path: Path, taken_away: str):
    path = tmp_path / "log"
    log = RotatingFile(path, bytes_max=1000, keep=1)
    log.write(line(1))
    log.flush()
    if taken_away == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "elsewhere")
    log.write(line(2))
    log.close()
    assert path.read_bytes() == line(2)


def test_a_folder_that_is_gone_fails_the_write_and_a_later_one_succeeds(tmp_path: Path):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = RotatingFile(folder / "log", bytes_max=1000, keep=1)
    (folder / "log").unlink()
    folder.rmdir()
    with pytest.raises(OSError, match="No such file"):
        log.write(line(1))
    folder.mkdir()
    log.write(line(2))
    log.close()
    assert (folder / "log").read_bytes() == line(2)
