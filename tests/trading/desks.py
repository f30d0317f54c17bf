"""An order desk by itself: real gate, real book, nobody around it."""

from __future__ import annotations

from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.desk import Desk, Output
from flashscalper.trading.exposure import SymbolExposure
from flashscalper.trading.fees import RetailBudget
from flashscalper.trading.limits import Surroundings
from flashscalper.trading.orders import Orders
from flashscalper.trading.risk import Risk
from flashscalper.trading.settings import RiskLimits
from tests.trading.stage import START, D


def alone(symbol: str) -> Surroundings:
    """No market has anything open."""
    exposure = SymbolExposure(symbol=symbol, price=D(100), margin_rate=D("0.1"))
    return Surroundings(exposures={symbol: exposure}, equity=D(10_000), mark=D(100), mid=D(100), open_orders=0)


def desk_of(out: list[Output], limits: RiskLimits | None = None, retail: RetailBudget | None = None) -> Desk:
    """A desk that says everything into `out`."""
    risk = Risk(limits or RiskLimits(), out.append, None)
    return Desk(ClientIds(START), risk, Orders(), out, alone, retail or RetailBudget())
