from __future__ import annotations

import csv
import json
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.runtime.journal import journal_hash
from tests.cli.run import demo, flashscalper, start
from tests.shared import shared_data

RECORDING = "ethusdt_perp_20240808.jsonl.gz"


def _is_good(summary: dict[str, Any]) -> None:
    assert summary["ledger_matches"] is True
    assert summary["open_positions"] == {}
    assert summary["round_trips"] >= 1
    ended = summary["round_trips_by_exit"].get("end_of_run", 0)
    assert summary["round_trips"] - ended >= summary["round_trips"] / 2


def test_a_seed_trades_round_trips_ends_flat_and_its_ledger_matches(tmp_path: Path) -> None:
    _is_good(demo("--speed", "max", "--seed", "1", "--seconds", "300", home=tmp_path))


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(1, 21))
def test_every_seed_trades_round_trips_ends_flat_and_its_ledger_matches(seed: int, tmp_path: Path) -> None:
    _is_good(demo("--speed", "max", "--seed", str(seed), home=tmp_path, timeout_s=300))


def test_the_same_seed_is_the_same_journal_and_another_seed_is_not(tmp_path: Path) -> None:
    options = ("--speed", "max", "--seconds", "120", "--markets", "BTCUSDT,ETHUSDT")
    first = demo(*options, "--seed", "5", home=tmp_path)
    again = demo(*options, "--seed", "5", home=tmp_path)
    other = demo(*options, "--seed", "6", home=tmp_path)
    assert first["journal_hash"] == again["journal_hash"] != other["journal_hash"]
    assert first["artifacts"] != again["artifacts"]


def test_the_summary_says_everything_and_agrees_with_the_folder_it_names(tmp_path: Path) -> None:
    summary = demo("--speed", "max", "--seed", "2", "--seconds", "300", "--markets", "ETHUSDT,SOLUSDT", home=tmp_path)
    assert set(summary) >= {
        "trades", "klines", "signals", "orders", "fills", "round_trips", "round_trips_by_exit", "realized_pnl", "fees",
        "funding", "ledger_matches", "open_positions", "latency_ms", "journal_hash", "artifacts",
    }  # fmt: skip
    assert set(summary["orders"]) >= {"sent", "filled", "canceled", "denied", "rejected"}
    folder = tmp_path / summary["artifacts"]
    assert {file.name for file in folder.iterdir()} >= {
        "config.json", "journal.fsj", "tape", "trades.csv", "summary.json", "report.html", "klines.csv", "round_trips.csv"
    }  # fmt: skip
    with (folder / "trades.csv").open() as file:
        fills = list(csv.DictReader(file))
    assert len(fills) == summary["fills"]
    assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(summary["fees"])
    assert {fill["reason"] for fill in fills if fill["role"] != "entry"} >= set(summary["round_trips_by_exit"])
    assert json.loads((folder / "summary.json").read_text())["journal_hash"] == journal_hash(folder / "journal.fsj")


@pytest.mark.verify
def test_over_real_sockets_at_ten_times_the_speed_the_ledger_matches(tmp_path: Path) -> None:
    summary = demo("--speed", "10", "--seed", "1", "--seconds", "240", "--markets", "BTCUSDT,ETHUSDT,SOLUSDT", home=tmp_path)
    assert summary["ledger_matches"] is True
    assert summary["open_positions"] == {}
    assert summary["round_trips"] >= 1
    assert summary["trades"] > 500


def wait_until_it_trades(home: Path) -> None:
    """Until something stands on the tape: well inside the run, however slow the machine is."""
    give_up = time.monotonic() + 90
    while not any(part.stat().st_size > 10_000 for part in home.glob("runs/*/tape/*.fst")):
        assert time.monotonic() < give_up, "the demo does not begin"
        time.sleep(0.05)


@pytest.mark.parametrize("speed", ["10", "max"])
def test_ctrl_c_ends_the_demo_in_good_order(speed: str, tmp_path: Path) -> None:
    with start(
        "demo", "--json", "--speed", speed, "--seconds", "6000", "--markets", "BTCUSDT,ETHUSDT", home=tmp_path
    ) as run:
        wait_until_it_trades(tmp_path)
        run.send_signal(signal.SIGINT)
        output, error = run.communicate(timeout=60)
    assert (run.returncode, error) == (0, "")
    summary = json.loads(output)
    assert summary["interrupted"] is True
    assert summary["ledger_matches"] is True
    assert summary["open_positions"] == {}
    assert (tmp_path / summary["artifacts"] / "report.html").is_file()


@pytest.mark.verify
def test_the_whole_demo_over_real_sockets_is_good(tmp_path: Path) -> None:
    _is_good(demo("--speed", "10", "--seed", "1", home=tmp_path, timeout_s=200))


def test_without_a_terminal_the_demo_speaks_in_plain_lines(tmp_path: Path) -> None:
    result = flashscalper("demo", "--speed", "max", "--seconds", "130", "--markets", "BTCUSDT", home=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "demonstration profile, not for money" in lines[0]
    assert lines[-1].endswith("report.html")
    assert "\x1b" not in result.stdout


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run over the recording; `artifacts` is made an absolute path."""
    home = tmp_path_factory.mktemp("recorded")
    recording = str(shared_data(RECORDING))
    summary = demo("--feed", recording, "--seconds", "400", "--speed", "max", "--interval", "5s", home=home)
    return summary | {"artifacts": str(home / summary["artifacts"])}


def test_a_recording_is_heard_whole_and_traded(recorded: dict[str, Any]) -> None:
    summary = recorded
    assert summary["trades"] == 14_076
    assert summary["round_trips"] >= 1
    assert summary["ledger_matches"] is True
    assert summary["open_positions"] == {}


def test_every_kline_of_a_recording_equals_a_bulk_computation(recorded: dict[str, Any]) -> None:
    """5s, 1m and 5m against polars over the same file: prices and counts exactly, volumes to 1e-12 of themselves."""
    import polars as pl

    from tests.cli.bulk_klines import bulk_klines, read_trades

    rows = pl.read_csv(Path(recorded["artifacts"]) / "klines.csv", try_parse_dates=True)
    trades = read_trades(shared_data(RECORDING))
    assert trades.height == 14_076
    for interval, seconds in (("5s", 5), ("1m", 60), ("5m", 300)):
        built = rows.filter((pl.col("interval") == interval) & (pl.col("trade_count") > 0))
        bulk = bulk_klines(trades, seconds).filter(
            pl.col("close_at") <= rows.filter(pl.col("interval") == interval)["close_at"].max()
        )
        assert built["open_at"].to_list() == bulk["open_at"].to_list()
        for exact in ("open", "high", "low", "close", "trade_count"):
            assert built[exact].to_list() == bulk[exact].to_list(), (interval, exact)
        for close in ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume"):
            assert built[close].to_list() == pytest.approx(bulk[close].to_list(), rel=1e-12, abs=0.0), (interval, close)
