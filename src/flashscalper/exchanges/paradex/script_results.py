"""What the answers to `script_requests` mean: typed values for scripts, checked field by field.

Money is Decimal; instants are microseconds. Fields follow appendix A of the protocol page; what a script cannot use is left
out. Raises ProtocolError naming the field.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex import responses, wire
from flashscalper.exchanges.paradex.responses import amount, decode, instant_of, optional_amount
from flashscalper.exchanges.paradex.sbe_messages import SbeFunding
from flashscalper.exchanges.paradex.wire import BUY_SELL, Number
from flashscalper.model.amounts import ZERO, parse_float
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import BookChange
from flashscalper.model.orders import OrderStatus, Side

HISTORY_KINDS: Final = ("pnl", "value", "volume", "fee_savings")
"""Curves of `GET /account/history`."""
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}


class FundingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Funding of one market at one instant. `rate` is for `period_hours`; `index` grows by what a unit long pays."""

    symbol: str
    rate: Decimal
    rate_8h: Decimal | None
    premium: Decimal
    index: Decimal
    period_hours: float
    measured_at: int


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Funding settled for us. The documents leave the sign open; the simulator says that positive was received."""

    symbol: str
    id: str
    amount: Decimal
    index: Decimal | None
    fill_id: str
    paid_at: int


class ImpactPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What taking `size` base units would cost a unit on average; None when the book is not that deep."""

    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None


class AccountDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One of our accounts: `kind` main, subaccount, vault_operator or vault_sub_operator; fee rates as fractions."""

    account: str
    kind: str
    parent: str
    public_key: str
    maker_fee: Decimal | None
    taker_fee: Decimal | None


class TokenBalance(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one token the account holds."""

    token: str
    size: Decimal
    updated_at: int


class Liquidation(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange closed (part of) our positions."""

    id: str
    liquidated_at: int


class HistoryPoint(msgspec.Struct, frozen=True):
    """One point of a curve of the account, in USD."""

    measured_at: int
    value: float


class TwapOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A large market order done in slices. `unknown`: the request left and no answer came; look with `get_twaps`."""

    symbol: str
    id: str
    side: Side
    size: Decimal
    remaining: Decimal
    status: OrderStatus
    average_price: Decimal | None = None
    cancel_reason: str = ""
    created_at: int = 0
    updated_at: int = 0
    end_at: int = 0
    unknown: bool = False
    message: str = ""


class Pushed(msgspec.Struct, frozen=True):
    """A push of a channel that has no form of its own here: its data as the exchange wrote it."""

    channel: str
    data: dict[str, Any]


class FundingResult(msgspec.Struct):
    """`FundingDataResult`."""

    market: str
    funding_index: Number
    funding_premium: Number
    funding_rate: Number
    created_at: int
    funding_rate_8h: Number = None
    funding_period_hours: float = 8.0


class PaymentResult(msgspec.Struct):
    """`FundingPayment`."""

    id: str
    market: str
    payment: Number
    created_at: int
    index: Number = None
    fill_id: str | None = None


class ImpactResult(msgspec.Struct):
    """`ImpactPriceResp`."""

    market: str
    side: BUY_SELL
    size: Number
    impact_price: Number = None


class BookResult(msgspec.Struct):
    """`AskBidArray`: `[price, size]` rows, best first."""

    market: str
    seq_no: int
    last_updated_at: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class DetailsResult(msgspec.Struct):
    """`AccountInfoResponse`."""

    account: str
    kind: str = "main"
    parent_account: str | None = None
    public_key: str | None = None
    fees: wire.AccountFees | None = None


class BalanceResult(msgspec.Struct):
    """`BalanceResp`."""

    token: str
    size: Number
    last_updated_at: int = 0


class LiquidationResult(msgspec.Struct):
    """`LiquidationResp`."""

    id: str
    created_at: int


class HistoryResult(msgspec.Struct):
    """`AccountHistoricalDataResp`: two lists of one length."""

    data: list[float]
    timestamps: list[int]


class TwapResult(msgspec.Struct):
    """`AlgoOrderResp`."""

    id: str
    market: str
    side: BUY_SELL
    size: Number
    remaining_size: Number
    status: str
    avg_fill_price: Number = None
    cancel_reason: str | None = None
    created_at: int = 0
    last_updated_at: int = 0
    end_at: int = 0


class CancelResult(msgspec.Struct):
    """`CancelOrderResult`; an id that nobody knows has only what was asked."""

    status: str
    id: str = ""
    client_id: str = ""


class CancelResults(msgspec.Struct):
    """`CancelOrderBatchResponse`."""

    results: list[CancelResult]


class BatchResult(msgspec.Struct):
    """`BatchResponse`: what was taken and what was refused; an error does not say whose it is."""

    orders: list[wire.OrderResult] | None = None
    errors: list[wire.ErrorResult] | None = None


def funding_from(result: FundingResult, symbol: str) -> FundingPoint:
    """One tick of `GET /funding/data` or of channel `funding_data.*`."""
    return FundingPoint(
        symbol=symbol,
        rate=amount("funding_data.funding_rate", result.funding_rate),
        rate_8h=optional_amount("funding_data.funding_rate_8h", result.funding_rate_8h),
        premium=amount("funding_data.funding_premium", result.funding_premium),
        index=amount("funding_data.funding_index", result.funding_index),
        period_hours=parse_float("funding_data.funding_period_hours", result.funding_period_hours),
        measured_at=instant_of("funding_data.created_at", result.created_at),
    )


def payment_from(result: PaymentResult, symbol: str) -> FundingPayment:
    """One payment of `GET /funding/payments` or of channel `funding_payments.*`."""
    return FundingPayment(
        symbol=symbol,
        id=result.id,
        amount=amount("funding_payments.payment", result.payment),
        index=optional_amount("funding_payments.index", result.index),
        fill_id=result.fill_id or "",
        paid_at=instant_of("funding_payments.created_at", result.created_at),
    )


def impact_from(result: ImpactResult, symbol: str) -> ImpactPrice:
    """`GET /orderbook/{m}/impact-price`."""
    return ImpactPrice(
        symbol=symbol,
        side=_SIDES[result.side],
        size=amount("impact_price.size", result.size),
        price=optional_amount("impact_price.impact_price", result.impact_price),
    )


def book_from(result: BookResult, symbol: str) -> BookChange:
    """`GET /orderbook/{m}` as a whole book; its levels are checked like those of the stream."""
    for price, size in (*result.bids, *result.asks):
        if not (0.0 < price < float("inf") and 0.0 <= size < float("inf")):
            raise ProtocolError("orderbook", f"level {price} x {size}; accepted: finite price above 0, size from 0")
    at = instant_of("orderbook.last_updated_at", result.last_updated_at)
    return BookChange(symbol, result.seq_no, True, tuple(result.bids), tuple(result.asks), at)


def details_from(result: DetailsResult) -> AccountDetails:
    """One account of `GET /account/info`."""
    fees = result.fees or wire.AccountFees()
    return AccountDetails(
        account=result.account,
        kind=result.kind,
        parent=result.parent_account or "",
        public_key=result.public_key or "",
        maker_fee=optional_amount("account/info.fees.maker_rate", fees.maker_rate),
        taker_fee=optional_amount("account/info.fees.taker_rate", fees.taker_rate),
    )


def balance_from(result: BalanceResult) -> TokenBalance:
    """One token of `GET /balance`."""
    at = instant_of("balance.last_updated_at", result.last_updated_at)
    return TokenBalance(token=result.token, size=amount("balance.size", result.size), updated_at=at)


def history_from(body: bytes) -> list[HistoryPoint]:
    """`GET /account/history`, in the exchange's order."""
    result = decode("GET /account/history", HistoryResult, body)
    if len(result.data) != len(result.timestamps):
        found = f"{len(result.data)} points at {len(result.timestamps)} instants"
        raise ProtocolError("GET /account/history", f"saw {found}; accepted: as many of each")
    return [
        HistoryPoint(instant_of("account/history.timestamps", at), parse_float("account/history.data", value))
        for at, value in zip(result.timestamps, result.data, strict=True)
    ]


def twap_from(result: TwapResult, symbol: str) -> TwapOrder:
    """A TWAP order of any answer."""
    size = amount("algo.size", result.size)
    remaining = amount("algo.remaining_size", result.remaining_size)
    if not ZERO <= remaining <= size:
        raise ProtocolError("algo.remaining_size", f"saw {remaining}; accepted: 0 to the size {size}")
    return TwapOrder(
        symbol=symbol,
        id=result.id,
        side=_SIDES[result.side],
        size=size,
        remaining=remaining,
        status=responses.word("algo.status", OrderStatus, result.status),
        average_price=optional_amount("algo.avg_fill_price", result.avg_fill_price),
        cancel_reason=result.cancel_reason or "",
        created_at=instant_of("algo.created_at", result.created_at),
        updated_at=instant_of("algo.last_updated_at", result.last_updated_at),
        end_at=instant_of("algo.end_at", result.end_at),
    )


PRIVATE_CHANNELS: Final = frozenset(
    {
        "orders",
        "fills",
        "positions",
        "account",
        "balance_events",
        "tradebusts",
        "funding_payments",
        "transaction",
        "transfers",
    }
)
"""Kinds of channels that need a login (paradex.md 5.5)."""


def told(channel: str, data: bytes | msgspec.Raw, symbol: str) -> FundingPoint | FundingPayment | Pushed:
    """What a JSON push of a script's channel says."""
    kind = channel.partition(".")[0]
    if kind == "funding_data":
        return funding_from(decode(channel, FundingResult, data), symbol)
    if kind == "funding_payments":
        return payment_from(decode(channel, PaymentResult, data), symbol)
    return Pushed(channel, decode(channel, dict, data))


def told_binary(message: SbeFunding, symbol: str) -> FundingPoint:
    """What an SBE push of funding says; its rates are exact."""
    return FundingPoint(
        symbol=symbol,
        rate=message.funding_rate,
        rate_8h=message.funding_rate_8h,
        premium=message.funding_premium,
        index=message.funding_index,
        period_hours=float(message.funding_period_hours),
        measured_at=message.created_at,
    )
