"""A stage for the engine: a strategy that says what a test tells it, and a small exchange that answers as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.commands import CancelOrder, Command, ModifyOrder, PlaceOrder, QueryOrder, Reconcile
from flashscalper.model.events import (
    AccountSnapshot,
    BestQuote,
    Event,
    FillReported,
    MarkPrice,
    OperatorAction,
    OperatorAsked,
    OrderFound,
    OrderUpdate,
    RequestKind,
    RequestOutcome,
    StreamChanged,
    TimePassed,
    Verdict,
)
from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition, PositionSide
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import ExitPolicy, percent
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.engine import Engine, Output
from flashscalper.trading.saved import SavedState
from flashscalper.trading.settings import EntrySettings, ProtectionSettings, RiskLimits, TradingSettings
from flashscalper.trading.sizing import SizingSettings

D = Decimal
START = 1_767_225_600 * SECOND_US
ETH, BTC = "ETHUSDT", "BTCUSDT"
CASH = Decimal(10_000)
T = TypeVar("T")

MARKET = Market(
    symbol=ETH, market="ETH-USD-PERP", base="ETH", price_tick=D("0.01"), size_step=D("0.001"), min_notional=D(10),
    max_order_size=D(500), position_limit=D(5000),
)  # fmt: skip

SETTINGS = TradingSettings(
    risk=RiskLimits(symbol_loss_cooldown_s=0.0, max_daily_loss_share=None, max_drawdown_share=None),
    entry=EntrySettings(style=EntryStyle.IOC, max_slippage_bps=5.0),
    sizing=SizingSettings(risk_per_trade=0.005),
    costs=CostSettings(report_only=True),
    exits=ExitPolicy(stop=percent(0.5), target=percent(1.0)),
    protection=ProtectionSettings(signed_ahead=False),
)
"""Exits are signed when they are wanted; `test_signed_ahead` has them at hand."""


def market_of(symbol: str) -> Market:
    return msgspec.structs.replace(MARKET, symbol=symbol, market=f"{symbol[:3]}-USD-PERP", base=symbol[:3])


class Told:
    """A strategy that gives the signals it was told to give, one at each closed kline."""

    intervals = ("1s",)
    warmup = 1

    def __init__(self) -> None:
        self.next: list[Signal] = []
        self.klines: list[tuple[int, bool]] = []
        self.judgement: Judgement | None = None

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        self.klines.append((view.kline.close_at, live))
        return self.next.pop(0) if self.next and live else None


def signal(direction: PositionSide = PositionSide.LONG, **more: Any) -> Signal:
    fields: dict[str, Any] = {"confidence": 80.0, "reasons": ("told so",), "expected_move": 0.01, **more}
    return Signal(direction=direction, **fields)


class Stage:
    """One engine, its clock, and everything it ever said."""

    def __init__(
        self,
        settings: TradingSettings = SETTINGS,
        symbols: Sequence[str] = (ETH,),
        *,
        saved: SavedState | None = None,
        at: int = START,
        cash: Decimal | None = CASH,
        ready: bool = True,
    ) -> None:
        self.now = at
        self.told = {symbol: Told() for symbol in symbols}
        self.markets = {symbol: market_of(symbol) for symbol in symbols}
        self.ids = ClientIds(at)
        self.engine = Engine(settings, self.markets, self.told, self.ids, at, cash, saved)
        self.said: list[Output] = []
        self.journal: list[tuple[int, Output]] = []
        self.trade_id = int((at - START) // SECOND_US) * 1_000
        self.fill_id = 0
        self.order_no = 0
        if ready:
            self.open()

    # Talking to the engine

    def tell(self, event: Event, after_s: float = 0.0) -> list[Output]:
        self.now += int(after_s * SECOND_US)
        outputs = self.engine.handle(event, self.now)
        self.said += outputs
        self.journal += [(self.now, output) for output in outputs]
        wake_at = self.engine.wake_at()
        assert wake_at is None or wake_at > self.now, "the engine wants to be woken in the past"
        return outputs

    def wait(self, seconds: float) -> list[Output]:
        """Let time pass, waking the engine whenever it wants."""
        until, outputs = self.now + int(seconds * SECOND_US), list[Output]()
        while (wake_at := self.engine.wake_at()) is not None and wake_at <= until:
            self.now = max(self.now, wake_at)
            outputs += self.tell(TimePassed(self.now))
        self.now = until
        return outputs + self.tell(TimePassed(until))

    def open(self, *, positions: tuple[ExchangePosition, ...] = (), cash: Decimal = CASH) -> None:
        """Streams ready, account read, prices there."""
        self.tell(StreamChanged("market", ready=True))
        self.tell(StreamChanged("account", ready=True))
        self.snapshot(positions=positions, cash=cash)
        for symbol in self.markets:
            self.price(100.0, symbol=symbol)
        self.wait(0.5)

    def snapshot(
        self,
        *,
        orders: tuple[Order, ...] = (),
        fills: tuple[Fill, ...] = (),
        positions: tuple[ExchangePosition, ...] = (),
        cash: Decimal = CASH,
        failed: str = "",
        asked_at: int | None = None,
    ) -> list[Output]:
        summary = AccountSummary(
            account="0x1", account_value=cash, total_collateral=cash, free_collateral=cash, initial_margin=ZERO,
            maintenance_margin=ZERO,
        )  # fmt: skip
        return self.tell(
            AccountSnapshot(orders, fills, positions, summary, self.now if asked_at is None else asked_at, failed)
        )

    def price(self, mid: float, *, spread: float = 0.02, symbol: str = ETH, after_s: float = 0.0) -> list[Output]:
        """Trade, quote and mark at a price."""
        self.now += int(after_s * SECOND_US)
        self.trade_id += 1
        bid, ask = round(mid - spread / 2, 4), round(mid + spread / 2, 4)
        outputs = self.tell(Trade(symbol, self.trade_id, Side.BUY, mid, 1.0, self.now))
        outputs += self.tell(BestQuote(symbol, bid, 10.0, ask, 10.0, self.now))
        return outputs + self.tell(MarkPrice(symbol, mid, mid, 0.0, self.now))

    def kline(self, *, symbol: str = ETH) -> list[Output]:
        """Let the next kline of a second close."""
        delay = SECOND_US // 4
        closes_at = (self.now - delay) // SECOND_US * SECOND_US + SECOND_US + delay
        return self.wait((closes_at - self.now) / SECOND_US)

    def enter(self, direction: PositionSide = PositionSide.LONG, *, symbol: str = ETH, **more: Any) -> PlaceOrder:
        """Have the strategy signal at the next kline and return the entry order that follows."""
        self.told[symbol].next.append(signal(direction, **more))
        return one(PlaceOrder, self.kline())

    def operator(self, action: OperatorAction, reason: str = "test") -> list[Output]:
        return self.tell(OperatorAsked(action, reason))

    # What the exchange says

    def answer(
        self, order: PlaceOrder, verdict: Verdict = Verdict.ACCEPTED, code: str = "", message: str = ""
    ) -> list[Output]:
        order_id = f"x{order.client_id}" if verdict is Verdict.ACCEPTED else ""
        return self.tell(RequestOutcome(RequestKind.PLACE, order.client_id, verdict, order_id, code, message))

    def show(
        self,
        order: PlaceOrder,
        status: OrderStatus = OrderStatus.OPEN,
        *,
        filled: Decimal = ZERO,
        reason: str = "",
        **changed: Any,
    ) -> list[Output]:
        return self.tell(OrderUpdate(shown(order, status, self.now, filled=filled, reason=reason, **changed)))

    def fill(
        self, order: PlaceOrder, size: Decimal | None = None, price: Decimal | float | str | None = None, **changed: Any
    ) -> list[Output]:
        self.fill_id += 1
        fill = fill_of(order, self.fill_id, self.now, size=size, price=price)
        return self.tell(FillReported(msgspec.structs.replace(fill, **changed)))

    def fill_whole(self, order: PlaceOrder, price: Decimal | float | str | None = None) -> list[Output]:
        """Accepted, filled and closed, as a taking order is."""
        outputs = self.answer(order)
        outputs += self.fill(order, price=price)
        return outputs + self.show(order, OrderStatus.CLOSED, filled=order.size)

    def rest_stop(self, order: PlaceOrder) -> list[Output]:
        """Accepted and waiting for its trigger."""
        return self.answer(order) + self.show(order, OrderStatus.UNTRIGGERED)

    def long(self, price: float = 100.01) -> tuple[PlaceOrder, PlaceOrder]:
        """An open, protected long: its entry and its stop."""
        entry = self.enter()
        stop = one(PlaceOrder, self.fill_whole(entry, price))
        self.rest_stop(stop)
        return entry, stop

    @property
    def size(self) -> Decimal:
        position = self.engine.status().markets[0].position
        if position is None:
            return ZERO
        return position.size

    @property
    def protection(self) -> str:
        position = self.engine.status().markets[0].position
        return "flat" if position is None else position.protection


def shown(
    order: PlaceOrder, status: OrderStatus, at: int, *, filled: Decimal = ZERO, reason: str = "", **changed: Any
) -> Order:
    """An order as the exchange shows it."""
    base = Order(
        symbol=order.symbol, client_id=order.client_id, order_id=f"x{order.client_id}", side=order.side, type=order.type,
        size=order.size, remaining=order.size - filled, status=status, price=order.price, trigger_price=order.trigger_price,
        time_in_force=order.time_in_force, reduce_only=order.reduce_only, cancel_reason=reason, created_at=at, updated_at=at,
    )  # fmt: skip
    if "size" in changed and "remaining" not in changed:
        changed["remaining"] = changed["size"] - filled
    return msgspec.structs.replace(base, **changed)


def fill_of(
    order: PlaceOrder, number: int, at: int, *, size: Decimal | None = None, price: Decimal | float | str | None = None
) -> Fill:
    """An execution of an order: taker fee, at its own price unless told."""
    if price is None:
        price = order.price if order.price is not None else D("100.00")
    exact = price if isinstance(price, Decimal) else D(str(price))
    size = order.size if size is None else size
    maker = order.time_in_force is TimeInForce.POST_ONLY
    rate = MARKET.maker_fee if maker else MARKET.taker_fee
    return Fill(
        id=f"{number:09d}", order_id=f"x{order.client_id}", client_id=order.client_id, symbol=order.symbol, side=order.side,
        liquidity=Liquidity.MAKER if maker else Liquidity.TAKER, price=exact, size=size,
        fee=round_money(exact * size * rate), filled_at=at,
    )  # fmt: skip


def every(kind: type[T], outputs: Sequence[Output]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


def one(kind: type[T], outputs: Sequence[Output]) -> T:
    """The one output of a kind; fails with everything that was said instead."""
    found = every(kind, outputs)
    assert len(found) == 1, f"{len(found)} of {kind.__name__} in {outputs}"
    return found[0]


def none(kind: type[T], outputs: Sequence[Output]) -> None:
    assert every(kind, outputs) == []


def found(order: PlaceOrder, at: int, status: OrderStatus = OrderStatus.OPEN, **more: Any) -> OrderFound:
    return OrderFound(order.client_id, shown(order, status, at, **more))


COMMANDS = (PlaceOrder, ModifyOrder, CancelOrder, QueryOrder, Reconcile)


def commands(outputs: Sequence[Output]) -> list[Command]:
    return [output for output in outputs if isinstance(output, COMMANDS)]


__all__ = [
    "COMMANDS",
    "D",
    "OrderRole",
    "OrderType",
    "Stage",
    "commands",
    "every",
    "fill_of",
    "found",
    "none",
    "one",
    "shown",
]
