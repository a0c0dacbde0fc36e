"""A simulated Vest on a clock the test moves by hand: two registered accounts, a sink that writes events down."""

import json
from random import Random
from typing import Any

from tests.unit.sim_market.timers import HandClock

from deltawire.core.money import E8, parse_e8
from deltawire.core.secret import Secret
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Quote
from deltawire.sim.vest_accounts import Session
from deltawire.sim.vest_api import Answer, Drop, Request, VestApi
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_faults import strike_at_once
from deltawire.sim.vest_orders import Order
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.sim.vest_streams import StreamHub
from deltawire.venues.vest import rest, wire
from deltawire.venues.vest.signing import Signer

MS = 10**6
PRIMARY = Signer(Secret("0x" + "11" * 32))
DELEGATE = Signer(Secret("0x" + "22" * 32))
STRANGER = Signer(Secret("0x" + "33" * 32))
SETTINGS = VestSimSettings(
    depth_median_ms=300,
    depth_p90_ms=300,
    unsorted_share=0.0,
    event_first_share=0.0,
    execution_delay_ms=(20, 60),
    account_delay_ms=(200, 500),
    premium_rate_at_million_e8=0,
    funding_rate_at_million_e8=0,
    rate_limit=0,
)


def quote(bid: str, ask: str, size: str = "2") -> Quote:
    return Quote(parse_e8(bid), parse_e8(size), parse_e8(ask), parse_e8(size))


class Socket:
    """A connection as the stream hub sees it; keeps what it was given."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed_with: int | None = None  # 1006: aborted

    def send_text(self, payload: bytes) -> None:
        assert self.closed_with is None, "a frame after the close"
        self.frames.append(json.loads(payload))

    def close(self, code: int) -> None:
        self.closed_with = code

    def abort(self) -> None:
        self.closed_with = 1006

    def on(self, channel: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame.get("channel") == channel]


class World:
    def __init__(self, settings: VestSimSettings = SETTINGS, collateral: int = 100_000) -> None:
        self.clock, self.faults, self.settings = HandClock(), Faults(), settings
        rng = Random(settings.seed)
        self.exchange = VestExchange(
            clock=self.clock,
            call_later=self.clock.call_later,
            rng=rng,
            faults=self.faults,
            settings=settings,
            bases=("BTC", "ETH"),
        )
        self.hub = StreamHub(
            self.exchange, clock=self.clock, call_later=self.clock.call_later, rng=rng, faults=self.faults
        )
        strike_at_once(self.exchange, self.hub, self.faults, self.clock.call_later)
        self.api = VestApi(
            self.exchange,
            call_later=self.clock.call_later,
            rng=rng,
            faults=self.faults,
            on_listen_key_closed=self.hub.listen_key_closed,
        )
        self.exchange.accounts.add(PRIMARY.address, collateral * E8, 0)
        self.api_key = self.register(PRIMARY, DELEGATE)
        self.session: Session = self.exchange.accounts.authenticate(self.api_key, 0)
        self.account = self.session.account
        self.quote("BTC", "60000.00", "60010.00")
        self.quote("ETH", "2500.000", "2500.500")
        self._nonce = self.now_ms

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms()

    def register(self, primary: Signer, delegate: Signer, life_ms: int = 7 * 86_400_000) -> str:
        expiry = self.now_ms + life_ms
        proof = primary.prove(self.settings.verifying_contract, delegate.address, expiry)
        body = wire.Registration(
            signing_addr=delegate.address.lower(),
            primary_addr=primary.address.lower(),
            signature=proof,
            expiry_time=expiry,
            network_type=0,
        )
        return self.exchange.accounts.register(body).api_key

    def quote(self, base: str, bid: str, ask: str, size: str = "2") -> None:
        """Publish a tick and let the picture follow at once."""
        self.exchange.on_quote(base, quote(bid, ask, size))
        self.exchange.pools[f"{base}-PERP"].remake()

    def arm(self, kind: str, **params: object) -> None:
        self.faults.add(Fault("vest", kind, params=params))

    def advance(self, ms: float) -> None:
        self.clock.advance(round(ms * MS))

    def submit(self, side: str = "buy", signer: Signer = DELEGATE, **changes: Any) -> wire.OrderSubmit:
        """Sign an order; limitPrice is generous unless given. recvWindow travels unsigned."""
        self._nonce += 1
        window = changes.pop("recv_window", 5000)
        fields: dict[str, Any] = {
            "time": self.now_ms,
            "nonce": self._nonce,
            "order_type": "MARKET",
            "symbol": "BTC-PERP",
            "is_buy": side == "buy",
            "size": "0.1000",
            "limit_price": "66000.00" if side == "buy" else "54000.00",
            "reduce_only": False,
        } | changes
        order = wire.OrderFields(**fields)
        return wire.OrderSubmit(order=order, signature=signer.sign(rest.signed_order_bytes(order)), recv_window=window)

    def place(self, side: str = "buy", **changes: Any) -> Order:
        return self.exchange.place(self.session, self.submit(side, **changes))

    def trade(self, side: str = "buy", **changes: Any) -> Order:
        """Place an order and let its execution pass."""
        order = self.place(side, **changes)
        self.advance(self.settings.execution_delay_ms[1])
        return order

    def cancel(self, order_id: str, signer: Signer = DELEGATE) -> str:
        self._nonce += 1
        fields = wire.CancelFields(time=self.now_ms, nonce=self._nonce, id=order_id)
        signature = signer.sign(rest.signed_cancel_bytes(fields))
        return self.exchange.cancel(self.session, wire.CancelSubmit(order=fields, signature=signature))

    def call(
        self, method: str, path: str, body: bytes = b"", *, key: str | None = "", group: int | None = 0, **query: str
    ) -> list[Answer | Drop]:
        """Send one REST request; the list fills as the answer comes. key "": the account's own, None: none."""
        headers = {} if group is None else {"xrestservermm": f"restserver{group}"}
        if key is not None:
            headers["x-api-key"] = key or self.api_key
        answers: list[Answer | Drop] = []
        self.api.handle(Request(method, path, query, headers, body), answers.append)
        return answers

    def ask(self, method: str, path: str, body: bytes = b"", **more: Any) -> tuple[int, Any]:
        """Send one REST request that is answered at once; return its status and JSON."""
        [answer] = self.call(method, path, body, **more)
        assert isinstance(answer, Answer)
        return answer.status, json.loads(answer.body)

    def listen(self, *channels: str, private: bool = False, **query: str) -> Socket:
        """Open a stream and subscribe."""
        socket = Socket()
        url = {"version": "1.0", "xwebsocketserver": "restserver0"} | query
        if private:
            url["listenKey"] = self.exchange.accounts.open_listen_key(self.account)
        stream = self.hub.open(url, socket)
        if stream is not None and channels:
            command = {"method": "SUBSCRIBE", "params": list(channels), "id": 1}
            self.hub.on_text(stream, json.dumps(command).encode())
            assert socket.frames.pop() == {"result": None, "id": 1}
        return socket
