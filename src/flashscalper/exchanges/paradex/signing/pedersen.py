"""The Pedersen hash over the Stark curve, arranged so that constant operands cost next to nothing.

pedersen(a, b) is the x coordinate of shift + a_low·P0 + a_high·P1 + b_low·P2 + b_high·P3 (StarkWare's constants, `curve`).
The right half of nearly every hash in an order's chain is constant (market, side, type, the closing length): shift and
right half are then one point, kept. Small right operands (timestamps, sizes, prices) touch only their lowest windows. What
remains is the left half, because it is the previous hash: about two dozen additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, Protocol

from flashscalper.exchanges.paradex.signing import curve
from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic
from flashscalper.exchanges.paradex.signing.curve import FIELD_PRIME, Point
from flashscalper.exchanges.paradex.signing.tables import FixedBase, build_table

KEPT_CONSTANTS: Final = 1024
"""Constant right operands kept: one for each market, type, side and length that was ever signed."""

Half = Callable[[int], int]
"""A hash with one operand fixed: the other operand (0 <= felt < p) in, the hash out, in the engine's kind of number."""


class PedersenHash(Protocol):
    """An engine for Pedersen hashes of felts (integers in [0, p)). All give equal numbers."""

    name: str

    def hash(self, left: int, right: int) -> int:
        """pedersen(left, right)."""
        ...

    def with_right(self, right: int) -> Half:
        """left -> pedersen(left, right), prepared."""
        ...

    def with_left(self, left: int) -> Half:
        """right -> pedersen(left, right), prepared."""
        ...


class TablePedersen:
    """Our own engine, on the tables of the left and the right operand (`left_table`, `right_table`)."""

    def __init__(self, left: FixedBase, right: FixedBase) -> None:
        arithmetic = left.arithmetic
        self.name = arithmetic.name
        self._arithmetic = arithmetic
        self._left = left
        self._right = right
        shift = arithmetic.native(curve.PEDERSEN_SHIFT)
        self._offsets = [self._sum([shift, left.correction, correction]) for correction in right.corrections]
        self.with_right: Callable[[int], Half] = lru_cache(KEPT_CONSTANTS)(self._with_right)

    def hash(self, left: int, right: int) -> int:
        """pedersen(left, right)."""
        count = self._right.low_count(right)
        points = self._left.points(left)
        points += self._right.low_points(right, count)
        points.append(self._offsets[count - 1])
        return self._arithmetic.total_x(points)

    def _with_right(self, right: int) -> Half:
        count = self._right.low_count(right)
        constant = self._sum([*self._right.low_points(right, count), self._offsets[count - 1]])
        left_points, total_x = self._left.points, self._arithmetic.total_x

        def hash_left(left: int) -> int:
            points = left_points(left)
            points.append(constant)
            return total_x(points)

        return hash_left

    def with_left(self, left: int) -> Half:
        """right -> pedersen(left, right), prepared."""
        own, offsets = self._left.points(left), self._offsets
        constants: dict[int, Point] = {}
        table, total_x = self._right, self._arithmetic.total_x

        def hash_right(right: int) -> int:
            count = max(2, table.low_count(right))
            points = table.low_points(right, count)
            if count not in constants:
                constants[count] = self._sum([*own, offsets[count - 1]])
            points.append(constants[count])
            return total_x(points)

        return hash_right

    def _sum(self, points: list[Point]) -> Point:
        total = self._arithmetic.total(points)
        assert total is not None, "a constant of the hash cannot be infinity"
        return self._arithmetic.native(total)


def left_table(width: int, arithmetic: Arithmetic) -> FixedBase:
    """Table of the left operand's two bases."""
    return build_table(curve.PEDERSEN_LEFT_LOW, curve.PEDERSEN_LEFT_HIGH, width, arithmetic)


def right_table(width: int, arithmetic: Arithmetic) -> FixedBase:
    """Table of the right operand's two bases."""
    return build_table(curve.PEDERSEN_RIGHT_LOW, curve.PEDERSEN_RIGHT_HIGH, width, arithmetic)


class CallPedersen:
    """An engine made of a plain two-operand function, such as the native wheel's."""

    def __init__(self, name: str, function: Callable[[int, int], int]) -> None:
        self.name = name
        self.hash = function

    def with_right(self, right: int) -> Half:
        """left -> pedersen(left, right)."""
        function = self.hash
        return lambda left: function(left, right)

    def with_left(self, left: int) -> Half:
        """right -> pedersen(left, right)."""
        function = self.hash
        return lambda right: function(left, right)


def plain_pedersen(left: int, right: int) -> int:
    """The definition, by double-and-add: what every engine is checked against."""
    mask = (1 << curve.LOW_BITS) - 1
    total = curve.add_all(
        [
            curve.PEDERSEN_SHIFT,
            curve.multiply(left & mask, curve.PEDERSEN_LEFT_LOW),
            curve.multiply(left >> curve.LOW_BITS, curve.PEDERSEN_LEFT_HIGH),
            curve.multiply(right & mask, curve.PEDERSEN_RIGHT_LOW),
            curve.multiply(right >> curve.LOW_BITS, curve.PEDERSEN_RIGHT_HIGH),
        ]
    )
    if total is None:
        raise ArithmeticError("this Pedersen sum is infinity and has no x coordinate")
    return total[0]


def hash_chain(engine: PedersenHash, elements: Iterable[int]) -> int:
    """StarkNet's hash of a list: h(...h(h(0, e1), e2)..., count)."""
    state = count = 0
    for element in elements:
        state = engine.hash(state, checked_felt(element))
        count += 1
    return int(engine.hash(state, count))


def checked_felt(value: int) -> int:
    """The value if it is a field element; ValueError otherwise."""
    if not 0 <= value < FIELD_PRIME:
        raise ValueError(f"felt: saw {value}; accepted: 0 to p - 1")
    return value
