"""Whatever a person may write into configuration and environment: settings that are in order, or one line that refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.cli.config import leaves, read_dotenv
from flashscalper.cli.settings import Settings, load_settings
from flashscalper.model.errors import ConfigError

LEAVES = list(leaves(Settings))
NASTY = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "99999999999999999999", "true", '""', '"x"', '"NaN"', "[]", '["a", 1]',
    "{a = 1}", "1979-05-27", "0.0000001", '"../../etc/passwd"', '"__import__(\'os\')"',
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "flashscalper.toml"


def numbers(value: object) -> Iterator[float | Decimal]:
    """Every number anywhere in it."""
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from numbers(getattr(value, field))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, float | Decimal):
        yield value


def loaded(file: Path | None, environment: dict[str, str]) -> Settings | None:
    """The settings; None for a refusal, which must be one line. Anything else than ConfigError is a defect."""
    try:
        return load_settings(file=file, environment=environment)
    except ConfigError as refused:
        one_line(refused)
        return None


def one_line(refused: ConfigError) -> None:
    """A refusal is for a person to read."""
    assert len(str(refused).splitlines()) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LEAVES), st.sampled_from(NASTY)), min_size=1, max_size=3))
def test_strange_values_are_refused_or_finite(place: Path, chosen: list[tuple[object, str]]) -> None:
    lines = {".".join(leaf.path): value for leaf, value in chosen}  # type: ignore[attr-defined]
    place.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    found = loaded(place, {})
    assert found is None or all(math.isfinite(number) for number in numbers(found))


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.sampled_from([leaf.variable for leaf in LEAVES]), st.text(max_size=12), max_size=3))
def test_strange_variables_are_refused_or_finite(environment: dict[str, str]) -> None:
    found = loaded(None, environment)
    assert found is None or all(math.isfinite(number) for number in numbers(found))


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_refused_or_read(place: Path, data: bytes) -> None:
    for content in (data, b"[" * 3_000 + data, b"x = " + b"[" * 3_000 + data, b"[trading]\n" + data):
        place.write_bytes(content)
        loaded(place, {})
        dotenv = place.with_name(".env")
        dotenv.write_bytes(content)
        try:
            assert all(isinstance(name, str) for name in read_dotenv(dotenv))
        except ConfigError as refused:
            one_line(refused)
