"""Where trading keys rest: the operating system's keyring, or one 0600 file on a server that has none.

Only subkeys belong here. A main key can withdraw and is asked for once, when a subkey is registered, and never stored.
`PARADEX_KEYSTORE` chooses: `keyring`, or the path of the file; when it is not set, the keyring if there is a real one, else
`flashscalper/keys.json` in the user's configuration folder.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.private_files import make_folder, read_private, write_private

VARIABLE: Final = "PARADEX_KEYSTORE"
KEYRING: Final = "keyring"
SERVICE: Final = "flashscalper"
_INDEX: Final = "index"
_FORMAT: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a stored key. `environment` is where it was registered; `created_at` microseconds."""

    name: str
    environment: str
    account: str
    public_key: str
    allowed_cidrs: tuple[str, ...] = ()
    created_at: int = 0


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it rests."""

    key: StoredKey
    private_key: str

    def __repr__(self) -> str:
        return f"_Entry({self.key!r}, ***)"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole key file."""

    version: int = _FORMAT
    keys: tuple[_Entry, ...] = ()

    def __repr__(self) -> str:
        return f"_File({len(self.keys)} keys)"


class Keystore(Protocol):
    """Named trading keys. Every call raises ConfigError when the place is not safe or not there."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def stored(self) -> list[StoredKey]:
        """Every stored key by name, without its secret."""
        ...

    def load(self, name: str) -> tuple[StoredKey, Secret]:
        """One key with its secret. An unknown name is a ConfigError that lists the known ones."""
        ...

    def save(self, key: StoredKey, private_key: Secret) -> None:
        """Store a key under a new name; a name that is taken is refused."""
        ...

    def forget(self, name: str) -> None:
        """Remove a key for good."""
        ...


def check_name(name: str) -> str:
    """A key's name: letters, digits, dot, dash and underscore, at most 40. Raises ConfigError."""
    if not _NAME.match(name):
        raise ConfigError("key name", name, "1 to 40 letters, digits, '.', '-' or '_', beginning with a letter or digit")
    return name


def open_keystore(environment: Mapping[str, str]) -> Keystore:
    """The key store that `PARADEX_KEYSTORE` names, or the best there is."""
    chosen = environment.get(VARIABLE, "").strip()
    backend = _keyring_backend() if chosen in ("", KEYRING) else None
    if backend is not None:
        return KeyringStore(backend)
    if chosen == KEYRING:
        raise ConfigError(VARIABLE, chosen, "the path of a key file: this machine has no keyring that could be used")
    return FileStore(Path(chosen).expanduser() if chosen else default_file(environment))


def default_file(environment: Mapping[str, str]) -> Path:
    """`flashscalper/keys.json` in XDG_CONFIG_HOME, or in `.config` of the home folder."""
    base = environment.get("XDG_CONFIG_HOME", "").strip()
    return (Path(base) if base else Path("~/.config").expanduser()) / SERVICE / "keys.json"


class FileStore:
    """All keys in one JSON file that only its owner can read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self._file)

    def stored(self) -> list[StoredKey]:
        """Every stored key."""
        return sorted((entry.key for entry in self._read().keys), key=lambda key: key.name)

    def load(self, name: str) -> tuple[StoredKey, Secret]:
        """One key."""
        found = self._read().keys
        entry = next((entry for entry in found if entry.key.name == name), None)
        if entry is None:
            raise _unknown(name, [entry.key.name for entry in found])
        return entry.key, Secret(entry.private_key)

    def save(self, key: StoredKey, private_key: Secret) -> None:
        """Add one key."""
        check_name(key.name)
        with self._alone():
            known = self._read()
            if any(entry.key.name == key.name for entry in known.keys):
                raise _taken(key.name)
            self._write((*known.keys, _Entry(key=key, private_key=private_key.reveal())))

    def forget(self, name: str) -> None:
        """Remove one key."""
        with self._alone():
            known = self._read().keys
            left = tuple(entry for entry in known if entry.key.name != name)
            if len(left) == len(known):
                raise _unknown(name, [entry.key.name for entry in known])
            self._write(left)

    def _read(self) -> _File:
        if not self._file.exists() and not self._file.is_symlink():
            return _File()
        text = read_private(VARIABLE, self._file)
        try:
            found = msgspec.json.decode(text, type=_File)
        except msgspec.DecodeError:
            raise ConfigError(VARIABLE, str(self._file), "a key file that `flashscalper keys` wrote") from None
        if found.version != _FORMAT:
            raise ConfigError(VARIABLE, f"{self._file} of version {found.version}", f"version {_FORMAT}")
        return found

    def _write(self, entries: tuple[_Entry, ...]) -> None:
        text = msgspec.json.format(msgspec.json.encode(_File(keys=entries)), indent=1).decode()
        write_private(VARIABLE, self._file, text + "\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, by a lock on the folder: the file itself is replaced."""
        make_folder(VARIABLE, self._file)
        descriptor = os.open(self._file.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class KeyringStore:
    """One keyring entry a key, and one that lists their names: keyrings cannot be asked what they hold."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    @property
    def where(self) -> str:
        """The keyring's own name."""
        return f"keyring ({getattr(self._backend, 'name', type(self._backend).__name__)})"

    def stored(self) -> list[StoredKey]:
        """Every stored key; one that somebody removed from the keyring by hand is left out."""
        found = (self._get(name) for name in self._names())
        return [entry.key for entry in found if entry is not None]

    def load(self, name: str) -> tuple[StoredKey, Secret]:
        """One key."""
        entry = self._get(name)
        if entry is None:
            raise _unknown(name, self._names())
        return entry.key, Secret(entry.private_key)

    def save(self, key: StoredKey, private_key: Secret) -> None:
        """Add one key."""
        check_name(key.name)
        if self._get(key.name) is not None:
            raise _taken(key.name)
        entry = _Entry(key=key, private_key=private_key.reveal())
        self._ask("set_password", SERVICE, f"key/{key.name}", msgspec.json.encode(entry).decode())
        self._write_names({*self._names(), key.name})

    def forget(self, name: str) -> None:
        """Remove one key."""
        if self._get(name) is None:
            raise _unknown(name, self._names())
        self._ask("delete_password", SERVICE, f"key/{name}")
        self._write_names({*self._names()} - {name})

    def _names(self) -> list[str]:
        text = self._ask("get_password", SERVICE, _INDEX)
        return [] if text is None else sorted(self._decoded(text, list[str]))

    def _write_names(self, names: set[str]) -> None:
        self._ask("set_password", SERVICE, _INDEX, msgspec.json.encode(sorted(names)).decode())

    def _get(self, name: str) -> _Entry | None:
        text = self._ask("get_password", SERVICE, f"key/{name}")
        entry: _Entry | None = None if text is None else self._decoded(text, _Entry)
        return entry

    def _decoded(self, text: str, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError:
            raise ConfigError(VARIABLE, self.where, f"entries of {SERVICE!r} that `flashscalper keys` wrote") from None

    def _ask(self, call: str, *arguments: str) -> str | None:
        """One call of the keyring; what it raises (locked, no session bus, refused by the user) becomes one line."""
        from keyring.errors import KeyringError  # noqa: PLC0415 - keyring takes its time to load and is rarely needed

        try:
            answer: str | None = getattr(self._backend, call)(*arguments)
        except (KeyringError, OSError, RuntimeError) as error:
            accepted = f"a keyring that is unlocked, or the path of a key file ({type(error).__name__}: {error})"
            raise ConfigError(VARIABLE, self.where, accepted) from None
        return answer


def _keyring_backend() -> Any:
    """The system's keyring, None when there is none that keeps secrets: keyring rates those that do at 1 and above."""
    import keyring  # noqa: PLC0415 - see `_ask`

    backend = keyring.get_keyring()
    return backend if float(getattr(backend, "priority", 0)) >= 1 else None


def _unknown(name: str, known: list[str]) -> ConfigError:
    return ConfigError("key name", name, ", ".join(sorted(known)) or "none are stored; `flashscalper keys new` makes one")


def _taken(name: str) -> ConfigError:
    return ConfigError("key name", name, "a name that is not taken")
