from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from flashscalper.cli.main import app
from flashscalper.cli.markets import read_markets
from flashscalper.cli.table import text_table
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.markets import Market
from flashscalper.simulator.base import HttpAnswer
from flashscalper.simulator.markets import DEFAULT_MARKETS
from tests.cli.simulator import Simulator, running_simulator
from tests.cli.test_check import target_of
from tests.promises.box import Served, in_box


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


def test_every_rule_of_every_market_is_listed(
    simulator: Simulator, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app(["markets", "--url", simulator.url, "--json"], standalone_mode=False) == 0
    listed = msgspec.json.decode(capsys.readouterr().out, type=list[Market])
    assert listed == sorted(DEFAULT_MARKETS, key=lambda market: market.symbol)


def test_the_table_shows_the_markets_asked_for_by_any_name(
    simulator: Simulator, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = "ETH-USD-PERP, BTCUSDT,SOL/USD:USDC"
    assert app(["markets", "--url", simulator.url, "--markets", wanted], standalone_mode=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["BTCUSDT", "BTC-USD-PERP", "0.1", "0.00001"]
    assert [line.split()[0] for line in lines] == ["symbol", "BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert "50x" in lines[1]
    assert "0.045 %" in lines[1]


def test_a_market_that_is_not_listed_is_refused_with_the_nearest(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="DOGEUSDT"):
        app(["markets", "--url", simulator.url, "--markets", "DOGEUSDT"], standalone_mode=False)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([], ConfigError),
        ([{"symbol": "BTC-USD-70000-C", "asset_kind": "PERP_OPTION"}], ConfigError),
        ([{"symbol": "ETH-USD-PERP"}], ProtocolError),
    ],
)
def test_options_are_left_out_and_rules_that_make_no_sense_are_refused(rows: list[object], error: type[Exception]) -> None:
    async def script(box: Served) -> None:
        body = json.dumps({"results": rows}).encode()
        box.interposer.before = lambda request: HttpAnswer(request.id, 200, (), body)
        with pytest.raises(error):
            await read_markets(target_of(box), ())

    in_box(script)


def test_a_table_is_aligned_and_cuts_nothing() -> None:
    table = text_table(("a", "figure"), [("long name", "1"), ("b", "12345")], right=frozenset({1}))
    assert table.splitlines() == ["a          figure", "long name       1", "b           12345"]
