"""Every call of the page "From ccxt", run as it stands there."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from flashscalper.runtime.clients.scripted import OrderRequest
from tests.promises.box import Served, in_box

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "from-ccxt.md"
CALL = re.compile(r"^\| .+ \| `(?:await|async for \w+ in) (.+)` \|$", re.MULTILINE)
REQUESTS = re.compile(r"^first, second = .+?^\)$", re.MULTILINE | re.DOTALL)


def test_the_page_maps_twenty_calls_and_each_works() -> None:
    calls = CALL.findall(PAGE.read_text())
    assert len(calls) == PAGE.read_text().count("| `await ") + PAGE.read_text().count("| `async for ") >= 20
    names: dict[str, Any] = {"Decimal": Decimal, "OrderRequest": OrderRequest}
    (requests,) = REQUESTS.findall(PAGE.read_text())
    exec(requests, names)

    async def script(box: Served) -> None:
        async with box.rest() as client, box.streams() as streams:
            order = await client.place_limit_order("ETHUSDT", "buy", "0.1", 1000)
            names.update(client=client, streams=streams, order=order)
            results = [await run(call, names) for call in calls]
        found = dict(zip(calls, results, strict=True))
        assert str(found['client.format_size("ETHUSDT", 0.12345)']) == "0.1234"
        assert found['client.get_order("ETHUSDT", order_id=order.order_id)'].client_id == order.client_id
        assert len(found['client.get_klines("ETHUSDT", "5m", 100)']) == 100
        assert [type(result).__name__ for result in results].count("ScriptedOrder") == 8
        assert [each.outcome for each in found["client.place_batch([first, second])"]] == ["accepted", "accepted"]

    in_box(script)


async def run(call: str, names: dict[str, Any]) -> Any:
    """What the call gives; of an async iterator its items."""
    made = eval(call, names)
    return [item async for item in made] if hasattr(made, "__anext__") else await made
