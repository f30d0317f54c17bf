"""Everything that one may ask the exchange without changing it."""

from __future__ import annotations

from collections.abc import Sequence

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator import margin
from flashscalper.simulator.facts import (
    Depth,
    FundingPoint,
    FundingSettled,
    LedgerState,
    Liquidated,
    MarketSummary,
    PublicTrade,
    Quote,
    SimAccount,
    SimFill,
    SimOrder,
    SimPosition,
)
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.simulator.state import ExchangeState


class Reads:
    """The read side. An unknown symbol is a ConfigError naming the known ones; an unknown account a KeyError."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    @property
    def rules(self) -> ExchangeRules:
        """The switches."""
        return self._state.rules

    @property
    def status(self) -> ExchangeStatus:
        """The system mode."""
        return self._state.status

    def markets(self) -> tuple[Market, ...]:
        """Every market's rules."""
        return tuple(listing.market for listing in self._state.listings.values())

    def market(self, symbol: str) -> Market:
        """One market's rules."""
        return self._state.listing(symbol).market

    def has_account(self, account: str) -> bool:
        """Whether the account was opened."""
        return account in self._state.accounts

    def accounts(self) -> tuple[str, ...]:
        """Every account, oldest first."""
        return tuple(self._state.accounts)

    def quote(self, symbol: str) -> Quote:
        """Best bid and ask of the API book."""
        return self._state.listing(symbol).quote()

    def interactive_quote(self, symbol: str) -> Quote:
        """Best bid and ask with RPI orders, as Retail takers meet them; may be crossed."""
        return self._state.listing(symbol).interactive_quote()

    def book(self, symbol: str, depth: int) -> Depth:
        """The best `depth` levels of the API book (RPI orders hidden)."""
        return self._state.listing(symbol).depth(depth)

    def interactive_book(self, symbol: str, depth: int) -> Depth:
        """The best `depth` levels with RPI orders; may be crossed."""
        return self._state.listing(symbol).interactive_depth(depth)

    def is_priced(self, symbol: str) -> bool:
        """Whether the market has a mark price yet; before that there is nothing to be told about it."""
        return self._state.listing(symbol).mark is not None

    def summary(self, symbol: str) -> MarketSummary:
        """Prices, funding, open interest and 24 h volume."""
        listing = self._state.listing(symbol)
        held = sum((abs(account.ledger.size_of(symbol)) for account in self._state.accounts.values()), ZERO)
        return listing.summary(held, self._state.now)

    def funding(self, symbol: str) -> FundingPoint:
        """The funding state after the last tick."""
        return self._state.listing(symbol).funding_point()

    def trades(
        self,
        symbol: str,
        start_at: int | None = None,
        end_at: int | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[PublicTrade]:
        """Public trades in [start_at, end_at] with an id below `before_id`, newest first."""
        return self._state.listing(symbol).tape.trades(start_at, end_at, limit, before_id)

    def klines(self, symbol: str, interval: str, start_at: int, end_at: int, kind: str = "last") -> list[Kline]:
        """Klines that open in [start_at, end_at], oldest first; the current one has `closed` False.

        Intervals 1m 3m 5m 15m 30m 1h; kinds last, mark, underlying (the latter two without volume); anything else is a
        ConfigError.
        """
        return self._state.listing(symbol).tape.klines(interval, start_at, end_at, kind, self._state.now)

    def order(self, account: str, order_id: str) -> SimOrder | None:
        """One order of an account, open or closed."""
        order = self._state.find(account, order_id)
        return None if order is None else order.snapshot()

    def order_by_client_id(self, account: str, client_id: str) -> SimOrder | None:
        """The open order with that client id."""
        for order in self._state.accounts[account].live.values():
            if order.request.client_id == client_id:
                return order.snapshot()
        return None

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """NEW, OPEN and UNTRIGGERED orders, oldest first."""
        live = self._state.accounts[account].live.values()
        return [order.snapshot() for order in live if symbol in (None, order.listing.symbol)]

    def orders_history(
        self, account: str, symbol: str | None = None, client_id: str | None = None, status: OrderStatus | None = None
    ) -> list[SimOrder]:
        """Every order known of an account, newest first, filtered by what is given."""
        orders = self._state.accounts[account].orders.values()
        return [
            order.snapshot()
            for order in reversed(orders)
            if symbol in (None, order.listing.symbol)
            and client_id in (None, order.request.client_id)
            and status in (None, order.status)
        ]

    def fills(
        self, account: str, symbol: str | None = None, start_at: int | None = None, end_at: int | None = None
    ) -> list[SimFill]:
        """An account's fills in [start_at, end_at], newest first; busted ones stay in the list."""
        return [
            fill
            for fill in reversed(self._state.accounts[account].fills)
            if symbol in (None, fill.symbol)
            and (start_at is None or fill.filled_at >= start_at)
            and (end_at is None or fill.filled_at <= end_at)
        ]

    def newest_fill(self) -> str:
        """Id of the youngest fill of all accounts that was not busted, "" when there is none."""
        standing = (
            (fill.filled_at, fill.id)
            for account in self._state.accounts.values()
            for fill in account.fills
            if account.ledger.has_booked(fill.id)
        )
        return max(standing, default=(0, ""))[1]

    def busted(self, account: str) -> tuple[tuple[str, int], ...]:
        """(fill id, instant) of every bust, oldest first."""
        return tuple(self._state.accounts[account].busts)

    def funding_payments(self, account: str, symbol: str | None = None) -> list[FundingSettled]:
        """Settled funding of an account, newest first."""
        payments = self._state.accounts[account].funding_payments
        return [payment for payment in reversed(payments) if symbol in (None, payment.symbol)]

    def liquidations(self, account: str) -> tuple[Liquidated, ...]:
        """Every liquidation of an account, oldest first."""
        return tuple(self._state.accounts[account].liquidations)

    def positions(self, account: str) -> list[SimPosition]:
        """Every position an account ever had, closed ones with size zero, by symbol."""
        owner = self._state.accounts[account]
        return [margin.position(self._state, owner, symbol) for symbol in sorted(owner.ledger.holdings)]

    def account_summary(self, account: str) -> SimAccount:
        """The cross-margin summary."""
        return margin.summary(self._state, self._state.accounts[account])

    def leverage(self, account: str, symbol: str) -> int:
        """The leverage in force: the account's own, else the market's maximum."""
        return self._state.accounts[account].leverage_of(self._state.listing(symbol))

    def ledger(self, account: str) -> LedgerState:
        """The account's money now."""
        return self._state.accounts[account].ledger.state()

    def ledger_log(self, account: str) -> Sequence[tuple[str, LedgerState]]:
        """(fill key `kind:id`, the ledger right after it) of every fill, in order; busts appear as `bust:<fill id>`."""
        return self._state.accounts[account].ledger_log

    def touch(self, symbol: str) -> tuple[int | None, int | None]:
        """Best bid and ask in ticks (for feeds)."""
        book = self._state.listings[symbol].book
        return book.best(Side.BUY), book.best(Side.SELL)

    def touch_lots(self, symbol: str, side: Side) -> int:
        """Lots shown at the best price of a side (for feeds)."""
        book = self._state.listings[symbol].book
        best = book.best(side)
        return 0 if best is None else book.lots_at(side, best)

    def level_count(self, symbol: str, side: Side) -> int:
        """Price levels on one side (for feeds)."""
        return self._state.listings[symbol].book.level_count(side)

    def crowd_order(self, symbol: str, side: Side, *, best: bool) -> int | None:
        """First background order at the best, or last at the worst price of a side (for feeds)."""
        return self._state.listings[symbol].book.crowd_order(side, best=best)
