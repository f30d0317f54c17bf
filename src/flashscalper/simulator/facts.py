"""What goes into the simulated exchange and what comes out of it: requests, refusals, snapshots and facts, all frozen.

Money, prices and sizes are Decimal; instants are microseconds UTC. Facts are drained in the order in which they happened;
a `...Touched` fact carries no state: whoever publishes it reads the state at that moment, and may throttle.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import ExchangeStatus, FeeClass
from flashscalper.model.fills import FillKind, Liquidity
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce


class SelfTrade(StrEnum):
    """Self-trade prevention: whose order expires when two orders of one account would meet (paradex.md 6.3)."""

    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class CancelReason(StrEnum):
    """Why an order closed with something remaining. The first three are Paradex's own words; its full list is not
    published (paradex.md 6.1), so the others are ours."""

    USER_CANCELED = "USER_CANCELED"
    NOT_ENOUGH_MARGIN = "NOT_ENOUGH_MARGIN"
    ORDER_EXCEEDS_POSITION_LIMIT = "ORDER_EXCEEDS_POSITION_LIMIT"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    PRICE_BAND_EXCEEDED = "PRICE_BAND_EXCEEDED"
    REDUCE_ONLY_WOULD_INCREASE = "REDUCE_ONLY_WOULD_INCREASE"
    IOC_REMAINDER = "IOC_REMAINDER"
    SLIPPAGE_LIMIT = "SLIPPAGE_LIMIT"
    SELF_TRADE_PREVENTION = "SELF_TRADE_PREVENTION"
    TPSL_PAIR_TRIGGERED = "TPSL_PAIR_TRIGGERED"
    CANCEL_ON_DISCONNECT = "CANCEL_ON_DISCONNECT"
    DELEVERAGING = "DELEVERAGING"
    SYSTEM_STATUS = "SYSTEM_STATUS"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order as a client asks for it, its signature already verified.

    `size` 0 is for reduce-only take-profit and stop-loss types: the whole position at the moment of the trigger.
    `signed_at` is the signature timestamp; `recv_window_us` None means the exchange's default. `conn` is the socket that
    the order came on ("" = REST), for cancel-on-disconnect.
    """

    client_id: str = ""
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    stp: SelfTrade = SelfTrade.EXPIRE_TAKER
    signed_at: int = 0
    recv_window_us: int | None = None
    vwap_price: Decimal | None = None
    fee_class: FeeClass = FeeClass.PRO
    conn: str = ""


class ModifyInfo(msgspec.Struct, frozen=True):
    """The last modify request of an order (`request_info` on the wire): `status` is PENDING, SUCCESS or REJECTED."""

    id: str
    status: str
    message: str = ""


class SimOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one order. `flags` are Paradex's order flags; `average_price` is None before the first fill."""

    order_id: str
    account: str
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    remaining: Decimal
    status: OrderStatus
    price: Decimal | None
    trigger_price: Decimal | None
    time_in_force: TimeInForce
    reduce_only: bool
    stp: SelfTrade
    fee_class: FeeClass
    signed_at: int
    recv_window_us: int | None
    vwap_price: Decimal | None
    conn: str
    cancel_reason: str
    average_price: Decimal | None
    created_at: int
    updated_at: int
    received_at: int
    seq_no: int
    flags: tuple[str, ...]
    modify: ModifyInfo | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A synchronous no with the exchange's error code (paradex.md appendix C)."""

    code: str
    message: str


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """One public trade. `side` is the taker's; ids grow within a market."""

    symbol: str
    id: int
    side: Side
    price: Decimal
    size: Decimal
    traded_at: int
    kind: FillKind = FillKind.FILL


class SimFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of an account's order. `side` is the account's; `fee` positive is paid; `funding` positive received.

    `realized_pnl` is gross of the fee. `trade_id` names the public trade ("" when nothing was printed). `seq_no` is the
    book's sequence, `index_price` the underlying price at that moment.
    """

    id: str
    kind: FillKind
    account: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    liquidity: Liquidity
    price: Decimal
    size: Decimal
    fee: Decimal
    realized_pnl: Decimal
    funding: Decimal
    remaining: Decimal
    flags: tuple[str, ...]
    trade_id: str
    filled_at: int
    index_price: Decimal = ZERO
    seq_no: int = 0

    @property
    def key(self) -> str:
        """`kind:id`, the key of a fill in the ledger log."""
        return f"{self.kind}:{self.id}"


class LedgerState(msgspec.Struct, frozen=True):
    """An account's money: `cash` = start + `realized_pnl` + `funding` - `fees`; open positions as (symbol, signed size,
    entry price), by symbol."""

    account: str
    cash: Decimal
    fees: Decimal
    funding: Decimal
    realized_pnl: Decimal
    positions: tuple[tuple[str, Decimal, Decimal], ...]


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask of the API book; a side without orders is None with size zero."""

    bid: Decimal | None
    bid_size: Decimal
    ask: Decimal | None
    ask_size: Decimal
    seq_no: int
    at: int


class Depth(msgspec.Struct, frozen=True, gc=False):
    """The API book as (price, size), best first."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    seq_no: int
    at: int


class MarketSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A market at one moment. `funding_rate` is for the market's own period; volumes are in quote units, `change_24h` is a
    fraction."""

    symbol: str
    mark: Decimal
    index: Decimal
    last: Decimal | None
    quote: Quote
    funding_rate: Decimal
    funding_index: Decimal
    open_interest: Decimal
    volume_24h: Decimal
    total_volume: Decimal
    change_24h: Decimal
    at: int


class FundingPoint(msgspec.Struct, frozen=True):
    """Funding of one market: rate per period, premium in quote units per base unit per period, cumulative index."""

    symbol: str
    rate: Decimal
    premium: Decimal
    index: Decimal
    premium_rate: Decimal
    at: int


class SimPosition(msgspec.Struct, frozen=True, kw_only=True):
    """An account's position in one market; `size` is signed, zero when closed. `cost` is entry price times size."""

    account: str
    symbol: str
    size: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    cost: Decimal
    unrealized_pnl: Decimal
    unrealized_funding: Decimal
    realized_pnl: Decimal
    realized_funding: Decimal
    cached_funding_index: Decimal
    liquidation_price: Decimal | None
    leverage: int
    last_fill_id: str
    created_at: int
    updated_at: int
    closed_at: int
    seq_no: int


class SimAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account's cross-margin summary in settlement units (paradex.md 6.9); `status` is ACTIVE or LIQUIDATION."""

    account: str
    account_value: Decimal
    total_collateral: Decimal
    free_collateral: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_cushion: Decimal
    unrealized_pnl: Decimal
    status: str
    updated_at: int
    seq_no: int


class TradePrinted(msgspec.Struct, frozen=True, gc=False):
    """A public trade happened."""

    trade: PublicTrade


class BookTouched(msgspec.Struct, frozen=True, gc=False):
    """The API book changed somewhere."""

    symbol: str
    seq_no: int
    at: int


class QuoteTouched(msgspec.Struct, frozen=True, gc=False):
    """The best bid or ask changed in price or size."""

    symbol: str
    seq_no: int
    at: int


class SummaryTouched(msgspec.Struct, frozen=True, gc=False):
    """Mark or index price changed."""

    symbol: str
    at: int


class OrderChanged(msgspec.Struct, frozen=True):
    """The whole state of one order after a change."""

    order: SimOrder


class FillMade(msgspec.Struct, frozen=True):
    """An account's order executed."""

    fill: SimFill


class PositionTouched(msgspec.Struct, frozen=True):
    """An account's position changed."""

    account: str
    symbol: str
    at: int


class AccountTouched(msgspec.Struct, frozen=True):
    """An account's money, margin or leverage changed."""

    account: str
    at: int


class FundingTicked(msgspec.Struct, frozen=True, gc=False):
    """A market's funding index took its one-second step."""

    symbol: str
    at: int


class FundingSettled(msgspec.Struct, frozen=True, kw_only=True):
    """Accrued funding became cash because the position changed; `payment` positive means the account received it."""

    id: str
    account: str
    symbol: str
    fill_id: str
    payment: Decimal
    index: Decimal
    at: int


class StatusChanged(msgspec.Struct, frozen=True):
    """The exchange's mode changed."""

    status: ExchangeStatus
    at: int


class FillBusted(msgspec.Struct, frozen=True):
    """A fill was taken back: the account's ledger is now the fold over its other fills.

    Fees and funding of the other fills stay as reported; realised PnL is folded anew.
    """

    account: str
    fill_id: str
    kind: FillKind
    symbol: str
    at: int


class Liquidated(msgspec.Struct, frozen=True):
    """`share` of every position was closed at the mark for the insurance fund, which also got `penalty`."""

    id: str
    account: str
    share: Decimal
    penalty: Decimal
    at: int


Fact = (
    TradePrinted
    | BookTouched
    | QuoteTouched
    | SummaryTouched
    | OrderChanged
    | FillMade
    | PositionTouched
    | AccountTouched
    | FundingTicked
    | FundingSettled
    | StatusChanged
    | FillBusted
    | Liquidated
)
"""Everything that the exchange may say."""
