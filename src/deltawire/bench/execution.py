"""From the decision to both legs acknowledged, at a distance: the real bot, and the same orders over slower transports.

All against both simulated venues behind a simulated network of one round trip, handshakes included, in one run. First
the bot trades: Paradex's price is stepped up and down and each step is answered by both legs; once as the Pro class,
and a few times as Retail, whose orders the venue acknowledges as fast and fills 300 ms later. Then single orders that
cannot fill are sent in turn, signed by the same adapters: over the bot's own transport, over a pooled HTTPS connection,
and over a new one for each order, as the earlier bot did. "both legs" then is one to each venue at the same moment.

Left out: a venue farther away than the other, packet loss, and what a venue's own engine takes beyond the simulator's.
"""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp

from deltawire.bench import rig
from deltawire.bench.figures import Figures, Report, Table, figures, machine
from deltawire.bench.process import subject
from deltawire.bench.reaction import TimedOrder, timed_orders
from deltawire.bench.reaction_join import Joined
from deltawire.bench.reaction_run import Burst, Stepping, joined_of
from deltawire.core.book import Book
from deltawire.core.events import Acked, OrderEvent
from deltawire.core.money import E8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.assembly import venues_of
from deltawire.engine.clock import SystemClock
from deltawire.net.api import HttpPool, HttpResponse, PoolSettings
from deltawire.net.loop import run
from deltawire.net.sockets import SocketNetwork
from deltawire.net.tls import client_context
from deltawire.observe.log import BufferedLog
from deltawire.venues.contract import PreparedOrder, Venue
from deltawire.venues.paradex import rest as paradex_rest
from deltawire.venues.paradex.http import origin_of
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.vest.session import VestVenue

# The signature is verified here: it belongs to the venue's time, which a round trip contains.
_SIM_YAML = "seed: 1\naccounts: 3\nspeed: 0.25\n" + rig.QUICK_VEST
_SYMBOLS = {"paradex": "BTC-USD-PERP", "vest": "BTC-PERP"}
_SIZE_E8 = E8 // 1000
_FAR_E8 = 3 * E8 // 100  # a limit so far below the market never fills, and is still inside the price band
_TIMEOUT_S = 10.0
_POOL = PoolSettings(connections=1, keepalive_s=30.0, connect_timeout_s=_TIMEOUT_S, request_timeout_s=_TIMEOUT_S)
# Of the earlier bot, from its own log; over another network, so they stand beside and are in no ratio.
EARLIER_MS = {"Paradex order": 978.0, "both legs": 980.0}


@dataclass(frozen=True, slots=True)
class ExecutionSettings:
    rtt_ms: float = 80.0
    steps: int = 40  # of the bot, even; half of them open a trade and half close it
    retail_steps: int = 10
    rounds: int = 20  # single orders of each transport
    seed: int = 1


@dataclass(slots=True)
class _Seen:
    samples: dict[str, list[int]] = field(default_factory=dict)
    joined: dict[str, Joined] = field(default_factory=dict)

    def add(self, case: str, took_ns: int) -> None:
        self.samples.setdefault(case, []).append(took_ns)


def bench_execution(settings: ExecutionSettings | None = None) -> Report:
    """Run everything at one distance. Raises RuntimeError when simulators or bot do not come up or do not end flat."""
    chosen = settings or ExecutionSettings()
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        seen = run(_measure(Path(name), chosen))
    results = {case: figures(taken, "ms") for case, taken in seen.samples.items()}
    ratios = _ratios(results, chosen.rtt_ms)
    return Report(
        "execution",
        {
            "rtt_ms": chosen.rtt_ms,
            "steps": chosen.steps,
            "retail_steps": chosen.retail_steps,
            "rounds": chosen.rounds,
            "seed": chosen.seed,
            "order_class": "Pro, except where it says Retail",
            **machine(),
        },
        results,
        ratios,
        tables=(_before_and_after(results, chosen.rtt_ms), _steps(seen.joined)),
    )


async def _measure(folder: Path, settings: ExecutionSettings) -> _Seen:
    seen = _Seen()
    sim_yaml = f"{_SIM_YAML}rtt_ms: {settings.rtt_ms:g}\n"
    async with rig.simulators(folder, sim_yaml, apart=False) as ready:
        async with aiohttp.ClientSession(ready["control_url"]) as http:
            await rig.hold_basis(http, ready, 0)
            for account, (name, order_class, steps) in enumerate(
                (("deltawire", "pro", settings.steps), ("Retail", "retail", settings.retail_steps))
            ):
                if steps:
                    where = folder / order_class
                    where.mkdir()
                    await _bot(seen, name, where, ready, http, account, order_class, steps, settings.rtt_ms)
        await _single_orders(seen, folder, ready, settings)
    return seen


async def _bot(
    seen: _Seen,
    name: str,
    folder: Path,
    ready: Mapping[str, Any],
    http: aiohttp.ClientSession,
    account: int,
    order_class: str,
    steps: int,
    rtt_ms: float,
) -> None:
    """Have the bot answer so many steps, and read its journal."""
    job = {
        "ready": dict(ready),
        "folder": str(folder),
        "never_sleep": False,
        "account": account,
        "venue": {"paradex": {"order_class": order_class}},
    }
    pause_ms = 400 + 6 * rtt_ms  # both legs' fills are known by then, and positions agree
    async with subject("subject_bot", job) as process:
        stepping = Stepping(http)
        await stepping.step(Burst("hot", 2, 0, pause_ms, 0))
        await stepping.take()
        await stepping.step(Burst("hot", steps, 0, pause_ms, 0))
        seen.joined[order_class] = joined = joined_of(await stepping.take(), answers_all=False)
        said = await process.end()
    if not said["flat"]:
        raise RuntimeError(f"the bot did not end flat and agreed (halted: {said['halted'] or 'no'}): no figure counts")
    orders = timed_orders(folder / "journal")
    for step in joined.steps:
        pair = [order for order in orders if step.written_ns <= order.stamps.received_mono_ns < step.until_ns]
        if {order.venue for order in pair} == {"paradex", "vest"} and len(pair) == 2:
            _add_pair(seen, name, pair)


def _add_pair(seen: _Seen, name: str, pair: Sequence[TimedOrder]) -> None:
    stamps = {order.venue: order.stamps for order in pair}
    decided_ns = min(at.decided_mono_ns for at in stamps.values())
    acked = {venue: at.acked_mono_ns - decided_ns for venue, at in stamps.items()}
    if min(at.acked_mono_ns for at in stamps.values()) <= 0:
        return  # the order's end overtook its answer
    seen.add(f"{name} both legs", max(acked.values()))
    seen.add(f"{name} Paradex order", acked["paradex"])
    seen.add(f"{name} Vest order", acked["vest"])
    filled_ns = [at.filled_mono_ns for at in stamps.values()]
    if min(filled_ns) > 0:
        seen.add(f"{name} both legs filled", max(filled_ns) - decided_ns)
    venue = stamps["paradex"]
    if name == "deltawire" and venue.venue_sent_unix_ns:
        seen.add("venue time Paradex", venue.venue_sent_unix_ns - venue.venue_received_unix_ns)


# ---- single orders over each transport -------------------------------------------------------------------------------


class _Ear:
    """A VenueSink that wakes whoever waits for an order's answer."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def expect(self, client_id: str) -> asyncio.Future[None]:
        self._waiting[client_id] = asyncio.get_running_loop().create_future()
        return self._waiting[client_id]

    def on_book(self, book: Book, received_mono_ns: int) -> None: ...

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None: ...

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        waiting = self._waiting.get(client_id)
        if waiting is not None and isinstance(event, Acked) and not waiting.done():
            waiting.set_result(None)


@dataclass(slots=True)
class _Lane:
    """One venue's adapter, and two pools to the same place: one kept warm, one that opens a connection an order."""

    venue: Venue
    ear: _Ear
    post: Callable[[HttpPool, PreparedOrder], Awaitable[HttpResponse]]
    warm: HttpPool
    cold: HttpPool
    sent: int = 0

    def prepare(self) -> PreparedOrder:
        self.sent += 1
        symbol = _SYMBOLS[self.venue.name]
        instrument = self.venue.instrument(symbol)
        price_e8 = instrument.cap(Side.BUY, self.venue.book(symbol).bids[0][0] * (E8 - _FAR_E8) // E8)
        trade_id = f"dwbench-{self.venue.name}-{self.sent}"
        request = OrderRequest(
            ClientOrderId(f"{trade_id}-a1"), TradeId(trade_id), Purpose.ENTRY, instrument, Side.BUY, _SIZE_E8, price_e8
        )
        return self.venue.prepare(request, OrderStamps())

    async def over_own(self, now_ns: Callable[[], int]) -> int:
        before_ns = now_ns()
        prepared = self.prepare()
        answered = self.ear.expect(prepared.request.client_id)
        self.venue.submit(prepared)
        await answered
        return prepared.stamps.acked_mono_ns - before_ns

    async def over(self, pool: HttpPool, now_ns: Callable[[], int], *, reused: bool) -> int:
        before_ns = now_ns()
        response = await self.post(pool, self.prepare())
        if response.status >= 300 or response.reused is not reused:
            raise AssertionError(f"status {response.status}, reused {response.reused}: not the case it is called")
        return response.received_mono_ns - before_ns


async def _single_orders(seen: _Seen, folder: Path, ready: Mapping[str, Any], settings: ExecutionSettings) -> None:
    rng = random.Random(settings.seed)  # noqa: S311  the order of cases
    clock = SystemClock()
    now_ns = clock.mono_ns
    async with _lanes(folder, ready, clock, rng) as lanes:
        paradex, vest = lanes["paradex"], lanes["vest"]

        async def both_cold() -> int:
            return max(
                await asyncio.gather(
                    paradex.over(paradex.cold, now_ns, reused=False), vest.over(vest.cold, now_ns, reused=False)
                )
            )

        cases: dict[str, Callable[[], Awaitable[int]]] = {
            "WebSocket Paradex order": lambda: paradex.over_own(now_ns),
            "pooled HTTPS Paradex order": lambda: paradex.over(paradex.warm, now_ns, reused=True),
            "cold HTTPS Paradex order": lambda: paradex.over(paradex.cold, now_ns, reused=False),
            "pooled HTTPS Vest order": lambda: vest.over(vest.warm, now_ns, reused=True),
            "cold HTTPS Vest order": lambda: vest.over(vest.cold, now_ns, reused=False),
            "cold HTTPS both legs": both_cold,
        }
        names = list(cases)
        for _ in range(settings.rounds):
            rng.shuffle(names)
            for name in names:
                await asyncio.sleep(0.02)
                seen.add(name, await asyncio.wait_for(cases[name](), _TIMEOUT_S))


@contextlib.asynccontextmanager
async def _lanes(
    folder: Path, ready: Mapping[str, Any], clock: SystemClock, rng: random.Random
) -> AsyncIterator[dict[str, _Lane]]:
    config = rig.bot_config(folder, rig.bot_settings(folder, ready))
    venues = venues_of(config, rig.bot_secrets(ready, account=2), clock, BufferedLog(clock, []), rng)
    network = SocketNetwork(now_ns=clock.mono_ns, ssl_context=client_context(ready["ca_file"]), rng=rng)
    lanes: dict[str, _Lane] = {}
    async with contextlib.AsyncExitStack() as cleanup:
        for venue in venues:
            ear = _Ear()
            cleanup.push_async_callback(venue.close)
            await venue.start(ear)
            origin, public = origin_of(ready[venue.name]["rest_url"]), _PUBLIC[venue.name]
            warm, cold = (network.http_pool(origin, _POOL, public, b"") for _ in range(2))
            cleanup.push_async_callback(warm.close)
            cleanup.push_async_callback(cold.close)
            await warm.warm()  # the other opens a connection at each request
            lanes[venue.name] = _Lane(venue, ear, _POSTS[venue.name](venue), warm, cold)
            book = venue.book(_SYMBOLS[venue.name])
            await rig.wait_until(lambda book=book: book.valid, f"book of {venue.name}", _TIMEOUT_S)  # type: ignore[misc]  # bound now
        yield lanes


_PUBLIC = {"paradex": "/v1/system/time", "vest": "/v2/ticker/latest?symbols=BTC-PERP"}
_Post = Callable[[HttpPool, PreparedOrder], Awaitable[HttpResponse]]


def _paradex_post(venue: Venue) -> _Post:
    # The adapter's own token: an order over REST is the same order with another envelope.
    tokens = cast("ParadexVenue", venue)._tokens
    assert tokens is not None

    async def post(pool: HttpPool, prepared: PreparedOrder) -> HttpResponse:
        token = tokens.at_hand()
        assert token is not None
        headers = f"Authorization: Bearer {token.reveal()}\r\nContent-Type: application/json\r\n".encode()
        return await pool.request("POST", "/v1/orders", headers, paradex_rest.order_body(prepared.payload))

    return post


def _vest_post(venue: Venue) -> _Post:
    desk = cast("VestVenue", venue)._desk
    assert desk is not None

    async def post(pool: HttpPool, prepared: PreparedOrder) -> HttpResponse:
        return await pool.request("POST", desk._target, desk._headers, prepared.payload)

    return post


_POSTS: dict[str, Callable[[Venue], _Post]] = {"paradex": _paradex_post, "vest": _vest_post}


# ---- what is said ----------------------------------------------------------------------------------------------------


def _ratios(results: Mapping[str, Figures], rtt_ms: float) -> dict[str, float]:
    ratios = {}
    both, venue = results.get("deltawire both legs"), results.get("venue time Paradex")
    if rtt_ms and both and venue:
        ratios["deltawire/round trip both legs p50"] = both.p50 / rtt_ms
        ratios["both legs/round trip and venue time p50"] = both.p50 / (rtt_ms + venue.p50)
    for what in ("Paradex order", "Vest order", "both legs"):
        ours = results.get(f"deltawire {what}")
        for way in ("cold HTTPS", "pooled HTTPS"):
            theirs = results.get(f"{way} {what}")
            if ours and theirs:
                ratios[f"deltawire/{way} {what} p50"] = ours.p50 / theirs.p50
    return ratios


def _before_and_after(results: Mapping[str, Figures], rtt_ms: float) -> Table:
    def p50(case: str) -> float | str:
        return round(results[case].p50, 1) if case in results else "-"

    rows = []
    for what in ("Paradex order", "Vest order", "both legs", "both legs filled"):
        cold, ours = p50(f"cold HTTPS {what}"), p50(f"deltawire {what}")
        saved = round(cold - ours, 1) if isinstance(cold, float) and isinstance(ours, float) else "-"
        rows.append(
            (
                what,
                EARLIER_MS.get(what, "-"),
                cold,
                p50(f"pooled HTTPS {what}"),
                ours,
                saved,
                p50(f"Retail {what}"),
            )
        )
    columns = (
        "p50, ms",
        "earlier bot, its own network",
        "a new HTTPS connection each",
        "pooled HTTPS",
        "deltawire, Pro",
        "saved by it",
        "deltawire, Retail",
    )
    return Table(
        f"Decision to acknowledgement at a round trip of {rtt_ms:g} ms, before and after", columns, tuple(rows)
    )


def _steps(joined: Mapping[str, Joined]) -> Table:
    rows = tuple((name, len(at.steps), at.unanswered, at.unclear) for name, at in joined.items())
    return Table("Steps of the bot", ("class", "timed", "unanswered", "unclear"), rows)
