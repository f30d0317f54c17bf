from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import keyring.errors
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime import keystore
from flashscalper.runtime.keystore import FileStore, KeyringStore, Keystore, StoredKey, default_file, open_keystore
from flashscalper.runtime.private_files import read_private, read_secret, write_private

SECRET = "0x" + "7" * 60


def key(name: str = "bot") -> StoredKey:
    return StoredKey(name=name, environment="testnet", account="0xa", public_key="0xb", created_at=5)


class Ring:
    """A keyring backend that keeps its entries in memory; `broken` is what every call raises."""

    name = "ring"
    priority = 5

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.broken: Exception | None = None

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.entries[service, username]


@pytest.fixture(params=["file", "keyring"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Keystore:
    return FileStore(tmp_path / "sub" / "keys.json") if request.param == "file" else KeyringStore(Ring())


def test_what_is_saved_is_listed_loaded_and_forgotten(store: Keystore) -> None:
    assert store.stored() == []
    store.save(key("b"), Secret(SECRET))
    store.save(key("a"), Secret("0x1"))
    assert [each.name for each in store.stored()] == ["a", "b"]
    found, secret = store.load("b")
    assert found == key("b")
    assert secret.reveal() == SECRET
    store.forget("b")
    assert [each.name for each in store.stored()] == ["a"]


def test_an_unknown_name_is_refused_with_the_known_ones(store: Keystore) -> None:
    with pytest.raises(ConfigError, match="none are stored"):
        store.load("x")
    store.save(key("mine"), Secret(SECRET))
    for ask in (store.load, store.forget):
        with pytest.raises(ConfigError, match="key name: saw 'x'; accepted: mine"):
            ask("x")


def test_a_key_is_never_overwritten(store: Keystore) -> None:
    store.save(key(), Secret(SECRET))
    with pytest.raises(ConfigError, match="a name that is not taken"):
        store.save(key(), Secret("0x1"))
    assert store.load("bot")[1].reveal() == SECRET


@pytest.mark.parametrize("name", ["", "../up", "a b", "-a", "x" * 41, "a\n"])
def test_a_name_that_could_be_mistaken_is_refused(store: Keystore, name: str) -> None:
    with pytest.raises(ConfigError, match="key name"):
        store.save(key(name), Secret(SECRET))


def test_the_file_is_for_its_owner_only_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "keys.json"
    FileStore(file).save(key(), Secret(SECRET))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["keys.json"]


def _readable(file: Path) -> None:
    file.chmod(0o640)


def _link(file: Path) -> None:
    file.rename(file.with_name("other-keys"))
    file.symlink_to("other-keys")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _open_folder(file: Path) -> None:
    file.parent.chmod(0o777)


def _work_tree(file: Path) -> None:
    (file.parent.parent / ".git").mkdir()


def _rubbish(file: Path) -> None:
    file.write_text("{}x")


def _later_version(file: Path) -> None:
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))


def _look(file: Path) -> tuple[int, int, int]:
    status = file.lstat()
    return status.st_ino, status.st_mode, status.st_mtime_ns


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_readable, "mode 0640"),
        (_link, "symbolic link"),
        (_folder, "regular file"),
        (_pipe, "regular file"),
        (_open_folder, "chmod o-w"),
        (_work_tree, "outside any git work tree"),
        (_rubbish, "that `flashscalper keys` wrote"),
        (_later_version, "version 1"),
    ],
)
def test_a_file_that_is_not_safe_is_one_clear_error_and_is_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    file = tmp_path / "sub" / "keys.json"
    store = FileStore(file)
    store.save(key(), Secret(SECRET))
    spoil(file)
    before = _look(file)
    for ask in (store.stored, lambda: store.load("bot"), lambda: store.save(key("c"), Secret("0x2"))):
        with pytest.raises(ConfigError, match=words) as refused:
            ask()
        assert str(refused.value).startswith("PARADEX_KEYSTORE: saw ")
        assert "\n" not in str(refused.value)
        assert SECRET not in str(refused.value)
    assert _look(file) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    FileStore(file).save(key(), Secret(SECRET))
    os.chown(file, 12_345, 12_345)
    with pytest.raises(ConfigError, match="belongs to you"):
        FileStore(file).stored()


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.json"
    write_private("X", file, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_private("X", file, "new")
    assert read_private("X", file) == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_a_dotenv_may_lie_in_a_work_tree(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    file = tmp_path / ".env"
    file.touch(mode=0o600)
    assert read_private("X", file, in_git=True) == ""
    with pytest.raises(ConfigError, match="git work tree"):
        read_private("X", file)


def test_a_secret_handed_to_a_container_may_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("0x1\n")
    file.chmod(0o444)
    with pytest.raises(ConfigError, match="mode 0444"):
        read_secret("X_FILE", file)
    monkeypatch.setattr("flashscalper.runtime.private_files._HANDED_OVER", (tmp_path,))
    assert read_secret("X_FILE", file) == "0x1\n"
    with pytest.raises(ConfigError, match="regular file"):
        read_secret("X_FILE", tmp_path)


def test_a_keyring_that_is_locked_is_one_clear_error() -> None:
    ring = Ring()
    ring.broken = keyring.errors.KeyringLocked("the collection is locked")
    with pytest.raises(ConfigError, match="unlocked") as refused:
        KeyringStore(ring).stored()
    assert "keyring (ring)" in str(refused.value)


def test_an_entry_removed_by_hand_is_not_listed() -> None:
    ring = Ring()
    store = KeyringStore(ring)
    store.save(key(), Secret(SECRET))
    del ring.entries["flashscalper", "key/bot"]
    assert store.stored() == []


def test_which_store_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"XDG_CONFIG_HOME": str(tmp_path)}
    monkeypatch.setattr(keystore, "_keyring_backend", lambda: None)
    assert open_keystore(config).where == str(tmp_path / "flashscalper" / "keys.json")
    assert default_file({}).is_relative_to(Path.home())
    with pytest.raises(ConfigError, match="no keyring"):
        open_keystore({"PARADEX_KEYSTORE": "keyring"})
    monkeypatch.setattr(keystore, "_keyring_backend", Ring)
    assert open_keystore(config).where == "keyring (ring)"
    assert open_keystore({"PARADEX_KEYSTORE": "~/x"}).where == str(Path.home() / "x")


def test_the_keyring_that_only_fails_is_none() -> None:
    import keyring
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    try:
        assert keystore._keyring_backend() is None
    finally:
        keyring.set_keyring(before)
