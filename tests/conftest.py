"""Canaries in the whole suite: every secret that a test makes is one, and no sink may show it, at DEBUG.

Sinks: whatever any library logs, whatever is printed by us or by a program that a test ran, what a caught exception says,
the `repr` of our objects, and every file that a test leaves in its folders (journals, tapes, databases, logs, reports,
configuration), but for the few that are there to hold a secret. `tests/canaries.py` knows the secrets and looks.
"""

from __future__ import annotations

import gc
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception_only
from typing import Any

import pytest

from flashscalper.model.secrets import Secret
from tests.canaries import Canaries, overheard

canaries = Canaries()
folders: list[Path] = []
"""Folders for many tests, looked at when the last test of a module is over."""


class _Listener(logging.Handler):
    """Everything that anybody logs, with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        canaries.hear("the log", self.format(record))


def _plant(self: Secret, value: str) -> None:
    _make(self, value)
    canaries.plant(value)


_make = Secret.__init__
Secret.__init__ = _plant  # type: ignore[method-assign]


def _start(self: Any, *arguments: Any, **named: Any) -> None:
    canaries.plant_variables(named.get("env"))
    _begin(self, *arguments, **named)


_begin = subprocess.Popen.__init__
subprocess.Popen.__init__ = _start  # type: ignore[method-assign]
subprocess.Popen.communicate = overheard(canaries, "what a program said", subprocess.Popen.communicate)  # type: ignore[method-assign, assignment]
pytest.CaptureFixture.readouterr = overheard(canaries, "what was printed", pytest.CaptureFixture.readouterr)  # type: ignore[method-assign, assignment]


def _caught(self: Any, kind: Any, error: BaseException | None, trace: Any) -> bool:
    """The words of an exception that a test expected, and of those behind it."""
    one = error
    while one is not None:
        canaries.hear("an exception", "".join(format_exception_only(one)) + repr(one))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return bool(_catch(self, kind, error, trace))


_catch = pytest.RaisesExc.__exit__
pytest.RaisesExc.__exit__ = _caught  # type: ignore[method-assign]


def _folder(self: pytest.TempPathFactory, basename: str, numbered: bool = True) -> Path:
    folder = _make_folder(self, basename, numbered)
    folders.append(folder)
    return folder


_make_folder = pytest.TempPathFactory.mktemp
pytest.TempPathFactory.mktemp = _folder  # type: ignore[method-assign]


def pytest_configure(config: pytest.Config) -> None:
    """Listen from DEBUG on."""
    logging.getLogger().addHandler(_Listener())
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)  # "Using selector", thousands of times


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Iterator[Any]:
    """A secret of a fixture that serves many tests is a canary in all of them."""
    before, canaries.lasting = canaries.lasting, fixturedef.scope != "function"
    try:
        return (yield)
    finally:
        canaries.lasting = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """What was made before, while modules were imported, lasts; what a test makes does not, and only that has its `repr`
    looked at: what was there before is frozen meanwhile, so that the collector does not count it up."""
    canaries.lasting = False
    gc.freeze()
    try:
        return (yield)
    finally:
        gc.unfreeze()
        canaries.lasting = True


def hear_what_was_printed(item: pytest.Item) -> None:
    """And not read by the test."""
    for _, kind, text in item._report_sections:
        if kind in ("stdout", "stderr"):
            canaries.hear("what was printed", text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After the test, and before its folder may go: does any sink show a secret?"""
    hear_what_was_printed(item)
    own = getattr(item, "funcargs", {}).get("tmp_path")
    ends = nextitem is None or nextitem.path != item.path
    shown = canaries.shown(own, *((folder for folder in folders if folder != own) if ends else ()))
    canaries.forget()
    if ends:
        folders.clear()
    yield
    assert not shown, f"a secret is shown in {', '.join(shown)}"
