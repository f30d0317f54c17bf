"""Risk decides the size, every cap binds alone, and what is too small is refused instead of raised."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.trading.sizing import Exposure, Sized, SizingCode, SizingSettings, size_position, smallest_size
from tests.trading.plan_samples import DEAR, FREE, MARKET

# Everything wide open, full risk at any confidence: what a test tightens binds alone.
OPEN = SizingSettings(
    risk_per_trade=0.01,
    max_notional_share=100,
    max_exposure_share=100,
    max_margin_share=1,
    leverage=50,
    min_confidence_factor=1.0,
)


def size(rules: SizingSettings = OPEN, market: Market = MARKET, **inputs: Any) -> Sized:
    """10,000 of equity, a price of 2,000, a stop 20 away, no costs."""
    given_inputs: dict[str, Any] = {
        "equity": Decimal(10_000),
        "price": Decimal(2_000),
        "stop_distance": Decimal(20),
        "costs": FREE,
        "confidence": 80.0,
    }
    return size_position(rules, market, **(given_inputs | inputs))


def with_(**fields: Any) -> SizingSettings:
    """OPEN with some fields changed."""
    return msgspec.structs.replace(OPEN, **fields)


def test_the_size_is_the_risk_over_the_stop_distance() -> None:
    sized = size()
    assert sized.size == Decimal(5)  # 1 % of 10,000 is 100; 100 / 20
    assert sized.risk == Decimal(100)
    assert sized.notional == Decimal(10_000)
    assert all(gate.passed for gate in sized.gates)


def test_costs_are_part_of_what_a_trade_may_lose() -> None:
    sized = size(costs=DEAR)
    assert sized.size == Decimal("4.504")  # 100 / (20 + 2000 x 11 bps), down to a step
    assert sized.risk <= Decimal(100)


def test_a_wider_stop_makes_a_smaller_position() -> None:
    assert size(stop_distance=Decimal(40)).size == Decimal("2.5")


@pytest.mark.parametrize(
    ("fields", "inputs", "expected"),
    [
        ({"max_notional": Decimal(1_000)}, {}, "0.5"),
        ({"max_notional_share": 0.2}, {}, "1"),
        ({"max_notional_share": 0.2}, {"exposure": Exposure(symbol_notional=Decimal(500))}, "0.75"),
        ({"max_exposure_share": 0.5}, {"exposure": Exposure(total_notional=Decimal(2_000))}, "1.5"),
        ({"max_margin_share": 0.1, "leverage": 2}, {}, "1"),
        ({"max_margin_share": 0.1, "leverage": 2}, {"exposure": Exposure(margin=Decimal(600))}, "0.4"),
        ({"leverage": 2}, {"free_collateral": Decimal(300)}, "0.3"),
    ],
)
def test_each_cap_alone_makes_the_position_smaller(fields: dict[str, Any], inputs: dict[str, Any], expected: str) -> None:
    assert size(with_(**fields), **inputs).size == Decimal(expected)


def test_the_markets_own_initial_margin_binds_when_it_asks_for_more_than_the_leverage() -> None:
    strict = Market(
        **{name: getattr(MARKET, name) for name in MARKET.__struct_fields__} | {"initial_margin": Decimal("0.5")}
    )
    assert size(with_(max_margin_share=0.1), strict).size == Decimal(1)


@pytest.mark.parametrize(
    ("code", "fields", "inputs"),
    [
        (SizingCode.INPUTS, {}, {"confidence": float("nan")}),
        (SizingCode.INPUTS, {}, {"equity": Decimal("NaN")}),
        (SizingCode.INPUTS, {}, {"price": Decimal(0)}),
        (SizingCode.INPUTS, {}, {"volatility": float("inf")}),
        (SizingCode.EQUITY, {}, {"equity": Decimal(9)}),
        (SizingCode.STOP, {}, {"stop_distance": Decimal(0)}),
        (SizingCode.STOP, {"max_stop_percent": 0.9}, {}),
        (SizingCode.RISK, {"risk_per_trade": 0.000001}, {}),
        (SizingCode.NOTIONAL, {"max_notional": Decimal(9)}, {}),
        (SizingCode.EXPOSURE, {"max_exposure_share": 0.5}, {"exposure": Exposure(total_notional=Decimal(5_000))}),
        (SizingCode.MARGIN, {}, {"exposure": Exposure(margin=Decimal(10_000))}),
        (
            SizingCode.MARKET_MAX,
            {},
            {"exposure": Exposure(symbol_notional=Decimal(10_000_000)), "equity": Decimal(1_000_000)},
        ),
    ],
)
def test_each_refusal_has_its_own_code_and_carries_its_numbers(
    code: SizingCode, fields: dict[str, Any], inputs: dict[str, Any]
) -> None:
    sized = size(with_(**fields), **inputs)
    assert sized.size == 0
    assert sized.refused_by is not None
    assert sized.refused_by.code == code
    assert sized.refused_by.needed
    assert sized.refused_by.seen


def test_a_budget_just_under_the_smallest_order_is_refused_never_rounded_up() -> None:
    assert smallest_size(MARKET, Decimal(2_000)) == Decimal("0.005")
    budget = with_(risk_per_trade=0.0000099)  # 0.099 of risk buys 0.00495 at a stop of 20
    refused = size(budget)
    assert refused.size == 0
    assert refused.refused_by is not None
    assert refused.refused_by.code == SizingCode.RISK
    assert size(with_(risk_per_trade=0.00001)).size == Decimal("0.005")


def test_doubt_and_volatility_only_ever_shrink() -> None:
    rules = with_(min_confidence_factor=0.5, base_confidence=50.0, calm_volatility=0.001)
    assert size(rules, confidence=100.0).size == Decimal(5)
    assert size(rules, confidence=75.0).size == Decimal("3.75")
    assert size(rules, confidence=10.0).size == Decimal("2.5")
    assert size(rules, confidence=250.0).size == Decimal(5)
    assert size(rules, confidence=100.0, volatility=0.002).size == Decimal("2.5")
    assert size(rules, confidence=100.0, volatility=0.0001).size == Decimal(5)


amounts = st.decimals(min_value="0.0001", max_value="1000000", places=4)
shares = st.floats(0.0001, 5)


@settings(max_examples=120, deadline=None)
@given(
    rules=st.builds(
        SizingSettings,
        risk_per_trade=st.floats(0.000001, 0.1),
        max_notional=st.none() | amounts,
        max_notional_share=shares,
        max_exposure_share=shares,
        max_margin_share=st.floats(0.0001, 1),
        leverage=st.integers(1, 50),
        max_stop_percent=st.just(50.0),
    ),
    equity=st.decimals(min_value="10", max_value="10000000", places=6),
    price=amounts,
    distance=amounts,
    used=st.decimals(min_value="0", max_value="100000", places=2),
    confidence=st.floats(0, 100),
)
def test_the_size_never_exceeds_any_cap_or_the_stated_risk(
    rules: SizingSettings, equity: Decimal, price: Decimal, distance: Decimal, used: Decimal, confidence: float
) -> None:
    exposure = Exposure(symbol_notional=used, total_notional=used, margin=used / 10)
    sized = size(
        rules, equity=equity, price=price, stop_distance=distance, costs=DEAR, confidence=confidence, exposure=exposure
    )
    if not sized.size:
        assert sized.refused_by is not None
        return
    slack = 1 + Decimal("1e-20")
    share = {name: Decimal(repr(getattr(rules, name))) * equity for name in
             ("risk_per_trade", "max_notional_share", "max_exposure_share", "max_margin_share")}  # fmt: skip
    assert sized.size % MARKET.size_step == 0
    assert sized.notional >= MARKET.min_notional
    assert sized.size <= MARKET.max_order_size
    assert sized.size * (distance + price * DEAR.total) <= share["risk_per_trade"]
    assert sized.notional + used <= share["max_notional_share"] * slack
    assert sized.notional + used <= share["max_exposure_share"] * slack
    assert sized.notional / rules.leverage + used / 10 <= share["max_margin_share"] * slack
    assert rules.max_notional is None or sized.notional + used <= rules.max_notional * slack


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("risk_per_trade", -0.01),
        ("risk_per_trade", float("nan")),
        ("risk_per_trade", 0.5),
        ("leverage", 0),
        ("leverage", 101),
        ("max_margin_share", 1.5),
        ("max_notional", Decimal(0)),
        ("max_notional", Decimal("Infinity")),
        ("min_confidence_factor", 0.0),
        ("max_stop_percent", 0.0),
    ],
)
def test_a_bad_setting_is_refused_with_its_field_value_and_range(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^sizing\.{field}: saw .*; accepted: "):
        with_(**{field: value}).validate()
