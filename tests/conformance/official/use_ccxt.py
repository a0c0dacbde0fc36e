"""Uses a Paradex by ccxt, the public trading library, and prints what it saw as one JSON document.

Runs in the environment of scripts/oracles.sh and imports nothing of this repository: `ccxt` as it is published, REST by
its blocking class and WebSocket by ccxt.pro; told where the venue is by its documented `urls`, who trades by its option
`paradexAccount`. The CA comes by REQUESTS_CA_BUNDLE for REST and by `cafile` for WebSocket.

Usage: use_ccxt.py <rest url> <ws url>
       with PARADEX_PRIVATE_KEY, PARADEX_ACCOUNT and SSL_CERT_FILE in the environment
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any

import ccxt
import ccxt.pro
from unmodified import modified_files

BTC = "BTC/USD:USDC"
SIZE = 0.01
WITHIN_S = 60.0


def settings(rest_url: str, ws_url: str) -> dict[str, Any]:
    account = {"privateKey": os.environ["PARADEX_PRIVATE_KEY"], "address": os.environ["PARADEX_ACCOUNT"]}
    return {
        "urls": {"api": {"v1": rest_url, "v2": rest_url.replace("/v1", "/v2"), "ws": ws_url}},
        "options": {"paradexAccount": account},
        "cafile": os.environ["SSL_CERT_FILE"],
        "enableRateLimit": False,
        "requests_trust_env": True,  # else requests is told to take no CA from the environment
    }


def price(exchange: Any, side: str, percent: int) -> float:
    best = exchange.fetch_ticker(BTC)
    on, towards = (best["ask"], 1) if side == "buy" else (best["bid"], -1)
    return float(exchange.price_to_precision(BTC, on * (100 + towards * percent) / 100))


def over_rest(exchange: Any) -> dict[str, Any]:
    def order(side: str, percent: int, client_id: str, **params: Any) -> Any:
        params["clientOrderId"] = client_id
        return exchange.create_order(BTC, "limit", side, SIZE, price(exchange, side, percent), params)

    taken = order("buy", 1, "ioc", timeInForce="IOC")
    positions = exchange.fetch_positions()
    resting = order("buy", -3, "gtc")
    open_orders = exchange.fetch_open_orders(BTC)
    found = exchange.fetch_order(resting["id"])
    by_client_id = exchange.fetch_order("", None, {"clientOrderId": "gtc"})
    edited = exchange.edit_order(resting["id"], BTC, "limit", "buy", SIZE, price(exchange, "buy", -4))
    cancelled = exchange.cancel_order(resting["id"])
    # Not two at one price: ccxt signs whole seconds, so the two could be signed alike, and no order is taken twice.
    again = [order("sell", -2 - n, f"again-{n}") for n in range(2)]
    exchange.cancel_order("", None, {"clientOrderId": "again-0"})
    cancel_all = exchange.cancel_all_orders(BTC)
    none_left = exchange.fetch_open_orders()
    batch = exchange.create_orders(
        [
            {
                "symbol": BTC, "type": "limit", "side": "sell", "amount": SIZE,
                "price": price(exchange, "sell", -percent),
            }
            for percent in (5, 6)
        ]
    )  # fmt: skip
    cancel_batch = exchange.cancel_orders([one["id"] for one in batch])
    back = exchange.create_order(BTC, "market", "sell", SIZE, None, {"reduceOnly": True, "clientOrderId": "back"})
    refused = {}
    for name, attempt in {
        "duplicate": lambda: order("buy", -3, "ioc"),
        "unknown": lambda: exchange.fetch_order("1795000000150201709220570002"),
    }.items():
        try:
            refused[name] = attempt()
        except ccxt.BaseError as e:
            refused[name] = f"{type(e).__name__}: {e}"
    return {
        "taken": taken, "positions": positions, "resting": resting, "open_orders": open_orders, "found": found,
        "by_client_id": by_client_id, "edited": edited, "cancelled": cancelled, "again": again,
        "cancel_all": cancel_all, "none_left": none_left, "batch": batch, "cancel_batch": cancel_batch, "back": back,
        "orders": exchange.fetch_orders(BTC), "my_trades": exchange.fetch_my_trades(BTC), "refused": refused,
    }  # fmt: skip


def reads(exchange: Any) -> dict[str, Any]:
    return {
        "time": exchange.fetch_time(),
        "status": exchange.fetch_status(),
        "markets": exchange.fetch_markets(),
        "trading_fee": exchange.fetch_trading_fee(BTC),
        "ticker": exchange.fetch_ticker(BTC),
        "tickers": exchange.fetch_tickers(),
        "book": exchange.fetch_order_book(BTC, 3),
        "trades": exchange.fetch_trades(BTC),
        "balance": exchange.fetch_balance(),
        "funding_rate": exchange.fetch_funding_rate(BTC),
        "funding_rate_history": exchange.fetch_funding_rate_history(BTC),
        "funding_history": exchange.fetch_funding_history(BTC),
        "open_interest": exchange.fetch_open_interest(BTC),
        "margin_mode": exchange.fetch_margin_mode(BTC),
        "leverage": exchange.fetch_leverage(BTC),
        "deposits": exchange.fetch_deposits(),
    }


async def over_websocket(exchange: Any) -> dict[str, Any]:
    """Watch all channels ccxt has while one IOC order goes there and one back."""
    await exchange.load_markets()
    book = as_seen(await in_time(exchange.watch_order_book(BTC)))
    ticker = await in_time(exchange.watch_ticker(BTC))
    funding = await in_time(exchange.watch_funding_rate(BTC))
    news = [
        asyncio.create_task(in_time(watching))
        for watching in (
            exchange.watch_trades(BTC), exchange.watch_orders(BTC), exchange.watch_my_trades(BTC),
            exchange.watch_positions([BTC]), exchange.watch_balance(),
        )
    ]  # fmt: skip
    url = exchange.get_ws_url()
    while not {"orders.BTC-USD-PERP", "account"} <= set(exchange.client(url).subscriptions):  # noqa: ASYNC110  no event tells
        await asyncio.sleep(0.02)
    await in_time(exchange.fetch_balance())  # a round trip later the venue has read the subscriptions too
    taken = await exchange.create_order(
        BTC, "limit", "buy", SIZE, round(book["asks"][0][0] * 1.01, 1), {"timeInForce": "IOC"}
    )
    trades, orders, my_trades, positions, balance = as_seen(await asyncio.gather(*news))
    await exchange.create_order(BTC, "market", "sell", SIZE, None, {"reduceOnly": True})
    return {
        "url": url, "taken": taken, "book": book, "ticker": ticker, "funding": funding, "trades": trades,
        "orders": orders, "my_trades": my_trades, "positions": positions, "balance": balance,
    }  # fmt: skip


def as_seen(what: Any) -> Any:
    """Return a copy: ccxt goes on writing into what it has handed out."""
    return json.loads(json.dumps(what, default=str))


async def in_time(what: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(what, WITHIN_S)


async def main() -> dict[str, Any]:
    rest, streaming = ccxt.paradex(settings(*sys.argv[1:3])), ccxt.pro.paradex(settings(*sys.argv[1:3]))
    report: dict[str, Any] = {"version": ccxt.__version__, "modified": modified_files("ccxt", "ccxt/")}
    report["rest"] = over_rest(rest)
    report["reads"] = reads(rest)
    try:
        report["ws"] = await over_websocket(streaming)
    finally:
        await streaming.close()
    return report


if __name__ == "__main__":
    json.dump(asyncio.run(main()), sys.stdout, default=str)
