"""What a person sees while it runs: a live table in a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

from math import isfinite
from types import TracebackType
from typing import IO, Any, Protocol, Self

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flashscalper.model.records import SignalJudged
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.tally import Tally
from flashscalper.trading.misses import nearness, needs_text, other_class_text
from flashscalper.trading.status import EngineStatus, MarketStatus, PositionStatus

LINE_EVERY_S = 60.0


class ViewFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one picture shows. `seconds` is infinite for a run without an end."""

    status: EngineStatus
    elapsed_s: float
    seconds: float
    tally: Tally
    latency: Durations
    title: str
    label: str


class View(Protocol):
    """Somebody who shows a run."""

    def show(self, frame: ViewFrame) -> None:
        """A new moment."""
        ...

    def finish(self, summary: dict[str, Any]) -> None:
        """The run is over."""
        ...

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the screen in order."""
        ...


class PlainView:
    """One line a market minute, `banner` before each; without a stream, nothing at all."""

    def __init__(self, stream: IO[str] | None, banner: str = "") -> None:
        self._stream = stream
        self._before = f"{banner} " if banner else ""
        self._next_s = 0.0

    def show(self, frame: ViewFrame) -> None:
        """A line, if a minute of market time has passed."""
        if self._stream is None or frame.elapsed_s < self._next_s:
            return
        if not self._next_s:
            self._write(f"{frame.title} ({frame.label})")
        self._next_s += LINE_EVERY_S
        status, held = frame.status, [market for market in frame.status.markets if market.position]
        positions = ", ".join(_position_line(market) for market in held) or f"flat{_nearest(status)}"
        self._write(
            f"{_elapsed(frame, '/')}  {status.state}  equity {status.equity:.2f}  "
            f"trades seen {frame.tally.trades}  orders {status.sent}  round trips {status.round_trips}  {positions}"
        )

    def finish(self, summary: dict[str, Any]) -> None:
        """The end in a few lines."""
        if self._stream is not None:
            for line in closing_lines(summary):
                self._write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def _write(self, line: str) -> None:
        assert self._stream is not None
        self._stream.write(f"{self._before}{line}\n")
        self._stream.flush()


class LiveView:
    """A table that is painted over in place."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def show(self, frame: ViewFrame) -> None:
        """Paint the moment."""
        self._live.update(picture(frame), refresh=True)

    def finish(self, summary: dict[str, Any]) -> None:
        """The end in a few lines below the last picture."""
        for line in closing_lines(summary):
            self._console.print(line, highlight=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()


def picture(frame: ViewFrame) -> Group:
    """One moment as rich draws it."""
    status = frame.status
    clock = f"\n{_elapsed(frame, ' of ')}  "
    state = (status.state, "green" if status.state == "active" else "yellow")
    head = Text.assemble(
        (frame.title, "bold"), "  ", (frame.label, "yellow"), clock, state, f"  {'; '.join(status.reasons)}"
    )
    return Group(head, _markets(status), _misses(status), _totals(frame))


def _markets(status: EngineStatus) -> Table:
    table = Table(expand=True, pad_edge=False, box=None, header_style="dim")
    for title, right in (
        ("market", False), ("price", True), ("feed", True), ("position", False), ("stop", True), ("target", True),
        ("PnL after fees", True), ("last signal", False),
    ):  # fmt: skip
        words = title.startswith("last")
        table.add_column(
            title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis", ratio=1 if words else None
        )
    for market in status.markets:
        position = market.position
        table.add_row(
            market.symbol, _price(market.last_price), _age(market.quote_age_s), *_position_cells(position),
            _signal(market.last_signal),
        )  # fmt: skip
    return table


def _misses(status: EngineStatus) -> Table:
    """A line for each market that is not in a trade: how near it came to one. Wide words, so not a column of the other."""
    table = Table(expand=True, pad_edge=False, box=None, header_style="dim")
    table.add_column("nearest miss", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for market in status.markets:
        if market.position is None and (text := _miss(market)):
            table.add_row(market.symbol, text)
    return table


def _position_cells(position: PositionStatus | None) -> tuple[Text | str, str, str, Text | str]:
    if position is None:
        return "-", "", "", ""
    side = Text(
        f"{position.direction} {abs(position.size)} @ {position.entry_price:.6g}", "green" if position.size > 0 else "red"
    )
    pnl = Text(f"{position.after_fees:+.2f}", "green" if position.after_fees > 0 else "red")
    stop = f"{position.stop_price} {'' if position.protection == 'protected' else position.protection}".strip()
    return side, stop, "-" if position.target_price is None else f"{position.target_price}", pnl


def _totals(frame: ViewFrame) -> Text:
    status, tally = frame.status, frame.tally
    exits = tally.counts()["round_trips_by_exit"]
    by_exit = ", ".join(f"{reason} {count}" for reason, count in exits.items()) or "none yet"
    p50, p99 = frame.latency.percentile_ms(50), frame.latency.percentile_ms(99)
    latency = "no order yet" if p50 is None or p99 is None else f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    return Text(
        f"equity {status.equity:.2f} USDC  realised {status.realized_pnl:+.2f}  fees {status.fees:.2f}  "
        f"funding {status.funding:+.4f}\n"
        f"orders sent {status.sent}, filled {status.filled}, canceled {status.canceled}, denied {status.denied}, "
        f"rejected {status.rejected}, unknown {status.unknown}\n"
        f"round trips {status.round_trips} ({by_exit})\n"
        f"trades seen {tally.trades}   tick to order {latency}"
    )


def closing_lines(summary: dict[str, Any]) -> list[str]:
    """The summary as a person reads it."""
    orders, latency = summary["orders"], summary["latency_ms"]
    exits = ", ".join(f"{reason} {count}" for reason, count in summary["round_trips_by_exit"].items()) or "none"
    p50 = "no order" if latency["p50"] is None else f"p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms"
    return [
        f"{summary['round_trips']} round trips ({exits}); {summary['fills']} fills; orders sent {orders['sent']}, filled "
        f"{orders['filled']}, canceled {orders['canceled']}, denied {orders['denied']}, rejected {orders['rejected']}",
        f"realised PnL {summary['realized_pnl']} USDC, fees {summary['fees']}, funding {summary['funding']}; "
        f"open positions: {len(summary['open_positions'])}",
        f"ledger equals the exchange's at every fill: {'yes' if summary['ledger_matches'] else 'NO'}; tick to order {p50}",
        f"{summary['profile']}; report: {summary['artifacts']}/report.html",
    ]


def _position_line(market: MarketStatus) -> str:
    position = market.position
    assert position is not None
    return f"{market.symbol} {position.direction} {abs(position.size)} ({position.after_fees:+.2f})"


def _signal(judged: SignalJudged | None) -> str:
    if judged is None:
        return ""
    reasons = ", ".join(judged.reasons[:3])
    if judged.direction is None:
        return f"none: {reasons}" if reasons else "none"
    return f"{judged.direction} {judged.confidence:.0f} {judged.outcome}: {reasons}"


def _miss(market: MarketStatus) -> str:
    """How near a trade was; before there was anything to judge, what is waited for."""
    waiting = market.blocks[0] if market.blocks else "" if market.last_signal else "no whole kline yet"
    text = waiting if market.nearest_miss is None else needs_text(market.nearest_miss, short=True)
    return text + other_class_text(market.other_class, market.other_passes)


def _nearest(status: EngineStatus) -> str:
    """The market that came nearest to a trade today, for a line by itself."""
    missed = [(nearness(look), market) for market in status.markets if (look := market.nearest_miss) is not None]
    if not missed:
        return ""
    market = max(missed, key=lambda found: found[0])[1]
    return f"; nearest miss {market.symbol}: {_miss(market)}"


def _price(value: float | None) -> str:
    return "-" if value is None else f"{value:.8g}"


def _age(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}s"


def _elapsed(frame: ViewFrame, of: str) -> str:
    """How long it has been running, and of what when there is an end."""
    return _minutes(frame.elapsed_s) + (f"{of}{_minutes(frame.seconds)}" if isfinite(frame.seconds) else "")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
