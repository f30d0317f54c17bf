"""The recorded trades of ETH, as the exchange stamped and numbered them."""

from __future__ import annotations

import gzip
import json
from functools import cache

from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from tests.shared import shared_data


@cache
def eth_trades() -> tuple[Trade, ...]:
    """14,076 trades in id order."""
    trades = []
    with gzip.open(shared_data("ethusdt_perp_20240808.jsonl.gz"), "rt") as lines:
        for line in lines:
            if '@trade"' in line[:70]:
                data = json.loads(line.split(" ", 1)[1])["data"]
                side = Side.SELL if data["m"] else Side.BUY
                trades.append(Trade("ETHUSDT", data["t"], side, float(data["p"]), float(data["q"]), data["T"] * 1_000))
    return tuple(trades)
