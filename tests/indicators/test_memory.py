"""No indicator keeps more than it needs: what it holds does not grow with what it has seen."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from flashscalper.indicators.registry import INDICATORS, create_indicator
from flashscalper.indicators.stream import BookImbalance, MicropriceLean, RealisedVolatility, Spread, TradeFlow
from flashscalper.market.book import OrderBook
from flashscalper.model.events import BestQuote, BookChange
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side
from flashscalper.strategies.profiles import CLASSIC, DEFAULT
from flashscalper.strategies.scalper_instruments import Instruments
from tests.indicators.recorded import make_kline

FULL = 1_500
"""Klines after which the longest default window (and twice the reach of a divergence) is full."""


def market(count: int) -> list[Kline]:
    dice, price, klines = Random(7), 100.0, []
    for number in range(count):
        before, price = price, price * (1 + dice.gauss(0, 0.001))
        reach = dice.random() * 0.1
        klines.append(
            make_kline(number, before, max(before, price) + reach, min(before, price) - reach, price, dice.random())
        )
    return klines


KLINES = market(2 * FULL)


def held(thing: Any, seen: set[int] | None = None) -> int:
    """How many values an object holds, itself and everything it leads to; numbers and words count one each."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    return 1 + sum(held(part, seen) for part in parts(thing))


def parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, str | bytes | int | float | Kline):
        return ()
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    if hasattr(thing, "__iter__") and not hasattr(thing, "update"):
        return list(thing)
    names = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    return [*vars(thing).values(), *own(thing, names)] if hasattr(thing, "__dict__") else own(thing, names)


def own(thing: Any, names: Iterable[str]) -> list[Any]:
    return [getattr(thing, name) for name in names if hasattr(thing, name) and not callable(getattr(thing, name))]


def grown(machine: Any, things: Iterable[Any]) -> list[int]:
    """What it held at most in the first half of `things` after its windows were full, and in the second."""
    sizes = []
    for thing in things:
        machine.update(thing)
        sizes.append(held(machine))
    half = len(sizes) // 2
    return [max(sizes[half // 2 : half]), max(sizes[half:])]


class Hoarder:
    """What no indicator may be."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[float, float]] = {}

    def update(self, kline: Kline) -> None:
        """Keeps every close."""
        self.kept[kline.open_at] = (kline.open, kline.close)


def test_something_that_keeps_everything_is_seen_to_grow() -> None:
    first, second = grown(Hoarder(), KLINES[:100])
    assert second > 1.5 * first


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_of_klines_does_not_grow(name: str) -> None:
    machine, sizes = create_indicator(name), list[int]()
    for number, kline in enumerate(KLINES):
        machine.update(kline)
        if number % 50 == 49:
            sizes.append(held(machine))
    half = len(sizes) // 2
    assert max(sizes[half:]) <= 1.1 * max(sizes[half // 2 : half]) + 4


@pytest.mark.parametrize("profile", [DEFAULT, CLASSIC], ids=lambda profile: profile.name)
def test_the_scalpers_whole_set_does_not_grow(profile: Any) -> None:
    machine, sizes = Instruments(profile.scalper), list[int]()
    for number, kline in enumerate(KLINES):
        machine.update(kline)
        if number % 50 == 49:
            sizes.append(held(machine))
    half = len(sizes) // 2
    assert max(sizes[half:]) <= 1.1 * max(sizes[half // 2 : half]) + 4
    assert sizes[-1] < 2_000


def test_indicators_of_the_stream_do_not_grow() -> None:
    book = OrderBook("ETHUSDT")
    book.apply(BookChange("ETHUSDT", 1, True, ((99.0, 3.0),), ((101.0, 1.0),), 0))
    quotes = [BestQuote("ETHUSDT", 100.0 - n % 3, 1.0, 101.0 + n % 5, 1.0, n * SECOND_US) for n in range(400)]
    trades = [Trade("ETHUSDT", n, Side.BUY, 100.0 + n % 7, 1.0, n * SECOND_US) for n in range(400)]
    for machine, things in (
        (Spread(), quotes), (MicropriceLean(), quotes), (RealisedVolatility(), quotes), (TradeFlow(), trades),
        (BookImbalance(), [book] * 400),
    ):  # fmt: skip
        first, second = grown(machine, things)
        assert second <= first
