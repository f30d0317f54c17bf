from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.orders import OrderRole, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import FillBooked, RoundTripClosed
from flashscalper.model.secrets import Secret
from flashscalper.runtime.artifacts import RunArtifacts, redacted

START = 1_700_000_000_000_000
FILL = FillBooked(
    fill_key="fill:1", client_id="fs-a-1", order_id="9", symbol="ETHUSDT", side=Side.BUY, size=Decimal("0.10"),
    price=Decimal("1E+3"), fee=Decimal("0.045"), funding=Decimal(0), realized_pnl=Decimal(0), size_after=Decimal("0.1"),
    entry_after=Decimal(1000), cash_after=Decimal("9999.955"), role=OrderRole.ENTRY, reason="score 71, trend up",
    liquidity="taker", filled_at=START + 1,
)  # fmt: skip
TRIP = RoundTripClosed(
    symbol="ETHUSDT", direction=PositionSide.LONG, size=Decimal("0.1"), entry_price=Decimal(1000),
    exit_price=Decimal("1001.5"), opened_at=START, closed_at=START + 5, pnl=Decimal("0.06"), fees=Decimal("0.09"),
    funding=Decimal(0), exit_reason="target", entry_reasons=("trend up", "volume"),
)  # fmt: skip


def test_fills_and_round_trips_are_written_exactly(tmp_path: Path) -> None:
    run = RunArtifacts("q1x-3", tmp_path)
    trades = list(csv.DictReader(run.write_trades([FILL], [TRIP]).read_text().splitlines()))
    assert trades[0]["filled_at"] == "2023-11-14T22:13:20.000001+00:00"
    assert trades[0]["price"] == "1000"
    assert trades[0]["size"] == "0.1"
    assert trades[0]["reason"] == "score 71, trend up"
    trips = list(csv.DictReader((run.folder / "round_trips.csv").read_text().splitlines()))
    assert trips[0]["pnl"] == "0.06"
    assert trips[0]["entry_reasons"] == "trend up; volume"


def test_nothing_secret_is_left_in_the_folder(tmp_path: Path) -> None:
    class Credentials(msgspec.Struct):
        account: str
        secret_key: Secret

    run = RunArtifacts("r", tmp_path)
    run.write_config(
        {
            "seed": 7,
            "balance": Decimal("10000.50"),
            "exchange": {"paradex": Credentials("0x1", Secret("hunter2"))},
            "PARADEX_BEARER_TOKEN": "hunter2",
            "plain": [Secret("hunter2"), {"password": "hunter2"}],
        }
    )
    text = (run.folder / "config.json").read_text()
    assert "hunter2" not in text
    assert json.loads(text) == {
        "seed": 7,
        "balance": "10000.5",
        "exchange": {"paradex": {"account": "0x1", "secret_key": "***"}},
        "PARADEX_BEARER_TOKEN": "***",
        "plain": ["***", {"password": "***"}],
    }


def test_a_summary_is_json_and_a_report_is_where_it_says(tmp_path: Path) -> None:
    run = RunArtifacts("r", tmp_path)
    assert json.loads(run.write_summary({"realized_pnl": Decimal("-1.50"), "trades": 3}).read_text()) == {
        "realized_pnl": "-1.5",
        "trades": 3,
    }
    assert run.write_report("<p>hi</p>") == run.report
    assert run.report.read_text() == "<p>hi</p>"
    assert not list(run.folder.glob("*.new"))


@pytest.mark.parametrize("bad", ["", "../up", "a/b", "a b", "é"])
def test_a_run_id_cannot_leave_its_folder(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match="run id"):
        RunArtifacts(bad, tmp_path)


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="runs folder"):
        RunArtifacts("r", tmp_path / "file")


def test_other_values_are_shown_as_text() -> None:
    assert redacted({"path": Path("a/b"), "names": frozenset({"x"}), "kind": OrderRole.STOP, "none": None}) == {
        "path": "a/b",
        "names": ["x"],
        "kind": "stop",
        "none": None,
    }
