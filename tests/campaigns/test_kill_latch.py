"""The kill at a random instant, with twenty orders on their way: the full stack on virtual time.

Twenty markets signal at the same closed kline. Somewhere between the first order's decision and the last answer a person
kills the bot. From then on nothing that adds risk leaves (the laws look at every byte; here also at the instants), what was
under way is cancelled or closed, and what somebody else rests on the same account stays.
"""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from flashscalper.model.events import OperatorAction, OperatorAsked
from flashscalper.model.instants import MILLISECOND_US, SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.simulator.facts import NewOrder
from flashscalper.simulator.markets import choose_markets
from flashscalper.trading.client_ids import is_ours
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.settings import TradingSettings
from flashscalper.trading.sizing import SizingSettings
from tests.campaigns.patter import Scripted, settings
from tests.campaigns.seeding import Setup
from tests.campaigns.storm import FOLDER, START, World

MARKETS = 20
SIGNAL_S = 6
LATENCY_US = 80 * MILLISECOND_US
ON_TIME_US = 100 * MILLISECOND_US


def markets() -> tuple[Market, ...]:
    (pattern,) = choose_markets(("ETHUSDT",))
    return tuple(
        msgspec.structs.replace(pattern, symbol=f"C{number:02}USDT", market=f"C{number:02}-USD-PERP", base=f"C{number:02}")
        for number in range(MARKETS)
    )


def roomy(style: EntryStyle) -> TradingSettings:
    """Limits that let twenty orders leave at once."""
    base = settings(style)
    risk = msgspec.structs.replace(
        base.risk, max_open_orders=200, max_orders_per_second=200, max_orders_per_minute=2_000,
        max_account_notional=Decimal(40_000),
    )  # fmt: skip
    return msgspec.structs.replace(base, risk=risk, sizing=SizingSettings(max_notional=Decimal(1_000)))


def opened(seed: int, style: EntryStyle, folder: str) -> World:
    """A world whose strategies all signal at second six, in which somebody else rests an order far away."""

    def strategy(market: Market, life: int) -> Scripted:
        return Scripted(START, {SIGNAL_S: PositionSide.LONG if int(market.base[1:]) % 2 else PositionSide.SHORT})

    world = World(
        Setup(
            seed=seed, trading=roomy(style), markets=markets(), latency_us=(LATENCY_US, 10 * MILLISECOND_US),
            strategy=strategy, naked_limit_s=2.0,
        ),
        Path(folder),
    )  # fmt: skip
    world.run_until(START + (SIGNAL_S - 1) * SECOND_US)
    rest_foreign_order(world)
    return world


def rest_foreign_order(world: World) -> None:
    order = NewOrder(
        client_id="by-hand", symbol="C00USDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal(1), price=Decimal(95),
        signed_at=world.now,
    )  # fmt: skip
    world.exchange.place(world.account, order, world.now)
    world.tell_server()


@pytest.mark.parametrize("seed", range(8))
def test_after_the_kill_nothing_opens_and_what_was_under_way_is_brought_home(seed: int) -> None:
    dice = Random(f"kill/{seed}")
    style = dice.choice((EntryStyle.IOC, EntryStyle.POST_ONLY_THEN_IOC))
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = opened(seed, style, folder)
        decided_at = START + SIGNAL_S * SECOND_US + 250 * MILLISECOND_US
        killed_at = decided_at + dice.randrange(3 * LATENCY_US)
        world.run_until(killed_at)
        before = dict(world.laws.sent)
        assert sum(order.adds for order in before.values()) >= MARKETS
        world.tell(OperatorAsked(OperatorAction.KILL, "panic"))
        assert world.laws.killed
        world.run_until(killed_at + 20 * SECOND_US)
        after = [order for client_id, order in world.laws.sent.items() if client_id not in before]
        assert not [order for order in after if order.adds and order.sent_at > killed_at + ON_TIME_US]
        assert not any(order.adds for order in after), "the latch is in the way of the very next order"
        theirs = world.exchange.open_orders(world.account)
        assert [order.client_id for order in theirs] == ["by-hand"], "ours are gone, what is foreign stays"
        assert theirs[0].status is OrderStatus.OPEN
        held = {symbol: size for symbol, size, _ in world.exchange.ledger(world.account).positions if size}
        assert held == {}
        entries = [
            one for one in world.exchange._state.accounts[world.account].orders.values() if is_ours(one.request.client_id)
        ]
        assert all(one.status is OrderStatus.CLOSED for one in entries)
        assert world.engine.status().state == "halted"
        world.journal.close()


def test_twenty_orders_are_in_flight_at_the_kill() -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = opened(1, EntryStyle.IOC, folder)
        world.run_until(START + SIGNAL_S * SECOND_US + 250 * MILLISECOND_US + LATENCY_US // 2)
        active = world.engine._floor.orders.all_active()
        assert len(active) == MARKETS
        assert {str(order.state) for order in active} == {"sent"}
        world.journal.close()
