"""Several connections with the same market data, merged: the first copy of a sequence wins, a lost line costs nothing.

Stands between the links and MarketFeed, which sees one stream and one link. A delta that comes before its turn waits
for the line that still has the missing one; when none can have it any more, or in HOLE_WAIT_NS, the feed sees the gap
and subscribes anew on every line. Each line is ordered in itself, so a line past a sequence will never bring it.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec

from deltawire.venues.contract import Clock, DecodeError, EventLog
from deltawire.venues.paradex import rpc, sbe, wire_public
from deltawire.venues.paradex.feed import WATCH_S, MarketFeed
from deltawire.venues.paradex.link import Link
from deltawire.venues.paradex.records import BookUpdate
from deltawire.venues.paradex.settings import ParadexSettings

HOLE_WAIT_NS = 100 * 10**6  # longer than two lines of one venue are apart, short for a book that stands still
WAITING_MAX = 256  # deltas held back in one market: a second of a busy one


@dataclass(slots=True, eq=False)
class _Waiting:
    """Deltas of one market that came before their turn."""

    held: dict[int, tuple[BookUpdate, int]] = field(default_factory=dict)
    since_mono_ns: int = 0


class Line:
    """One connection's content: the LinkOwner of its link."""

    def __init__(self, lines: "Lines") -> None:
        self._lines = lines
        self.link: Link | None = None  # set by the session
        self.last: dict[str, int] = {}  # by market, the sequence of the last book frame since subscribing
        self.is_open = False  # from its handshake to its end

    @property
    def up(self) -> bool:
        return self.link is not None and self.link.up

    async def handshake(self) -> None:
        assert self.link is not None
        self.last.clear()
        self._lines.before_subscribing(self)
        self.is_open = True
        await self._lines.feed.subscribe_all(self.link)

    def on_up(self) -> None:
        self._lines.on_line_up()

    def on_down(self, detail: str) -> None:
        self.last.clear()
        self.is_open = False
        self._lines.on_line_down(self, detail)

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        self._lines.feed.on_answer(answer, received_mono_ns)

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None:
        try:
            record = wire_public.decode(channel, data)
            if isinstance(record, BookUpdate):
                self._lines.on_book(self, record, received_mono_ns)
            elif record is not None:
                self._lines.feed.take(record, received_mono_ns)
        except DecodeError as e:
            self._lines.on_lost_frame(self, str(e))

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            if self._lines.feed.read_top(payload, received_mono_ns):
                return
            if sbe.template_of(payload) == sbe.BOOK:
                self._lines.on_book(self, sbe.decode_book(payload), received_mono_ns)
            else:
                self._lines.feed.read_rest(payload, received_mono_ns)
        except DecodeError as e:
            self._lines.on_lost_frame(self, str(e))

    def on_unreadable(self, reason: str) -> None:
        self._lines.on_lost_text(self, reason)


class Lines:
    """All lines of one feed. To the feed it is the link: up while any line is, and a call goes to each."""

    def __init__(self, feed: MarketFeed, settings: ParadexSettings, *, clock: Clock, log: EventLog) -> None:
        """Raise ValueError for throttled deltas: those of two lines are cut at different moments and do not mix."""
        if not (feed.is_consecutive or feed.is_whole):
            raise ValueError("several feed connections need whole frames or consecutive deltas")
        self.feed, self._settings, self._clock, self._log = feed, settings, clock, log
        self._lines: list[Line] = []
        self._waiting = {symbol: _Waiting() for symbol in settings.symbols}
        self._is_told_up = False
        self._watcher: asyncio.Task[None] | None = None

    def add(self) -> Line:
        self._lines.append(Line(self))
        return self._lines[-1]

    def watch(self) -> None:
        """Start looking after silent lines and holes, and, through the feed, after silent channels."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="paradex lines watch")

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    # ---- what the feed sees of a link

    @property
    def up(self) -> bool:
        return any(line.up for line in self._lines)

    @property
    def heard_mono_ns(self) -> int:
        return max((link.heard_mono_ns for link in self._links_up()), default=0)

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Make the call on every line that is up. Raises what the last one raised when none succeeded."""
        answers = await asyncio.gather(
            *(link.call(method, params) for link in self._links_up()), return_exceptions=True
        )
        failed: BaseException = ConnectionError("no line is up")
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
            failed = answer
        raise failed

    def drop(self, why: str) -> None:
        for link in self._links_up():
            link.drop(why)

    # ---- what the lines tell

    def before_subscribing(self, line: Line) -> None:
        if not any(other.is_open for other in self._lines if other is not line):
            self._forget()
            self.feed.begin()

    def on_line_up(self) -> None:
        if not self._is_told_up:
            self._is_told_up = True
            self.feed.on_up()
        else:
            self._log.info("paradex.line_up", lines=len(self._links_up()))

    def on_line_down(self, line: Line, detail: str) -> None:
        if not self._others_carry(line):
            self._is_told_up = False
            self._forget()
            self.feed.on_down(detail)
            return
        self._log.warning("paradex.line_down", lines=len(self._links_up()), detail=detail)
        for market in self._waiting:
            self._settle(market)

    def on_lost_frame(self, line: Line, reason: str) -> None:
        """Another line has the frame too: this one is made anew. The last line's loss is the feed's."""
        if self._others_carry(line) and line.link is not None:
            line.link.drop(reason)
        else:
            self.feed.lose_frame(reason)

    def on_lost_text(self, line: Line, reason: str) -> None:
        if self._settings.sbe:
            self.feed.on_unreadable(reason)  # no market data
        else:
            self.on_lost_frame(line, reason)

    def on_book(self, line: Line, update: BookUpdate, received_mono_ns: int) -> None:
        waiting = self._waiting.get(update.market)
        if waiting is None:
            return
        if update.seq < 0:
            raise DecodeError(f"book sequence {update.seq}")
        line.last[update.market] = update.seq
        have = self.feed.seq_of(update.market)
        is_next = update.is_snapshot or not self.feed.is_consecutive or update.seq == have + 1
        if update.seq > have and is_next:
            self.feed.take(update, received_mono_ns)
        elif update.seq > have >= 0:
            waiting.since_mono_ns = waiting.since_mono_ns or received_mono_ns
            waiting.held.setdefault(update.seq, (update, received_mono_ns))
        if waiting.held:
            self._settle(update.market)

    # ---- holes

    def look(self, now_mono_ns: int) -> None:
        """Drop lines that fell silent and give up holes that nobody fills."""
        silence_ns = self._settings.silence_s * 1e9
        for link in self._links_up():
            if now_mono_ns - link.heard_mono_ns > silence_ns:
                link.drop(f"no frame for {self._settings.silence_s:g} s")
        for market, waiting in self._waiting.items():
            if waiting.held and now_mono_ns - waiting.since_mono_ns > HOLE_WAIT_NS:
                self._release(market)

    def _settle(self, market: str) -> None:
        """Take what is due, drop what is past, and give the hole up when no line can fill it any more."""
        waiting = self._waiting[market]
        have = self.feed.seq_of(market)
        while have + 1 in waiting.held:
            self.feed.take(*waiting.held.pop(have + 1))
            have = self.feed.seq_of(market)
        for seq in [seq for seq in waiting.held if seq <= have or have < 0]:
            del waiting.held[seq]
        if not waiting.held:
            waiting.since_mono_ns = 0
            return
        may_fill = any(line.last.get(market, have + 1) <= have for line in self._lines)
        if not may_fill or len(waiting.held) > WAITING_MAX:
            self._release(market)

    def _release(self, market: str) -> None:
        """Let the feed see the gap; it subscribes anew."""
        waiting = self._waiting[market]
        first = waiting.held[min(waiting.held)]
        waiting.held.clear()
        waiting.since_mono_ns = 0
        self.feed.take(*first)

    def _forget(self) -> None:
        for waiting in self._waiting.values():
            waiting.held.clear()
            waiting.since_mono_ns = 0

    def _links_up(self) -> list[Link]:
        return [line.link for line in self._lines if line.link is not None and line.link.up]

    def _others_carry(self, line: Line) -> bool:
        """Whether another line brings every market's book, be it still in its handshake."""
        return any(other.up or len(other.last) == len(self._waiting) for other in self._lines if other is not line)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now_mono_ns = self._clock.mono_ns()
            self.look(now_mono_ns)
            self.feed.look(now_mono_ns)
