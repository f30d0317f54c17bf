"""What a demo came to: the comparison of the two ledgers, the summary and the report's contents."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flashscalper.model.amounts import ZERO
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.report import ReportData, render_report
from flashscalper.runtime.tally import Tally
from flashscalper.runtime.trader import Trader
from flashscalper.simulator.facts import LedgerState

if TYPE_CHECKING:
    from flashscalper.cli.demo import Demo


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


def summary_of(run: Demo, artifacts: RunArtifacts, journal_hash: str, trader: Trader, *, matches: bool) -> dict[str, Any]:
    """The run in numbers; amounts as text, latency in wall milliseconds."""
    options = run.options
    return {
        "mode": "demo",
        "profile": run.profile.label,
        "feed": options.feed,
        "seed": options.seed,
        "seconds": options.seconds,
        "speed": "max" if options.speed is None else str(options.speed),
        **run.tally.counts(),
        "ledger_matches": matches,
        "latency_ms": {"p50": trader.latency.percentile_ms(50), "p99": trader.latency.percentile_ms(99)},
        "journal_hash": journal_hash,
        "artifacts": str(artifacts.folder),
    }


def report_of(run: Demo, summary: dict[str, Any]) -> str:
    """The HTML report of a demo."""
    tally = run.tally
    net = tally.realized_pnl + tally.funding - tally.fees
    figures = (
        ("net PnL (USDC)", f"{net:+.4f}", _tone(net)),
        ("realised PnL", f"{tally.realized_pnl:+.4f}", ""),
        ("fees", f"{tally.fees:.4f}", ""),
        ("round trips", str(len(tally.round_trips)), ""),
        ("orders sent", str(summary["orders"]["sent"]), ""),
        ("ledger equals the exchange's", "yes" if summary["ledger_matches"] else "NO", _tone_of(summary["ledger_matches"])),
        ("tick to order p50 (ms)", _latency(summary["latency_ms"]["p50"]), ""),
    )
    klines = {symbol: tally.klines[symbol, run.options.interval] for symbol in _symbols(tally)}
    return render_report(
        ReportData(
            title=run.title,
            subtitle=f"{run.profile.label}. {run.options.seconds:.0f} market seconds.",
            figures=figures,
            klines={symbol: tuple(found) for symbol, found in klines.items()},
            records=tuple(tally.records),
        )
    )


def _symbols(tally: Tally) -> list[str]:
    traded = {trip.symbol for trip in tally.round_trips}
    every = sorted({symbol for symbol, _ in tally.klines})
    return sorted(every, key=lambda symbol: symbol not in traded)


def _tone(amount: Decimal) -> str:
    return "good" if amount > ZERO else "bad" if amount < ZERO else ""


def _tone_of(good: object) -> str:
    return "good" if good else "bad"


def _latency(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
