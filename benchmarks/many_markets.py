"""Many markets at once in one process: binary frames decoded, checked, taped and given to the engine as they fall due.

Every market has klines of 8 timeframes, the scalper and a 15-level book; trades come at a rate, books ten times a second.
Frames are made before; they are handed over when their instant has come on the wall clock, so a process that cannot keep up
falls behind, and the age of what it handles grows. There is no socket in it: `websocket_throughput` has that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from struct import Struct

import msgspec
from benchmarks.machine import Steal, percentile

from flashscalper.cli.bench_ticks import INTERVALS, STARTED_AT
from flashscalper.exchanges.paradex import sbe, sbe_schema
from flashscalper.exchanges.paradex.market_frames import MarketEvent, MarketFrames
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.runtime.collecting import rare_collections
from flashscalper.runtime.tape import Tape
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.strategies.profiles import find_profile
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.engine import Engine
from flashscalper.trading.profiles import trading_profile

_FIRST_ID = 1_767_225_600_123_201_704_028_870_000
_HEAD, _HEAD_AT = Struct("<qq"), 8  # sent_at, seq_no; see sbe_schema
_INSTANT, _TRADED_AT = Struct("<q"), 49


@dataclass(frozen=True)
class Load:
    """What was asked of one run."""

    markets: int
    trades_per_second: float
    books_per_second: float = 10.0
    klines_kept: int = 100
    seconds: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """What it took. Ages are milliseconds between a frame's instant and the end of its handling."""

    load: Load
    messages: int
    cpu_share: float
    cpu_us_per_message: float
    age_p50_ms: float
    age_p99_ms: float
    age_end_ms: float
    steal: float | None


def make_markets(count: int) -> list[Market]:
    """Copies of the simulator's ETH market under other names."""
    eth = next(market for market in DEFAULT_MARKETS if market.symbol == "ETHUSDT")
    return [msgspec.structs.replace(eth, symbol=f"M{n}USDT", market=f"M{n}-USD-PERP") for n in range(count)]


def make_frames(load: Load, markets: list[Market]) -> list[tuple[int, bytes]]:
    """(microseconds after the start, frame), in order; the markets' frames are spread evenly, as if they were strangers."""
    frames = [frame for place, market in enumerate(markets) for frame in _frames_of(load, market, place)]
    frames.sort(key=lambda frame: frame[0])
    return frames


def _frames_of(load: Load, market: Market, place: int) -> Iterator[tuple[int, bytes]]:
    """Frames of one market: a few encoded ones, and all others as copies with their own instants, numbers and ids."""
    dice = Random(place)
    offset = dice.random()
    trades = [_trade(market, dice) for _ in range(20)]
    for number in range(int(load.trades_per_second * load.seconds)):
        at = int((number + offset) / load.trades_per_second * SECOND_US)
        data = bytearray(trades[number % len(trades)])
        _HEAD.pack_into(data, _HEAD_AT, STARTED_AT + at, number + 1)
        _INSTANT.pack_into(data, _TRADED_AT, STARTED_AT + at)
        data[-28:] = b"%d" % (_FIRST_ID + number)
        yield at, bytes(data)
    books = [_book(market, dice) for _ in range(5)]
    for number in range(int(load.books_per_second * load.seconds)):
        at = int((number + offset) / load.books_per_second * SECOND_US)
        data = bytearray(books[number % len(books)])
        _HEAD.pack_into(data, _HEAD_AT, STARTED_AT + at, number + 1)
        yield at, bytes(data)


def _trade(market: Market, dice: Random) -> bytes:
    values = {
        "sent_at": STARTED_AT, "seq_no": 1, "short_id": 1, "side": dice.choice(("BUY", "SELL")),
        "price": Decimal(30_000 + dice.randrange(100)) / 10, "size": Decimal(dice.randrange(1, 1_000)) / 1_000,
        "created_at": STARTED_AT, "trade_type": "FILL", "market": market.market, "trade_id": str(_FIRST_ID),
    }  # fmt: skip
    return sbe.encode(sbe_schema.TRADE, 2, values)


def _book(market: Market, dice: Random) -> bytes:
    mid = Decimal(30_000 + dice.randrange(5)) / 10
    sides = {
        name: tuple((mid + sign * Decimal(level) / 10, Decimal(dice.randrange(1, 100))) for level in range(1, 16))
        for name, sign in (("bids", -1), ("asks", 1))
    }
    values = {"sent_at": STARTED_AT, "seq_no": 1, "package": "SNAPSHOT", "market": market.market, **sides}
    return sbe.encode(sbe_schema.BOOK, 2, values)


def run(load: Load, *, paced: bool = True) -> Outcome:
    """One run in this process; not `paced`, it goes as fast as it can and ages mean nothing."""
    markets = make_markets(load.markets)
    frames = make_frames(load, markets)
    settings = msgspec.structs.replace(trading_profile("default"), intervals=INTERVALS, klines_kept=load.klines_kept)
    scalper = find_profile("default").scalper
    engine = Engine(
        settings, {market.symbol: market for market in markets},
        {market.symbol: Scalper(scalper, market) for market in markets}, ClientIds(STARTED_AT), STARTED_AT,
        Decimal(10_000), None,
    )  # fmt: skip
    read = MarketFrames({market.market: market.symbol for market in markets}).read_binary
    with tempfile.TemporaryDirectory() as folder, Tape(Path(folder), {"run": "bench"}) as tape, rare_collections():
        steal = Steal()
        ages, cpu_ns = _drive(frames, read, engine, tape, paced=paced)
        stolen = steal.share()
    ages_ms = [age / 1e6 for age in ages]
    return Outcome(
        load, len(frames), cpu_ns / 1e9 / load.seconds, cpu_ns / 1e3 / len(frames), percentile(ages_ms, 50),
        percentile(ages_ms, 99), max(ages_ms[-100:]), stolen,
    )  # fmt: skip


def _drive(
    frames: list[tuple[int, bytes]], read: Callable[[bytes], MarketEvent | None], engine: Engine, tape: Tape, *, paced: bool
) -> tuple[list[int], int]:
    """Hand over every frame that is due, then sleep until the next one is; a millisecond at least, like an event loop."""
    ages: list[int] = []
    began_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    for after_us, frame in frames:
        due_ns = began_ns + after_us * 1_000
        if paced and (left_ns := due_ns - time.perf_counter_ns()) > 0:
            time.sleep(max(0.001, left_ns / 1e9))
        event = read(frame)
        assert event is not None
        now = STARTED_AT + after_us
        tape.write(now, event)
        engine.handle(event, now)
        ages.append(time.perf_counter_ns() - due_ns)
    return ages, time.process_time_ns() - cpu_ns
