"""The core lock installs from wheels on every system that we promise; the resolver asks the index, nothing is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-apple-darwin", "aarch64-apple-darwin")


@pytest.mark.verify
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_core_lock_resolves_to_hashed_wheels_only(version: str, platform: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [
            str(UV), "pip", "install", "--dry-run", "--no-config", "--require-hashes", "--only-binary", ":all:", "--no-deps",
            "--python-version", version, "--python-platform", platform, "--target", str(tmp_path / "target"),
            "-r", "requirements.lock",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Would install" in result.stderr
