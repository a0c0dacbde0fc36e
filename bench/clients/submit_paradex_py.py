# ruff: noqa: INP001 - a script for another environment, not a package
"""Sends orders by the official SDK, over its WebSocket and its pooled HTTPS in turn. For `deltawire bench connect`.

Prints how long each took from the call, signature included, to the answer.

Usage: submit_paradex_py.py <rest url> <ws url> <orders>   with PARADEX_PRIVATE_KEY and SSL_CERT_FILE in the environment
"""

import asyncio
import json
import os
import sys
import time
from decimal import Decimal
from importlib.metadata import version

from paradex_py import Paradex
from paradex_py.common.order import Order, OrderSide, OrderType

BTC = "BTC-USD-PERP"
PAUSE_S = 0.02
WARM_UP = 3


async def main() -> None:
    rest_url, ws_url, orders = sys.argv[1], sys.argv[2], int(sys.argv[3])
    paradex = Paradex(
        env="testnet",
        l1_address="0x0000000000000000000000000000000000000000",
        l2_private_key=os.environ["PARADEX_PRIVATE_KEY"],
        api_base_url=rest_url,
        ws_url_override=ws_url,
        ws_direct_url_override=ws_url,
        ws_sbe_enabled=True,
        ws_reader_sleep_on_no_connection=0.01,
    )
    await paradex.ws_client.connect()
    # So far below the market that it cannot fill, and still inside the venue's price band.
    far = (Decimal(paradex.api_client.fetch_bbo(BTC)["bid"]) * Decimal("0.97")).quantize(Decimal("0.1"))
    took_ns: dict[str, list[int]] = {"ws": [], "https_pooled": []}

    def order() -> Order:
        return Order(BTC, OrderType.Limit, OrderSide.Buy, Decimal("0.001"), far, instruction="IOC")

    for number in range(WARM_UP + orders):
        await asyncio.sleep(PAUSE_S)
        before_ns = time.perf_counter_ns()
        await paradex.ws_client.submit_order(order())
        over_ws_ns = time.perf_counter_ns() - before_ns
        await asyncio.sleep(PAUSE_S)
        before_ns = time.perf_counter_ns()
        paradex.api_client.submit_order(order())
        if number >= WARM_UP:
            took_ns["ws"].append(over_ws_ns)
            took_ns["https_pooled"].append(time.perf_counter_ns() - before_ns)
    sys.stdout.write(json.dumps({"version": version("paradex-py"), "samples_ns": took_ns}))
    sys.stdout.flush()
    os._exit(0)  # the SDK's close() may wait for ever on Python 3.10; nothing is left to save


if __name__ == "__main__":
    asyncio.run(main())
