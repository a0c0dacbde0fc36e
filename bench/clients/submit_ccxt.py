# ruff: noqa: INP001 - a script for another environment, not a package
"""Sends orders by ccxt over its pooled HTTPS, the one way it has. For `deltawire bench connect`.

Prints how long each took from the call, signature included, to the answer.

Usage: submit_ccxt.py <rest url> <ws url> <orders>   with PARADEX_PRIVATE_KEY, PARADEX_ACCOUNT and SSL_CERT_FILE set
"""

import asyncio
import json
import os
import sys
import time

import ccxt.async_support as ccxt

BTC = "BTC/USD:USDC"
PAUSE_S = 0.02
WARM_UP = 3


async def main() -> None:
    rest_url, ws_url, orders = sys.argv[1], sys.argv[2], int(sys.argv[3])
    account = {"privateKey": os.environ["PARADEX_PRIVATE_KEY"], "address": os.environ["PARADEX_ACCOUNT"]}
    exchange = ccxt.paradex(
        {
            "urls": {"api": {"v1": rest_url, "v2": rest_url.replace("/v1", "/v2"), "ws": ws_url}},
            "options": {"paradexAccount": account},
            "cafile": os.environ["SSL_CERT_FILE"],
            "enableRateLimit": False,
        }
    )
    await exchange.load_markets()
    await exchange.fetch_balance()  # signs in now, and not at the first order
    bid = (await exchange.fetch_ticker(BTC))["bid"]
    took_ns = []
    for number in range(WARM_UP + orders):
        # Never two at one price: ccxt signs whole seconds, so the two could be signed alike, and the venue takes no
        # signed order twice. So far below the market that it cannot fill, and still inside the price band.
        price = float(exchange.price_to_precision(BTC, bid * 0.97 - number))
        await asyncio.sleep(PAUSE_S)
        before_ns = time.perf_counter_ns()
        await exchange.create_order(BTC, "limit", "buy", 0.001, price, {"timeInForce": "IOC"})
        if number >= WARM_UP:
            took_ns.append(time.perf_counter_ns() - before_ns)
    await exchange.close()
    sys.stdout.write(json.dumps({"version": ccxt.__version__, "samples_ns": {"https_pooled": took_ns}}))


if __name__ == "__main__":
    asyncio.run(main())
