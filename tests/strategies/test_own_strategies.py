"""Strategies that people write, end to end: the tutorial's fifteen lines and the examples, through the real engine."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BookChange
from flashscalper.runtime.strategy_files import find_strategy
from flashscalper.strategies.profiles import DEFAULT
from flashscalper.trading.costs import CostSettings
from flashscalper.trading.profiles import trading_profile
from tests.strategies.test_placebo import NO_BRAKES, trending
from tests.trading.stage import MARKET
from tests.trading.walk import Terms, Walk

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "your-first-strategy.md"
EXAMPLES = {"ema_cross": "EmaCross", "book_imbalance": "BookImbalance", "mean_reversion": "MeanReversion"}
SETTINGS = msgspec.structs.replace(trading_profile("demo"), risk=NO_BRAKES, costs=CostSettings(report_only=True))


class Booked(Walk):
    """A walk that shows a book as well, leaning the way it went."""

    def _move(self) -> None:
        before = self.mid
        super()._move()
        lean = 0.9 if self.mid > before else 0.1
        tick = float(self.market.price_tick)
        levels = range(1, 6)
        bids = tuple((round((self.mid - level) * tick, 2), 10 * lean) for level in levels)
        asks = tuple((round((self.mid + level) * tick, 2), 10 * (1 - lean)) for level in levels)
        self._tell(BookChange(self.symbol, self._steps, True, bids, asks, self.now))


def traded(text: str, *, step_s: float, steps: int) -> Walk:
    """Let a strategy named as on the command line trade a market that trends now and then."""
    strategy = find_strategy(text).create(DEFAULT.scalper, MARKET)
    walk = Booked(4, strategy, SETTINGS, trending(0.0004, 0.00012, 60), Terms(step_s=step_s))
    walk.run(steps)
    walk.finish()
    return walk


def closed_by_the_plan(walk: Walk, least: int) -> None:
    assert len(walk.trips) >= least
    assert {str(trip.exit_reason) for trip in walk.trips} - {"end_of_run"}
    assert all(trip.entry_reasons and trip.risk > trip.costs > 0 for trip in walk.trips)
    assert all(look.gates for look in walk.looks if look.outcome == "entered")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_trades(name: str) -> None:
    step_s = 2.5 if name == "book_imbalance" else 10.0
    walk = traded(f"{ROOT / 'examples' / 'strategies' / name}.py:{EXAMPLES[name]}", step_s=step_s, steps=900)
    closed_by_the_plan(walk, 3)


def code() -> str:
    found = re.search(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_tutorials_strategy_has_about_fifteen_lines_and_trades(tmp_path: Path) -> None:
    lines = [line for line in code().splitlines() if line.strip()]
    assert len(lines) <= 16
    file = tmp_path / "breakout.py"
    file.write_text(code())
    walk = traded(f"{file}:Breakout", step_s=10.0, steps=900)
    closed_by_the_plan(walk, 3)
    assert walk.trips[0].entry_reasons[0].startswith("closed ")


def test_what_the_tutorial_breaks_is_refused_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / "breakout.py"
    file.write_text(code().replace("Parameter(20, 2, 29", "Parameter(20, 2, 10"))
    with pytest.raises(ConfigError, match="from 2 to 10"):
        find_strategy(f"{file}:Breakout")
    file.write_text(code())
    with pytest.raises(ConfigError, match=r"^Breakout\.lookback: saw 50; accepted: a whole number from 2 to 29$"):
        find_strategy(f"{file}:Breakout lookback=50")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(code().replace('klines")\n        if', 'klines", stop=now.close * 2)\n        if'))
    walk = traded(f"{wrong}:Breakout", step_s=10.0, steps=400)
    denied = {look.denied_by for look in walk.looks if look.outcome == "denied" and look.direction == "long"}
    assert "stop_price" in denied


def test_a_stop_that_is_no_number_stops_the_strategy_and_nothing_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "nan.py"
    file.write_text(code().replace('klines")\n', 'klines", stop=float("nan"))\n'))
    walk = traded(f"{file}:Breakout", step_s=10.0, steps=400)
    assert walk.trips == []
    assert "Signal.stop: saw nan" in " ".join(walk.engine.status().markets[0].blocks)


def test_a_strategy_that_raises_is_stopped_and_the_position_is_closed_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(code().replace("        return None\n", "        raise RuntimeError(view.kline.close)\n"))
    strategy = find_strategy(f"{file}:Breakout").create(DEFAULT.scalper, MARKET)
    walk = Walk(1, strategy, SETTINGS, lambda dice, number: Random(number).gauss(0, 0.0003), Terms(step_s=10.0))
    walk.run(300)
    walk.finish()
    assert "strategy" in " ".join(walk.engine.status().markets[0].blocks)
