"""A PostgreSQL server of the tests' own: a fresh cluster in a temporary folder, on a unix socket nobody else knows.

Started once a session and only when a test asks for it; ended with it. Where PostgreSQL is not installed those tests
are skipped, which pytest's summary tells.
"""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S_MAX = 60.0
MISSING = "PostgreSQL is not installed (Debian: apt-get install postgresql): the journal is tested on SQLite alone"
_DEBIAN = Path("/usr/lib/postgresql")
_USER = "deltawire"


def find(program: str) -> str | None:
    """Return the path of one of PostgreSQL's own programs; Debian keeps them out of PATH."""
    newest = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: float(path.parts[-3]))
    return shutil.which(program) or (str(newest[-1]) if newest else None)


@contextmanager
def cluster() -> Iterator[str]:
    """Run a server and yield the URL of its database. Skips the test where there is no PostgreSQL."""
    initdb, postgres = find("initdb"), find("postgres")
    if initdb is None or postgres is None:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="dwpg-"))
    try:
        user = _unprivileged(folder)
        data = str(folder / "data")
        made = [initdb, "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(made, check=True, user=user, cwd=folder, capture_output=True)
        server = subprocess.Popen(
            [postgres, "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"],
            user=user,
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"postgresql://{_USER}@/postgres?host={folder}"
            _wait_until_it_answers(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> str:
    """Return a user PostgreSQL is willing to run as (never root) and give it the folder."""
    if os.geteuid() != 0:
        return getpass.getuser()
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return name
    pytest.skip("PostgreSQL does not run as root, and there is no other user here")


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended at once"
            assert time.monotonic() < deadline_s, "PostgreSQL does not answer"
            time.sleep(0.05)  # waits for another process; there is no clock to move
        else:
            return
