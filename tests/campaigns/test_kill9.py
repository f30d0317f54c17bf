"""kill -9 at any moment, and start again: nothing lost, nothing doubled, positions equal, naked for ten seconds at most.

The real process over real sockets against a simulator that goes on meanwhile, as an exchange does.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from flashscalper.model.commands import ArmOrder, PlaceOrder
from flashscalper.model.fills import Fill
from flashscalper.model.orders import OrderStatus
from flashscalper.runtime.journal import read_journal
from flashscalper.runtime.recovery import state_of
from flashscalper.runtime.replaying import Replay
from flashscalper.trading.client_ids import is_ours
from tests.campaigns.processes import Stand, stand

NAKED_LIMIT_S = 10.0


class Watch(threading.Thread):
    """Somebody who looks at the account ten times a second: how long was a position without a stop that covers it?"""

    def __init__(self, place: Stand) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._over = threading.Event()
        self.longest_s = 0.0
        self.looks = 0
        self.positions_seen = 0

    def run(self) -> None:
        asyncio.run(self._look())

    def stop(self) -> None:
        self._over.set()
        self.join(20)

    async def _look(self) -> None:
        client = self._place.client()
        naked_since: dict[str, float] = {}
        try:
            while not self._over.is_set():
                positions, orders = await client.get_positions(), await client.get_open_orders()
                covered: Counter[str] = Counter()
                for order in orders:
                    if order.status is OrderStatus.UNTRIGGERED and order.reduce_only:
                        covered[order.symbol] += order.remaining  # type: ignore[assignment]
                held = {position.symbol: abs(position.size) for position in positions if position.size}
                self.looks += 1
                self.positions_seen += len(held)
                for symbol in list(naked_since):
                    if symbol not in held or covered[symbol] >= held[symbol]:
                        del naked_since[symbol]
                for symbol, size in held.items():
                    if covered[symbol] < size:
                        since = naked_since.setdefault(symbol, time.monotonic())
                        self.longest_s = max(self.longest_s, time.monotonic() - since)
                await asyncio.sleep(0.1)
        finally:
            await client.close()


def campaign(home: Path, kills: int, seed: int) -> tuple[Watch, int]:
    """Kill it `kills` times at moments that `seed` draws, then end in order and compare both sides."""
    dice = Random(seed)
    with stand(home) as place:
        watch = Watch(place)
        watch.start()
        for number in range(kills):
            process = place.start()
            if number == 0:
                place.until("holding", lambda status: any(one["position"] for one in status["markets"].values()))
            elif dice.random() < 0.8:
                place.until("active", lambda status: status["state"] == "active")
                time.sleep(dice.uniform(0.0, 4.0))
            else:
                time.sleep(dice.uniform(0.2, 2.0))
            assert process.poll() is None, place.log()
            process.kill()
            process.wait()
        last = place.start()
        place.until("active again", lambda status: status["state"] == "active")
        place.verb("flatten")
        flat = place.until("flat", lambda status: all(one["position"] is None for one in status["markets"].values()))
        last.terminate()
        assert last.wait(40) == 0, place.log()
        watch.stop()
        return watch, asyncio.run(compare(place, Decimal(flat["cash"])))


async def compare(place: Stand, cash: Decimal) -> int:
    """Both sides of everything that ever happened, `cash` our own figure at the end; returns the number of fills."""
    client = place.client()
    try:
        fills: list[Fill] = [fill async for fill in client.iter_fills()]
        positions, orders = await client.get_positions(), await client.get_open_orders()
        balance = await client.get_balance()
    finally:
        await client.close()
    assert cash == balance.total_collateral
    assert [position for position in positions if position.size] == []
    assert [order for order in orders if is_ours(order.client_id)] == []
    journals = [run / "journal.fsj" for run in place.runs() if (run / "journal.fsj").exists()]
    placed = [
        entry.content.client_id
        for journal in journals
        for entry in read_journal(journal)
        if isinstance(entry.content, PlaceOrder)
    ]
    armed = {
        entry.content.order.client_id
        for journal in journals
        for entry in read_journal(journal)
        if isinstance(entry.content, ArmOrder)
    }
    assert len(placed) == len(set(placed)), "a client order id was handed out twice"
    assert armed.isdisjoint(placed), "a client order id was handed out twice"
    assert {fill.client_id for fill in fills} <= {*placed, *armed}, "a fill of an order that no journal holds"
    saved = state_of(journals[-1])
    assert saved is not None
    ours = Counter((booked.fill.key, booked.fill.size, booked.fill.price, booked.fill.fee) for booked in saved.fills)
    theirs = Counter((fill.key, fill.size, fill.price, fill.fee) for fill in fills)
    assert ours == theirs, "a fill was lost or booked twice"
    assert saved.foreign == {}
    for run in {journal.parent for journal in journals}:
        assert Replay(run).compare().difference is None, run
    return len(fills)


def test_a_kill_loses_nothing_doubles_nothing_and_leaves_nothing_naked(tmp_path: Path) -> None:
    watch, fills = campaign(tmp_path, kills=1, seed=1)
    assert fills >= 1
    assert watch.positions_seen > 0
    assert watch.longest_s <= NAKED_LIMIT_S


@pytest.mark.verify
@pytest.mark.timeout(2_400)
def test_a_hundred_kills_lose_nothing_double_nothing_and_leave_nothing_naked(tmp_path: Path) -> None:
    watch, fills = campaign(tmp_path, kills=100, seed=2)
    assert fills >= 30
    assert watch.longest_s <= NAKED_LIMIT_S
