"""Field reports: what an exchange answered to the open points of the protocol page, and nothing that tells who asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from flashscalper.model.errors import ConfigError

FORMAT: Final = 1
_MARKS: Final = (
    (re.compile(r"\beyJ[\w-]+(\.[\w-]+){0,2}"), "<token>"),
    (re.compile(r"\b(0x)?[0-9a-fA-F]{16,}\b"), "<id>"),
    (re.compile(r"\bprobe-[0-9a-f]+-\d+\b"), "<client id>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "<address>"),
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One open point. `value` None means that it could not be answered; `evidence` says what was seen, or why not.

    `section` is the protocol page's; `switch` the simulator's setting that `value` belongs to, empty when there is none.
    """

    point: str
    section: str
    question: str
    switch: str
    value: Any
    evidence: str


class FieldReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one probe run found out. `made_at` is a date, `market` the market that was used."""

    format: int = FORMAT
    made_at: str
    environment: str
    version: str
    market: str
    answers: tuple[Answer, ...]

    def switches(self) -> dict[str, Any]:
        """Simulator switch -> value, for every point that was answered."""
        return {each.switch: each.value for each in self.answers if each.switch and each.value is not None}


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without tokens, keys, addresses, order ids and client ids; `secrets` go first, whatever they look like."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<redacted>").replace(secret.removeprefix("0x"), "<redacted>")
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return text


def write_report(file: Path, report: FieldReport) -> None:
    """Write the report as JSON; an existing file is not overwritten."""
    text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise ConfigError("--report", str(file), "a file that is not there yet") from None
    except OSError as error:
        raise ConfigError("--report", str(file), f"a file that can be written ({error.strerror})") from None


def read_report(file: Path) -> FieldReport:
    """A report as written. Raises ConfigError when it is none, or of another format."""
    try:
        report = msgspec.json.decode(file.read_bytes(), type=FieldReport)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError("field report", str(file), f"a field report ({error})") from None
    if report.format != FORMAT:
        raise ConfigError("field report", f"{file} of format {report.format}", f"format {FORMAT}")
    return report
