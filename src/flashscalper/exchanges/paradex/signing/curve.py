"""The Stark curve in plain affine arithmetic: its numbers, and the slow, complete operations that judge the fast ones.

Curve and constants: StarkWare's STARK curve, y² = x³ + x + b over p = 2²⁵¹ + 17·2¹⁹² + 1, of prime order n. Points are
`(x, y)` tuples; None is the point at infinity. Nothing here is constant-time: Python integers never are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Point = tuple[int, int]

FIELD_PRIME: Final = 2**251 + 17 * 2**192 + 1
CURVE_ORDER: Final = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
CURVE_B: Final = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
ELEMENT_BOUND: Final = 2**251
"""Message hashes, r and s are below this: StarkWare's ECDSA refuses the few values between it and the prime."""

GENERATOR: Final[Point] = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)

PEDERSEN_SHIFT: Final[Point] = (
    0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804,
    0x3CA0CFE4B3BC6DDF346D49D06EA0ED34E621062C0E056C1D0405D266E10268A,
)
PEDERSEN_LEFT_LOW: Final[Point] = (
    0x234287DCBAFFE7F969C748655FCA9E58FA8120B6D56EB0C1080D17957EBE47B,
    0x3B056F100F96FB21E889527D41F4E39940135DD7A6C94CC6ED0268EE89E5615,
)
PEDERSEN_LEFT_HIGH: Final[Point] = (
    0x4FA56F376C83DB33F9DAB2656558F3399099EC1DE5E3018B7A6932DBA8AA378,
    0x3FA0984C931C9E38113E0C0E47E4401562761F92A7A23B45168F4E80FF5B54D,
)
PEDERSEN_RIGHT_LOW: Final[Point] = (
    0x4BA4CC166BE8DEC764910F75B45F74B40C690C74709E90F3AA372F0BD2D6997,
    0x40301CF5C1751F4B971E46C4EDE85FCAC5C59A5CE5AE7C48151F27B24B219C,
)
PEDERSEN_RIGHT_HIGH: Final[Point] = (
    0x54302DCB0E6CC1C6E44CCA8F61A63BB2CA65048D53FB325D36FF12C49A58202,
    0x1B77B3E37D13504B348046268D8AE25CE98AD783C25561A879DCC77E99C2426,
)
LOW_BITS: Final = 248
"""Pedersen multiplies the low 248 bits of an operand with one constant point and the 4 bits above with another."""


def add(left: Point | None, right: Point | None) -> Point | None:
    """The group law, every case of it."""
    if left is None:
        return right
    if right is None:
        return left
    (x1, y1), (x2, y2) = left, right
    if x1 == x2:
        if (y1 + y2) % FIELD_PRIME == 0:
            return None
        slope = (3 * x1 * x1 + 1) * pow(2 * y1, -1, FIELD_PRIME)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, FIELD_PRIME)
    x3 = (slope * slope - x1 - x2) % FIELD_PRIME
    return x3, (slope * (x1 - x3) - y1) % FIELD_PRIME


def add_all(points: Iterable[Point | None]) -> Point | None:
    """The sum of any points, in order."""
    total: Point | None = None
    for point in points:
        total = add(total, point)
    return total


def negate(point: Point) -> Point:
    """The inverse element."""
    return point[0], -point[1] % FIELD_PRIME


def multiply(scalar: int, point: Point) -> Point | None:
    """`scalar` times `point` by double-and-add: slow, for tests and rare constants."""
    total: Point | None = None
    addend: Point | None = point
    scalar %= CURVE_ORDER
    while scalar:
        if scalar & 1:
            total = add(total, addend)
        addend = add(addend, addend)
        scalar >>= 1
    return total


def is_on_curve(point: Point) -> bool:
    """Whether the coordinates satisfy the curve's equation."""
    x, y = point
    return (y * y - (x * x * x + x + CURVE_B)) % FIELD_PRIME == 0


def lift_x(x: int) -> Point | None:
    """A point with this x coordinate (the one with even y), or None when the curve has none.

    Square root by Tonelli and Shanks, since p - 1 is divisible by 2¹⁹².
    """
    if not 0 <= x < FIELD_PRIME:
        return None
    root = _square_root((x * x * x + x + CURVE_B) % FIELD_PRIME)
    if root is None:
        return None
    return x, root if root % 2 == 0 else FIELD_PRIME - root


_TWO_ADICITY: Final = 192
_ODD_PART: Final = (FIELD_PRIME - 1) >> _TWO_ADICITY
_NON_RESIDUE: Final = 3


def _square_root(square: int) -> int | None:
    if square == 0:
        return 0
    if pow(square, (FIELD_PRIME - 1) // 2, FIELD_PRIME) != 1:
        return None
    order_log = _TWO_ADICITY
    generator = pow(_NON_RESIDUE, _ODD_PART, FIELD_PRIME)
    root = pow(square, (_ODD_PART + 1) // 2, FIELD_PRIME)
    rest = pow(square, _ODD_PART, FIELD_PRIME)
    while rest != 1:
        least, power = 0, rest
        while power != 1:
            power = power * power % FIELD_PRIME
            least += 1
        step = pow(generator, 1 << (order_log - least - 1), FIELD_PRIME)
        order_log, generator = least, step * step % FIELD_PRIME
        root = root * step % FIELD_PRIME
        rest = rest * generator % FIELD_PRIME
    return root
