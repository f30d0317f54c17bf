"""Reading a recording: strict, whole, in order; damage is one line that names where."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.orders import Side
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import TradePrinted
from flashscalper.simulator.feeds.base import FundingFixed, RecordedDepth, RecordedQuote, RecordedTrade
from flashscalper.simulator.feeds.grid import Grid
from flashscalper.simulator.feeds.recording import RecordingFeed, read_recording
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.simulator.rules import ExchangeRules
from tests.shared import shared_data

ETH = "ETHUSDT"
T = 1_723_161_256_000


def line(stream: str, **data: Any) -> bytes:
    return b"1 " + msgspec.json.encode({"stream": f"ethusdt@{stream}", "data": {"s": ETH, "T": T, "E": T, **data}})


def trade(number: int = 1, at: int = T, price: str = "2681.62", size: str = "0.061", **more: Any) -> bytes:
    return line("trade", **{"e": "trade", "t": number, "p": price, "q": size, "X": "MARKET", "m": True, "T": at, **more})


def ticker(at: int = T, bid: str = "2681.62", ask: str = "2681.63", **more: Any) -> bytes:
    return line("bookTicker", **{"e": "bookTicker", "u": 1, "b": bid, "B": "1.5", "a": ask, "A": "2", "T": at, **more})


def delta(first: int, last: int, previous: int, bids: list[Any], asks: list[Any], **more: Any) -> bytes:
    data = {"e": "depthUpdate", "U": first, "u": last, "pu": previous, "b": bids, "a": asks, **more}
    return line("depth@0ms", **data)


def snapshot(last: int, bids: list[Any], asks: list[Any]) -> bytes:
    return b"1 " + msgspec.json.encode({"lastUpdateId": last, "E": T, "T": T, "bids": bids, "asks": asks})


def read(*lines: bytes, start_at: int | None = None) -> RecordingFeed:
    return read_recording(lines, source="tape.gz", markets=DEFAULT_MARKETS, start_at=start_at)


def drained(feed: RecordingFeed) -> list[tuple[int, Any]]:
    exchange = Exchange.for_feed(feed, ExchangeRules(), feed.start_at)
    events = []
    while (at := feed.next_at()) is not None:
        events.append((at, feed.pop(exchange)))
    return events


def test_trades_and_quotes_become_events_in_ticks_and_lots() -> None:
    feed = read(ticker(), trade(m=False))
    assert [market.market for market in feed.markets] == ["ETH-USD-PERP"]
    assert feed.recorded == {ETH}
    assert drained(feed) == [
        (T * 1000, FundingFixed(ETH, Decimal(0))),
        (T * 1000, RecordedQuote(ETH, 268162, 15000, 268163, 20000)),
        (T * 1000, RecordedTrade(ETH, 1, Side.BUY, 268162, 610, T * 1000)),
    ]


def test_the_clock_never_goes_back_but_trades_keep_their_instants() -> None:
    events = drained(read(ticker(at=T + 5), trade(at=T), trade(2, at=T + 7)))
    assert [at for at, _ in events] == [(T + 5) * 1000] * 3 + [(T + 7) * 1000]
    assert events[2][1].traded_at == T * 1000


def test_a_constant_shift_makes_it_start_when_asked() -> None:
    feed = read(ticker(at=T), trade(at=T + 3), start_at=1_000)
    events = drained(feed)
    assert (feed.start_at, feed.end_at) == (1_000, 4_000)
    assert [at for at, _ in events] == [1_000, 1_000, 4_000]
    assert events[-1][1].traded_at == 4_000


def test_a_snapshot_takes_in_what_streamed_while_it_was_on_its_way() -> None:
    feed = read(
        ticker(),
        trade(),
        delta(1, 10, 0, [["2681.00", "9"]], []),
        delta(11, 20, 10, [["2680.00", "1"]], [["2682.00", "0"]]),
        snapshot(15, [["2681.00", "2"], ["2680.00", "3"]], [["2682.00", "4"], ["2683.00", "5"]]),
        delta(21, 30, 20, [["2681.00", "0"]], [["2684.00", "6"]]),
    )
    depths = [event for _, event in drained(feed) if isinstance(event, RecordedDepth)]
    assert depths == [
        RecordedDepth(ETH, True, ((268100, 20000), (268000, 10000)), ((268300, 50000),)),
        RecordedDepth(ETH, False, ((268100, 0),), ((268400, 60000),)),
    ]


GOOD = ticker()
DAMAGE: dict[str, tuple[list[bytes], str, str]] = {
    "not our format": ([b"2021-12-31,46000,46100\n"], "line 1", "<recorder ns> <combined-stream JSON>"),
    "cut line": ([GOOD, trade()[:-20]], "line 2", "cut or damaged"),
    "bottomless": ([GOOD, b'1 {"x":' + b"[" * 5_000], "line 2", "cut or damaged"),
    "NaN price": ([GOOD, trade(price="NaN")], "line 2 field p: saw 'NaN'", "multiple of 0.01"),
    "infinite size": ([GOOD, trade(size="Infinity")], "line 2 field q: saw 'Infinity'", "multiple of 0.0001"),
    "negative price": ([GOOD, trade(price="-2681.62")], "line 2 field p", "above zero"),
    "zero size": ([GOOD, trade(size="0")], "line 2 field q", "above zero"),
    "off the tick": ([GOOD, trade(price="2681.625")], "line 2 field p: saw '2681.625'", "multiple of 0.01"),
    "number for text": ([GOOD, trade(price=2681.62)], "line 2 field data.p: saw 2681.62", "Expected `str`"),  # type: ignore[arg-type]
    "missing column": ([GOOD, b'1 {"stream":"x","data":{"e":"trade","T":1}}'], "line 2 field data", "missing required"),
    "unknown stream": ([GOOD, line("markPrice", e="markPriceUpdate")], "field data.e: saw 'markPriceUpdate'", "bookTicker"),
    "no data": ([GOOD, b'1 {"stream":"x"}'], "line 2: saw ['stream']", "depth snapshot"),
    "other symbol": ([GOOD, trade(s="BTCUSDT")], "field s: saw 'BTCUSDT'", "one symbol a recording"),
    "unknown symbol": ([trade(s="DOGEUSDT")], "field s: saw 'DOGEUSDT'", "ETHUSDT"),
    "trade twice": ([GOOD, trade(7), trade(7)], "line 3 field t: saw 7", "none twice"),
    "trade out of order": ([GOOD, trade(7), trade(6)], "line 3 field t: saw 6", "above 7"),
    "crossed quote": ([ticker(bid="2681.63")], "line 1 field b", "below the best ask"),
    "no time": ([ticker(at=0)], "line 1 field T: saw 0", "milliseconds"),
    "depth gap": ([GOOD, delta(1, 2, 0, [], []), delta(5, 6, 4, [], [])], "line 3 field pu: saw 4", "2"),
    "snapshot too old": (
        [GOOD, delta(11, 20, 10, [], []), snapshot(5, [], [])],
        "line 3 field lastUpdateId: saw 5",
        "at least 10",
    ),
    "snapshot first": ([snapshot(5, [], [])], "line 1", "names its symbol first"),
    "gap after the snapshot": (
        [GOOD, snapshot(5, [], []), delta(8, 9, 7, [], [])],
        "line 3 field pu: saw 7",
        "at most 5",
    ),
    "bad level": ([GOOD, snapshot(5, [["x", "1"]], [])], "line 2 field bids: saw 'x'", "0.01"),
    "nothing": ([], "saw '0 lines'", "trades and best quotes"),
    "no trades": ([GOOD], "saw '1 lines'", "trades and best quotes"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_line_that_names_where_what_and_what_is_accepted(name: str) -> None:
    lines, where, accepted = DAMAGE[name]
    with pytest.raises(ConfigError) as caught:
        read(*lines)
    message = str(caught.value)
    assert message.startswith("feed tape.gz")
    assert where in message
    assert accepted in message.split("accepted: ", 1)[1]
    assert "\n" not in message


@given(st.binary(max_size=60), st.sampled_from([lambda b: b, lambda b: b"1 " + b, lambda b: trade()[: len(b)] + b]))
def test_any_bytes_are_a_recording_or_a_clear_refusal(noise: bytes, wrap: Callable[[bytes], bytes]) -> None:
    try:
        read(ticker(), trade(), wrap(noise))
    except ConfigError as error:
        assert "feed tape.gz line 3" in str(error)  # noqa: PT017


@given(st.integers(0, 10**9), st.sampled_from(["0.01", "0.0001", "0.5", "1", "10"]), st.integers(0, 3))
def test_a_grid_counts_exactly(count: int, step: str, zeros: int) -> None:
    text = format(Decimal(step) * count, "f")
    text += ("" if "." in text else ".") + "0" * zeros
    assert Grid(Decimal(step)).count(text.rstrip(".") if not zeros else text) == count


@pytest.mark.parametrize("text", ["", ".", ".5", "1.2.3", "-1", "+1", "1e3", " 1", "1_0", "٣", "0.015"])
def test_a_grid_refuses_what_is_no_plain_number_on_it(text: str) -> None:
    assert Grid(Decimal("0.01")).count(text) is None


def test_the_shared_recording_is_whole_and_in_order() -> None:
    with gzip.open(shared_data("ethusdt_perp_20240808.jsonl.gz")) as lines:
        feed = read_recording(lines, source="recording", markets=DEFAULT_MARKETS)
    exchange = Exchange.for_feed(feed, ExchangeRules(), feed.start_at)
    ids = []
    while (at := feed.next_at()) is not None:
        exchange.feed(feed.pop(exchange), at)
        ids += [fact.trade.id for fact in exchange.drain() if isinstance(fact, TradePrinted)]
        bid, ask = exchange.touch(ETH)
        assert bid is None or ask is None or bid < ask
    assert len(ids) == len(set(ids)) == 14_076
    assert ids == sorted(ids)
    assert exchange.level_count(ETH, Side.BUY) > 900
    depth = exchange.book(ETH, 50)
    assert list(depth.bids) == sorted(depth.bids, reverse=True)
    assert list(depth.asks) == sorted(depth.asks)
    assert sum(kline.trade_count for kline in exchange.klines(ETH, "1m", 0, feed.end_at)) == 14_076
