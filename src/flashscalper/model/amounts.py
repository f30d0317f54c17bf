"""Decimals where money moves: parsing at the border, and the one rounding that money gets."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from math import isfinite
from typing import Final

from flashscalper.model.errors import ProtocolError

ZERO: Final = Decimal(0)
MONEY_STEP: Final = Decimal("0.00000001")


def parse_amount(field: str, value: object) -> Decimal:
    """An exact, finite Decimal from a wire value (text or integer); floats, NaN, infinity and gaps are refused.

    Raises ProtocolError naming `field`.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = None
        if amount is not None and amount.is_finite():
            return amount
    raise ProtocolError(field, f"saw {value!r}; accepted: a finite decimal number as text")


def parse_float(field: str, value: object) -> float:
    """A finite float from a wire value (text or number). Raises ProtocolError naming `field`."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if isfinite(number):
            return number
    raise ProtocolError(field, f"saw {value!r}; accepted: a finite number")


def round_money(amount: Decimal) -> Decimal:
    """Round money half-even to 8 decimals: done once, at each fill, for fees, funding and realised PnL."""
    return amount.quantize(MONEY_STEP, rounding=ROUND_HALF_EVEN)


def plain(amount: Decimal) -> str:
    """Fixed-point text without exponent or trailing zeros, as exchanges write amounts: `Decimal('1E+2')` -> '100'."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
