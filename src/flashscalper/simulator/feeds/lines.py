"""The lines of a Binance-shaped recording, as they are written: short names there, plain names here."""

from __future__ import annotations

import msgspec


class TradeData(msgspec.Struct, tag_field="e", tag="trade", rename={"at": "T", "symbol": "s", "id": "t"}):
    """`m` True: the buyer was the maker, so the seller took."""

    at: int
    symbol: str
    id: int
    p: str
    q: str
    m: bool


class QuoteData(
    msgspec.Struct,
    tag_field="e",
    tag="bookTicker",
    rename={"at": "T", "symbol": "s", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"},
):
    """Best bid and ask."""

    at: int
    symbol: str
    bid: str
    bid_size: str
    ask: str
    ask_size: str


class DepthData(
    msgspec.Struct,
    tag_field="e",
    tag="depthUpdate",
    rename={"at": "T", "symbol": "s", "last": "u", "previous": "pu", "bids": "b", "asks": "a"},
):
    """Changed levels; `previous` is the last update id of the depth message before this one."""

    at: int
    symbol: str
    last: int
    previous: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Message(msgspec.Struct, rename={"last_update": "lastUpdateId", "at": "T"}):
    """A combined-stream message, or a depth snapshot (then `last_update`, `at`, `bids` and `asks` are there)."""

    stream: str | None = None
    data: TradeData | QuoteData | DepthData | None = None
    last_update: int | None = None
    at: int | None = None
    bids: list[tuple[str, str]] | None = None
    asks: list[tuple[str, str]] | None = None
