"""The status of a running process as one JSON document, and the sentence that says what it leaves behind."""

from __future__ import annotations

from typing import Any

import msgspec

from flashscalper.model.records import SignalJudged
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.store.follower import StoreState
from flashscalper.trading.misses import needs_text
from flashscalper.trading.status import EngineStatus, MarketStatus


def whole_status(
    seen: EngineStatus, *, run: str, mode: str, place: str, account: str, folder: str, degraded: bool, stopping: str,
    killed: str | None, latency: Durations, store: StoreState,
) -> dict[str, Any]:  # fmt: skip
    """`state`, `reasons`, per market position, stop, nearest miss and ages of its feeds. Amounts as text, ages in seconds.

    `degraded`: a stream is gone, or has not come; the account goes on by REST and nothing is opened.
    """
    return {
        "running": True, "run": run, "mode": mode, "environment": place, "account": account, "state": str(seen.state),
        "reasons": list(seen.reasons), "degraded": degraded, "stopping": stopping, "killed": killed,
        "exchange_status": str(seen.exchange_status), "streams": dict(seen.streams), "equity": str(seen.equity),
        "cash": str(seen.cash), "realized_pnl": str(seen.realized_pnl), "fees": str(seen.fees), "funding": str(seen.funding),
        "round_trips": seen.round_trips,
        "orders": {
            "sent": seen.sent, "filled": seen.filled, "canceled": seen.canceled, "denied": seen.denied,
            "rejected": seen.rejected, "unknown": seen.unknown, "open": seen.open_orders,
        },
        "latency_ms": {"p50": latency.percentile_ms(50), "p99": latency.percentile_ms(99)},
        "markets": {market.symbol: _market(market) for market in seen.markets}, "folder": folder,
        "store": msgspec.to_builtins(store),
    }  # fmt: skip


def _market(market: MarketStatus) -> dict[str, Any]:
    position = market.position
    return {
        "price": market.last_price, "bid": market.bid, "ask": market.ask, "mark": market.mark,
        "position": None if position is None else msgspec.to_builtins(position, builtin_types=()),
        "last_signal": _judged(market.last_signal), "nearest_miss": _judged(market.nearest_miss),
        "nearest_miss_text": "" if market.nearest_miss is None else needs_text(market.nearest_miss),
        "other_class": str(market.other_class), "other_passes_today": market.other_passes,
        "blocks": list(market.blocks), "warm": market.warm,
        "ages_s": {"trade": market.trade_age_s, "quote": market.quote_age_s, "mark": market.mark_age_s},
    }  # fmt: skip


def _judged(judged: SignalJudged | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    gate = next((gate for gate in judged.gates if gate.code == judged.denied_by), None)
    return {
        "at": judged.judged_at, "direction": judged.direction, "confidence": judged.confidence, "outcome": judged.outcome,
        "denied_by": judged.denied_by, "needed": gate.needed if gate else "", "seen": gate.seen if gate else "",
        "reasons": list(judged.reasons),
    }  # fmt: skip


def what_is_left(status: dict[str, Any]) -> str:
    """One sentence for whoever stops it: positions, whether their stops rest, orders."""
    held = {symbol: market["position"] for symbol, market in status["markets"].items() if market["position"] is not None}
    if not held:
        orders = status["orders"]["open"]
        return "flat" + (f", but {orders} orders were still open when last seen" if orders else ", no order of ours is left")
    parts = [
        f"{symbol} {position['size']}, "
        + (f"stop at {position['stop_price']} rests" if position["protection"] == "protected" else "NO STOP IS CONFIRMED")
        for symbol, position in held.items()
    ]
    return "left open: " + "; ".join(parts)
