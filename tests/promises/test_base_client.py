"""Section 17.1 of the original's checklist: the base exchange client. One test for each of its boxes."""

from __future__ import annotations

import inspect
import typing
from decimal import Decimal

import msgspec
import pytest

from flashscalper import ExchangeRestClient, ParadexRestClient
from flashscalper.model.orders import Order
from flashscalper.model.positions import ExchangePosition
from flashscalper.runtime.clients.scripted import ScriptedOrder

OPERATIONS = {
    "get_balance", "get_price", "get_klines", "set_leverage", "get_positions", "get_position", "place_market_order",
    "place_limit_order", "cancel_order", "order_exists", "get_market", "round_size", "format_size",
}  # fmt: skip
ORIGINAL_LACKED = {"get_open_orders", "get_order", "cancel_all_orders", "get_fills", "place_stop_order", "get_funding_rate"}


def test_abstract_base_class_defining_the_exchange_interface() -> None:
    assert inspect.isabstract(ExchangeRestClient)
    with pytest.raises(TypeError, match="abstract"):
        ExchangeRestClient()  # type: ignore[abstract]
    assert issubclass(ParadexRestClient, ExchangeRestClient)
    assert not inspect.isabstract(ParadexRestClient)


def test_standardised_methods_for_all_operations() -> None:
    for name in OPERATIONS | ORIGINAL_LACKED:
        promised = getattr(ExchangeRestClient, name)
        assert inspect.iscoroutinefunction(promised), name
        kept = getattr(ParadexRestClient, name)
        assert list(inspect.signature(kept).parameters) == list(inspect.signature(promised).parameters), name
        assert promised.__doc__, name


def test_type_safe_position_definition() -> None:
    hints = typing.get_type_hints(ExchangePosition)
    assert hints["size"] is Decimal
    assert hints["entry_price"] is Decimal
    position = ExchangePosition(symbol="ETHUSDT", size=Decimal("-0.1"), entry_price=Decimal(3000))
    with pytest.raises(AttributeError):
        position.size = Decimal(0)  # type: ignore[misc]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"symbol": "ETHUSDT", "size": "many", "entry_price": "1"}, ExchangePosition)
    for name in OPERATIONS | ORIGINAL_LACKED:
        returned = inspect.signature(getattr(ExchangeRestClient, name)).return_annotation
        assert "Any" not in str(returned), name
    assert issubclass(ScriptedOrder, Order)
