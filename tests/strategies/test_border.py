"""What a strategy says is checked: each wrong thing by itself, and numbers of other types are numbers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.base import Judgement, Signal
from flashscalper.strategies.border import checked_judgement, checked_signal

SIGNAL = Signal(direction=PositionSide.LONG, confidence=60.0, reasons=("told so",))
JUDGEMENT = Judgement(score=1.0, confidence=20.0)
NAN, INF = float("nan"), float("inf")

WRONG: list[tuple[str, Any]] = [
    ("direction", "long?"),
    ("confidence", NAN),
    ("confidence", 100.5),
    ("confidence", -1.0),
    ("confidence", "60"),
    ("confidence", True),
    ("confidence", None),
    ("score", INF),
    ("entry", NAN),
    ("entry", 0.0),
    ("stop", NAN),
    ("stop", -5.0),
    ("stop", 1e300),
    ("stop", "99"),
    ("target", NAN),
    ("target", INF),
    ("target", [101.0]),
    ("expected_move", NAN),
    ("volatility", NAN),
    ("volatility", -0.1),
    ("volatility", 1e300),
    ("reasons", "a word is no tuple of words"),
    ("reasons", (1,)),
    ("gates", ("volume",)),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=[f"{field} {value!r}" for field, value in WRONG])
def test_a_signal_with_one_thing_wrong_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^Signal\.{field}: saw "):
        checked_signal(msgspec.structs.replace(SIGNAL, **{field: value}))


def test_an_input_that_is_no_number_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^Signal\.inputs\.rsi: saw nan"):
        checked_signal(msgspec.structs.replace(SIGNAL, inputs=(("atr", 1.0), ("rsi", NAN))))


@pytest.mark.parametrize("said", ["buy", 1, ("long", 60), JUDGEMENT])
def test_what_is_no_signal_is_refused(said: object) -> None:
    with pytest.raises(ConfigError, match=r"^on_kline: saw .*; accepted: a Signal or None$"):
        checked_signal(said)
    assert checked_signal(None) is None


def test_numbers_of_other_types_become_plain_ones() -> None:
    said = msgspec.structs.replace(
        SIGNAL,
        confidence=np.float64(70),
        stop=Decimal("99.5"),
        target=np.float32(101.5),
        volatility=Fraction(1, 4),
        entry=99,
    )
    found = checked_signal(said)
    assert found is not None
    assert (found.confidence, found.stop, found.target, found.volatility, found.entry) == (70.0, 99.5, 101.5, 0.25, 99.0)
    assert {type(getattr(found, name)) for name in ("confidence", "stop", "target", "volatility", "entry")} == {float}


@given(
    st.builds(
        Signal, direction=st.sampled_from(PositionSide), confidence=st.floats(0, 100), score=st.floats(-1e9, 1e9),
        reasons=st.tuples(st.text()), stop=st.none() | st.floats(1e-9, 1e15), target=st.none() | st.floats(1e-9, 1e15),
        expected_move=st.none() | st.floats(-1, 1), volatility=st.none() | st.floats(0, 1e15),
        gates=st.tuples(st.just(Gate("volume", passed=True, needed="1", seen="2"))),
        inputs=st.tuples(st.tuples(st.text(), st.floats(-1e9, 1e9))),
    )
)  # fmt: skip
def test_a_sound_signal_passes_as_it_is(signal: Signal) -> None:
    assert checked_signal(signal) == signal


def test_a_judgement_is_checked_as_well() -> None:
    assert checked_judgement(None) is None
    assert checked_judgement(JUDGEMENT) == JUDGEMENT
    with pytest.raises(ConfigError, match=r"^Judgement\.score: saw nan"):
        checked_judgement(msgspec.structs.replace(JUDGEMENT, score=NAN))
    with pytest.raises(ConfigError, match=r"^judgement: saw 'nothing'; accepted: a Judgement or None"):
        checked_judgement("nothing")
