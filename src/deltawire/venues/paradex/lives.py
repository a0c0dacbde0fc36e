"""The orders this adapter wrote, found by request id and by client id, kept for late and repeated news. No I/O."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import PreparedOrder

LIVES_KEPT = 5_000  # finished orders remembered: late and repeated news of them comes within seconds


@dataclass(slots=True, eq=False)
class Life:
    """What the desk remembers of one order it wrote."""

    prepared: PreparedOrder
    timer: asyncio.TimerHandle | None = None
    line: object = None  # the connection it went by (link.OrderCarrier.line); None: over REST
    venue_order_id: str = ""
    replied: bool = False
    over: bool = False
    doubted: bool = False  # said once for each order: a second word would add nothing
    resolved: bool = False  # filled whole, or read at the venue; news of it is told all the same
    fill_ids: set[str] = field(default_factory=set)
    filled_e8: int = 0  # by the fills seen here

    @property
    def client_id(self) -> ClientOrderId:
        return self.prepared.request.client_id

    @property
    def symbol(self) -> str:
        return self.prepared.request.instrument.symbol

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Lives:
    """All orders written here; the open ones are those neither over nor resolved."""

    def __init__(self) -> None:
        self._by_request: dict[int, Life] = {}
        self._by_client: dict[str, Life] = {}
        self._open: dict[str, Life] = {}

    def __iter__(self) -> Iterator[Life]:
        return iter(self._by_client.values())

    @property
    def open(self) -> list[Life]:
        return list(self._open.values())

    def check_new(self, prepared: PreparedOrder) -> None:
        """Raise ValueError for an order that was written before (I3)."""
        client_id = prepared.request.client_id
        if prepared.stamps.written_mono_ns or client_id in self._by_client:
            raise ValueError(f"{client_id} was submitted before")

    def add(self, life: Life) -> None:
        """Keep an order; beyond the bound the oldest that are finished are forgotten, never an open one."""
        self._by_request[life.prepared.correlator] = self._by_client[life.client_id] = self._open[life.client_id] = life
        while len(self._by_client) > LIVES_KEPT:
            oldest = next((life for life in self if life.client_id not in self._open), None)
            if oldest is None:
                return
            del self._by_request[oldest.prepared.correlator]
            del self._by_client[oldest.client_id]

    def of_request(self, request_id: int | None) -> Life | None:
        return None if request_id is None else self._by_request.get(request_id)

    def of_client(self, client_id: str) -> Life | None:
        return self._by_client.get(client_id)

    def end(self, life: Life) -> None:
        """The venue's own news: it is over."""
        life.over = True
        life.stop_timer()
        self._open.pop(life.client_id, None)

    def resolve(self, client_id: str) -> None:
        """Nothing of it can be open: filled whole by its fills, or over by a look-up."""
        life = self._open.pop(client_id, None)
        if life is not None:
            life.resolved = True
            life.stop_timer()

    def in_doubt(self, symbol: str) -> Life | None:
        """Return an order of this market of which nothing is known, None when there is none."""
        return next((life for life in self._open.values() if life.doubted and life.symbol == symbol), None)
