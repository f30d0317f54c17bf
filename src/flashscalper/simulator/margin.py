"""Cross margin (paradex.md 6.9): what an account is worth, what it must keep, and what an order would add.

Initial margin of a market: the larger of max(0, buys + position) and max(0, sells - position), times 1/leverage (never
below the market's base), times the mark; plus a taker-fee provision on open orders and the loss that orders priced
through the mark would open with. Reduce-only and untriggered orders add nothing.
"""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.facts import SimAccount, SimPosition
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import LiveOrder
from flashscalper.simulator.state import ExchangeState


def account_value(state: ExchangeState, account: Account) -> Decimal:
    """Collateral plus unrealised PnL plus accrued funding."""
    value = account.ledger.cash
    for symbol, holding in account.ledger.holdings.items():
        if holding.size:
            listing = state.listings[symbol]
            value += holding.unrealized(listing.known_mark()) + holding.accrued(listing.funding.index)
    return value


def initial_fraction(account: Account, listing: Listing) -> Decimal:
    """1/leverage, never below the market's base."""
    return max(listing.market.initial_margin, 1 / Decimal(account.leverage_of(listing)))


def exposing_orders(account: Account, listing: Listing) -> list[LiveOrder]:
    """Orders that can open or enlarge a position."""
    return [
        order
        for order in account.live.values()
        if order.listing is listing and not order.reduce_only and order.status is not OrderStatus.UNTRIGGERED
    ]


def market_initial_margin(account: Account, listing: Listing, orders: list[LiveOrder]) -> Decimal:
    """Initial margin of one market's position and `orders`."""
    size = account.ledger.size_of(listing.symbol)
    if not size and not orders:
        return ZERO
    mark = listing.known_mark()
    open_size = {side: listing.size(sum(order.left for order in orders if order.side is side)) for side in Side}
    exposure = max(ZERO, open_size[Side.BUY] + size, open_size[Side.SELL] - size)
    provision = ZERO
    for order in orders:
        remaining = listing.size(order.left)
        price = mark if order.price is None or order.is_market else order.price
        loss = price - mark if order.side is Side.BUY else mark - price
        provision += remaining * (price * listing.market.taker_fee + max(ZERO, loss))
    return exposure * initial_fraction(account, listing) * mark + provision


def initial_margin(state: ExchangeState, account: Account) -> Decimal:
    """Initial margin of everything."""
    return sum(
        (market_initial_margin(account, listing, exposing_orders(account, listing)) for listing in state.listings.values()),
        ZERO,
    )


def market_maintenance_margin(state: ExchangeState, account: Account, listing: Listing) -> Decimal:
    """Maintenance factor times initial margin of the position, plus the taker fee to close it."""
    size = abs(account.ledger.size_of(listing.symbol))
    return size * listing.known_mark() * maintenance_fraction(state, account, listing) if size else ZERO


def maintenance_fraction(state: ExchangeState, account: Account, listing: Listing) -> Decimal:
    """Maintenance margin per unit of notional."""
    market = listing.market
    fraction = initial_fraction(account, listing) if state.rules.leverage_raises_maintenance else market.initial_margin
    return market.maintenance_factor * fraction + market.taker_fee


def maintenance_margin(state: ExchangeState, account: Account) -> Decimal:
    """Maintenance margin of everything."""
    return sum((market_maintenance_margin(state, account, listing) for listing in state.listings.values()), ZERO)


def affords(state: ExchangeState, account: Account, order: LiveOrder) -> bool:
    """Whether a live order may stand: the account covers its initial margin with it, or the order does not raise it."""
    if order.reduce_only:
        return True
    orders = exposing_orders(account, order.listing)
    others = [other for other in orders if other is not order]
    with_it = market_initial_margin(account, order.listing, [*others, order])
    if with_it <= market_initial_margin(account, order.listing, others):
        return True
    rest = sum(
        (
            market_initial_margin(account, listing, exposing_orders(account, listing))
            for listing in state.listings.values()
            if listing is not order.listing
        ),
        ZERO,
    )
    return account_value(state, account) >= with_it + rest


def summary(state: ExchangeState, account: Account) -> SimAccount:
    """The account's margin summary, rounded to 8 decimals for display."""
    value = account_value(state, account)
    initial = initial_margin(state, account)
    maintenance = maintenance_margin(state, account)
    return SimAccount(
        account=account.id,
        account_value=round_money(value),
        total_collateral=account.ledger.cash,
        free_collateral=round_money(value - initial),
        initial_margin=round_money(initial),
        maintenance_margin=round_money(maintenance),
        margin_cushion=round_money(value - maintenance),
        unrealized_pnl=round_money(value - account.ledger.cash),
        status="LIQUIDATION" if account.liquidating else "ACTIVE",
        updated_at=state.now,
        seq_no=account.seq_no,
    )


def position(state: ExchangeState, account: Account, symbol: str) -> SimPosition:
    """One position with what it is worth now."""
    holding = account.ledger.holdings[symbol]
    listing = state.listings[symbol]
    return SimPosition(
        account=account.id,
        symbol=symbol,
        size=holding.size,
        entry_price=round_money(holding.entry_price),
        exit_price=holding.exit_price,
        cost=round_money(holding.cost),
        unrealized_pnl=round_money(holding.unrealized(listing.known_mark())) if holding.size else ZERO,
        unrealized_funding=round_money(holding.accrued(listing.funding.index)),
        realized_pnl=holding.realized_pnl,
        realized_funding=holding.funding,
        cached_funding_index=holding.funding_index,
        liquidation_price=liquidation_price(state, account, listing),
        leverage=account.leverage_of(listing),
        last_fill_id=holding.last_fill_id,
        created_at=holding.created_at,
        updated_at=holding.updated_at,
        closed_at=holding.closed_at,
        seq_no=holding.seq_no,
    )


def liquidation_price(state: ExchangeState, account: Account, listing: Listing) -> Decimal | None:
    """The mark at which account value meets maintenance margin while every other market stands still.

    None when flat, or when no positive price does that (a long whose collateral covers it down to zero).
    """
    size = account.ledger.size_of(listing.symbol)
    if not size:
        return None
    fraction = maintenance_fraction(state, account, listing)
    cushion = account_value(state, account) - maintenance_margin(state, account)
    slope = size - abs(size) * fraction
    price = listing.known_mark() - cushion / slope
    return round_money(price) if price > ZERO else None
