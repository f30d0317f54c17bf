"""What a person may see of a running engine: one frozen snapshot, cheap enough to take twice a second."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import FeeClass
from flashscalper.model.instants import SECOND_US
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import SignalJudged
from flashscalper.trading.floor import Floor
from flashscalper.trading.market_state import MarketState


class PositionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Our position in one market. `unrealized_pnl` is at the mark; `after_fees` takes the fees of closing off as well."""

    direction: PositionSide
    size: Decimal
    entry_price: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    unrealized_pnl: Decimal
    after_fees: Decimal
    opened_at: int
    protection: str


class MarketStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One market as the engine sees it. Ages in seconds since the last data of a kind, None before the first.

    Nearest miss and `other_passes` (trades that only the costs of our fee class forbade) are today's.
    """

    symbol: str
    last_price: float | None
    bid: float | None
    ask: float | None
    mark: float | None
    position: PositionStatus | None
    last_signal: SignalJudged | None
    nearest_miss: SignalJudged | None
    other_class: FeeClass
    other_passes: int
    blocks: tuple[str, ...]
    trade_age_s: float | None
    quote_age_s: float | None
    mark_age_s: float | None
    warm: bool


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole engine. Money in quote units by our own fold; `sent` to `unknown` count orders of this run."""

    at: int
    state: str
    reasons: tuple[str, ...]
    exchange_status: str
    streams: tuple[tuple[str, bool], ...]
    markets: tuple[MarketStatus, ...]
    cash: Decimal
    equity: Decimal
    fees: Decimal
    funding: Decimal
    realized_pnl: Decimal
    round_trips: int
    sent: int
    filled: int
    canceled: int
    denied: int
    rejected: int
    unknown: int
    open_orders: int


def engine_status(floor: Floor, round_trips: int, now: int) -> EngineStatus:
    """Take the snapshot."""
    counts = floor.desk.counts
    return EngineStatus(
        at=now, state=floor.risk.state, reasons=floor.risk.reasons, exchange_status=floor.status,
        streams=tuple(sorted(floor.streams.items())),
        markets=tuple(_market_status(floor, state, now) for state in floor.markets.values()),
        cash=floor.ledger.cash, equity=floor.equity(), fees=floor.ledger.fees, funding=floor.ledger.funding,
        realized_pnl=floor.ledger.realized, round_trips=round_trips, sent=counts.sent, filled=counts.filled,
        canceled=counts.canceled, denied=counts.denied, rejected=counts.rejected, unknown=counts.unknown,
        open_orders=sum(1 for order in floor.orders.all_active() if order.live),
    )  # fmt: skip


def _market_status(floor: Floor, state: MarketState, now: int) -> MarketStatus:
    quote = state.quote
    return MarketStatus(
        symbol=state.symbol, last_price=state.last_price, bid=quote.bid if quote else None, ask=quote.ask if quote else None,
        mark=state.mark.mark if state.mark else None, position=_position_status(floor, state),
        last_signal=state.last_judged, nearest_miss=state.misses.nearest,
        other_class=state.misses.other_class, other_passes=state.misses.other_passes,
        blocks=tuple(f"{code}: {text}" for code, text in floor.entry_blocks(state.symbol).items()),
        trade_age_s=_age(state.trade_at, now), quote_age_s=_age(state.quote_at, now), mark_age_s=_age(state.mark_at, now),
        warm=state.history.ready,
    )  # fmt: skip


def _position_status(floor: Floor, state: MarketState) -> PositionStatus | None:
    holding = floor.ledger.holding(state.symbol)
    if holding.direction is None:
        return None
    price = state.price or holding.entry_price
    unrealized = holding.unrealized(price)
    entry_fees = holding.trip.fees if holding.trip else ZERO
    stop = state.protection.stop
    taker_fee = state.fees.of(floor.fee_class or FeeClass.PRO).taker
    return PositionStatus(
        direction=holding.direction, size=holding.size, entry_price=holding.entry_price,
        stop_price=stop.trigger_price if stop else None, target_price=state.plan.target_price if state.plan else None,
        unrealized_pnl=unrealized, after_fees=unrealized - entry_fees - abs(holding.size) * price * taker_fee,
        opened_at=holding.trip.opened_at if holding.trip else 0, protection=state.protection.state,
    )  # fmt: skip


def _age(seen_at: int, now: int) -> float | None:
    return (now - seen_at) / SECOND_US if seen_at else None
