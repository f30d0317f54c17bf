"""Every call of the page "From ccxt", run as it stands there."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from flashscalper.runtime.rest_client import ParadexRestClient
from flashscalper.runtime.ws_client import ParadexWebSocketClient
from tests.promises.box import Served, in_box

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "from-ccxt.md"
CALL = re.compile(r"^\| .+ \| `await (.+)` \|$", re.MULTILINE)


def test_the_page_maps_twenty_calls_and_each_works() -> None:
    calls = CALL.findall(PAGE.read_text())
    assert len(calls) >= 20

    async def script(box: Served) -> None:
        async with box.rest() as client, box.streams() as streams:
            order = await client.place_limit_order("ETHUSDT", "buy", "0.1", 1000)
            results = [await run(call, client, streams, order) for call in calls]
        found = dict(zip(calls, results, strict=True))
        assert str(found['client.format_size("ETHUSDT", 0.12345)']) == "0.1234"
        assert found['client.get_order("ETHUSDT", order_id=order.order_id)'].client_id == order.client_id
        assert len(found['client.get_klines("ETHUSDT", "5m", 100)']) == 100
        assert [type(result).__name__ for result in results].count("ScriptedOrder") == 5

    in_box(script)


async def run(call: str, client: ParadexRestClient, streams: ParadexWebSocketClient, order: Any) -> Any:
    return await eval(call, {"client": client, "streams": streams, "order": order, "Decimal": Decimal})
