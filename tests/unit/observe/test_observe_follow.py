import json
from pathlib import Path

from deltawire.observe.follow import Follower, last_of
from deltawire.observe.rotation import RotatingFile


def line(number: int) -> bytes:
    return json.dumps({"n": number}).encode() + b"\n"


def numbers(follower: Follower) -> list[int]:
    return [told["n"] for told in follower.read()]


def test_only_what_is_added_is_told(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(line(1))
    follower = Follower(path)
    assert numbers(follower) == []
    with path.open("ab") as file:
        file.write(line(2) + line(3))
    assert numbers(follower) == [2, 3]
    assert numbers(follower) == []
    follower.close()


def test_a_file_that_comes_later_is_told_whole(tmp_path: Path):
    path = tmp_path / "log"
    follower = Follower(path)
    assert numbers(follower) == []
    path.write_bytes(line(1))
    assert numbers(follower) == [1]
    follower.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path):
    path = tmp_path / "log"
    follower = Follower(path)
    with path.open("wb", buffering=0) as file:
        file.write(line(1) + line(2)[:4])
        assert numbers(follower) == [1]
        file.write(line(2)[4:])
        assert numbers(follower) == [2]
    follower.close()


def test_no_line_is_lost_when_the_log_rotates(tmp_path: Path):
    path = tmp_path / "log"
    log = RotatingFile(path, bytes_max=100, keep=2)
    follower, told = Follower(path), []
    for number in range(50):
        log.write(line(number))
        log.flush()
        if number % 3 == 0:
            told += numbers(follower)
    told += numbers(follower) + numbers(follower)
    assert told == list(range(50))
    follower.close()
    log.close()


def test_a_file_emptied_in_place_is_told_from_its_start(tmp_path: Path):
    path = tmp_path / "log"
    follower = Follower(path)
    path.write_bytes(line(1) * 3)
    assert numbers(follower) == [1, 1, 1]
    path.write_bytes(line(2))
    assert numbers(follower) == [2]
    follower.close()


def test_a_second_process_goes_on_where_the_first_was(tmp_path: Path):
    path = tmp_path / "log"
    first = Follower(path)
    path.write_bytes(line(1) + line(2)[:4])
    assert numbers(first) == [1]
    place = first.place
    first.close()
    with path.open("ab") as file:
        file.write(line(2)[4:] + line(3))
    second = Follower(path, place)
    assert numbers(second) == [2, 3]
    second.close()


def test_after_a_rotation_nobody_saw_the_new_file_is_told_whole(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(line(1))
    first = Follower(path)
    place = first.place
    path.rename(tmp_path / "log.1")
    path.write_bytes(line(2))
    second = Follower(path, place)
    assert numbers(second) == [2]
    first.close()
    second.close()


def test_what_is_no_object_is_passed_over(tmp_path: Path):
    path = tmp_path / "log"
    follower = Follower(path)
    path.write_bytes(b"Traceback\n[1]\n\xff\xfe\n" + line(1))
    assert numbers(follower) == [1]
    follower.close()


def test_the_newest_of_some_events_is_found(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "a", "n": 1}\n{"event": "a", "n": 2}\n{"event": "b"}\nnot json')
    assert last_of(path, {"a"}) == {"event": "a", "n": 2}
    assert last_of(path, {"c"}) is None
    assert last_of(tmp_path / "none", {"a"}) is None
