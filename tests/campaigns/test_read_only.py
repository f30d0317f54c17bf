"""Folders that cannot be written, before the start and under a running process: refused by name, or traded on in safety."""

from __future__ import annotations

import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashscalper.runtime.replaying import Replay
from tests.campaigns.processes import KEEP, Stand, stand
from tests.campaigns.test_trouble import at_the_exchange, metrics, positions, protected

pytestmark = pytest.mark.verify
OBEDIENT = """
import ctypes, os, sys
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0):
    sys.exit("the right to write whatever the modes say cannot be given up")
os.execv(sys.executable, [sys.executable, "-m", "flashscalper", *sys.argv[1:]])
"""
"""The command line; root gives up CAP_DAC_OVERRIDE for good before, so that modes hold for it as for anybody."""


def obedient(place: Stand) -> Stand:
    place.command = [sys.executable, "-c", OBEDIENT]
    return place


@contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """Nothing can be made, renamed or removed in these until the block ends."""
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


def refused(place: Stand, *arguments: str) -> str:
    """What a start says that must end in one line, without a traceback and without anything traded."""
    result = place.said("run", "--markets", "BTCUSDT", "--seconds", "1", *arguments)
    assert result.returncode in {1, 2}, result.stderr
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("flashscalper: ")
    return last


@pytest.mark.parametrize("what", ["runs", "state"])
def test_a_start_in_a_read_only_folder_is_refused_in_one_line_that_names_it(what: str, tmp_path: Path) -> None:
    place = obedient(Stand(tmp_path, "http://127.0.0.1:9", {}))
    folder = tmp_path / ("runs" if what == "runs" else ".local/state/flashscalper")
    folder.mkdir(parents=True)
    with read_only(folder):
        said = refused(place, "--mode", "paper")
    assert "Permission denied" in said
    assert folder.name in said


def test_folders_turned_read_only_under_a_process_stop_neither_stops_nor_exits_nor_the_kill(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = obedient(place).start("--metrics-port", "0", strategy=KEEP)
        place.until("protected", protected)
        (run,) = place.runs()
        state = place.folder().path
        with read_only(run, run / "tape", tmp_path / "runs", state):
            assert place.verb("pause", "--reason", "look")["state"] == "reducing"
            held, stops = at_the_exchange(place)
            assert (len(held), held) == (2, stops)
            assert "flashscalper_journal_lost 0.0" in metrics(place), "a file that is open goes on being written"
            killed = place.said("kill", "--reason", "read only")
            assert killed.returncode == 0
            assert "the latch could not be written (Permission denied): it holds as far as the journal" in killed.stderr
            place.until("flat", lambda seen: not positions(seen) and seen["orders"]["open"] == 0)
            assert at_the_exchange(place) == ({}, {})
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, place.log()
            log = place.log()
            assert "it holds in the journal" in log
            assert "the lists of this run are not written" in log
            assert "Permission denied" in refused(place, "--mode", "testnet")
            (tmp_path / "runs").chmod(0o755)
            assert re.search(r"last-run: Permission denied|lock: Permission denied", refused(place, "--mode", "testnet"))
        assert Replay(run).compare().difference is None
        place.start(strategy=KEEP)
        again = place.until("latched", lambda seen: seen["state"] == "halted" and seen["streams"].get("account") is True)
        assert any(reason.startswith("killed: read only") for reason in again["reasons"])


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a running process is set with prlimit")
def test_a_kill_that_nothing_can_remember_still_flattens_and_says_that_it_is_not_latched(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = obedient(place).start(strategy=KEEP)
        place.until("protected", protected)
        (run,) = place.runs()
        full = min(file.stat().st_size for file in (run / "journal.fsj", *(run / "tape").iterdir()))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        with read_only(place.folder().path):
            assert place.said("kill", "--reason", "nothing works").returncode == 0
            place.until("flat", lambda seen: not positions(seen) and seen["orders"]["open"] == 0)
            assert at_the_exchange(place) == ({}, {})
            place.until("said", lambda _: "neither can the journal: the next start would trade again" in place.log())
            process.terminate()
            assert process.wait(60) == 0, place.log()
            assert "the tape cannot be written" in place.log()


def test_a_store_that_is_read_only_is_said_everywhere_and_trading_goes_on(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        obedient(place)
        (tmp_path / "runs").mkdir()
        assert place.said("store", "rebuild").returncode == 0
        store = tmp_path / "runs" / "store.sqlite3"
        store.chmod(0o444)
        place.start("--metrics-port", "0", strategy=KEEP)
        seen = place.until("lost", lambda status: status["store"]["state"] == "lost" and protected(status))
        assert "readonly" in seen["store"]["detail"]
        assert seen["state"] == "active"
        text = metrics(place)
        assert 'flashscalper_store_status{status="lost"} 1.0' in text
        assert not re.search(r"flashscalper_store_(failures_total|behind_bytes|behind_seconds) 0\.0", text)
        assert "trading goes on" in place.log()
        assert "store runs/store.sqlite3 lost: attempt to write a readonly database; " in place.said("status").stdout
        for file in store.parent.glob(f"{store.name}*"):  # the files beside it have its mode
            file.chmod(0o644)
        place.until("caught up", lambda status: status["store"]["state"] == "current")
        assert 'flashscalper_store_status{status="current"} 1.0' in metrics(place)
