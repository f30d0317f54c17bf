"""Which arithmetic signs: the native Pedersen wheel's where it is installed, else gmpy2's, else Python's own.

Backends are built once and shared; building makes the tables, so ask for one where a pause of a tenth of a second does no
harm. All backends give the same hashes and signatures (tested), so the choice is one of speed only. Larger tables than
one would build at each start can come from stored bytes; they are believed only if their SHA-256 is the constant below.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from typing import Final, NamedTuple

from flashscalper.exchanges.paradex.signing import curve
from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic, gmpy_arithmetic, python_arithmetic
from flashscalper.exchanges.paradex.signing.ecdsa import Ecdsa, generator_table
from flashscalper.exchanges.paradex.signing.pedersen import (
    CallPedersen,
    PedersenHash,
    TablePedersen,
    left_table,
    plain_pedersen,
    right_table,
)
from flashscalper.exchanges.paradex.signing.tables import FixedBase, read_table, table_size
from flashscalper.model.errors import ConfigError

BACKENDS: Final = ("gmpy2", "python", "native")


class Widths(NamedTuple):
    """Bits a window of each table."""

    left: int
    right: int
    generator: int


class Tables(NamedTuple):
    """The three tables that a backend works with."""

    left: FixedBase
    right: FixedBase
    generator: FixedBase


BUILT_WIDTHS: Final = Widths(left=11, right=9, generator=9)
"""Built at each start in about a tenth of a second with gmpy2."""
STORED_WIDTHS: Final = Widths(left=13, right=10, generator=11)
"""Kept in a file, because building them takes three times as long and reading them does not; a tenth faster to sign with."""
STORED_SIZE: Final = sum(table_size(width) for width in STORED_WIDTHS)
STORED_SHA256: Final = "46fde3bd7c8bef45ae06a05601911fb5f96f0d008ba42e6b35ff9c4b53ffc211"


class Backend:
    """One way of computing: a Pedersen engine and an ECDSA engine."""

    def __init__(self, name: str, pedersen: PedersenHash, ecdsa: Ecdsa) -> None:
        self.name = name
        self.pedersen = pedersen
        self.ecdsa = ecdsa

    def __repr__(self) -> str:
        return f"Backend({self.name!r})"


@cache
def backend(name: str) -> Backend:
    """The backend of that name, built at the first call. ConfigError when unknown or not installed."""
    if name == "native":
        return Backend(name, native_pedersen(), Ecdsa(generator_table(BUILT_WIDTHS.generator, _fastest_arithmetic())))
    return _of_tables(build_tables(BUILT_WIDTHS, _arithmetic(name)))


@cache
def default_backend() -> Backend:
    """The fastest that is installed: the native wheel (an extra), else gmpy2, else Python's own integers."""
    return backend("native" if native_installed() else _fastest_arithmetic().name)


def native_installed() -> bool:
    """Whether the wheel of the `native` extra is there; `backend("native")` judges it."""
    return find_spec("starknet_pathfinder_crypto") is not None


def stored_backend(data: bytes) -> Backend:
    """The fastest backend with the large tables of `build_stored`. ConfigError unless the bytes are exactly those."""
    if len(data) != STORED_SIZE or hashlib.sha256(data).hexdigest() != STORED_SHA256:
        raise ConfigError("signing tables", f"{len(data)} other bytes", f"{STORED_SIZE} bytes with SHA-256 {STORED_SHA256}")
    start, tables = 0, []
    for width in STORED_WIDTHS:
        end = start + table_size(width)
        tables.append(read_table(data[start:end], width, _fastest_arithmetic()))
        start = end
    return _of_tables(Tables(*tables))


def build_stored() -> tuple[Backend, bytes]:
    """The same from scratch, and the bytes to keep for `stored_backend`."""
    tables = build_tables(STORED_WIDTHS, _fastest_arithmetic())
    return _of_tables(tables), b"".join(table.to_bytes() for table in tables)


def build_tables(widths: Widths, arithmetic: Arithmetic) -> Tables:
    """Tables of the given widths."""
    return Tables(
        left_table(widths.left, arithmetic),
        right_table(widths.right, arithmetic),
        generator_table(widths.generator, arithmetic),
    )


def native_pedersen() -> PedersenHash:
    """The engine of the `native` extra, believed only after it agreed with the definition on a few hard operands."""
    try:
        from starknet_pathfinder_crypto import pedersen_hash  # noqa: PLC0415 - an extra, absent from most installations
    except ImportError:
        raise ConfigError("signing backend", "native", "not installed here: pip install 'flashscalper[native]'") from None
    for left, right in _PROBES:
        if pedersen_hash(left, right) != plain_pedersen(left, right):
            raise ConfigError(
                "signing backend", "native", "a wheel whose hashes are right; uninstall starknet-pathfinder-crypto"
            )
    return CallPedersen("native", pedersen_hash)


_PROBES: Final = (
    (0, 0),
    (1, 2),
    (curve.FIELD_PRIME - 1, curve.FIELD_PRIME - 2),
    (1 << curve.LOW_BITS, (1 << curve.LOW_BITS) - 1),
    (curve.GENERATOR[0], curve.GENERATOR[1]),
)


def _of_tables(tables: Tables) -> Backend:
    return Backend(tables.left.arithmetic.name, TablePedersen(tables.left, tables.right), Ecdsa(tables.generator))


def _arithmetic(name: str) -> Arithmetic:
    if name == "python":
        return python_arithmetic()
    if name != "gmpy2":
        raise ConfigError("signing backend", name, ", ".join(BACKENDS))
    arithmetic = gmpy_arithmetic()
    if arithmetic is None:
        raise ConfigError("signing backend", name, "gmpy2 is not installed here; `python` needs nothing")
    return arithmetic


def _fastest_arithmetic() -> Arithmetic:
    return gmpy_arithmetic() or python_arithmetic()
