"""Which arithmetic signs: gmpy2's where it is installed, Python's own otherwise, the native Pedersen wheel on request.

Backends are built once and shared; building makes the tables, so ask for one where a pause of a tenth of a second does no
harm. All backends give the same hashes and signatures (tested), so the choice is one of speed only.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from flashscalper.exchanges.paradex.signing import curve
from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic, gmpy_arithmetic, python_arithmetic
from flashscalper.exchanges.paradex.signing.ecdsa import Ecdsa
from flashscalper.exchanges.paradex.signing.pedersen import CallPedersen, PedersenHash, TablePedersen, plain_pedersen
from flashscalper.model.errors import ConfigError

BACKENDS: Final = ("gmpy2", "python", "native")


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
    if name == "python":
        return _table_backend(name, python_arithmetic())
    if name == "gmpy2":
        arithmetic = gmpy_arithmetic()
        if arithmetic is None:
            raise ConfigError("signing backend", name, "gmpy2 is not installed here; `python` needs nothing")
        return _table_backend(name, arithmetic)
    if name == "native":
        return Backend(name, native_pedersen(), Ecdsa(gmpy_arithmetic() or python_arithmetic()))
    raise ConfigError("signing backend", name, ", ".join(BACKENDS))


def default_backend() -> Backend:
    """The fastest that is installed."""
    return backend("gmpy2" if gmpy_arithmetic() is not None else "python")


def native_pedersen() -> PedersenHash:
    """The engine of the `native` extra, believed only after it agreed with the definition on a few hard operands."""
    try:
        from starknet_pathfinder_crypto import pedersen_hash  # noqa: PLC0415 - an extra, absent from most installations
    except ImportError:
        raise ConfigError("signing backend", "native", "not installed here: pip install 'flashscalper[native]'") from None
    for left, right in _PROBES:
        if pedersen_hash(left, right) != plain_pedersen(left, right):
            raise ConfigError("signing backend", "native", "the installed wheel gives wrong hashes: use another backend")
    return CallPedersen("native", pedersen_hash)


_PROBES: Final = (
    (0, 0),
    (1, 2),
    (curve.FIELD_PRIME - 1, curve.FIELD_PRIME - 2),
    (1 << curve.LOW_BITS, (1 << curve.LOW_BITS) - 1),
    (curve.GENERATOR[0], curve.GENERATOR[1]),
)


def _table_backend(name: str, arithmetic: Arithmetic) -> Backend:
    return Backend(name, TablePedersen(arithmetic), Ecdsa(arithmetic))
