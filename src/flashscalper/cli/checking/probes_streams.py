"""Probes over WebSocket: encodings, book feed, cadence, and what becomes of orders when a connection is lost."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, Final

import msgspec

from flashscalper.cli.checking.probe_bench import WAIT_S, ProbeBench, RawSocket, order_id_of
from flashscalper.cli.checking.probes_orders import Found, far_stop
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.model.errors import TransportError
from flashscalper.model.orders import OrderStatus

_SBE: Final = "?sbeSchemaId=1&sbeSchemaVersion=2"
_LISTEN_S: Final = 4.0
_LOST_S: Final = 3.0
_NAMED_DEPTH: Final = 15
"""What the channel's name says."""
_ALL_LEVELS: Final = 1_000


@asynccontextmanager
async def _socket(bench: ProbeBench, *, sbe: bool, private: bool = False) -> AsyncIterator[RawSocket]:
    """An open socket, logged in if asked. Raises TransportError when the exchange refuses it."""
    socket = RawSocket(bench.rest.settings.ws_url + (_SBE if sbe else ""))
    try:
        status = await socket.open()
        if status:
            raise TransportError(f"the handshake was refused with {status}")
        if private:
            await socket.ask("auth", {"bearer": await bench.token()})
        yield socket
    finally:
        await socket.drop()


async def require_sbe(bench: ProbeBench) -> Found:
    """Whether a socket that does not ask for SBE is refused."""
    socket = RawSocket(bench.rest.settings.ws_url)
    try:
        status = await socket.open()
    finally:
        await socket.drop()
    return bool(status), f"handshake without SBE: {status or 101}"


async def private_as_sbe(bench: ProbeBench) -> Found:
    """Whether account channels are binary on a socket that asked for SBE."""
    async with _socket(bench, sbe=True, private=True) as socket:
        await socket.ask("subscribe", {"channel": "orders.ALL"})
        placed = await bench.place(bench.order_body(bench.far_order()))
        if not placed.good:
            return None, f"the order was refused: {placed.word}"
        push = await socket.first_push()
    await bench.cancel(order_id_of(placed.body))
    if push is None:
        return None, "no push about the order"
    return push.binary, f"the push about an order was {'binary' if push.binary else 'JSON'}"


async def _books(bench: ProbeBench) -> list[wire.BookUpdate]:
    """Every message of the deltas feed for some seconds, the whole book first."""
    channel = f"order_book.{bench.market.market}.deltas@15@50ms"
    async with _socket(bench, sbe=False) as socket:
        await socket.ask("subscribe", {"channel": channel})
        await asyncio.sleep(_LISTEN_S)
        pushes = [frame for frame in socket.pushes if not frame.binary]
    return [responses.decode(channel, wire.BookPush, frame.data).params.data for frame in pushes]


async def deltas_depth(bench: ProbeBench) -> Found:
    """How many levels a side the deltas feed begins with, against what REST can show."""
    books = await _books(bench)
    if not books or books[0].update_type != "s":
        return None, f"{len(books)} messages, the first is no whole book"
    bids = sum(level.side == "BUY" for level in books[0].inserts)
    asks = len(books[0].inserts) - bids
    reply = await bench.send(requests.Call("GET", f"/orderbook/{bench.market.market}", requests.Group.PUBLIC, "depth=100"))
    there = min(len(msgspec.json.decode(reply.body)[side]) for side in ("bids", "asks")) if reply.good else 0
    evidence = f"{bids} bids and {asks} asks; REST with depth=100 shows {there} a side"
    depth = max(bids, asks)
    if depth < there:
        return depth, evidence
    return (_ALL_LEVELS if depth > _NAMED_DEPTH else None), evidence


async def deltas_contiguous(bench: ProbeBench) -> Found:
    """Whether each message of the deltas feed carries the next number."""
    numbers = [book.seq_no for book in await _books(bench)]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(steps) < 5:
        return None, f"only {len(numbers)} messages in {_LISTEN_S:g} s"
    return all(step == 1 for step in steps), f"{len(steps)} steps, the largest {max(steps)}, the smallest {min(steps)}"


async def summary_cadence(bench: ProbeBench) -> Found:
    """Time between two summaries of one market, in microseconds."""
    async with _socket(bench, sbe=False) as socket:
        await socket.ask("subscribe", {"channel": f"markets_summary.{bench.market.market}"})
        await asyncio.sleep(_LISTEN_S)
        arrived = list(socket.arrived)
    gaps = [after - before for before, after in pairwise(arrived)]
    if len(gaps) < 3:
        return None, f"only {len(arrived)} messages in {_LISTEN_S:g} s"
    median_us = round(statistics.median(gaps) * 100) * 10_000
    return median_us, f"{len(arrived)} messages; median gap {median_us / 1000:.0f} ms, smallest {min(gaps) * 1000:.0f} ms"


async def _lost_connection(bench: ProbeBench) -> dict[str, bool | None]:
    """What is closed after a socket with cancel-on-disconnect is cut: its own order, one placed by REST, its own stop."""
    async with _socket(bench, sbe=False, private=True) as socket:
        await socket.ask("order.cancel_on_disconnect", {"enabled": True})
        own = await _over(bench, socket, bench.order_body(bench.far_order()))
        stop = await _over(bench, socket, await far_stop(bench))
        other = await bench.place(bench.order_body(bench.far_order()))
        ids = {"own": own, "stop": stop, "rest": order_id_of(other.body) if other.good else ""}
        for order_id in filter(None, ids.values()):
            await bench.until_live(order_id)
    closed: dict[str, bool | None] = {}
    await bench.until_closed(ids["own"], WAIT_S)
    await asyncio.sleep(_LOST_S)
    for name, order_id in ids.items():
        order = await bench.order(order_id) if order_id else None
        closed[name] = None if order is None else order.status is OrderStatus.CLOSED
        if order is not None and order.status is not OrderStatus.CLOSED:
            await bench.cancel(order_id)
    return closed


async def _over(bench: ProbeBench, socket: RawSocket, body: dict[str, Any]) -> str:
    """Place an order over the socket; its id."""
    order_id = responses.decode("order.create", wire.OrderAck, await socket.ask("order.create", body)).order.id
    bench.remember(order_id)
    return order_id


def _words(closed: dict[str, bool | None]) -> str:
    said = {True: "closed", False: "left", None: "unknown"}
    return f"own order {said[closed['own']]}, REST order {said[closed['rest']]}, own untriggered stop {said[closed['stop']]}"


async def disconnect_scope(bench: ProbeBench) -> Found:
    """Whose orders cancel-on-disconnect takes: the lost connection's or all of the account."""
    closed = await _lost_connection(bench)
    if not closed["own"] or closed["rest"] is None:
        return None, _words(closed)
    return ("account" if closed["rest"] else "connection"), _words(closed)


async def disconnect_spares_untriggered(bench: ProbeBench) -> Found:
    """Whether a stop that waits for its trigger survives its connection."""
    closed = await _lost_connection(bench)
    if not closed["own"] or closed["stop"] is None:
        return None, _words(closed)
    return not closed["stop"], _words(closed)
