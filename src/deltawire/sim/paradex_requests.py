"""Reads an order request of the simulated Paradex: words, time window and Starknet signature. Pure.

What a word means to the exchange is decided here; whether the order may trade is decided behind it. BadRequest (of the
codec) and ApiRefusal are the two ways out. Source: Paradex reference, sections 4 and 6.
"""

from deltawire.sim.paradex_accounts import Account
from deltawire.sim.paradex_book import Rank, SelfTrade
from deltawire.sim.paradex_checks import NewOrder
from deltawire.sim.paradex_rules import CHAIN_ID, ApiRefusal, ParadexSimSettings
from deltawire.sim.paradex_tokens import Caller
from deltawire.sim.paradex_triggers import KINDS, STOPS, is_market
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.errors import INVALID_PARAMS
from deltawire.venues.paradex.rpc import BadRequest, CreateParams
from deltawire.venues.paradex.signing import (
    FIELD_PRIME,
    decode_signature,
    message_hash,
    modify_struct_hash,
    order_chain,
    order_struct_hash,
    verify,
)

CLIENT_ID_BYTES_MAX = 64
RECV_WINDOW_MIN_MS = 10
STPS = frozenset({None, "", *(mode.value for mode in SelfTrade)})


def new_order(caller: Caller, params: CreateParams, received_unix_ns: int, origin: int) -> NewOrder:
    """Turn wire parameters into an order; raises for a word the venue does not know."""
    if params.type not in KINDS:
        raise ApiRefusal("VALIDATION_ERROR", f"type {params.type[:20]} is not known")
    if (params.type in STOPS) != (params.trigger_price_e8 > 0):
        raise ApiRefusal("VALIDATION_ERROR", "a trigger price is for stop and take-profit orders, and they need one")
    instruction = params.instruction or "GTC"
    if instruction not in {"GTC", "IOC", "POST_ONLY", "RPI"}:
        raise ApiRefusal("VALIDATION_ERROR", f"instruction {instruction[:20]} is not known")
    if is_market(params.type) and (instruction in {"POST_ONLY", "RPI"} or params.price is not None):
        raise ApiRefusal("VALIDATION_ERROR", "a MARKET order has no price and cannot be POST_ONLY or RPI")
    if params.vwap_price_e8 and not is_market(params.type):
        raise ApiRefusal("VALIDATION_ERROR", "vwap_price is for MARKET orders")
    client_id = params.client_id or ""
    if len(client_id.encode()) > CLIENT_ID_BYTES_MAX:
        raise ApiRefusal("VALIDATION_ERROR", f"client_id is longer than {CLIENT_ID_BYTES_MAX} bytes")
    if params.stp not in STPS:
        raise ApiRefusal("VALIDATION_ERROR", f"stp {str(params.stp)[:20]} is not known")
    if set(params.flags or ()) - {"REDUCE_ONLY"}:
        raise ApiRefusal("VALIDATION_ERROR", "only the flag REDUCE_ONLY is simulated")
    return NewOrder(
        account=caller.account.address,
        symbol=params.market,
        side=params.order_side,
        kind=params.type,
        instruction=instruction,
        size_e8=params.size_e8,
        price_e8=params.price_e8,
        signed_unix_ms=params.signature_timestamp,
        received_unix_ns=received_unix_ns,
        client_id=client_id,
        reduce_only=params.reduce_only,
        self_trade=SelfTrade(params.stp) if params.stp else SelfTrade.EXPIRE_TAKER,
        rank=Rank.RPI if instruction == "RPI" else caller.rank,
        origin=origin,
        trigger_price_e8=params.trigger_price_e8,
        vwap_price_e8=params.vwap_price_e8,
    )


def check_window(params: CreateParams, now_unix_ns: int, settings: ParadexSimSettings) -> None:
    """Raise ApiRefusal when the order is too old, or dated too far ahead."""
    now_ms = now_unix_ns // 1_000_000
    window_ms = settings.recv_window_ms if params.recv_window is None else params.recv_window
    if window_ms < RECV_WINDOW_MIN_MS:
        raise ApiRefusal("VALIDATION_ERROR", f"recv_window is below {RECV_WINDOW_MIN_MS}")
    if now_ms > params.signature_timestamp + window_ms:
        age_ms = now_ms - params.signature_timestamp
        raise ApiRefusal("INVALID_TIMESTAMP", f"order was signed {age_ms} ms ago, the window is {window_ms} ms")
    if params.signature_timestamp > now_ms + settings.clock_ahead_max_ms:
        raise ApiRefusal("INVALID_TIMESTAMP", "signature_timestamp is in the future")


def verify_create(account: Account, params: CreateParams) -> None:
    """Raise ApiRefusal unless a key of the account signed this new order."""
    chain = _chain(params, modify=False)
    _verify(account, order_struct_hash(chain, params.size_e8, params.price_e8), params.signature)


def verify_modify(account: Account, params: CreateParams, order_id: str) -> None:
    chain = _chain(params, modify=True)
    _verify(account, modify_struct_hash(chain, params.size_e8, params.price_e8, order_id), params.signature)


def _chain(params: CreateParams, *, modify: bool) -> int:
    if not 0 <= params.signature_timestamp < FIELD_PRIME:
        raise BadRequest(INVALID_PARAMS, "signature_timestamp is out of range")
    try:
        return order_chain(params.signature_timestamp, params.market, params.order_side, params.type, modify=modify)
    except ValueError as e:
        raise BadRequest(INVALID_PARAMS, "market or type is no short text") from e


def _verify(account: Account, struct_hash: int, signature_text: str) -> None:
    try:
        signature = decode_signature(signature_text)
    except DecodeError as e:
        raise ApiRefusal("INVALID_ORDER_SIGNATURE", "signature cannot be read") from e
    message = message_hash(CHAIN_ID, account.address, struct_hash)
    if not any(verify(key, message, signature) for key in account.public_keys):
        raise ApiRefusal("INVALID_ORDER_SIGNATURE", "signature does not fit the order")
