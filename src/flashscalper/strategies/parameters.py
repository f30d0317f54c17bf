"""Parameters declared beside their use, with type and range: `fast = Parameter(9, 2, 200)`.

The class that declares a parameter reads it as a plain value (`self.fast` is an `int`), the loader sets it from the
configuration, and the optimiser reads the same declaration to know what it may try. Whatever is outside the range is a
ConfigError that names the field, the value and the range.
"""

from __future__ import annotations

from math import isfinite
from typing import Generic, TypeVar, overload

from flashscalper.model.errors import ConfigError

T = TypeVar("T", bound=int | float | str)


class Parameter(Generic[T]):
    """A number (or a word) of a strategy that a person or the optimiser may set.

    Numbers: `Parameter(default, low, high)`, both ends included; the default's type (int or float) is the parameter's.
    Words: `Parameter("ema", choices=("ema", "sma"))`.
    """

    def __init__(
        self, default: T, low: T | None = None, high: T | None = None, *, choices: tuple[T, ...] = (), note: str = ""
    ) -> None:
        self.default = default
        self.low = low
        self.high = high
        self.choices = choices
        self.note = note
        self.name = ""
        self._check_declaration()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Parameter[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Parameter[T] | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        raise AttributeError(f"{self.name}: a parameter is set when the strategy is made, not while it trades")

    @property
    def accepted(self) -> str:
        """The range in words, as error messages give it."""
        if self.choices:
            return ", ".join(str(choice) for choice in self.choices)
        kind = "whole number" if isinstance(self.default, int) else "number"
        return f"a {kind} from {self.low} to {self.high}"

    def parse(self, field: str, value: object) -> T:
        """`value` as this parameter's type and within its range, or a ConfigError naming `field`."""
        if self.choices:
            for choice in self.choices:
                if value == choice and type(value) is type(choice):
                    return choice
            raise ConfigError(field, value, self.accepted)
        if isinstance(self.default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(self.default) or not self._within(value):
            raise ConfigError(field, value, self.accepted)
        return value

    def _within(self, value: object) -> bool:
        assert isinstance(value, int | float)
        assert isinstance(self.low, int | float)
        assert isinstance(self.high, int | float)
        return isfinite(value) and self.low <= value <= self.high

    def _check_declaration(self) -> None:
        """A declaration that its own default breaks is a mistake of the strategy's author, shown when the class is read."""
        if isinstance(self.default, bool) or (isinstance(self.default, str) and not self.choices):
            raise ConfigError("Parameter", self.default, "a number with low and high, or a word with choices")
        if not self.choices and (self.low is None or self.high is None):
            raise ConfigError("Parameter", (self.low, self.high), "both ends of the range: Parameter(default, low, high)")
        self.parse("Parameter", self.default)


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Refuse NaN, infinity and everything outside [low, high] with a ConfigError naming `field` and the range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not low <= value <= high:
        raise ConfigError(field, value, f"a number from {low:g} to {high:g}")


def check_whole(field: str, value: int, low: int, high: int) -> None:
    """Refuse everything that is not a whole number in [low, high] with a ConfigError naming `field` and the range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(field, value, f"a whole number from {low} to {high}")
