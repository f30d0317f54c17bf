from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.runtime.session_lock import (
    AccountFolder,
    SessionLock,
    holder_of,
    known_accounts,
    state_root,
    write_whole,
)


@pytest.fixture
def folder(tmp_path: Path) -> AccountFolder:
    return AccountFolder("testnet", "0xabc", tmp_path)


def test_a_second_process_is_refused_and_told_who_has_the_account(folder: AccountFolder, tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from flashscalper.runtime.session_lock import AccountFolder, SessionLock
folder = AccountFolder("testnet", "0xabc", Path({str(tmp_path)!r}))
with SessionLock(folder, "run-1", Path({str(tmp_path)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FlashScalperError, match=rf"process {other.pid} \(run run-1, .*\) is trading 0xabc on testnet"):
            SessionLock(folder, "run-2", tmp_path).__enter__()
        holder = holder_of(folder)
        assert holder is not None
        assert holder.pid == other.pid
        other.kill()
    assert holder_of(folder) is None
    with SessionLock(folder, "run-3", tmp_path):
        assert holder_of(folder) is not None


def test_the_latch_stays_until_it_is_opened_by_name(folder: AccountFolder) -> None:
    assert folder.killed_because() is None
    folder.latch("smoke")
    folder.latch("a second reason changes nothing")
    assert folder.killed_because() == "smoke"
    folder.open_latch()
    assert folder.killed_because() is None
    assert folder.cleared.exists()
    folder.latch("again")
    assert (folder.killed_because(), folder.cleared.exists()) == ("again", False)


def test_an_empty_kill_file_is_as_good_as_any(folder: AccountFolder) -> None:
    folder.kill.touch()
    assert folder.killed_because() == "the KILL file is there"


def test_a_kill_file_that_cannot_be_read_still_kills(folder: AccountFolder) -> None:
    folder.kill.mkdir()
    assert "cannot be read" in str(folder.killed_because())


def test_what_is_written_is_for_its_owner_only_and_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", "one")
    write_whole(tmp_path / "x", "two")
    assert (tmp_path / "x").read_text() == "two"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_accounts_are_found_again_by_their_folders(tmp_path: Path) -> None:
    AccountFolder("paper", "0x2", tmp_path)
    AccountFolder("prod", "0x1", tmp_path)
    assert [(one.place, one.account) for one in known_accounts(tmp_path)] == [("paper", "0x2"), ("prod", "0x1")]
    assert AccountFolder("prod", "0x1", tmp_path).path.stat().st_mode & 0o077 == 0


def test_the_state_of_a_user_is_where_the_desktop_standard_says() -> None:
    assert state_root({"XDG_STATE_HOME": "/var/x"}) == Path("/var/x/flashscalper")
    assert state_root({"HOME": "/h/me"}) == Path("/h/me/.local/state/flashscalper")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="state folder: saw"):
        AccountFolder("paper", "0x1", tmp_path / "file")


def test_a_kill_file_of_any_size_and_form_latches_with_a_short_reason_in_one_line(tmp_path: Path) -> None:
    folder = AccountFolder("testnet", "0xabc", tmp_path)
    folder.kill.write_text("stop\nit\t now" + 10_000 * "!")
    reason = folder.killed_because()
    assert reason is not None
    assert reason.startswith("stop it now!!")
    assert len(reason) <= 200
    folder.kill.write_bytes(b"\xff\xfe")
    assert folder.killed_because()
    folder.kill.unlink()
    folder.kill.mkdir()
    assert "cannot be read" in (folder.killed_because() or "")
