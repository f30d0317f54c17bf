"""What the exchange core says, as pushes on the channels that tell it (paradex.md 5.5): public to all, private by account.

Every push is encoded once per encoding and handed to all listeners. Facts without a state of their own (`...Touched`) are
read from the core at this moment; of several equal ones in one batch only the last is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from flashscalper.model.amounts import plain
from flashscalper.simulator.facts import (
    AccountTouched,
    BookTouched,
    Fact,
    FillBusted,
    FillMade,
    FundingPoint,
    FundingSettled,
    FundingTicked,
    Liquidated,
    MarketSummary,
    OrderChanged,
    PositionTouched,
    Quote,
    QuoteTouched,
    SimFill,
    SummaryTouched,
    TradePrinted,
)
from flashscalper.simulator.paradex_server import sbe_frames, views
from flashscalper.simulator.paradex_server.book_channels import BookChannels
from flashscalper.simulator.paradex_server.channels import ALL, Channel
from flashscalper.simulator.paradex_server.context import Context
from flashscalper.simulator.paradex_server.fanout import Fanout, Frames
from flashscalper.simulator.paradex_server.sessions import Session, Sessions

_TOUCHED: Final = (AccountTouched, PositionTouched, SummaryTouched, QuoteTouched, BookTouched, FundingTicked)
_SETTLEMENT_ADDRESS: Final = "0x3"


class Publisher:
    """Turns facts into pushes. `run_due` sends what a rate held back."""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions
        self._fanout = Fanout(sessions)
        self.books = BookChannels(context, sessions, self._fanout)
        self._summary_after: dict[str, int] = {}
        self._summary_due: dict[str, int] = {}
        self._handlers: dict[type, Callable[[Any, int], None]] = {
            TradePrinted: self._trade,
            QuoteTouched: self._quote,
            BookTouched: self._book,
            SummaryTouched: self._summary_touched,
            FundingTicked: self._funding,
            OrderChanged: self._order,
            FillMade: self._fill,
            PositionTouched: self._position,
            AccountTouched: self._account,
            FundingSettled: self._payment,
            FillBusted: self._bust,
            Liquidated: self._liquidated,
        }

    def publish(self, facts: Sequence[Fact], now: int) -> None:
        """Everything that happened, in order."""
        last = {_identity(fact): at for at, fact in enumerate(facts) if isinstance(fact, _TOUCHED)}
        for at, fact in enumerate(facts):
            handler = self._handlers.get(type(fact))
            if handler is not None and last.get(_identity(fact), at) == at:
                handler(fact, now)

    def greet(self, session: Session, channel: Channel, now: int) -> None:
        """What a new listener gets at once: the state that later messages change."""
        exchange = self._context.exchange
        if channel.book is not None:
            self.books.greet(session, channel.name, channel.book, now)
        elif channel.kind == "bbo" and channel.symbol is not None:
            frames = self._quote_frames(channel.symbol, exchange.quote(channel.symbol), now)
            self._fanout.to_one(session, channel.name, frames)
        elif channel.kind == "markets_summary":
            for symbol in self._context.names.market_of if channel.symbol is None else (channel.symbol,):
                wanted = session.scope is None or channel.name != "markets_summary" or symbol in session.scope
                if wanted and exchange.is_priced(symbol):
                    self._fanout.to_one(
                        session, channel.name, self._summary_frames(self._context.exchange.summary(symbol), now)
                    )

    def run_due(self, now: int) -> None:
        """Send what was held back and may go now."""
        self.books.run_due(now)
        for symbol in [each for each, at in self._summary_due.items() if now >= at]:
            self._summary(symbol, now)

    def next_due(self) -> int | None:
        """When `run_due` has something to do next."""
        dues = [*self._summary_due.values()]
        books = self.books.next_due()
        if books is not None:
            dues.append(books)
        return min(dues, default=None)

    # --- public -----------------------------------------------------------------------------------------------------------

    def _listened(self, *channels: str) -> list[str]:
        return [channel for channel in channels if self._sessions.has_listeners(channel)]

    def _to_market(self, kind: str, symbol: str, make: Callable[[], Frames]) -> None:
        """To `kind.{market}`, `kind.ALL` and bare `kind`, made only if somebody listens."""
        name = self._context.market_name(symbol)
        channels = self._listened(f"{kind}.{name}", f"{kind}.{ALL}", kind)
        if channels:
            frames = make()
            for channel in channels:
                self._fanout.to_all(channel, frames)

    def _trade(self, fact: TradePrinted, now: int) -> None:
        trade, name = fact.trade, self._context.market_name(fact.trade.symbol)
        self._to_market(
            "trades",
            trade.symbol,
            lambda: Frames(lambda: views.trade(trade, name), lambda version: sbe_frames.trade(trade, name, version, now)),
        )

    def _quote(self, fact: QuoteTouched, now: int) -> None:
        quote = self._context.exchange.quote(fact.symbol)
        self._to_market("bbo", fact.symbol, lambda: self._quote_frames(fact.symbol, quote, now))

    def _quote_frames(self, symbol: str, quote: Quote, now: int) -> Frames:
        name = self._context.market_name(symbol)
        return Frames(lambda: views.bbo(quote, name), lambda version: sbe_frames.bbo(quote, name, version, now))

    def _book(self, fact: BookTouched, now: int) -> None:
        self.books.touched(fact.symbol, now)

    def _summary_touched(self, fact: SummaryTouched, now: int) -> None:
        allowed_at = self._summary_after.get(fact.symbol, 0)
        if now >= allowed_at:
            self._summary(fact.symbol, now)
        else:
            self._summary_due[fact.symbol] = allowed_at

    def _summary(self, symbol: str, now: int) -> None:
        self._summary_due.pop(symbol, None)
        if not self._context.exchange.is_priced(symbol):
            return
        self._summary_after[symbol] = now + self._context.settings.summary_every_us
        name = self._context.market_name(symbol)
        channels = self._listened(f"markets_summary.{name}", f"markets_summary.{ALL}")
        scoped = [each for each in self._sessions.listeners("markets_summary") if each.scope is None or symbol in each.scope]
        if channels or scoped:
            frames = self._summary_frames(self._context.exchange.summary(symbol), now)
            for channel in channels:
                self._fanout.to_all(channel, frames)
            self._fanout.to(scoped, "markets_summary", frames)

    def _summary_frames(self, state: MarketSummary, now: int) -> Frames:
        name = self._context.market_name(state.symbol)
        return Frames(lambda: views.summary(state, name), lambda version: sbe_frames.summary(state, name, version, now))

    def _funding(self, fact: FundingTicked, now: int) -> None:
        point = self._context.exchange.funding(fact.symbol)
        self._context.funding_points[fact.symbol].append(point)
        self._to_market("funding_data", fact.symbol, lambda: self._funding_frames(point, now))

    def _funding_frames(self, point: FundingPoint, now: int) -> Frames:
        rules = self._context.exchange.market(point.symbol)
        hours = rules.funding_period_hours
        return Frames(
            lambda: views.funding(point, rules.market, hours),
            lambda version: sbe_frames.funding(point, rules.market, hours, version, now),
        )

    # --- private ----------------------------------------------------------------------------------------------------------

    def _to_account(
        self, account: str, channels: Sequence[str], json: Callable[[], views.View], sbe: Callable[[int], bytes] | None
    ) -> None:
        """To one account's listeners; SBE only where the switch says so (paradex.md 5.9)."""
        frames = Frames(json, sbe if self._context.settings.private_as_sbe else None)
        for channel in channels:
            self._fanout.to_all(channel, frames, account)

    def _order(self, fact: OrderChanged, now: int) -> None:
        order, name = fact.order, self._context.market_name(fact.order.symbol)
        self._to_account(
            order.account,
            (f"orders.{name}", f"orders.{ALL}"),
            lambda: views.order(order, name, now),
            lambda version: sbe_frames.order(order, name, version, now),
        )

    def _fill(self, fact: FillMade, now: int) -> None:
        fill, name = fact.fill, self._context.market_name(fact.fill.symbol)
        self._to_account(
            fill.account,
            (f"fills.{name}", f"fills.{ALL}"),
            lambda: views.fill(fill, name),
            lambda version: sbe_frames.fill(fill, name, version, now),
        )
        self._to_account(fill.account, ("balance_events",), lambda: self._balance_event(fill, name), None)

    def _balance_event(self, fill: SimFill, name: str) -> views.View:
        log = self._context.exchange.ledger_log(fill.account)
        after = next(state.cash for key, state in reversed(log) if key == fill.key)
        before = after - fill.realized_pnl - fill.funding + fill.fee
        return {
            "type": "TRANSACTION_FILL",
            "fill_id": fill.id,
            "market": name,
            "status": "ON_BLOCKCHAIN",
            "settlement_asset_name": "USDC",
            "settlement_asset_address": _SETTLEMENT_ADDRESS,
            "settlement_asset_balance_before": plain(before),
            "settlement_asset_balance_after": plain(after),
            "settlement_asset_price": "1",
            "funding_index": plain(self._context.exchange.funding(fill.symbol).index),
            "realized_pnl": plain(fill.realized_pnl),
            "fees": plain(fill.fee),
            "realized_funding": plain(fill.funding),
            "created_at": views.ms(fill.filled_at),
        }

    def _position(self, fact: PositionTouched, now: int) -> None:
        if not self._sessions.has_listeners("positions", fact.account):
            return
        held = next(each for each in self._context.exchange.positions(fact.account) if each.symbol == fact.symbol)
        name = self._context.market_name(fact.symbol)
        self._to_account(
            fact.account,
            ("positions",),
            lambda: views.position(held, name),
            lambda version: sbe_frames.position(held, name, version, now),
        )

    def _account(self, fact: AccountTouched, now: int) -> None:
        if not self._sessions.has_listeners("account", fact.account):
            return
        state = self._context.exchange.account_summary(fact.account)
        sbe = lambda version: sbe_frames.account(state, version, now)  # noqa: E731 - named for the line's length
        self._to_account(fact.account, ("account",), lambda: views.account(state), sbe)

    def _payment(self, fact: FundingSettled, now: int) -> None:  # noqa: ARG002 - one shape for all facts
        self._context.payments[fact.account].append(fact)
        name = self._context.market_name(fact.symbol)
        channels = (f"funding_payments.{name}", f"funding_payments.{ALL}")
        self._to_account(fact.account, channels, lambda: views.funding_payment(fact, name), None)

    def _bust(self, fact: FillBusted, now: int) -> None:  # noqa: ARG002 - one shape for all facts
        view = {"account": fact.account, "busted_fill_id": fact.fill_id, "created_at": views.ms(fact.at)}
        self._to_account(fact.account, ("tradebusts",), lambda: view, None)

    def _liquidated(self, fact: Liquidated, now: int) -> None:  # noqa: ARG002 - one shape for all facts
        self._context.liquidations[fact.account].append((fact.id, fact.at))


def _identity(fact: Fact) -> tuple[object, ...]:
    """What makes two `...Touched` facts the same: kind, account and symbol."""
    return type(fact), getattr(fact, "account", ""), getattr(fact, "symbol", "")
