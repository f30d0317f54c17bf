"""The folder that a run leaves behind: redacted configuration, journal, tape, log, trades, PnL summary and report.

Files appear under their names only when they are complete. Nothing secret is ever in it.
"""

from __future__ import annotations

import csv
import fcntl
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from flashscalper.model.amounts import plain
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.records import FillBooked, RoundTripClosed
from flashscalper.model.secrets import Secret

RUNS: Final = Path("runs")

_HIDDEN: Final = "***"
_SECRET_WORDS: Final = ("secret", "private", "token", "password", "passphrase", "api_key", "bearer", "mnemonic")
_TRADE_FIELDS: Final = (
    "filled_at", "symbol", "side", "size", "price", "liquidity", "role", "reason", "fee", "funding", "realized_pnl",
    "size_after", "entry_after", "cash_after", "order_id", "client_id", "fill_key", "busted", "foreign",
)  # fmt: skip
_ROUND_TRIP_FIELDS: Final = (
    "opened_at", "closed_at", "symbol", "direction", "size", "entry_price", "exit_price", "pnl", "fees", "funding",
    "exit_reason", "entry_reasons", "risk", "costs",
)  # fmt: skip
_KLINE_FIELDS: Final = (
    "symbol", "interval", "open_at", "close_at", "open", "high", "low", "close", "volume", "quote_volume", "trade_count",
    "taker_buy_volume", "taker_buy_quote_volume", "complete",
)  # fmt: skip


class RunArtifacts:
    """One run's folder, `<root>/<run_id>/`, made when it is not there. Raises ConfigError for an unusable id or root."""

    def __init__(self, run_id: str, root: Path = RUNS) -> None:
        if not run_id or not all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in run_id):
            raise ConfigError("run id", run_id, "letters, digits, - and _")
        self.run_id = run_id
        self.folder = root / run_id
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("runs folder", str(root), f"a folder that can be written ({error.strerror})") from error

    @property
    def journal(self) -> Path:
        """What was decided and done; see `runtime.journal`."""
        return self.folder / "journal.fsj"

    @property
    def tape(self) -> Path:
        """The folder of what came in; see `runtime.tape`."""
        return self.folder / "tape"

    @property
    def log(self) -> Path:
        """The run's log, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def report(self) -> Path:
        """The self-contained HTML report."""
        return self.folder / "report.html"

    def write_config(self, config: object) -> Path:
        """The configuration in force (a struct or mapping) as `config.json`, with everything secret as `***`."""
        return self._write_json("config.json", redacted(config))

    def write_trades(self, fills: Iterable[FillBooked], round_trips: Iterable[RoundTripClosed] = ()) -> Path:
        """Our fills as `trades.csv` and what they came to as `round_trips.csv`; instants as UTC text, amounts exact."""
        self._write("round_trips.csv", _csv(_ROUND_TRIP_FIELDS, round_trips))
        return self._write("trades.csv", _csv(_TRADE_FIELDS, fills))

    def write_klines(self, klines: Mapping[tuple[str, str], Iterable[Kline]]) -> Path:
        """Closed klines by (symbol, interval) as `klines.csv`, oldest first within each; numbers in full precision."""
        return self._write("klines.csv", _csv(_KLINE_FIELDS, (kline for key in sorted(klines) for kline in klines[key])))

    def write_summary(self, summary: Mapping[str, Any]) -> Path:
        """The PnL summary as `summary.json`; Decimals become text."""
        return self._write_json("summary.json", redacted(summary))

    def write_report(self, html: str) -> Path:
        """The report as `report.html`."""
        return self._write(self.report.name, html)

    def _write_json(self, name: str, content: object) -> Path:
        return self._write(name, msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        draft = path.with_name(f"{name}.new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        return path


def redacted(value: object) -> Any:
    """`value` as plain JSON types, with secrets and whatever has a secret's name as `***`. Decimals become text."""
    if isinstance(value, Secret):
        return _HIDDEN
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(name): _HIDDEN if _is_secret(str(name), inner) else redacted(inner) for name, inner in value.items()}
    if isinstance(value, str | bytes | int | float) or value is None:
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [redacted(inner) for inner in value]
    return str(value)


def in_use(journal: Path) -> bool:
    """Whether a process is writing this journal."""
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _is_secret(name: str, value: object) -> bool:
    return isinstance(value, str) and bool(value) and any(word in name.lower() for word in _SECRET_WORDS)


def _csv(fields: Sequence[str], rows: Iterable[msgspec.Struct]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for row in rows:
        writer.writerow([_cell(field, getattr(row, field)) for field in fields])
    return text.getvalue()


def _cell(field: str, value: object) -> object:
    if field.endswith("_at") and isinstance(value, int):
        return datetime.fromtimestamp(value / SECOND_US, UTC).isoformat(timespec="microseconds")
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple):
        return "; ".join(str(part) for part in value)
    return "" if value is None else value
