"""The border between somebody's own code and the engine: what a strategy says is checked before anybody believes it.

A number that is not finite, or of a type of its own (numpy's), would otherwise be met where money moves: in the stop of a
position that has just been filled. What is refused here stops the strategy and leaves its position protected.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite
from typing import Final, TypeVar

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.base import Judgement, Signal

Said = TypeVar("Said", Signal, Judgement)
Kind = TypeVar("Kind")
_PLAIN: Final = (float, int)
_MOST: Final = 1e15
"""No price is higher; Decimals of 28 digits can still count its ticks."""
_PRICE: Final = (5e-324, _MOST, "a price above 0 and at most 1e15, or None")
_MAY_MISS: Final = {
    "entry": _PRICE,
    "stop": _PRICE,
    "target": _PRICE,
    "expected_move": (-inf, inf, "a finite fraction of the price, or None"),
    "volatility": (0.0, _MOST, "a number from 0 to 1e15, or None"),
}


def checked_signal(found: object) -> Signal | None:
    """The signal with plain numbers; None stays None. ConfigError names the field, what was seen and what is accepted."""
    if found is None:
        return None
    if not isinstance(found, Signal):
        raise ConfigError("on_kline", found, "a Signal or None")
    if not isinstance(found.direction, PositionSide):
        raise ConfigError("Signal.direction", found.direction, "PositionSide.LONG, PositionSide.SHORT")
    said: Signal = _checked_words(found, "Signal")
    changed = {}
    for name, (low, high, accepted) in _MAY_MISS.items():
        value = getattr(said, name)
        if value is not None and (type(value) is not float or not isfinite(value) or not low <= value <= high):
            changed[name] = _number(f"Signal.{name}", value, low, high, accepted)
    return msgspec.structs.replace(said, **changed) if changed else said


def checked_judgement(found: object) -> Judgement | None:
    """The judgement with plain numbers; None stays None. Raises ConfigError like `checked_signal`."""
    if found is None:
        return None
    if not isinstance(found, Judgement):
        raise ConfigError("judgement", found, "a Judgement or None")
    return _checked_words(found, "Judgement")


def _checked_words(said: Said, field: str) -> Said:
    """What a signal and a judgement have in common: score, confidence, reasons, gates, inputs."""
    score = _number(f"{field}.score", said.score, -inf, inf, "a finite number")
    confidence = _number(f"{field}.confidence", said.confidence, 0.0, 100.0, "a number from 0 to 100")
    reasons = _all(str, f"{field}.reasons", said.reasons, "a tuple of sentences")
    gates = _all(Gate, f"{field}.gates", said.gates, "a tuple of Gates")
    inputs = said.inputs
    if not all(type(value) in _PLAIN and isfinite(value) for _, value in inputs):
        inputs = tuple(
            (str(name), _number(f"{field}.inputs.{name}", value, -inf, inf, "a finite number")) for name, value in inputs
        )
    return msgspec.structs.replace(said, score=score, confidence=confidence, reasons=reasons, gates=gates, inputs=inputs)


def _all(kind: type[Kind], field: str, things: Iterable[object], accepted: str) -> tuple[Kind, ...]:
    """All of them as a tuple; a word by itself is no tuple of words."""
    found = () if isinstance(things, str) else tuple(thing for thing in things if isinstance(thing, kind))
    if isinstance(things, str) or len(found) != len(tuple(things)):
        raise ConfigError(field, things, accepted)
    return found


def _number(field: str, value: object, low: float, high: float, accepted: str) -> float:
    """A plain float within its range. Decimals, integers and numpy's floats are numbers too; words and switches are not."""
    if type(value) is float and isfinite(value) and low <= value <= high:
        return value
    if isinstance(value, str | bytes | bool) or not hasattr(value, "__float__"):
        raise ConfigError(field, value, accepted)
    plain = float(value)
    if not (isfinite(plain) and low <= plain <= high):
        raise ConfigError(field, plain, accepted)
    return plain
