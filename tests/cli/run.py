"""Runs the command line as a person does: in a process of its own, with an empty home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def flashscalper(*arguments: str, home: Path, timeout_s: float = 110.0) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end; the environment has nothing but a path and an empty home."""
    with start(*arguments, home=home) as process:
        try:
            output, error = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, error)


def start(*arguments: str, home: Path) -> subprocess.Popen[str]:
    """Start a verb and leave it running; the environment has nothing but a path and an empty home."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "flashscalper", *arguments],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo(*arguments: str, home: Path, timeout_s: float = 110.0) -> dict[str, Any]:
    """Run `demo --json` to a good end and return its summary."""
    result = flashscalper("demo", "--json", *arguments, home=home, timeout_s=timeout_s)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary
