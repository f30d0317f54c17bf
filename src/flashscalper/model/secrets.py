"""A value that must never be shown: prints as `***`, cannot be pickled, encoded or compared by accident."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A secret text. `reveal()` is the only way to it, so every use can be found by searching for that word."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; never log, print or store what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
