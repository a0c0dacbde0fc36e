"""The same order, three ways to the venue: over a warm WebSocket, a pooled HTTPS connection, and a cold one.

A sample is the time from the call to the first byte of the answer handed to us, TCP and TLS handshakes included where
the case makes them. Cases and distances take turns, in a new order each round, with a pause before each sample, so that
each finds a sleeping machine as an order in real life does. Every answer is checked, and so is every claim of reuse.

Ours, and the floor of any client at that distance. Beside it, in the same run at the same distances, what the official
SDK paradex-py and ccxt take for an order at the simulated Paradex, where their environment is there: from the call,
their signature and the venue's check of it included, to the answer.

Left out of ours: signing (the order is signed once), the venue's own work (the peer does next to none), packet loss.
"""

import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from deltawire.bench import others, rig
from deltawire.bench.figures import Report, figures, machine
from deltawire.core.types import Side
from deltawire.net.api import HttpResponse, PoolSettings
from deltawire.net.loop import run
from deltawire.net.sockets import SocketNetwork
from deltawire.net.tls import client_context
from deltawire.venues.paradex import rpc

WS, POOLED, COLD = "ws_warm", "https_pooled", "https_cold"
_WARM_UP = 3
_TIMEOUT_S = 10.0
_TARGET, _WARM_TARGET = "/v1/orders", "/v1/system/time"
_HEADERS = b"Content-Type: application/json\r\n"
_POOL = PoolSettings(connections=1, keepalive_s=30.0, connect_timeout_s=_TIMEOUT_S, request_timeout_s=_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Peer:
    """Where the venue is reached at one distance."""

    rtt_ms: float
    ws_url: str
    origin: str


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    rtts_ms: tuple[float, ...] = (0.0, 80.0)
    rounds: int = 60  # samples of each case at each distance
    pause_ms: float = 2.0
    other_orders: int = 20  # of each client we did not write, at each distance; 0: they are left out
    seed: int = 1


def bench_connect(settings: ConnectSettings | None = None) -> Report:
    """Start the peer, measure, stop it. Raises RuntimeError when the peer does not come up."""
    chosen = settings or ConnectSettings()
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name, _peers(chosen.rtts_ms, Path(name)) as peers:
        samples = run(measure(peers, str(Path(name) / "ca.pem"), chosen))
    theirs = run(_others(chosen))
    return _report(samples | theirs.samples, chosen, theirs)


async def measure(peers: Sequence[Peer], ca_file: str, settings: ConnectSettings) -> dict[str, list[int]]:
    """Return the samples in ns by case and distance, such as "ws_warm_80ms". Usable against any venue of the shape."""
    # The first byte of an answer counts, so both transports read the clock at the same place: net's received stamp.
    rng = random.Random(settings.seed)  # noqa: S311  the order of cases
    network = SocketNetwork(now_ns=time.monotonic_ns, ssl_context=client_context(ca_file), rng=rng)
    async with contextlib.AsyncExitStack() as stack:
        cases: dict[str, Callable[[], Awaitable[int]]] = {}
        for peer in peers:
            for kind, case in (await stack.enter_async_context(_lane(network, peer))).items():
                cases[f"{kind}_{peer.rtt_ms:g}ms"] = case
        samples: dict[str, list[int]] = {name: [] for name in cases}
        names = list(cases)
        for i in range(_WARM_UP + settings.rounds):
            rng.shuffle(names)
            for name in names:
                await asyncio.sleep(settings.pause_ms / 1e3)
                took_ns = await asyncio.wait_for(cases[name](), _TIMEOUT_S)
                if i >= _WARM_UP:
                    samples[name].append(took_ns)
    return samples


@dataclass(slots=True)
class _Others:
    """What clients we did not write take at each distance, or why they are not there."""

    samples: dict[str, list[int]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


async def _others(settings: ConnectSettings) -> _Others:
    found = _Others()
    if not settings.other_orders:
        found.missing.append("paradex-py and ccxt: left out by setting")
        return found
    for rtt_ms in settings.rtts_ms:
        with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
            async with rig.simulators(Path(name), f"seed: 1\nrtt_ms: {rtt_ms:g}\n", apart=False) as ready:
                for package in others.PACKAGES:
                    script = f"submit_{package.replace('-', '_')}.py"
                    said = await others.said(package, script, ready, str(settings.other_orders))
                    if isinstance(said, str):
                        found.missing += [said] if said not in found.missing else []
                        continue
                    found.versions[package] = said["version"]
                    for way, taken in said["samples_ns"].items():
                        found.samples[f"{package} {way}_{rtt_ms:g}ms"] = taken
    return found


@contextlib.asynccontextmanager
async def _lane(network: SocketNetwork, peer: Peer) -> AsyncIterator[dict[str, Callable[[], Awaitable[int]]]]:
    """Open the warm connections to one peer and yield its cases; each returns ns from call to first byte."""
    orders = _Orders()
    answers = _Answers()
    socket = await network.connect_ws(peer.ws_url, answers, timeout_s=_TIMEOUT_S)
    warm = network.http_pool(peer.origin, _POOL, _WARM_TARGET, b"")
    await warm.warm()
    cold = network.http_pool(peer.origin, _POOL, _WARM_TARGET, b"")  # never warmed: each request opens its own

    async def over_ws() -> int:
        order_id, order = orders.next()
        answer = answers.expect(order_id)
        before_ns = time.monotonic_ns()
        socket.send_text(order)
        return await answer - before_ns

    async def over(pool_request: Callable[[str, str, bytes, bytes], Awaitable[HttpResponse]], *, reused: bool) -> int:
        order_id, order = orders.next()
        before_ns = time.monotonic_ns()
        response = await pool_request("POST", _TARGET, _HEADERS, order)
        _check(response.body, order_id)
        if response.status != 200 or response.reused is not reused:
            raise AssertionError(f"status {response.status}, reused {response.reused}: not the case it is called")
        return response.received_mono_ns - before_ns

    try:
        yield {
            WS: over_ws,
            POOLED: lambda: over(warm.request, reused=True),
            COLD: lambda: over(cold.request, reused=False),
        }
    finally:
        socket.close()
        await socket.wait_closed()
        await warm.close()
        await cold.close()


class _Orders:
    """The same signed order again and again, under new request ids."""

    def __init__(self) -> None:
        self._id = 0

    def next(self) -> tuple[int, bytes]:
        self._id += 1
        return self._id, rpc.encode_order_create(
            self._id,
            market="ETH-USD-PERP",
            side=Side.BUY,
            size_e8=50_000_000,
            price_e8=300_010_000_000,
            # Of the right length and no value: the peer does not verify.
            signature=f'["{10**75 - 1}","{10**75 - 1}"]',
            signature_timestamp_ms=1_763_800_000_000,
            client_id="bench-1-P-1",
        )


class _Answers:
    """The WebSocket's handler: gives an answer's stamp to whoever waits for it."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}

    def expect(self, order_id: int) -> asyncio.Future[int]:
        self._waiting[order_id] = asyncio.get_running_loop().create_future()
        return self._waiting[order_id]

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        answer = rpc.decode_server(payload)
        assert isinstance(answer, rpc.Reply)
        assert answer.id is not None
        self._waiting.pop(answer.id).set_result(received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        raise AssertionError(f"{len(payload)} binary bytes at {received_mono_ns}: the peer sends none")

    def on_closed(self, code: int, reason: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"closed: {code} {reason}"))


def _check(body: bytes, order_id: int) -> None:
    answer = rpc.decode_server(body)
    if not isinstance(answer, rpc.Reply) or answer.id != order_id:
        raise AssertionError(f"order {order_id} got another's answer, or an error")
    rpc.decode_order_result(answer.result)


def _report(samples: Mapping[str, list[int]], settings: ConnectSettings, others_found: _Others) -> Report:
    results = {name: figures(taken, "ms") for name, taken in samples.items()}
    ratios = {}
    for rtt_ms in settings.rtts_ms:
        ws, pooled, cold = (results[f"{kind}_{rtt_ms:g}ms"].p50 for kind in (WS, POOLED, COLD))
        ratios[f"{COLD}/{WS} at {rtt_ms:g} ms"] = cold / ws
        ratios[f"{COLD}/{POOLED} at {rtt_ms:g} ms"] = cold / pooled
        ratios[f"{POOLED}/{WS} at {rtt_ms:g} ms"] = pooled / ws
        if rtt_ms:
            ratios[f"deltawire {WS}/round trip of {rtt_ms:g} ms"] = ws / rtt_ms
            ratios[f"deltawire {POOLED}/round trip of {rtt_ms:g} ms"] = pooled / rtt_ms
    return Report(
        "connect",
        {
            "rtts_ms": list(settings.rtts_ms),
            "rounds": settings.rounds,
            "warm_up": _WARM_UP,
            "pause_ms": settings.pause_ms,
            "seed": settings.seed,
            "loop": "uvloop, sleeping",
            "order_bytes": len(_Orders().next()[1]),
            "peer": "echo in a process of its own, TLS; simulated network in front of it where the round trip is not 0",
            **others_found.versions,
            **machine(),
        },
        results,
        ratios,
        others_found.missing,
    )


@contextlib.contextmanager
def _peers(rtts_ms: Sequence[float], folder: Path) -> Iterator[list[Peer]]:
    """Run the peer process; it ends when its standard input closes, so it cannot outlive us."""
    command = [sys.executable, "-m", "deltawire.bench.peer", "--folder", str(folder), "--rtt-ms"]
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [*command, *(f"{rtt_ms:g}" for rtt_ms in rtts_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the benchmark's peer ended with code {process.wait()} before it was ready")
            ready = msgspec.json.decode(line)["peers"]
            yield [
                Peer(at["rtt_ms"], f"wss://127.0.0.1:{at['ws']}/v1", f"https://127.0.0.1:{at['http']}") for at in ready
            ]
        finally:
            process.stdin.close()
            process.wait()
