"""Vest's private stream: order events to the desk, and whether the stream is up. Fetches nothing itself.

The venue sends no snapshot on subscribe: what was missed while it was down is read over REST by the desk.
Source: Vest API v2 notes, section 8 (account_private; documented, never seen live).
"""

import asyncio

from deltawire.venues.contract import PRIVATE, DecodeError, EventLog, VenueSink
from deltawire.venues.vest import wire, ws
from deltawire.venues.vest.account import Account
from deltawire.venues.vest.link import Link
from deltawire.venues.vest.orders import OrderDesk
from deltawire.venues.vest.reads import VENUE


class PrivateStream:
    """A LinkOwner."""

    def __init__(self, account: Account, desk: OrderDesk, *, sink: VenueSink, log: EventLog) -> None:
        self._account, self._desk, self._sink, self._log = account, desk, sink, log
        self._reader = ws.FrameReader()
        self._subscribe_id = 0
        self.subscribed = asyncio.Event()
        self.unreadable = 0
        self.unknown = 0

    def on_open(self, link: Link) -> None:
        self._subscribe_id = link.next_id()
        link.send(ws.subscribe([ws.ACCOUNT_PRIVATE], self._subscribe_id))

    def on_frame(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            frame = self._reader.read(payload)
        except DecodeError as e:
            # It may have been the end of an order: those still open are read.
            self.unreadable += 1
            self._log.error("vest.private.unreadable_frame", reason=str(e), count=self.unreadable)
            self._desk.on_stream(up=self.subscribed.is_set())
            return
        match frame:
            case wire.OrderEvent():
                self._desk.on_order_event(frame, received_mono_ns)
            case ws.SubscribeAck() if frame.id == self._subscribe_id:
                self._on_subscribed()
            case wire.LpEvent() | wire.TransferEvent():
                self._log.warning("vest.private.money_moved", kind=type(frame).__name__, status=frame.status[:40])
            case ws.ErrorFrame():
                self._log.error("vest.private.error_frame", code=frame.code, msg=frame.msg)
            case ws.Unknown():
                self.unknown += 1
                self._log.warning("vest.private.unknown_frame", what=frame.what, count=self.unknown)
            case _:
                pass

    def on_down(self, code: int, reason: str) -> None:
        if code in ws.CLOSE_NEEDS_NEW_KEY:
            self._account.forget_listen_key()
        if self.subscribed.is_set():
            self.subscribed.clear()
            self._desk.on_stream(up=False)
            self._sink.on_link(VENUE, PRIVATE, up=False, detail=f"{code} {reason}".rstrip())

    def _on_subscribed(self) -> None:
        self.subscribed.set()
        self._desk.on_stream(up=True)
        self._sink.on_link(VENUE, PRIVATE, up=True, detail="")
