"""`flashscalper bench`: that it measures what it says, on what it says; never how fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashscalper.cli.bench import ROUND_TRIPS, BenchOptions, measured, round_trips
from flashscalper.cli.main import app
from flashscalper.cli.target import find_target
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.live import run_loop
from tests.cli.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


def test_signing_decoding_and_orders_are_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app(["bench", "--orders", "2", "--rate", "20000", "--json"], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    names = [line["name"] for line in told["lines"]]
    assert names[0].endswith("(in use)")
    for part in ("sign an order, python", "decode a trade, binary", "decode a trade, JSON", "tick to order, journal synced"):
        assert any(name.startswith(part) for name in names), part
    for line in told["lines"]:
        assert line["count"] >= 1
        assert 0 < line["p10_us"] <= line["p50_us"] <= line["p90_us"] <= line["p99_us"]
    assert list((tmp_path / "runs").iterdir()) == [], "what was written for measuring is gone"


def test_round_trips_go_to_the_simulator_that_is_named(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = run_loop(round_trips(find_target(url=simulator.url)))
    assert line.name == "round trip to simulator, GET /system/time"
    assert line.count == ROUND_TRIPS


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"environment": "testnet"}, "--network"),
        ({"environment": "prod"}, "--network"),
        ({"network": True}, "--environment"),
        ({"orders": 0}, "--orders"),
        ({"rate": float("nan")}, "--rate"),
        ({"url": "http://example.org"}, "loopback"),
    ],
)
def test_a_real_exchange_is_only_asked_when_told_twice(
    asked: dict[str, object], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"orders": 1, "rate": 500.0, "runs": tmp_path, "url": "", "environment": "", "network": False} | asked
    with pytest.raises(ConfigError, match=named):
        BenchOptions.parse(**options)  # type: ignore[arg-type]


def test_with_the_flag_the_real_exchange_is_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = BenchOptions.parse(orders=1, rate=500.0, runs=tmp_path, url="", environment="testnet", network=True)
    assert options.target is not None
    assert options.target.environment == "testnet"


def test_percentiles_are_of_the_nearest_rank() -> None:
    line = measured("x", [number * 1_000 for number in range(1, 101)])
    assert (line.p10_us, line.p50_us, line.p90_us, line.p99_us) == (10.0, 50.0, 90.0, 99.0)
