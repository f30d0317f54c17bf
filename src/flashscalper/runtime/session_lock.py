"""The folder of one account on this machine, and the lock that lets one process trade it at a time.

Below `$XDG_STATE_HOME/flashscalper` (or `~/.local/state/flashscalper`), readable by its owner only: which journal goes on,
the latch of the kill switch, where the running process takes orders from people.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError, FlashScalperError

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE: Final = 0o600
_REASON_CHARACTERS: Final = 200
"""So much of a KILL file is read: anybody may write one."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The process that trades an account: its id, its run and where that run's folder is."""

    pid: int
    run: str
    folder: str


class AccountFolder:
    """What this machine remembers of one account; made when it is not there. `place`: paper, testnet, prod or simulator."""

    def __init__(self, place: str, account: str, root: Path) -> None:
        self.place = place
        self.account = account
        self.path = root / f"{place}-{account}"
        try:
            self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("state folder", str(self.path), f"a folder that can be made ({error.strerror})") from error

    @property
    def name(self) -> str:
        """How people call it: place and account."""
        return self.path.name

    @property
    def lock(self) -> Path:
        """Held by the process that trades the account."""
        return self.path / "lock"

    @property
    def control(self) -> Path:
        """Address and token of the running process."""
        return self.path / "control.json"

    @property
    def last_run(self) -> Path:
        """Names the journal that a start continues."""
        return self.path / "last-run"

    @property
    def kill(self) -> Path:
        """The latch of the kill switch: while it is there nothing is opened. Anybody may make it, `touch` is enough."""
        return self.path / "KILL"

    @property
    def cleared(self) -> Path:
        """A person's word that the latch is open again; the next start takes it."""
        return self.path / "CLEARED"

    @property
    def exchange(self) -> Path:
        """Where a paper account's exchange keeps its state."""
        return self.path / "exchange"

    def latch(self, reason: str) -> None:
        """Close the latch; a second time changes nothing."""
        self.cleared.unlink(missing_ok=True)
        if not self.kill.exists():
            write_whole(self.kill, reason + "\n")

    def open_latch(self) -> None:
        """Take the latch away; the next start believes it, whatever its journal says."""
        write_whole(self.cleared, "")
        self.kill.unlink(missing_ok=True)

    def killed_because(self) -> str | None:
        """Why the latch is closed; None when it is not."""
        try:
            with self.kill.open(errors="replace") as file:
                return " ".join(file.read(_REASON_CHARACTERS).split()) or "the KILL file is there"
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"the KILL file cannot be read ({error.strerror})"


class SessionLock:
    """Held for as long as the `with` block lasts, and no longer than the process lives."""

    def __init__(self, folder: AccountFolder, run: str, run_folder: Path) -> None:
        self._folder = folder
        self._holder = Holder(pid=os.getpid(), run=run, folder=str(run_folder.resolve()))
        self._descriptor = -1

    def __enter__(self) -> SessionLock:
        """Raises FlashScalperError naming the process that has it."""
        self._descriptor = os.open(self._folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release()
            raise FlashScalperError(_taken(self._folder)) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, msgspec.json.encode(self._holder), 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        os.close(self._descriptor)


def holder_of(folder: AccountFolder) -> Holder | None:
    """Who trades the account now; None when nobody does."""
    try:
        with folder.lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _read_holder(file.read())
    except FileNotFoundError:
        pass
    return None


def state_root(variables: Mapping[str, str]) -> Path:
    """Where the folders of all accounts are."""
    chosen = variables.get("XDG_STATE_HOME", "").strip()
    base = Path(chosen) if chosen else Path(variables.get("HOME") or "~").expanduser() / ".local" / "state"
    return base / "flashscalper"


def known_accounts(root: Path) -> Iterator[AccountFolder]:
    """Every account that was ever traded from this machine, by name."""
    for path in sorted(root.glob("*-*")):
        place, _, account = path.name.partition("-")
        if path.is_dir():
            yield AccountFolder(place, account, root)


def write_whole(path: Path, text: str) -> None:
    """Replace a file by `text` in one step, readable by its owner only, on the disk when this returns. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    parent = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _taken(folder: AccountFolder) -> str:
    other = holder_of(folder)
    who = f"process {other.pid} (run {other.run}, {other.folder})" if other else "another process"
    return f"one process an account: {who} is trading {folder.account} on {folder.place}"


def _read_holder(data: bytes) -> Holder:
    try:
        return msgspec.json.decode(data, type=Holder)
    except msgspec.MsgspecError:
        return Holder(pid=0, run="", folder="")
