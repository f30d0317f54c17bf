"""Sums of many curve points, fast, with gmpy2's integers or with Python's own.

The points of the fixed-base tables are affine; they are added to one accumulator in XYZZ coordinates (x = X/ZZ,
y = Y/ZZZ; formulas madd-2008-s and dbl-2008-s-1 of the Explicit-Formulas Database), which needs ten multiplications a
point and one inversion at the end. Pairwise affine additions with shared inversions need six, but lose it again to
Python's own overhead: both were measured. Equal or opposite points are not handled here but noticed (ZZ becomes zero and
stays so), and then the complete group law of `curve` does the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from flashscalper.exchanges.paradex.signing import curve
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER, FIELD_PRIME, Point

try:
    import gmpy2
except ImportError:  # Python's own integers below do the same, about three times slower
    gmpy2 = None


class Arithmetic:
    """Numbers of one kind (`int`, or gmpy2's `mpz`, which behaves like it) and what the curve needs of them."""

    def __init__(
        self,
        name: str,
        number: Callable[[int], int],
        invert: Callable[[int, int], int],
        read: Callable[[bytes], list[int]],
    ) -> None:
        self.name = name
        self.read = read
        """Numbers from 32 little-endian bytes each, the last one not zero."""
        self.number = number
        self.prime = number(FIELD_PRIME)
        self.order = number(CURVE_ORDER)
        self._invert = invert

    def invert(self, value: int) -> int:
        """Inverse modulo the field prime; ZeroDivisionError for zero."""
        return self._invert(value, self.prime)

    def invert_scalar(self, value: int) -> int:
        """Inverse modulo the curve order; ZeroDivisionError for zero."""
        return self._invert(value, self.order)

    def invert_all(self, values: Sequence[int]) -> list[int]:
        """Inverses modulo the field prime of many values by one inversion (Montgomery's trick)."""
        prime = self.prime
        product = self.number(1)
        before = []
        for value in values:
            before.append(product)
            product = product * value % prime
        inverse = self.invert(product)
        inverses = []
        for value, prefix in zip(reversed(values), reversed(before), strict=True):
            inverses.append(inverse * prefix % prime)
            inverse = inverse * value % prime
        inverses.reverse()
        return inverses

    def native(self, point: Point) -> Point:
        """The point in this kind of number."""
        return self.number(point[0]), self.number(point[1])

    def total(self, points: Sequence[Point]) -> Point | None:
        """Sum of at least two affine points; None is infinity."""
        prime = self.prime
        x, y, zz, zzz = self._accumulate(points)
        if zz == 0:
            return _complete_sum(points)
        inverse = self.invert(zz * zzz)
        return x * zzz * inverse % prime, y * zz * inverse % prime

    def total_x(self, points: Sequence[Point]) -> int:
        """x coordinate of the sum of at least three points, cheaper than `total`; ArithmeticError at infinity."""
        prime = self.prime
        x, y, zz, zzz = self._accumulate(points[:-1])
        x2, y2 = points[-1]
        gap = (x2 * zz - x) % prime
        square = gap * gap % prime
        zz = zz * square % prime
        if zz == 0:
            total = _complete_sum(points)
            if total is None:
                raise ArithmeticError("the sum of these points is infinity and has no x coordinate")
            return self.number(total[0])
        rise = y2 * zzz - y
        return (rise * rise - gap * square - 2 * x * square) * self._invert(zz, prime) % prime

    def _accumulate(self, points: Sequence[Point]) -> tuple[int, int, int, int]:
        """Sum as (X, Y, ZZ, ZZZ); ZZ is zero when an exceptional addition was met on the way."""
        prime = self.prime
        (x, y), (x2, y2) = points[0], points[1]
        gap = x2 - x
        rise = y2 - y
        zz = gap * gap % prime
        zzz = gap * zz % prime
        anchor = x * zz
        x = (rise * rise - zzz - anchor - anchor) % prime
        y = (rise * (anchor - x) - y * zzz) % prime
        for x2, y2 in points[2:]:
            gap = (x2 * zz - x) % prime
            rise = (y2 * zzz - y) % prime
            square = gap * gap % prime
            cube = gap * square % prime
            anchor = x * square
            x = (rise * rise - cube - anchor - anchor) % prime
            y = (rise * (anchor - x) - y * cube) % prime
            zz = zz * square % prime
            zzz = zzz * cube % prime
        return x, y, zz, zzz

    def doublings(self, start: Point, count: int) -> list[Point]:
        """start, 2·start, 4·start, ...: `count` affine points, brought to affine form together."""
        prime = self.prime
        x, y = self.native(start)
        zz = zzz = self.number(1)
        chain = []
        for _ in range(count):
            chain.append((x, y, zz, zzz))
            twice = 2 * y
            square = twice * twice % prime
            cube = twice * square % prime
            anchor = x * square % prime
            slope = (3 * x * x + zz * zz) % prime
            x = (slope * slope - 2 * anchor) % prime
            y = (slope * (anchor - x) - cube * y) % prime
            zz = zz * square % prime
            zzz = zzz * cube % prime
        inverses = self.invert_all([zz * zzz % prime for _, _, zz, zzz in chain])
        return [(x * zzz * inv % prime, y * zz * inv % prime) for (x, y, zz, zzz), inv in zip(chain, inverses, strict=True)]

    def add_to_each(self, points: Sequence[Point], addend: Point) -> list[Point]:
        """points[i] + addend for each i by one inversion; none of the points may equal the addend or its opposite."""
        prime = self.prime
        x2, y2 = addend
        sums = []
        for (x1, y1), inverse in zip(points, self.invert_all([x2 - x1 for x1, _ in points]), strict=True):
            slope = (y2 - y1) * inverse % prime
            x3 = (slope * slope - x1 - x2) % prime
            sums.append((x3, (slope * (x1 - x3) - y1) % prime))
        return sums


def _complete_sum(points: Iterable[Point]) -> Point | None:
    return curve.add_all((int(x), int(y)) for x, y in points)


def _python_invert(value: int, modulus: int) -> int:
    try:
        return pow(value, -1, modulus)
    except ValueError:
        raise ZeroDivisionError("zero has no inverse") from None


def _python_read(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]


def _gmpy_read(data: bytes) -> list[int]:
    return cast("list[int]", gmpy2.unpack(gmpy2.mpz(int.from_bytes(data, "little")), 256))


def python_arithmetic() -> Arithmetic:
    """Python's own integers: always there."""
    return Arithmetic("python", int, _python_invert, _python_read)


def gmpy_arithmetic() -> Arithmetic | None:
    """gmpy2's integers, or None when gmpy2 is not installed."""
    if gmpy2 is None:
        return None
    number, invert = cast("Callable[[int], int]", gmpy2.mpz), cast("Callable[[int, int], int]", gmpy2.invert)
    return Arithmetic("gmpy2", number, invert, _gmpy_read)
