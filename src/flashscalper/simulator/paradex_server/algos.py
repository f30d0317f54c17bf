"""TWAP orders: a large market order cut into equal market orders over time (paradex.md 3.4, 4.5).

Sub-orders come every `frequency` seconds from the start on. What a sub-order leaves unfilled is added to the next one; what
is left at the end closes with the reason of the last failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.errors import ExchangeError
from flashscalper.model.instants import MILLISECOND_US, SECOND_US
from flashscalper.model.orders import OrderStatus
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import Fact, NewOrder, OrderChanged, Refusal, SimOrder
from flashscalper.simulator.paradex_server.answers import invalid
from flashscalper.simulator.paradex_server.views import View, ms

_USER_CANCELED: Final = "USER_CANCELED"
_KEPT: Final = 10_000
_MAX_OPEN: Final = 100


class Algo(msgspec.Struct, kw_only=True):
    """One TWAP order. `template` is a sub-order of the whole size; instants in microseconds."""

    id: str
    account: str
    template: NewOrder
    frequency_us: int
    slices: int
    created_at: int
    updated_at: int
    end_at: int
    next_at: int
    placed: int = 0
    status: OrderStatus = OrderStatus.NEW
    cancel_reason: str = ""
    children: dict[str, SimOrder] = {}

    @property
    def filled(self) -> Decimal:
        """Base units done by all sub-orders."""
        return sum((child.size - child.remaining for child in self.children.values()), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Average over all sub-orders, None before the first fill."""
        parts = [(child.size - child.remaining, child.average_price) for child in self.children.values()]
        paid = sum((size * price for size, price in parts if price is not None), ZERO)
        return (paid / self.filled).quantize(Decimal("0.00000001")) if self.filled else None


class Algos:
    """Every TWAP order, and the sub-orders that are due."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._algos: dict[str, Algo] = {}
        self._open: dict[str, Algo] = {}
        self._owner_of: dict[str, Algo] = {}
        self._closed_lately: dict[str, Algo] = {}
        self.count = 0

    def start(self, account: str, template: NewOrder, duration_s: int, frequency_s: int, now: int) -> Algo:
        """Begin a TWAP; its first sub-order goes out with the next `run_due`. Raises ExchangeError for bad terms."""
        slices = max(1, duration_s // frequency_s)
        self._check(template, slices)
        if sum(algo.account == account for algo in self._open.values()) >= _MAX_OPEN:
            raise ExchangeError("REQUEST_NOT_ALLOWED", f"{_MAX_OPEN} algo orders are open", status=400)
        self.count += 1
        algo = Algo(
            id=f"{now // MILLISECOND_US:013d}9{self.count:014d}",
            account=account,
            template=template,
            frequency_us=frequency_s * SECOND_US,
            slices=slices,
            created_at=now,
            updated_at=now,
            end_at=now + duration_s * SECOND_US,
            next_at=now,
        )
        self._algos[algo.id] = self._open[algo.id] = algo
        if len(self._algos) > _KEPT:
            self._forget_one()
        return algo

    def _check(self, template: NewOrder, slices: int) -> None:
        """A sub-order must be worth the market's minimum and a whole number of steps."""
        rules, mark = self._exchange.market(template.symbol), self._exchange.summary(template.symbol).mark
        smallest = rules.round_size(template.size / slices)
        if template.size != rules.round_size(template.size) or smallest * mark < rules.min_notional:
            accepted = (
                f"a multiple of {rules.size_step} with sub-orders of at least {rules.min_notional} USD ({slices} of them)"
            )
            raise invalid("size", plain(template.size), accepted)

    def cancel(self, account: str, algo_id: str, now: int) -> None:
        """Stop a TWAP; sub-orders that are done stay done. Raises ExchangeError ALGO_ID_NOT_FOUND."""
        self._close(self.find(account, algo_id), _USER_CANCELED, now)

    def find(self, account: str, algo_id: str) -> Algo:
        """A TWAP that is not closed. Raises ExchangeError ALGO_ID_NOT_FOUND (404)."""
        algo = self._open.get(algo_id)
        if algo is None or algo.account != account:
            raise ExchangeError("ALGO_ID_NOT_FOUND", f"no open algo order {algo_id}", status=404)
        return algo

    def of(self, account: str) -> list[Algo]:
        """Every TWAP of an account, newest first."""
        return [algo for algo in reversed(self._algos.values()) if algo.account == account]

    def note(self, facts: Iterable[Fact]) -> None:
        """Take in what became of sub-orders."""
        for fact in facts:
            if isinstance(fact, OrderChanged) and fact.order.order_id in self._owner_of:
                algo = self._owner_of[fact.order.order_id]
                algo.children[fact.order.order_id] = fact.order
                algo.updated_at = fact.order.updated_at
                if fact.order.cancel_reason:
                    algo.cancel_reason = fact.order.cancel_reason
                if fact.order.status is OrderStatus.CLOSED:
                    del self._owner_of[fact.order.order_id]

    def recent(self) -> list[Algo]:
        """Open TWAPs, and those that closed since this was last asked."""
        closed, self._closed_lately = self._closed_lately, {}
        return [*self._open.values(), *closed.values()]

    def restore(self, algo: Algo) -> None:
        """A TWAP of an earlier process. Sub-orders that were due meanwhile come at once."""
        self._algos[algo.id] = algo
        if algo.status is not OrderStatus.CLOSED:
            self._open[algo.id] = algo
            open_children = [child for child in algo.children.values() if child.status is not OrderStatus.CLOSED]
            self._owner_of |= dict.fromkeys((child.order_id for child in open_children), algo)

    def run_due(self, now: int) -> None:
        """Place the sub-orders that are due, close what is over."""
        for algo in list(self._open.values()):
            if now >= algo.next_at:
                self._step(algo, now)

    def next_due(self) -> int | None:
        """When `run_due` has something to do next."""
        return min((algo.next_at for algo in self._open.values()), default=None)

    def _step(self, algo: Algo, now: int) -> None:
        if algo.filled == algo.template.size or now >= algo.end_at:
            self._close(algo, "" if algo.filled == algo.template.size else algo.cancel_reason, now)
            return
        if algo.placed < algo.slices:
            algo.status = OrderStatus.OPEN
            algo.placed += 1
            self._place_slice(algo, now)
        at = algo.created_at + algo.placed * algo.frequency_us
        algo.next_at = at if algo.placed < algo.slices else algo.end_at

    def _place_slice(self, algo: Algo, now: int) -> None:
        """One sub-order: up to this slice's share of the whole, less what is done."""
        rules = self._exchange.market(algo.template.symbol)
        whole = algo.template.size
        target = whole if algo.placed == algo.slices else rules.round_size(whole * algo.placed / algo.slices)
        size = target - algo.filled
        if size <= ZERO:
            return
        request = msgspec.structs.replace(algo.template, size=size, signed_at=now, recv_window_us=None)
        placed = self._exchange.place(algo.account, request, now)
        if isinstance(placed, Refusal):
            algo.cancel_reason = placed.code
        else:
            algo.children[placed.order_id] = placed
            self._owner_of[placed.order_id] = algo

    def _close(self, algo: Algo, reason: str, now: int) -> None:
        algo.status, algo.cancel_reason, algo.updated_at = OrderStatus.CLOSED, reason, now
        self._closed_lately[algo.id] = self._open.pop(algo.id)

    def _forget_one(self) -> None:
        oldest = next((id_ for id_ in self._algos if id_ not in self._open), None)
        if oldest is not None:
            del self._algos[oldest]


def view(algo: Algo, market: str) -> View:
    """`AlgoOrderResp`."""
    average = algo.average_price
    return {
        "id": algo.id,
        "account": algo.account,
        "market": market,
        "side": algo.template.side.value.upper(),
        "size": plain(algo.template.size),
        "remaining_size": plain(algo.template.size - algo.filled),
        "avg_fill_price": "" if average is None else plain(average),
        "algo_type": "TWAP",
        "algo_params": {
            "duration_seconds": str((algo.end_at - algo.created_at) // SECOND_US),
            "frequency": str(algo.frequency_us // SECOND_US),
        },
        "status": algo.status.value.upper(),
        "cancel_reason": algo.cancel_reason if algo.status is OrderStatus.CLOSED else "",
        "created_at": ms(algo.created_at),
        "last_updated_at": ms(algo.updated_at),
        "end_at": ms(algo.end_at),
    }
