"""The event log of a process with these settings: screen, rotating file, and what libraries say. Formats nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deltawire.config.errors import ConfigError, Problem
from deltawire.config.model import BotConfig, LogConfig, LogFormat, LogLevel
from deltawire.config.secrets import BotSecrets
from deltawire.observe import library
from deltawire.observe.log import BufferedLog, Level, Output, human_line, json_line
from deltawire.observe.rotation import RotatingFile
from deltawire.venues.contract import Clock

_LEVELS = {LogLevel.DEBUG: Level.DEBUG, LogLevel.INFO: Level.INFO, LogLevel.WARNING: Level.WARNING}
_MB = 10**6


@contextmanager
def open_log(config: BotConfig, secrets: BotSecrets, clock: Clock) -> Iterator[BufferedLog]:
    """Open the log of a bot or guardian, and close it whatever happens. Raises ConfigError for an unusable file."""
    level = _LEVELS[config.log.level]
    form = human_line if config.log.format is LogFormat.HUMAN else json_line
    outputs = [Output(sys.stderr.buffer, form, level)]
    file: RotatingFile | None = None
    if config.log.file is not None:
        file = _open_file(config.log)
        # Whatever the screen leaves out: alerts, and the story of a night, are read from the file.
        outputs.append(Output(file, json_line, min(level, Level.INFO)))
    with BufferedLog(clock, outputs) as log:
        log.hide(secrets.paradex_private_key)
        log.hide(secrets.vest_primary_private_key)
        handler = library.connect(log)
        try:
            yield log
        finally:
            library.disconnect(handler)
    if file is not None:
        file.close()


def _open_file(settings: LogConfig) -> RotatingFile:
    assert settings.file is not None
    try:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        return RotatingFile(settings.file, bytes_max=settings.max_mb * _MB, keep=settings.keep)
    except OSError as e:
        wrong = f"cannot be opened ({e.strerror})"
        raise ConfigError([Problem(settings.file, None, "log.file", wrong, "name a file this user may write")]) from e
