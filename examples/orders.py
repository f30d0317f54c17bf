"""Size an order by money, rest one far away, cancel it, then trade the smallest size there and back.

Orders of scripts pass no risk gate: they are sent as they stand. This one refuses to run on prod.

Offline:  flashscalper sim --port 8787        (in another terminal)
          PARADEX_ENVIRONMENT=simulator PARADEX_REST_URL=http://127.0.0.1:8787/v1 \
          PARADEX_SECRET_KEY=0x1234567890abcdef python examples/orders.py
Testnet:  PARADEX_ENVIRONMENT=testnet PARADEX_KEY_NAME=bot python examples/orders.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from decimal import Decimal

from flashscalper import ExchangeFactory
from flashscalper.model.markets import Rounding

SYMBOL = "ETHUSDT"
NOTIONAL = Decimal(25)
"""USDC an order is worth."""


async def main() -> None:
    if os.environ.get("PARADEX_ENVIRONMENT") == "prod":
        sys.exit("this example trades: use testnet or a simulator")
    async with ExchangeFactory.create_from_env() as client:
        market, price = await client.get_market(SYMBOL), await client.get_price(SYMBOL)
        size = await client.round_size(SYMBOL, NOTIONAL / Decimal(repr(price.mark)))
        print(f"{NOTIONAL} USDC are {size} {market.base} at {price.mark:g} (always rounded down)")

        far = market.round_price(price.mark * 0.9, Rounding.DOWN)
        size_there = await client.round_size(SYMBOL, NOTIONAL / far)
        resting = await client.place_limit_order(SYMBOL, "BUY", size_there, far, time_in_force="post_only")
        print(f"resting: {resting.side} {resting.size} at {resting.price}, {resting.status}, client id {resting.client_id}")
        print(f"cancel: {await client.cancel_order(SYMBOL, client_id=resting.client_id)}")

        bought = await client.place_market_order(SYMBOL, "BUY", size)
        if bought.unknown:
            sys.exit(f"nobody knows what became of {bought.client_id}: ask with get_order, never send it again")
        print(f"bought {bought.filled} at {bought.average_price}")

        sold = await client.place_market_order(SYMBOL, "SELL", bought.filled, reduce_only=True)
        print(f"sold {sold.filled} at {sold.average_price}")
        fees = sum((fill.fee for fill in await client.get_fills(SYMBOL, limit=10)), Decimal(0))
        print(f"fees of the latest fills: {fees} USDC; position: {await client.get_position(SYMBOL)}")


if __name__ == "__main__":
    asyncio.run(main())
