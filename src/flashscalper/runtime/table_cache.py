"""The file behind the large signing tables: written once, read at each start, believed only by its checksum.

The tables are constants, so their SHA-256 stands in the source: a file that was changed, cut or swapped is rebuilt, never
used. Whoever can write the file can therefore slow a start down but not change a signature.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from flashscalper.exchanges.paradex.signing.backends import (
    STORED_SHA256,
    STORED_SIZE,
    Backend,
    build_stored,
    default_backend,
    native_installed,
    stored_backend,
)
from flashscalper.model.errors import ConfigError


def cached_backend(folder: Path) -> tuple[Backend, str]:
    """The fastest signing backend, and how it came: read, written, `not stored: <why>`, or native (which needs no tables).

    A folder that cannot be used costs half a second at each start, nothing else, so it is reported and not raised.
    """
    if native_installed():
        return default_backend(), "native"
    path = folder / f"paradex-tables-{STORED_SHA256[:16]}.bin"
    with suppress(OSError, ConfigError):
        return stored_backend(_read_exactly(path, STORED_SIZE)), "read"
    backend, data = build_stored()
    try:
        _write_whole(path, data)
    except OSError as error:
        return backend, f"not stored: {error}"
    return backend, "written"


def _read_exactly(path: Path, size: int) -> bytes:
    """At most one byte more than `size`, so that a wrong file cannot fill the memory."""
    with path.open("rb") as file:
        return file.read(size + 1)


def _write_whole(path: Path, data: bytes) -> None:
    """Write beside and rename over, so that a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
