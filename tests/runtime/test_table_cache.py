"""The stored signing tables: used only when every byte is the known one."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashscalper.exchanges.paradex.signing import backend, default_backend
from flashscalper.exchanges.paradex.signing.backends import STORED_SIZE, stored_backend
from flashscalper.model.errors import ConfigError
from flashscalper.runtime import table_cache
from flashscalper.runtime.table_cache import cached_backend


@pytest.fixture(autouse=True)
def without_native_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "native_installed", lambda: False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "made" / "when" / "missing"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(table_cache, "native_installed", lambda: False)
        assert cached_backend(path)[1] == "written"
    return path


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_tables_are_built_once_and_read_afterwards_with_equal_results(folder: Path) -> None:
    loaded, how = cached_backend(folder)
    assert how == "read"
    plain = backend("python")
    assert loaded.pedersen.hash(123, 456) == plain.pedersen.hash(123, 456)
    assert loaded.ecdsa.sign(789, 1011) == plain.ecdsa.sign(789, 1011)


def test_a_table_file_with_one_changed_bit_is_not_used(folder: Path) -> None:
    whole = only_file(folder).read_bytes()
    for position in (0, STORED_SIZE // 2, STORED_SIZE - 1):
        data = bytearray(whole)
        data[position] ^= 1
        with pytest.raises(ConfigError, match="SHA-256"):
            stored_backend(bytes(data))


def test_a_cut_or_foreign_file_is_rebuilt_and_replaced(folder: Path) -> None:
    path = only_file(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert cached_backend(folder)[1] == "written"
    assert path.read_bytes() == whole
    assert list(folder.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_reported_and_signing_still_works(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    built, how = cached_backend(obstacle / "folder")
    assert how.startswith("not stored: ")
    assert built.ecdsa.verify(built.ecdsa.public_key_of(5), 7, *built.ecdsa.sign(5, 7))


def test_with_the_native_wheel_no_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "native_installed", lambda: True)
    assert cached_backend(tmp_path) == (default_backend(), "native")
    assert list(tmp_path.iterdir()) == []
