"""What has been learned of frames changes how fast they are read, never what is read: short ways against long ones."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex import sbe, sbe_schema
from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.model.errors import ProtocolError
from flashscalper.model.klines import Trade

MARKETS = {"ETH-USD-PERP": "ETHUSDT", "ETH-USD-PERP2": "ETH2USDT", "BTC-USD-PERP": "BTCUSDT"}


def push(channel: str, data: dict[str, object]) -> bytes:
    whole = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return json.dumps(whole, separators=(",", ":")).encode()


def trade(market: str, trade_id: int = 1_767_225_600_123_201_704_028_870_000) -> bytes:
    return push(
        f"trades.{market}",
        {
            "id": str(trade_id), "market": market, "side": "BUY", "size": "0.5", "price": "3000.1",
            "created_at": 1_767_225_600_123, "trade_type": "FILL",
        },
    )  # fmt: skip


def others(market: str) -> list[bytes]:
    quote = {
        "market": market,
        "bid": "1.5",
        "bid_size": "2",
        "ask": "1.6",
        "ask_size": "3",
        "last_updated_at": 5,
        "seq_no": 7,
    }
    level = {"side": "BUY", "price": "1.5", "size": "2"}
    book = {
        "seq_no": 7, "market": market, "last_updated_at": 5, "update_type": "s", "inserts": [level], "updates": [],
        "deletes": [],
    }  # fmt: skip
    mark = {"symbol": market, "mark_price": "1.5", "underlying_price": "1.6", "created_at": 5, "funding_rate": "0.1"}
    return [
        push(f"bbo.{market}", quote),
        push(f"order_book.{market}.snapshot@15@100ms", book),
        push(f"markets_summary.{market}", mark),
    ]


ORDINARY = [frame for market in MARKETS for frame in (trade(market), *others(market))]


def taught() -> MarketFrames:
    """A reader that has met every ordinary frame, in both encodings."""
    frames = MarketFrames(MARKETS)
    for data in ORDINARY:
        frames.read_json(data)
    for market in MARKETS:
        frames.read_binary(binary(market, "1767225600123201704028870000"))
    return frames


def binary(market: str, trade_id: str, version: int = 2, side: str = "SELL") -> bytes:
    return sbe.encode(
        sbe_schema.TRADE,
        version,
        {
            "sent_at": 1, "seq_no": 1, "short_id": 1, "side": side, "price": Decimal("3000.1"), "size": Decimal("0.5"),
            "created_at": 7, "trade_type": "FILL", "market": market, "trade_id": trade_id,
        },
    )  # fmt: skip


TAUGHT = taught()


def outcome(read: object, data: bytes) -> object:
    try:
        return read(data)  # type: ignore[operator]
    except ProtocolError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ORDINARY), st.data())
def test_a_changed_frame_reads_the_same_whether_its_beginning_is_known_or_not(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, min(len(data), start + 12)))
    piece = draw.draw(
        st.sampled_from([b"", b"}", b"}}", b"{", b'"', b",", b"0", b"-1", b"null", b"\\", b'"data":', b"\xff"])
    )
    changed = data[:start] + piece + data[end:]
    assert outcome(TAUGHT.read_json, changed) == outcome(MarketFrames(MARKETS).read_whole, changed)


def test_ordinary_frames_of_every_market_read_the_same_both_ways() -> None:
    for data in ORDINARY:
        assert TAUGHT.read_json(data) == MarketFrames(MARKETS).read_whole(data) is not None


def test_a_frame_whose_data_is_not_the_last_thing_is_read_the_long_way() -> None:
    longer = trade("ETH-USD-PERP")[:-1] + b',"usOut":1767225600123456}'
    assert TAUGHT.read_json(longer) == MarketFrames(MARKETS).read_whole(longer) is not None


def test_a_known_beginning_with_broken_data_is_refused_in_the_same_words() -> None:
    broken = trade("ETH-USD-PERP").replace(b'"3000.1"', b'"x"')
    assert "price" in str(outcome(TAUGHT.read_json, broken))
    assert outcome(TAUGHT.read_json, broken) == outcome(MarketFrames(MARKETS).read_json, broken)


def test_what_is_known_has_a_limit() -> None:
    frames = MarketFrames({f"A{n:04}-USD-PERP": f"A{n}" for n in range(5_000)})
    for n in range(5_000):
        assert frames.read_json(trade(f"A{n:04}-USD-PERP")) is not None
    assert len(frames._known) == 4_096


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*MARKETS, "DOGE-USD-PERP"]),
    st.one_of(st.integers(0, 10**29).map(str), st.sampled_from(["", "-1", "1_0", "x" * 28])),
    st.integers(0, 9),
    st.sampled_from(["BUY", "SELL"]),
    st.data(),
)
def test_a_binary_trade_reads_the_same_whether_its_layout_is_known_or_not(
    market: str, trade_id: str, version: int, side: str, draw: st.DataObject
) -> None:
    data = bytearray(binary(market, trade_id, 2, side))
    data[6] = version
    if draw.draw(st.booleans()):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    frame = bytes(data)
    assert outcome(TAUGHT.read_binary, frame) == outcome(MarketFrames(MARKETS).read_binary, frame)


def test_a_known_layout_gives_the_trade() -> None:
    assert TAUGHT._layouts
    read = TAUGHT.read_binary(binary("BTC-USD-PERP", "1767225600123201704028870001"))
    assert isinstance(read, Trade)
    assert (read.symbol, read.id, str(read.side), read.price, read.size, read.traded_at) == (
        "BTCUSDT", 1_767_225_600_123_201_704_028_870_001, "sell", 3000.1, 0.5, 7,
    )  # fmt: skip
