"""The how-to for testing one's own bot, executed word for word: its bot with ccxt as the judges have it, its tests here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.judges.stand import ROOT, interpreter

pytestmark = pytest.mark.verify
PAGE = ROOT / "docs" / "how-to" / "test-your-own-paradex-bot.md"


def test_the_bot_and_its_tests_of_the_how_to_run_as_printed(tmp_path: Path) -> None:
    python = interpreter("ccxt")
    bot, tests = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len([line for line in bot.splitlines() if line]) <= 12
    (tmp_path / "bot.py").write_text(bot)
    (tmp_path / "test_bot.py").write_text(tests)
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.executable = {str(python)!r}\n")  # where ccxt is installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bot.py"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=110, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
