"""Klines built from the stream of trades, with the exchange's own history before them. Needs no key.

Offline:  flashscalper sim --port 8787        (in another terminal)
          PARADEX_ENVIRONMENT=simulator PARADEX_REST_URL=http://127.0.0.1:8787/v1 python examples/klines.py
Testnet:  python examples/klines.py
"""

from __future__ import annotations

import asyncio
import time

from flashscalper import ExchangeFactory, KlineBuilder, ParadexWebSocketClient

SYMBOL = "ETHUSDT"


async def main(seconds: float = 60.0) -> None:
    builder = KlineBuilder(SYMBOL, ["1s", "1m"], history=100)
    async with ExchangeFactory.create_from_env() as rest, ParadexWebSocketClient.from_env() as streams:
        streams.on("trade", builder.process_trade)
        await streams.subscribe_trades(SYMBOL)
        builder.seed("1m", await rest.get_klines(SYMBOL, "1m", 50))
        print(f"history: {builder.get_kline_count('1m')} klines of a minute; enough: {builder.has_enough_data('1m', 50)}")

        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at:
            await asyncio.sleep(0.25)
            for event in builder.advance(time.time_ns() // 1_000):
                print(event)

        current = builder.get_current_kline("1m")
        if current is not None:
            print(f"this minute so far: {current.open:g} {current.high:g} {current.low:g} {current.close:g}")
        closed = builder.get_klines("1m")
        if closed:
            print("as Binance writes it:", KlineBuilder.to_binance(closed[-1]))


if __name__ == "__main__":
    asyncio.run(main())
