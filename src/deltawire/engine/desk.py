"""What all traders of a bot share: the gate, the one way out, the record, ids, time, and where to tell things."""

from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.limits import Gate
from deltawire.core.trade import Trade
from deltawire.core.types import ClientOrderId, OrderRequest
from deltawire.engine.gateway import Gateway, Outgoing
from deltawire.engine.ids import IdMaker
from deltawire.engine.recorder import Recorder
from deltawire.journal.records import TradeClosed
from deltawire.venues.contract import Clock, EventLog, PreparedOrder


@dataclass(slots=True)
class News:
    """Counts the events that may change what an entry or a close must be asked for."""

    count: int = 0


@dataclass(slots=True)
class Desk:
    gate: Gate
    gateway: Gateway
    recorder: Recorder
    ids: IdMaker
    clock: Clock
    log: EventLog
    # Told of each order, with its pair's index, before it leaves: news of it must find its way back.
    on_order_made: Callable[[int, Outgoing, PreparedOrder], None]
    on_written: Callable[[], None]  # the writes of one step are out: news that arose inside them may be told
    on_doubt: Callable[[ClientOrderId], None]  # asks for the order to be read
    on_filled: Callable[[OrderRequest, int], None]  # size newly filled, counted once
    on_trade_closed: Callable[[TradeClosed, Trade], None]  # its record, and the trade itself
    open_pairs: Callable[[], int]
    inventory_e8: Callable[[str], int]  # notional held on a venue, unsigned, all pairs together
    is_frozen: Callable[[], bool]  # True: news is counted and no step is taken
    news: News
