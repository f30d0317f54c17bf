"""Public market data frames to events: the hot path. JSON is routed by peeking at the channel, binary by its template.

Frames of one channel begin alike up to their data, and binary trades of one length lie alike, so both are learned: a known
beginning is compared instead of parsed, a known layout is read in one go. Whatever is unusual goes the long way, which knows
every case and says what is wrong; `tests/exchanges/paradex/test_short_ways.py` holds both against each other.

Frames of channels or markets that we did not ask for are None. Damaged ones raise ProtocolError naming the channel. Figures
must be finite and prices above zero, so a zero price that an exchange once published stops here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

import msgspec

from flashscalper.exchanges.paradex import responses, sbe, wire
from flashscalper.model.amounts import parse_float
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import BestQuote, BookChange, MarkPrice
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side

MarketEvent = Trade | BestQuote | BookChange | MarkPrice

_INF: Final = float("inf")
_CHANNEL: Final = b'"channel":"'
_CHANNEL_AT: Final = len(_CHANNEL)
_PUSH: Final = b'"params":{"channel":"'
_PUSH_AT: Final = len(_PUSH)
_PEEK: Final = 120
_LONGEST: Final = 20
_DATA: Final = b'"data":'
_TAIL: Final = b"}}"
_KEY: Final = 84
"""Bytes by which a beginning is looked up: within every beginning, and past what tells two markets apart."""
_KNOWN_LIMIT: Final = 4_096
_LATEST_MS: Final = 7_258_118_400_000
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_SBE_TRADE: Final = b"\x01\x00"
_TRADE_FRAME: Final = Struct("<HHHH24xBqqqx")  # header; side, price, size, created_at; see sbe_schema
_SBE_SIDES: Final = {1: Side.BUY, 2: Side.SELL}
_E8: Final = 100_000_000
_PLAIN_BLOCK: Final = 50
_PLAIN_HEADS: Final = frozenset(b"\x32\x00\x01\x00\x01\x00" + bytes((version, 0)) for version in (2, 3))
_TEMPLATES: Final = {1: "trades", 2: "bbo", 3: "order_book", 4: "markets_summary"}


class _Kind(NamedTuple):
    """How one channel is read: a whole frame, its data alone, and the event of what was read."""

    whole: Callable[[bytes], Any]
    inner: Callable[[bytes], Any]
    event: Callable[[Any], MarketEvent | None]


_Known = tuple[bytes, int, Callable[[bytes], Any], Callable[[Any], MarketEvent | None]]
"""A beginning, its length, the decoder of what follows, and what makes the event."""


class MarketFrames:
    """Reads frames of the public socket for the markets in `symbol_of` (exchange name -> symbol)."""

    def __init__(self, symbol_of: Mapping[str, str]) -> None:
        self._symbol_of = symbol_of
        self._symbol_of_bytes = {market.encode(): symbol for market, symbol in symbol_of.items()}
        self._symbol_of_text = {
            bytes((len(market),)) + market: symbol for market, symbol in self._symbol_of_bytes.items() if len(market) < 256
        }
        self._kinds: dict[bytes, _Kind] = {
            b"trades": _kind(wire.TradePush, wire.TradeResult, self._trade_event),
            b"bbo": _kind(wire.BboPush, wire.BboResult, self._quote_event),
            b"order_book": _kind(wire.BookPush, wire.BookUpdate, self._book_event),
            b"markets_summary": _kind(wire.SummaryPush, wire.MarketSummary, self._mark_event),
        }
        self._known: dict[bytes, _Known] = {}
        self._layouts: dict[int, Struct] = {}

    def read_json(self, data: bytes) -> MarketEvent | None:
        """The event of a push frame; None for anything that is not one of our four channels."""
        known = self._known.get(data[:_KEY])
        if known is not None:
            head, size, inner, event = known
            if data.startswith(head) and data.endswith(_TAIL):
                try:
                    figures = inner(data[size:-2])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    return self.read_whole(data)
                return event(figures)
        return self.read_whole(data)

    def read_whole(self, data: bytes) -> MarketEvent | None:
        """The long way of `read_json`: nothing is taken as known. A beginning that is met here is known afterwards."""
        kind = self._kind(data)
        if kind is None:
            return None
        try:
            push = kind.whole(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(channel_of(data) or "frame", str(error), data) from None
        self._learn(data, kind)
        return kind.event(push.params.data)

    def is_push(self, data: bytes) -> bool:
        """Whether the frame is a push of a channel that we can read."""
        return self._kind(data) is not None

    def read_binary(self, data: bytes) -> MarketEvent | None:
        """The event of an SBE frame; None for templates and markets that are not ours."""
        layout = self._layouts.get(len(data))
        if layout is not None:
            head, side_code, price, size, created_at, market, id_size, trade_id = layout.unpack(data)
            symbol = self._symbol_of_text.get(market)
            if symbol is not None and head in _PLAIN_HEADS and price > 0 and size > 0 and id_size == len(trade_id):
                side = _SBE_SIDES.get(side_code)
                if side is not None and trade_id.isdigit():
                    return Trade(symbol, int(trade_id), side, price / _E8, size / _E8, created_at)
        if data[2:4] == _SBE_TRADE and (trade := self._plain_trade(data)) is not None:
            return trade
        message = sbe.decode_frame(data)
        if message is None:
            return None
        if isinstance(message, sbe.SbeTrade):
            return self._sbe_trade(message)
        if isinstance(message, sbe.SbeBbo):
            return self._sbe_bbo(message)
        if isinstance(message, sbe.SbeBook):
            return self._sbe_book(message)
        if isinstance(message, sbe.SbeSummary):
            return self._sbe_summary(message)
        return None

    def _kind(self, data: bytes) -> _Kind | None:
        start = data.find(_PUSH, 0, _PEEK) + _PUSH_AT
        if start < _PUSH_AT:
            return None
        return self._kinds.get(data[start : data.find(b".", start, start + _LONGEST)])

    def _learn(self, data: bytes, kind: _Kind) -> None:
        """Remember how a frame begins that was read; what follows must be its data and nothing else."""
        size = data.find(_DATA) + len(_DATA)
        head = data[:size]
        if size >= _KEY and head.count(b"{") == 2 and b"\\" not in head and len(self._known) < _KNOWN_LIMIT:
            self._known.setdefault(data[:_KEY], (head, size, kind.inner, kind.event))

    # ---- JSON ----

    def _trade_event(self, trade: wire.TradeResult) -> Trade | None:
        symbol = self._symbol_of.get(trade.market)
        if symbol is None:
            return None
        if 0.0 < trade.price < _INF and 0.0 < trade.size < _INF and 0 <= trade.created_at < _LATEST_MS and trade.id >= 0:
            return Trade(symbol, trade.id, _SIDES[trade.side], trade.price, trade.size, trade.created_at * 1000)
        return responses.trade_from(trade, symbol)

    def _quote_event(self, quote: wire.BboResult) -> BestQuote | None:
        symbol = self._symbol_of.get(quote.market)
        if symbol is None:
            return None
        bid, bid_size = _json_side("bbo.bid", quote.bid, quote.bid_size)
        ask, ask_size = _json_side("bbo.ask", quote.ask, quote.ask_size)
        return BestQuote(symbol, bid, bid_size, ask, ask_size, _at("bbo", quote.last_updated_at), quote.seq_no)

    def _book_event(self, update: wire.BookUpdate) -> BookChange | None:
        symbol = self._symbol_of.get(update.market)
        if symbol is None:
            return None
        bids: list[tuple[float, float]] = []
        asks: list[tuple[float, float]] = []
        for levels in (update.inserts, update.updates):
            for level in levels:
                price, size = level.price, level.size
                if not (0.0 < price < _INF and 0.0 <= size < _INF):
                    raise _bad_level(price, size)
                (bids if level.side == "BUY" else asks).append((price, size))
        for level in update.deletes:
            if not (0.0 < level.price < _INF):
                raise _bad_level(level.price, 0.0)
            (bids if level.side == "BUY" else asks).append((level.price, 0.0))
        at = _at("order_book", update.last_updated_at)
        return BookChange(symbol, update.seq_no, update.update_type == "s", tuple(bids), tuple(asks), at)

    def _mark_event(self, summary: wire.MarketSummary) -> MarkPrice | None:
        symbol = self._symbol_of.get(summary.symbol)
        if symbol is None:
            return None
        return MarkPrice(
            symbol,
            _above_zero("markets_summary.mark_price", summary.mark_price),
            _above_zero("markets_summary.underlying_price", summary.underlying_price),
            parse_float("markets_summary.funding_rate", summary.funding_rate),
            _at("markets_summary", summary.created_at),
            _optional_float("markets_summary.last_traded_price", summary.last_traded_price),
            _optional_float("markets_summary.open_interest", summary.open_interest),
        )

    # ---- SBE ----

    def _plain_trade(self, data: bytes) -> Trade | None:
        """A trade of one of our markets in a frame without anything unusual, in one go; None leaves it to the reader that
        knows every case and says what is wrong. Both give the same trade."""
        if len(data) < _TRADE_FRAME.size + 2:
            return None
        block, _, schema_id, version, side_code, price, size, created_at = _TRADE_FRAME.unpack_from(data)
        side = _SBE_SIDES.get(side_code)
        if schema_id != 1 or version < 2 or block < 50 or side is None or price <= 0 or size <= 0:
            return None
        at = 9 + block
        end = at + data[at - 1] if at <= len(data) else 0
        symbol = self._symbol_of_bytes.get(data[at:end])
        if symbol is None or end >= len(data):
            return None
        stop = end + 1 + data[end]
        trade_id = data[end + 1 : stop]
        if stop > len(data) or not trade_id.isdigit():
            return None
        if block == _PLAIN_BLOCK and stop == len(data):
            self._layouts.setdefault(stop, Struct(f"<8s24xBqqqx{end - at + 1}sB{len(trade_id)}s"))
        return Trade(symbol, int(trade_id), side, price / _E8, size / _E8, created_at)

    def _sbe_trade(self, trade: sbe.SbeTrade) -> Trade | None:
        symbol = self._symbol_of.get(trade.market)
        if symbol is None:
            return None
        if not (trade.trade_id.isascii() and trade.trade_id.isdecimal()):
            raise ProtocolError("trades.trade_id", f"saw {trade.trade_id!r}; accepted: a whole number as text")
        if not (trade.price > 0.0 and trade.size > 0.0):
            raise ProtocolError("trades", f"price {trade.price}, size {trade.size}; accepted: numbers above 0")
        return Trade(symbol, int(trade.trade_id), trade.side, trade.price, trade.size, trade.created_at)

    def _sbe_bbo(self, quote: sbe.SbeBbo) -> BestQuote | None:
        symbol = self._symbol_of.get(quote.market)
        if symbol is None:
            return None
        bid, bid_size = _side("bbo.bid", quote.bid, quote.bid_size)
        ask, ask_size = _side("bbo.ask", quote.ask, quote.ask_size)
        return BestQuote(symbol, bid, bid_size, ask, ask_size, quote.sent_at, quote.seq_no)

    def _sbe_book(self, book: sbe.SbeBook) -> BookChange | None:
        symbol = self._symbol_of.get(book.market)
        if symbol is None:
            return None
        _check_levels(book.bids)
        _check_levels(book.asks)
        return BookChange(symbol, book.seq_no, book.snapshot, book.bids, book.asks, book.sent_at)

    def _sbe_summary(self, summary: sbe.SbeSummary) -> MarkPrice | None:
        symbol = self._symbol_of.get(summary.market)
        if symbol is None:
            return None
        return MarkPrice(
            symbol,
            _above_zero("markets_summary.markPrice", summary.mark_price),
            _above_zero("markets_summary.indexPrice", summary.index_price),
            summary.funding_rate,
            summary.sent_at,
            summary.last_price or None,
            summary.open_interest,
        )


def _kind(push: type, figures: type, event: Callable[[Any], MarketEvent | None]) -> _Kind:
    whole: msgspec.json.Decoder[Any] = msgspec.json.Decoder(push, strict=False)
    inner: msgspec.json.Decoder[Any] = msgspec.json.Decoder(figures, strict=False)
    return _Kind(whole.decode, inner.decode, event)


def channel_of(data: bytes) -> str:
    """The channel named in a JSON push, as far as it can be seen without decoding; empty when it cannot."""
    start = data.find(_CHANNEL) + _CHANNEL_AT
    if start < _CHANNEL_AT:
        return ""
    end = data.find(b'"', start)
    return data[start : end if end >= 0 else len(data)].decode(errors="replace")


def template_channel(data: bytes) -> str:
    """Which channel a binary frame's template belongs to; empty for others and for cut headers."""
    return _TEMPLATES.get(int.from_bytes(data[2:4], "little"), "")


def _at(field: str, milliseconds: int) -> int:
    if 0 <= milliseconds < _LATEST_MS:
        return milliseconds * 1000
    raise ProtocolError(field, f"saw {milliseconds}; accepted: unix milliseconds")


def _above_zero(field: str, value: float) -> float:
    if 0.0 < value < _INF:
        return value
    raise ProtocolError(field, f"saw {value}; accepted: a finite number above 0")


def _json_side(field: str, price: str | float | None, size: str | float | None) -> tuple[float | None, float]:
    """One side of a quote; empty text, null or zero mean that nobody is there."""
    if not price:
        return None, 0.0
    return _side(field, parse_float(field, price), parse_float(field, size))


def _side(field: str, price: float | None, size: float | None) -> tuple[float | None, float]:
    if not price:
        return None, 0.0
    if price > 0.0 and size is not None and size >= 0.0:
        return price, size
    raise ProtocolError(field, f"price {price}, size {size}; accepted: finite numbers above 0")


def _check_levels(levels: tuple[tuple[float, float], ...]) -> None:
    for price, size in levels:
        if not (0.0 < price < _INF and 0.0 <= size < _INF):
            raise _bad_level(price, size)


def _bad_level(price: float, size: float) -> ProtocolError:
    return ProtocolError("order_book", f"level {price} x {size}; accepted: finite price above 0, size from 0")


def _optional_float(field: str, value: str | float | None) -> float | None:
    return None if value is None or value == "" else parse_float(field, value)
