from __future__ import annotations

from decimal import Decimal

from flashscalper.model.klines import Kline
from flashscalper.model.orders import OrderRole, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import EquityPoint, FillBooked, Gate, RoundTripClosed, SignalJudged
from flashscalper.runtime.report import ReportData, render_report

START = 1_767_225_600_000_000


def _data(title: str = "A run") -> ReportData:
    klines = [
        Kline(
            "ETHUSDT",
            "5s",
            START + i * 5_000_000,
            START + (i + 1) * 5_000_000,
            100.0 + i,
            101.0 + i,
            99.0 + i,
            100.5 + i,
            2.0,
        )
        for i in range(5)
    ]
    fill = FillBooked(
        "fill:1", "fs-a-1", "9", "ETHUSDT", Side.BUY, Decimal("0.1"), Decimal(101), Decimal("0.004545"), Decimal(0),
        Decimal(0), Decimal("0.1"), Decimal(101), Decimal("9999.995455"), OrderRole.ENTRY, "classic score", "taker",
        START + 7_000_000,
    )  # fmt: skip
    trip = RoundTripClosed(
        "ETHUSDT", PositionSide.LONG, Decimal("0.1"), Decimal(101), Decimal(103), START, START + 9_000_000,
        Decimal("0.19"), Decimal("0.01"), Decimal(0), "target", ("EMA stack",),
    )  # fmt: skip
    denied = SignalJudged(
        "ETHUSDT",
        "5s",
        START,
        PositionSide.LONG,
        60.0,
        70.0,
        ("x",),
        (Gate("cost", False, "9.6 bps", "6.1 bps"),),
        "denied",
        "cost",
    )
    equity = [EquityPoint(START + i, Decimal(10_000 - i), Decimal(10_000)) for i in range(3)]
    return ReportData(
        title=title,
        subtitle="demo",
        figures=(("PnL", "+0.19", "good"),),
        klines={"ETHUSDT": klines},
        records=[fill, trip, denied, *equity],
    )


def test_the_report_carries_its_script_and_asks_nothing_of_the_network() -> None:
    page = render_report(_data())
    assert "plotly" in page.lower()
    assert '<script src="http' not in page
    assert "<link" not in page
    assert page.count("plotly-graph-div") == 2


def test_the_report_shows_fills_round_trips_and_denials() -> None:
    page = render_report(_data())
    for shown in ("entry buy", "target", "+0.1900", "cost", "EMA stack", "drawdown"):
        assert shown in page


def test_text_from_outside_is_shown_as_text() -> None:
    page = render_report(_data(title="<script>alert(1)</script>"))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
