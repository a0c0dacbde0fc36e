# The types of __init__.py, which imports lazily.
from deltawire.config import BotConfig as BotConfig
from deltawire.config import BotSecrets as BotSecrets
from deltawire.config import ConfigError as ConfigError
from deltawire.config import load_config as load_config
from deltawire.config import load_secrets as load_secrets
from deltawire.core.book import Book as Book
from deltawire.core.money import format_e8 as format_e8
from deltawire.core.money import parse_e8 as parse_e8
from deltawire.core.order import Order as Order
from deltawire.core.order import OrderState as OrderState
from deltawire.core.secret import Secret as Secret
from deltawire.core.types import Instrument as Instrument
from deltawire.core.types import Side as Side
from deltawire.library.bot import BotRun as BotRun
from deltawire.library.bot import LiveNotConfirmed as LiveNotConfirmed
from deltawire.library.bot import NotRunning as NotRunning
from deltawire.library.bot import run_bot as run_bot
from deltawire.library.venue import Account as Account
from deltawire.library.venue import Market as Market
from deltawire.library.venue import NotNow as NotNow
from deltawire.library.venue import connect as connect
from deltawire.library.venue import watch as watch
from deltawire.venues.contract import Refused as Refused
from deltawire.venues.paradex.settings import ParadexSettings as ParadexSettings
from deltawire.venues.vest.settings import VestSettings as VestSettings

__version__: str
__all__ = [
    "Account",
    "Book",
    "BotConfig",
    "BotRun",
    "BotSecrets",
    "ConfigError",
    "Instrument",
    "LiveNotConfirmed",
    "Market",
    "NotNow",
    "NotRunning",
    "Order",
    "OrderState",
    "ParadexSettings",
    "Refused",
    "Secret",
    "Side",
    "VestSettings",
    "__version__",
    "connect",
    "format_e8",
    "load_config",
    "load_secrets",
    "parse_e8",
    "run_bot",
    "watch",
]
