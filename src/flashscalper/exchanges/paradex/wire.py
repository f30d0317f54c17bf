"""Paradex's JSON messages as typed structs: what arrives, field by field. Unknown fields are ignored.

Sources: paradex.md section 4, 5 and appendix A (OpenAPI 1.132.1, AsyncAPI 1.3.1). Decode with `strict=False`, because the
exchange writes prices as text and once wrote integers as text too. Figures that one only looks at (trades, quotes, books,
marks) are floats; figures where money moves stay text here and become Decimal in `responses`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Number = str | int | float | None
"""A money figure as written: text, or a JSON number; empty text and null mean not set."""

BUY_SELL = Literal["BUY", "SELL"]


# ---- public channels (hot) -------------------------------------------------------------------------------------------


class TradeResult(msgspec.Struct, gc=False):
    """One public trade: channel `trades.{m}` and `GET /trades`. `side` is the taker's; `created_at` milliseconds."""

    id: int
    market: str
    side: BUY_SELL
    size: float
    price: float
    created_at: int
    trade_type: str = "FILL"


class BboResult(msgspec.Struct, gc=False):
    """Best quote: channel `bbo.{m}` and `GET /bbo/{m}`. Empty text means no order on that side."""

    market: str
    last_updated_at: int
    seq_no: int = 0
    bid: str | float | None = None
    bid_size: str | float | None = None
    ask: str | float | None = None
    ask_size: str | float | None = None


class BookLevel(msgspec.Struct, gc=False):
    """One changed level of a book."""

    side: BUY_SELL
    price: float
    size: float


class BookUpdate(msgspec.Struct, gc=False):
    """Channel `order_book.*` (section 5.6): `update_type` `s` is a whole book in `inserts`, `d` a change."""

    market: str
    seq_no: int
    last_updated_at: int
    update_type: Literal["s", "d"]
    inserts: list[BookLevel] = []
    updates: list[BookLevel] = []
    deletes: list[BookLevel] = []


class MarketSummary(msgspec.Struct, gc=False):
    """Channel `markets_summary.{m}` and `GET /markets/summary`; options leave `funding_rate` empty."""

    symbol: str
    mark_price: float
    underlying_price: float
    created_at: int
    funding_rate: str | float | None = None
    last_traded_price: str | float | None = None
    open_interest: str | float | None = None


class TradeParams(msgspec.Struct, gc=False):
    """`params` of a trade push."""

    channel: str
    data: TradeResult


class TradePush(msgspec.Struct, gc=False):
    """A whole trade frame."""

    params: TradeParams


class BboParams(msgspec.Struct, gc=False):
    """`params` of a best-quote push."""

    channel: str
    data: BboResult


class BboPush(msgspec.Struct, gc=False):
    """A whole best-quote frame."""

    params: BboParams


class BookParams(msgspec.Struct, gc=False):
    """`params` of a book push."""

    channel: str
    data: BookUpdate


class BookPush(msgspec.Struct, gc=False):
    """A whole book frame."""

    params: BookParams


class SummaryParams(msgspec.Struct, gc=False):
    """`params` of a market summary push."""

    channel: str
    data: MarketSummary


class SummaryPush(msgspec.Struct, gc=False):
    """A whole market summary frame."""

    params: SummaryParams


# ---- account channels and answers ------------------------------------------------------------------------------------


class RequestInfo(msgspec.Struct):
    """The fate of an asynchronous change of an order (a modify)."""

    id: str = ""
    message: str = ""
    request_type: str = ""
    status: str = ""


class OrderResult(msgspec.Struct):
    """An order: channel `orders.*` and every REST answer about orders."""

    id: str
    market: str
    side: BUY_SELL
    type: str
    size: Number
    status: str
    remaining_size: Number = None
    price: Number = None
    trigger_price: Number = None
    client_id: str | None = None
    instruction: str | None = None
    flags: list[str] | None = None
    cancel_reason: str | None = None
    avg_fill_price: Number = None
    created_at: int = 0
    last_updated_at: int = 0
    seq_no: int = 0
    request_info: RequestInfo | None = None


class FillResult(msgspec.Struct):
    """One of our executions: channel `fills.*` and `GET /fills`. `side` is our order's own side."""

    id: str
    order_id: str
    market: str
    side: BUY_SELL
    price: Number
    size: Number
    created_at: int
    liquidity: str = "TAKER"
    client_id: str | None = None
    fee: Number = None
    fee_currency: str | None = None
    fill_type: str = "FILL"
    realized_pnl: Number = None
    realized_funding: Number = None
    remaining_size: Number = None
    flags: list[str] | None = None


class PositionResult(msgspec.Struct):
    """One position: channel `positions` and `GET /positions`. `size` may be signed or not: take `side`."""

    market: str
    side: str
    size: Number
    status: str = "OPEN"
    average_entry_price: Number = None
    unrealized_pnl: Number = None
    unrealized_funding_pnl: Number = None
    realized_positional_pnl: Number = None
    liquidation_price: Number = None
    leverage: Number = None
    last_fill_id: str | None = None
    last_updated_at: int = 0
    seq_no: int = 0


class AccountResult(msgspec.Struct):
    """The margin summary: channel `account` and `GET /account`."""

    account: str
    account_value: Number
    total_collateral: Number
    free_collateral: Number
    initial_margin_requirement: Number
    maintenance_margin_requirement: Number
    status: str = "ACTIVE"
    updated_at: int = 0
    seq_no: int = 0


class TradebustResult(msgspec.Struct):
    """A fill the exchange took back: channel `tradebusts` and `GET /tradebusts`."""

    busted_fill_id: str
    created_at: int
    account: str = ""


# ---- the rest of REST ------------------------------------------------------------------------------------------------


class SystemConfig(msgspec.Struct):
    """The part of `GET /system/config` that a client checks."""

    starknet_chain_id: str
    l1_chain_id: str = ""
    paraclear_decimals: int = 8
    paraclear_account_hash: str = ""
    paraclear_account_proxy_hash: str = ""


class SystemTime(msgspec.Struct):
    """`GET /system/time`, milliseconds."""

    server_time: int


class SystemState(msgspec.Struct):
    """`GET /system/state`."""

    status: str


class Fee(msgspec.Struct, frozen=True):
    """One rate; caps and floors belong to options."""

    fee: Number = None


class MakerTakerFee(msgspec.Struct):
    """Rates of one order class."""

    maker_fee: Fee = Fee()
    taker_fee: Fee = Fee()


class FeeConfig(msgspec.Struct):
    """A market's own fee schedule; absent classes follow the account's."""

    api_fee: MakerTakerFee | None = None
    interactive_fee: MakerTakerFee | None = None


class MarginParams(msgspec.Struct):
    """Cross-margin parameters of a perpetual."""

    imf_base: Number = None
    mmf_factor: Number = None


class MarketResult(msgspec.Struct):
    """One market's rules of `GET /markets`; numbers and texts as section 4.2 shows."""

    symbol: str
    price_tick_size: Number
    order_size_increment: Number
    min_notional: Number
    base_currency: str = ""
    quote_currency: str = "USD"
    settlement_currency: str = "USDC"
    asset_kind: str = "PERP"
    max_order_size: Number = None
    position_limit: Number = None
    max_open_orders: int | None = None
    price_bands_width: Number = None
    max_slippage: Number = None
    funding_period_hours: float | None = None
    interest_rate: Number = None
    clamp_rate: Number = None
    max_funding_rate: Number = None
    delta1_cross_margin_params: MarginParams | None = None
    fee_config: FeeConfig | None = None


class MarketName(msgspec.Struct):
    """Only a market's name, to find ours among hundreds."""

    symbol: str


class AccountFees(msgspec.Struct):
    """Rates of our account for perpetuals."""

    maker_rate: Number = None
    taker_rate: Number = None


class AccountInfo(msgspec.Struct):
    """One account of `GET /account/info`."""

    account: str
    kind: str = "main"
    fees: AccountFees | None = None


class MarginEntry(msgspec.Struct):
    """Leverage and mode of one market."""

    market: str
    leverage: int
    margin_type: str = "CROSS"


class MarginConfigs(msgspec.Struct):
    """`GET /account/margin?market=`."""

    configs: list[MarginEntry] = []


class AuthResult(msgspec.Struct):
    """`POST /auth`."""

    jwt_token: str


class TokenClaims(msgspec.Struct):
    """The claims of a JWT that matter, seconds."""

    exp: int
    iat: int | None = None


class ErrorResult(msgspec.Struct):
    """Every error body; an expired token's has no `error` (section 2.6)."""

    error: str = ""
    message: str = ""


class Page(msgspec.Struct):
    """A list answer whose items are still undecoded; `next` is an opaque cursor."""

    results: list[msgspec.Raw]
    next: str | None = None


class KlinePage(msgspec.Struct):
    """`GET /markets/klines`: `[open_ms, open, high, low, close, volume]` rows of JSON numbers."""

    results: list[tuple[int, float, float, float, float, float]]


# ---- WebSocket control -----------------------------------------------------------------------------------------------


class RpcError(msgspec.Struct):
    """A JSON-RPC error; `data` may be text or an object."""

    code: int
    message: str = ""
    data: Any = None


class PushParams(msgspec.Struct):
    """`params` of any push, the payload still undecoded."""

    channel: str
    data: msgspec.Raw


class Envelope(msgspec.Struct):
    """Any JSON frame, decoded only as far as needed to route it. An empty `result` means there was none."""

    method: str = ""
    id: Any = None
    params: PushParams | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: RpcError | None = None


class OrderAck(msgspec.Struct):
    """Result of `order.create` and `order.modify`."""

    order: OrderResult


class CancelAck(msgspec.Struct):
    """Result of `order.cancel`."""

    order_id: str = ""
    status: str = ""
