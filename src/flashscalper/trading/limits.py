"""Hard limits as gates: one proposed entry against caps on notional, leverage, margin, groups, price and open orders.

Pure and small on purpose: this is the code between a decision and the wire. Each gate says what was needed and what was
seen. A figure that cannot be computed (no mark, no equity) fails its gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.model.records import Gate
from flashscalper.trading.exposure import SymbolExposure
from flashscalper.trading.settings import RiskLimits

_CENT = Decimal("0.01")
_TEN_THOUSAND = Decimal(10_000)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An order that would add risk. `price` is the worst price that it may get."""

    symbol: str
    side: Side
    size: Decimal
    price: Decimal

    @property
    def notional(self) -> Decimal:
        """Quote units at the worst price."""
        return self.size * self.price


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate looks at besides the order: every market's exposure, equity, prices, how many orders rest."""

    exposures: Mapping[str, SymbolExposure]
    equity: Decimal
    mark: Decimal | None
    mid: Decimal | None
    open_orders: int


def limit_gates(limits: RiskLimits, market: Market, proposal: Proposal, around: Surroundings) -> tuple[Gate, ...]:
    """Every hard limit for one order that adds risk, in a fixed order."""
    own = around.exposures[proposal.symbol].plus(proposal.side, proposal.size, proposal.price)
    after = {**around.exposures, proposal.symbol: own}
    account = sum((one.notional for one in after.values()), ZERO)
    margin = sum((one.margin for one in after.values()), ZERO)
    most = min(limits.max_order_notional, market.max_order_size * proposal.price)
    return (
        _grid_gate(market, proposal),
        _cap("order_notional", proposal.notional, most),
        Gate(
            code="min_notional", passed=proposal.notional >= market.min_notional,
            needed=f"at least {plain(market.min_notional)}", seen=_money(proposal.notional),
        ),
        Gate(
            code="position_limit", passed=own.worst_size <= market.position_limit,
            needed=f"at most {plain(market.position_limit)}", seen=plain(own.worst_size),
        ),
        _cap("position_notional", own.notional, limits.max_position_notional),
        _cap("account_notional", account, limits.max_account_notional),
        _cap("leverage", account, around.equity * Decimal(repr(limits.max_leverage))),
        _cap("margin", margin, around.equity * Decimal(repr(limits.max_margin_share))),
        *_group_gates(limits, proposal.symbol, after),
        _collar("collar_mark", proposal.price, around.mark, limits),
        _collar("collar_mid", proposal.price, around.mid, limits),
        Gate(
            code="open_orders", passed=around.open_orders < min(limits.max_open_orders, market.max_open_orders),
            needed=f"under {min(limits.max_open_orders, market.max_open_orders)}", seen=str(around.open_orders),
        ),
    )  # fmt: skip


def _grid_gate(market: Market, proposal: Proposal) -> Gate:
    """Finite, above zero, on the market's grid: whatever came before must not matter here."""
    finite = proposal.size.is_finite() and proposal.price.is_finite()
    passed = (
        finite
        and proposal.size > ZERO
        and proposal.price > ZERO
        and proposal.size % market.size_step == ZERO
        and proposal.price % market.price_tick == ZERO
    )
    needed = f"above 0 in steps of {plain(market.size_step)} at ticks of {plain(market.price_tick)}"
    return Gate(code="grid", passed=passed, needed=needed, seen=f"{proposal.size} at {proposal.price}")


def _cap(code: str, seen: Decimal, most: Decimal) -> Gate:
    return Gate(code=code, passed=seen <= most, needed=f"at most {_money(most)}", seen=_money(seen))


def _group_gates(limits: RiskLimits, symbol: str, after: Mapping[str, SymbolExposure]) -> tuple[Gate, ...]:
    return tuple(
        _cap(
            f"group_{group.name}",
            sum((after[one].notional for one in group.symbols if one in after), ZERO),
            group.max_notional,
        )
        for group in limits.groups
        if symbol in group.symbols
    )


def _collar(code: str, price: Decimal, reference: Decimal | None, limits: RiskLimits) -> Gate:
    """How far the worst price lies from a reference, in basis points; without a reference nothing is sent."""
    needed = f"within {limits.collar_bps:g} bps"
    if reference is None or reference <= ZERO:
        return Gate(code=code, passed=False, needed=needed, seen="no price to compare with")
    away = abs(price / reference - 1) * _TEN_THOUSAND
    return Gate(code=code, passed=away <= Decimal(repr(limits.collar_bps)), needed=needed, seen=f"{away:.2f} bps")


def _money(amount: Decimal) -> str:
    return plain(amount.quantize(_CENT)) if abs(amount) < 10**20 else str(amount)
