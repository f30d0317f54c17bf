from __future__ import annotations

import os
from pathlib import Path

import pytest

from flashscalper.model.instants import DAY_US
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.journal import Journal
from flashscalper.runtime.retention import LARGE, shed_old_runs

START = 1_700_000_000_000_000


def _run(root: Path, name: str, age_days: int, size: int = 1_000) -> RunArtifacts:
    run = RunArtifacts(name, root)
    with Journal(run.journal, {}):
        pass
    run.tape.mkdir()
    (run.tape / "part.fst").write_bytes(b"x" * size)
    for name_of_file in (*LARGE[1:], "trades.csv", "summary.json"):
        (run.folder / name_of_file).touch()
    at = START // 1_000_000 - age_days * 86_400
    os.utime(run.journal, (at, at))
    return run


def _left(run: RunArtifacts) -> set[str]:
    return {path.name for path in run.folder.iterdir()}


def test_old_runs_keep_journal_trades_and_summary_and_nothing_large(tmp_path: Path) -> None:
    old, young = _run(tmp_path, "a", 15), _run(tmp_path, "b", 13)
    assert "of 1 old run deleted" in shed_old_runs(START, tmp_path)
    assert _left(old) == {"journal.fsj", "trades.csv", "summary.json"}
    assert _left(young) >= {"journal.fsj", *LARGE}
    assert shed_old_runs(START, tmp_path) == ""


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    runs = [_run(tmp_path, name, age) for name, age in (("c", 3), ("d", 2), ("e", 1))]
    shed_old_runs(START, tmp_path, kept_bytes=2_000)
    assert [run.tape.exists() for run in runs] == [False, True, True]


def test_a_run_that_is_being_written_loses_nothing_and_a_folder_without_a_journal_is_not_ours(tmp_path: Path) -> None:
    run = _run(tmp_path, "a", 20)
    (tmp_path / "not-a-run" / "tape").mkdir(parents=True)
    with Journal(run.journal, {}):
        assert shed_old_runs(START + 400 * DAY_US, tmp_path) == ""
    assert shed_old_runs(START + 400 * DAY_US, tmp_path)
    assert (tmp_path / "not-a-run" / "tape").is_dir()


def test_what_cannot_be_deleted_is_named_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    run = _run(tmp_path, "a", 20)
    monkeypatch.setattr("shutil.rmtree", refuse)
    assert shed_old_runs(START, tmp_path) == f"{run.tape}: Permission denied"
