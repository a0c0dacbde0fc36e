import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.unit.journal.facts import run_started
from typer.testing import CliRunner

from deltawire.cli.main import app
from deltawire.journal.backup import MANIFEST, restore_backup, verify_backup, write_backup
from deltawire.journal.log import JournalLog
from deltawire.journal.segments import JournalError, read, segments

NOW_UNIX_NS = 1_763_855_999 * 10**9


@pytest.fixture
def journal(tmp_path: Path):
    """A journal of several segments, open as by a running bot."""
    with JournalLog(tmp_path / "journal", segment_bytes_max=2000) as log:
        for number in range(40):
            log.append(run_started(run_id=f"r{number}"))
        yield log


def test_a_backup_beside_a_running_bot_comes_back_record_by_record(journal: JournalLog, tmp_path: Path):
    archive = tmp_path / "a.tar.gz"
    contents = write_backup(journal.directory, archive, NOW_UNIX_NS)
    journal.append(run_started(run_id="later"))
    assert (contents.first_seq, contents.last_seq) == (1, 40)
    assert len(contents.files) == len(segments(journal.directory)) > 2
    assert restore_backup(archive, tmp_path / "back") == contents
    assert list(read(tmp_path / "back")) == list(read(journal.directory))[:40]
    with JournalLog(tmp_path / "back") as again:
        assert again.last_seq == 40
        assert again.torn is None
    assert archive.stat().st_mode & 0o777 == 0o600


def test_a_line_still_being_written_is_left_out(journal: JournalLog, tmp_path: Path):
    _, last = segments(journal.directory)[-1]
    with last.open("ab") as file:
        file.write(b'41 0000abcd {"type":"OrderInt')
    assert write_backup(journal.directory, tmp_path / "a.tar.gz", NOW_UNIX_NS).last_seq == 40
    restore_backup(tmp_path / "a.tar.gz", tmp_path / "back")
    assert len(list(read(tmp_path / "back"))) == 40


def test_a_damaged_journal_is_told_and_no_backup_is_left(journal: JournalLog, tmp_path: Path):
    _, first = segments(journal.directory)[0]
    first.write_bytes(first.read_bytes().replace(b'"r1"', b'"rX"', 1))
    with pytest.raises(JournalError, match=f"{first.name} line 2: checksum differs"):
        write_backup(journal.directory, tmp_path / "a.tar.gz", NOW_UNIX_NS)
    assert list(tmp_path.glob("*.tar.gz*")) == []


def test_an_empty_journal_is_not_a_backup(tmp_path: Path):
    with JournalLog(tmp_path / "journal") as log, pytest.raises(JournalError, match="no record"):
        write_backup(log.directory, tmp_path / "a.tar.gz", NOW_UNIX_NS)


def rewritten(archive: Path, change) -> Path:
    """Return an archive whose files went through change(name, data); None leaves a file out."""
    other = archive.with_name("other.tar.gz")
    with tarfile.open(archive) as old, tarfile.open(other, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            changed = change(member.name, file.read())
            if changed is not None:
                name, data = changed
                info = tarfile.TarInfo(name)
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))
    return other


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: None if name == MANIFEST else (name, data),
        lambda name, data: None if name.endswith("1.wal") else (name, data),
        lambda name, data: (name, data.replace(b'"r3"', b'"r4"')),
        lambda name, data: (name, data[:-30]) if name.endswith(".wal") else (name, data),
        lambda name, data: (f"../{name}", data),
        lambda name, data: (name, b"{}") if name == MANIFEST else (name, data),
        lambda name, data: (name, data.replace(b'"version":1', b'"version":2')) if name == MANIFEST else (name, data),
        lambda name, data: (name, data.replace(b'"last_seq":40', b'"last_seq":39')),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_written(journal: JournalLog, tmp_path: Path, change):
    write_backup(journal.directory, tmp_path / "a.tar.gz", NOW_UNIX_NS)
    with pytest.raises(JournalError):
        restore_backup(rewritten(tmp_path / "a.tar.gz", change), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("cut", [0, 100, 400])
def test_a_file_cut_off_or_no_archive_is_refused(journal: JournalLog, tmp_path: Path, cut: int):
    archive = tmp_path / "a.tar.gz"
    write_backup(journal.directory, archive, NOW_UNIX_NS)
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(JournalError):
        verify_backup(archive)


def test_a_folder_with_something_in_it_is_left_alone(journal: JournalLog, tmp_path: Path):
    write_backup(journal.directory, tmp_path / "a.tar.gz", NOW_UNIX_NS)
    before = sorted(path.name for path in journal.directory.iterdir())
    with pytest.raises(JournalError, match="not empty"):
        restore_backup(tmp_path / "a.tar.gz", journal.directory)
    assert sorted(path.name for path in journal.directory.iterdir()) == before


def test_the_commands_keep_the_newest_and_say_what_they_did(journal: JournalLog, tmp_path: Path):
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"deltawire-journal-2025010{day}T000000Z.tar.gz").write_bytes(b"old")
    (folder / "mine.txt").write_text("kept")
    options = ["--journal", str(journal.directory), "--to", str(folder), "--keep", "2"]
    done = CliRunner().invoke(app, ["backup", *options])
    assert done.exit_code == 0, done.output
    archive = Path(done.stdout.strip())
    assert sorted(path.name for path in folder.iterdir()) == [
        "deltawire-journal-20250103T000000Z.tar.gz", archive.name, "mine.txt"
    ]  # fmt: skip
    assert "records 1 to 40" in done.stderr
    done = CliRunner().invoke(app, ["restore", str(archive), "--journal", str(tmp_path / "back")])
    assert done.exit_code == 0, done.output
    assert "Look at both venues" in done.stdout
    done = CliRunner().invoke(app, ["restore", str(archive), "--journal", str(tmp_path / "back")])
    assert done.exit_code == 1
    assert "not empty" in done.stderr
    with tarfile.open(archive) as tar:
        file = tar.extractfile(MANIFEST)
        assert file is not None
        assert json.load(file)["last_seq"] == 40
