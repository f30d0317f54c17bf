"""What a demo came to: the comparison of the two ledgers, the summary and the report's contents."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.report import ReportData, render_report
from flashscalper.runtime.tally import Tally
from flashscalper.simulator.facts import LedgerState


def ledger_matches(tally: Tally, log: Sequence[tuple[str, LedgerState]], last: LedgerState) -> bool:
    """Whether cash, fees, funding and the position equal the exchange's ledger as Decimals after every single fill.

    `log` is the exchange's own record of itself; ours was made from what came over the wire, by other code.
    """
    if [key for key, _ in log] != [point.key for point in tally.points]:
        return False
    for (_, theirs), ours in zip(log, tally.points, strict=True):
        held = {symbol: size for symbol, size, _ in theirs.positions}
        if (theirs.cash, theirs.fees, theirs.funding) != (ours.cash, ours.fees, ours.funding):
            return False
        if held.get(ours.symbol, ZERO) != ours.size_after:
            return False
    return {symbol: size for symbol, size, _ in last.positions if size} == tally.open_positions


class DemoOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A demo that is over."""

    title: str
    label: str
    feed: str
    seed: int
    seconds: float
    speed: str
    interval: str
    tally: Tally
    latency: Durations
    interrupted: bool
    ledger_matches: bool
    journal_hash: str
    folder: str

    def summary(self) -> dict[str, Any]:
        """The run in numbers; amounts as text, latency in wall milliseconds."""
        return {
            "mode": "demo",
            "profile": self.label,
            "feed": self.feed,
            "seed": self.seed,
            "seconds": self.seconds,
            "speed": self.speed,
            "interrupted": self.interrupted,
            **self.tally.counts(),
            "ledger_matches": self.ledger_matches,
            "latency_ms": {"p50": self.latency.percentile_ms(50), "p99": self.latency.percentile_ms(99)},
            "journal_hash": self.journal_hash,
            "artifacts": self.folder,
        }

    def report(self) -> str:
        """The HTML report."""
        tally, matches = self.tally, self.ledger_matches
        net = tally.realized_pnl + tally.funding - tally.fees
        figures = (
            ("net PnL (USDC)", f"{net:+.4f}", _tone(net)),
            ("realised PnL", f"{tally.realized_pnl:+.4f}", ""),
            ("fees", f"{tally.fees:.4f}", ""),
            ("round trips", str(len(tally.round_trips)), ""),
            ("fills", str(tally.fills), ""),
            ("ledger equals the exchange's", "yes" if matches else "NO", "good" if matches else "bad"),
            ("tick to order p50 (ms)", _latency(self.latency.percentile_ms(50)), ""),
        )
        return render_report(
            ReportData(
                title=self.title,
                subtitle=f"{self.label}. {self.seconds:.0f} market seconds.",
                figures=figures,
                klines={symbol: tuple(tally.klines[symbol, self.interval]) for symbol in _symbols(tally)},
                records=tuple(tally.records),
            )
        )


def _symbols(tally: Tally) -> list[str]:
    traded = {trip.symbol for trip in tally.round_trips}
    every = sorted({symbol for symbol, _ in tally.klines})
    return sorted(every, key=lambda symbol: symbol not in traded)


def _tone(amount: Decimal) -> str:
    return "good" if amount > ZERO else "bad" if amount < ZERO else ""


def _latency(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
