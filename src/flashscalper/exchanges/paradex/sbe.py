"""Paradex's binary (SBE) WebSocket frames as clients read them: the fast way for market data.

`decode_frame` gives one of the structs of `sbe_messages`. Prices and sizes of market data are floats, correctly rounded
from the mantissa; account templates go through the exact reader. The header's block length is respected, so frames of newer
schema versions decode; unknown templates are None; cut or damaged frames raise ProtocolError.
Source: SBE schema 1:0 to 1:3 of the exchange's WebSocket documentation; tables in `sbe_schema`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

from flashscalper.exchanges.paradex import sbe_schema as schema
from flashscalper.exchanges.paradex.sbe_exact import (
    HEADER,
    PAIR,
    WHERE,
    SbeRecord,
    SbeValue,
    decode_exact,
    encode,
    exact_values,
    level_bytes,
    mantissa,
    refuse_short,
    text_at,
)
from flashscalper.exchanges.paradex.sbe_messages import (
    SbeAccount,
    SbeBbo,
    SbeBook,
    SbeFill,
    SbeFunding,
    SbeFundingComparison,
    SbeHeartbeat,
    SbeMessage,
    SbeOrder,
    SbePosition,
    SbeSubscribed,
    SbeSummary,
    SbeTrade,
)
from flashscalper.model.errors import ProtocolError
from flashscalper.model.fills import FillKind
from flashscalper.model.orders import Side

__all__ = [
    "SbeAccount",
    "SbeBbo",
    "SbeBook",
    "SbeFill",
    "SbeFunding",
    "SbeFundingComparison",
    "SbeHeartbeat",
    "SbeMessage",
    "SbeOrder",
    "SbePosition",
    "SbeRecord",
    "SbeSubscribed",
    "SbeSummary",
    "SbeTrade",
    "SbeValue",
    "decode_exact",
    "decode_frame",
    "encode",
    "mantissa",
]

_E8: Final = 100_000_000
_NULL: Final = schema.NULL


def decode_frame(data: bytes) -> SbeMessage | None:
    """Read one binary frame; None when its template is not one of ours. Raises ProtocolError when cut or damaged."""
    try:
        block, template_id, schema_id, version = HEADER.unpack_from(data)
        if schema_id != schema.SCHEMA_ID:
            raise ProtocolError(WHERE, f"schema {schema_id}; accepted: {schema.SCHEMA_ID}", data)
        reader = _READERS.get(template_id)
        return None if reader is None else reader(data, block, version)
    except (struct_error, UnicodeDecodeError, IndexError) as broken:
        raise ProtocolError(WHERE, f"cut or damaged: {broken}", data) from broken


def _float(mantissa: int) -> float | None:
    return None if mantissa == _NULL else mantissa / _E8


def _refuse_null(data: bytes, **mantissas: int) -> None:
    for name, raw in mantissas.items():
        if raw == _NULL:
            raise ProtocolError(f"{WHERE} {name}", "saw null; accepted: a number", data)


_TRADE: Final = Struct("<8xqqqBqqqB")
_SIDE: Final = {1: Side.BUY, 2: Side.SELL}
_KIND: Final = {code: FillKind(name.lower()) for code, name in schema.FILL_TYPES.items()}


def _read_trade(data: bytes, block: int, version: int) -> SbeTrade:
    sent_at, seq_no, short_id, side_code, price, size, created_at, kind = _TRADE.unpack_from(data)
    side = _SIDE.get(side_code)
    if block < 50 or side is None or _NULL in (price, size):
        refuse_short(data, block, 50)
        _refuse_null(data, price=price, size=size)
        raise ProtocolError(f"{WHERE} side", f"saw {side_code}; accepted: 1, 2", data)
    at = 8 + block  # the texts are read in line here: this is the hottest frame
    end = at + 1 + data[at]
    market, trade_id = data[at + 1 : end].decode(), ""
    if version >= 2:
        at, end = end, end + 1 + data[end]
        trade_id = data[at + 1 : end].decode()
    if end > len(data):
        raise ProtocolError(WHERE, "cut within its texts", data)
    return SbeTrade(market, trade_id, short_id, side, price / _E8, size / _E8, created_at, _KIND.get(kind), seq_no, sent_at)


_BBO: Final = Struct("<8xqqqqqq")


def _read_bbo(data: bytes, block: int, version: int) -> SbeBbo:  # noqa: ARG001 - every reader has this shape
    sent_at, seq_no, bid, bid_size, ask, ask_size = _BBO.unpack_from(data)
    refuse_short(data, block, 48)
    return SbeBbo(text_at(data, 8 + block), _float(bid), _float(bid_size), _float(ask), _float(ask_size), seq_no, sent_at)


_BOOK: Final = Struct("<8xqqB")


def _read_book(data: bytes, block: int, version: int) -> SbeBook:  # noqa: ARG001 - every reader has this shape
    sent_at, seq_no, package = _BOOK.unpack_from(data)
    refuse_short(data, block, 89)
    if package > 1:
        raise ProtocolError(f"{WHERE} package", f"saw {package}; accepted: 0, 1", data)
    at = 8 + block
    bids, at = _levels(data, at)
    asks, at = _levels(data, at)
    return SbeBook(text_at(data, at), package == 0, bids, asks, seq_no, sent_at)


def _levels(data: bytes, at: int) -> tuple[tuple[tuple[float, float], ...], int]:
    entries, end = level_bytes(data, at)
    levels = tuple([(price / _E8, size / _E8) for price, size in PAIR.iter_unpack(entries)])
    for price, size in levels:
        if price <= 0 or size < 0:
            raise ProtocolError(f"{WHERE} level", f"saw {price} x {size}; accepted: price > 0, size >= 0", data)
    return levels, end


_SUMMARY: Final = Struct("<8x12q")


def _read_summary(data: bytes, block: int, version: int) -> SbeSummary:  # noqa: ARG001 - every reader has this shape
    (sent_at, seq_no, mark, index, last, volume, interest, funding, bid, ask, total, change) = _SUMMARY.unpack_from(data)
    refuse_short(data, block, 216)
    if _NULL in (mark, index, last, volume, interest, funding, total, change):
        _refuse_null(data, mark=mark, index=index, last=last, volume=volume, open_interest=interest)
        _refuse_null(data, funding_rate=funding, total_volume=total, price_change_rate_24h=change)
    return SbeSummary(
        text_at(data, 8 + block),
        mark / _E8,
        index / _E8,
        last / _E8,
        volume / _E8,
        interest / _E8,
        funding / _E8,
        _float(bid),
        _float(ask),
        total / _E8,
        change / _E8,
        seq_no,
        sent_at,
    )


_Reader = Callable[[bytes, int, int], SbeMessage]


def _exact_reader(template: schema.Template, shape: type[SbeMessage]) -> _Reader:
    """A reader for the templates that come seldom: every field exactly, into `shape`."""

    def read(data: bytes, block: int, version: int) -> SbeMessage:
        values: dict[str, Any] = exact_values(template, data, block, version)
        return shape(**values)

    return read


_EXACT_SHAPES: Final[dict[int, type[SbeMessage]]] = {
    schema.FUNDING: SbeFunding,
    schema.FUNDING_COMPARISON: SbeFundingComparison,
    schema.ORDER: SbeOrder,
    schema.FILL: SbeFill,
    schema.POSITION: SbePosition,
    schema.ACCOUNT: SbeAccount,
    schema.HEARTBEAT: SbeHeartbeat,
    schema.SUBSCRIBED: SbeSubscribed,
}
_READERS: Final[dict[int, _Reader]] = {
    schema.TRADE: _read_trade,
    schema.BBO: _read_bbo,
    schema.BOOK: _read_book,
    schema.SUMMARY: _read_summary,
    **{template: _exact_reader(schema.TEMPLATES[template], shape) for template, shape in _EXACT_SHAPES.items()},
}
