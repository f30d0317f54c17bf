"""What Paradex answers: plain functions from bytes to model objects, and from refusals to the error tree.

Everything raises ProtocolError naming the route or field when the bytes break Paradex's own documents: a missing or
non-finite figure, an unknown word, a cut body. Milliseconds become microseconds here. Source: paradex.md section 4.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from flashscalper.exchanges.paradex import wire
from flashscalper.exchanges.paradex.requests import MARKET_TYPES
from flashscalper.model.amounts import ZERO, parse_amount
from flashscalper.model.errors import (
    AuthError,
    ExchangeError,
    FlashScalperError,
    ProtocolError,
    RateLimitError,
    TransportError,
)
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

DEFAULT_RETRY_AFTER_S: Final = 1.0
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_AUTH_CODES: Final = frozenset(
    {
        "INVALID_TOKEN",
        "UNAUTHORIZED_ERROR",
        "STARKNET_SIGNATURE_VERIFICATION_FAILED",
        "INVALID_STARKNET_SIGNATURE",
        "INVALID_STARKNET_ADDRESS",
        "INVALID_SUBKEY",
        "INVALID_TOKEN_SCOPE",
        "IP_NOT_ALLOWED",
        "GEO_IP_BLOCK",
        "NOT_ONBOARDED",
        "ACCOUNT_NOT_FOUND",
    }
)


# ---- decoding --------------------------------------------------------------------------------------------------------


_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {}


def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    """The decoder of one struct, made once."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind, strict=False)
    return decoder


def decode(where: str, kind: type[T], body: bytes | msgspec.Raw) -> T:
    """`body` as `kind`; ProtocolError names `where` and the field when it does not fit."""
    try:
        decoded: T = _decoder(kind).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(where, str(error), bytes(body)) from None
    return decoded


def amount(field: str, value: wire.Number) -> Decimal:
    """A required money figure; JSON numbers enter by their shortest text."""
    return parse_amount(field, repr(value) if isinstance(value, float) else value)


def optional_amount(field: str, value: wire.Number) -> Decimal | None:
    """A money figure that may be absent: null and empty text mean not set."""
    return None if value is None or value == "" else amount(field, value)


def positive(field: str, value: wire.Number) -> Decimal:
    """A required money figure above zero."""
    number = amount(field, value)
    if number <= ZERO:
        raise ProtocolError(field, f"saw {value!r}; accepted: a number above 0")
    return number


def _optional_price(field: str, value: wire.Number) -> Decimal | None:
    """A price that "0", empty text or null leaves unset."""
    price = optional_amount(field, value)
    if price is None or price == ZERO:
        return None
    return positive(field, value)


def word(field: str, kind: type[E], text: str | None) -> E:
    """An upper-case word of the wire as a member of our enum."""
    try:
        return kind((text or "").lower())
    except ValueError:
        accepted = ", ".join(member.value.upper() for member in kind)
        raise ProtocolError(field, f"saw {text!r}; accepted: {accepted}") from None


def instant_of(field: str, milliseconds: int) -> int:
    """Milliseconds of the wire as microseconds; refuses what no clock shows (before 1970, after 2200)."""
    if not 0 <= milliseconds < 7_258_118_400_000:
        raise ProtocolError(field, f"saw {milliseconds}; accepted: unix milliseconds")
    return milliseconds * 1000


# ---- orders, fills, positions, account -------------------------------------------------------------------------------


def order_from(result: wire.OrderResult, symbol: str) -> Order:
    """An order of a push or an answer."""
    size = amount("order.size", result.size)
    remaining = optional_amount("order.remaining_size", result.remaining_size)
    kind = word("order.type", OrderType, result.type)
    return Order(
        symbol=symbol,
        client_id=result.client_id or "",
        order_id=result.id,
        side=_SIDES[result.side],
        type=kind,
        size=size,
        remaining=_remaining(size, remaining),
        status=word("order.status", OrderStatus, result.status),
        price=None if kind in MARKET_TYPES else _optional_price("order.price", result.price),
        trigger_price=_optional_price("order.trigger_price", result.trigger_price),
        time_in_force=word("order.instruction", TimeInForce, result.instruction or "GTC"),
        reduce_only="REDUCE_ONLY" in (result.flags or ()),
        cancel_reason=result.cancel_reason or "",
        average_price=_optional_price("order.avg_fill_price", result.avg_fill_price),
        created_at=instant_of("order.created_at", result.created_at),
        updated_at=instant_of("order.last_updated_at", result.last_updated_at or result.created_at),
        seq_no=result.seq_no,
    )


def _remaining(size: Decimal, remaining: Decimal | None) -> Decimal:
    if remaining is None:
        raise ProtocolError("order.remaining_size", "saw nothing; accepted: a number")
    if not ZERO <= remaining <= size:
        raise ProtocolError("order.remaining_size", f"saw {remaining}; accepted: 0 to the size {size}")
    return remaining


def fill_from(result: wire.FillResult, symbol: str) -> Fill:
    """One of our executions of a push or an answer. The wire's `fee` and `realized_funding` keep their sign."""
    return Fill(
        id=result.id,
        kind=word("fill.fill_type", FillKind, result.fill_type),
        order_id=result.order_id,
        client_id=result.client_id or "",
        symbol=symbol,
        side=_SIDES[result.side],
        liquidity=word("fill.liquidity", Liquidity, result.liquidity),
        price=positive("fill.price", result.price),
        size=positive("fill.size", result.size),
        fee=amount("fill.fee", result.fee),
        fee_currency=result.fee_currency or "USDC",
        realized_pnl=optional_amount("fill.realized_pnl", result.realized_pnl),
        funding=optional_amount("fill.realized_funding", result.realized_funding),
        remaining=optional_amount("fill.remaining_size", result.remaining_size),
        flags=tuple(result.flags or ()),
        filled_at=instant_of("fill.created_at", result.created_at),
    )


def position_from(result: wire.PositionResult, symbol: str) -> ExchangePosition:
    """One position. The sign comes from `side`, because samples show `size` both signed and unsigned."""
    size = abs(amount("position.size", result.size))
    if result.side not in ("LONG", "SHORT"):
        raise ProtocolError("position.side", f"saw {result.side!r}; accepted: LONG, SHORT")
    if result.status not in ("OPEN", "CLOSED"):
        raise ProtocolError("position.status", f"saw {result.status!r}; accepted: OPEN, CLOSED")
    if result.status == "CLOSED":
        size = ZERO
    return ExchangePosition(
        symbol=symbol,
        size=size if result.side == "LONG" else -size,
        entry_price=optional_amount("position.average_entry_price", result.average_entry_price) or ZERO,
        unrealized_pnl=optional_amount("position.unrealized_pnl", result.unrealized_pnl),
        realized_pnl=optional_amount("position.realized_positional_pnl", result.realized_positional_pnl),
        unrealized_funding=optional_amount("position.unrealized_funding_pnl", result.unrealized_funding_pnl),
        liquidation_price=_optional_price("position.liquidation_price", result.liquidation_price),
        leverage=optional_amount("position.leverage", result.leverage),
        last_fill_id=result.last_fill_id or "",
        updated_at=instant_of("position.last_updated_at", result.last_updated_at),
        seq_no=result.seq_no,
    )


def account_from(result: wire.AccountResult) -> AccountSummary:
    """The margin summary of a push or an answer."""
    return AccountSummary(
        account=result.account,
        account_value=amount("account.account_value", result.account_value),
        total_collateral=amount("account.total_collateral", result.total_collateral),
        free_collateral=amount("account.free_collateral", result.free_collateral),
        initial_margin=amount("account.initial_margin_requirement", result.initial_margin_requirement),
        maintenance_margin=amount("account.maintenance_margin_requirement", result.maintenance_margin_requirement),
        status=result.status,
        updated_at=instant_of("account.updated_at", result.updated_at),
        seq_no=result.seq_no,
    )


# ---- market data -----------------------------------------------------------------------------------------------------


def trade_from(result: wire.TradeResult, symbol: str) -> Trade:
    """A public trade; price and size must be finite and above zero."""
    if not (0.0 < result.price < _INF and 0.0 < result.size < _INF):
        raise ProtocolError("trade", f"price {result.price}, size {result.size}; accepted: finite numbers above 0")
    if result.id < 0:
        raise ProtocolError("trade.id", f"saw {result.id}; accepted: a number not below 0")
    traded_at = instant_of("trade.created_at", result.created_at)
    return Trade(symbol, result.id, _SIDES[result.side], result.price, result.size, traded_at)


_INF: Final = float("inf")


def klines_from(body: bytes, symbol: str, interval: str, length_us: int) -> list[Kline]:
    """Rows of `GET /markets/klines`, oldest first, each checked; `length_us` is the interval's length."""
    page = decode("GET /markets/klines", wire.KlinePage, body)
    found: dict[int, Kline] = {}
    for row in page.results:
        open_at = instant_of("kline.open_at", row[0])
        _check_kline(row)
        found[open_at] = Kline(symbol, interval, open_at, open_at + length_us, *row[1:])
    return [found[open_at] for open_at in sorted(found)]


def _check_kline(row: tuple[int, float, float, float, float, float]) -> None:
    _, open_, high, low, close, volume = row
    if not all(isfinite(value) for value in row) or low <= 0 or volume < 0 or not low <= min(open_, close):
        raise ProtocolError("kline", f"saw {row}; accepted: finite prices above 0, low <= open, close <= high")
    if max(open_, close) > high:
        raise ProtocolError("kline", f"saw {row}; accepted: finite prices above 0, low <= open, close <= high")


def market_from(result: wire.MarketResult, symbol: str) -> Market:
    """One market's rules; what Paradex leaves out keeps the model's documented default."""
    given: dict[str, Any] = {}
    for name, value in _optional_rules(result).items():
        number = optional_amount(f"market.{name}", value)
        if number is not None:
            given[name] = number
    if result.max_open_orders:
        given["max_open_orders"] = result.max_open_orders
    if result.funding_period_hours:
        given["funding_period_hours"] = int(result.funding_period_hours)
    return Market(
        symbol=symbol,
        market=result.symbol,
        base=result.base_currency or result.symbol.split("-", 1)[0],
        quote=result.quote_currency,
        settlement=result.settlement_currency,
        price_tick=positive("market.price_tick_size", result.price_tick_size),
        size_step=positive("market.order_size_increment", result.order_size_increment),
        min_notional=amount("market.min_notional", result.min_notional),
        max_order_size=positive("market.max_order_size", result.max_order_size),
        position_limit=positive("market.position_limit", result.position_limit),
        **given,
    )


def _optional_rules(result: wire.MarketResult) -> Mapping[str, wire.Number]:
    """Model field -> wire figure, for everything that may be absent."""
    rules: dict[str, wire.Number] = {
        "price_band": result.price_bands_width,
        "max_slippage": result.max_slippage,
        "interest_rate": result.interest_rate,
        "clamp_rate": result.clamp_rate,
        "max_funding_rate": result.max_funding_rate,
    }
    if result.delta1_cross_margin_params is not None:
        rules["initial_margin"] = result.delta1_cross_margin_params.imf_base
        rules["maintenance_factor"] = result.delta1_cross_margin_params.mmf_factor
    fees = result.fee_config
    if fees is not None and fees.api_fee is not None:
        rules["maker_fee"] = fees.api_fee.maker_fee.fee
        rules["taker_fee"] = fees.api_fee.taker_fee.fee
    if fees is not None and fees.interactive_fee is not None:
        rules["retail_maker_fee"] = fees.interactive_fee.maker_fee.fee
        rules["retail_taker_fee"] = fees.interactive_fee.taker_fee.fee
    return rules


def status_from(body: bytes) -> ExchangeStatus:
    """`GET /system/state`."""
    return word("GET /system/state", ExchangeStatus, decode("GET /system/state", wire.SystemState, body).status)


def server_time_from(body: bytes) -> int:
    """`GET /system/time` in microseconds."""
    return instant_of("server_time", decode("GET /system/time", wire.SystemTime, body).server_time)


def claims_from(token: str) -> wire.TokenClaims:
    """The claims of a JWT, unverified: we only want to know when it ends."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ProtocolError("jwt_token", "not a JWT: it has not three parts")
    try:
        claims = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except (ValueError, binascii.Error) as error:
        raise ProtocolError("jwt_token", f"not a JWT: {error}") from None
    return decode("jwt_token", wire.TokenClaims, claims)


# ---- refusals --------------------------------------------------------------------------------------------------------


def error_from(where: str, status: int, headers: Mapping[str, str], body: bytes) -> FlashScalperError:
    """What an HTTP answer of status >= 300 means, as one of our errors (section 4.1).

    5xx and bodies that are not Paradex's are TransportError: nobody knows what happened. A 401 is always AuthError.
    """
    if status == 429:
        return RateLimitError(f"{where}: too many requests", retry_after_s=retry_after_s(headers))
    code, message = error_words(body)
    if status == 401:
        return AuthError(code or "UNAUTHORIZED", message or "the token was refused", status=status)
    if status >= 500 or status < 400 or not code:
        return TransportError(f"{where}: HTTP {status} {code or body[:80]!r}")
    kind = AuthError if code in _AUTH_CODES else ExchangeError
    return kind(code, message, status=status)


def error_words(body: bytes) -> tuple[str, str]:
    """Code and text of an error body; empty when it is not Paradex's JSON (HTML of a proxy, a cut body)."""
    try:
        result: wire.ErrorResult = _decoder(wire.ErrorResult).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    return result.error, result.message


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of `Retry-After`, kept between 0.1 and 3,600; one second when it is missing or not a number."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return DEFAULT_RETRY_AFTER_S
    if not isfinite(seconds):
        return DEFAULT_RETRY_AFTER_S
    return min(max(seconds, 0.1), 3_600.0)
