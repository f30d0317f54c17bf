"""What streams spare: REST requests of a running bot, and the age of a trade when we hear of it. Figures with `pytest -s`.

The figures of `docs/explanation/streams-or-polling.md` come from here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from flashscalper.cli.demo import DemoOptions, demo
from flashscalper.market.symbols import DEFAULT_SYMBOLS
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.base import HttpArrived, ServerIncoming
from flashscalper.simulator.paradex_server.server import ParadexServer
from tests.promises.box import served, until

SETTLED_US = 60 * SECOND_US
POLLED_A_MARKET = 3
"""Trades, best quote, and marks with funding."""
POLLED_AN_ACCOUNT = 4
"""Orders, fills, positions and margin."""
POLL_S = 1.0


@pytest.mark.verify
@pytest.mark.timeout(240)
def test_a_bot_of_seven_markets_asks_a_twentieth_of_what_polling_each_second_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole bot on the simulator for three minutes of market time; its first minute (history, login) is left out."""
    asked: list[tuple[int, str]] = []
    receive = ParadexServer.receive

    def counting(server: ParadexServer, message: ServerIncoming, now: int) -> None:
        if isinstance(message, HttpArrived):
            asked.append((now, f"{message.method} {message.path.split('/0x')[0]}"))
        receive(server, message, now)

    monkeypatch.setattr(ParadexServer, "receive", counting)
    minutes = 3
    options = DemoOptions.parse(
        seconds=60.0 * minutes, speed="max", feed="synthetic", seed=1, markets=",".join(DEFAULT_SYMBOLS), interval="5s",
        runs=tmp_path, json=True,
    )  # fmt: skip
    assert demo(options) == 0
    steady = Counter(what for at, what in asked if at > asked[0][0] + SETTLED_US)
    an_hour = steady.total() * 60 // (minutes - 1)
    polling = int((len(DEFAULT_SYMBOLS) * POLLED_A_MARKET + POLLED_AN_ACCOUNT) * 3_600 / POLL_S)
    with capsys.disabled():
        print(f"\n{len(DEFAULT_SYMBOLS)} markets: {an_hour} REST requests an hour, polling each {POLL_S:g} s: {polling}")
        print(", ".join(f"{what} {count * 60 // (minutes - 1)}" for what, count in steady.most_common()))
    assert "GET /v1/trades" not in steady
    assert an_hour * 20 < polling


@pytest.mark.verify
def test_a_trade_is_younger_by_stream_than_by_polling_in_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> tuple[list[float], list[float]]:
        streamed: list[float] = []
        polled: list[float] = []
        async with asyncio.timeout(60), served() as box, box.streams() as stream, box.public() as rest:

            def hear(trade: Trade) -> None:
                streamed.append((box.clock.now() - trade.traded_at) / 1e3)

            stream.on("trade", hear)
            since_at, known = box.clock.now(), set[int]()
            await stream.subscribe_trades("ETHUSDT")
            await until(lambda: bool(streamed))
            streamed.clear()
            for _ in range(8):
                await asyncio.sleep(POLL_S)
                async for trade in rest.iter_trades("ETHUSDT", since_at=since_at):
                    if trade.id not in known:
                        known.add(trade.id)
                        polled.append((box.clock.now() - trade.traded_at) / 1e3)
        return streamed, polled

    streamed, polled = run_loop(main())
    assert len(streamed) >= 10
    assert len(polled) >= 10
    with capsys.disabled():
        for name, ages in (("by stream", streamed), (f"by polling each {POLL_S:g} s", polled)):
            print(f"\nage of a trade {name}: median {median(ages):.1f} ms, oldest {max(ages):.1f} ms, {len(ages)} trades")
    assert median(streamed) < median(polled) / 2
