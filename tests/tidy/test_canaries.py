"""The canaries of the suite sing: a secret in any sink is found. (How they are planted: tests/conftest.py.)"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from tests import conftest
from tests.conftest import canaries

SECRET = "0xcafe5ec2e7cafe5ec2e7"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEifQ.c2lnbmF0dXJl"
LASTING = "0xbeefbeefbeefbeef"


@dataclass
class Careless:
    """Something of ours that shows what it holds."""

    held: object


Careless.__module__ = "flashscalper.pretended"


@pytest.fixture(autouse=True)
def planted() -> Secret:
    """It is a canary from here on."""
    return Secret(SECRET)


@pytest.fixture(scope="module")
def lasting() -> Secret:
    return Secret(LASTING)


def found(*folders: Path) -> list[str]:
    """What shows a secret. It is then taken away, so that the suite does not find it again; the canary stays one."""
    shown = canaries.shown(*folders)
    canaries.forget()
    canaries.plant(SECRET)
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
    return shown


@pytest.mark.parametrize("text", [SECRET, SECRET.removeprefix("0x"), TOKEN])
@pytest.mark.parametrize(
    "name", ["runs/one/log.jsonl", "runs/one/journal.fsj", "runs/one/tape.fst", "store.sqlite3", "r.html"]
)
def test_a_secret_in_a_file_is_found(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\x00\xff something " + text.encode() + b" else")
    assert found(tmp_path) == [name]
    file.write_text("nothing")
    assert found(tmp_path) == []


def test_a_file_that_is_there_to_hold_one_is_left_alone_and_what_it_holds_is_a_canary(tmp_path: Path) -> None:
    held = "d41d8cd98f00b204"
    (tmp_path / ".env").write_text(f"PARADEX_SECRET_KEY={SECRET}\n")
    (tmp_path / "control.json").write_text(f'{{"port": 1, "token": "{held}"}}')
    assert canaries.shown(tmp_path) == []
    (tmp_path / "log.jsonl").write_text(f"asked with {held}")
    assert found(tmp_path) == ["log.jsonl"]


def test_a_secret_in_a_log_line_or_its_traceback_is_found() -> None:
    log = logging.getLogger("somebody's library")
    log.debug("key %s", SECRET)
    assert found() == ["the log"]
    try:
        int(SECRET)
    except ValueError:
        log.debug("it broke", exc_info=True)
    assert found() == ["the log"]


def test_a_secret_is_found_however_much_is_logged_after_it() -> None:
    log = logging.getLogger("somebody's library")
    log.debug("key %s", SECRET)
    for _ in range(50):
        log.debug("x" * 100_000)
    assert found() == ["the log"]


def test_a_secret_in_the_words_of_an_exception_is_found_be_it_the_one_behind(planted: Secret) -> None:
    with pytest.raises(ConfigError):
        raise ConfigError("key", planted.reveal(), "another")
    assert found() == ["an exception"]
    error = RuntimeError("it broke")
    error.__cause__ = ValueError(planted.reveal())
    with pytest.raises(RuntimeError):
        raise error
    assert found() == ["an exception"]


def test_a_printed_secret_is_found_when_the_test_reads_what_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print(SECRET)
    assert capsys.readouterr().out
    assert found() == ["what was printed"]


def test_a_printed_secret_is_found_when_nobody_reads_it(request: pytest.FixtureRequest) -> None:
    request.node.add_report_section("call", "stdout", f"the key is {SECRET}")
    conftest.hear_what_was_printed(request.node)
    assert found() == ["what was printed"]
    request.node._report_sections.clear()


def test_the_secret_of_a_program_is_a_canary_in_what_it_says_and_in_what_it_writes(tmp_path: Path) -> None:
    other = "0xfeedface5eed5eed"
    code = "import os, sys; key = os.environ['PARADEX_SECRET_KEY']; print(key); open('log.jsonl', 'w').write(key)"
    subprocess.run(
        [sys.executable, "-c", code], env={"PARADEX_SECRET_KEY": other}, cwd=tmp_path, check=True, capture_output=True
    )
    assert found(tmp_path) == ["what a program said", "log.jsonl"]


def test_a_secret_in_the_repr_of_something_of_ours_is_found(planted: Secret) -> None:
    one = Careless(planted)
    assert found() == []
    one.held = planted.reveal()
    assert found() == ["the repr of Careless"]
    one.held = None


def test_a_secret_of_a_fixture_for_many_tests_outlives_the_test(lasting: Secret) -> None:
    canaries.forget()
    assert lasting.reveal() == LASTING
    canaries.hear("the log", LASTING)
    assert found() == ["the log"]


def test_a_folder_for_many_tests_is_one_of_those_that_are_looked_at(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("many")
    (folder / "journal.fsj").write_text(SECRET)
    assert folder in conftest.folders
    assert found(folder) == ["journal.fsj"]
