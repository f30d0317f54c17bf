"""The kill switch at any instant, with twenty orders in flight: from the latch on nothing leaves that adds risk.

The law of the storms looks at every byte that leaves ("left although a person killed the bot"), so later than at once is too
late. What was in flight is cancelled or closed, and somebody else's order on the account stays where it is.
"""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from flashscalper.model.events import OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.simulator.facts import NewOrder, SimOrder
from flashscalper.simulator.markets import choose_markets
from flashscalper.strategies.base import Strategy
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.risk import TradingState
from flashscalper.trading.settings import TradingSettings
from tests.campaigns.patter import Scripted, settings
from tests.campaigns.seeding import Setup
from tests.campaigns.storm import FOLDER, START, World

MARKETS = 20
ENTER_AT_S = 5
DECIDED_AT = START + ENTER_AT_S * SECOND_US + 250_000
"""The kline closes a quarter of a second after its end."""
INSTANTS_MS = (-40, 0, 1, 7, 13, 18, 22, 26, 31, 38, 44, 60, 90, 150, 400)
IN_FLIGHT_MS = 18
"""Around the decision: orders leave at 0, are at the exchange after some 20 ms, their answers back after some 40."""


def twenty_markets() -> tuple[Market, ...]:
    (like,) = choose_markets(("ETHUSDT",))
    return tuple(
        msgspec.structs.replace(like, symbol=f"M{number:02d}USDT", market=f"M{number:02d}-USD-PERP", base=f"M{number:02d}")
        for number in range(MARKETS)
    )


def roomy(style: EntryStyle) -> TradingSettings:
    """Limits that let twenty entries out at once."""
    trading = settings(style)
    return msgspec.structs.replace(
        trading,
        sizing=msgspec.structs.replace(trading.sizing, max_notional=Decimal(300)),
        risk=msgspec.structs.replace(
            trading.risk, max_open_orders=1_000, max_orders_per_second=500, max_orders_per_minute=10_000
        ),
    )


def enters(market: Market, life: int) -> Strategy:
    return Scripted(START, {ENTER_AT_S: PositionSide.LONG})


def rests_elsewhere(world: World) -> SimOrder:
    """Somebody else's order, far from the market."""
    market = world.markets[0]
    mark = world.exchange.summary(market.symbol).mark
    assert mark is not None
    order = NewOrder(
        client_id="by-hand", symbol=market.symbol, side=Side.BUY, type=OrderType.LIMIT, size=market.round_size(Decimal(1)),
        price=market.passive_price(mark * Decimal("0.97"), Side.BUY), signed_at=world.now,
    )  # fmt: skip
    placed = world.exchange.place(world.account, order, world.now)
    assert isinstance(placed, SimOrder)
    world.tell_server()
    return placed


STYLES = (EntryStyle.IOC, EntryStyle.POST_ONLY_THEN_IOC)


def kill_after(after_ms: int, style: EntryStyle) -> int:
    """Kill so long after the decision, look at everything; returns how many orders were in flight."""
    setup = Setup(seed=after_ms + 1_000, markets=twenty_markets(), trading=roomy(style), strategy=enters)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = World(setup, Path(folder))
        world.run_until(START + 3 * SECOND_US)
        foreign = rests_elsewhere(world)
        world.run_until(DECIDED_AT + after_ms * 1_000)
        in_flight = len(list(world.engine._floor.orders.all_active()))
        world.tell(OperatorAsked(OperatorAction.KILL, "a random instant"))
        sent = added(world)
        world.run_until(world.now + 10 * SECOND_US)
        assert world.engine._floor.risk.state is TradingState.HALTED
        assert world.laws.at_rest(), f"{after_ms} ms: not flat ten seconds after the kill"
        assert added(world) == sent
        (left,) = world.exchange.open_orders(world.account)
        assert (left.order_id, left.status) == (foreign.order_id, OrderStatus.OPEN)
        world.settle()
    return in_flight


def added(world: World) -> list[str]:
    """Client ids of the orders that add risk and have left."""
    return [client_id for client_id, order in world.laws.sent.items() if order.adds]


@pytest.mark.parametrize("style", STYLES)
def test_nothing_that_adds_risk_leaves_after_the_latch_and_what_is_ours_goes(style: EntryStyle) -> None:
    assert kill_after(IN_FLIGHT_MS, style) >= MARKETS


@pytest.mark.verify
@pytest.mark.parametrize("style", STYLES)
def test_at_any_instant_nothing_that_adds_risk_leaves_after_the_latch(style: EntryStyle) -> None:
    for after_ms in INSTANTS_MS:
        kill_after(after_ms, style)
