"""Public REST answers of the simulated Paradex, as JSON objects. Pure: reads the exchange, changes nothing.

Source: Paradex reference, sections 11 and 12, and REST spec 1.132.1. What has no counterpart here (chain addresses,
option fields, other days' volumes) is empty, zero or left out.
"""

from typing import Any

from deltawire.core.book import Level
from deltawire.core.money import format_e8
from deltawire.core.types import Side
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_paced import top_levels
from deltawire.sim.paradex_rules import CHAIN_ID, Fees, ParadexSimSettings
from deltawire.sim.paradex_settlement import trade_id
from deltawire.sim.paradex_views import funding_record, market_record
from deltawire.venues.paradex import derivation, rest

NS_PER_MS = 1_000_000
L1_CHAIN_ID = "11155111"
# Accounts made here have the addresses that follow from these.
PROXY_HASH, ACCOUNT_HASH = hex(derivation.PROXY_CLASS_HASH), hex(derivation.ACCOUNT_CLASS_HASH)
NO_ADDRESS = "0x0"  # no chain stands behind the simulator


def system_config() -> dict[str, Any]:
    """Return every field of the spec: the official client reads most of them at start."""
    return {
        "assets_limit_per_account": 550,
        "block_explorer_url": "",
        "bridged_tokens": [
            {
                "name": "USDC",
                "symbol": "USDC",
                "decimals": 6,
                "l1_token_address": NO_ADDRESS,
                "l1_bridge_address": NO_ADDRESS,
                "l2_token_address": NO_ADDRESS,
                "l2_bridge_address": NO_ADDRESS,
            }
        ],
        "dime_staking_contract_address": NO_ADDRESS,
        "environment": "testnet",
        "l1_chain_id": L1_CHAIN_ID,
        "l1_core_contract_address": NO_ADDRESS,
        "l1_operator_address": NO_ADDRESS,
        "l1_relayer_address": NO_ADDRESS,
        "l2_relayer_address": NO_ADDRESS,
        "liquidation_fee": "0",
        "oracle_address": NO_ADDRESS,
        "paraclear_account_hash": ACCOUNT_HASH,
        "paraclear_account_proxy_hash": PROXY_HASH,
        "paraclear_address": NO_ADDRESS,
        "paraclear_decimals": 8,
        "paraclear_evm_account_hash": NO_ADDRESS,
        "partial_liquidation_buffer": "0.2",
        "partial_liquidation_share_increment": "0.05",
        "starknet_chain_id": CHAIN_ID,
        "starknet_fullnode_rpc_base_url": "",
        "starknet_fullnode_rpc_url": "",
        "starknet_gateway_url": "",
        "universal_deployer_address": NO_ADDRESS,
    }


def onboarded(address: str) -> dict[str, Any]:
    return {
        "address": address,
        "exists": True,
        "account_signer_type": "starknet",
        "derivation_info": {"class_hash": ACCOUNT_HASH, "proxy_class_hash": PROXY_HASH},
    }


def market_rules(market: SimMarket, settings: ParadexSimSettings) -> dict[str, Any]:
    """Return the market as it is simulated: every limit, margin and fee that is named is the one that holds."""
    rules = market.rules
    margins = {
        "imf_base": format_e8(rules.margin_initial_e8),
        "imf_factor": "0",
        "imf_shift": "0",
        "mmf_factor": format_e8(rules.margin_maintenance_factor_e8),
    }
    fees = (
        ("api_fee", settings.fees_pro),
        ("interactive_fee", settings.fees_retail),
        ("rpi_fee", settings.fees_rpi),
    )
    return rest.market_json(market_record(market, settings.fees_pro)) | {
        "max_open_orders": settings.open_orders_max,
        "max_slippage": format_e8(rules.slippage_max_e8),
        "max_funding_rate": format_e8(rules.funding_cap_e8),
        "delta1_cross_margin_params": margins,
        "fee_config": {name: _fee(each) for name, each in fees},
    }


def _fee(fees: Fees) -> dict[str, Any]:
    return {"maker_fee": {"fee": format_e8(fees.maker_e8)}, "taker_fee": {"fee": format_e8(fees.taker_e8)}}


def market_summary(market: SimMarket, now_unix_ns: int) -> dict[str, Any]:
    bid, ask = market.book.best(Side.BUY) or (0, 0), market.book.best(Side.SELL) or (0, 0)
    return {
        "symbol": market.rules.symbol,
        "mark_price": format_e8(market.mark_e8),
        "underlying_price": format_e8(market.mark_e8),
        "last_traded_price": format_e8(market.last_price_e8),
        "external_fair_price": format_e8(market.mark_e8),
        "bid": format_e8(bid[0]),
        "bid_size": format_e8(bid[1]),
        "ask": format_e8(ask[0]),
        "ask_size": format_e8(ask[1]),
        "funding_rate": format_e8(market.funding_rate_e8),
        "open_interest": "0",
        "volume_24h": format_e8(market.volume_usd_e8),
        "total_volume": format_e8(market.volume_usd_e8),
        "price_change_rate_24h": "0",
        "created_at": now_unix_ns // NS_PER_MS,
    }


def best_prices(market: SimMarket, *, with_rpi: bool) -> dict[str, Any]:
    bid, ask = (market.book.best(side, with_rpi=with_rpi) for side in Side)
    return {
        "market": market.rules.symbol,
        "bid": format_e8(bid[0]) if bid else "",
        "bid_size": format_e8(bid[1]) if bid else "",
        "ask": format_e8(ask[0]) if ask else "",
        "ask_size": format_e8(ask[1]) if ask else "",
        "last_updated_at": market.updated_unix_ns // NS_PER_MS,
        "seq_no": market.book.seq,
    }


def order_book(market: SimMarket, depth: int, *, tick_e8: int = 0, with_rpi: bool) -> dict[str, Any]:
    book = market.book
    bids, asks = (
        [_level(level) for level in top_levels(book, side, depth, tick_e8=tick_e8, with_rpi=with_rpi).items()]
        for side in Side
    )
    return {
        "market": market.rules.symbol,
        "seq_no": book.seq,
        "last_updated_at": market.updated_unix_ns // NS_PER_MS,
        "bids": bids,
        "asks": asks,
        "best_bid_api": _level(book.best(Side.BUY)),
        "best_ask_api": _level(book.best(Side.SELL)),
        "best_bid_interactive": _level(book.best(Side.BUY, with_rpi=True)),
        "best_ask_interactive": _level(book.best(Side.SELL, with_rpi=True)),
    }


def _level(level: Level | None) -> list[str]:
    return [format_e8(part) for part in level] if level else []


def recent_trades(market: SimMarket) -> list[dict[str, Any]]:
    """Return the newest trades, newest first."""
    return [
        {
            "id": trade_id(trade.seq),
            "market": market.rules.symbol,
            "side": trade.aggressor.name,
            "size": format_e8(trade.size_e8),
            "price": format_e8(trade.price_e8),
            "created_at": unix_ns // NS_PER_MS,
            "trade_type": "RPI" if trade.is_rpi else "FILL",
        }
        for trade, unix_ns in reversed(market.trades)
    ]


def funding_data(market: SimMarket, now_unix_ns: int) -> dict[str, Any]:
    record = funding_record(market, now_unix_ns)
    return {
        "market": record.market,
        "funding_index": format_e8(record.funding_index_e8),
        "funding_rate": format_e8(record.funding_rate_e8),
        "funding_rate_8h": format_e8(record.funding_rate_8h_e8),
        "funding_premium": format_e8(record.funding_premium_e8),
        "funding_period_hours": record.funding_period_hours,
        "created_at": now_unix_ns // NS_PER_MS,
    }
