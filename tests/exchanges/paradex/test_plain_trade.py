"""The short way of a binary trade frame against the reader that knows every case: the same trade or the same refusal."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex import sbe, sbe_schema
from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.model.errors import ProtocolError
from flashscalper.model.klines import Trade

FRAMES = MarketFrames({"ETH-USD-PERP": "ETHUSDT", "é-USD-PERP": "ÉUSDT"})


def the_long_way(data: bytes) -> object:
    message = sbe.decode_frame(data)
    assert isinstance(message, sbe.SbeTrade)
    return FRAMES._sbe_trade(message)


def outcome(read: object, data: bytes) -> object:
    try:
        return read(data)  # type: ignore[operator]
    except ProtocolError as error:
        return str(error)


frames = st.builds(
    lambda market, trade_id, side, price, size, created_at, version: sbe.encode(
        sbe_schema.TRADE,
        version,
        {
            "sent_at": 1, "seq_no": 1, "short_id": 1, "side": side, "price": price, "size": size, "created_at": created_at,
            "trade_type": "FILL", "market": market, "trade_id": trade_id,
        },
    ),
    st.sampled_from(["ETH-USD-PERP", "é-USD-PERP", "BTC-USD-PERP", ""]),
    st.one_of(st.integers(0, 10**30).map(str), st.sampled_from(["", "-1", "1_0", " 1", "٣", "x"])),
    st.sampled_from(["BUY", "SELL"]),
    st.decimals(Decimal(-1), Decimal("9e9"), places=8),
    st.decimals(Decimal(0), Decimal("9e9"), places=8),
    st.integers(0, 4_000_000_000_000_000),
    st.sampled_from([2, 3]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(frames)
def test_both_ways_give_the_same_trade_or_the_same_words(data: bytes) -> None:
    assert outcome(FRAMES.read_binary, data) == outcome(the_long_way, data)


@settings(max_examples=150, deadline=None)
@given(frames, st.data())
def test_a_damaged_frame_gives_the_same_on_both_ways(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(8, len(data)))
    place = draw.draw(st.integers(8, len(data) - 1))
    damaged = bytearray(data)
    damaged[place] = draw.draw(st.integers(0, 255))
    for frame in (data[:cut], bytes(damaged)):
        assert outcome(FRAMES.read_binary, frame) == outcome(the_long_way, frame)


def test_the_short_way_is_taken_for_an_ordinary_frame() -> None:
    data = sbe.encode(
        sbe_schema.TRADE,
        2,
        {
            "sent_at": 1, "seq_no": 1, "short_id": 1, "side": "BUY", "price": Decimal("3000.1"), "size": Decimal("0.5"),
            "created_at": 7, "trade_type": "FILL", "market": "ETH-USD-PERP", "trade_id": "12",
        },
    )  # fmt: skip
    trade = FRAMES._plain_trade(data)
    assert isinstance(trade, Trade)
    assert (trade.id, trade.price, trade.size, trade.traded_at) == (12, 3000.1, 0.5, 7)
