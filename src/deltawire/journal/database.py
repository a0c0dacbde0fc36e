"""Where the projection lives: SQLite beside the log, or PostgreSQL by URL. The same plain SQL for both.

Statements use named parameters (`:name`) and only what both databases take; the few differences (how a transaction
takes the write lock, whether a table is there) are here. Not a layer over SQL: see docs/decisions/0009.

A PostgreSQL URL never holds a password: libpq reads PGPASSWORD or ~/.pgpass by itself.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from deltawire.journal.segments import JournalError

if TYPE_CHECKING:
    from psycopg import Connection

DATABASE_NAME = "projection.sqlite3"
BUSY_TIMEOUT_S = 10.0  # another process building the tables anew holds them this long at most for some 100,000 records
CONNECT_TIMEOUT_S = 5
POSTGRES_SCHEMES = ("postgresql", "postgres")
_WRITE_LOCK = 0x64656C7461  # "delta": the advisory lock of whoever projects; one for all journals of a database

Row = Mapping[str, Any]


class DatabaseUnusable(JournalError):
    """The projection's database cannot be reached or refuses the work. The log is not affected."""


class Database(Protocol):
    """One connection. Every call is used from the thread that made it."""

    def execute(self, sql: str, values: Mapping[str, Any] = ...) -> int:
        """Run a statement and return how many rows it changed."""

    def rows(self, sql: str, values: Mapping[str, Any] = ...) -> list[Row]:
        """Run a question and return all its rows."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Hold the write lock for a block: all of it happens, or nothing."""

    def has_table(self, name: str) -> bool: ...

    def close(self) -> None: ...


def open_database(url: str, directory: Path) -> Database:
    """Open the database of a journal: a PostgreSQL URL, or "" for SQLite in the journal's own folder.

    Raises DatabaseUnusable. For a folder that is not there SQLite works in memory, and makes nothing.
    """
    if url:
        return PostgresDatabase(url)
    return SqliteDatabase(directory / DATABASE_NAME if directory.is_dir() else None)


def url_problem(url: str) -> str:
    """Say why a URL cannot name the projection's database, "" when it can. Never repeats a password."""
    parts = urlsplit(url)
    if parts.scheme not in POSTGRES_SCHEMES:
        return f"a URL like postgresql://user@host/database is wanted, not {parts.scheme or 'none'}://"
    if parts.password is not None or "password=" in parts.query:
        return "the URL holds a password: put it into PGPASSWORD or ~/.pgpass and leave it out here"
    return ""


class SqliteDatabase:
    """A file, or memory for None."""

    def __init__(self, path: Path | None) -> None:
        with _told("SQLite", sqlite3.Error):
            self._connection = sqlite3.connect(path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            with _told("SQLite", sqlite3.Error):
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            self.close()
            raise

    def execute(self, sql: str, values: Mapping[str, Any] = {}) -> int:
        with _told("SQLite", sqlite3.Error):
            return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, values: Mapping[str, Any] = {}) -> list[Row]:
        with _told("SQLite", sqlite3.Error):
            return [dict(row) for row in self._connection.execute(sql, values)]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def has_table(self, name: str) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = :name", {"name": name}))

    def close(self) -> None:
        self._connection.close()


class PostgresDatabase:
    """The tables of one journal, in the schema the URL's search_path names (`?options=-csearch_path=…`)."""

    def __init__(self, url: str) -> None:
        """Connect. Raises DatabaseUnusable, also for a URL that holds a password."""
        problem = url_problem(url)
        if problem:
            raise DatabaseUnusable(f"journal.url: {problem}")
        import psycopg  # noqa: PLC0415 - a tenth of a second that only those who use it pay
        from psycopg.rows import dict_row  # noqa: PLC0415

        self._error = psycopg.Error
        with _told("PostgreSQL", psycopg.Error):
            self._connection: Connection[dict[str, Any]] = psycopg.connect(
                url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, row_factory=dict_row
            )

    def execute(self, sql: str, values: Mapping[str, Any] = {}) -> int:
        with _told("PostgreSQL", self._error):
            return self._connection.execute(_percent(sql), _plain(values)).rowcount

    def rows(self, sql: str, values: Mapping[str, Any] = {}) -> list[Row]:
        with _told("PostgreSQL", self._error):
            return list(self._connection.execute(_percent(sql), _plain(values)).fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        # Committed or rolled back by psycopg; the lock goes with either.
        with _told("PostgreSQL", self._error), self._connection.transaction():
            self.execute(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
            yield

    def has_table(self, name: str) -> bool:
        return self.rows("SELECT to_regclass(:name) AS found", {"name": name})[0]["found"] is not None

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def _told(what: str, errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as e:
        raise DatabaseUnusable(f"{what} and the journal's projection: {str(e).strip()}") from e


@cache
def _percent(sql: str) -> bytes:
    """Write `:name` as psycopg wants it. Our statements have no other colon before a letter, and no percent sign."""
    return re.sub(r":([a-z_][a-z_0-9]*)", r"%(\1)s", sql).encode()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as our columns take them: truth values are 0 and 1 there, and no text may hold a zero byte."""
    return {
        name: int(value)
        if isinstance(value, bool)
        else value.replace("\0", "\ufffd")
        if isinstance(value, str)
        else value
        for name, value in values.items()
    }
