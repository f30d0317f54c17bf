"""From decimal text to whole ticks or lots, exactly and fast: a recording has a million of them."""

from __future__ import annotations

from decimal import Decimal

_REMEMBERED = 100_000


class Grid:
    """Counts how many `step`s a decimal text is. `known` remembers answers, within a limit."""

    def __init__(self, step: Decimal) -> None:
        self.step = step
        exponent = step.as_tuple().exponent
        self._places = max(0, -exponent) if isinstance(exponent, int) else 0
        self._units = int(step.scaleb(self._places))
        self.known: dict[str, int | None] = {}

    def count(self, text: str) -> int | None:
        """`text` as a whole number of steps; None when it is no plain, unsigned decimal number or lies off the grid."""
        known = self.known
        if text in known:
            return known[text]
        if len(known) >= _REMEMBERED:
            known.clear()
        known[text] = found = self._count(text)
        return found

    def _count(self, text: str) -> int | None:
        whole, _, fraction = text.partition(".")
        beyond = fraction[self._places :]
        if not (whole + fraction).isdecimal() or not text.isascii() or not whole or beyond.strip("0"):
            return None
        units = int(whole + fraction[: self._places].ljust(self._places, "0"))
        return units // self._units if units % self._units == 0 else None
