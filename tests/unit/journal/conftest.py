"""Each test of the projection runs on every database it can live in: `url` is "" for SQLite, else PostgreSQL's."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests import postgres

_SCHEMAS = count()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres.cluster() as url:
        yield url


@pytest.fixture
def new_schema(postgres_url: str):
    """A maker of URLs, each of an empty schema of its own."""
    import psycopg

    def make() -> str:
        name = f"t{next(_SCHEMAS)}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{postgres_url}&options=-csearch_path%3D{name}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    made: str = request.getfixturevalue("new_schema")()
    return made
