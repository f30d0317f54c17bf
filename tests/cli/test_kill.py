"""`flashscalper kill` where the exchange cannot be asked: at least nothing trades the account again."""

from __future__ import annotations

from pathlib import Path

from flashscalper.runtime.session_lock import AccountFolder
from tests.cli.run import flashscalper


def account(home: Path, name: str) -> AccountFolder:
    return AccountFolder("paper", name, home / ".local" / "state" / "flashscalper")


def test_without_a_key_the_one_account_of_this_machine_is_latched_and_the_failure_is_said(tmp_path: Path) -> None:
    folder = account(tmp_path, "0xabc")
    result = flashscalper("kill", "--reason", "enough", home=tmp_path)
    assert result.returncode == 1
    assert "paper-0xabc is latched; its orders and positions at the exchange may be as they were" in result.stderr
    assert "PARADEX_SECRET_KEY" in result.stderr
    assert folder.killed_because() == "enough"


def test_of_several_accounts_none_is_latched_unless_it_is_named(tmp_path: Path) -> None:
    one, other = account(tmp_path, "0xabc"), account(tmp_path, "0xdef")
    result = flashscalper("kill", home=tmp_path)
    assert "nothing is latched: `--account` says which of paper-0xabc, paper-0xdef is meant" in result.stderr
    assert (one.killed_because(), other.killed_because()) == (None, None)
    flashscalper("kill", "--account", "0xdef", home=tmp_path)
    assert (one.killed_because(), other.killed_because()) == (None, "kill")
