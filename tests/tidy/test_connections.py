"""Which files may open a connection, as `docs/how-to/where-does-the-connection-happen.md` says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "flashscalper"
PAGE = ROOT / "docs" / "how-to" / "where-does-the-connection-happen.md"
OPENS = re.compile(
    r"^\s*(?:import|from) (?:aiohttp|picows|psycopg|socket|urllib\.request|http\.client)\b|open_connection\(", re.MULTILINE
)


def test_the_page_names_every_file_that_opens_a_connection_and_no_other() -> None:
    opening = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if OPENS.search(path.read_text())}
    table = PAGE.read_text().split("## Who opens what")[1].split("Nothing else")[0]
    named = {
        row.split("|")[2].split("`")[1] for row in table.splitlines() if row.startswith("|") and "`" in row.split("|")[2]
    }
    assert named == opening


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:runtime|exchanges|cli|tests)/[\w/]+\.py)`", PAGE.read_text()))
    assert len(named) >= 8
    assert [name for name in named if not (SOURCE / name).is_file() and not (ROOT / name).is_file()] == []
