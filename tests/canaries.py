"""Canaries: which secrets the tests made, and which sinks show one. tests/conftest.py plants and listens in every test.

A secret is what went into a `Secret`, what a program is given in its environment, and what stands in a file that is there to
hold one; session tokens are known by their shape. Sinks are texts (logged, printed, said by an exception or by another
program), files, and the `repr` of our own objects.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

SHORTEST = 11
"""Shorter secrets of tests ("0x5") are found everywhere by chance."""
TOKEN = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")
"""A session token: three parts in base64, two of them JSON."""
HOLDERS = (".env*", "*key*", "control.json", "*secret*", "*token*", "pg_*", "*.pem")
"""Names of files (and folders) that hold secrets by design."""
NAMED = re.compile(r'(?:token|secret\w*|private_key|password)"?\s*[:=]\s*"?([\w.:/+-]{11,})', re.IGNORECASE)
"""A secret in such a file."""
VARIABLES = re.compile(r"SECRET_KEY$|PRIVATE_KEY$|BEARER_TOKEN$|PASSWORD$")
"""Names of environment variables that hold a secret."""
LARGEST = 16 * 1024 * 1024
MOST_TEXT = 4 * 1024 * 1024


class Canaries:
    """The secrets that were made, and every text that was heard since the last `forget`."""

    def __init__(self) -> None:
        self._of_test: set[bytes] = set()
        self._of_session: set[bytes] = set()
        self._heard: dict[str, list[str]] = {}
        self._length = 0
        self._shown: set[str] = set()
        self.lasting = True
        """What is made now outlives the test: a module is being imported, or a fixture for many tests is set up."""

    def plant(self, secret: str) -> None:
        """One more text that no sink may show."""
        text = secret.strip().removeprefix("0x")
        if len(text) >= SHORTEST:
            (self._of_session if self.lasting else self._of_test).add(text.encode())

    def plant_variables(self, variables: Mapping[str, str] | None) -> None:
        """The secrets of an environment that a program is started with."""
        for name, value in (variables or {}).items():
            if VARIABLES.search(name):
                self.plant(value)

    def hear(self, sink: str, text: object) -> None:
        """A sink got this; text or bytes, nothing else counts."""
        said = text.decode(errors="replace") if isinstance(text, bytes) else text
        if not isinstance(said, str) or not said:
            return
        self._heard.setdefault(sink, []).append(said)
        self._length += len(said)
        if self._length > MOST_TEXT:
            self._listen()

    def forget(self) -> None:
        """The next test begins."""
        self._of_test.clear()
        self._heard.clear()
        self._shown.clear()
        self._length = 0

    def shown(self, *folders: Path | None) -> list[str]:
        """The sinks that show a secret: what was heard, files below `folders`, the `repr` of our objects."""
        for folder in folders:
            self._plant_held(folder)
        self._listen()
        found = sorted(self._shown)
        for folder in folders:
            found += (name for name, path in _files(folder) if not _holds(name) and self._leaks(path.read_bytes()))
        return found + sorted(self._reprs(gc.get_objects()) if self._of_test else ())

    def _listen(self) -> None:
        self._shown |= {
            sink for sink, texts in self._heard.items() if self._leaks("\n".join(texts).encode(errors="replace"))
        }
        self._heard.clear()
        self._length = 0

    def _leaks(self, data: bytes) -> bool:
        return any(secret in data for secret in self._of_test | self._of_session) or TOKEN.search(data) is not None

    def _plant_held(self, folder: Path | None) -> None:
        """What a file that may hold a secret holds must not stand in another."""
        for name, path in _files(folder):
            if _holds(name) and not fnmatch(name, "*pg_*"):
                for secret in NAMED.findall(path.read_text(errors="replace")):
                    self.plant(secret)

    def _reprs(self, things: Iterable[object]) -> set[str]:
        """The types of ours whose `repr` shows a secret: of these things, and of what they hold."""
        ours = [thing for thing in things if _SPEAKS[type(thing)]]
        held = [thing for thing in gc.get_referents(*ours) if _SPEAKS[type(thing)]]
        return {f"the repr of {type(thing).__name__}" for thing in (*ours, *held) if self._leaks(_said(thing).encode())}


class _Speaking(dict[type, bool]):
    """Whether a type is of ours and has something to say of itself: remembered, for it is asked of every object there is."""

    def __missing__(self, kind: type) -> bool:
        room = kind.__module__
        shows: object = kind.__repr__
        self[kind] = isinstance(room, str) and room.startswith("flashscalper") and shows is not object.__repr__
        return self[kind]


_SPEAKS = _Speaking()


def _said(thing: object) -> str:
    try:
        return repr(thing)
    except Exception:  # noqa: BLE001 - half-made things of a test that broke them
        return ""


def _files(folder: Path | None) -> Iterator[tuple[str, Path]]:
    if folder is None or not folder.is_dir():
        return
    for path in folder.rglob("*"):
        if _readable(path):
            yield str(path.relative_to(folder)), path


def _holds(name: str) -> bool:
    return any(fnmatch(part.lower(), pattern) for part in Path(name).parts for pattern in HOLDERS)


def _readable(path: Path) -> bool:
    """Not what is no output: links, what is too large to be one, and programs (a test may copy ours)."""
    try:
        return (
            path.suffix not in (".py", ".pyc")
            and path.is_file()
            and not path.is_symlink()
            and path.stat().st_size <= LARGEST
        )
    except OSError:
        return False


def overheard(canaries: Canaries, sink: str, call: Callable[..., object]) -> Callable[..., object]:
    """`call`, whose result (a pair of outputs) is heard as well."""

    def calling(*arguments: object, **named: object) -> object:
        result = call(*arguments, **named)
        for text in result if isinstance(result, tuple) else ():
            canaries.hear(sink, text)
        return result

    return calling
