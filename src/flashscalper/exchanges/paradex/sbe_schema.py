"""Paradex's binary (SBE) WebSocket schema as tables: templates, fields, since which version, and the enumerations.

Source: SBE schema 1:0 to 1:3 of the exchange's WebSocket documentation ("SBE encoding"). Everything is little-endian;
a frame is a header of four uint16 (block length, template, schema, version), a fixed block, repeating groups, then texts
of one length byte each. Offsets are not listed: fields are packed in the order given, newer ones at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import calcsize
from typing import Final

import msgspec

SCHEMA_ID: Final = 1
VERSIONS: Final = (0, 1, 2, 3)
NULL: Final = -(2**63)
"""An int64 that is not set."""

TRADE: Final = 1
BBO: Final = 2
BOOK: Final = 3
SUMMARY: Final = 4
FUNDING: Final = 5
FUNDING_COMPARISON: Final = 6
ORDER: Final = 20
FILL: Final = 21
POSITION: Final = 22
ACCOUNT: Final = 23
HEARTBEAT: Final = 40
SUBSCRIBED: Final = 41

UNKNOWN: Final = "UNKNOWN"
"""What an enumeration value outside these tables decodes to (the exchange itself sends 254)."""

SIDES: Final[Mapping[int, str]] = {1: "BUY", 2: "SELL"}
POSITION_SIDES: Final[Mapping[int, str]] = {1: "LONG", 2: "SHORT"}
ORDER_TYPES: Final[Mapping[int, str]] = {
    1: "LIMIT",
    2: "MARKET",
    3: "STOP_LIMIT",
    4: "STOP_MARKET",
    5: "TAKE_PROFIT_LIMIT",
    6: "TAKE_PROFIT_MARKET",
    7: "STOP_LOSS_LIMIT",
    8: "STOP_LOSS_MARKET",
}
ORDER_STATUSES: Final[Mapping[int, str]] = {1: "NEW", 2: "UNTRIGGERED", 3: "OPEN", 4: "CLOSED"}
TIMES_IN_FORCE: Final[Mapping[int, str]] = {1: "GTC", 2: "IOC", 3: "POST_ONLY", 4: "RPI"}
FILL_TYPES: Final[Mapping[int, str]] = {
    1: "FILL",
    2: "LIQUIDATION",
    3: "UNWIND_TRANSFER",
    4: "SETTLE_MARKET",
    5: "RPI",
    6: "BLOCK_TRADE",
}
LIQUIDITIES: Final[Mapping[int, str]] = {1: "MAKER", 2: "TAKER"}
STP_MODES: Final[Mapping[int, str]] = {0: "NONE", 1: "EXPIRE_MAKER", 2: "EXPIRE_TAKER", 3: "EXPIRE_BOTH"}
POSITION_STATUSES: Final[Mapping[int, str]] = {1: "OPEN", 2: "CLOSED"}
ACCOUNT_STATUSES: Final[Mapping[int, str]] = {1: "ACTIVE", 2: "LIQUIDATION"}
PACKAGES: Final[Mapping[int, str]] = {0: "SNAPSHOT", 1: "DELTA"}
REQUEST_STATUSES: Final[Mapping[int, str]] = {0: "", 1: "PENDING", 2: "PROCESSED", 3: "REJECTED", 4: "SUCCESS"}
REQUEST_TYPES: Final[Mapping[int, str]] = {0: "", 1: "MODIFY_ORDER"}

ORDER_FLAGS: Final = (
    "REDUCE_ONLY",
    "STOP_CONDITION_BELOW_TRIGGER",
    "STOP_CONDITION_ABOVE_TRIGGER",
    "INTERACTIVE",
    "TARGET_STRATEGY_VWAP",
    "MMP",
)
"""By bit, lowest first, in the spelling of the JSON form."""
FILL_FLAGS: Final = ("interactive", "rpi", "fastfill")


class Field(msgspec.Struct, frozen=True):
    """One member of the fixed block. `kind` names its coding (see `CODES`); `since` the schema version that added it."""

    name: str
    kind: str
    since: int = 0
    names: Mapping[int, str] = {}
    bits: tuple[str, ...] = ()


class Text(msgspec.Struct, frozen=True):
    """One text after block and groups."""

    name: str
    since: int = 0


class Template(msgspec.Struct, frozen=True):
    """One message. `groups` are repeating groups of two decimals: price and size."""

    id: int
    name: str
    fields: tuple[Field, ...]
    groups: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()

    def fields_of(self, version: int) -> tuple[Field, ...]:
        """The block's members in schema `version`."""
        return tuple(field for field in self.fields if field.since <= version)

    def texts_of(self, version: int) -> tuple[Text, ...]:
        """The texts in schema `version`."""
        return tuple(text for text in self.texts if text.since <= version)

    def block_length(self, version: int) -> int:
        """Bytes of the fixed block in schema `version`."""
        return sum(SIZES[field.kind] for field in self.fields_of(version))


CODES: Final[Mapping[str, str]] = {
    "time": "q",
    "int": "q",
    "uint": "Q",
    "short": "h",
    "byte": "B",
    "enum": "B",
    "bits": "B",
    "account": "32s",
    "e8": "q",
    "e8?": "q",
    "abs8": "q",
    "e12": "q",
    "e12?": "q",
}
"""`struct` code of each kind: `e8` and `e12` are decimals as mantissa x 10^-8 and 10^-12, `?` may be null, `time` is us.

`abs8` is a position's size: unsigned on the wire, the side beside it gives the sign.
"""

DECIMALS: Final[Mapping[str, tuple[int, bool]]] = {
    "e8": (8, False),
    "e8?": (8, True),
    "abs8": (8, False),
    "e12": (12, False),
    "e12?": (12, True),
}
"""Decimal places of the decimal kinds, and whether they may be null."""

SIZES: Final[Mapping[str, int]] = {kind: calcsize("<" + code) for kind, code in CODES.items()}


def _fields(kind: str, *names: str, since: int = 0) -> tuple[Field, ...]:
    return tuple(Field(name, kind, since) for name in names)


def _enum(name: str, names: Mapping[int, str], since: int = 0) -> Field:
    return Field(name, "enum", since, names=names)


_HEAD = (Field("sent_at", "time"), Field("seq_no", "int"))
_MARKET = (Text("market"),)

_PUBLIC = (
    Template(
        TRADE,
        "TradeEvent",
        (
            *_HEAD,
            Field("short_id", "int"),
            _enum("side", SIDES),
            *_fields("e8", "price", "size"),
            Field("created_at", "time"),
            _enum("trade_type", FILL_TYPES),
        ),
        texts=(*_MARKET, Text("trade_id", 2)),
    ),
    Template(BBO, "BboEvent", (*_HEAD, *_fields("e8?", "bid", "bid_size", "ask", "ask_size")), texts=_MARKET),
    Template(
        BOOK,
        "BookEvent",
        (
            *_HEAD,
            _enum("package", PACKAGES),
            *_fields("e8?", "best_bid", "best_bid_size", "best_ask", "best_ask_size", "relative_spread"),
            *_fields("e8?", "best_bid_api", "best_bid_api_size", "best_ask_api", "best_ask_api_size"),
        ),
        groups=("bids", "asks"),
        texts=_MARKET,
    ),
    Template(
        SUMMARY,
        "MarketSummaryEvent",
        (
            *_HEAD,
            *_fields("e8", "mark_price", "index_price", "last_price", "volume_24h", "open_interest", "funding_rate"),
            *_fields("e8?", "bid", "ask"),
            *_fields("e8", "total_volume", "price_change_rate_24h"),
            *_fields("e8?", "mark_iv", "bid_iv", "ask_iv", "last_iv", "delta", "gamma", "vega", "theta", "rho"),
            *_fields("e8?", "volga", "vanna", "future_funding_rate", "external_fair_price", "bid_size", "ask_size"),
            *_fields("e8?", "forward_rate", "risk_free_rate", since=1),
            *_fields("e12?", "funding_rate_precise", since=1),
            *_fields("e8?", "settlement_twap_estimate", since=3),
        ),
        texts=_MARKET,
    ),
    Template(
        FUNDING,
        "FundingDataEvent",
        (
            *_HEAD,
            *_fields("e8", "funding_rate", "funding_index"),
            Field("created_at", "time"),
            *_fields("e8", "funding_premium", "funding_rate_8h"),
            Field("funding_period_hours", "short"),
            *_fields("e8?", "impact_premium_rate", since=1),
        ),
        texts=_MARKET,
    ),
    Template(
        FUNDING_COMPARISON,
        "FundingRateComparisonEvent",
        (
            Field("sent_at", "time"),
            Field("last_updated_at", "time"),
            *_fields("e12", "hourly_funding_rate"),
            *_fields("byte", "asset_kind", "source"),
        ),
        texts=_MARKET,
    ),
)

_PRIVATE = (
    Template(
        ORDER,
        "OrderEvent",
        (
            *_HEAD,
            _enum("status", ORDER_STATUSES),
            _enum("side", SIDES),
            _enum("type", ORDER_TYPES),
            _enum("instruction", TIMES_IN_FORCE),
            *_fields("e8?", "price", "trigger_price"),
            *_fields("e8", "size", "remaining_size"),
            *_fields("e8?", "avg_fill_price"),
            *_fields("time", "created_at", "updated_at"),
            Field("account", "account"),
            *_fields("time", "received_at", "published_at"),
            _enum("stp", STP_MODES),
            Field("flags", "bits", bits=ORDER_FLAGS),
            _enum("request_status", REQUEST_STATUSES, 2),
            _enum("request_type", REQUEST_TYPES, 2),
        ),
        texts=(
            *(Text(name) for name in ("order_id", "client_id", "market", "cancel_reason")),
            *(Text(name, 2) for name in ("request_id", "request_message")),
        ),
    ),
    Template(
        FILL,
        "FillEvent",
        (
            *_HEAD,
            _enum("fill_type", FILL_TYPES),
            _enum("side", SIDES),
            _enum("liquidity", LIQUIDITIES),
            *_fields("e8", "price", "size", "fee"),
            *_fields("e8?", "realized_pnl"),
            Field("created_at", "time"),
            Field("account", "account"),
            *_fields("e8", "underlying_price", "realized_funding"),
            Field("flags", "bits", 2, bits=FILL_FLAGS),
            Field("orderbook_seq_no", "uint", 2),
        ),
        texts=(
            *(Text(name) for name in ("fill_id", "order_id", "client_id", "trade_id", "market")),
            Text("fee_currency", 2),
        ),
    ),
    Template(
        POSITION,
        "PositionEvent",
        (
            *_HEAD,
            _enum("side", POSITION_SIDES),
            Field("size", "abs8"),
            *_fields("e8", "average_entry_price", "unrealized_pnl", "realized_pnl"),
            *_fields("e8?", "mark_price", "liquidation_price"),
            *_fields("e8", "leverage"),
            Field("updated_at", "time"),
            Field("account", "account"),
            *_fields("e8", "average_entry_price_usd", "cost", "cost_usd", "cached_funding_index", "unrealized_funding_pnl"),
            _enum("status", POSITION_STATUSES),
        ),
        texts=(Text("market"), Text("last_fill_id")),
    ),
    Template(
        ACCOUNT,
        "AccountEvent",
        (
            *_HEAD,
            *_fields("e8", "total_collateral", "free_collateral", "initial_margin", "maintenance_margin", "account_value"),
            *_fields("e8?", "unrealized_pnl"),
            Field("updated_at", "time"),
            Field("account", "account"),
            *_fields("e8", "margin_cushion"),
            _enum("status", ACCOUNT_STATUSES),
            Field("last_seen_notification", "time", 2),
        ),
        texts=(Text("settlement_asset"),),
    ),
)

_SESSION = (
    Template(HEARTBEAT, "HeartbeatEvent", _HEAD),
    Template(SUBSCRIBED, "SubscribedEvent", (*_HEAD, Field("status", "byte")), texts=(Text("channel"),)),
)

TEMPLATES: Final[Mapping[int, Template]] = {template.id: template for template in (*_PUBLIC, *_PRIVATE, *_SESSION)}
