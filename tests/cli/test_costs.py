"""`costs`: every market in both classes, measured from a feed, a run's tape or a running exchange; and orders left today."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.cli.costs import Measured, costs, measure_feed, measure_run, orders_of_today
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote, FeeClass
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.runtime.journal import Journal
from flashscalper.trading.costs import CostSettings, EntryStyle
from tests.cli.run import demo, flashscalper
from tests.cli.simulator import running_simulator
from tests.trading.stage import ETH, MARKET, START


def table(*arguments: str, home: Path) -> list[dict[str, Any]]:
    result = flashscalper("costs", "--json", *arguments, home=home)
    assert result.returncode == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def checked(rows: list[dict[str, Any]], *symbols: str) -> None:
    assert [(row["symbol"], row["fee_class"]) for row in rows] == [(s, c) for s in symbols for c in ("pro", "retail")]
    for pro, retail in zip(rows[::2], rows[1::2], strict=True):
        assert Decimal(pro["taker"]) == Decimal("0.00045") > Decimal(retail["taker"]) == 0
        assert Decimal(retail["drift"]) > 0 == Decimal(pro["drift"])
        assert (pro["orders_left"], retail["orders_left"]) != (None, None)
        assert 0 < Decimal(retail["spread"]) < Decimal("0.001")
        assert Decimal(pro["break_even"]) > Decimal("0.0009") > Decimal(retail["break_even"]) > 0


def test_the_synthetic_feed_is_measured_without_an_account(tmp_path: Path) -> None:
    checked(table("--markets", "BTCUSDT,ETHUSDT", "--seconds", "40", home=tmp_path), "BTCUSDT", "ETHUSDT")
    shown = flashscalper("costs", "--markets", "BTCUSDT", "--seconds", "40", home=tmp_path)
    assert shown.stdout.splitlines()[0].split()[:4] == ["market", "class", "maker", "taker"]
    assert "1,000 of 1,000" in shown.stdout
    assert "no limit" in shown.stdout


@pytest.mark.verify
def test_the_tape_of_a_run_is_measured_with_its_own_orders_counted(tmp_path: Path) -> None:
    summary = demo("--speed", "max", "--seed", "2", "--seconds", "200", "--markets", "ETHUSDT", home=tmp_path)
    rows = table("--run", "last", home=tmp_path)
    checked(rows, "ETHUSDT")
    assert rows[1]["orders_left"] == 1_000 - summary["orders"]["sent"]
    assert measure_run(tmp_path / summary["artifacts"], ()).source == " Spreads are what this run met as pro."


@pytest.mark.verify
def test_a_running_exchange_is_listened_to(tmp_path: Path) -> None:
    with running_simulator("--markets", "ETHUSDT") as box:
        rows = table("--url", box.url, "--markets", "ETHUSDT", "--seconds", "36", home=tmp_path)
    checked(rows, "ETHUSDT")


def test_the_break_even_move_is_the_cost_estimate_of_what_was_measured() -> None:
    measured = Measured([MARKET])
    for number in range(400):
        mid = 100.0 + 0.02 * (number % 2)
        measured.quote(BestQuote(ETH, mid - 0.005, 1.0, mid + 0.005, 1.0, 0), START + number * 300_000)
    pro, retail = measured.rows(CostSettings(slippage_bps=0.0), EntryStyle.IOC)
    assert float(pro.spread or 0) == pytest.approx(0.0001, rel=1e-3)
    assert pro.break_even == pytest.approx(Decimal("0.0010"), rel=Decimal("0.001"))
    assert retail.break_even == pytest.approx(Decimal("0.0001") + 2 * Decimal("0.0001"), rel=Decimal("0.001"))


def test_too_little_to_see_is_said_and_the_settings_stand_in() -> None:
    rows = Measured([MARKET]).rows(CostSettings(), EntryStyle.IOC)
    assert [row.spread for row in rows] == [None, None]
    assert rows[1].drift is None
    assert rows[1].break_even == Decimal("0.0002") + 2 * (Decimal("0.00005") + Decimal("0.00005"))


def test_orders_of_real_runs_within_a_day_count_and_those_of_demos_do_not(tmp_path: Path) -> None:
    order = PlaceOrder(
        client_id="fs-1-1",
        symbol=ETH,
        side=Side.BUY,
        type=OrderType.MARKET,
        size=Decimal(1),
        role=OrderRole.ENTRY,
        reason="",
    )
    for mode in ("testnet", "demo"):
        with Journal(tmp_path / mode / "journal.fsj", {"mode": mode}, durable=False) as journal:
            journal.append(START, [order])
            journal.append(START + 5 * SECOND_US, [order, order])
    assert orders_of_today(tmp_path, START + DAY_US - 1) == 3
    assert orders_of_today(tmp_path, START + DAY_US) == 2


def test_a_feed_of_unknown_markets_and_a_time_too_short_are_refused() -> None:
    with pytest.raises(ConfigError, match="markets"):
        measure_feed("synthetic", 1, ("NOPEUSDT",), 40.0)
    with pytest.raises(ConfigError, match=r"seconds: saw 5\.0; accepted: 35"):
        costs(feed="synthetic", seconds=5.0, seed=1, markets="", run="", runs=Path(), target=None, json=False)


def test_both_classes_are_in_the_table() -> None:
    assert {row.fee_class for row in Measured([MARKET]).rows(CostSettings(), EntryStyle.IOC)} == set(FeeClass)
