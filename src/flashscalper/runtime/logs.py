"""The log of a run: one JSON object a line, with a banner in every line that says what is at stake; short lines for people.

The journal is the truth of what was decided; the log is for reading. So a log that cannot be written never stops trading.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import structlog

from flashscalper.model.amounts import plain
from flashscalper.model.events import Event, ExchangeStatusChanged, OperatorAsked, StreamChanged, Trouble
from flashscalper.model.records import (
    FillBooked,
    Note,
    OrderDenied,
    OrderStateChanged,
    ProtectionChanged,
    Reconciled,
    RoundTripClosed,
    TradingStateChanged,
)
from flashscalper.runtime.artifacts import redacted
from flashscalper.runtime.journal import Output
from flashscalper.trading.outside import SIZES_IMPOSSIBLE

MOST_BYTES: Final = 64 * 1024 * 1024
"""A log that has grown beyond this is moved aside, over the one that was moved aside before."""

_QUIET_NOTES: Final = frozenset({"exit_plan", "risk_counters", "starting_cash"})
_NEWS: Final = (Trouble, StreamChanged, ExchangeStatusChanged, OperatorAsked)
_LOGGED: Final = (
    OrderStateChanged, FillBooked, RoundTripClosed, ProtectionChanged, TradingStateChanged, OrderDenied, Note, Reconciled,
)  # fmt: skip
_WARNINGS: Final = frozenset({"Trouble", "OrderDenied"})


class Stream(Protocol):
    """Where lines for people go."""

    def write(self, text: str, /) -> int:
        """Lines, each with its end."""
        ...

    def flush(self) -> None:
        """At once."""
        ...


class RunLog:
    """Writes `path`; an observer of the trader. `banner` goes into every line; `secrets` are blotted out wherever they are.

    `people` gets one short line for what a person wants to know at once (None for nothing).
    """

    def __init__(
        self, path: Path, banner: Mapping[str, str], *, people: Stream | None = None, secrets: Iterable[str] = ()
    ) -> None:
        self._file = _Lines(path)
        self._people = people
        self._banner = dict(banner)
        self._secrets = tuple(secret for secret in secrets if secret)
        self._logger: Any = structlog.wrap_logger(
            self._file,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                self._finish,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )

    def info(self, event: str, **fields: object) -> None:
        """Say something."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say that something is not as it should be."""
        self._logger.warning(event, **fields)

    def tell(self, line: str, **fields: object) -> None:
        """Say something to people too."""
        self._logger.info(line, **fields)
        self._show(line)

    def __call__(self, event: Event, outputs: Sequence[Output]) -> None:
        """Look at one event and what the engine answered: what a person would ask about later is written."""
        if type(event) in _NEWS:
            self._write(event)
        for output in outputs:
            if type(output) in _LOGGED and not (isinstance(output, Note) and output.code in _QUIET_NOTES):
                self._write(output)

    def blot(self, secret: str) -> None:
        """One more text that no line may show."""
        self._secrets = (*self._secrets, secret)

    @property
    def lost(self) -> int:
        """Lines that could not be written."""
        return self._file.lost

    @contextmanager
    def overhearing(self) -> Iterator[None]:
        """Until the end of the block, what libraries warn of through `logging` is a line of this log like any other."""
        root, ear = logging.getLogger(), _Ear(self._overheard)
        root.addHandler(ear)
        try:
            yield
        finally:
            root.removeHandler(ear)

    def _overheard(self, who: str, text: str) -> None:
        self._logger.warning(text, logger=who)
        self._show(f"{who}: {text.splitlines()[0] if text else ''}")

    def close(self) -> None:
        """Nothing is written afterwards."""
        self._file.close()

    def _write(self, thing: Event | Output) -> None:
        name = type(thing).__name__
        fields = {field: getattr(thing, field) for field in thing.__struct_fields__}
        (self._logger.warning if name in _WARNINGS else self._logger.info)(name, **fields)
        line = _for_people(thing)
        if line:
            self._show(line)

    def _show(self, line: str) -> None:
        if self._people is not None:
            words = self._blotted(" ".join((f"{datetime.now(tz=UTC):%H:%M:%S}", self._banner["banner"], line)))
            with suppress(OSError, ValueError):
                # What an exchange or a person said may hold signs that a terminal would obey.
                self._people.write("".join(sign if sign.isprintable() else " " for sign in words) + "\n")
                self._people.flush()

    def _finish(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        line = {"time": event.pop("time"), "level": event.pop("level"), **self._banner, **redacted(event)}
        return self._blotted(msgspec.json.encode(line).decode())

    def _blotted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class _Lines:
    """The file, as structlog's innermost logger."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._written = path.stat().st_size
        self.lost = 0

    def msg(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._written += len(line)
            if self._written > MOST_BYTES:
                self._turn_over()
        except (OSError, ValueError):
            self.lost += 1

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()

    def _turn_over(self) -> None:
        self._file.close()
        with suppress(OSError):  # a folder turned read-only: the file that is there goes on growing
            self._path.replace(self._path.with_name("log.1.jsonl"))
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._written = 0


class _Ear(logging.Handler):
    """Hands warnings of other people's code on, with the traceback if there is one."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.name, self.format(record))


def banner_of(place: str, account: str, run: str) -> dict[str, str]:
    """What stands in every line: real money is told from play at a glance."""
    words = "LIVE MONEY" if place == "prod" else place.upper()
    return {"banner": f"{words} {account[:8]}", "account": account, "run": run}


def _for_people(thing: object) -> str:
    """The few things that a person wants to know at once, as a line; empty for the rest."""
    if isinstance(thing, FillBooked):
        done = f"{thing.side} {plain(thing.size)} {thing.symbol} at {plain(thing.price)}"
        return f"{'taken back: ' if thing.busted else ''}{done} ({thing.reason}), fee {plain(thing.fee)}"
    if isinstance(thing, RoundTripClosed):
        return f"{thing.symbol} {thing.direction} closed by {thing.exit_reason}: {plain(thing.pnl)} USDC after fees"
    if isinstance(thing, TradingStateChanged):
        return f"{thing.before} -> {thing.after}: {'; '.join(thing.reasons) or 'no reason left'}"
    if isinstance(thing, StreamChanged):
        return f"stream {thing.stream} {'ready' if thing.ready else f'lost: {thing.reason}'}"
    if isinstance(thing, Trouble) and thing.where == "tape":
        return thing.detail
    if isinstance(thing, Note) and thing.code == "strategy_stopped":
        return f"strategy of {thing.symbol} stopped: {thing.text}"
    if isinstance(thing, Note) and thing.code == SIZES_IMPOSSIBLE:
        return f"nothing can be traded in {thing.symbol}: {thing.text}"
    return ""
