# ruff: noqa: INP001 - a script for another environment, not a package
"""Signs orders by ccxt and prints how long each took. For `deltawire bench sign`; sends none.

Usage: sign_ccxt.py <rest url> <ws url> <orders>   with PARADEX_PRIVATE_KEY, PARADEX_ACCOUNT, REQUESTS_CA_BUNDLE set
"""

import json
import os
import sys
import time

import ccxt

WARM_UP = 3


def main() -> None:
    rest_url, ws_url, orders = sys.argv[1], sys.argv[2], int(sys.argv[3])
    account = {"privateKey": os.environ["PARADEX_PRIVATE_KEY"], "address": os.environ["PARADEX_ACCOUNT"]}
    exchange = ccxt.paradex(
        {
            "urls": {"api": {"v1": rest_url, "v2": rest_url.replace("/v1", "/v2"), "ws": ws_url}},
            "options": {"paradexAccount": account},
            "enableRateLimit": False,
            "requests_trust_env": True,
        }
    )
    exchange.load_markets()
    exchange.fetch_balance()  # reads the chain's configuration and signs in: not a part of an order's signature
    took_ns = []
    for number in range(WARM_UP + orders):
        request = exchange.create_order_request(
            "ETH/USD:USDC", "limit", "buy", 0.5, 3000 + number, {"timeInForce": "IOC"}
        )
        request.pop("signature", None)
        before_ns = time.perf_counter_ns()
        exchange.sign_order_request(request)
        took_ns.append(time.perf_counter_ns() - before_ns)
    sys.stdout.write(json.dumps({"version": ccxt.__version__, "samples_ns": took_ns[WARM_UP:]}))


if __name__ == "__main__":
    main()
