"""A person's own strategy on the built-in exchange: `demo --strategy FILE.py:CLASS`, its parameters, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.cli.demo import DemoOptions
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.answers import read_answers
from flashscalper.runtime.strategy_files import find_strategy
from flashscalper.strategies.profiles import DEFAULT
from tests.cli.run import ROOT, demo, flashscalper
from tests.trading.stage import MARKET

EXAMPLES = ROOT / "examples" / "strategies"
BROKEN = """
from flashscalper.strategies.plan import TradingPlan

class Broken(TradingPlan):
    def setup(self):
        raise LookupError("no such table")
    def on_kline(self, view):
        return None

class Periods(TradingPlan):
    def setup(self):
        from flashscalper.indicators.averages import EMA
        self.use(EMA(-5))
    def on_kline(self, view):
        return None

class NoBase:
    intervals, warmup, judgement = ("1m",), 1, None
    def __init__(self, market): ...
    def on_kline(self, view, *, live): ...
"""


def parse(strategy: str, **more: Any) -> DemoOptions:
    given: dict[str, Any] = {
        "seconds": 60.0, "speed": "max", "feed": "synthetic", "seed": 1, "markets": "ETHUSDT", "interval": "",
        "runs": Path("runs"), "json": True,
    }  # fmt: skip
    return DemoOptions.parse(**{**given, **more}, strategy=strategy)


def test_an_own_strategy_trades_with_its_parameters_and_its_run_is_replayed(tmp_path: Path) -> None:
    strategy = f"{EXAMPLES / 'book_imbalance.py'}:BookImbalance lean=0.3 depth=3"
    summary = demo("--speed", "max", "--seed", "3", "--seconds", "150", "--markets", "ETHUSDT", "--strategy", strategy,
                   home=tmp_path)  # fmt: skip
    assert summary["ledger_matches"] is True
    assert (summary["round_trips"] >= 1, summary["open_positions"]) == (True, {})
    config = json.loads((tmp_path / summary["artifacts"] / "config.json").read_text())
    assert dict(config["options"]["strategy"]["values"]) == {"lean": 0.3, "depth": 3}
    replayed = flashscalper("replay", "last", home=tmp_path)
    assert replayed.returncode == 0, replayed.stderr


@pytest.mark.verify
@pytest.mark.parametrize("name", ["ema_cross.py:EmaCross", "mean_reversion.py:MeanReversion"])
def test_every_example_trades_in_the_demo(name: str, tmp_path: Path) -> None:
    options = ("--speed", "max", "--seed", "2", "--seconds", "900", "--markets", "ETHUSDT")
    summary = demo(*options, "--strategy", f"{EXAMPLES / name}", home=tmp_path, timeout_s=300)
    assert (summary["ledger_matches"], summary["open_positions"]) == (True, {})
    assert summary["round_trips"] >= 1


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("ema_cross.py:EmaCross fast=-3", r"^EmaCross\.fast: saw -3; accepted: a whole number from 2 to 200$"),
        ("ema_cross.py:EmaCross fast=nan", r"^EmaCross\.fast: saw nan; accepted: a whole number"),
        ("mean_reversion.py:MeanReversion width=nan", r"^MeanReversion\.width: saw nan; accepted: a number from 0\.5 to 5"),
        ("ema_cross.py:EmaCross fats=3", r"^EmaCross\.fats: saw 3; accepted: parameters: fast, slow$"),
        ("ema_cross.py:Emacross", "accepted: EmaCross$"),
        ("nothing.py:Plan", "a readable file"),
        ("ema_cross.py", "FILE.py:CLASS"),
    ],
)
def test_what_is_wrong_with_a_strategy_is_said_with_its_value_and_what_is_accepted(strategy: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(f"{EXAMPLES}/{strategy}")


@pytest.mark.parametrize("strategy", ["skalper", "scalper fast=3"])
def test_an_unknown_name_and_parameters_of_the_scalper_are_refused(strategy: str) -> None:
    with pytest.raises(ConfigError, match=r"^strategy: saw"):
        parse(strategy)


def test_an_interval_beside_a_class_that_names_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"interval: saw '1m'; accepted: nothing beside ema_cross\.py:EmaCross"):
        parse(f"{EXAMPLES}/ema_cross.py:EmaCross", interval="1m")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Periods", r"period: saw -5; accepted"),
        ("NoBase x=1", r"strategy NoBase: saw 'x'; accepted: no parameters"),
    ],
)
def test_a_class_that_cannot_be_made_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    with pytest.raises(ConfigError, match=message):
        find_strategy(f"{tmp_path}/broken.py:{name}").create(DEFAULT.scalper, MARKET)


def test_a_class_that_raises_while_it_is_made_is_one_line_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    result = flashscalper("demo", "--speed", "max", "--strategy", "broken.py:Broken", home=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "flashscalper: strategy Broken: saw 'LookupError: no such table'; accepted: a class that can be made for a market\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.verify
def test_the_default_profile_in_the_demo_keeps_its_cost_gate(tmp_path: Path) -> None:
    options = parse("scalper", profile="default")
    assert (options.profile, options.interval) == ("default", "")
    with pytest.raises(ConfigError, match="profile: saw 'careless'; accepted: default, classic, demo"):
        parse("scalper", profile="careless")
    summary = demo("--profile", "default", "--speed", "max", "--seconds", "130", "--markets", "BTCUSDT", home=tmp_path)
    config = json.loads((tmp_path / summary["artifacts"] / "config.json").read_text())
    assert config["trading"]["costs"]["report_only"] is False
    assert summary["profile"] == "default profile"
    assert summary["klines"]["BTCUSDT"]["1m"] >= 1


@pytest.mark.verify
def test_a_retail_demo_pays_no_fee_waits_at_the_bump_and_counts_its_orders(tmp_path: Path) -> None:
    options = ("--speed", "max", "--seed", "2", "--seconds", "200", "--markets", "SOLUSDT")
    summary = demo("--fee-class", "retail", *options, home=tmp_path)
    assert summary["ledger_matches"] is True
    assert Decimal(summary["fees"]) == 0
    assert summary["round_trips"] >= 1
    _, answers = read_answers(tmp_path / summary["artifacts"])
    gates = [gate for look in answers.looks for gate in look.gates if gate.code == "fee_class"]
    assert gates
    assert all(gate.seen.startswith("retail; left: ") for gate in gates)
    orders = [answers.order(step.client_id) for step in answers.trip(1).orders]
    sent = orders[0].steps[0].changed_at
    assert min(fill.filled_at for order in orders for fill in order.fills) >= sent + 300_000, "300 ms of speed bump"


def test_a_fee_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^fee-class: saw 'both'; accepted: pro, retail$"):
        parse("scalper", fee_class="both")
