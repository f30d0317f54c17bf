"""Fixed-base tables: multiples of a constant point, so that multiplying it by a scalar is a handful of additions.

A scalar of up to 252 bits is cut into windows of `width` bits. For each value d, window i holds the point
(2d - (2^width - 1)) · 2^(width·i) · (base/2): an odd multiple, so it is never infinity, and the entries come in opposite
pairs, of which only half must be computed (and stored). Over all windows the entries sum to scalar·base minus a constant,
the *correction*, which users add once, together with other constants of theirs. The last window joins what is left of the
low 248 bits with the 4 high bits, which in Pedersen hashes belong to another base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER, LOW_BITS, Point

HIGH_BITS: Final = 4
SCALAR_BITS: Final = LOW_BITS + HIGH_BITS
POINT_BYTES: Final = 64
_HALF: Final = (CURVE_ORDER + 1) // 2


class FixedBase:
    """Table of one base: the upper halves of its windows, and the correction of the lowest 1, 2, ... windows."""

    def __init__(self, width: int, uppers: Sequence[list[Point]], corrections: list[Point], arithmetic: Arithmetic) -> None:
        self.width = width
        self.arithmetic = arithmetic
        self.corrections = corrections
        self._uppers = uppers
        rows = [_mirrored(upper, arithmetic) for upper in uppers]
        self._body = [(width * i, row) for i, row in enumerate(rows[:-1])]
        self._top_shift = width * (len(rows) - 1)
        self._top = rows[-1]
        self._mask = (1 << width) - 1

    @property
    def correction(self) -> Point:
        """What the sum of `points` lacks."""
        return self.corrections[-1]

    def points(self, scalar: int) -> list[Point]:
        """One table entry a window for a scalar in [0, 2^252); their sum lacks `correction`."""
        mask = self._mask
        chosen = [row[scalar >> shift & mask] for shift, row in self._body]
        chosen.append(self._top[scalar >> self._top_shift])
        return chosen

    def low_points(self, scalar: int, count: int) -> list[Point]:
        """The entries of the lowest `count` windows, for scalars that fit; their sum lacks `corrections[count - 1]`."""
        if count > len(self._body):
            return self.points(scalar)
        mask = self._mask
        return [row[scalar >> shift & mask] for shift, row in self._body[:count]]

    def low_count(self, scalar: int) -> int:
        """How many windows a scalar reaches into, at least one."""
        return min(max(1, -(-scalar.bit_length() // self.width)), len(self.corrections))

    def multiply(self, scalar: int) -> Point | None:
        """scalar·base for a scalar in [0, 2^252); None for infinity."""
        return self.arithmetic.total([*self.points(scalar), self.correction])

    def multiply_x(self, scalar: int) -> int:
        """x coordinate of scalar·base, for a scalar in [0, 2^252) that is not a multiple of the order."""
        return self.arithmetic.total_x([*self.points(scalar), self.correction])

    def to_bytes(self) -> bytes:
        """Corrections and upper halves, 64 bytes a point: the same bytes whatever arithmetic built them."""
        points = [*self.corrections, *(point for upper in self._uppers for point in upper)]
        return b"".join(int(coordinate).to_bytes(32, "little") for point in points for coordinate in point)


def build_table(low: Point, high: Point | None, width: int, arithmetic: Arithmetic) -> FixedBase:
    """The table of a base. `high` is the base of the scalar's 4 highest bits; None continues the low one, as scalars do."""
    powers = _half_powers(low, SCALAR_BITS + 1, arithmetic)
    tails = powers[LOW_BITS:] if high is None else _half_powers(high, HIGH_BITS + 1, arithmetic)
    body = LOW_BITS // width
    uppers = [_odd_multiples(powers[i * width : (i + 1) * width], arithmetic) for i in range(body)]
    uppers.append(_joined(powers[body * width : LOW_BITS], tails[:HIGH_BITS], arithmetic))
    # (2^bits - 1)·(base/2) is what the lowest windows lack; over all of them the high base has its own share.
    corrections = [_difference(arithmetic, powers[width * (i + 1)], powers[0]) for i in range(body)]
    low_share = _difference(arithmetic, powers[LOW_BITS], powers[0])
    corrections.append(_sum(arithmetic, [low_share, _difference(arithmetic, tails[HIGH_BITS], tails[0])]))
    return FixedBase(width, uppers, corrections, arithmetic)


def table_size(width: int) -> int:
    """Bytes of a stored table."""
    body, rest = divmod(LOW_BITS, width)
    return POINT_BYTES * (body + 1 + (body << (width - 1)) + (1 << (rest + HIGH_BITS - 1)))


def read_table(data: bytes, width: int, arithmetic: Arithmetic) -> FixedBase:
    """The table that `to_bytes` wrote; the caller has made sure that nobody changed the bytes."""
    coordinates = arithmetic.read(data)
    points = list(zip(coordinates[::2], coordinates[1::2], strict=True))
    body = LOW_BITS // width
    start, half = body + 1, 1 << (width - 1)
    uppers = [points[start + i * half : start + (i + 1) * half] for i in range(body)]
    uppers.append(points[start + body * half :])
    return FixedBase(width, uppers, points[:start], arithmetic)


def _half_powers(base: Point, count: int, arithmetic: Arithmetic) -> list[Point]:
    """base/2, base, 2·base, ...: `count` points. Halving is multiplying by the inverse of 2 modulo the order."""
    powers = arithmetic.doublings(base, max(count - 1, _HALF.bit_length()))
    half = _sum(arithmetic, [power for i, power in enumerate(powers) if _HALF >> i & 1])
    return [half, *powers[: count - 1]]


def _joined(powers: Sequence[Point], tails: Sequence[Point], arithmetic: Arithmetic) -> list[Point]:
    """Every positive odd multiple of `tails`, each plus every odd multiple of `powers`."""
    highs = _odd_multiples(tails, arithmetic)
    if not powers:
        return highs
    lows = _mirrored(_odd_multiples(powers, arithmetic), arithmetic)
    return [point for high in highs for point in arithmetic.add_to_each(lows, high)]


def _odd_multiples(powers: Sequence[Point], arithmetic: Arithmetic) -> list[Point]:
    """1, 3, 5, ... (2^n - 1) times powers[0], given 2^i·powers[0] for i < n: each step doubles how many there are."""
    multiples = [powers[0]]
    for power in powers[1:]:
        multiples.extend(arithmetic.add_to_each(multiples, power))
    return multiples


def _mirrored(upper: list[Point], arithmetic: Arithmetic) -> list[Point]:
    """The whole window from its upper half: the entry of d is the opposite of the entry of (2^width - 1 - d)."""
    prime = arithmetic.prime
    return [(x, prime - y) for x, y in reversed(upper)] + upper


def _difference(arithmetic: Arithmetic, left: Point, right: Point) -> Point:
    return _sum(arithmetic, [left, (right[0], arithmetic.prime - right[1])])


def _sum(arithmetic: Arithmetic, points: Sequence[Point]) -> Point:
    total = arithmetic.total(points)
    assert total is not None, "a constant of the tables cannot be infinity"
    return arithmetic.native(total)
