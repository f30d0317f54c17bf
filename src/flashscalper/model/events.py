"""Events: facts that happened outside the engine, the only thing that goes into it.

An event is in the past or a snapshot, never a request. Sequence numbers, heartbeats, reconnects and resubscriptions stop
at the exchange room's door; what remains is here. All are frozen structs with a tag, so a tape can write and read them.
Instants are microseconds; market facts are float64, order and account facts are Decimal.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.fills import Fill, FillKind
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order
from flashscalper.model.positions import AccountSummary, ExchangePosition


class ExchangeStatus(StrEnum):
    """What the exchange lets anybody do."""

    OK = "ok"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    MAINTENANCE = "maintenance"


class RequestKind(StrEnum):
    """Which order request an outcome answers."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"


class Verdict(StrEnum):
    """What became of an order request as far as the transport knows.

    `unknown`: it left, the answer did not come (time-out, cut body, 5xx): it may still be executed.
    `unsent`: it certainly never left us (no connection): safe to decide anew.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


class FeeClass(StrEnum):
    """Paradex's order classes: Pro (standard token) or Retail (interactive token)."""

    PRO = "pro"
    RETAIL = "retail"


class OperatorAction(StrEnum):
    """What a person may ask of a running engine."""

    PAUSE = "pause"
    RESUME = "resume"
    FLATTEN = "flatten"
    KILL = "kill"
    STOP = "stop"


class BestQuote(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """Best bid and ask; a side without orders is None."""

    symbol: str
    bid: float | None
    bid_size: float
    ask: float | None
    ask_size: float
    quoted_at: int
    seq_no: int = 0


class BookChange(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """A full book (`snapshot`) or changed levels as (price, size); size 0 deletes the level."""

    symbol: str
    seq_no: int
    snapshot: bool
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    changed_at: int


class MarkPrice(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """Mark and index price, and the funding rate of the market's own period (a fraction)."""

    symbol: str
    mark: float
    index: float
    funding_rate: float
    marked_at: int
    last: float | None = None
    open_interest: float | None = None


class KlineHistory(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Closed klines from the exchange's REST history, oldest first; the answer to `FetchKlines`."""

    symbol: str
    interval: str
    klines: tuple[Kline, ...]


class TradeHistory(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Trades fetched to fill a gap of the stream, oldest first. `gapless` is False when the gap could not be closed."""

    symbol: str
    trades: tuple[Trade, ...]
    gapless: bool


class MarketsListed(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The exchange's rules of the markets we asked for, read at start and when they change."""

    markets: tuple[Market, ...]


class OrderUpdate(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The whole state of one order, idempotent."""

    order: Order


class FillReported(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """One of our executions, from the stream or from a read; may be reported many times."""

    fill: Fill


class FillBusted(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The exchange took a fill back."""

    fill_id: str
    busted_at: int
    kind: FillKind = FillKind.FILL


class PositionUpdate(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The exchange's view of one position, to be compared with ours."""

    position: ExchangePosition


class BalanceUpdate(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The exchange's margin summary of our account."""

    summary: AccountSummary


class FundingPaid(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A settled funding payment; `amount` positive means we received it."""

    symbol: str
    id: str
    amount: Decimal
    paid_at: int


class RequestOutcome(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """What became of one order request. `code` and `message` are the exchange's on `rejected`, ours otherwise."""

    request: RequestKind
    client_id: str
    verdict: Verdict
    order_id: str = ""
    code: str = ""
    message: str = ""


class OrderFound(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The answer to `QueryOrder`: the order and its fills as open orders and history tell it.

    `order` None is one clean negative read of open orders *and* history. `failed` True means the read itself failed: it
    is no information.
    """

    client_id: str
    order: Order | None
    fills: tuple[Fill, ...] = ()
    failed: bool = False


class AccountSnapshot(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The answer to `Reconcile`: everything the exchange holds of us, read in one round after `asked_at`.

    `fills` are those since the asked watermark. When any read failed, `failed` says which and the rest is no information.
    """

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    positions: tuple[ExchangePosition, ...]
    summary: AccountSummary | None
    asked_at: int
    failed: str = ""


class FeesLearned(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Maker and taker fee that our account's next order in `symbol` pays, and its class."""

    symbol: str
    maker: Decimal
    taker: Decimal
    fee_class: FeeClass


class LeverageRead(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Leverage and margin mode of one market as the exchange holds them."""

    symbol: str
    leverage: int
    isolated: bool


class ExchangeStatusChanged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The exchange opened, closed or restricted trading."""

    status: ExchangeStatus


class StreamChanged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """One of the client's streams became ready or was lost.

    Streams: `market` (public data), `account` (orders, fills, positions), `entries` and `protection` (order entry).
    Ready means subscribed, acknowledged and gap-filled.
    """

    stream: str
    ready: bool
    reason: str = ""


class ClockMeasured(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Exchange clock minus ours, and how uncertain that is, in microseconds."""

    offset_us: int
    uncertainty_us: int


class Trouble(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Something worth a log line and a metric that changes no state: a refused frame, a retried read, a full budget."""

    where: str
    detail: str


class TimePassed(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """Nothing but time: sent when the engine's own `wake_at` is due."""

    passed_at: int


class OperatorAsked(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A person (or the run's own end) asked for something."""

    action: OperatorAction
    reason: str


Event = (
    Trade
    | BestQuote
    | BookChange
    | MarkPrice
    | KlineHistory
    | TradeHistory
    | MarketsListed
    | OrderUpdate
    | FillReported
    | FillBusted
    | PositionUpdate
    | BalanceUpdate
    | FundingPaid
    | RequestOutcome
    | OrderFound
    | AccountSnapshot
    | FeesLearned
    | LeverageRead
    | ExchangeStatusChanged
    | StreamChanged
    | ClockMeasured
    | Trouble
    | TimePassed
    | OperatorAsked
)
"""Everything that may go into the engine."""
