"""Where the recorded data and vectors lie, for tests that read them: beside the checkout, or nowhere (then they skip)."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_data(name: str) -> Path:
    """Path of `../shared/data/<name>`; skips the test with that reason when it is not there."""
    return _present(SHARED / "data" / name)


def shared_spec(name: str) -> Path:
    """Path of `../shared/spec/<name>`; skips the test with that reason when it is not there."""
    return _present(SHARED / "spec" / name)


def _present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"../shared/{path.parent.name}/{path.name} is not there")
    return path
