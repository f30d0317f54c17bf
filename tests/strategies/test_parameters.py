"""A parameter is declared beside its use, read as a plain value, and refused by name when it is out of range."""

from __future__ import annotations

from typing import Any

import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.strategies.parameters import Parameter, check_range, check_whole


class Thing:
    fast = Parameter(9, 2, 200)
    width = Parameter(1.5, 0.1, 5.0, note="in ATR")
    kind = Parameter("ema", choices=("ema", "sma"))


def test_a_parameter_reads_as_its_default_until_it_is_set() -> None:
    thing = Thing()
    assert (thing.fast, thing.width, thing.kind) == (9, 1.5, "ema")
    thing.__dict__["fast"] = 12
    assert thing.fast == 12


def test_the_class_tells_the_declaration() -> None:
    assert (Thing.fast.default, Thing.fast.low, Thing.fast.high, Thing.fast.name) == (9, 2, 200, "fast")
    assert Thing.width.note == "in ATR"


def test_a_strategy_cannot_change_its_parameters_while_it_trades() -> None:
    with pytest.raises(AttributeError, match="set when the strategy is made"):
        Thing().fast = 3


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Thing.fast, 1), (Thing.fast, 201), (Thing.fast, 9.0), (Thing.fast, True), (Thing.fast, "9"), (Thing.width,
        float("nan")), (Thing.width, float("inf")), (Thing.width, -1.0), (Thing.kind, "wma"), (Thing.kind, 1),
    ],
)  # fmt: skip
def test_a_value_out_of_range_or_of_another_type_is_refused_with_the_range(parameter: Parameter[Any], value: object) -> None:
    with pytest.raises(ConfigError, match=r"^field: saw .*; accepted: (a (whole )?number from|ema, sma)"):
        parameter.parse("field", value)


def test_a_whole_number_is_fine_where_a_number_is_asked() -> None:
    assert Thing.width.parse("width", 2) == 2.0
    assert isinstance(Thing.width.parse("width", 2), float)


@pytest.mark.parametrize("arguments", [(1, 2, 200), (9,), (9, 2), ("ema",), (True,)])
def test_a_declaration_that_its_own_default_breaks_is_refused_when_the_class_is_read(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^Parameter: saw"):
        Parameter(*arguments)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1, True])
def test_ranges_refuse_what_is_no_number_or_outside(value: float) -> None:
    with pytest.raises(ConfigError, match=r"^x: saw"):
        check_range("x", value, 0, 1)


@pytest.mark.parametrize("value", [0, 4, 2.5, True])
def test_whole_ranges_refuse_fractions_and_what_is_outside(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^x: saw .*; accepted: a whole number from 1 to 3$"):
        check_whole("x", value, 1, 3)
