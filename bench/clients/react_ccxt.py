# ruff: noqa: INP001 - a script for another environment, not a package
"""Reacts to a step of Paradex's price by ccxt's own means. For `deltawire bench reaction`.

Runs in the environment of scripts/oracles.sh and imports nothing of this repository. The bare job: watch the order book
(ccxt.pro has no channel of best prices here, and the venue sends the book every 50 ms; the time counts from the book's
frame), and at a step send an order, which ccxt does over HTTPS. No limits, no journal, one venue.

Usage: react_ccxt.py <rest url> <ws url>     with PARADEX_PRIVATE_KEY, PARADEX_ACCOUNT and SSL_CERT_FILE set
Prints "ready", reacts until standard input ends, prints one line of JSON.
"""

import asyncio
import json
import os
import sys
from typing import Any

import ccxt.pro

BTC = "BTC/USD:USDC"
SIZE = 0.001
STEP = 0.002  # a move of the middle by this part of the price is a step


class Reacting:
    def __init__(self, rest_url: str, ws_url: str) -> None:
        account = {"privateKey": os.environ["PARADEX_PRIVATE_KEY"], "address": os.environ["PARADEX_ACCOUNT"]}
        self.exchange = ccxt.pro.paradex(
            {
                "urls": {"api": {"v1": rest_url, "v2": rest_url.replace("/v1", "/v2"), "ws": ws_url}},
                "options": {"paradexAccount": account},
                "cafile": os.environ["SSL_CERT_FILE"],
                "enableRateLimit": False,
            }
        )
        self.ready = asyncio.Event()
        self.sent = self.failed = 0
        self.orders: set[asyncio.Task[Any]] = set()

    async def react(self) -> None:
        before = 0.0
        while True:
            book = await self.exchange.watch_order_book(BTC)
            bid, ask = book["bids"][0][0], book["asks"][0][0]
            middle = (bid + ask) / 2
            if before and abs(middle - before) > before * STEP:
                side, price = ("sell", bid * 0.99) if middle > before else ("buy", ask * 1.01)
                task = asyncio.ensure_future(self.order(side, price))
                self.orders.add(task)
                task.add_done_callback(self.orders.discard)
            before = middle
            self.ready.set()

    async def order(self, side: str, price: float) -> None:
        try:
            await self.exchange.create_order(
                BTC, "limit", side, SIZE, float(self.exchange.price_to_precision(BTC, price)), {"timeInForce": "IOC"}
            )
        except ccxt.BaseError:
            self.failed += 1
        self.sent += 1


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    client = Reacting(*sys.argv[1:3])
    await client.exchange.load_markets()
    await client.exchange.fetch_balance()  # signs in now, and not at the first order
    reacting = asyncio.ensure_future(client.react())
    await asyncio.wait_for(client.ready.wait(), 60)
    say("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    reacting.cancel()
    await asyncio.gather(*client.orders, return_exceptions=True)
    await client.exchange.close()
    say(json.dumps({"version": ccxt.__version__, "sent": client.sent, "failed": client.failed}))


if __name__ == "__main__":
    asyncio.run(main())
