"""Balance, prices and positions over REST.

Offline:  flashscalper sim --port 8787        (in another terminal)
          PARADEX_ENVIRONMENT=simulator PARADEX_REST_URL=http://127.0.0.1:8787/v1 \
          PARADEX_SECRET_KEY=0x1234567890abcdef python examples/rest.py
Testnet:  PARADEX_ENVIRONMENT=testnet PARADEX_KEY_NAME=bot python examples/rest.py
"""

from __future__ import annotations

import asyncio

from flashscalper import ExchangeFactory


async def main() -> None:
    async with ExchangeFactory.create_from_env() as client:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            price = await client.get_price(symbol)
            market = await client.get_market(symbol)
            print(f"{symbol}: mark {price.mark:g}, bid {price.bid}, ask {price.ask}, sizes in steps of {market.size_step}")

        balance = await client.get_balance()
        print(f"balance: {balance.account_value} USDC, {balance.free_collateral} free")

        positions = await client.get_positions()
        for position in positions:
            print(f"position: {position.symbol} {position.size:+} at {position.entry_price}")
        print(f"{len(positions)} positions, {len(await client.get_open_orders())} open orders")


if __name__ == "__main__":
    asyncio.run(main())
