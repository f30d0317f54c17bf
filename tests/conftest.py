"""Canaries in the whole suite: every secret that a test makes is one, and no sink may show it, at DEBUG.

Sinks: whatever any library logs, whatever is printed, and every file that a test leaves in its folder (journals, tapes,
databases, logs, reports, configuration), but for the few that are there to hold a secret. Session tokens are known by their
shape. Subprocesses inherit nothing of this; what they leave in the folder is looked at all the same.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from flashscalper.model.secrets import Secret

SHORTEST = 11
"""Shorter secrets of tests ("0x5") are found everywhere by chance."""
TOKEN = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")
"""A session token: three parts in base64, two of them JSON."""
HOLDERS = (".env*", "*key*", "control.json", "*secret*", "*token*", "pg_*", "*.pem")
"""Names of files (and folders) that hold secrets by design."""
LARGEST = 16 * 1024 * 1024

_made: set[bytes] = set()
logged: deque[str] = deque(maxlen=20_000)


class _Listener(logging.Handler):
    """Everything that anybody logs, with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        logged.append(self.format(record))


def _remember(self: Secret, value: str) -> None:
    _make(self, value)
    text = value.strip().removeprefix("0x")
    if len(text) >= SHORTEST:
        _made.add(text.encode())


_make = Secret.__init__
Secret.__init__ = _remember  # type: ignore[method-assign]


def pytest_configure(config: pytest.Config) -> None:
    """Listen from DEBUG on."""
    logging.getLogger().addHandler(_Listener())
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)  # "Using selector", thousands of times


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """After the test, and before its folder may go: does any sink show a secret?"""
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    shown = list(shown_in(folder))
    _made.clear()
    logged.clear()
    yield
    assert not shown, f"a secret is shown in {', '.join(shown)}"


def shown_in(folder: Path | None) -> Iterator[str]:
    """The sinks that show a secret: the log, and files below `folder`."""
    if _leaks("\n".join(logged).encode(errors="replace")):
        yield "the log"
    for path in folder.rglob("*") if folder is not None and folder.is_dir() else ():
        inside = path.relative_to(folder).parts if folder is not None else ()
        if any(fnmatch(name.lower(), pattern) for name in inside for pattern in HOLDERS) or not _readable(path):
            continue
        if _leaks(path.read_bytes()):
            yield "/".join(inside)


def _readable(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST
    except OSError:
        return False


def _leaks(data: bytes) -> bool:
    return any(secret in data for secret in _made) or TOKEN.search(data) is not None
