"""The step of `check` that places an order: smallest size, post-only, far from the market, canceled at once."""

from __future__ import annotations

import asyncio
import time
from decimal import ROUND_CEILING, Decimal
from typing import Final

from flashscalper.cli.checking.check_steps import Bench
from flashscalper.cli.checking.findings import Finding, Outcome
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.model.amounts import plain
from flashscalper.model.errors import ExchangeError, ProtocolError, TransportError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.markets import Market, Rounding
from flashscalper.model.orders import Order, OrderStatus, TimeInForce
from flashscalper.runtime.clients.scripted import ScriptedOrder

FAR: Final = 0.8
"""The order's price as a share of the mark: nobody sells there, and passive orders have no price band."""
_SPARE: Final = Decimal("1.1")
_PATIENCE_S: Final = 5.0
_ASK_AGAIN_S: Final = 0.05


async def place_and_cancel(bench: Bench) -> Finding:
    """Place, see it rest, cancel, see it gone. Never on prod."""
    if bench.target.environment is Environment.PROD:
        return Finding(step="order", outcome=Outcome.SKIP, detail="none on prod: it would be real")
    if not bench.order:
        return Finding(step="order", outcome=Outcome.SKIP, detail="not wanted (--no-order)")
    if bench.status in (ExchangeStatus.MAINTENANCE, ExchangeStatus.CANCEL_ONLY):
        return Finding(step="order", outcome=Outcome.SKIP, detail=f"the exchange's status is {bench.status}")
    market = bench.markets[0]
    mark = (await bench.client.get_price(market.symbol)).mark
    price, size = far_bid(market, mark)
    started = bench.rest.now()
    placed = await bench.client.place_limit_order(market.symbol, "buy", size, price, time_in_force=TimeInForce.POST_ONLY)
    took_ms = (bench.rest.now() - started) / 1000
    try:
        rested = await wait_for(bench, placed, OrderStatus.OPEN)
    finally:
        canceled = await cancel_for_certain(bench, placed)
    facts = {"accepted_ms": round(took_ms, 1), "symbol": market.symbol, "price": plain(price), "size": plain(size)}
    detail = f"buy {plain(size)} {market.base} at {plain(price)}, post-only: accepted after {took_ms:.0f} ms"
    if rested is None or rested.status is OrderStatus.CLOSED:
        reason = rested.cancel_reason if rested is not None else "nobody knows it"
        hint = _HINTS.get(reason, "the order was accepted and then closed by the exchange's risk check")
        return Finding(step="order", outcome=Outcome.FAIL, detail=f"{detail}, then closed: {reason}", hint=hint, facts=facts)
    if not canceled:
        hint = f"cancel it by hand: client id {placed.client_id}"
        return Finding(step="order", outcome=Outcome.FAIL, detail=f"{detail}, but not canceled", hint=hint, facts=facts)
    return Finding(step="order", outcome=Outcome.OK, detail=f"{detail}, rested, canceled", facts=facts)


_HINTS: Final = {"NOT_ENOUGH_MARGIN": "deposit first; on testnet use the faucet of the web application"}


def far_bid(market: Market, mark: float) -> tuple[Decimal, Decimal]:
    """Price and smallest size of a bid that nobody will hit; the notional counts at the mark, so some is to spare."""
    price = market.round_price(mark * FAR, Rounding.DOWN)
    steps = market.min_notional * _SPARE / (price * market.size_step)
    return price, max(Decimal(1), steps.to_integral_value(rounding=ROUND_CEILING)) * market.size_step


async def wait_for(bench: Bench, placed: Order, status: OrderStatus) -> Order | None:
    """The order once it has this status or is closed, at the latest after five seconds; None when it is not known."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        found = await bench.client.get_order(placed.symbol, client_id=placed.client_id)
        if (found is not None and found.status in (status, OrderStatus.CLOSED)) or time.monotonic() > give_up_at:
            return found
        await asyncio.sleep(_ASK_AGAIN_S)


async def cancel_for_certain(bench: Bench, placed: ScriptedOrder) -> bool:
    """Cancel by client id and look until the order is closed, whatever the answers were; says whether it is."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_at:
        try:
            await bench.client.cancel_order(placed.symbol, client_id=placed.client_id)
            found = await bench.client.get_order(placed.symbol, client_id=placed.client_id)
        except (ExchangeError, TransportError, ProtocolError):
            found = None
        if found is not None and found.status is OrderStatus.CLOSED:
            return True
        await asyncio.sleep(_ASK_AGAIN_S)
    return False
