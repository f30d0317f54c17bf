"""A strategy is somebody's own code: when it raises, it is stopped, and what it holds stays protected."""

from __future__ import annotations

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.klines import Trade
from flashscalper.model.records import Note
from flashscalper.strategies.base import MarketView, Signal
from flashscalper.trading.engine import Engine
from tests.trading.stage import CASH, ETH, SETTINGS, START, Stage, Told, every, none, signal


class Breaks(Told):
    """Says what it is told until it breaks."""

    broken = False

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        if self.broken:
            raise ZeroDivisionError("a defect")
        return super().on_kline(view, live=live)


class Watches(Told):
    """Breaks at the first trade that it is shown."""

    def on_trade(self, trade: Trade) -> None:
        raise KeyError(trade.symbol)


def with_strategy(strategy: Told) -> Stage:
    stage = Stage(ready=False)
    stage.told[ETH] = strategy
    stage.engine = Engine(SETTINGS, stage.markets, stage.told, stage.ids, START, CASH, None)
    stage.open()
    return stage


def stops_of(stage: Stage) -> list[Note]:
    return [note for note in every(Note, stage.said) if note.code == "strategy_stopped"]


def test_a_strategy_that_raises_is_stopped_and_its_position_keeps_its_stop() -> None:
    strategy = Breaks()
    stage = with_strategy(strategy)
    stage.long()
    before = stage.engine.status().markets[0].position
    assert before is not None
    assert before.protection == "protected"
    strategy.broken = True
    stage.kline()
    assert "ZeroDivisionError: a defect at on_kline, line" in stops_of(stage)[0].text
    market = stage.engine.status().markets[0]
    assert market.position is not None
    assert (market.position.protection, market.position.stop_price) == ("protected", before.stop_price)
    assert any(block.startswith("strategy_stopped") for block in market.blocks)


def test_a_stopped_strategy_is_never_asked_again() -> None:
    strategy = Breaks()
    stage = with_strategy(strategy)
    strategy.broken = True
    stage.kline()
    asked, strategy.broken = len(strategy.klines), False
    strategy.next.append(signal())
    none(PlaceOrder, stage.kline())
    assert (len(strategy.klines), len(stops_of(stage))) == (asked, 1)


def test_a_target_that_is_no_number_never_becomes_an_order_and_what_is_open_keeps_its_stop() -> None:
    stage = Stage()
    stage.long()
    stage.told[ETH].next.append(signal(target=float("nan")))
    outputs = stage.kline()
    assert [note.text for note in stops_of(stage)] == [
        "Signal.target: saw nan; accepted: a price above 0 and at most 1e15, or None"
    ]
    none(PlaceOrder, outputs)
    market = stage.engine.status().markets[0]
    assert market.position is not None
    assert market.position.protection == "protected"


def test_a_hook_that_raises_stops_the_strategy_and_not_the_engine() -> None:
    stage = with_strategy(Watches())
    stage.price(100.0)
    stage.price(100.1)
    assert [note.text.split(":")[0] for note in stops_of(stage)] == ["KeyError"]
    assert stage.engine.status().markets[0].last_price == 100.1
