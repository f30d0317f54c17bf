"""The report of a run: one self-contained HTML file with klines, entries and exits, equity and drawdown.

Everything it shows is read from the run's records and klines; nothing is computed that the journal does not say.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.klines import Kline
from flashscalper.model.orders import OrderRole, Side
from flashscalper.model.records import EquityPoint, FillBooked, Record, RoundTripClosed, SignalJudged

MAX_ROUND_TRIPS_SHOWN = 500
MAX_KLINES_SHOWN = 2_000
MAX_EQUITY_POINTS = 5_000

STYLE = """
:root{--ink:#1b1f24;--dim:#5b6570;--line:#d8dde3;--good:#137a4b;--bad:#b3261e;--paper:#fff}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:1180px;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}p.note{color:var(--dim);margin:0 0 16px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0}
.card{border:1px solid var(--line);border-radius:8px;padding:10px 12px}.card b{display:block;font-size:20px}
.card span{color:var(--dim);font-size:13px}.good{color:var(--good)}.bad{color:var(--bad)}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:right;padding:4px 8px}
th,td{border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:600}td:first-child,th:first-child,td.text,th.text{text-align:left}
.scroll{overflow-x:auto}
"""


class ReportData(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is made of. `klines` holds the charted interval of each symbol, oldest first."""

    title: str
    subtitle: str
    figures: tuple[tuple[str, str, str], ...]
    klines: Mapping[str, Sequence[Kline]]
    records: Sequence[Record]
    notes: tuple[str, ...] = ()


def render_report(data: ReportData) -> str:
    """The whole page as text; plotly's own script is inside, so it opens without a network."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>{_text(data.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_text(data.title)}</h1><p class='note'>{_text(data.subtitle)}</p>",
        _cards(data.figures),
        *(f"<p class='note'>{_text(note)}</p>" for note in data.notes),
        "<h2>Equity and drawdown</h2>",
        _figure(_equity(data.records), first=True),
    ]
    for symbol, klines in data.klines.items():
        if klines:
            parts += [f"<h2>{_text(symbol)}</h2>", _figure(_market(symbol, klines, data.records), first=False)]
    parts += ["<h2>Round trips</h2>", _round_trips(data.records), "<h2>Why it did not trade</h2>", _denials(data.records)]
    return "".join([*parts, "</body></html>"])


def _text(value: object) -> str:
    return html.escape(str(value))


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, tz=UTC)


def _cards(figures: Iterable[tuple[str, str, str]]) -> str:
    cards = "".join(
        f"<div class='card'><b class='{_text(tone)}'>{_text(value)}</b><span>{_text(name)}</span></div>"
        for name, value, tone in figures
    )
    return f"<div class='cards'>{cards}</div>"


def _figure(figure: Any, *, first: bool) -> str:
    """One chart as HTML; the first carries the script for all."""
    figure.update_layout(
        template="plotly_white",
        margin={"l": 56, "r": 16, "t": 8, "b": 32},
        legend={"orientation": "h", "y": 1.06},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#9aa4af", "activecolor": "#1b1f24"},
        font={"size": 12},
    )
    markup: str = figure.to_html(full_html=False, include_plotlyjs=first, config={"displaylogo": False, "responsive": True})
    return markup


def _equity(records: Sequence[Record]) -> Any:
    """Equity over time with the drop from its highest point below."""
    from plotly.subplots import make_subplots  # noqa: PLC0415 - half a second of import that only a report needs

    points = [record for record in records if isinstance(record, EquityPoint)]
    points = points[:: max(1, len(points) // MAX_EQUITY_POINTS)]
    at = [_instant(point.at) for point in points]
    equity = [float(point.equity) for point in points]
    peak, drawdown = float("-inf"), []
    for value in equity:
        peak = max(peak, value)
        drawdown.append((value - peak) / peak * 100 if peak > 0 else 0.0)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    figure.add_scatter(x=at, y=equity, name="equity (USDC)", mode="lines", line={"color": "#2563eb"}, row=1, col=1)
    figure.add_scatter(
        x=at, y=drawdown, name="drawdown (%)", mode="lines", fill="tozeroy", line={"color": "#b3261e"}, row=2, col=1
    )
    figure.update_layout(height=420)
    return figure


def _market(symbol: str, klines: Sequence[Kline], records: Sequence[Record]) -> Any:
    """Klines of one market with every fill of ours on them."""
    from plotly import graph_objects as go  # noqa: PLC0415

    shown = klines[-MAX_KLINES_SHOWN:]
    figure = go.Figure(
        go.Candlestick(
            x=[_instant(kline.open_at) for kline in shown],
            open=[kline.open for kline in shown],
            high=[kline.high for kline in shown],
            low=[kline.low for kline in shown],
            close=[kline.close for kline in shown],
            name=f"{shown[0].interval} klines",
        )
    )
    fills = [record for record in records if isinstance(record, FillBooked) and record.symbol == symbol]
    for name, entry, side, sign, color in (
        ("entry buy", True, Side.BUY, "triangle-up", "#137a4b"),
        ("entry sell", True, Side.SELL, "triangle-down", "#b3261e"),
        ("exit buy", False, Side.BUY, "circle", "#137a4b"),
        ("exit sell", False, Side.SELL, "circle", "#b3261e"),
    ):
        chosen = [fill for fill in fills if (fill.role is OrderRole.ENTRY) is entry and fill.side is side]
        figure.add_scatter(
            x=[_instant(fill.filled_at) for fill in chosen],
            y=[float(fill.price) for fill in chosen],
            mode="markers",
            name=name,
            marker={"symbol": sign, "size": 11, "color": color, "line": {"width": 1, "color": "#fff"}},
            text=[f"{fill.size} @ {fill.price}<br>{_text(fill.reason)}" for fill in chosen],
            hoverinfo="text",
        )
    figure.update_layout(height=420, xaxis={"rangeslider": {"visible": False}})
    return figure


def _round_trips(records: Sequence[Record]) -> str:
    trips = [record for record in records if isinstance(record, RoundTripClosed)]
    if not trips:
        return "<p class='note'>None.</p>"
    rows = [
        (
            trip.symbol,
            trip.direction,
            f"{trip.size}",
            f"{_short(trip.entry_price)}",
            f"{_short(trip.exit_price)}",
            f"{_instant(trip.opened_at):%H:%M:%S}",
            f"{(trip.closed_at - trip.opened_at) / 1e6:.1f} s",
            trip.exit_reason,
            f"{trip.fees:.4f}",
            trip.pnl,
            "; ".join(trip.entry_reasons),
        )
        for trip in trips[-MAX_ROUND_TRIPS_SHOWN:]
    ]
    head = ("market", "side", "size", "entry", "exit", "opened", "held", "ended by", "fees", "PnL", "entry reasons")
    return _table(head, rows, amount_column=9, text_columns=(7, 10))


def _short(price: Decimal) -> str:
    return f"{price.normalize():f}" if len(str(price)) <= 12 else f"{price:.6f}"


def _denials(records: Sequence[Record]) -> str:
    """Signals that a gate refused, counted by that gate."""
    counts: dict[str, int] = {}
    for record in records:
        if isinstance(record, SignalJudged) and record.outcome == "denied":
            counts[record.denied_by] = counts.get(record.denied_by, 0) + 1
    if not counts:
        return "<p class='note'>No signal was denied.</p>"
    rows = [(code, str(count)) for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return _table(("denied by", "signals"), rows)


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    amount_column: int | None = None,
    text_columns: Sequence[int] = (),
) -> str:
    def cell(index: int, value: object) -> str:
        if index == amount_column and isinstance(value, Decimal):
            return f"<td class='{'good' if value > ZERO else 'bad'}'>{value:+.4f}</td>"
        return f"<td class='text'>{_text(value)}</td>" if index in text_columns else f"<td>{_text(value)}</td>"

    titles = "".join(
        f"<th class='{'text' if index in text_columns else ''}'>{_text(title)}</th>" for index, title in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(cell(i, value) for i, value in enumerate(row))}</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
