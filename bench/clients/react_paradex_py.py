# ruff: noqa: INP001 - a script for another environment, not a package
"""Reacts to a step of Paradex's price by the official SDK's own means. For `deltawire bench reaction`.

Runs in the environment of scripts/oracles.sh and imports nothing of this repository. The bare job: subscribe to the
best prices, and at a step send an order over the SDK's WebSocket, signed by the SDK. No limits, no journal, one venue.

Usage: react_paradex_py.py <rest url> <ws url>     with PARADEX_PRIVATE_KEY and SSL_CERT_FILE in the environment
Prints "ready", reacts until standard input ends, prints one line of JSON.
"""

import asyncio
import json
import os
import sys
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from paradex_py import Paradex
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.common.order import Order, OrderSide, OrderType

BTC = "BTC-USD-PERP"
SIZE = Decimal("0.001")
STEP = Decimal("0.002")  # a move of the middle by this part of the price is a step
TICK = Decimal("0.1")


class Reacting:
    def __init__(self, rest_url: str, ws_url: str) -> None:
        self.paradex = Paradex(
            env="testnet",
            l1_address="0x0000000000000000000000000000000000000000",
            l2_private_key=os.environ["PARADEX_PRIVATE_KEY"],
            api_base_url=rest_url,
            ws_url_override=ws_url,
            ws_direct_url_override=ws_url,
            ws_sbe_enabled=True,
            ws_reader_sleep_on_no_connection=0.01,
        )
        self.ws = self.paradex.ws_client
        self.seen = asyncio.Event()
        self.middle = Decimal(0)
        self.sent = self.failed = 0
        self.orders: set[asyncio.Task[Any]] = set()

    async def on_bbo(self, _channel: Any, message: dict[str, Any]) -> None:
        data = message["params"]["data"]
        bid, ask = Decimal(data["bid_price"]), Decimal(data["ask_price"])
        before, self.middle = self.middle, (bid + ask) / 2
        self.seen.set()
        if before and abs(self.middle - before) > before * STEP:
            # After a step up it sells, after the step back it buys: flat again.
            up = self.middle > before
            side, price = (OrderSide.Sell, bid * Decimal("0.99")) if up else (OrderSide.Buy, ask * Decimal("1.01"))
            order = Order(BTC, OrderType.Limit, side, SIZE, price.quantize(TICK), instruction="IOC")
            # Not awaited here: the SDK's reader, which is to bring the answer, waits for this callback.
            task = asyncio.ensure_future(self.ws.submit_order(order))
            self.orders.add(task)
            task.add_done_callback(self.on_answer)

    def on_answer(self, task: asyncio.Task[Any]) -> None:
        self.orders.discard(task)
        self.sent += 1
        self.failed += task.cancelled() or task.exception() is not None


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    client = Reacting(*sys.argv[1:3])
    await client.ws.connect()
    await client.ws.subscribe(Channel.BBO, client.on_bbo, {"market": BTC})
    await asyncio.wait_for(client.seen.wait(), 30)
    say("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    said = {"version": version("paradex-py"), "sent": client.sent, "failed": client.failed}
    say(json.dumps(said))
    os._exit(0)  # the SDK's close() may wait for ever on Python 3.10; nothing is left to save


if __name__ == "__main__":
    asyncio.run(main())
