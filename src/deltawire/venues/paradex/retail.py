"""The second order connection: its orders are Retail, for a token asked for as interactive opened it.

Kept beside the first one with order_class by_edge. Entries alone go this way; it subscribes to nothing, because the
first connection hears of all the account's orders. Its own orders die with it: cancel-on-disconnect is per connection.
Source: Paradex protocol reference, sections 2.2, 15 and 19.
"""

import msgspec

from deltawire.venues.contract import EventLog
from deltawire.venues.paradex import rpc
from deltawire.venues.paradex.link import Link
from deltawire.venues.paradex.orders import OrderDesk, sign_in
from deltawire.venues.paradex.tokens import TokenKeeper

LINK = "retail orders"
NAME = "retail"  # of the order class


class RetailLine:
    """Implements LinkOwner. The desk writes to its link and makes sense of the answers."""

    def __init__(self, desk: OrderDesk, tokens: TokenKeeper, *, log: EventLog) -> None:
        """tokens: of interactive ones."""
        self._desk, self._tokens, self._log = desk, tokens, log
        self.link: Link | None = None

    async def handshake(self) -> None:
        assert self.link is not None
        node = await sign_in(self.link, self._tokens)
        self._log.info("paradex.retail_ready", node_id=str(node.get("node_id", ""))[:60])

    def on_up(self) -> None:
        """Nothing to tell: whether it may be used is asked before each entry."""

    def on_down(self, detail: str) -> None:
        self._desk.on_line_lost(self.link, detail)

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        self._desk.on_answer(answer, received_mono_ns)

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None:  # noqa: ARG002 - LinkOwner
        self._log.info("paradex.answer_unasked", link=LINK, id=channel[:60])

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        """Skip: heartbeats come here, and nothing was subscribed to."""

    def on_unreadable(self, reason: str) -> None:
        self._desk.on_unreadable(reason)
