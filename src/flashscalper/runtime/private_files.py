"""Files that hold keys: read only when nobody else on this machine can read or replace them, written so that it stays so.

A file with a key is a regular file of ours, mode 0600 or stricter, no symbolic link, in a folder that not everybody may
write to, and outside any git work tree. Anything else is an error that says what to do; a warning could be overlooked.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from flashscalper.model.errors import ConfigError

MOST_BYTES: Final = 1024 * 1024
"""No file of keys is longer."""

_HANDED_OVER: Final = (Path("/run"), Path("/var/run"))
"""Where containers and systemd put secrets for one process; owner and mode are theirs to choose, often root and 0444."""


def read_private(field: str, file: Path, *, in_git: bool = False) -> str:
    """The text of a file with a key. Raises ConfigError naming `field` when others could read or replace it.

    `in_git` allows a work tree: for `.env`, which projects ignore by name. The file is judged by its open descriptor, so
    that nothing can be put in its place between looking and reading.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise ConfigError(field, str(file), f"a readable file that is no symbolic link ({error.strerror})") from None
    try:
        _judge(field, file, os.fstat(descriptor), in_git=in_git)
    except ConfigError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as opened:
        return _text(field, file, opened.read(MOST_BYTES + 1))


def read_secret(field: str, file: Path) -> str:
    """The text of a file that a `*_FILE` variable names: `read_private`, but for what a container was handed below /run."""
    if not any(file.resolve().is_relative_to(place) for place in _HANDED_OVER):
        return read_private(field, file)
    try:
        if not file.is_file():
            raise ConfigError(field, str(file), "a regular file")
        with file.open("rb") as opened:
            return _text(field, file, opened.read(MOST_BYTES + 1))
    except OSError as error:
        raise ConfigError(field, str(file), f"a readable file ({error.strerror})") from None


def write_private(field: str, file: Path, text: str) -> None:
    """Replace `file` by `text` in one step: a reader sees the old or the new one, never a part, never another mode."""
    make_folder(field, file)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text.encode())
            opened.flush()
            os.fsync(descriptor)
        fresh.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise ConfigError(field, str(file), f"a file that can be written ({error.strerror})") from None


def check_folder(field: str, file: Path, *, in_git: bool = False) -> None:
    """The folder of `file` is one that not everybody may write to, outside any git work tree."""
    try:
        mode = file.parent.stat().st_mode
    except OSError as error:
        raise ConfigError(field, str(file.parent), f"a folder that can be looked at ({error.strerror})") from None
    if mode & stat.S_IWOTH:
        raise ConfigError(field, str(file), f"a file in a folder that not everybody may write to: chmod o-w {file.parent}")
    tree = None if in_git else work_tree_of(file)
    if tree is not None:
        raise ConfigError(field, str(file), f"a file outside any git work tree; this one is inside {tree}")


def make_folder(field: str, file: Path) -> None:
    """Make the folder of `file`, for us alone, unless it is there; then `check_folder`."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(field, str(file.parent), f"a folder that can be made ({error.strerror})") from None
    check_folder(field, file)


def work_tree_of(file: Path) -> Path | None:
    """The git work tree that a path lies in, None for none."""
    return next((folder for folder in file.resolve().parents if (folder / ".git").exists()), None)


def _judge(field: str, file: Path, status: os.stat_result, *, in_git: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(field, str(file), "a regular file")
    if status.st_uid != os.geteuid():
        raise ConfigError(field, str(file), f"a file that belongs to you (user {os.geteuid()}), not to user {status.st_uid}")
    if status.st_mode & 0o077:
        seen = f"{file} with mode {stat.S_IMODE(status.st_mode):04o}"
        raise ConfigError(field, seen, f"a file that only you can read: chmod 600 {file}")
    check_folder(field, file, in_git=in_git)


def _text(field: str, file: Path, data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise ConfigError(field, str(file), f"a file of at most {MOST_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigError(field, str(file), "UTF-8 text") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
