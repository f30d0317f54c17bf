"""What an execution does: prints the trade, books both sides' fills and fees, and says so, one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.fills import FillKind, Liquidity
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.book import Resting
from flashscalper.simulator.facts import (
    AccountTouched,
    FillBusted,
    FillMade,
    FundingSettled,
    OrderChanged,
    PositionTouched,
    PublicTrade,
    Refusal,
    SimFill,
    TradePrinted,
)
from flashscalper.simulator.ledger import Booking
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import LiveOrder
from flashscalper.simulator.state import ExchangeState

PositionChanged = Callable[[Account, Listing, int], None]


class _Done(msgspec.Struct, frozen=True):
    """What changed hands, once for both sides."""

    kind: FillKind
    tick: int
    lots: int
    price: Decimal
    size: Decimal
    trade_id: str
    now: int


class Execution:
    """`position_changed(account, listing, now)` is called after both sides of an execution are booked."""

    def __init__(self, state: ExchangeState, position_changed: PositionChanged) -> None:
        self._state = state
        self._position_changed = position_changed

    def settle(
        self,
        listing: Listing,
        *,
        taker: Resting | None,
        maker: Resting | None,
        tick: int,
        lots: int,
        recorded_id: int | None,
        now: int,
    ) -> None:
        """`lots` changed hands at `tick`, already taken off the orders. The maker is booked first."""
        kind = FillKind.RPI if maker is not None and maker.rpi else FillKind.FILL
        price, size = listing.price(tick), listing.size(lots)
        trade_id = "" if recorded_id is None else str(recorded_id)
        if not listing.recorded and taker is not None:
            trade = PublicTrade(listing.symbol, self._state.next_trade_id(), taker.side, price, size, now, kind)
            listing.dirty = True
            listing.tape.print(trade)
            self._state.emit(TradePrinted(trade))
            trade_id = str(trade.id)
        done = _Done(kind, tick, lots, price, size, trade_id, now)
        changed: list[Account] = []
        for order, other, liquidity in ((maker, taker, Liquidity.MAKER), (taker, maker, Liquidity.TAKER)):
            if isinstance(order, LiveOrder):
                self._fill(order, other, liquidity, done)
                changed.append(order.account)
            elif order is not None:
                listing.crowd_lots += lots if order.buy else -lots
                if not order.left:
                    listing.crowd.pop(order.number, None)
        for account in changed:
            self._position_changed(account, listing, now)

    def _fill(self, order: LiveOrder, other: Resting | None, liquidity: Liquidity, done: _Done) -> None:
        """One side of an execution: the order's new state, then the money."""
        account, listing, now = order.account, order.listing, done.now
        order.filled_ticks += done.tick * done.lots
        order.status = OrderStatus.OPEN if order.left else OrderStatus.CLOSED
        if not order.left:
            del account.live[order.id]
            account.forget_closed(self._state.rules.closed_orders_kept)
        order.updated_at = now
        order.seq_no = self._state.next_seq_no(now)
        self._state.emit(OrderChanged(order.snapshot()))
        fill_id = self._state.next_id(now)
        booking = account.ledger.book(
            fill_id,
            listing.symbol,
            size=order.side.sign * done.size,
            price=done.price,
            fee=_fee(order, liquidity, done.price * done.size),
            funding_index=listing.funding.index,
            now=now,
        )
        fill = SimFill(
            id=fill_id,
            kind=done.kind,
            account=account.id,
            order_id=order.id,
            client_id=order.request.client_id,
            symbol=listing.symbol,
            side=order.side,
            liquidity=liquidity,
            price=done.price,
            size=done.size,
            fee=booking.fee,
            realized_pnl=booking.realized_pnl,
            funding=booking.funding,
            remaining=listing.size(order.left),
            flags=_flags(order, other, liquidity, done.kind),
            trade_id=done.trade_id,
            filled_at=now,
            index_price=listing.index or ZERO,
            seq_no=listing.seq_no,
        )
        self._report(account, listing, booking, fill, now)

    def liquidate(self, account: Account, listing: Listing, lots: int, penalty: Decimal, now: int) -> None:
        """Close `lots` of a position at the mark against the insurance fund; the penalty is the fill's fee."""
        side = Side.SELL if account.ledger.size_of(listing.symbol) > ZERO else Side.BUY
        listing.insurance_lots -= side.sign * lots
        price, size, fill_id = listing.known_mark(), listing.size(lots), self._state.next_id(now)
        booking = account.ledger.book(
            fill_id,
            listing.symbol,
            size=side.sign * size,
            price=price,
            fee=penalty,
            funding_index=listing.funding.index,
            now=now,
        )
        fill = SimFill(
            id=fill_id,
            kind=FillKind.LIQUIDATION,
            account=account.id,
            order_id=self._state.next_id(now),
            client_id="",
            symbol=listing.symbol,
            side=side,
            liquidity=Liquidity.TAKER,
            price=price,
            size=size,
            fee=penalty,
            realized_pnl=booking.realized_pnl,
            funding=booking.funding,
            remaining=ZERO,
            flags=(),
            trade_id="",
            filled_at=now,
            index_price=listing.index or ZERO,
            seq_no=listing.seq_no,
        )
        self._report(account, listing, booking, fill, now)
        self._position_changed(account, listing, now)

    def bust(self, fill_id: str, now: int) -> Refusal | None:
        """Take a fill back; the background participants take over the other side, so positions still sum to zero."""
        for account in self._state.accounts.values():
            booking = account.ledger.bust(fill_id)
            if booking is None:
                continue
            fill = next(fill for fill in account.fills if fill.id == fill_id)
            listing = self._state.listings[fill.symbol]
            if not listing.recorded:
                listing.crowd_lots += int(booking.size / listing.step)
            account.busts.append((fill_id, now))
            account.ledger_log.append((f"bust:{fill_id}", account.ledger.state()))
            self._state.emit(FillBusted(account.id, fill_id, fill.kind, fill.symbol, now))
            self._touched(account, listing, now)
            self._position_changed(account, listing, now)
            return None
        return Refusal("NOT_FOUND", f"fill {fill_id} is not booked")

    def _report(self, account: Account, listing: Listing, booking: Booking, fill: SimFill, now: int) -> None:
        account.fills.append(fill)
        account.ledger_log.append((fill.key, account.ledger.state()))
        self._state.emit(FillMade(fill))
        if booking.funding:
            settled = FundingSettled(
                id=self._state.next_id(now),
                account=account.id,
                symbol=listing.symbol,
                fill_id=fill.id,
                payment=booking.funding,
                index=listing.funding.index,
                at=now,
            )
            account.funding_payments.append(settled)
            self._state.emit(settled)
        self._touched(account, listing, now)

    def _touched(self, account: Account, listing: Listing, now: int) -> None:
        account.updated_at = now
        account.seq_no = account.ledger.holdings[listing.symbol].seq_no = self._state.next_seq_no(now)
        self._state.emit(PositionTouched(account.id, listing.symbol, now))
        self._state.emit(AccountTouched(account.id, now))


def _flags(order: LiveOrder, other: Resting | None, liquidity: Liquidity, kind: FillKind) -> tuple[str, ...]:
    """Paradex's fill flags; fastfill marks a Pro taker that met a Retail order."""
    fast = liquidity is Liquidity.TAKER and not order.retail and other is not None and other.retail
    named = (("interactive", order.retail), ("rpi", kind is FillKind.RPI), ("fastfill", fast))
    return tuple(name for name, present in named if present)


def _fee(order: LiveOrder, liquidity: Liquidity, notional: Decimal) -> Decimal:
    """rate x size x price, rounded once; Retail orders have rates of their own."""
    market = order.listing.market
    if liquidity is Liquidity.MAKER:
        return round_money(notional * (market.retail_maker_fee if order.retail else market.maker_fee))
    return round_money(notional * (market.retail_taker_fee if order.retail else market.taker_fee))
