"""Exit codes of every command, and the one way an error of the person's own making is told: on stderr, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from deltawire.config.errors import ConfigError

OK = 0
FAILED = 1  # it ran, and what it found or left behind is not as it should be
MISUSED = 2  # a setting, an option or a file is wrong; nothing was started
INTERRUPTED = 130


def leave(message: str, code: int) -> NoReturn:
    """Say why on stderr, and end with the code."""
    typer.echo(f"deltawire: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def wrong_settings_told() -> Iterator[None]:
    """Turn a ConfigError inside the block into its lines on stderr and exit code 2."""
    try:
        yield
    except ConfigError as e:
        for problem in e.problems:
            typer.echo(f"deltawire: {problem}", err=True)
        raise typer.Exit(MISUSED) from None
