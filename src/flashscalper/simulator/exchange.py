"""The simulated exchange: the one door through which requests, market events and time go in, and facts come out.

It composes the parts: `state` (what there is), `admission` (synchronous refusals), `desk` (what becomes of an order),
`execution` (what an execution does to money), `clockwork` (funding, liquidation, speed bumps) and `reads`. Synchronous and
pure: whoever calls with the same arguments in the same order drains the same facts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus, FeeClass
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderStatus
from flashscalper.simulator.admission import Admission
from flashscalper.simulator.clockwork import Clockwork, Errand
from flashscalper.simulator.crowd import Crowd
from flashscalper.simulator.desk import Desk
from flashscalper.simulator.facts import AccountTouched, CancelReason, Fact, NewOrder, Refusal, SimOrder, StatusChanged
from flashscalper.simulator.feeds.base import Feed, FeedEvent
from flashscalper.simulator.reads import Reads
from flashscalper.simulator.rules import DisconnectScope, ExchangeRules
from flashscalper.simulator.saved import CoreSaver, restore_core
from flashscalper.simulator.state import ExchangeState


class Exchange(Reads):
    """Markets, accounts and matching of one exchange. `now` and `started_at` are the simulation's clock, microseconds.

    Every mutator first lets the time pass up to `now` (`advance`). Facts pile up until `drain`.
    """

    def __init__(
        self, markets: Sequence[Market], rules: ExchangeRules, started_at: int, *, recorded: Collection[str] = ()
    ) -> None:
        """`recorded` names the symbols whose book is shown by a recording instead of matched here."""
        unknown = sorted(set(recorded) - {market.symbol for market in markets})
        if unknown:
            raise ConfigError("recorded", unknown, ", ".join(market.symbol for market in markets))
        state = ExchangeState(markets, rules, started_at, frozenset(recorded))
        super().__init__(state)
        self._desk = Desk(state)
        self._admission = Admission(state)
        self._crowd = Crowd(state, self._desk)
        self._clockwork = Clockwork(state, self._desk, started_at)

    @classmethod
    def for_feed(cls, feed: Feed, rules: ExchangeRules, started_at: int) -> Exchange:
        """An exchange with the feed's markets and its kline history up to `started_at`."""
        exchange = cls(feed.markets, rules, started_at, recorded=feed.recorded)
        for symbol, klines in feed.history(started_at).items():
            exchange.seed_history(symbol, klines)
        return exchange

    def saver(self) -> CoreSaver:
        """Who can say which rows of the state changed; told of the facts by whoever drains them."""
        return CoreSaver(self._state, self._clockwork)

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Go on from the rows of an earlier process; only before anything happened here. Raises ConfigError."""
        restore_core(self._state, self._clockwork, rows)

    def seed_history(self, symbol: str, klines: Sequence[Kline]) -> None:
        """Closed one-minute klines from before the start, oldest first: history for all three price kinds."""
        self._state.listing(symbol).tape.seed(klines)

    def open_account(self, account: str, collateral: Decimal, now: int) -> None:
        """A new account with this much settlement currency; one that exists already is left alone."""
        self.advance(now)
        if self._state.open_account(account, collateral, now):
            self._state.emit(AccountTouched(account, now))

    def place(self, account: str, request: NewOrder, now: int) -> SimOrder | Refusal:
        """Take an order. Synchronous checks answer with a Refusal, otherwise with the order in status NEW.

        Risk, matching and resting happen in this call too (Retail: after the speed bump) and come as facts after the NEW
        fact: margin, position limit, price band, post-only and reduce-only failures close the order with a reason.
        """
        self.advance(now)
        refusal = self._admission.check(account, request, now)
        if refusal is not None:
            return refusal
        order = self._desk.open(self._state.accounts[account], request, now)
        answer = order.snapshot()
        if request.fee_class is FeeClass.RETAIL:
            self._clockwork.schedule(now + self._state.rules.speed_bump_us, Errand.ACTIVATE, order)
        else:
            self._desk.activate(order, now)
        self._state.flush(now)
        return answer

    def modify(  # noqa: PLR0917
        self,
        account: str,
        order_id: str,
        size: Decimal,
        price: Decimal | None,
        trigger_price: Decimal | None,
        now: int,
    ) -> SimOrder | Refusal:
        """Change total size, price or trigger price in place (None keeps it). Priority stays only if nothing but the size
        shrinks. The answer's `modify` is PENDING; the outcome (SUCCESS or REJECTED) follows as a fact."""
        self.advance(now)
        checked = self._admission.check_modify(account, order_id, size, price, trigger_price)
        if isinstance(checked, Refusal):
            return checked
        order, change = checked
        answer = self._desk.ask_modify(order, now)
        if order.retail:
            self._clockwork.schedule(now + self._state.rules.speed_bump_us, Errand.MODIFY, order, change)
        else:
            self._desk.modify(order, change, now)
        self._state.flush(now)
        return answer

    def cancel(self, account: str, order_id: str, now: int) -> Refusal | None:
        """Cancel one order; None means queued (Retail: it takes effect after the speed bump)."""
        self.advance(now)
        if self._state.status is ExchangeStatus.MAINTENANCE:
            return Refusal("SERVICE_UNAVAILABLE", "exchange is under maintenance")
        order = self._state.find(account, order_id)
        if order is None:
            return Refusal("ORDER_ID_NOT_FOUND", f"order {order_id} not found")
        if order.status is OrderStatus.CLOSED:
            return Refusal("ORDER_IS_CLOSED", f"order {order_id} is closed")
        if order.retail:
            self._clockwork.schedule(now + self._state.rules.speed_bump_us, Errand.CANCEL, order)
        else:
            self._desk.cancel(order, CancelReason.USER_CANCELED, now)
        self._state.flush(now)
        return None

    def cancel_all(self, account: str, symbol: str | None, now: int) -> tuple[str, ...]:
        """Cancel every order of an account (in one market); the ids that were told to cancel."""
        orders = self.open_orders(account, symbol)
        return tuple(order.order_id for order in orders if self.cancel(account, order.order_id, now) is None)

    def cancel_connection(self, account: str, conn: str, now: int) -> tuple[str, ...]:
        """Cancel-on-disconnect: the socket `conn` of `account` dropped with the switch on; ids of what was canceled.

        Which orders that touches is a rule (`disconnect_scope`, `disconnect_spares_untriggered`).
        """
        self.advance(now)
        rules = self._state.rules
        ids: list[str] = []
        for order in list(self._state.accounts[account].live.values()):
            if rules.disconnect_scope is DisconnectScope.CONNECTION and order.request.conn != conn:
                continue
            if rules.disconnect_spares_untriggered and order.status is OrderStatus.UNTRIGGERED:
                continue
            self._desk.cancel(order, CancelReason.CANCEL_ON_DISCONNECT, now)
            ids.append(order.id)
        self._state.flush(now)
        return tuple(ids)

    def set_leverage(self, account: str, symbol: str, leverage: int, isolated: bool, now: int) -> Refusal | None:  # noqa: FBT001
        """Set the cross-margin leverage of one market, 1 to 1/initial_margin. Isolated margin is refused by name."""
        self.advance(now)
        if account not in self._state.accounts:
            return Refusal("ACCOUNT_NOT_FOUND", f"account {account} not found")
        listing = self._state.listings.get(symbol)
        if listing is None:
            return Refusal("MARKET_NOT_FOUND", f"market {symbol} not found")
        if isolated:
            return Refusal("MARKET_MARGIN_RESTRICTED", "isolated margin is not simulated; accepted: CROSS")
        if not 1 <= leverage <= listing.max_leverage:
            return Refusal("VALIDATION_ERROR", f"leverage {leverage} is not in 1..{listing.max_leverage}")
        self._state.accounts[account].leverage[symbol] = leverage
        self._state.emit(AccountTouched(account, now))
        return None

    def set_status(self, status: ExchangeStatus, now: int) -> None:
        """Change the system mode. Leaving any other mode for OK lets the triggers look at the mark again."""
        self.advance(now)
        if status is self._state.status:
            return
        self._state.status = status
        self._state.emit(StatusChanged(status, now))
        if status is ExchangeStatus.OK:
            for listing in self._state.listings.values():
                self._desk.run_triggers(listing, now)
        self._state.flush(now)

    def bust(self, fill_id: str, now: int) -> Refusal | None:
        """Take back an account's side of a fill (its counterparty keeps its own): see `FillBusted`."""
        self.advance(now)
        refusal = self._desk.execution.bust(fill_id, now)
        self._state.flush(now)
        return refusal

    def feed(self, event: FeedEvent, now: int) -> None:
        """Take one event of the market feed that drives this exchange."""
        self.advance(now)
        self._crowd.take(event, now)
        self._state.flush(now)

    def advance(self, now: int) -> None:
        """Let time pass: funding each second, liquidation every 5 s, speed bumps, each at its own moment, in order."""
        self._clockwork.advance(now)

    def next_deadline(self) -> int | None:
        """When `advance` has something to do next; there is always a funding tick ahead."""
        return self._clockwork.next_at()

    def drain(self) -> list[Fact]:
        """Everything that happened since the last drain, in order."""
        facts = self._state.facts
        self._state.facts = []
        return facts

    def conserved(self, symbol: str) -> Decimal:
        """Sum of positions over everybody, background and insurance fund included: zero unless the book is recorded."""
        listing = self._state.listing(symbol)
        held = sum((account.ledger.size_of(symbol) for account in self._state.accounts.values()), ZERO)
        return held + (listing.crowd_lots + listing.insurance_lots) * listing.step
