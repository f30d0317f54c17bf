from __future__ import annotations

import msgspec

from flashscalper.model.commands import FetchKlines, PlaceOrder
from flashscalper.model.events import BestQuote, KlineHistory, StreamChanged, TradeHistory
from flashscalper.model.instants import MINUTE_US, SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate, KlineClosed, Note, SignalJudged
from flashscalper.strategies.base import Judgement
from flashscalper.strategies.exit_policy import ExitPolicy, OppositeSignal, atr, percent
from flashscalper.trading.correlation import CorrelationSettings
from flashscalper.trading.costs import CostSettings
from flashscalper.trading.engine import Engine
from flashscalper.trading.sizing import SizingSettings
from tests.trading.stage import BTC, ETH, MARKET, SETTINGS, START, D, Stage, Told, every, none, one, signal


def judged(stage: Stage, **more: object) -> SignalJudged:
    stage.told[ETH].next.append(signal(**more))  # type: ignore[arg-type]
    return one(SignalJudged, stage.kline())


def test_every_gate_is_written_down_with_what_was_needed_and_seen() -> None:
    record = judged(Stage())
    codes = [gate.code for gate in record.gates]
    assert codes[:5] == ["trading_state", "market_free", "quote_fresh", "mark_fresh", "quote_sane"]
    assert {"cost", "stop_price", "sizing_risk", "state", "order_rate", "position_notional", "collar_mark"} <= set(codes)
    assert all(gate.needed and gate.seen for gate in record.gates)


def test_a_signals_own_prices_are_among_its_inputs() -> None:
    inputs = dict(judged(Stage(), entry=100.02, stop=99.25, target=102.5).inputs)
    assert (inputs["entry"], inputs["stop"], inputs["target"]) == (100.02, 99.25, 102.5)
    assert {"entry", "stop", "target"} & set(dict(judged(Stage()).inputs)) == set()


def test_a_signal_with_a_failed_filter_is_recorded_not_traded() -> None:
    stage = Stage()
    record = judged(stage, gates=(Gate(code="trend", passed=False, needed="up", seen="down"),))
    assert (record.outcome, record.denied_by) == ("denied", "trend")
    none(PlaceOrder, stage.said)


def test_a_move_that_does_not_pay_its_costs_is_denied_with_the_arithmetic() -> None:
    stage = Stage(msgspec.structs.replace(SETTINGS, costs=CostSettings(min_multiple=1.5)))
    record = judged(stage, expected_move=0.0005)
    assert record.denied_by == "cost"
    assert "bps" in next(gate.needed for gate in record.gates if gate.code == "cost")


def test_sizing_refuses_rather_than_rounds_up() -> None:
    tiny = SizingSettings(risk_per_trade=0.000001)
    stage = Stage(msgspec.structs.replace(SETTINGS, sizing=tiny))
    assert judged(stage).denied_by == "sizing_risk"


def test_a_policy_in_atr_takes_no_entry_without_an_atr() -> None:
    stage = Stage(msgspec.structs.replace(SETTINGS, exits=ExitPolicy(stop=atr(1.5))))
    assert judged(stage).denied_by == "stop_price"
    assert judged(stage, volatility=0.4).outcome == "entered"


def test_stale_or_crossed_quotes_open_nothing() -> None:
    stage = Stage()
    stage.wait(11.0)
    assert judged(stage).denied_by == "quote_fresh"
    stage.price(100.0)
    stage.tell(BestQuote(ETH, 100.02, 1.0, 100.01, 1.0, stage.now))
    assert judged(stage).denied_by == "quote_sane"
    stage.tell(BestQuote(ETH, None, 0.0, 100.01, 1.0, stage.now))
    assert judged(stage).denied_by == "quote_sane"


def test_silence_is_recorded_with_the_first_filter_that_failed() -> None:
    stage = Stage()
    gate = Gate(code="score", passed=False, needed="45", seen="31")
    stage.told[ETH].judgement = Judgement(score=31, confidence=20, gates=(gate,))
    record = one(SignalJudged, stage.kline())
    assert (record.outcome, record.denied_by, record.score) == ("none", "score", 31)
    status = stage.engine.status().markets[0]
    assert status.nearest_miss == record == status.last_signal


def test_an_opposite_signal_leaves_when_the_policy_says_so() -> None:
    exits = ExitPolicy(stop=percent(0.5), target=percent(1.0), opposite_signal=OppositeSignal(min_confidence=50))
    stage = Stage(msgspec.structs.replace(SETTINGS, exits=exits))
    stage.long()
    stage.told[ETH].next.append(signal(PositionSide.SHORT))
    outputs = stage.kline()
    assert one(PlaceOrder, outputs).reason == "opposite_signal"
    assert one(SignalJudged, outputs).outcome == "denied"


def test_correlated_markets_are_one_bet() -> None:
    settings = msgspec.structs.replace(SETTINGS, correlation=CorrelationSettings(enabled=True))
    stage = Stage(settings, symbols=(BTC, ETH))
    stage.told[BTC].next.append(signal())
    stage.told[ETH].next.append(signal(confidence=90))
    outputs = stage.kline()
    assert [order.symbol for order in every(PlaceOrder, outputs)] == [ETH]
    assert every(SignalJudged, outputs)[1].denied_by == "correlation"


def test_klines_are_told_and_strategies_are_asked_on_whole_ones_only() -> None:
    stage = Stage(ready=False)
    stage.now += 400_000
    stage.open()
    stage.wait(2.0)
    klines = [record.kline for record in every(KlineClosed, stage.said)]
    assert [kline.complete for kline in klines] == [False, True]
    assert stage.told[ETH].klines == [(START + 2 * SECOND_US, True)]


def test_a_late_trade_revises_history_and_asks_nobody() -> None:
    stage = Stage()
    stage.wait(2.0)
    asked = list(stage.told[ETH].klines)
    stage.tell(Trade(ETH, 0, Side.BUY, 105.0, 1.0, START + 100_000))
    revised = [record for record in every(KlineClosed, stage.wait(1.0)) if record.revised]
    assert [record.kline.high for record in revised][:1] == [105.0]
    assert stage.told[ETH].klines[: len(asked)] == asked


class Minutes:
    """Says nothing, remembers what it is shown."""

    intervals = ("1m", "5m")
    warmup = 2
    judgement: Judgement | None = None

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, bool]] = []

    def on_kline(self, view: object, *, live: bool) -> None:
        kline = view.kline  # type: ignore[attr-defined]
        assert all(one.close_at <= kline.close_at for one in view.klines(kline.interval))  # type: ignore[attr-defined]
        self.seen.append((kline.interval, (kline.close_at - START) // MINUTE_US, live))


def _minute(open_at: int, interval: str = "1m", length: int = MINUTE_US) -> Kline:
    return Kline(ETH, interval, open_at, open_at + length, 100.0, 101.0, 99.0, 100.0, 1.0)


def test_history_warms_a_strategy_before_it_is_asked_and_higher_intervals_come_first() -> None:
    strategy = Minutes()
    stage = Stage(ready=False)
    stage.engine = Engine(SETTINGS, {ETH: MARKET}, {ETH: strategy}, stage.ids, START, D(10_000), None)
    outputs = stage.tell(StreamChanged("market", ready=True))
    fetches = every(FetchKlines, outputs)
    assert [(fetch.interval, fetch.until_at) for fetch in fetches] == [("1m", START), ("5m", START)]
    five = _minute(START - 5 * MINUTE_US, "5m", 5 * MINUTE_US)
    stage.tell(KlineHistory(ETH, "5m", (five,)))
    assert strategy.seen == []
    stage.tell(KlineHistory(ETH, "1m", tuple(_minute(START - n * MINUTE_US) for n in (3, 2, 1))))
    assert strategy.seen == [("1m", -2, False), ("1m", -1, False), ("5m", 0, False), ("1m", 0, False)]
    stage.wait(301.0)
    assert strategy.seen[-2:] == [("5m", 5, True), ("1m", 5, True)]


def test_history_that_does_not_come_is_not_waited_for_for_ever() -> None:
    strategy = Minutes()
    stage = Stage(ready=False)
    stage.engine = Engine(SETTINGS, {ETH: MARKET}, {ETH: strategy}, stage.ids, START, D(10_000), None)
    stage.tell(StreamChanged("market", ready=True))
    stage.price(100.0)
    stage.wait(61.0)
    assert strategy.seen == [("1m", 1, True)]
    assert "history_missing" in {note.code for note in every(Note, stage.said)}


def test_a_filled_gap_keeps_klines_whole_and_an_open_one_does_not() -> None:
    for gapless in (True, False):
        stage = Stage()
        stage.wait(1.0)
        stage.tell(StreamChanged("market", ready=False, reason="cut"))
        stage.wait(1.5)
        missed = Trade(ETH, 50, Side.BUY, 103.0, 1.0, stage.now - 200_000)
        stage.tell(TradeHistory(ETH, (missed,), gapless))
        stage.tell(StreamChanged("market", ready=True))
        outputs = stage.kline()
        latest = [record.kline for record in every(KlineClosed, outputs) if not record.revised][-1]
        assert latest.high == 103.0
        assert latest.complete is gapless


def test_a_gap_that_stays_open_within_a_stream_that_goes_on_makes_its_klines_incomplete() -> None:
    for gapless in (True, False):
        stage = Stage()
        stage.wait(1.0)
        stage.tell(TradeHistory(ETH, (), gapless))
        latest = [record.kline for record in every(KlineClosed, stage.kline()) if not record.revised][-1]
        assert latest.complete is gapless
        stage.kline()
        latest = [record.kline for record in every(KlineClosed, stage.kline()) if not record.revised][-1]
        assert latest.complete, "what begins after it is whole again"


def test_trades_that_came_before_the_stream_was_whole_for_the_first_time_do_not_stand_for_history() -> None:
    strategy = Minutes()
    stage = Stage(ready=False)
    stage.engine = Engine(SETTINGS, {ETH: MARKET}, {ETH: strategy}, stage.ids, START, D(10_000), None)
    stage.tell(TradeHistory(ETH, (), gapless=True))
    assert every(FetchKlines, stage.tell(StreamChanged("market", ready=True)))


def test_hooks_of_a_strategy_are_called() -> None:
    class Hooked(Told):
        def __init__(self) -> None:
            super().__init__()
            self.trades: list[float] = []
            self.fills: list[str] = []

        def on_trade(self, trade: Trade) -> None:
            self.trades.append(trade.price)

        def on_fill(self, fill: object) -> None:
            self.fills.append(fill.id)  # type: ignore[attr-defined]

    stage = Stage(ready=False)
    hooked = Hooked()
    stage.told[ETH] = hooked
    stage.engine = Engine(SETTINGS, {ETH: MARKET}, {ETH: hooked}, stage.ids, START, D(10_000), None)
    stage.open()
    entry = stage.enter()
    stage.answer(entry)
    stage.fill(entry)
    stage.show(entry, OrderStatus.CLOSED, filled=entry.size)
    assert hooked.trades == [100.0]
    assert hooked.fills == ["000000001"]
