"""The kill switch without the running process: a key and REST are enough.

Cancels every order that carries our prefix; then either leaves our positions with their stops, or closes them with
reduce-only market orders. Other people's orders and positions on the account stay as they are. It needs no journal, but uses
one: what is ours is the fold of our fills, never more than the exchange holds; and what is done is written into it before it
is sent, so that the next run knows its own hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import CancelOrder, PlaceOrder
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.fills import Fill
from flashscalper.model.instants import DAY_US, MINUTE_US
from flashscalper.model.orders import Order, OrderRole, OrderType, Side
from flashscalper.model.positions import ExchangePosition
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.trading.client_ids import ClientIds, is_ours
from flashscalper.trading.operating import KILL
from flashscalper.trading.saved import SavedState

ROUNDS: Final = 5
_BETWEEN_S: Final = 0.5
_OVERLAP_US: Final = 10 * MINUTE_US
_FIRST_COUNTER: Final = 900_000
"""Our ids here count from a number that no run reaches, so that a run of the same second never hands out the same."""


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: client ids canceled, sizes closed by symbol, sizes of ours that are still held, what went wrong."""

    canceled: tuple[str, ...] = ()
    closed: dict[str, Decimal] = {}
    left: dict[str, Decimal] = {}
    stops_left: int = 0
    problems: tuple[str, ...] = ()


Write = Callable[[Sequence[CancelOrder | PlaceOrder]], None]
"""Makes commands durable before they are sent."""


async def kill_over_rest(
    client: ParadexRestClient, saved: SavedState | None, now: int, *, flatten: bool, write: Write
) -> Killed:
    """Cancel what is ours, then close what is ours or leave it with its stops. Tries `ROUNDS` times; what then is left is
    said. `now` in microseconds. Raises AuthError and the like when the account cannot be read at all."""
    run = ClientIds(now).next_id().rpartition("-")[0]
    ids = ClientIds(now, last=f"{run}-{_FIRST_COUNTER}")
    canceled: dict[str, None] = {}
    closed: dict[str, Decimal] = {}
    problems: list[str] = []
    for attempt in range(ROUNDS):
        problems = []
        orders = [order for order in await client.get_open_orders() if is_ours(order.client_id)]
        held = await _ours(client, saved, orders, run, now)
        doomed = [order for order in orders if not _kept(order, held, flatten=flatten)]
        if attempt and not doomed and not (flatten and held):
            break
        write([_cancel(order) for order in doomed])
        for order in doomed:
            if await _tried(problems, client.cancel_order(order.symbol, order_id=order.order_id)):
                canceled[order.client_id] = None
        for symbol, size in held.items() if flatten else ():
            command = _exit(symbol, size, ids.next_id())
            write([command])
            if await _tried(problems, _send(client, command)):
                closed[symbol] = closed.get(symbol, ZERO) + abs(size)
        await asyncio.sleep(_BETWEEN_S)
    orders = [order for order in await client.get_open_orders() if is_ours(order.client_id)]
    left = await _ours(client, saved, orders, run, now)
    return Killed(
        canceled=tuple(canceled), closed=closed, left=left, stops_left=len(orders), problems=tuple(problems)
    )  # fmt: skip


def our_sizes(
    saved: SavedState | None, fills: Iterable[Fill], positions: Iterable[ExchangePosition], orders: Iterable[Order] = (),
    run: str = "",
) -> dict[str, Decimal]:  # fmt: skip
    """Signed sizes that are ours: the journal's fills and newer ones with our prefix, within what the exchange holds.

    Without a journal each of our resting `orders` that is a reduce-only stop vouches for its size, if fills say less; what
    this very kill (client ids that begin with `run`) has closed already is taken off.
    """
    unique = {booked.fill.key: booked.fill for booked in (saved.fills if saved is not None else ())}
    busted = set(saved.busted) if saved is not None else set()
    for fill in fills:
        if is_ours(fill.client_id) and f"{fill.kind}:{fill.id}" not in busted:
            unique.setdefault(fill.key, fill)
    sums: dict[str, Decimal] = {}
    for fill in unique.values():
        sums[fill.symbol] = sums.get(fill.symbol, ZERO) + fill.side.sign * fill.size
    held = {position.symbol: position.size for position in positions}
    within = {symbol: _within(size, held.get(symbol, ZERO)) for symbol, size in sums.items()}
    for order in orders if saved is None else ():
        if is_ours(order.client_id) and order.reduce_only and order.trigger_price is not None:
            gone = [
                fill for fill in unique.values() if fill.symbol == order.symbol and run and fill.client_id.startswith(run)
            ]
            vouched = sum((fill.side.sign * fill.size for fill in gone), -order.side.sign * order.remaining)
            size = _within(vouched, held.get(order.symbol, ZERO))
            within[order.symbol] = max(within.get(order.symbol, ZERO), size, key=abs)
    return {symbol: size for symbol, size in within.items() if size}


async def _ours(
    client: ParadexRestClient, saved: SavedState | None, orders: Iterable[Order], run: str, now: int
) -> dict[str, Decimal]:  # fmt: skip
    since = saved.saved_at - _OVERLAP_US if saved is not None else now - DAY_US
    fills = [fill async for fill in client.iter_fills(since_at=since)]
    return our_sizes(saved, fills, await client.get_positions(), orders, run)


def _cancel(order: Order) -> CancelOrder:
    role = OrderRole.STOP if order.trigger_price is not None else OrderRole.ENTRY
    return CancelOrder(
        client_id=order.client_id, symbol=order.symbol, order_id=order.order_id, role=role, reason=KILL
    )  # fmt: skip


def _exit(symbol: str, size: Decimal, client_id: str) -> PlaceOrder:
    """A reduce-only market order against a position of ours."""
    side = Side.SELL if size > ZERO else Side.BUY
    return PlaceOrder(
        client_id=client_id, symbol=symbol, side=side, type=OrderType.MARKET, size=abs(size), reduce_only=True,
        role=OrderRole.EXIT, reason=KILL,
    )  # fmt: skip


async def _send(client: ParadexRestClient, command: PlaceOrder) -> None:
    await client.place_market_order(
        command.symbol, command.side, command.size, reduce_only=True, client_id=command.client_id
    )


async def _tried(problems: list[str], work: Awaitable[object]) -> bool:
    """Whether it worked; what went wrong is said, and the next round tries again."""
    try:
        await work
    except FlashScalperError as error:
        problems.append(str(error))
        return False
    return True


def _kept(order: Order, held: dict[str, Decimal], *, flatten: bool) -> bool:
    """Whether an order stays: the reduce-only ones of a position that is kept, or is not closed yet."""
    return order.reduce_only and order.symbol in held and (not flatten or order.trigger_price is not None)


def _within(size: Decimal, net: Decimal) -> Decimal:
    """The part of `size` that a net position of `net` really has."""
    if not size or not net or (size > ZERO) is not (net > ZERO):
        return ZERO
    return min(size, net) if size > ZERO else max(size, net)
