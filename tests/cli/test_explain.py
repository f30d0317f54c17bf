"""`explain` on a demo's journal: times, trades, orders, the summary, and what it says about things that do not exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flashscalper.cli.explain import clock, explain, stamp
from flashscalper.model.errors import ConfigError
from tests.cli.run import demo


class Run(NamedTuple):
    """A finished demo."""

    home: Path
    summary: dict[str, Any]

    @property
    def runs(self) -> Path:
        return self.home / "runs"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("explained")
    return Run(home, demo("--speed", "max", "--seed", "3", "--seconds", "240", "--markets", "ETHUSDT,SOLUSDT", home=home))


def text_of(run: Run, capsys: pytest.CaptureFixture[str], what: str = "", **options: Any) -> str:
    given: dict[str, Any] = {"summary": False, "market": "", "runs": run.runs, "json": False, **options}
    assert explain("last", what, **given) == 0
    return capsys.readouterr().out


def test_the_summary_counts_denials_by_reason_and_names_the_nearest_miss(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    text = text_of(run, capsys, summary=True)
    found = json.loads(text_of(run, capsys, summary=True, json=True))
    assert found["signals"] == run.summary["signals"]
    assert found["round_trips"] == run.summary["round_trips"]
    assert found["signals"] == found["entered"] + sum(found["denied"].values())
    assert {market["symbol"] for market in found["markets"]} == {"ETHUSDT", "SOLUSDT"}
    assert f"{found['signals']} signals, {found['entered']} entered" in text
    assert "ETHUSDT: " in text.partition("nearest miss")[2]


def test_a_time_is_answered_with_every_gate_its_inputs_and_its_verdict(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for moment in ("00:03:00", "2026-01-01 00:03:00", "2026-01-01T00:03:00+00:00", "2026-01-01T01:03:00+01:00"):
        text = text_of(run, capsys, moment, market="ethusdt")
        assert "2026-01-01 00:02:55.250  ETHUSDT 5s" in text
    looks = json.loads(text_of(run, capsys, "00:03:00", json=True))
    assert [look["symbol"] for look in looks] == ["ETHUSDT", "SOLUSDT"]
    for look in looks:
        assert look["gates"]
        for gate in look["gates"]:
            assert gate["needed"]
            assert gate["seen"]


def test_a_trade_is_told_by_number_by_fill_and_by_client_order_id(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    story = json.loads(text_of(run, capsys, "1", json=True))
    text = text_of(run, capsys, "#1")
    assert "round trip 1: " in text
    assert f"left by {story['trip']['exit_reason']}" in text
    assert "-> protected" in text
    fill = next(fill for order in story["orders"] for fill in order["fills"])
    assert text_of(run, capsys, fill["fill_key"]) == text
    entry = story["orders"][0]["client_id"]
    order = text_of(run, capsys, entry)
    assert f"{entry}  entry: " in order
    assert "intended -> sent: entry" in order
    assert f"entered as {story['signal']['client_id']}" in order


def test_every_signal_that_was_entered_has_its_cost_arithmetic(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    story = json.loads(text_of(run, capsys, "1", json=True))
    cost = next(gate for gate in story["signal"]["gates"] if gate["code"] == "cost")
    assert " = fees " in cost["needed"]
    assert {"expected_bps", "needed_pro_bps", "needed_retail_bps"} <= {name for name, _ in story["signal"]["inputs"]}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("yesterday", "a time"), ("25:00:00", "a time"), ("999", "1 to "), ("fs-x-1", "an order of this run"),
        ("fill:nobody", "a fill of this run"), ("1999-01-01", "not before"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_what_is(run: Run, what: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        explain("last", what, summary=False, market="", runs=run.runs, json=False)


def test_an_unknown_market_and_a_time_beside_the_summary_are_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="market: saw 'DOGEUSDT'; accepted: ETHUSDT, SOLUSDT"):
        explain("last", "", summary=False, market="DOGEUSDT", runs=run.runs, json=False)
    with pytest.raises(ConfigError, match="one of them"):
        explain("last", "1", summary=True, market="", runs=run.runs, json=False)


def test_instants_are_utc_to_the_millisecond() -> None:
    assert stamp(1_767_225_600_250_999) == "2026-01-01 00:00:00.250"
    assert clock(1_767_225_605_000_000) == "00:00:05.000"
