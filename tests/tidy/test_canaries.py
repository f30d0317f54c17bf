"""The canaries of the suite sing: a secret in any sink is found. (How they are planted: tests/conftest.py.)"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from flashscalper.model.secrets import Secret
from tests import conftest

SECRET = "0xcafe5ec2e7cafe5ec2e7"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def planted() -> Secret:
    """It is a canary from here on."""
    return Secret(SECRET)


@pytest.mark.parametrize("text", [SECRET, SECRET.removeprefix("0x"), TOKEN])
@pytest.mark.parametrize("name", ["runs/one/log.jsonl", "runs/one/journal.fsj", "store.sqlite3"])
def test_a_secret_in_a_file_is_found(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\x00\xff something " + text.encode() + b" else")
    assert list(conftest.shown_in(tmp_path)) == [name]
    file.write_text("nothing")
    assert list(conftest.shown_in(tmp_path)) == []


def test_a_file_that_is_there_to_hold_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(SECRET)
    assert list(conftest.shown_in(tmp_path)) == []


def test_a_secret_in_a_log_line_or_its_traceback_is_found() -> None:
    log = logging.getLogger("somebody's library")
    log.debug("key %s", SECRET)
    assert list(conftest.shown_in(None)) == ["the log"]
    conftest.logged.clear()
    try:
        int(SECRET)
    except ValueError:
        log.debug("it broke", exc_info=True)
    assert list(conftest.shown_in(None)) == ["the log"]
    conftest.logged.clear()
    assert list(conftest.shown_in(None)) == []
