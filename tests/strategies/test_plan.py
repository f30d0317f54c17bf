"""A user's class of fifteen lines: checked before it trades, fed while it trades, completed where it says too little."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from flashscalper.indicators.averages import SMA
from flashscalper.market.book import OrderBook
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BookChange
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import MarketView, Signal
from flashscalper.strategies.loader import build_strategy, check_class, exits_of, find_class
from flashscalper.strategies.plan import ExitPolicy, Parameter, TradingPlan, atr, percent, r
from tests.strategies.views import MARKET, View, kline, row, walk

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "strategies"


class Above(TradingPlan):
    """Buys every close above its average."""

    interval = "1m"
    period = Parameter(5, 2, 50)
    exits = ExitPolicy(stop=percent(1), target=r(2))

    def setup(self) -> None:
        self.average = self.use(SMA(self.period))

    def on_kline(self, view: MarketView) -> Signal | None:
        return self.long("above its average", confidence=50) if view.kline.close > self.average.value else None


def load(name: str) -> ModuleType:
    """An example file as a module, the way the command line loads one."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(strategy: Any, klines: list[Any], view: View | None = None) -> list[Signal | None]:
    shown = view or View()
    return [strategy.on_kline(shown.show(one), live=True) for one in klines]


def test_a_plan_is_asked_only_when_every_indicator_is_warm_and_fed_before_it_is_asked() -> None:
    strategy = build_strategy(Above, MARKET, {"period": 20})
    signals = run(strategy, row([100.0] * 19 + [101.0, 102.0, 90.0]))
    assert [signal is not None for signal in signals] == [False] * 19 + [True, True, False]
    assert strategy.judgement is not None
    assert strategy.judgement.reasons == ("no condition met",)
    assert dict(strategy.judgement.inputs) == {"average": pytest.approx((100.0 * 17 + 101.0 + 102.0 + 90.0) / 20)}


def test_while_it_is_cold_the_plan_says_so() -> None:
    strategy = build_strategy(Above, MARKET)
    run(strategy, row([100.0] * 3))
    assert strategy.judgement is not None
    assert strategy.judgement.reasons == ("warming up: SMA, ATR of 1m klines",)
    assert strategy.judgement.inputs == ()


def test_a_signal_is_completed_with_its_atr_and_the_way_to_its_target() -> None:
    strategy = build_strategy(Above, MARKET)
    signal = run(strategy, row([100.0] * 20 + [101.0]))[-1]
    assert signal is not None
    assert signal.volatility == pytest.approx(1 / 14, rel=0.01)
    # a stop of 1 % is 1.01, the target two of them away, at a confidence of a half
    assert signal.expected_move == pytest.approx(0.02 * 0.5)
    assert strategy.judgement is not None
    assert strategy.judgement.direction is PositionSide.LONG
    assert strategy.judgement.inputs == signal.inputs
    assert dict(signal.inputs) == {"average": pytest.approx((100.0 * 4 + 101.0) / 5)}


def test_what_a_signal_states_itself_is_left_alone() -> None:
    class Sure(Above):
        def on_kline(self, view: MarketView) -> Signal | None:
            return self.short("sure", stop=110.0, target=90.0, expected_move=0.5, volatility=2.0)

    signal = run(build_strategy(Sure, MARKET), row([100.0] * 20))[-1]
    assert signal is not None
    assert (signal.stop, signal.target, signal.expected_move, signal.volatility) == (110.0, 90.0, 0.5, 2.0)


def test_klines_of_another_interval_feed_their_own_indicators_and_ask_nobody() -> None:
    class Slow(Above):
        also = ("5m",)

        def setup(self) -> None:
            super().setup()
            self.calm = self.use(SMA(2), "5m")

    strategy = build_strategy(Slow, MARKET)
    assert strategy.intervals == ("1m", "5m")
    view = View()
    run(strategy, row([100.0] * 20), view)
    assert run(strategy, [kline(n, 100.0, interval="5m") for n in range(2)], view) == [None, None]
    assert strategy.plan.calm.value == 100.0  # type: ignore[attr-defined]
    assert run(strategy, [kline(20, 101.0)], view)[0] is not None


def test_optional_hooks_are_there_only_when_the_plan_defines_them() -> None:
    class Listening(Above):
        seen: ClassVar[list[object]] = []

        def on_fill(self, fill: object) -> None:
            self.seen.append(fill)

    plain, listening = build_strategy(Above, MARKET), build_strategy(Listening, MARKET)
    assert getattr(plain, "on_fill", None) is None
    assert getattr(plain, "on_trade", None) is None
    listening.on_fill("filled")  # type: ignore[attr-defined]
    assert Listening.seen == ["filled"]


def test_the_plans_exits_come_before_the_configured_ones() -> None:
    configured = ExitPolicy(stop=atr(3))
    assert exits_of(build_strategy(Above, MARKET), configured) is Above.exits
    assert exits_of(object(), configured) is configured


def test_the_optimiser_reads_the_declarations_in_order() -> None:
    class Two(Above):
        width = Parameter(2.0, 0.5, 4.0)

    assert list(Two.parameters()) == ["period", "width"]
    assert Two.parameters()["width"].high == 4.0


def made(name: str, **fields: Any) -> type:
    """A class as a user might have got it wrong."""
    return type(name, (Above,), fields)


BAD: list[tuple[str, type, dict[str, object]]] = [
    (r"^strategy Silent: saw 'no on_kline'; accepted: on_kline\(self, view\)", type("Silent", (TradingPlan,), {}), {}),
    (
        r"^strategy Odd\.on_kline: saw .*; accepted: on_kline\(self, view\)$",
        made("Odd", on_kline=lambda self, kline, book: None),
        {},
    ),
    (r"^strategy Odd\.interval: saw '7m'; accepted: 1s, 5s", made("Odd", interval="7m"), {}),
    (r"^strategy Odd\.also: saw '2d'", made("Odd", also=("2d",)), {}),
    (r"^strategy Odd\.exits: saw 5; accepted: one ExitPolicy$", made("Odd", exits=5), {}),
    (r"^Odd\.exits\.stop\.value: saw -1", made("Odd", exits=ExitPolicy(stop=percent(-1))), {}),
    (r"^Above\.period: saw 1; accepted: a whole number from 2 to 50$", Above, {"period": 1}),
    (r"^Above\.period: saw nan", Above, {"period": float("nan")}),
    (r"^Above\.perod: saw 9; accepted: parameters: period$", Above, {"perod": 9}),
    (r"^strategy int: saw 'no intervals, warmup, on_kline, judgement'; accepted: a TradingPlan", int, {}),
]


@pytest.mark.parametrize(("message", "strategy", "values"), BAD)
def test_a_class_that_cannot_trade_is_refused_before_it_does(
    message: str, strategy: type, values: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_strategy(strategy, MARKET, values)


def test_using_an_interval_that_the_plan_does_not_name_is_refused() -> None:
    class Odd(Above):
        def setup(self) -> None:
            self.average = self.use(SMA(3), "15m")

    with pytest.raises(ConfigError, match=r"^interval: saw '15m'; accepted: one that the plan names: 1m$"):
        build_strategy(Odd, MARKET)


class Bare:
    """A strategy that implements the protocol itself."""

    intervals = ("1m",)
    warmup = 1
    judgement = None

    def __init__(self, market: Market) -> None:
        self.market = market

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        return Signal(direction=PositionSide.LONG, confidence=1, reasons=("always",)) if live else None


def test_a_class_that_has_the_whole_protocol_is_taken_as_it_is() -> None:
    strategy = build_strategy(Bare, MARKET)
    assert isinstance(strategy, Bare)
    with pytest.raises(ConfigError, match="no parameters: only a TradingPlan declares them"):
        build_strategy(Bare, MARKET, {"fast": 1})


def test_a_bare_strategy_without_the_live_argument_or_with_a_wrong_interval_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"accepted: \(self, view, \*, live\)$"):
        check_class(type("Old", (Bare,), {"on_kline": lambda self, view: None}))
    with pytest.raises(ConfigError, match=r"^strategy Odd\.intervals: saw '9m'"):
        build_strategy(type("Odd", (Bare,), {"intervals": ("9m",)}), MARKET)


def test_an_unknown_class_name_is_refused_with_the_names_that_there_are() -> None:
    module = load("ema_cross")
    assert find_class(module, "EmaCross").__name__ == "EmaCross"
    with pytest.raises(ConfigError, match=r"^strategy: saw 'EmaCros'; accepted: EmaCross$"):
        find_class(module, "EmaCros")


EXAMPLE_CLASSES = [("ema_cross", "EmaCross"), ("book_imbalance", "BookImbalance"), ("mean_reversion", "MeanReversion")]


@pytest.mark.parametrize(("file", "name"), EXAMPLE_CLASSES)
def test_every_example_loads_and_speaks_both_ways_with_a_reason_and_an_expected_move(file: str, name: str) -> None:
    strategy = build_strategy(find_class(load(file), name), MARKET)
    view = View()
    view.book = OrderBook("ETHUSDT")
    signals: list[Signal] = []
    for number, one in enumerate(walk(7, 400, interval=strategy.intervals[0])):
        heavy = 50.0 if number % 2 else 1.0
        view.book.apply(BookChange("ETHUSDT", number, True, ((1999.0, heavy),), ((2001.0, 10.0),), one.close_at))
        signals += [found for found in run(strategy, [one], view) if found is not None]
    assert {signal.direction for signal in signals} == set(PositionSide)
    assert len(signals) >= 8
    for signal in signals:
        assert signal.reasons
        assert signal.expected_move is not None
        assert signal.expected_move > 0
        assert signal.volatility is not None


@pytest.mark.parametrize(("file", "name"), EXAMPLE_CLASSES)
def test_an_example_is_short_enough_to_be_read_at_a_glance(file: str, name: str) -> None:
    code = [line for line in (EXAMPLES / f"{file}.py").read_text().split(f"class {name}")[1].splitlines() if line.strip()]
    assert len(code) <= 20


class FromParameters(Above):
    """Its exits follow from a parameter."""

    away = Parameter(1.0, 0.0, 90.0)

    def setup(self) -> None:
        super().setup()
        self.exits = ExitPolicy(stop=percent(self.away))


def test_exits_that_follow_from_parameters_hold_for_the_instance_and_are_checked_like_any() -> None:
    made = build_strategy(FromParameters, MARKET, {"away": 2.0})
    assert exits_of(made, ExitPolicy()).stop == percent(2.0)
    with pytest.raises(ConfigError, match=r"^FromParameters\.exits\.stop\.value: saw 0\.0; accepted"):
        build_strategy(FromParameters, MARKET, {"away": 0.0})
