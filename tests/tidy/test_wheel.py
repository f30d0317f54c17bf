"""What a person gets who installs the package without the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flashscalper import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.verify
def test_the_wheel_installs_into_an_empty_environment_and_the_demo_runs(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("flashscalper-*.whl")
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    command = str(tmp_path / "env" / "bin" / "flashscalper")
    version = subprocess.run([command, "--version"], cwd=home, env=environment, capture_output=True, text=True, check=True)
    assert version.stdout.strip() == f"flashscalper {__version__}"
    subprocess.run([command, "demo", "--speed", "max", "--seconds", "150", "--json"], cwd=home, env=environment, check=True)
    megabytes = sum(file.stat().st_size for file in (tmp_path / "env").rglob("*") if file.is_file()) / 1e6
    assert megabytes < 300
