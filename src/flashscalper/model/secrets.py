"""A value that must never be shown: prints as `***`, cannot be pickled, encoded or compared by accident. And how a message
that may hold a session token is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn

_TOKENS: Final = (b"jwt_token", b'"bearer"', b'"eyJ')
"""What stands beside a session token in a message, or begins one."""


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


def header_names(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Headers as they may be shown: their values log in."""
    return [name for name, _ in headers]


def without_token(data: bytes) -> str:
    """A message as it may be shown."""
    return f"<{len(data)} bytes with a token>" if any(word in data for word in _TOKENS) else repr(data)
