"""One journal folded into the store's rows: what an order, a position, an account is after the last entry.

A pure fold, so a rebuild from the file gives what was written while it ran. It keeps whole rows and says which were touched
since they were last written; writing a row twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.errors import JournalError
from flashscalper.model.records import (
    EquityPoint,
    FillBooked,
    Note,
    OrderStateChanged,
    ProtectionChanged,
    Reconciled,
    RoundTripClosed,
    SignalJudged,
)
from flashscalper.runtime.framing import Metadata
from flashscalper.runtime.journal import Content
from flashscalper.runtime.recovery import CHECKPOINT
from flashscalper.runtime.store.tables import EQUITY, FILLS, ORDERS, POSITIONS, RUNS, SIGNALS, TRIPS, Row, Table, Value
from flashscalper.trading.orders import LIVE, OrderState, TrackedOrder
from flashscalper.trading.positions import Ledger
from flashscalper.trading.saved import REBUILD_DROPPED, SavedState

MODES: Final = frozenset({"paper", "testnet", "live"})
"""Runs of an account; the journals of demos and the like are no part of the store."""
ENDED_KEPT: Final = 2_000
"""Orders that had ended are remembered, because late news of them still counts; the newest of them."""
_LIVE: Final = frozenset(str(state) for state in LIVE)
_SETUP: Final = "setup"


class RunName(msgspec.Struct, frozen=True):
    """Which run of which account, as its journal's header says."""

    account: str
    run: str
    mode: str
    started_at: int

    def row(self, read_to: int) -> Row:
        """Its row of `runs`."""
        return Row(RUNS.name, (self.account, self.run, self.mode, self.started_at, read_to))


class _Started(msgspec.Struct):
    started_at: int = 0


def run_name(metadata: Metadata) -> RunName | None:
    """None for a journal that is no account's: of a demo, or of another program's test."""
    account, run, mode = (metadata.get(name) for name in ("account", "run", "mode"))
    if not (isinstance(account, str) and isinstance(run, str) and mode in MODES):
        return None
    try:
        started = msgspec.json.decode(str(metadata.get(_SETUP, "{}")), type=_Started)
    except msgspec.MsgspecError:
        started = _Started()
    return RunName(account, run, str(mode), started.started_at)


class _OrderRow(msgspec.Struct):
    """An order as far as this run knows it; of one that was found at the exchange only what was said about it."""

    client_id: str
    symbol: str
    side: str | None = None
    type: str | None = None
    role: str | None = None
    reason: str | None = None
    size: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: str | None = None
    reduce_only: bool | None = None
    order_id: str = ""
    state: str = OrderState.SENT
    filled: Decimal = ZERO
    detail: str = ""
    placed_at: int | None = None
    changed_at: int = 0


class _PositionRow(msgspec.Struct):
    symbol: str
    size: Decimal = ZERO
    entry_price: Decimal = ZERO
    protection: str = ""
    stop_price: Decimal | None = None
    stop_size: Decimal | None = None
    foreign_size: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    changed_at: int = 0


class RunView:
    """The rows of one run. `take` its journal's entries in order; `touched` are the rows to be written, until `written`."""

    def __init__(self, name: RunName) -> None:
        self.name = name
        self._orders: dict[str, _OrderRow] = {}
        self._positions: dict[str, _PositionRow] = {}
        self._touched: dict[tuple[str, Value], Row] = {}
        self._takers: dict[type, Callable[[int, int, Any], None]] = {
            PlaceOrder: self._placed, ReleaseOrder: self._released, ModifyOrder: self._modified,
            CancelOrder: self._named, OrderStateChanged: self._stepped, FillBooked: self._booked,
            ProtectionChanged: self._protected, Reconciled: self._reconciled, Note: self._noted,
            EquityPoint: self._valued, SignalJudged: self._judged, RoundTripClosed: self._closed,
        }  # fmt: skip

    def take(self, number: int, at: int, content: Content) -> None:
        """One entry: its number in the journal, its instant and what it says. Raises JournalError for a checkpoint that this
        release does not read."""
        if isinstance(content, str):
            if number == 1 and content.startswith(CHECKPOINT):
                self._continue(content.removeprefix(CHECKPOINT))
            return
        taker = self._takers.get(type(content))
        if taker is not None:
            taker(number, at, content)

    def touched(self) -> list[Row]:
        """Rows that changed since `written`, whole."""
        return list(self._touched.values())

    def written(self) -> None:
        """Those rows are in the database."""
        self._touched.clear()

    # ---- what the run began with ----

    def _continue(self, text: str) -> None:
        try:
            saved = msgspec.json.decode(text, type=SavedState)
        except msgspec.MsgspecError as error:
            raise JournalError(f"run {self.name.run}: its checkpoint is not one that this release reads: {error}") from error
        for order in saved.orders:
            self._orders[order.client_id] = _known(order)
        ledger = Ledger(saved.starting_cash or ZERO)
        ledger.restore(saved.fills, saved.busted)
        for symbol in ledger.open_symbols():
            holding = ledger.holding(symbol)
            row = self._position(symbol, saved.saved_at)
            row.size, row.entry_price = holding.size, holding.entry_price
            self._put_position(row)
        for symbol, size in saved.foreign.items():
            row = self._position(symbol, saved.saved_at)
            row.foreign_size = size
            self._put_position(row)

    # ---- orders ----

    def _placed(self, _number: int, at: int, command: PlaceOrder) -> None:
        self._put_order(
            _OrderRow(
                client_id=command.client_id, symbol=command.symbol, side=command.side, type=command.type, role=command.role,
                reason=command.reason, size=command.size, price=command.price, trigger_price=command.trigger_price,
                time_in_force=command.time_in_force, reduce_only=command.reduce_only, placed_at=at, changed_at=at,
            )
        )  # fmt: skip

    def _released(self, number: int, at: int, command: ReleaseOrder) -> None:
        self._placed(number, at, command.order)

    def _modified(self, _number: int, at: int, command: ModifyOrder) -> None:
        row = self._order(command.client_id, command.symbol)
        row.size, row.price, row.trigger_price = command.size, command.price, command.trigger_price
        row.order_id, row.changed_at = command.order_id or row.order_id, at
        self._put_order(row)

    def _named(self, _number: int, _at: int, command: CancelOrder) -> None:
        row = self._orders.get(command.client_id)
        if row is not None and command.order_id and not row.order_id:
            row.order_id = command.order_id
            self._put_order(row)

    def _stepped(self, _number: int, _at: int, change: OrderStateChanged) -> None:
        row = self._order(change.client_id, change.symbol)
        row.role, row.state, row.detail, row.changed_at = change.role, change.after, change.detail, change.changed_at
        self._put_order(row)

    def _order(self, client_id: str, symbol: str) -> _OrderRow:
        row = self._orders.get(client_id)
        return row if row is not None else _OrderRow(client_id, symbol)

    def _put_order(self, row: _OrderRow) -> None:
        self._orders[row.client_id] = row
        self._put(ORDERS, row.client_id, _values(row))
        if len(self._orders) > 2 * ENDED_KEPT:
            ended = [client_id for client_id, one in self._orders.items() if one.state not in _LIVE]
            for client_id in ended[:-ENDED_KEPT]:
                del self._orders[client_id]

    # ---- fills and positions ----

    def _booked(self, _number: int, at: int, fill: FillBooked) -> None:
        sign = -1 if fill.busted else 1
        order = self._orders.get(fill.client_id)
        if order is not None:
            order.filled += sign * fill.size
            order.order_id = fill.order_id or order.order_id
            self._put_order(order)
        row = self._position(fill.symbol, at)
        row.size, row.entry_price = fill.size_after, fill.entry_after
        row.realized_pnl += sign * fill.realized_pnl
        row.fees += sign * fill.fee
        row.funding += sign * fill.funding
        self._put_position(row)
        self._put(
            FILLS, fill.fill_key,
            (
                fill.fill_key, fill.client_id, fill.order_id, fill.symbol, fill.side, fill.size, fill.price, fill.fee,
                fill.funding, fill.realized_pnl, fill.size_after, fill.entry_after, fill.cash_after, fill.role, fill.reason,
                fill.liquidity, fill.busted, fill.foreign, fill.filled_at,
            ),
        )  # fmt: skip

    def _protected(self, _number: int, _at: int, change: ProtectionChanged) -> None:
        row = self._position(change.symbol, change.changed_at)
        row.protection, row.stop_price, row.stop_size = change.after, change.stop_price, change.stop_size
        self._put_position(row)

    def _reconciled(self, _number: int, at: int, record: Reconciled) -> None:
        foreign = dict(record.foreign)
        for symbol in {*foreign, *self._positions}:
            size = foreign.get(symbol, ZERO)
            known = self._positions.get(symbol)
            if size != (known.foreign_size if known is not None else ZERO):
                row = self._position(symbol, at)
                row.foreign_size = size
                self._put_position(row)

    def _noted(self, _number: int, at: int, note: Note) -> None:
        if note.code == REBUILD_DROPPED:
            row = self._position(note.symbol, at)
            row.size = row.entry_price = ZERO
            self._put_position(row)

    def _position(self, symbol: str, at: int) -> _PositionRow:
        row = self._positions.setdefault(symbol, _PositionRow(symbol))
        row.changed_at = at
        return row

    def _put_position(self, row: _PositionRow) -> None:
        self._put(POSITIONS, row.symbol, _values(row))

    # ---- what is only listed ----

    def _valued(self, number: int, _at: int, point: EquityPoint) -> None:
        self._put(EQUITY, number, (number, point.at, point.equity, point.cash))

    def _judged(self, number: int, _at: int, signal: SignalJudged) -> None:
        self._put(
            SIGNALS, number,
            (
                number, signal.judged_at, signal.symbol, signal.interval, signal.direction, _finite(signal.score),
                _finite(signal.confidence), signal.outcome, signal.denied_by, signal.client_id, _json(signal.reasons),
                _json(signal.gates), _json(dict(signal.inputs)),
            ),
        )  # fmt: skip

    def _closed(self, number: int, _at: int, trip: RoundTripClosed) -> None:
        self._put(
            TRIPS, number,
            (
                number, trip.symbol, trip.direction, trip.size, trip.entry_price, trip.exit_price, trip.opened_at,
                trip.closed_at, trip.pnl, trip.fees, trip.funding, trip.risk, trip.costs, trip.exit_reason,
                _json(trip.entry_reasons),
            ),
        )  # fmt: skip

    def _put(self, table: Table, key: Value, values: tuple[Value, ...]) -> None:
        whole = (self.name.account, self.name.run, *(_plain(value) for value in values))
        self._touched[table.name, key] = Row(table.name, whole)


def _known(order: TrackedOrder) -> _OrderRow:
    return _OrderRow(
        client_id=order.client_id, symbol=order.symbol, side=order.side, type=order.type, role=order.role,
        reason=order.reason, size=order.size, price=order.price, trigger_price=order.trigger_price,
        time_in_force=order.time_in_force, reduce_only=order.reduce_only, order_id=order.order_id, state=order.state,
        filled=order.filled, detail=order.refusal or order.cancel_reason, placed_at=order.sent_at,
        changed_at=order.changed_at,
    )  # fmt: skip


def _values(row: msgspec.Struct) -> tuple[Value, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)


def _plain(value: Value) -> Value:
    """Words as plain text, and without the one sign that PostgreSQL refuses."""
    return str(value).replace("\x00", "\ufffd") if isinstance(value, str) else value


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
