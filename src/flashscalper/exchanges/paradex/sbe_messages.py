"""What Paradex's binary (SBE) frames decode to: one light struct for each template.

Prices and sizes of public market data are floats, account templates carry exact Decimals; words (`status`, `type`,
`flags`...) are spelled as in the JSON form, "UNKNOWN" stands for codes that the schema does not list. Instants are
microseconds. Source: SBE schema 1:0 to 1:3 of the exchange's WebSocket documentation.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.fills import FillKind
from flashscalper.model.orders import Side


class SbeTrade(msgspec.Struct, frozen=True, gc=False):
    """Template 1. `side` is the taker's. `trade_id` is "" before schema 1:2; `short_id` is the truncated int64 id.

    `kind` is None for a trade type that we do not know.
    """

    market: str
    trade_id: str
    short_id: int
    side: Side
    price: float
    size: float
    created_at: int
    kind: FillKind | None
    seq_no: int
    sent_at: int


class SbeBbo(msgspec.Struct, frozen=True, gc=False):
    """Template 2. A side without orders has None for price and size."""

    market: str
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    seq_no: int
    sent_at: int


class SbeBook(msgspec.Struct, frozen=True, gc=False):
    """Template 3: a whole book (`snapshot`) or changed levels, (price, size) best first; size 0 deletes the level."""

    market: str
    snapshot: bool
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    seq_no: int
    sent_at: int


class SbeSummary(msgspec.Struct, frozen=True, gc=False):
    """Template 4, the members a trader reads; the rest through `decode_exact`. Volumes are in quote currency."""

    market: str
    mark_price: float
    index_price: float
    last_price: float
    volume_24h: float
    open_interest: float
    funding_rate: float
    bid: float | None
    ask: float | None
    total_volume: float
    price_change_rate_24h: float
    seq_no: int
    sent_at: int


class SbeFunding(msgspec.Struct, frozen=True, kw_only=True):
    """Template 5. `funding_rate` is for the market's own period, `funding_rate_8h` normalised."""

    market: str
    funding_rate: Decimal
    funding_index: Decimal
    created_at: int
    funding_premium: Decimal
    funding_rate_8h: Decimal
    funding_period_hours: int
    impact_premium_rate: Decimal | None = None
    seq_no: int
    sent_at: int


class SbeFundingComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Template 6: another exchange's hourly funding rate; `asset_kind` and `source` are the schema's raw codes."""

    market: str
    hourly_funding_rate: Decimal
    last_updated_at: int
    asset_kind: int
    source: int
    sent_at: int


class SbeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Template 20. Words (`status`, `type`, `flags`...) are spelled as in the JSON form; "UNKNOWN" for unlisted codes."""

    order_id: str
    client_id: str
    account: str
    market: str
    side: str
    type: str
    instruction: str
    status: str
    price: Decimal | None
    trigger_price: Decimal | None
    size: Decimal
    remaining_size: Decimal
    avg_fill_price: Decimal | None
    created_at: int
    updated_at: int
    received_at: int
    published_at: int
    stp: str
    flags: tuple[str, ...]
    cancel_reason: str
    request_status: str = ""
    request_type: str = ""
    request_id: str = ""
    request_message: str = ""
    seq_no: int
    sent_at: int


class SbeFill(msgspec.Struct, frozen=True, kw_only=True):
    """Template 21. `fee` positive means paid; `realized_funding` positive means received."""

    fill_id: str
    fill_type: str
    order_id: str
    client_id: str
    trade_id: str
    account: str
    market: str
    side: str
    liquidity: str
    price: Decimal
    size: Decimal
    fee: Decimal
    realized_pnl: Decimal | None
    realized_funding: Decimal
    underlying_price: Decimal
    created_at: int
    flags: tuple[str, ...] = ()
    orderbook_seq_no: int = 0
    fee_currency: str = ""
    seq_no: int
    sent_at: int


class SbePosition(msgspec.Struct, frozen=True, kw_only=True):
    """Template 22. `size` is signed (negative = short)."""

    account: str
    market: str
    side: str
    size: Decimal
    status: str
    average_entry_price: Decimal
    average_entry_price_usd: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    mark_price: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal
    cost: Decimal
    cost_usd: Decimal
    cached_funding_index: Decimal
    unrealized_funding_pnl: Decimal
    last_fill_id: str
    updated_at: int
    seq_no: int
    sent_at: int


class SbeAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Template 23: the margin summary in settlement units."""

    account: str
    account_value: Decimal
    total_collateral: Decimal
    free_collateral: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_cushion: Decimal
    unrealized_pnl: Decimal | None
    status: str
    settlement_asset: str
    updated_at: int
    last_seen_notification: int = 0
    seq_no: int
    sent_at: int


class SbeHeartbeat(msgspec.Struct, frozen=True):
    """Template 40."""

    seq_no: int
    sent_at: int


class SbeSubscribed(msgspec.Struct, frozen=True, kw_only=True):
    """Template 41."""

    channel: str
    status: int
    seq_no: int
    sent_at: int


SbeMessage = (
    SbeTrade
    | SbeBbo
    | SbeBook
    | SbeSummary
    | SbeFunding
    | SbeFundingComparison
    | SbeOrder
    | SbeFill
    | SbePosition
    | SbeAccount
    | SbeHeartbeat
    | SbeSubscribed
)
"""Everything that `decode_frame` may return."""
