"""Reads that tell the engine what the exchange holds of us: `Reconcile` (everything) and `QueryOrder` (one order).

A read that fails, or breaks the protocol, is no information: the answer says `failed` and carries nothing. Orders and
positions of markets that we do not trade are left out. REST numbers its updates apart from the streams, so `seq_no` is
zero in everything that is read here (paradex.md section 4.4).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.account_frames import busted
from flashscalper.model.errors import ExchangeError, FlashScalperError, ProtocolError
from flashscalper.model.events import AccountSnapshot, FillReported, OrderFound
from flashscalper.model.fills import Fill
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.orders import Order
from flashscalper.model.positions import AccountSummary, ExchangePosition

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.desk import Answer, Ask, Desk, Flow
    from flashscalper.exchanges.paradex.rest import Rest
    from flashscalper.model.commands import QueryOrder, Reconcile

_NOT_THERE: Final = frozenset({"CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND", "NOT_FOUND"})
_MAX_FILL_PAGES: Final = 50
_FILL_OVERLAP_US: Final = 10 * MINUTE_US

T = TypeVar("T")
FillsFlow = Generator["Sequence[Ask]", "tuple[list[Answer], int]", "list[Fill]"]


class AccountReads:
    """Runs the reads of one account."""

    def __init__(self, desk: Desk, rest: Rest) -> None:
        self._desk = desk
        self._rest = rest

    # ---- everything ----

    def reconcile(self, command: Reconcile, now: int) -> None:
        """Read it all in one round: a FillBusted for every fill that was taken back meanwhile, then one AccountSnapshot."""
        self._desk.run(self._reconcile(command, now), now)

    def _reconcile(self, command: Reconcile, now: int) -> Flow:
        asked_at = now
        calls = (
            requests.open_orders(), requests.positions(), requests.account(), requests.fills(command.fills_since),
            requests.tradebusts(command.fills_since),
        )  # fmt: skip
        answers, now = yield [self._rest.ask(call) for call in calls]
        try:
            orders = tuple(self._orders("GET /orders", _good(answers[0])))
            positions = tuple(self._positions(_good(answers[1])))
            summary = responses.decode("GET /account", wire.AccountResult, _good(answers[2]))
            fills = yield from self._all_fills(_good(answers[3]), command.fills_since, "")
            busts = [busted(result) for result in _rows("GET /tradebusts", _good(answers[4]), wire.TradebustResult)]
            snapshot = AccountSnapshot(orders, tuple(fills), positions, _unnumbered_summary(summary), asked_at)
        except FlashScalperError as error:
            snapshot, busts = AccountSnapshot((), (), (), None, asked_at, str(error) or "read failed"), []
        self._desk.events.extend(busts)
        self._desk.events.append(snapshot)

    # ---- one order ----

    def query(self, command: QueryOrder, now: int) -> None:
        """Ask for one order: open orders, then history, then fills; the answer is one OrderFound."""
        if command.symbol not in self._desk.market_of:
            self._desk.trouble("query", f"symbol: saw {command.symbol!r}; accepted: {', '.join(self._desk.market_of)}")
            self._desk.events.append(OrderFound(command.client_id, None, failed=True))
            return
        self._desk.run(self._query(command, now), now)

    def _query(self, command: QueryOrder, now: int) -> Flow:
        asked_at = now
        try:
            order = yield from self._find(command)
            since = (order.created_at if order is not None else asked_at - _FILL_OVERLAP_US) or asked_at - _FILL_OVERLAP_US
            market = self._desk.market_of[command.symbol]
            (answer,), _ = yield [self._rest.ask(requests.fills(since, market))]
            fills = yield from self._all_fills(_good(answer), since, market)
        except FlashScalperError as error:
            self._desk.trouble("query", f"{command.client_id}: {error}")
            self._desk.events.append(OrderFound(command.client_id, None, failed=True))
            return
        own = tuple(
            fill for fill in fills if fill.client_id == command.client_id or (order and fill.order_id == order.order_id)
        )
        if order is None and own:
            # Fills of an order that neither list shows: the history lags, so this is no clean negative.
            self._desk.events.extend(FillReported(fill) for fill in own)
            self._desk.events.append(OrderFound(command.client_id, None, own, failed=True))
            return
        self._desk.events.append(OrderFound(command.client_id, order, own))

    def _find(self, command: QueryOrder) -> Generator[Sequence[Ask], tuple[list[Answer], int], Order | None]:
        """The order as open orders or history show it; None is a clean no of both, in this order.

        An order that closes between the two reads is in the second.
        """
        (answer,), _ = yield [self._rest.ask(requests.order_by_client_id(command.client_id))]
        if isinstance(answer, bytes):
            result = responses.decode("GET /orders/by_client_id", wire.OrderResult, answer)
            return self._own(result, command)
        if not (isinstance(answer, ExchangeError) and answer.code in _NOT_THERE):
            raise answer
        market = self._desk.market_of[command.symbol]
        (answer,), _ = yield [self._rest.ask(requests.orders_history(command.client_id, market))]
        found = [
            order for order in self._orders("GET /orders-history", _good(answer)) if order.client_id == command.client_id
        ]
        return max(found, key=lambda order: order.updated_at, default=None)

    def _own(self, result: wire.OrderResult, command: QueryOrder) -> Order:
        if result.client_id != command.client_id or self._desk.symbol_of.get(result.market) != command.symbol:
            raise ProtocolError("GET /orders/by_client_id", f"saw {result.client_id!r} in {result.market!r}: another order")
        return msgspec.structs.replace(responses.order_from(result, command.symbol), seq_no=0)

    # ---- lists ----

    def _orders(self, where: str, body: bytes) -> Iterator[Order]:
        for result in _rows(where, body, wire.OrderResult):
            symbol = self._desk.symbol_of.get(result.market)
            if symbol is not None:
                yield msgspec.structs.replace(responses.order_from(result, symbol), seq_no=0)

    def _positions(self, body: bytes) -> Iterator[ExchangePosition]:
        for result in _rows("GET /positions", body, wire.PositionResult):
            symbol = self._desk.symbol_of.get(result.market)
            if symbol is not None:
                yield msgspec.structs.replace(responses.position_from(result, symbol), seq_no=0)

    def _all_fills(self, body: bytes, since: int, market: str) -> FillsFlow:
        """Every fill since `since`, oldest first, over as many pages as there are. Raises when there are too many."""
        found: dict[tuple[str, str], Fill] = {}
        for _ in range(_MAX_FILL_PAGES):
            page = responses.decode("GET /fills", wire.Page, body)
            for raw in page.results:
                result = responses.decode("GET /fills", wire.FillResult, raw)
                symbol = self._desk.symbol_of.get(result.market)
                if symbol is not None:
                    fill = responses.fill_from(result, symbol)
                    found[fill.key] = fill
            if not page.next:
                return sorted(found.values(), key=_by_time)
            (answer,), _ = yield [self._rest.ask(requests.fills(since, market, page.next))]
            body = _good(answer)
        raise ProtocolError("GET /fills", f"more than {_MAX_FILL_PAGES} pages")


def _by_time(fill: Fill) -> tuple[int, int, str]:
    return (fill.filled_at, len(fill.id), fill.id)


def _good(answer: Answer) -> bytes:
    if isinstance(answer, FlashScalperError):
        raise answer
    return answer


def _rows(where: str, body: bytes, kind: type[T]) -> Iterator[T]:
    for raw in responses.decode(where, wire.Page, body).results:
        yield responses.decode(where, kind, raw)


def _unnumbered_summary(result: wire.AccountResult) -> AccountSummary:
    return msgspec.structs.replace(responses.account_from(result), seq_no=0)
