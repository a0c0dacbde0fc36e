"""The whole simulated Paradex in memory, on a hand-moved clock: REST and WebSocket without sockets."""

from typing import Any

import orjson
from tests.unit.sim_paradex.venue import ALICE, BTC, ONE_LEVEL, HandClock, e8, quote

from deltawire.core.money import E8
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_http import HttpAnswer, HttpCall
from deltawire.sim.paradex_rules import CHAIN_ID, ParadexSimSettings
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.signing import Signer

SIGNER = Signer(Secret("0x123456789"), f"0x{ALICE:x}", CHAIN_ID)


class World:
    """A venue with one funded account and a quoted BTC market; its timers run when the clock is moved."""

    def __init__(self, settings: ParadexSimSettings = ONE_LEVEL, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.market, self.faults = Market(("BTC", "ETH")), Faults()
        self.venue = SimulatedParadex(
            clock=self.clock,
            call_later=self.clock.call_later,
            market=self.market,
            faults=self.faults,
            settings=settings,
        )
        self.exchange = self.venue.exchange
        self.account = self.exchange.add_account(ALICE, SIGNER.public_key, 100_000 * E8)
        self.market.publish("paradex", "BTC", quote())
        self.venue.start()

    @property
    def now_ms(self) -> int:
        return self.clock.unix_ns() // 1_000_000

    def token(self, rank: Rank = Rank.PRO) -> str:
        return self.venue._parts.tokens.issue(self.account, rank)

    def tick(self, bid: str, ask: str) -> None:
        self.market.publish("paradex", "BTC", quote(bid, ask))

    def fault(self, kind: str, **params: Any) -> None:
        self.faults.add(Fault("paradex", kind, params=params))

    def http(self, method: str, path: str, token: str = "", body: Any = None, **query: str) -> "Answer":
        """Send one request; it must be answered at once."""
        answers: list[HttpAnswer] = []
        headers = {"AUTHORIZATION": f"Bearer {token}"} if token else {}
        raw = b"" if body is None else orjson.dumps(body)
        self.venue.rest.handle(HttpCall(method, path, query, headers, raw), answers.append)
        [answer] = answers
        return Answer(answer)

    def order(self, side: Side, size: str, price: str = "0", **fields: Any) -> dict[str, Any]:
        """Return the signed parameters of one order, IOC unless named; price "0" is a market order."""
        kind = fields.get("type", "LIMIT" if price != "0" else "MARKET")
        signed_ms = fields.pop("signature_timestamp", self.now_ms)
        return {
            "market": BTC,
            "side": side.name,
            "type": kind,
            "size": size,
            "instruction": "IOC",
            "signature": SIGNER.sign_order(signed_ms, BTC, side, kind, e8(size), e8(price)),
            "signature_timestamp": signed_ms,
            **({"price": price} if kind.endswith("LIMIT") else {}),
            **fields,
        }

    def connect(
        self, *channels: str, rank: Rank | None = None, version: int = sbe.SCHEMA_VERSION, token: str = ""
    ) -> "Wire":
        """Open a connection; rank: signed in with a token of that class."""
        wire = Wire()
        wire.session = self.venue.connect(wire, version)
        if rank is not None or token:
            assert "result" in wire.call("auth", bearer=token or self.token(Rank.PRO if rank is None else rank))
        for channel in channels:
            assert wire.call("subscribe", channel=channel)["result"] == {"channel": channel}
        return wire


class Answer:
    def __init__(self, answer: HttpAnswer) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.body: Any = orjson.loads(answer.body) if answer.body else None


class Wire:
    """The client's end of one connection: what it was sent, in order."""

    session: Any

    def __init__(self) -> None:
        self.unsent = 0
        self.texts: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.aborted = False
        self.closed_with = 0
        self._ids = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its answer, which must come at once."""
        self._ids += 1
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        self.session.on_text(orjson.dumps(request), 0)
        [answer] = [text for text in self.texts if text.get("id") == self._ids]
        return answer

    def records(self, kind: type | None = None) -> list[Any]:
        decoded = [sbe.decode(frame) for frame in self.frames]
        return [record for record in decoded if kind is None or isinstance(record, kind)]

    def data(self, channel: str) -> list[dict[str, Any]]:
        """Return what a JSON channel has told."""
        told = [text["params"] for text in self.texts if text.get("method") == "subscription"]
        return [params["data"] for params in told if params["channel"] == channel]

    def send_text(self, payload: bytes) -> None:
        self.texts.append(orjson.loads(payload))

    def send_binary(self, payload: bytes) -> None:
        self.frames.append(payload)

    def abort(self) -> None:
        self.aborted = True

    def close(self, code: int) -> None:
        self.closed_with = code
