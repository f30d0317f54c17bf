"""ECDSA over the Stark curve with deterministic nonces, equal to the official SDK's signatures bit for bit.

Nonces: RFC 6979 with HMAC-SHA256 over the 32-byte key and the 32-byte message hash, with one byte of extra entropy, 0x20
(the SDK passes 32 to starknet-crypto as *seed*), each candidate shifted right by 4 bits to the order's length. There are
no random nonces. Bounds as in starknet-crypto: message hash, r, s when signing, and the inverse of s when verifying, are
below 2^251, not merely below the order.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from flashscalper.exchanges.paradex.signing import curve
from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER, ELEMENT_BOUND, Point
from flashscalper.exchanges.paradex.signing.tables import FixedBase, build_table

PUBLIC_KEY_WIDTH: Final = 7
KEPT_PUBLIC_KEYS: Final = 64
SDK_SEED: Final = b"\x20"


class Ecdsa:
    """Signs and verifies; holds a table of the generator and of the public keys that it verified last."""

    def __init__(self, generator: FixedBase) -> None:
        self._arithmetic = generator.arithmetic
        self._generator = generator
        self._key_table = lru_cache(KEPT_PUBLIC_KEYS)(self._build_key_table)

    def public_key_of(self, private_key: int) -> int:
        """x coordinate of private_key·G."""
        if not 0 < private_key < CURVE_ORDER:
            raise ValueError("private key: accepted: 1 to the curve's order - 1")
        return int(self._generator.multiply_x(private_key))

    def sign(self, private_key: int, message_hash: int) -> tuple[int, int]:
        """(r, s), the same for the same input. ValueError when key or hash are out of range."""
        if not 0 < private_key < CURVE_ORDER:
            raise ValueError("private key: accepted: 1 to the curve's order - 1")
        if not 0 <= message_hash < ELEMENT_BOUND:
            raise ValueError("message hash: accepted: 0 to 2^251 - 1")
        arithmetic, order = self._arithmetic, self._arithmetic.order
        for nonce in nonces(private_key, message_hash):
            r = self._generator.multiply_x(nonce)
            s = (message_hash + r * private_key) * arithmetic.invert_scalar(nonce) % order
            if 0 < r < ELEMENT_BOUND and 0 < s < ELEMENT_BOUND:
                return int(r), int(s)
        raise AssertionError("nonces do not end")

    def verify(self, public_key: int, message_hash: int, r: int, s: int) -> bool:
        """Whether (r, s) signs the hash under the key with this x coordinate; anything out of range is False."""
        if not (0 <= message_hash < ELEMENT_BOUND and 0 < r < ELEMENT_BOUND and 0 < s < CURVE_ORDER):
            return False
        table = self._key_table(public_key)
        if table is None:
            return False
        arithmetic = self._arithmetic
        order, prime = arithmetic.order, arithmetic.prime
        w = arithmetic.invert_scalar(s)
        if w >= ELEMENT_BOUND:
            return False
        ours = self._generator.multiply(message_hash * w % order)
        theirs = table.multiply(r * w % order)
        if theirs is None or ours is None or ours[0] == theirs[0]:
            return _complete_match(ours, theirs, r)
        # Only x is known of the key, so both of its points count: try the sum and the difference, with one inversion.
        (x1, y1), (x2, y2) = ours, theirs
        inverse = arithmetic.invert(x2 - x1)
        slopes = ((y2 - y1) * inverse, (y2 + y1) * inverse)
        return any((slope * slope - x1 - x2 - r) % prime == 0 for slope in slopes)

    def _build_key_table(self, public_key: int) -> FixedBase | None:
        point = curve.lift_x(public_key)
        return None if point is None else build_table(point, None, PUBLIC_KEY_WIDTH, self._arithmetic)


def _complete_match(ours: Point | None, theirs: Point | None, r: int) -> bool:
    """The same comparison by the complete group law: hash zero, or two points with one x."""
    plain = [None if point is None else (int(point[0]), int(point[1])) for point in (ours, theirs)]
    mirrored = None if plain[1] is None else curve.negate(plain[1])
    sums = (curve.add(plain[0], plain[1]), curve.add(plain[0], mirrored))
    return any(point is not None and point[0] == r for point in sums)


def generator_table(width: int, arithmetic: Arithmetic) -> FixedBase:
    """Table of the curve's generator."""
    return build_table(curve.GENERATOR, None, width, arithmetic)


def nonces(private_key: int, message_hash: int, extra: bytes = SDK_SEED) -> Iterator[int]:
    """Candidates for k by RFC 6979 section 3.2; the first that gives a valid signature is the one."""
    secret = private_key.to_bytes(32, "big") + int(message_hash).to_bytes(32, "big") + extra
    digest = hmac.digest
    value, key = b"\x01" * 32, b"\x00" * 32
    for separator in (b"\x00", b"\x01"):
        key = digest(key, value + separator + secret, "sha256")
        value = digest(key, value, "sha256")
    while True:
        value = digest(key, value, "sha256")
        nonce = int.from_bytes(value, "big") >> 4
        if 0 < nonce < CURVE_ORDER:
            yield nonce
        key = digest(key, value + b"\x00", "sha256")
        value = digest(key, value, "sha256")
