"""Fills that a position keeps only for the case that one of them is taken back or one comes late among them: packed.

A booked fill is about 3 KB of Decimals and texts, and some 250 bytes here. Nothing is left out and nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from flashscalper.model.fills import Fill
from flashscalper.model.orders import OrderRole
from flashscalper.model.rows import RowShape
from flashscalper.trading.booked_fill import BookedFill
from flashscalper.trading.fold import Holding, Trip

_FILL = RowShape(Fill)
_TRIP = RowShape(Trip)
_PARTS: Any = (
    _FILL.type, OrderRole | None, str, bool, Decimal, Decimal, Decimal, Decimal, _TRIP.type | None, _TRIP.type | None
)  # fmt: skip
_ROW: Any = tuple.__class_getitem__(_PARTS)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_ROW)


class SettledFills:
    """Booked fills in the exchange's order. `trips` is how many of them ended a round trip."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self.trips = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entries: Iterable[BookedFill]) -> None:
        """Put the next ones behind the others."""
        for entry in entries:
            self._rows.append(_packed(entry))
            self.trips += entry.closed is not None

    def entries(self) -> list[BookedFill]:
        """All of them, as they were."""
        return [_unpacked(row) for row in self._rows]

    def take(self) -> list[BookedFill]:
        """All of them, as they were; none stays."""
        entries = self.entries()
        self._rows.clear()
        self.trips = 0
        return entries


def _packed(entry: BookedFill) -> bytes:
    after = entry.after
    return _ENCODER.encode(
        (
            msgspec.structs.astuple(entry.fill), entry.role, entry.reason, entry.foreign, entry.realized_pnl, entry.own_pnl,
            after.size, after.cost, _trip_row(after.trip), _trip_row(entry.closed),
        )
    )  # fmt: skip


def _unpacked(row: bytes) -> BookedFill:
    fill, role, reason, foreign, realized, own, size, cost, trip, closed = _DECODER.decode(row)
    return BookedFill(
        fill=_FILL.struct(fill), role=role, reason=reason, foreign=foreign, realized_pnl=realized, own_pnl=own,
        after=Holding(size, cost, _trip(trip)), closed=_trip(closed),
    )  # fmt: skip


def _trip_row(trip: Trip | None) -> tuple[Any, ...] | None:
    return None if trip is None else msgspec.structs.astuple(trip)


def _trip(row: tuple[Any, ...] | None) -> Trip | None:
    return None if row is None else _TRIP.struct(row)
