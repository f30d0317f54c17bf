"""What every indicator is, and the checks of their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import isfinite
from typing import TYPE_CHECKING, Final, Protocol

from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

LONGEST: Final = 10_000
"""The longest period that any indicator accepts, in klines."""


class Indicator(Protocol):
    """A machine that takes closed klines in time order. It keeps no more than it needs and costs O(1) per kline."""

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        ...

    @property
    def value(self) -> float | None:
        """What it says after the last kline; None until it is warm."""
        ...


class CloseIndicator(ABC):
    """An indicator of one number per kline, the close; `push` takes any other series."""

    __slots__ = ()

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self.push(kline.close)

    @abstractmethod
    def push(self, number: float) -> None:
        """Take the next number of the series."""


def whole(field: str, number: object, least: int = 1, most: int = LONGEST) -> int:
    """`number` if it is a whole number in [least, most]; else ConfigError naming the field, the value and the range."""
    if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
        return number
    raise ConfigError(field, number, f"a whole number from {least} to {most}")


def real(field: str, number: object, least: float, most: float) -> float:
    """`number` as float if it is finite and in [least, most]; else ConfigError naming the field, the value and the range."""
    if isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number) and least <= number <= most:
        return float(number)
    raise ConfigError(field, number, f"a number from {least} to {most}")
