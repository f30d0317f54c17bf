"""Objects of the exchange core as binary (SBE) frames, for connections that asked for them (paradex.md 5.9)."""

from __future__ import annotations

from typing import Final

from flashscalper.exchanges.paradex import sbe_schema as schema
from flashscalper.exchanges.paradex.sbe_exact import SbeValue, encode
from flashscalper.model.amounts import ZERO
from flashscalper.simulator.facts import (
    Depth,
    FundingPoint,
    MarketSummary,
    PublicTrade,
    Quote,
    SimAccount,
    SimFill,
    SimOrder,
    SimPosition,
)

_INT64: Final = 2**63 - 1
_TEXT_BYTES: Final = 255


def _clipped(text: str) -> str:
    """As much of a text as its length byte allows: 64 characters may be more than 255 bytes."""
    return text.encode()[:_TEXT_BYTES].decode(errors="ignore")


def trade(printed: PublicTrade, name: str, version: int, now: int) -> bytes:
    """Template 1; the int64 id is cut to fit, the text id is whole."""
    return encode(
        schema.TRADE,
        version,
        {
            "sent_at": now,
            "seq_no": printed.traded_at,
            "short_id": printed.id & _INT64,
            "side": printed.side.value.upper(),
            "price": printed.price,
            "size": printed.size,
            "created_at": printed.traded_at,
            "trade_type": printed.kind.value.upper(),
            "market": name,
            "trade_id": str(printed.id),
        },
    )


def bbo(quote: Quote, name: str, version: int, now: int) -> bytes:
    """Template 2; an empty side is null."""
    values: dict[str, SbeValue] = {"sent_at": now, "seq_no": quote.seq_no, "market": name}
    if quote.bid is not None:
        values |= {"bid": quote.bid, "bid_size": quote.bid_size}
    if quote.ask is not None:
        values |= {"ask": quote.ask, "ask_size": quote.ask_size}
    return encode(schema.BBO, version, values)


def book(
    depth: Depth,
    name: str,
    version: int,
    now: int,
    *,
    snapshot: bool,
    api: Quote | None = None,
    interactive: Quote | None = None,
) -> bytes:
    """Template 3: a whole book, or changed levels with size 0 for deleted ones. Best prices ride on whole books,
    those of an interactive book beside those of the API book."""
    values: dict[str, SbeValue] = {
        "sent_at": now,
        "seq_no": depth.seq_no,
        "package": "SNAPSHOT" if snapshot else "DELTA",
        "bids": depth.bids,
        "asks": depth.asks,
        "market": name,
    }
    for suffix, quote in (("", interactive or api), ("_api", api)):
        if quote is not None and quote.bid is not None:
            values |= {f"best_bid{suffix}": quote.bid, f"best_bid{suffix}_size": quote.bid_size}
        if quote is not None and quote.ask is not None:
            values |= {f"best_ask{suffix}": quote.ask, f"best_ask{suffix}_size": quote.ask_size}
    return encode(schema.BOOK, version, values)


def summary(state: MarketSummary, name: str, version: int, now: int) -> bytes:
    """Template 4."""
    return encode(
        schema.SUMMARY,
        version,
        {
            "sent_at": now,
            "seq_no": state.at,
            "mark_price": state.mark,
            "index_price": state.index,
            "last_price": state.mark if state.last is None else state.last,
            "volume_24h": state.volume_24h,
            "open_interest": state.open_interest,
            "funding_rate": state.funding_rate,
            "bid": state.quote.bid,
            "ask": state.quote.ask,
            "total_volume": state.total_volume,
            "price_change_rate_24h": state.change_24h,
            "external_fair_price": state.mark,
            "bid_size": state.quote.bid_size,
            "ask_size": state.quote.ask_size,
            "funding_rate_precise": state.funding_rate,
            "market": name,
        },
    )


def funding(point: FundingPoint, name: str, period_hours: int, version: int, now: int) -> bytes:
    """Template 5."""
    return encode(
        schema.FUNDING,
        version,
        {
            "sent_at": now,
            "seq_no": point.at,
            "funding_rate": point.rate,
            "funding_index": point.index,
            "created_at": point.at,
            "funding_premium": point.premium,
            "funding_rate_8h": point.rate * 8 / period_hours,
            "funding_period_hours": period_hours,
            "impact_premium_rate": point.premium_rate,
            "market": name,
        },
    )


def order(placed: SimOrder, name: str, version: int, now: int) -> bytes:
    """Template 20."""
    values: dict[str, SbeValue] = {
        "sent_at": now,
        "seq_no": placed.seq_no,
        "status": placed.status.value.upper(),
        "side": placed.side.value.upper(),
        "type": placed.type.value.upper(),
        "instruction": placed.time_in_force.value.upper(),
        "price": placed.price,
        "trigger_price": placed.trigger_price,
        "size": placed.size,
        "remaining_size": placed.remaining,
        "avg_fill_price": placed.average_price,
        "created_at": placed.created_at,
        "updated_at": placed.updated_at,
        "account": placed.account,
        "received_at": placed.received_at,
        "published_at": now,
        "stp": placed.stp.value,
        "flags": placed.flags,
        "order_id": placed.order_id,
        "client_id": _clipped(placed.client_id),
        "market": name,
        "cancel_reason": placed.cancel_reason,
        "request_status": "",
        "request_type": "",
    }
    if placed.modify is not None:
        values |= {"request_status": placed.modify.status, "request_type": "MODIFY_ORDER"}
        values |= {"request_id": placed.modify.id, "request_message": _clipped(placed.modify.message)}
    return encode(schema.ORDER, version, values)


def fill(done: SimFill, name: str, version: int, now: int) -> bytes:
    """Template 21."""
    return encode(
        schema.FILL,
        version,
        {
            "sent_at": now,
            "seq_no": done.filled_at,
            "fill_type": done.kind.value.upper(),
            "side": done.side.value.upper(),
            "liquidity": done.liquidity.value.upper(),
            "price": done.price,
            "size": done.size,
            "fee": done.fee,
            "realized_pnl": done.realized_pnl,
            "created_at": done.filled_at,
            "account": done.account,
            "underlying_price": done.index_price,
            "realized_funding": done.funding,
            "flags": done.flags,
            "orderbook_seq_no": done.seq_no,
            "fill_id": done.id,
            "order_id": done.order_id,
            "client_id": _clipped(done.client_id),
            "trade_id": done.trade_id,
            "market": name,
            "fee_currency": "USDC",
        },
    )


def position(held: SimPosition, name: str, version: int, now: int) -> bytes:
    """Template 22."""
    cost = held.cost if held.size >= 0 else -held.cost
    return encode(
        schema.POSITION,
        version,
        {
            "sent_at": now,
            "seq_no": held.seq_no,
            "side": "SHORT" if held.size < 0 else "LONG",
            "size": held.size,
            "average_entry_price": held.entry_price,
            "unrealized_pnl": held.unrealized_pnl + held.unrealized_funding,
            "realized_pnl": held.realized_pnl + held.realized_funding,
            "liquidation_price": held.liquidation_price,
            "leverage": ZERO + held.leverage,
            "updated_at": held.updated_at,
            "account": held.account,
            "average_entry_price_usd": held.entry_price,
            "cost": cost,
            "cost_usd": cost,
            "cached_funding_index": held.cached_funding_index,
            "unrealized_funding_pnl": held.unrealized_funding,
            "status": "CLOSED" if held.size == 0 else "OPEN",
            "market": name,
            "last_fill_id": held.last_fill_id,
        },
    )


def account(state: SimAccount, version: int, now: int) -> bytes:
    """Template 23."""
    return encode(
        schema.ACCOUNT,
        version,
        {
            "sent_at": now,
            "seq_no": state.seq_no,
            "total_collateral": state.total_collateral,
            "free_collateral": state.free_collateral,
            "initial_margin": state.initial_margin,
            "maintenance_margin": state.maintenance_margin,
            "account_value": state.account_value,
            "unrealized_pnl": state.unrealized_pnl,
            "updated_at": state.updated_at,
            "account": state.account,
            "margin_cushion": state.margin_cushion,
            "status": state.status,
            "last_seen_notification": 0,
            "settlement_asset": "USDC",
        },
    )
