"""What a run came to, counted from its events and records while it runs: the numbers of the summary and the report.

An observer of the trader. Klines and records are kept for the report within limits; older ones only count. A run that goes
on for weeks makes no such report and keeps none of them: what was judged and why is in its journal.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder, ReleaseOrder
from flashscalper.model.events import Event
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.records import (
    FillBooked,
    KlineClosed,
    OrderDenied,
    OrderStateChanged,
    Record,
    RoundTripClosed,
    SignalJudged,
)
from flashscalper.model.rows import PackedStructs
from flashscalper.runtime.journal import Output

KLINES_KEPT: Final = 20_000
RECORDS_KEPT: Final = 100_000
FILLS_KEPT: Final = 100_000
FILLS_OF_LONG_RUNS: Final = 20_000
ORDERS_KEPT: Final = 10_000
"""Orders whose last state is remembered one by one; of older ones only how many ended in which."""
REJECTED_STATES: Final = ("rejected", "refused")


class LedgerPoint(NamedTuple):
    """Our money and one position right after one fill."""

    key: str
    symbol: str
    size_after: Decimal
    cash: Decimal
    fees: Decimal
    funding: Decimal


class Tally:
    """Counts of one run. Money is Decimal, summed from booked fills only. Without `for_report` no klines, records and ledger
    points are kept, and the newest fills only."""

    def __init__(self, *, for_report: bool = True) -> None:
        self._for_report = for_report
        fills = FILLS_KEPT if for_report else FILLS_OF_LONG_RUNS
        self.trades = 0
        self.signals = 0
        self.denied = 0
        self.realized_pnl = ZERO
        self.fees = ZERO
        self.funding = ZERO
        self.fills = 0
        self.positions: dict[str, Decimal] = {}
        self.round_trips = PackedStructs(RoundTripClosed, fills)
        self._trips = 0
        self._exits: Counter[str] = Counter()
        self.klines: dict[tuple[str, str], deque[Kline]] = defaultdict(lambda: deque(maxlen=KLINES_KEPT))
        self.kline_counts: Counter[tuple[str, str]] = Counter()
        self.records: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self.booked = PackedStructs(FillBooked, fills)
        self.points: deque[LedgerPoint] = deque(maxlen=FILLS_KEPT)
        self._sent = 0
        self._state: dict[str, str] = {}
        self._ended: Counter[str] = Counter()
        self._takers: dict[type, Callable[[Any], None]] = {
            PlaceOrder: self._placed,
            ReleaseOrder: lambda command: self._placed(command.order),
            OrderStateChanged: self._stepped,
            FillBooked: self._booked,
            RoundTripClosed: self._tripped,
            KlineClosed: self._closed,
            SignalJudged: self._judged,
            OrderDenied: self._refused,
        }

    def __call__(self, event: Event, outputs: Sequence[Output]) -> None:
        """Look at one event and everything the engine answered."""
        if type(event) is Trade:
            self.trades += 1
        for output in outputs:
            taker = self._takers.get(type(output))
            if taker is not None:
                taker(output)
            if self._for_report and isinstance(output, Record) and not isinstance(output, KlineClosed):
                self.records.append(output)

    @property
    def open_positions(self) -> dict[str, Decimal]:
        """Signed sizes of what is still held."""
        return {symbol: size for symbol, size in sorted(self.positions.items()) if size != ZERO}

    def counts(self) -> dict[str, Any]:
        """Everything countable, ready for JSON; amounts as text."""
        ends = self._ended + Counter(self._state.values())
        return {
            "trades": self.trades,
            "klines": self._kline_table(),
            "signals": self.signals,
            "orders": {
                "sent": self._sent,
                "filled": ends["filled"],
                "canceled": ends["canceled"],
                "denied": self.denied,
                "rejected": sum(ends[state] for state in REJECTED_STATES),
            },
            "fills": self.fills,
            "round_trips": self._trips,
            "round_trips_by_exit": dict(self._exits.most_common()),
            "realized_pnl": str(self.realized_pnl),
            "fees": str(self.fees),
            "funding": str(self.funding),
            "open_positions": {symbol: str(size) for symbol, size in self.open_positions.items()},
        }

    def _kline_table(self) -> dict[str, dict[str, int]]:
        table: dict[str, dict[str, int]] = {}
        for (symbol, interval), count in sorted(self.kline_counts.items()):
            table.setdefault(symbol, {})[interval] = count
        return table

    def _placed(self, _command: PlaceOrder) -> None:
        self._sent += 1

    def _stepped(self, record: OrderStateChanged) -> None:
        self._state[record.client_id] = record.after
        if len(self._state) > ORDERS_KEPT:
            self._ended[self._state.pop(next(iter(self._state)))] += 1

    def _tripped(self, trip: RoundTripClosed) -> None:
        self.round_trips.append(trip)
        self._trips += 1
        self._exits[trip.exit_reason] += 1

    def _booked(self, record: FillBooked) -> None:
        sign = -1 if record.busted else 1
        self.fills += sign
        self.fees += sign * record.fee
        self.funding += sign * record.funding
        self.realized_pnl += sign * record.realized_pnl
        self.positions[record.symbol] = record.size_after
        self.booked.append(record)
        if not self._for_report:
            return
        key = f"bust:{record.fill_key.partition(':')[2]}" if record.busted else record.fill_key
        self.points.append(LedgerPoint(key, record.symbol, record.size_after, record.cash_after, self.fees, self.funding))

    def _closed(self, record: KlineClosed) -> None:
        kline = record.kline
        if not record.revised:
            self.kline_counts[kline.symbol, kline.interval] += 1
        if not self._for_report:
            return
        kept = self.klines[kline.symbol, kline.interval]
        if not record.revised:
            kept.append(kline)
            return
        for index in range(len(kept) - 1, -1, -1):
            if kept[index].open_at == kline.open_at:
                kept[index] = kline
                return

    def _judged(self, record: SignalJudged) -> None:
        self.signals += record.direction is not None

    def _refused(self, _record: OrderDenied) -> None:
        self.denied += 1
