"""How long runs keep what is large: tape, log, klines and report go after 14 days, or when all of them pass 5 GB.

The journal stays (recovery and the store read it), and so do settings, trades and summary: they are small, and people's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from flashscalper.model.instants import DAY_US
from flashscalper.runtime.artifacts import RUNS, in_use

KEPT_DAYS: Final = 14
KEPT_BYTES: Final = 5 * 1024 * 1024 * 1024
LARGE: Final = ("tape", "log.jsonl", "log.1.jsonl", "klines.csv", "report.html")


def shed_old_runs(now: int, root: Path = RUNS, *, kept_days: int = KEPT_DAYS, kept_bytes: int = KEPT_BYTES) -> str:
    """Take from runs that ended more than `kept_days` ago what is large, then from the oldest until all of it takes at most
    `kept_bytes`; says in a sentence what was done, or is empty.

    `now` is microseconds UTC. A run that is being written loses nothing; a folder without a journal is not ours to judge.
    What cannot be deleted is named and left.
    """
    runs = sorted((journal.parent for journal in root.glob("*/journal.fsj") if journal.is_file()), key=_ended_at)
    sizes = {run: sum(_size(run / name) for name in LARGE) for run in runs}
    total, shed, errors = sum(sizes.values()), 0, []
    for run in runs:
        old = now - _ended_at(run) > kept_days * DAY_US
        if not sizes[run] or not (old or total > kept_bytes) or in_use(run / "journal.fsj"):
            continue
        try:
            _shed(run)
        except OSError as error:
            errors.append(f"{error.filename}: {error.strerror}")
            continue
        total -= sizes[run]
        shed += 1
    told = [f"tape, log and report of {shed} old run{'s' * (shed > 1)} deleted (kept: {kept_days} days, "
            f"{kept_bytes / 2**30:.3g} GiB)"] if shed else []  # fmt: skip
    return "; ".join((*told, *errors[:3]))


def _shed(run: Path) -> None:
    for name in LARGE:
        if (run / name).is_dir():
            shutil.rmtree(run / name)
        else:
            (run / name).unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.is_file() else 0


def _ended_at(run: Path) -> int:
    return (run / "journal.fsj").stat().st_mtime_ns // 1_000
