"""Indicators of quotes, books and trades."""

from __future__ import annotations

from math import log, sqrt

import pytest

from flashscalper.indicators.stream import BookImbalance, MicropriceLean, RealisedVolatility, Spread, TradeFlow
from flashscalper.market.book import OrderBook
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote, BookChange
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side


def quote(second: float, bid: float | None, ask: float | None, bid_size: float = 1.0, ask_size: float = 1.0) -> BestQuote:
    return BestQuote("ETHUSDT", bid, bid_size, ask, ask_size, round(second * SECOND_US))


def test_spread_is_a_fraction_of_the_mid_and_missing_with_a_side() -> None:
    spread = Spread()
    spread.update(quote(0, 99.0, 101.0))
    assert spread.value == pytest.approx(0.02)
    spread.update(quote(1, None, 101.0))
    assert spread.value is None


def test_the_microprice_leans_to_the_side_with_less_on_offer() -> None:
    lean = MicropriceLean()
    lean.update(quote(0, 99.0, 101.0, bid_size=3.0, ask_size=1.0))
    assert lean.value == pytest.approx(0.005)  # microprice 100.5
    lean.update(quote(0, 99.0, 101.0, bid_size=1.0, ask_size=1.0))
    assert lean.value == 0.0
    lean.update(quote(1, 99.0, None))
    assert lean.value is None


def test_book_imbalance_moves_half_way_in_its_half_life() -> None:
    book, imbalance = OrderBook("ETHUSDT"), BookImbalance(depth=1, half_life_s=2.0)
    imbalance.update(book)
    assert imbalance.value is None
    book.apply(BookChange("ETHUSDT", 1, True, ((99.0, 3.0),), ((101.0, 1.0),), 0))
    imbalance.update(book)
    assert imbalance.value == pytest.approx(0.5)
    book.apply(BookChange("ETHUSDT", 2, False, (), ((101.0, 9.0),), 2 * SECOND_US))
    imbalance.update(book)
    assert imbalance.value == pytest.approx((0.5 + -0.5) / 2)


def test_trade_flow_forgets_half_in_its_half_life() -> None:
    flow = TradeFlow(half_life_s=10.0)
    flow.update(Trade("ETHUSDT", 1, Side.BUY, 100.0, 4.0, 0))
    assert flow.value == 1.0
    flow.update(Trade("ETHUSDT", 2, Side.SELL, 100.0, 2.0, 10 * SECOND_US))
    assert flow.value == pytest.approx(0.0)
    flow.update(Trade("ETHUSDT", 3, Side.SELL, 100.0, 2.0, 5 * SECOND_US))  # a stamp that goes back is no time
    assert flow.value == pytest.approx(-2.0 / 6.0)


def test_realised_volatility_of_equal_steps_is_their_size_by_the_square_root_of_time() -> None:
    volatility = RealisedVolatility(half_life_s=1_000.0, horizon_s=100.0)
    for second in range(500):
        mid = 100.0 * 1.001 ** (second % 2)
        volatility.update(quote(second, mid - 0.05, mid + 0.05))
    assert volatility.value == pytest.approx(log(1.001) * sqrt(100.0), rel=1e-9)


def test_realised_volatility_ignores_a_missing_side_and_a_stamp_that_goes_back() -> None:
    volatility = RealisedVolatility()
    for one in (quote(1, 99.0, 101.0), quote(2, None, 101.0), quote(0.5, 50.0, 51.0)):
        volatility.update(one)
    assert volatility.value is None


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), True])
def test_a_bad_half_life_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="half_life_s"):
        TradeFlow(half_life_s=bad)
