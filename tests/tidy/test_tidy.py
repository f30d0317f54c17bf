"""House style as tests: what review would otherwise have to say again and again."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
PURE = ("model", "market", "indicators", "strategies", "trading", "exchanges", "simulator")
UNFINISHED = re.compile(r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b|raise NotImplemented" + "Error")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_500_lines() -> None:
    assert [_name(path) for path in PYTHON if path.read_text().count("\n") > 500] == []


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > 60
    ]
    assert long == []


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{_name(path)}:{number}"
        for path in PYTHON
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_every_module_says_which_job_it_has() -> None:
    silent = [_name(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_no_file_is_named_after_nothing() -> None:
    nameless = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
    assert [_name(path) for path in SOURCES if path.stem in nameless or path.parent.name in nameless] == []


def test_pure_rooms_never_ask_what_time_it_is() -> None:
    """`datetime` is a fine value type, but asking it for now is a clock; import rules cannot see that."""
    asking = re.compile(r"\.(now|utcnow|today)\(\)|fromtimestamp\([^,)]*\)(?!.*tz)")
    asked = [
        f"{_name(path)}:{number}"
        for room in PURE
        for path in sorted((ROOT / "src" / "flashscalper" / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if asking.search(line)
    ]
    assert asked == []


def test_locks_carry_hashes_and_no_address() -> None:
    for lock in sorted(path.name for path in ROOT.glob("requirements*.lock")):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        assert "--index-url" not in text
        for block in re.split(r"\n(?=[a-z0-9])", text.strip()):
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_tracked_files_name_no_place_of_a_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    place = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/[a-z]")
    named = []
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".sh", ".txt", ".json", ".yml", ".cfg", ""} and path.is_file():
            named += [name for line in path.read_text(errors="ignore").splitlines() if place.search(line)]
    assert named == []
