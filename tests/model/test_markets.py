from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.markets import Market, Rounding
from flashscalper.model.orders import Side

ETH = Market(
    symbol="ETHUSDT",
    market="ETH-USD-PERP",
    base="ETH",
    price_tick=Decimal("0.01"),
    size_step=Decimal("0.001"),
    min_notional=Decimal(10),
    max_order_size=Decimal(1000),
    position_limit=Decimal(3000),
)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0.29, "0.29"), (1.15, "1.15"), (0.57, "0.57"), (0.0009999, "0"), (Decimal("2.9999"), "2.999")],
)
def test_sizes_go_down_to_the_step_and_lose_no_step_to_binary_fractions(size: float | Decimal, expected: str) -> None:
    assert ETH.round_size(size) == Decimal(expected)


def test_a_passive_buy_rounds_down_and_a_passive_sell_up() -> None:
    assert ETH.passive_price(2681.627, Side.BUY) == Decimal("2681.62")
    assert ETH.passive_price(2681.621, Side.SELL) == Decimal("2681.63")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, Decimal("NaN"), Decimal("-0.5")])
def test_what_is_no_price_is_refused_with_the_field_named(bad: float | Decimal) -> None:
    with pytest.raises(ValueError, match="price: saw"):
        ETH.round_price(bad, Rounding.NEAREST)


def test_a_price_below_one_tick_is_refused_when_it_would_become_zero() -> None:
    with pytest.raises(ValueError, match=r"at least one step of 0\.01"):
        ETH.round_price(0.001, Rounding.DOWN)


@given(st.decimals(min_value="0.02", max_value="1000000", places=6))
def test_rounding_stays_on_the_grid_and_within_one_tick(price: Decimal) -> None:
    down, up = ETH.round_price(price, Rounding.DOWN), ETH.round_price(price, Rounding.UP)
    assert down <= price <= up
    assert up - down in (Decimal(0), ETH.price_tick)
    assert down % ETH.price_tick == 0 == up % ETH.price_tick
    assert ETH.round_price(price, Rounding.NEAREST) in (down, up)


@given(st.floats(min_value=1e-3, max_value=1e6, allow_nan=False))
def test_a_rounded_size_never_exceeds_what_was_asked(size: float) -> None:
    assert ETH.round_size(size) <= Decimal(repr(size))
