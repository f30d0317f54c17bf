"""The original's five examples, each run against the exchange in a box on a real port."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.promises.box import Served, in_box

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run_example(monkeypatch: pytest.MonkeyPatch, name: str, **options: float) -> None:
    """Run an example's `main` with nothing but the environment to say where it trades."""
    main: Callable[..., Awaitable[None]] = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]

    async def script(box: Served) -> None:
        for variable, value in box.variables.items():
            monkeypatch.setenv(variable, value)
        await main(**options)
        assert await _leftovers(box) == ([], [])

    in_box(script)


async def _leftovers(box: Served) -> tuple[list[Any], list[Any]]:
    async with box.rest() as client:
        return list(await client.get_open_orders()), list(await client.get_positions())


def test_rest_shows_prices_balance_and_positions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(monkeypatch, "rest")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("BTCUSDT: mark ")
    assert lines[2] == "balance: 10000 USDC, 10000 free"
    assert lines[-1] == "0 positions, 0 open orders"


def test_websocket_prints_trades_and_counts_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(monkeypatch, "websocket", seconds=2.0)
    *trades, last = capsys.readouterr().out.splitlines()
    assert len(trades) >= 1
    assert last.startswith(f"{len(trades)} trades in 2 s: ")
    assert not [line for line in trades if "trouble" in line]


def test_klines_has_history_closes_klines_and_shows_the_current_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(monkeypatch, "klines", seconds=3.0)
    text = capsys.readouterr().out
    assert "history: 50 klines of a minute; enough: True" in text
    assert "interval='1s'" in text
    assert "this minute so far: " in text
    assert "as Binance writes it: [" in text


def test_symbols_translates_both_ways_and_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "symbols.py"))["main"]()
    text = capsys.readouterr().out
    assert "1000PEPEUSDT -> kPEPE-USD-PERP -> 1000PEPEUSDT" in text
    assert "symbol: saw 'bitcoin'" in text


def test_orders_rests_cancels_buys_and_sells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(monkeypatch, "orders")
    text = capsys.readouterr().out
    assert "cancel: accepted" in text
    (bought,) = re.findall(r"^bought (0\.00\d+) at \d", text, re.MULTILINE)
    assert f"\nsold {bought} at " in text
    assert "position: None" in text


def test_orders_refuses_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARADEX_ENVIRONMENT", "prod")
    main = runpy.run_path(str(EXAMPLES / "orders.py"))["main"]
    with pytest.raises(SystemExit, match="testnet or a simulator"):
        main().send(None)


def test_an_example_runs_from_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "symbols.py")],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert "BTC-USD-PERP" in done.stdout
