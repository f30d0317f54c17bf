"""A policy that makes no sense is refused before anything trades with it, by field, value and range."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.strategies.exit_policy import (
    BreakEven,
    Distance,
    DistanceMode,
    ExitPolicy,
    FundingLimit,
    OppositeSignal,
    PartialProfit,
    PeakProtection,
    Stale,
    Trailing,
    atr,
    percent,
    r,
    ticks,
)

BAD: list[tuple[str, dict[str, Any]]] = [
    ("exits.stop.value", {"stop": atr(0)}),
    ("exits.stop.value", {"stop": atr(-1)}),
    ("exits.stop.value", {"stop": percent(float("nan"))}),
    ("exits.stop.value", {"stop": percent(60)}),
    ("exits.stop.mode", {"stop": r(1)}),
    ("exits.stop_floor_costs", {"stop_floor_costs": 0.5}),
    ("exits.stop_floor_ticks", {"stop_floor_ticks": 0}),
    ("exits.ratchet_step", {"ratchet_step": 0.0}),
    ("exits.stop_grace_s", {"stop_grace_s": -1.0}),
    ("exits.target.value", {"target": r(float("inf"))}),
    ("exits.max_hold_s", {"max_hold_s": 0.0}),
    ("exits.partial.share", {"partial": PartialProfit(at=r(1), share=1.0)}),
    ("exits.partial.at.value", {"partial": PartialProfit(at=r(2)), "target": r(2)}),
    ("exits.trailing.distance.value", {"trailing": Trailing(activation=r(1), distance=r(0))}),
    ("exits.break_even.lock_costs", {"break_even": BreakEven(activation=r(1), lock_costs=-1)}),
    ("exits.peak.giveback", {"peak": PeakProtection(activation=r(1), giveback=0)}),
    ("exits.stale.after_s", {"stale": Stale(after_s=float("nan"), progress=r(1))}),
    ("exits.opposite_signal.min_confidence", {"opposite_signal": OppositeSignal(min_confidence=101)}),
    ("exits.funding.max_hourly_bps", {"funding": FundingLimit(max_hourly_bps=-0.1)}),
]


@pytest.mark.parametrize(("field", "rules"), BAD, ids=[field for field, _ in BAD])
def test_a_bad_policy_is_refused_by_field(field: str, rules: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        ExitPolicy(**rules).validate()
    assert refused.value.field == field
    assert refused.value.accepted


def test_a_percent_stop_inside_the_costs_is_refused_where_the_costs_are_known() -> None:
    inside = ExitPolicy(stop=percent(0.05))
    inside.validate()
    with pytest.raises(
        ConfigError, match=r"^exits\.stop\.value: saw 0\.05; accepted: more than the round-trip costs of 0\.11 %$"
    ):
        inside.validate(costs=0.0011)
    ExitPolicy(stop=percent(0.2)).validate(costs=0.0011)


def test_a_floor_inside_the_costs_is_for_demonstrations_only() -> None:
    ExitPolicy(stop_floor_costs=0.0, demonstration=True).validate()


def test_distances_are_measured_in_their_unit() -> None:
    assert percent(0.5).in_price(200.0, 0.01, None, None) == 1.0
    assert ticks(5).in_price(200.0, 0.01, None, None) == 0.05
    assert atr(2).in_price(200.0, 0.01, 0.3, None) == 0.6
    assert r(1.5).in_price(200.0, 0.01, None, 2.0) == 3.0
    assert atr(2).in_price(200.0, 0.01, None, None) is None


def test_a_policy_reads_from_configuration_and_refuses_unknown_keys() -> None:
    trailing = b'{"activation":{"mode":"r","value":1},"distance":{"mode":"percent","value":0.1}}'
    text = b'{"stop":{"mode":"atr","value":2.0},"target":null,"trailing":' + trailing + b"}"
    read = msgspec.json.decode(text, type=ExitPolicy)
    assert read.stop == Distance(DistanceMode.ATR, 2.0)
    assert read.target is None
    assert read.trailing == Trailing(activation=r(1), distance=percent(0.1))
    with pytest.raises(msgspec.ValidationError, match="stopp"):
        msgspec.json.decode(b'{"stopp":1}', type=ExitPolicy)
