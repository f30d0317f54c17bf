"""The rooms' import rules are contracts; each must break when somebody breaks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(root / "src"), "PATH": ""},
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_keeps_its_own_rules(house: Path) -> None:
    result = _lint(house)
    assert result.returncode == 0, result.stdout + result.stderr


PURE = "Pure rooms touch no clock, socket, thread, file, dice or log"
DEAF = "The engine and the strategies know no exchange and no simulator"
APART = "The simulator shares with the clients only wire messages and signing"


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("model/orders.py", "import flashscalper.runtime.journal", "Rooms are stacked"),
        ("market/klines.py", "from time import time", PURE),
        ("trading/engine.py", "import random", PURE),
        ("trading/engine.py", "import flashscalper.exchanges.base", DEAF),
        ("market/book.py", "import flashscalper.indicators", "Market and indicators do not know each other"),
        ("simulator/exchange.py", "import flashscalper.exchanges.paradex.client", APART),
    ],
)
def test_a_planted_import_breaks_its_contract(house: Path, file: str, line: str, contract: str) -> None:
    planted = house / "src" / "flashscalper" / file
    planted.write_text(planted.read_text() + f"\n{line}\n")
    result = _lint(house)
    assert result.returncode != 0
    assert f"{contract} BROKEN" in " ".join(result.stdout.split())


def test_a_room_that_nobody_argued_for_breaks_the_stack(house: Path) -> None:
    room = house / "src" / "flashscalper" / "helpers"
    room.mkdir()
    (room / "__init__.py").write_text('"""No such room."""\n')
    assert _lint(house).returncode != 0
