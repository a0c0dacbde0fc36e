"""The toy venue as a real TLS server on loopback: one account, one price a side, every order over at once.

The exchange's rules and faults; sockets are sim.text_server's. Shares `wire` with the adapter and nothing else.
"""

import asyncio
from collections import Counter
from typing import Any

from examples.toy_venue import wire

from deltawire.core.money import E8, notional_e8, rate_of_e8
from deltawire.core.secret import Secret
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.text_server import TextServer, TextSession
from deltawire.venues.contract import Clock

NAME = "toy"
TICK_E8, STEP_E8, FEE_RATE_E8, MARGIN_RATE_E8 = E8 // 10, E8 // 10_000, 20_000, E8 // 10
CLOCK_MS_MAX = 5_000  # how far a client's clock may be off when it signs in


class ToySim:
    """One market (the market's first base) and one account."""

    def __init__(self, clock: Clock, market: Market, faults: Faults, key: str, secret: Secret, cash_e8: int) -> None:
        self.server = TextServer(self._on_text)
        self.symbol = f"{market.bases[0]}-TOY"
        self.orders: dict[str, list[Any]] = {}  # client id -> as `ask order` answers it
        self.counters: Counter[str] = Counter()
        self.cash_e8, self.held_e8, self.cost_e8, self.fees_e8 = cash_e8, 0, 0, 0
        self._clock, self._faults, self._key, self._secret = clock, faults, key, secret
        self._seq, self._quote = 1, market.last(NAME, market.bases[0]) or Quote(0, 0, 0, 0)
        market.subscribe(NAME, self._on_quote)
        faults.listen(NAME, self._on_armed)

    def _on_text(self, session: TextSession, payload: bytes) -> None:
        match wire.read(payload):
            case ["hello", str(key), int(time_ms), _] as hello if key == self._key:
                if not wire.is_signed(self._secret, hello) or abs(self._now_ms() - time_ms) > CLOCK_MS_MAX:
                    session.drop()
                    return
                session.user = key
                session.send(wire.write("welcome", [self.symbol, TICK_E8, STEP_E8, FEE_RATE_E8]))
            case ["watch", self.symbol] if session.user:
                session.send(self._levels("book", *_sides(self._quote)))
            case ["ask", int(number), "account", _] if session.user:
                session.send(wire.write("answer", number, self._account()))
            case ["ask", int(number), "order", str(client_id)] if session.user:
                session.send(wire.write("answer", number, self.orders.get(client_id)))
            case ["order", str(client_id), *_] as order if session.user:
                self._on_order(session, client_id, order)
            case _:
                session.drop()

    def _on_order(self, session: TextSession, client_id: str, message: list[Any]) -> None:
        """Refuse or execute, and tell of it: in the usual way, or as armed faults want it."""
        if self._faults.take(NAME, "drop_before"):
            session.drop()
            return
        self.counters["orders_received"] += 1
        if refusal := self._refusal(client_id, message):
            session.send(wire.write("no", client_id, *refusal))
            return
        news = self._execute(client_id, *message[5:8])
        ack = [wire.write("ack", client_id, self.orders[client_id][0])]
        if self._faults.take(NAME, "drop_after"):
            session.drop()
            return
        if self._faults.take(NAME, "duplicate_events"):
            news *= 2
        if self._faults.take(NAME, "fill_before_ack"):
            ack, news = [], [*news, *ack]
        if self._faults.take(NAME, "lose_reply"):
            ack = []
        for fault, frames in (("delay_reply", ack), ("late_fill", news)):
            self._later(fault, session, frames)

    def _refusal(self, client_id: str, message: list[Any]) -> tuple[str, str] | None:
        _, _, time_ms, window_ms, symbol, _, size_e8, cap_e8, _ = message
        if fault := self._faults.take(NAME, "reject_order"):
            return fault.params.get("code", "REFUSED"), fault.params.get("text", "refused by a fault")
        if not wire.is_signed(self._secret, message):
            return "BAD_MAC", "the signature does not fit"
        if self._now_ms() > time_ms + window_ms:
            return "TOO_LATE", "its receive window has closed"
        if client_id in self.orders:
            return "DUPLICATE", "this client id was used before"
        if symbol != self.symbol or size_e8 <= 0 or size_e8 % STEP_E8 or cap_e8 % TICK_E8:
            return "BAD_ORDER", "no such market, or an amount off its grid"
        return None

    def _execute(self, client_id: str, side: str, size_e8: int, cap_e8: int) -> list[bytes]:
        """Fill what the quote gives within the cap, and return what is to be told."""
        sign = 1 if side == "BUY" else -1
        [(price_e8, there_e8)] = _sides(self._quote)[sign > 0]  # a buyer takes the offer
        filled_e8 = min(size_e8, there_e8) if price_e8 * sign <= cap_e8 * sign else 0
        if filled_e8 and (fault := self._faults.take(NAME, "partial_fill")):
            filled_e8 = min(filled_e8, size_e8 * int(fault.params.get("fraction_e8", E8 // 2)) // E8)
        paid_e8 = notional_e8(price_e8, filled_e8)
        fee_e8 = rate_of_e8(paid_e8, FEE_RATE_E8)
        self.held_e8 += sign * filled_e8
        self.cost_e8 += sign * paid_e8
        self.cash_e8 -= sign * paid_e8 + fee_e8
        self.fees_e8 += fee_e8
        order_id = f"t{len(self.orders)}"
        reason = "" if filled_e8 == size_e8 else "nothing more within the cap"
        self.orders[client_id] = [order_id, True, filled_e8, paid_e8, fee_e8, reason]
        fill = wire.write("fill", client_id, f"f-{order_id}", price_e8, filled_e8, fee_e8)
        return [*([fill] if filled_e8 else []), wire.write("done", client_id, filled_e8, reason)]

    @property
    def equity_e8(self) -> int:
        mid_e8 = (self._quote.bid_price_e8 + self._quote.ask_price_e8) // 2
        return self.cash_e8 + notional_e8(mid_e8, self.held_e8)

    def _account(self) -> list[Any]:
        """Return equity, what of it is free, and what is held: symbol, size, net cost over net size."""
        held = [[self.symbol, self.held_e8, self.cost_e8 * E8 // self.held_e8]] if self.held_e8 else []
        return [self.equity_e8, self.equity_e8 - rate_of_e8(abs(self.cost_e8), MARGIN_RATE_E8), held]

    def _on_quote(self, _base: str, quote: Quote) -> None:
        gone = [[(price_e8, 0) for price_e8, _ in side] for side in _sides(self._quote)]
        self._quote, self._seq = quote, self._seq + 1
        if self._faults.take(NAME, "gap"):
            return
        bids, asks = _sides(quote)
        for session in self.server.sessions:
            session.send(self._levels("delta", gone[0] + bids, gone[1] + asks))

    def _levels(self, kind: str, bids: wire.Levels, asks: wire.Levels) -> bytes:
        return wire.write(kind, self.symbol, self._seq, self._now_ms(), bids, asks)

    def _on_armed(self, fault: Fault) -> None:
        if fault.kind == "drop_stream" and self._faults.take(NAME, fault.kind):
            for session in list(self.server.sessions):
                session.drop()

    def _later(self, kind: str, session: TextSession, frames: list[bytes]) -> None:
        fault = self._faults.take(NAME, kind)
        delay_s = 0 if fault is None else fault.params.get("ms", 1_000) / 1e3
        for frame in frames:
            asyncio.get_running_loop().call_later(delay_s, session.send, frame)

    def _now_ms(self) -> int:
        return self._clock.unix_ns() // 1_000_000


def _sides(quote: Quote) -> tuple[wire.Levels, wire.Levels]:
    return [(quote.bid_price_e8, quote.bid_size_e8)], [(quote.ask_price_e8, quote.ask_size_e8)]
