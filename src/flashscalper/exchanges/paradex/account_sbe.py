"""Account pushes in binary (SBE templates 20 to 23) as model objects.

The pages say that account payloads stay JSON; ccxt decodes them as SBE (paradex.md section 5.9), so both are read.
Figures arrive exact; words are checked here, "UNKNOWN" is refused like any other word that the documents do not list.
"""

from __future__ import annotations

from flashscalper.exchanges.paradex import sbe, wire
from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.errors import ProtocolError
from flashscalper.model.positions import AccountSummary, ExchangePosition

_BUY_SELL = ("BUY", "SELL")


def order_result(order: sbe.SbeOrder) -> wire.OrderResult:
    """A binary order in the JSON form, so that both go through the same checks."""
    _check_side("order.side", order.side)
    info = None
    if order.request_id or order.request_type:
        info = wire.RequestInfo(order.request_id, order.request_message, order.request_type, order.request_status)
    return wire.OrderResult(
        id=order.order_id,
        market=order.market,
        side="BUY" if order.side == "BUY" else "SELL",
        type=order.type,
        size=plain(order.size),
        status=order.status,
        remaining_size=plain(order.remaining_size),
        price=None if order.price is None else plain(order.price),
        trigger_price=None if order.trigger_price is None else plain(order.trigger_price),
        client_id=order.client_id,
        instruction=order.instruction,
        flags=list(order.flags),
        cancel_reason=order.cancel_reason,
        avg_fill_price=None if order.avg_fill_price is None else plain(order.avg_fill_price),
        created_at=order.created_at // 1000,
        last_updated_at=order.updated_at // 1000,
        seq_no=order.seq_no,
        request_info=info,
    )


def fill_result(fill: sbe.SbeFill) -> wire.FillResult:
    """A binary fill in the JSON form. The template has no remaining size."""
    _check_side("fill.side", fill.side)
    return wire.FillResult(
        id=fill.fill_id,
        order_id=fill.order_id,
        market=fill.market,
        side="BUY" if fill.side == "BUY" else "SELL",
        price=plain(fill.price),
        size=plain(fill.size),
        created_at=fill.created_at // 1000,
        liquidity=fill.liquidity,
        client_id=fill.client_id,
        fee=plain(fill.fee),
        fee_currency=fill.fee_currency,
        fill_type=fill.fill_type,
        realized_pnl=None if fill.realized_pnl is None else plain(fill.realized_pnl),
        realized_funding=plain(fill.realized_funding),
        flags=list(fill.flags),
    )


def position_from(position: sbe.SbePosition, symbol: str) -> ExchangePosition:
    """A binary position; its size is signed already."""
    if position.status not in ("OPEN", "CLOSED"):
        raise ProtocolError("position.status", f"saw {position.status!r}; accepted: OPEN, CLOSED")
    return ExchangePosition(
        symbol=symbol,
        size=ZERO if position.status == "CLOSED" else position.size,
        entry_price=position.average_entry_price,
        unrealized_pnl=position.unrealized_pnl,
        realized_pnl=position.realized_pnl,
        unrealized_funding=position.unrealized_funding_pnl,
        liquidation_price=position.liquidation_price or None,
        leverage=position.leverage,
        last_fill_id=position.last_fill_id,
        updated_at=position.updated_at,
        seq_no=position.seq_no,
    )


def account_from(account: sbe.SbeAccount) -> AccountSummary:
    """A binary margin summary."""
    return AccountSummary(
        account=account.account,
        account_value=account.account_value,
        total_collateral=account.total_collateral,
        free_collateral=account.free_collateral,
        initial_margin=account.initial_margin,
        maintenance_margin=account.maintenance_margin,
        status=account.status,
        updated_at=account.updated_at,
        seq_no=account.seq_no,
    )


def _check_side(field: str, side: str) -> None:
    if side not in _BUY_SELL:
        raise ProtocolError(field, f"saw {side!r}; accepted: BUY, SELL")
