"""Paradex REST: requests to write and answers to read, and the same the other way round for a simulator. Sans-I/O.

Paths are relative to the base URL, which ends in /v1. Orders go this way only while the order socket is down.

Source: Paradex protocol reference, sections 2, 11, 12 and 14, REST spec 1.132.1, state of October 2026.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import orjson

from deltawire.core.money import format_e8, parse_e8
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError, Refused
from deltawire.venues.paradex.errors import TEXT_CHARS_MAX, Unavailable
from deltawire.venues.paradex.records import Account, Fill, Order, Position
from deltawire.venues.paradex.signing import Signer
from deltawire.venues.paradex.wire_json import (
    AccountJson,
    FillJson,
    OrderJson,
    PositionJson,
    account_of,
    fill_of,
    loose_e8,
    order_of,
    position_of,
)

NAME = "paradex"
T = TypeVar("T")
ORDERS_PATH = "/orders"


class HttpRequest(NamedTuple):
    method: str
    path: str  # with its query, relative to the base URL
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def __repr__(self) -> str:  # headers hold a token or a signature
        return f"HttpRequest({self.method} {self.path})"


# ---- client: requests


def system_time() -> HttpRequest:
    return HttpRequest("GET", "/system/time")


def system_config() -> HttpRequest:
    return HttpRequest("GET", "/system/config")


def system_state() -> HttpRequest:
    return HttpRequest("GET", "/system/state")


def markets(market: str = "") -> HttpRequest:
    return HttpRequest("GET", "/markets" + _query(market=market))


def auth(signer: Signer, timestamp_s: int, expiration_s: int, *, interactive: bool = False) -> HttpRequest:
    """Ask for a token of the Pro or, interactive, the Retail class. The key is in the path: a subkey must have it."""
    return HttpRequest(
        "POST",
        f"/auth/{signer.public_key_hex}" + _query(token_usage="interactive" if interactive else ""),
        {
            "PARADEX-STARKNET-ACCOUNT": signer.account_address,
            "PARADEX-STARKNET-SIGNATURE": signer.sign_auth(timestamp_s, expiration_s),
            "PARADEX-TIMESTAMP": str(timestamp_s),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiration_s),
        },
    )


def account(token: Secret) -> HttpRequest:
    return _private("GET", "/account", token)


def account_info(token: Secret) -> HttpRequest:
    return _private("GET", "/account/info", token)


def account_margin(token: Secret, market: str) -> HttpRequest:
    return _private("GET", "/account/margin" + _query(market=market), token)


def balance(token: Secret) -> HttpRequest:
    return _private("GET", "/balance", token)


def positions(token: Secret) -> HttpRequest:
    return _private("GET", "/positions", token)


def open_orders(token: Secret, market: str = "") -> HttpRequest:
    return _private("GET", "/orders" + _query(market=market), token)


def order_by_id(token: Secret, order_id: str) -> HttpRequest:
    return _private("GET", f"/orders/{quote(order_id, safe='')}", token)


def order_by_client_id(token: Secret, client_id: str) -> HttpRequest:
    return _private("GET", f"/orders/by_client_id/{quote(client_id, safe='')}", token)


def orders_history(
    token: Secret, *, client_id: str = "", market: str = "", start_ms: int = 0, cursor: str = ""
) -> HttpRequest:
    query = _query(client_id=client_id, market=market, start_at=start_ms or "", cursor=cursor)
    return _private("GET", "/orders-history" + query, token)


def fills(token: Secret, *, market: str = "", start_ms: int = 0, end_ms: int = 0, cursor: str = "") -> HttpRequest:
    query = _query(market=market, start_at=start_ms or "", end_at=end_ms or "", cursor=cursor)
    return _private("GET", "/fills" + query, token)


def page(token: Secret, *, path: str, page_size: int, start_at: int, market: str, cursor: str) -> HttpRequest:
    """Ask for a page of any private list, from a time in ms on."""
    query = _query(market=market, start_at=start_at, page_size=page_size, cursor=cursor)
    return _private("GET", path + query, token)


def cancel_order(token: Secret, order_id: str) -> HttpRequest:
    return _private("DELETE", f"/orders/{quote(order_id, safe='')}", token)


def cancel_by_client_id(token: Secret, client_id: str, market: str = "") -> HttpRequest:
    """Giving the market is faster, says the venue."""
    return _private("DELETE", f"/orders/by_client_id/{quote(client_id, safe='')}" + _query(market=market), token)


def order_body(payload: bytes) -> bytes:
    """Return the body of POST /orders from the order.create request that carries the same order: the params, as is."""
    return bytes(msgspec.json.decode(payload, type=_OrderRequest).params)


def _private(method: str, path: str, token: Secret) -> HttpRequest:
    return HttpRequest(method, path, {"Authorization": f"Bearer {token.reveal()}"})


def _query(**params: str | int) -> str:
    given = {name: value for name, value in params.items() if value != ""}
    return "?" + urlencode(given) if given else ""


# ---- client: answers


@dataclass(frozen=True, slots=True)
class SystemConfig:
    chain_id: str
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Market:
    """Trading rules of one market. Rates in 1e-8."""

    symbol: str
    price_tick_e8: int
    size_step_e8: int
    notional_min_e8: int
    size_max_e8: int
    position_limit_e8: int
    price_band_e8: int
    fee_maker_e8: int | None  # of API orders; None where the market names none
    fee_taker_e8: int | None
    trading_mode: str
    asset_kind: str
    funding_period_hours: int
    fee_interactive_taker_e8: int | None = None  # of Retail orders
    open_orders_max: int = 0


@dataclass(frozen=True, slots=True)
class AccountInfo:
    account: str
    kind: str
    fee_maker_e8: int | None
    fee_taker_e8: int | None
    public_key: str = ""  # of the main key


@dataclass(frozen=True, slots=True)
class Balance:
    token: str
    size_e8: int


class _Fee(msgspec.Struct):
    fee: str = ""


class _MakerTaker(msgspec.Struct):
    maker_fee: _Fee | None = None
    taker_fee: _Fee | None = None


class _FeeConfig(msgspec.Struct):
    api_fee: _MakerTaker | None = None
    interactive_fee: _MakerTaker | None = None


class _MarketJson(msgspec.Struct):
    symbol: str
    price_tick_size: str
    order_size_increment: str
    min_notional: str = "0"
    max_order_size: str = "0"
    position_limit: str = "0"
    price_bands_width: str = "0"
    fee_config: _FeeConfig | None = None
    trading_mode: str = ""
    asset_kind: str = ""
    funding_period_hours: int | float = 0
    max_open_orders: int = 0


class _FeesJson(msgspec.Struct):
    maker_rate: str | None = None
    taker_rate: str | None = None


class _AccountInfoJson(msgspec.Struct):
    account: str
    kind: str = ""
    fees: _FeesJson | None = None
    public_key: str = ""


class _MarginJson(msgspec.Struct):
    market: str = ""
    leverage: int = 0


class _MarginsJson(msgspec.Struct):
    configs: list[_MarginJson] = []


class _BalanceJson(msgspec.Struct):
    token: str
    size: str


class _ErrorJson(msgspec.Struct):
    error: str = ""
    message: str = ""


class _Time(msgspec.Struct):
    server_time: str | int


class _State(msgspec.Struct):
    status: str


class _Config(msgspec.Struct):
    starknet_chain_id: str
    environment: str = ""


class _Token(msgspec.Struct):
    jwt_token: str


class _OrderRequest(msgspec.Struct):
    params: msgspec.Raw


class _Results(msgspec.Struct):
    results: list[msgspec.Raw]
    next: str | None = None


def read_error(body: bytes) -> tuple[str, str]:
    """Return code and message of an error answer; an empty code when it holds none."""
    try:
        error = msgspec.json.decode(body, type=_ErrorJson)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _ErrorJson(message=f"answer of {len(body)} bytes without an error object")
    return error.error, error.message[:TEXT_CHARS_MAX]


def check(status: int, body: bytes) -> bytes:
    """Return the body of a good answer; else raise Refused (4xx) or Unavailable (429, 5xx, anything else)."""
    if 200 <= status < 300:
        return body
    code, message = read_error(body)
    if 400 <= status < 500 and status not in (408, 429) and code:
        raise Refused(NAME, code, message)
    raise Unavailable(status, code, message)


def read_time_unix_ms(body: bytes) -> int:
    text = str(_decode(body, _Time).server_time)
    if not (text.isascii() and text.isdecimal()):
        raise DecodeError(f"server_time {text[:40]!r}")
    return int(text)


def read_config(body: bytes) -> SystemConfig:
    raw = _decode(body, _Config)
    return SystemConfig(raw.starknet_chain_id, raw.environment)


def read_state(body: bytes) -> str:
    """Return ok, maintenance, cancel_only or post_only."""
    return str(_decode(body, _State).status)


def read_token(body: bytes) -> Secret:
    return Secret(_decode(body, _Token).jwt_token)


def read_markets(body: bytes) -> list[Market]:
    return [_market_of(raw) for raw in _results(body, _MarketJson)[0]]


def read_account(body: bytes) -> Account:
    return account_of(_decode(body, AccountJson))


def read_account_info(body: bytes) -> list[AccountInfo]:
    infos = _results(body, _AccountInfoJson)[0]
    return [
        AccountInfo(
            raw.account,
            raw.kind,
            _rate_e8(raw.fees.maker_rate if raw.fees else None),
            _rate_e8(raw.fees.taker_rate if raw.fees else None),
            raw.public_key,
        )
        for raw in infos
    ]


def read_leverages(body: bytes) -> dict[str, int]:
    """Return the leverage set for each market."""
    return {raw.market: raw.leverage for raw in _decode(body, _MarginsJson).configs}


def read_balances(body: bytes) -> list[Balance]:
    return [Balance(raw.token, loose_e8(raw.size)) for raw in _results(body, _BalanceJson)[0]]


def read_positions(body: bytes) -> list[Position]:
    return [position_of(raw) for raw in _results(body, PositionJson)[0]]


def read_order(body: bytes) -> Order:
    return order_of(_decode(body, OrderJson))


def read_orders(body: bytes) -> tuple[list[Order], str]:
    """Return the orders and the cursor of the next page, "" when there is none."""
    raws, cursor = _results(body, OrderJson)
    return [order_of(raw) for raw in raws], cursor


def read_fills(body: bytes) -> tuple[list[Fill], str]:
    """Return the fills and the cursor of the next page, "" when there is none."""
    raws, cursor = _results(body, FillJson)
    return [fill_of(raw) for raw in raws], cursor


def read_page(body: bytes, kind: type[T]) -> tuple[list[T], str]:
    """Return the entries of a page, each of the kind, and the cursor of the next one, "" when there is none."""
    return _results(body, kind)


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        # The text of that error names fields and types, never values, so a token does not leak by it.
        raise DecodeError(f"unreadable answer of {len(body)} bytes: {e}") from e


def _results(body: bytes, kind: Any) -> tuple[list[Any], str]:
    page = _decode(body, _Results)
    return [_decode(bytes(raw), kind) for raw in page.results], page.next or ""


def _market_of(raw: _MarketJson) -> Market:
    fees = raw.fee_config.api_fee if raw.fee_config else None
    interactive = raw.fee_config.interactive_fee if raw.fee_config else None
    try:
        return Market(
            symbol=raw.symbol,
            price_tick_e8=parse_e8(raw.price_tick_size),
            size_step_e8=parse_e8(raw.order_size_increment),
            notional_min_e8=parse_e8(raw.min_notional or "0"),
            size_max_e8=parse_e8(raw.max_order_size or "0"),
            position_limit_e8=parse_e8(raw.position_limit or "0"),
            price_band_e8=parse_e8(raw.price_bands_width or "0"),
            fee_maker_e8=_rate_e8(fees.maker_fee.fee if fees and fees.maker_fee else None),
            fee_taker_e8=_rate_e8(fees.taker_fee.fee if fees and fees.taker_fee else None),
            trading_mode=raw.trading_mode,
            asset_kind=raw.asset_kind,
            funding_period_hours=int(raw.funding_period_hours),
            fee_interactive_taker_e8=_rate_e8(
                interactive.taker_fee.fee if interactive and interactive.taker_fee else None
            ),
            open_orders_max=raw.max_open_orders,
        )
    except ValueError as e:
        raise DecodeError(f"market {raw.symbol[:40]}: {e}") from e


def _rate_e8(text: str | None) -> int | None:
    return loose_e8(text) if text else None


# ---- server: answers


def results(objects: Iterable[Mapping[str, Any]], *, paged: bool = False) -> bytes:
    """Write a list answer; the objects come from `wire_json` and the functions below."""
    data: dict[str, Any] = {"results": list(objects)}
    if paged:
        data |= {"next": None, "prev": None}
    return orjson.dumps(data)


def error_body(code: str, message: str) -> bytes:
    return orjson.dumps({"error": code, "message": message})


def market_json(market: Market) -> dict[str, Any]:
    """Return the market object with the fields this product reads, and those that follow from the symbol."""
    base, _, rest = market.symbol.partition("-")
    maker, taker = market.fee_maker_e8 or 0, market.fee_taker_e8 or 0

    def fee(maker_e8: int, taker_e8: int) -> dict[str, Any]:
        return {"maker_fee": {"fee": format_e8(maker_e8)}, "taker_fee": {"fee": format_e8(taker_e8)}}

    return {
        "symbol": market.symbol,
        "base_currency": base,
        "quote_currency": rest.partition("-")[0],
        "settlement_currency": "USDC",
        "asset_kind": market.asset_kind,
        "market_kind": "cross",
        "trading_mode": market.trading_mode,
        "price_tick_size": format_e8(market.price_tick_e8),
        "order_size_increment": format_e8(market.size_step_e8),
        "min_notional": format_e8(market.notional_min_e8),
        "max_order_size": format_e8(market.size_max_e8),
        "position_limit": format_e8(market.position_limit_e8),
        "max_open_orders": 150,
        "price_bands_width": format_e8(market.price_band_e8),
        "max_slippage": "0.05",
        "max_tob_spread": "0.01",
        "funding_period_hours": market.funding_period_hours,
        "funding_multiplier": 1,
        "interest_rate": "0.0001",
        "clamp_rate": "0.0005",
        "max_funding_rate": "0.02",
        "max_funding_rate_change": "0.0005",
        "oracle_ewma_factor": "0.2",
        "price_feed_id": f"{base}-feed",
        "delta1_cross_margin_params": {"imf_base": "0.02", "imf_factor": "0", "imf_shift": "0", "mmf_factor": "0.5"},
        "fee_config": {"api_fee": fee(maker, taker), "interactive_fee": fee(0, 0), "rpi_fee": fee(maker, taker)},
        "open_at": 1698756879745,
        "expiry_at": 0,
        "tags": [],
    }


def account_info_json(info: AccountInfo, public_key: str) -> dict[str, Any]:
    return {
        "account": info.account,
        "kind": info.kind,
        "parent_account": "",
        "public_key": public_key,
        "fees": {"maker_rate": format_e8(info.fee_maker_e8 or 0), "taker_rate": format_e8(info.fee_taker_e8 or 0)},
        "volume_tiers": {},
    }


def balance_json(balance_: Balance, updated_ms: int) -> dict[str, Any]:
    return {"token": balance_.token, "size": format_e8(balance_.size_e8), "last_updated_at": updated_ms}
