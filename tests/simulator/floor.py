"""A trading floor for tests: one toy market with whole ticks and lots, crowd orders and accounts on request."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderType, Side, TimeInForce
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import Fact, FillMade, NewOrder, Refusal, SimFill, SimOrder, TradePrinted
from flashscalper.simulator.feeds.base import FeedEvent, FlowOrder, IndexMoved
from flashscalper.simulator.rules import ExchangeRules

START = 1_767_225_600_000_000
SECOND = 1_000_000
TOY = "TOYUSDT"
BUY, SELL = Side.BUY, Side.SELL
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
F = TypeVar("F")


def toy_market(**changes: Any) -> Market:
    """Price 1000, tick 1, lot 1, fees of the real exchange."""
    market = Market(
        symbol=TOY,
        market="TOY-USD-PERP",
        base="TOY",
        price_tick=Decimal(1),
        size_step=Decimal(1),
        min_notional=Decimal(10),
        max_order_size=Decimal(1_000),
        position_limit=Decimal(2_000),
    )
    return msgspec.structs.replace(market, **changes)


class Floor:
    """An exchange, a clock and short words for what tests do."""

    def __init__(
        self, rules: ExchangeRules | None = None, *, recorded: bool = False, marked: bool = True, **market: Any
    ) -> None:
        self.now = START
        self.exchange = Exchange([toy_market(**market)], rules or ExchangeRules(), START, recorded=[TOY] if recorded else [])
        self.ids = 0
        self.all_facts: list[Fact] = []
        if marked and not recorded:
            self.mark(1000)

    def feed(self, event: FeedEvent) -> None:
        self.exchange.feed(event, self.now)
        self.all_facts += self.exchange.drain()

    def mark(self, price: int | str, index: int | str | None = None) -> None:
        self.feed(IndexMoved(TOY, Decimal(price if index is None else index), Decimal(price)))

    def crowd(self, side: Side, price: int | None, lots: int, *, taker: bool = False) -> int:
        self.ids += 1
        self.feed(FlowOrder(TOY, self.ids, side, price, lots, taker))
        return self.ids

    def book(self, *, bid: int = 999, ask: int = 1001, lots: int = 10, levels: int = 3) -> Floor:
        for level in range(levels):
            self.crowd(BUY, bid - level, lots)
            self.crowd(SELL, ask + level, lots)
        return self

    def account(self, name: str, cash: int | str = 1_000_000) -> str:
        self.exchange.open_account(name, Decimal(cash), self.now)
        return name

    def place(self, account: str, side: Side, size: int, price: int | None = None, **more: Any) -> SimOrder | Refusal:
        kind = more.pop("type", MARKET if price is None else LIMIT)
        signed_at = more.pop("signed_at", self.now)
        order = NewOrder(
            symbol=TOY,
            side=side,
            type=kind,
            size=Decimal(size),
            price=None if price is None else Decimal(price),
            signed_at=signed_at,
            **more,
        )
        answer = self.exchange.place(account, order, self.now)
        self.all_facts += self.exchange.drain()
        return answer

    def order(self, account: str, side: Side, size: int, price: int | None = None, **more: Any) -> SimOrder:
        """Place; the order as it stands after everything that happened at once."""
        answer = self.place(account, side, size, price, **more)
        assert isinstance(answer, SimOrder), answer
        return self.again(answer)

    def again(self, order: SimOrder) -> SimOrder:
        now = self.exchange.order(order.account, order.order_id)
        assert now is not None
        return now

    def stop(self, account: str, side: Side, size: int, trigger: int, **more: Any) -> SimOrder:
        more.setdefault("type", OrderType.STOP_MARKET)
        return self.order(account, side, size, trigger_price=Decimal(trigger), reduce_only=True, **more)

    def modify(self, order: SimOrder, size: int, price: int | None = None, trigger: int | None = None) -> SimOrder | Refusal:
        answer = self.exchange.modify(
            order.account,
            order.order_id,
            Decimal(size),
            None if price is None else Decimal(price),
            None if trigger is None else Decimal(trigger),
            self.now,
        )
        self.all_facts += self.exchange.drain()
        return answer

    def cancel(self, order: SimOrder) -> Refusal | None:
        answer = self.exchange.cancel(order.account, order.order_id, self.now)
        self.all_facts += self.exchange.drain()
        return answer

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.exchange.advance(self.now)
        self.all_facts += self.exchange.drain()

    def facts(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.all_facts if isinstance(fact, kind)]

    def fills(self, account: str) -> list[SimFill]:
        return [fact.fill for fact in self.facts(FillMade) if fact.fill.account == account]

    def prints(self) -> list[tuple[str, int, int]]:
        """(taker side, price, size) of every public trade."""
        return [(fact.trade.side.value, int(fact.trade.price), int(fact.trade.size)) for fact in self.facts(TradePrinted)]

    def size(self, account: str) -> int:
        held = {symbol: size for symbol, size, _ in self.exchange.ledger(account).positions}
        return int(held.get(TOY, 0))


IOC, POST_ONLY, RPI = TimeInForce.IOC, TimeInForce.POST_ONLY, TimeInForce.RPI
