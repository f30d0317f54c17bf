"""Objects of the exchange core as the JSON that Paradex documents: texts for decimals, integer milliseconds for instants.

Written from the specification (paradex.md 4.1 and appendix A), independently of what the client reads, so that a shared
misreading is less likely. `name` is the exchange's market name of a symbol.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import TimeInForce
from flashscalper.simulator.facts import (
    Depth,
    FundingPoint,
    FundingSettled,
    MarketSummary,
    PublicTrade,
    Quote,
    SimAccount,
    SimFill,
    SimOrder,
    SimPosition,
)

View = dict[str, Any]


def ms(instant: int) -> int:
    """Milliseconds, as the exchange writes instants."""
    return instant // 1000


def _text(amount: Decimal | None, unset: str = "") -> str:
    return unset if amount is None else plain(amount)


def _fee(rate: Decimal) -> View:
    return {"fee": plain(rate), "fee_cap": "0", "fee_floor": "0"}


def market(rules: Market) -> View:
    """`MarketResp`."""
    return {
        "symbol": rules.market,
        "base_currency": rules.base,
        "quote_currency": rules.quote,
        "settlement_currency": rules.settlement,
        "order_size_increment": plain(rules.size_step),
        "price_tick_size": plain(rules.price_tick),
        "min_notional": plain(rules.min_notional),
        "open_at": 0,
        "expiry_at": 0,
        "asset_kind": "PERP",
        "market_kind": "cross",
        "trading_mode": "STANDARD",
        "position_limit": plain(rules.position_limit),
        "price_bands_width": plain(rules.price_band),
        "max_slippage": plain(rules.max_slippage),
        "max_open_orders": rules.max_open_orders,
        "max_funding_rate": plain(rules.max_funding_rate),
        "max_funding_rate_change": "0.0005",
        "max_order_size": plain(rules.max_order_size),
        "max_tob_spread": "0.01",
        "interest_rate": plain(rules.interest_rate),
        "clamp_rate": plain(rules.clamp_rate),
        "funding_period_hours": rules.funding_period_hours,
        "funding_multiplier": 1,
        "oracle_ewma_factor": "0.2",
        "price_feed_id": "",
        "tags": [],
        "delta1_cross_margin_params": {
            "imf_base": plain(rules.initial_margin),
            "imf_factor": "0",
            "imf_shift": "0",
            "mmf_factor": plain(rules.maintenance_factor),
        },
        "fee_config": {
            "api_fee": {"maker_fee": _fee(rules.maker_fee), "taker_fee": _fee(rules.taker_fee)},
            "interactive_fee": {"maker_fee": _fee(rules.retail_maker_fee), "taker_fee": _fee(rules.retail_taker_fee)},
            "rpi_fee": {"maker_fee": _fee(rules.maker_fee), "taker_fee": _fee(ZERO)},
        },
    }


def summary(state: MarketSummary, name: str) -> View:
    """`MarketSummaryResp`."""
    return {
        "symbol": name,
        "mark_price": plain(state.mark),
        "last_traded_price": _text(state.last),
        "bid": _text(state.quote.bid),
        "bid_size": plain(state.quote.bid_size),
        "ask": _text(state.quote.ask),
        "ask_size": plain(state.quote.ask_size),
        "volume_24h": plain(state.volume_24h),
        "total_volume": plain(state.total_volume),
        "created_at": ms(state.at),
        "underlying_price": plain(state.index),
        "open_interest": plain(state.open_interest),
        "funding_rate": plain(state.funding_rate),
        "price_change_rate_24h": plain(state.change_24h),
        "external_fair_price": plain(state.mark),
    }


def bbo(quote: Quote, name: str) -> View:
    """`BBOResp`; a side without orders is empty text with size "0"."""
    return {
        "market": name,
        "bid": _text(quote.bid),
        "bid_size": plain(quote.bid_size),
        "ask": _text(quote.ask),
        "ask_size": plain(quote.ask_size),
        "last_updated_at": ms(quote.at),
        "seq_no": quote.seq_no,
    }


def levels(side: tuple[tuple[Decimal, Decimal], ...]) -> list[list[str]]:
    """Book levels as pairs of texts, best first."""
    return [[plain(price), plain(size)] for price, size in side]


def order_book(depth: Depth, name: str, api: Quote, interactive: Quote) -> View:
    """`AskBidArray` with both kinds of best prices."""
    return {
        "market": name,
        "seq_no": depth.seq_no,
        "last_updated_at": ms(depth.at),
        "bids": levels(depth.bids),
        "asks": levels(depth.asks),
        "best_bid_api": best(api.bid, api.bid_size),
        "best_ask_api": best(api.ask, api.ask_size),
        "best_bid_interactive": best(interactive.bid, interactive.bid_size),
        "best_ask_interactive": best(interactive.ask, interactive.ask_size),
    }


def best(price: Decimal | None, size: Decimal) -> list[str]:
    """One best level, empty when the side is."""
    return [] if price is None else [plain(price), plain(size)]


def trade(printed: PublicTrade, name: str) -> View:
    """`TradeResult`; `side` is the taker's."""
    return {
        "id": str(printed.id),
        "market": name,
        "side": printed.side.value.upper(),
        "size": plain(printed.size),
        "price": plain(printed.price),
        "created_at": ms(printed.traded_at),
        "trade_type": printed.kind.value.upper(),
    }


def kline(row: Kline) -> list[float]:
    """`[open_ms, open, high, low, close, volume]`, JSON numbers."""
    return [ms(row.open_at), row.open, row.high, row.low, row.close, row.volume]


def funding(point: FundingPoint, name: str, period_hours: int) -> View:
    """`FundingDataResult`; `funding_rate_8h` is the period's rate scaled to eight hours."""
    return {
        "market": name,
        "funding_index": plain(point.index),
        "funding_premium": plain(point.premium),
        "funding_rate": plain(point.rate),
        "funding_rate_8h": plain(point.rate * 8 / period_hours),
        "funding_period_hours": period_hours,
        "impact_premium_rate": plain(point.premium_rate),
        "created_at": ms(point.at),
    }


def funding_payment(paid: FundingSettled, name: str) -> View:
    """`FundingPayment`; positive means received ([open] in the documents)."""
    return {
        "id": paid.id,
        "account": paid.account,
        "market": name,
        "payment": plain(paid.payment),
        "index": plain(paid.index),
        "fill_id": paid.fill_id,
        "created_at": ms(paid.at),
    }


def order(placed: SimOrder, name: str, published_at: int) -> View:
    """`OrderResp`."""
    view: View = {
        "id": placed.order_id,
        "account": placed.account,
        "market": name,
        "side": placed.side.value.upper(),
        "type": placed.type.value.upper(),
        "size": plain(placed.size),
        "remaining_size": plain(placed.remaining),
        "price": _text(placed.price, "0"),
        "status": placed.status.value.upper(),
        "created_at": ms(placed.created_at),
        "last_updated_at": ms(placed.updated_at),
        "timestamp": ms(placed.signed_at),
        "cancel_reason": placed.cancel_reason,
        "client_id": placed.client_id,
        "seq_no": placed.seq_no,
        "instruction": instruction(placed.time_in_force),
        "avg_fill_price": _text(placed.average_price),
        "stp": placed.stp.value,
        "received_at": ms(placed.received_at),
        "published_at": ms(published_at),
        "flags": list(placed.flags),
        "trigger_price": _text(placed.trigger_price, "0"),
    }
    if placed.modify is not None:
        view["request_info"] = {
            "id": placed.modify.id,
            "message": placed.modify.message,
            "request_type": "MODIFY_ORDER",
            "status": placed.modify.status,
        }
    return view


def instruction(time_in_force: TimeInForce) -> str:
    """The instruction's word."""
    return time_in_force.value.upper()


def fill(done: SimFill, name: str) -> View:
    """`FillResult`; `side` is the account's own."""
    return {
        "id": done.id,
        "account": done.account,
        "market": name,
        "order_id": done.order_id,
        "client_id": done.client_id,
        "side": done.side.value.upper(),
        "liquidity": done.liquidity.value.upper(),
        "price": plain(done.price),
        "size": plain(done.size),
        "remaining_size": plain(done.remaining),
        "fee": plain(done.fee),
        "fee_currency": "USDC",
        "realized_pnl": plain(done.realized_pnl),
        "realized_funding": plain(done.funding),
        "underlying_price": plain(done.index_price),
        "fill_type": done.kind.value.upper(),
        "flags": list(done.flags),
        "orderbook_seq_no": done.seq_no,
        "created_at": ms(done.filled_at),
    }


def position(held: SimPosition, name: str) -> View:
    """`PositionResp`: signed size; unrealised and realised PnL include funding, cost is negative for shorts."""
    cost = held.cost if held.size >= 0 else -held.cost
    return {
        "id": f"{held.account}-{name}",
        "account": held.account,
        "market": name,
        "status": "CLOSED" if held.size == 0 else "OPEN",
        "side": "SHORT" if held.size < 0 else "LONG",
        "size": plain(held.size),
        "average_entry_price": plain(held.entry_price),
        "average_entry_price_usd": plain(held.entry_price),
        "average_exit_price": _text(held.exit_price, "0"),
        "unrealized_pnl": plain(held.unrealized_pnl + held.unrealized_funding),
        "unrealized_funding_pnl": plain(held.unrealized_funding),
        "cost": plain(cost),
        "cost_usd": plain(cost),
        "cached_funding_index": plain(held.cached_funding_index),
        "last_updated_at": ms(held.updated_at),
        "last_fill_id": held.last_fill_id,
        "seq_no": held.seq_no,
        "liquidation_price": _text(held.liquidation_price),
        "leverage": str(held.leverage),
        "realized_positional_pnl": plain(held.realized_pnl + held.realized_funding),
        "realized_positional_funding_pnl": plain(held.realized_funding),
        "created_at": ms(held.created_at),
        "closed_at": ms(held.closed_at),
    }


def account(state: SimAccount) -> View:
    """`AccountSummaryResponse`."""
    return {
        "account": state.account,
        "initial_margin_requirement": plain(state.initial_margin),
        "maintenance_margin_requirement": plain(state.maintenance_margin),
        "account_value": plain(state.account_value),
        "total_collateral": plain(state.total_collateral),
        "free_collateral": plain(state.free_collateral),
        "margin_cushion": plain(state.margin_cushion),
        "settlement_asset": "USDC",
        "status": state.status,
        "updated_at": ms(state.updated_at),
        "seq_no": state.seq_no,
        "last_seen_notification": 0,
    }


def balance(collateral: Decimal, updated_at: int) -> View:
    """`BalanceResp` of the settlement currency."""
    text = plain(collateral)
    return {
        "token": "USDC",
        "size": text,
        "last_updated_at": ms(updated_at),
        "cost": text,
        "cost_usd": text,
        "average_entry_price": "1",
        "average_entry_price_usd": "1",
    }
