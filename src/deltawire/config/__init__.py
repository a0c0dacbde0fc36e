"""Typed settings: one YAML file, secrets apart. See model.py for what there is, load.py for how it is refused."""

from deltawire.config.errors import ConfigError, Problem
from deltawire.config.load import load_config
from deltawire.config.model import (
    BotConfig,
    ControlConfig,
    JournalConfig,
    LimitsConfig,
    LogConfig,
    LogFormat,
    LogLevel,
    Mode,
    PairConfig,
    ParadexConfig,
    PoolConfig,
    VenuesConfig,
    VestConfig,
)
from deltawire.config.secrets import BotSecrets, load_secrets

__all__ = [
    "BotConfig",
    "BotSecrets",
    "ConfigError",
    "ControlConfig",
    "JournalConfig",
    "LimitsConfig",
    "LogConfig",
    "LogFormat",
    "LogLevel",
    "Mode",
    "PairConfig",
    "ParadexConfig",
    "PoolConfig",
    "Problem",
    "VenuesConfig",
    "VestConfig",
    "load_config",
    "load_secrets",
]
