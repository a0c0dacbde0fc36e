"""Uses a Paradex as the official SDK's documentation shows it, and prints what it saw as one JSON document.

Runs in the environment of scripts/oracles.sh and imports nothing of this repository: `paradex-py` as it is published,
told by its documented constructor arguments where the venue is. The CA comes by SSL_CERT_FILE.

Usage: use_paradex_py.py <rest url> <ws url>       with PARADEX_PRIVATE_KEY in the environment
"""

import asyncio
import json
import os
import sys
import time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from paradex_py import Paradex
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.api.ws_client import WsRpcError
from paradex_py.common.order import Order, OrderSide, OrderType
from unmodified import modified_files

BTC, ETH = "BTC-USD-PERP", "ETH-USD-PERP"
SIZE = Decimal("0.01")
WITHIN_S = 60.0
NO_L1_ADDRESS = "0x0000000000000000000000000000000000000000"  # needed by the constructor, used for L1 calls only

PUBLIC = {
    "bbo": (Channel.BBO, {"market": BTC}),
    "book": (Channel.ORDER_BOOK, {"market": BTC, "feed_type": "deltas", "refresh_rate": "50ms"}),
    "trades": (Channel.TRADES, {"market": BTC}),
    "summary": (Channel.MARKETS_SUMMARY, {"market": BTC}),
    "funding": (Channel.FUNDING_DATA, {"market": BTC}),
}
PRIVATE = {
    "orders": (Channel.ORDERS, {"market": "ALL"}),
    "fills": (Channel.FILLS, {"market": "ALL"}),
    "positions": (Channel.POSITIONS, {}),
    "account": (Channel.ACCOUNT, {}),
}


class Client:
    def __init__(self, rest_url: str, ws_url: str, **auth_params: str) -> None:
        self.paradex = Paradex(
            env="testnet",
            l1_address=NO_L1_ADDRESS,
            l2_private_key=os.environ["PARADEX_PRIVATE_KEY"],
            api_base_url=rest_url,
            ws_url_override=ws_url,
            ws_direct_url_override=ws_url,
            ws_sbe_enabled=True,
            server_derive_address=bool(auth_params),  # the address: derived here, and by the venue, both ways used once
            auth_params=auth_params or None,
            ws_reader_sleep_on_no_connection=0.01,  # default 1 s: the reader looks for its connection so often
        )
        self.rest = self.paradex.api_client
        self.ws = self.paradex.ws_client
        self.seen: dict[str, list[dict[str, Any]]] = {name: [] for name in (*PUBLIC, *PRIVATE)}

    async def connect(self) -> bool:
        connected: bool = await self.ws.connect()
        for name, (channel, params) in (PUBLIC | PRIVATE).items():

            async def keep(_channel: Any, message: dict[str, Any], name: str = name) -> None:
                self.seen[name].append(message["params"]["data"])

            await self.ws.subscribe(channel, keep, params)
        await self.until(
            lambda: len(self.ws.get_subscriptions()) == len(PUBLIC | PRIVATE), "every channel is confirmed"
        )
        quiet = {"trades"}  # until somebody trades
        await self.until(lambda: all(self.seen[name] for name in set(PUBLIC) - quiet), "every public channel speaks")
        return connected

    async def until(self, done: Any, what: str) -> Any:
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if got := done():
                return got
            await asyncio.sleep(0.01)
        raise TimeoutError(what)

    async def order_news(self, order_id: str, status: str) -> Any:
        def news() -> Any:
            return [o for o in self.seen["orders"] if o["order_id"] == order_id and o["status"] == status]

        return (await self.until(news, f"order {order_id} is {status}"))[-1]

    async def fill_news(self, order_id: str) -> Any:
        return (await self.until(lambda: [f for f in self.seen["fills"] if f["order_id"] == order_id], "a fill"))[-1]

    async def position_news(self, last_fill_id: str) -> Any:
        def news() -> Any:
            return [p for p in self.seen["positions"] if p["last_fill_id"] == last_fill_id]

        return (await self.until(news, "the position after the fill"))[-1]

    def price(self, side: OrderSide, percent: int) -> Decimal:
        """Return a price so many percent worse (above zero) or better for the other side than the best of the book."""
        best = self.rest.fetch_bbo(BTC)
        on, towards = (best["ask"], 1) if side is OrderSide.Buy else (best["bid"], -1)
        return (Decimal(on) * (100 + towards * percent) / 100).quantize(Decimal("0.1"))

    def order(self, side: OrderSide, percent: int, instruction: str = "GTC", **more: Any) -> Order:
        limit_price = self.price(side, percent)
        return Order(BTC, OrderType.Limit, side, SIZE, limit_price, instruction=instruction, **more)


async def over_websocket(client: Client) -> dict[str, Any]:
    """Place, change and cancel by JSON-RPC; the news comes as SBE frames."""
    ws = client.ws
    taken = await ws.submit_order(client.order(OrderSide.Buy, 1, "IOC", client_id="ws-ioc"))
    closed = await client.order_news(taken["order"]["id"], "CLOSED")
    fill = await client.fill_news(taken["order"]["id"])
    position = await client.position_news(fill["fill_id"])

    resting = await ws.submit_order(client.order(OrderSide.Buy, -3, client_id="ws-gtc"))
    resting_id = resting["order"]["id"]
    await client.order_news(resting_id, "OPEN")
    changed = client.order(OrderSide.Buy, -4)
    changed.id = resting_id
    modified = await ws.modify_order(resting_id, changed)
    cancelled = await ws.cancel_order(modified["order"]["id"])
    gone = await client.order_news(modified["order"]["id"], "CLOSED")

    batch = await ws.submit_orders_batch(
        [client.order(OrderSide.Sell, -3, client_id=f"ws-batch-{n}") for n in range(3)]
    )
    ids = [result["order"]["id"] for result in batch["results"]]
    for order_id in ids:
        await client.order_news(order_id, "OPEN")
    by_client_id = await ws.cancel_order_by_client_id("ws-batch-0", BTC)
    cancel_batch = await ws.cancel_orders_batch([ids[1], ids[0], "1"])
    cancel_all = await ws.cancel_all_orders()
    for order_id in ids:
        await client.order_news(order_id, "CLOSED")

    post_only = await ws.submit_order(client.order(OrderSide.Buy, 1, "POST_ONLY"))
    crossed = await client.order_news(post_only["order"]["id"], "CLOSED")
    market = await ws.submit_order(
        Order(BTC, OrderType.Market, OrderSide.Sell, SIZE, instruction="IOC", reduce_only=True)
    )
    await client.order_news(market["order"]["id"], "CLOSED")
    market_fill = await client.fill_news(market["order"]["id"])
    flat = await client.position_news(market_fill["fill_id"])
    return {
        "taken": taken, "closed": closed, "fill": fill, "position": position,
        "resting": resting, "modified": modified, "cancelled": cancelled, "gone": gone,
        "batch": batch, "by_client_id": by_client_id, "cancel_batch": cancel_batch, "cancel_all": cancel_all,
        "crossed": crossed, "market": market, "market_fill": market_fill, "flat": flat,
    }  # fmt: skip


async def refusals_over_websocket(client: Client) -> dict[str, Any]:
    """What the venue must refuse, as the SDK reports it: code, message, data."""
    forged = client.order(OrderSide.Buy, 1, "IOC")

    class ForgingSigner:
        def sign_order(self, order: dict[str, Any]) -> dict[str, Any]:
            return {**order, "signature": '["1","1"]'}

    too_small = Order(BTC, OrderType.Limit, OrderSide.Buy, Decimal("0.000011"), client.price(OrderSide.Buy, 1))
    refused = {}
    for name, attempt in {
        "forged": client.ws.submit_order(forged, signer=ForgingSigner()),
        "too_small": client.ws.submit_order(too_small),
        "duplicate": client.ws.submit_order(client.order(OrderSide.Buy, 1, "IOC", client_id="ws-ioc")),
        "unknown": client.ws.cancel_order("1795000000150201709220570002"),
    }.items():
        try:
            refused[name] = {"result": await attempt}
        except WsRpcError as e:
            refused[name] = {"code": e.code, "message": e.message, "data": e.data}
    return refused


async def silence(client: Client) -> None:
    """Leave every channel before a close, and wait until nothing comes.

    On Python 3.10 the SDK's close() may else wait for ever: asyncio.wait_for loses a cancellation that meets a frame.
    """
    for name in client.ws.get_subscriptions():
        await client.ws.unsubscribe_by_name(name)

    async def is_silent() -> bool:
        before = sum(map(len, client.seen.values()))
        await asyncio.sleep(0.3)
        return sum(map(len, client.seen.values())) == before

    while not await is_silent():
        pass


async def cancel_on_disconnect(client: Client) -> dict[str, Any]:
    armed = await client.ws.cancel_on_disconnect(True)
    order = await client.ws.submit_order(client.order(OrderSide.Buy, -3, client_id="cod"))
    await client.order_news(order["order"]["id"], "OPEN")
    await silence(client)
    await client.ws.close()

    def is_gone() -> Any:
        found = client.rest.fetch_orders_history({"client_id": "cod"})["results"]
        return [one for one in found if one["status"] == "CLOSED"]

    return {"armed": armed, "after": (await client.until(is_gone, "the order is cancelled"))[0]}


async def interactive() -> dict[str, Any]:
    """Trade one order there and back with a Retail token, as the SDK's documentation has it: free, and late."""
    client = Client(*sys.argv[1:3], token_usage="interactive")
    trades = []
    for side, reduce_only in ((OrderSide.Buy, False), (OrderSide.Sell, True)):
        order = client.rest.submit_order(client.order(side, 1, "IOC", reduce_only=reduce_only))

        def fills(order: dict[str, Any] = order) -> Any:
            return [fill for fill in client.rest.fetch_fills()["results"] if fill["order_id"] == order["id"]]

        fill = (await client.until(fills, "the fill of an interactive order"))[0]
        trades.append({"order": order, "fill": fill})
    await client.paradex.close()
    address = hex(client.paradex.account.l2_address) if client.paradex.account else ""
    return {"address": address, "trades": trades}


def over_rest(client: Client) -> dict[str, Any]:
    rest = client.rest
    taken = rest.submit_order(client.order(OrderSide.Sell, 1, "IOC", client_id="rest-ioc"))
    resting = rest.submit_order(client.order(OrderSide.Buy, -3, client_id="rest-gtc"))
    open_orders = rest.fetch_orders({"market": BTC})
    by_id, by_client_id = rest.fetch_order(resting["id"]), rest.fetch_order_by_client_id("rest-gtc")
    changed = client.order(OrderSide.Buy, -4)
    changed.id = resting["id"]
    modified = rest.modify_order(resting["id"], changed)
    cancelled = rest.cancel_order(resting["id"])
    batch = rest.submit_orders_batch([client.order(OrderSide.Sell, -3, client_id=f"rest-b{n}") for n in range(3)])
    cancel_one = rest.cancel_order_by_client_id("rest-b0")
    cancel_batch = rest.cancel_orders_batch(order_ids=[batch["orders"][1]["id"]])
    cancel_all = rest.cancel_all_orders({"market": BTC})
    none_left = rest.fetch_orders()
    back = rest.submit_order(client.order(OrderSide.Buy, 1, "IOC", reduce_only=True))
    refused = {}
    for name, call in {
        "order not found": lambda: rest.fetch_order("1795000000150201709220570002"),
        "market not found": lambda: rest.fetch_bbo("NO-USD-PERP"),
        "duplicate": lambda: rest.submit_order(client.order(OrderSide.Sell, 1, "IOC", client_id="rest-ioc")),
    }.items():
        try:
            refused[name] = call()
        except ValueError as e:  # what the SDK raises for every refusal
            refused[name] = str(e)
    return {
        "taken": taken, "resting": resting, "open_orders": open_orders, "by_id": by_id, "by_client_id": by_client_id,
        "modified": modified, "cancelled": cancelled, "batch": batch, "cancel_one": cancel_one,
        "cancel_batch": cancel_batch, "cancel_all": cancel_all, "none_left": none_left, "back": back,
        "fills": rest.fetch_fills({"market": BTC}), "history": rest.fetch_orders_history(), "refused": refused,
    }  # fmt: skip


def reads(client: Client) -> dict[str, Any]:
    rest = client.rest
    return {
        "config": vars(client.paradex.config) | {"bridged_tokens": len(client.paradex.config.bridged_tokens)},
        "state": rest.fetch_system_state(),
        "time": rest.fetch_system_time(),
        "markets": rest.fetch_markets(),
        "market": rest.fetch_markets({"market": ETH}),
        "summary": rest.fetch_markets_summary({"market": "ALL"}),
        "bbo": rest.fetch_bbo(BTC),
        "book": rest.fetch_orderbook(BTC, {"depth": 3}),
        "trades": rest.fetch_trades({"market": BTC}),
        "funding": rest.fetch_funding_data({"market": BTC}),
        "account": vars(rest.fetch_account_summary()),
        "account_info": rest.fetch_account_info(),
        "balances": rest.fetch_balances(),
        "positions": rest.fetch_positions(),
        "tradebusts": rest.fetch_tradebusts(),
        "transactions": rest.fetch_transactions(),
        "transfers": rest.fetch_transfers(),
        "funding_payments": rest.fetch_funding_payments({"market": BTC}),
        "rate_limit": vars(rest.last_rate_limit) if rest.last_rate_limit else None,
    }


async def main() -> dict[str, Any]:
    client = Client(*sys.argv[1:3])
    account = client.paradex.account
    connected = await client.connect()
    report = {
        "version": version("paradex-py"),
        "modified": modified_files("paradex-py", "paradex_py/"),
        "address": hex(account.l2_address) if account else "",
        "connected": connected,
        "channels": sorted(client.ws.get_subscriptions()),
        "ws": await over_websocket(client),
        "ws_refused": await refusals_over_websocket(client),
        "rest": over_rest(client),
    }
    held = client.order(OrderSide.Sell, 1, "IOC")
    client.rest.submit_order(held)
    report["reads"] = reads(client)
    client.rest.submit_order(client.order(OrderSide.Buy, 1, "IOC", reduce_only=True))
    report["seen"] = {name: [len(seen), *seen[:1], *seen[-1:]] for name, seen in client.seen.items()}
    report["cod"] = await cancel_on_disconnect(client)
    await client.paradex.close()
    report["interactive"] = await interactive()
    return report


if __name__ == "__main__":
    json.dump(asyncio.run(main()), sys.stdout, default=str)
