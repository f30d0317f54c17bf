"""A market's rules, and the only crossing from looking (float) to money (Decimal): `round_price` and `round_size`."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from math import isfinite

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.orders import Side


class Rounding(StrEnum):
    """Which way a price goes to its tick."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


_DECIMAL_ROUNDING = {Rounding.DOWN: ROUND_FLOOR, Rounding.UP: ROUND_CEILING, Rounding.NEAREST: ROUND_HALF_EVEN}


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one perpetual market as the exchange publishes them.

    `symbol` is ours (`ETHUSDT`), `market` the exchange's name (`ETH-USD-PERP`). Sizes are in base units, prices in
    quote units, fees and bands are fractions (0.00045 = 4.5 bps; a positive fee is paid).
    """

    symbol: str
    market: str
    base: str
    quote: str = "USD"
    settlement: str = "USDC"
    price_tick: Decimal
    size_step: Decimal
    min_notional: Decimal
    max_order_size: Decimal
    position_limit: Decimal
    max_open_orders: int = 100
    price_band: Decimal = Decimal("0.05")
    max_slippage: Decimal = Decimal("0.05")
    initial_margin: Decimal = Decimal("0.02")
    maintenance_factor: Decimal = Decimal("0.5")
    maker_fee: Decimal = Decimal("0.00003")
    taker_fee: Decimal = Decimal("0.00045")
    retail_maker_fee: Decimal = ZERO
    retail_taker_fee: Decimal = ZERO
    funding_period_hours: int = 8
    interest_rate: Decimal = Decimal("0.0001")
    clamp_rate: Decimal = Decimal("0.0005")
    max_funding_rate: Decimal = Decimal("0.02")

    def round_price(self, price: float | Decimal, rounding: Rounding) -> Decimal:
        """`price` on the tick grid as an exact Decimal; refuses NaN, infinity and anything not above zero."""
        return _on_grid("price", price, self.price_tick, _DECIMAL_ROUNDING[rounding])

    def passive_price(self, price: float | Decimal, side: Side) -> Decimal:
        """`price` on the tick grid, rounded away from the market: down for buys, up for sells."""
        return self.round_price(price, Rounding.DOWN if side is Side.BUY else Rounding.UP)

    def round_size(self, size: float | Decimal) -> Decimal:
        """`size` on the step grid, always down; zero when it is smaller than one step."""
        return _on_grid("size", size, self.size_step, ROUND_FLOOR, zero_allowed=True)


def _on_grid(field: str, value: float | Decimal, step: Decimal, rounding: str, *, zero_allowed: bool = False) -> Decimal:
    """`value` as a multiple of `step`. A float enters by its shortest text, so 0.29 stays 0.29."""
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"{field}: saw {value!r}; accepted: a finite number")
        value = Decimal(repr(value))
    if not value.is_finite():
        raise ValueError(f"{field}: saw {value!r}; accepted: a finite number")
    rounded = (value / step).to_integral_value(rounding=rounding) * step
    if rounded < ZERO or (rounded == ZERO and not zero_allowed):
        raise ValueError(f"{field}: saw {value}; accepted: at least one step of {step}")
    return rounded
