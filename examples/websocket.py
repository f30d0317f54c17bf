"""Public trades of two markets over WebSocket, for half a minute. Needs no key.

Offline:  flashscalper sim --port 8787        (in another terminal)
          PARADEX_ENVIRONMENT=simulator PARADEX_REST_URL=http://127.0.0.1:8787/v1 python examples/websocket.py
Testnet:  python examples/websocket.py
"""

from __future__ import annotations

import asyncio
from collections import Counter

from flashscalper import ParadexWebSocketClient


async def main(seconds: float = 30.0) -> None:
    trades: Counter[str] = Counter()
    async with ParadexWebSocketClient.from_env() as client:
        client.on("trade", lambda trade: trades.update([trade.symbol]))
        client.on("trade", lambda trade: print(f"{trade.symbol} {trade.side} {trade.size:g} at {trade.price:g}"))
        client.on("reconnected", lambda event: print(f"{event.stream} is back: nothing was lost on the way"))
        client.on("error", lambda error: print(f"trouble: {error}"))
        await client.subscribe_trades("ETHUSDT")
        await client.subscribe_trades("BTCUSDT")
        await asyncio.sleep(seconds)
    print(f"{trades.total()} trades in {seconds:g} s: {dict(trades)}")


if __name__ == "__main__":
    asyncio.run(main())
