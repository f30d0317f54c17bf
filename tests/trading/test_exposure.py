"""The worst that may come of what is out, term by term."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.trading.exposure import SymbolExposure, exposure_of
from flashscalper.trading.orders import OrderState, TrackedOrder, tracked
from tests.trading.stage import ETH, START, D

OURS = SymbolExposure(symbol=ETH, position=D(3), buys=D(2), sells=D(10), price=D(100), margin_rate=D("0.1"))


def order(
    side: Side, size: str, *, price: str | None = "100", reduce_only: bool = False, **more: object
) -> TrackedOrder:  # fmt: skip
    command = PlaceOrder(
        client_id="fs-1-1", symbol=ETH, side=side, type=OrderType.LIMIT, size=D(size), reduce_only=reduce_only,
        price=None if price is None else D(price), role=OrderRole.ENTRY, reason="test",
    )  # fmt: skip
    return msgspec.structs.replace(tracked(command, START), **more)


def of(*orders: TrackedOrder, position: Decimal = ZERO) -> SymbolExposure:
    return exposure_of(ETH, position, orders, price=D(100), margin_rate=D("0.1"))


@pytest.mark.parametrize(
    ("position", "buys", "sells", "worst"),
    [("3", "0", "0", "3"), ("-3", "0", "0", "3"), ("3", "2", "0", "5"), ("3", "0", "10", "7"), ("-3", "10", "0", "7"),
     ("-3", "0", "2", "5"), ("3", "2", "4", "5"), ("0", "2", "4", "4"), ("3", "0", "1", "3"), ("-3", "1", "0", "3")],
)  # fmt: skip
def test_the_worst_is_the_largest_position_that_any_fills_can_lead_to(
    position: str, buys: str, sells: str, worst: str
) -> None:
    assert SymbolExposure(symbol=ETH, position=D(position), buys=D(buys), sells=D(sells)).worst_size == D(worst)


@pytest.mark.parametrize("foreign", ["4", "-4"])
def test_what_somebody_else_holds_comes_on_top_whatever_its_direction(foreign: str) -> None:
    assert msgspec.structs.replace(OURS, foreign=D(foreign)).worst_size == D(11)
    assert exposure_of(ETH, D(1), (), price=D(100), margin_rate=D(1), foreign=D(foreign)).foreign == D(foreign)


def test_what_may_come_is_valued_at_the_highest_price_that_any_of_it_may_pay() -> None:
    cheap, dear, market = (
        order(Side.BUY, "1", price="99"),
        order(Side.SELL, "1", price="101"),
        order(Side.BUY, "1", price=None),
    )
    assert [of(one).price for one in (cheap, dear, market)] == [D(100), D(101), D(100)]
    assert of(dear, cheap, market).price == D(101)
    for nothing in (
        order(Side.BUY, "1", price="101", reduce_only=True), order(Side.BUY, "1", price="101", state=OrderState.CANCELED),
    ):  # fmt: skip
        assert of(nothing, cheap).price == D(100)


def test_notional_and_margin_are_of_the_worst_size() -> None:
    assert (OURS.worst_size, OURS.notional, OURS.margin) == (D(7), D(700), D(70))


def test_where_nothing_is_known_of_the_margin_the_whole_notional_is_needed() -> None:
    nothing = SymbolExposure(symbol=ETH)
    assert (nothing.position, nothing.buys, nothing.sells, nothing.price, nothing.margin_rate) == (
        ZERO,
        ZERO,
        ZERO,
        ZERO,
        D(1),
    )


@pytest.mark.parametrize(("side", "buys", "sells"), [(Side.BUY, "3", "10"), (Side.SELL, "2", "11")])
@pytest.mark.parametrize(("price", "after"), [("101", "101"), ("99", "100")])
def test_one_more_order_adds_to_its_own_side_and_never_makes_the_price_better(
    side: Side, buys: str, sells: str, price: str, after: str
) -> None:
    more = OURS.plus(side, D(1), D(price))
    assert (more.buys, more.sells, more.price) == (D(buys), D(sells), D(after))
    assert (more.symbol, more.position, more.margin_rate) == (OURS.symbol, OURS.position, OURS.margin_rate)


def test_every_order_that_may_add_counts_on_its_side_with_what_is_not_booked() -> None:
    found = of(
        order(Side.SELL, "50", reduce_only=True), order(Side.BUY, "50", reduce_only=True), order(Side.BUY, "1"),
        order(Side.BUY, "2", filled=D("0.5"), state=OrderState.OPEN), order(Side.SELL, "4", state=OrderState.UNKNOWN),
        order(Side.SELL, "8", filled=D(1), state=OrderState.OPEN), position=D(-1),
    )  # fmt: skip
    assert found == SymbolExposure(
        symbol=ETH, position=D(-1), buys=D("2.5"), sells=D(11), price=D(100), margin_rate=D("0.1")
    )


def test_of_an_order_that_ended_only_the_fills_that_it_owes_count() -> None:
    owing = order(Side.BUY, "5", state=OrderState.CANCELED, filled=D(1), shown=D(3))
    assert of(owing, order(Side.BUY, "5", state=OrderState.REJECTED)).buys == D(2)


def test_exposure_is_a_picture_of_one_moment_with_every_figure_named() -> None:
    with pytest.raises(AttributeError):
        OURS.price = ZERO  # type: ignore[misc]
    with pytest.raises(TypeError):
        SymbolExposure(ETH, ZERO, ZERO)  # type: ignore[call-arg]
