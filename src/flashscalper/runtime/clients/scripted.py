"""What every exchange offers to scripts: `ExchangeRestClient`, and the values that its calls return.

No risk gate stands before a scripted order: it is signed and sent as asked for, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Self

import msgspec

from flashscalper.model.amounts import parse_amount, plain
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.events import LeverageRead, Verdict
from flashscalper.model.fills import Fill
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition

Amount = Decimal | int | str
"""A money figure as a script may write it. Floats are refused: `0.1` is not exactly 0.1."""


class ScriptedOrder(Order, frozen=True, kw_only=True):
    """The order a script asked for, as last reported, with what is known of the request.

    `outcome` is `accepted`, or `unknown`: the request left and no proof of its fate came back. An unknown order may rest or
    have filled; find out with `get_order`, never by sending it again. Its other fields then repeat what was asked for.
    """

    outcome: Verdict = Verdict.ACCEPTED
    message: str = ""

    @property
    def unknown(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.outcome is Verdict.UNKNOWN


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a script wants: any of the exchange's types, alone (`place_order`) or in a batch (`place_batch`).

    `price` belongs to the types with a limit, `trigger_price` to those that wait for the mark price (stops, take-profits);
    one that is missing, or given where it means nothing, is refused by name. `client_id` is made up when empty.
    """

    symbol: str
    side: Side | str
    size: Amount
    type: OrderType | str = OrderType.LIMIT
    price: Amount | None = None
    trigger_price: Amount | None = None
    time_in_force: TimeInForce | str = TimeInForce.GTC
    reduce_only: bool = False
    client_id: str = ""


class CancelOutcome(StrEnum):
    """What became of a request to cancel."""

    ACCEPTED = "accepted"
    FILLED = "filled"
    GONE = "gone"
    UNKNOWN = "unknown"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Mark, index, last trade and best quote of one market, each with the exchange's own instant (microseconds)."""

    symbol: str
    mark: float
    index: float
    last: float | None
    marked_at: int
    bid: float | None
    bid_size: float
    ask: float | None
    ask_size: float
    quoted_at: int


class FundingRate(msgspec.Struct, frozen=True):
    """The funding rate as a fraction per `period_hours`; positive means longs pay."""

    symbol: str
    rate: float
    period_hours: int
    read_at: int


class ExchangeRestClient(ABC):
    """One account on one exchange, for scripts. An async context manager: leaving it closes every connection.

    Symbols may be ours (`ETHUSDT`), the exchange's (`ETH-USD-PERP`) or ccxt's (`ETH/USD:USDC`). Reads raise AuthError,
    RateLimitError, ExchangeError, TransportError, DeadlineError or ProtocolError; input that cannot be meant raises
    ConfigError naming the field. A refused order raises ExchangeError; one whose fate is unknown is returned as such.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """Close every connection; a second call does nothing."""

    # market data

    @abstractmethod
    async def get_market(self, symbol: str) -> Market:
        """The rules of one market."""

    @abstractmethod
    async def get_price(self, symbol: str) -> Price:
        """Mark, index and best quote, with their ages."""

    @abstractmethod
    async def get_klines(
        self, symbol: str, interval: str, limit: int = 100, *, include_current: bool = False, price_kind: str = "last"
    ) -> list[Kline]:
        """The last `limit` closed klines, oldest first; the forming one behind them if asked for, not `closed`.

        `price_kind` says of which price: `last` (trades), `mark` or `underlying`.
        """

    @abstractmethod
    async def get_funding_rate(self, symbol: str) -> FundingRate:
        """The current funding rate."""

    # account

    @abstractmethod
    async def get_balance(self) -> AccountSummary:
        """The margin summary: account value, free collateral and margin, in settlement units."""

    @abstractmethod
    async def get_positions(self) -> list[ExchangePosition]:
        """Every open position."""

    @abstractmethod
    async def set_leverage(self, symbol: str, leverage: int, *, isolated: bool = False) -> LeverageRead:
        """Set leverage and margin mode and read them back; raises ExchangeError when the exchange holds another value."""

    @abstractmethod
    def iter_fills(self, symbol: str = "", *, since_at: int = 0) -> AsyncIterator[Fill]:
        """Our executions since an instant (microseconds), page by page in the exchange's order, each once."""

    async def get_position(self, symbol: str) -> ExchangePosition | None:
        """The open position in one market, None when there is none."""
        wanted = (await self.get_market(symbol)).symbol
        return next((position for position in await self.get_positions() if position.symbol == wanted), None)

    async def get_fills(self, symbol: str = "", *, since_at: int = 0, limit: int = 1_000) -> list[Fill]:
        """The latest `limit` executions since an instant (microseconds), oldest first."""
        fills = [fill async for fill in self.iter_fills(symbol, since_at=since_at)]
        return sorted(fills, key=lambda fill: fill.filled_at)[-limit:]

    # orders

    @abstractmethod
    async def place_market_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        *,
        reduce_only: bool = False,
        client_id: str = "",
        wait_s: float = 2.0,
    ) -> ScriptedOrder:
        """Send a market order and wait up to `wait_s` seconds for its end, so that what filled at which price is known."""

    @abstractmethod
    async def place_limit_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        price: Amount,
        *,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        reduce_only: bool = False,
        client_id: str = "",
    ) -> ScriptedOrder:
        """Send a limit order."""

    @abstractmethod
    async def place_stop_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        trigger_price: Amount,
        *,
        reduce_only: bool = True,
        client_id: str = "",
    ) -> ScriptedOrder:
        """Leave a stop-market order with the exchange; it triggers on the mark price."""

    @abstractmethod
    async def cancel_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> CancelOutcome:
        """Cancel one order by either id; says whether it was taken, came too late, or is unknown."""

    @abstractmethod
    async def cancel_all_orders(self, symbol: str = "") -> None:
        """Cancel every open order of one market, or of all."""

    @abstractmethod
    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Orders that rest or wait for their trigger."""

    @abstractmethod
    async def get_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> Order | None:
        """One order, open or closed; None is a clean no of open orders and history. A read that fails raises."""

    async def order_exists(self, symbol: str, *, order_id: str = "", client_id: str = "") -> bool:
        """Whether the exchange knows the order; a read that fails raises and proves nothing."""
        return await self.get_order(symbol, order_id=order_id, client_id=client_id) is not None

    # figures

    async def round_size(self, symbol: str, size: float | Decimal) -> Decimal:
        """`size` on the market's grid, always down; a float enters by its shortest text, so 0.29 stays 0.29."""
        return (await self.get_market(symbol)).round_size(Decimal(size) if isinstance(size, int) else size)

    async def format_size(self, symbol: str, size: float | Decimal) -> str:
        """The same as text, as the exchange writes it."""
        return plain(await self.round_size(symbol, size))


def checked_side(side: Side | str) -> Side:
    """`BUY`, `buy` or `Side.BUY`; raises ConfigError for anything else."""
    try:
        return Side(side.lower())
    except ValueError:
        raise ConfigError("side", side, "BUY, SELL") from None


def checked_type(kind: OrderType | str) -> OrderType:
    """`STOP_LIMIT`, `stop_limit` or the member; raises ConfigError for anything else."""
    try:
        return OrderType(kind.lower())
    except ValueError:
        raise ConfigError("type", kind, ", ".join(OrderType)) from None


def checked_time_in_force(time_in_force: TimeInForce | str) -> TimeInForce:
    """`IOC`, `ioc` or the member; raises ConfigError for anything else."""
    try:
        return TimeInForce(time_in_force.lower())
    except ValueError:
        raise ConfigError("time_in_force", time_in_force, ", ".join(TimeInForce)) from None


def checked_amount(field: str, value: Amount, step: Decimal, unit: str) -> Decimal:
    """`value` exactly, when it is above zero and a multiple of `step`; raises ConfigError naming `field` otherwise."""
    accepted = f"a Decimal, whole number or text above 0, in steps of {plain(step)} {unit}"
    try:
        amount = parse_amount(field, str(value) if isinstance(value, Decimal) else value)
    except ProtocolError:
        raise ConfigError(field, value, accepted) from None
    if amount <= 0 or amount % step != 0:
        raise ConfigError(field, plain(amount), accepted)
    return amount
