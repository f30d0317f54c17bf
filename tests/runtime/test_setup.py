"""What is refused before an engine is made: a stop that its own costs would cross, in the class that was chosen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import FeeClass
from flashscalper.runtime.setup import RunSetup
from flashscalper.runtime.strategy_files import find_strategy
from flashscalper.strategies.exit_policy import ExitPolicy, atr, percent
from flashscalper.strategies.profiles import CLASSIC, DEFAULT, DEMO
from flashscalper.trading.profiles import trading_profile
from tests.trading.stage import MARKET, START

RULES = msgspec.structs.replace(MARKET, retail_maker_fee=MARKET.maker_fee * 0, retail_taker_fee=MARKET.taker_fee * 0)
PLAN = """
from flashscalper.strategies.plan import ExitPolicy, TradingPlan, percent

class Near(TradingPlan):
    exits = ExitPolicy(stop=percent(0.05))
    def on_kline(self, view):
        return None
"""


def setup(exits: ExitPolicy, strategy: str = "scalper") -> RunSetup:
    trading = msgspec.structs.replace(trading_profile("default"), exits=exits)
    return RunSetup(strategy=find_strategy(strategy), scalper=DEFAULT.scalper, trading=trading, markets=(RULES,),
                    started_at=START)  # fmt: skip


def test_a_percent_stop_inside_the_fees_of_the_chosen_class_is_refused_with_field_value_and_costs() -> None:
    near = setup(ExitPolicy(stop=percent(0.05)))
    with pytest.raises(
        ConfigError, match=r"^trading\.exits\.stop\.value: saw 0\.05; accepted: more than the round-trip costs of 0\.1 %$"
    ):
        near.check_stops(FeeClass.PRO)
    near.check_stops(FeeClass.RETAIL)


@pytest.mark.parametrize("exits", [ExitPolicy(stop=percent(0.2)), ExitPolicy(stop=atr(0.1)), CLASSIC.exits, DEMO.exits])
def test_other_stops_pass_because_they_are_wide_enough_or_the_floor_decides(exits: ExitPolicy) -> None:
    setup(exits).check_stops(FeeClass.PRO)


def test_a_strategys_own_stop_is_judged_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "near.py").write_text(PLAN)
    with pytest.raises(ConfigError, match=r"^Near\.exits\.stop\.value: saw 0\.05"):
        setup(DEFAULT.exits, f"{tmp_path}/near.py:Near").check_stops(FeeClass.PRO)
