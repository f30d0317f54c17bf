"""Why did it (not) trade? Answers from a run's journal alone, so they are the same for live, paper, demo and backtest.

A journal is read once into what can be asked: what was seen at a moment, what became of an order, how a round trip came
about, what forbade trades and how near they were.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import FeeClass
from flashscalper.model.instants import DAY_US
from flashscalper.model.orders import OrderRole
from flashscalper.model.records import (
    FillBooked,
    OrderDenied,
    OrderStateChanged,
    ProtectionChanged,
    RoundTripClosed,
    SignalJudged,
)
from flashscalper.runtime.framing import Metadata
from flashscalper.runtime.journal import Entry, journal_metadata, read_journal
from flashscalper.trading.misses import nearest_miss, other_class_of, would_pass

JOURNAL: Final = "journal.fsj"
LAST: Final = "last"
_SHOWN_RUNS: Final = 5


class OrderStory(msgspec.Struct, frozen=True, kw_only=True):
    """One order from its decision to its end. `signal` is the look that it (or the entry that it belongs to) came from."""

    client_id: str
    order: PlaceOrder
    signal: SignalJudged | None
    steps: tuple[OrderStateChanged, ...]
    requests: tuple[tuple[int, ModifyOrder | CancelOrder], ...]
    fills: tuple[FillBooked, ...]


class TripStory(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip, flat to flat: why it began, every order of it, how it was protected, why it ended. `number` from 1."""

    number: int
    trip: RoundTripClosed
    signal: SignalJudged | None
    orders: tuple[OrderStory, ...]
    protection: tuple[ProtectionChanged, ...]


class MarketSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one market came to.

    `looks` are judged klines, `signals` those with a direction; `denied` counts signals, `silent` looks without a direction,
    each by the first gate that said no. `other_passes` is how often, on `day` (the journal's last, UTC midnight), the cost
    gate alone said no and would have let the trade through at the fees of `other_class`.
    """

    symbol: str
    looks: int
    signals: int
    entered: int
    denied: dict[str, int]
    silent: dict[str, int]
    nearest_miss: SignalJudged | None
    other_class: FeeClass
    other_passes: int
    day: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in denials: signals and orders that our own gates refused, by reason, and the nearest miss of each market."""

    from_at: int
    until_at: int
    signals: int
    entered: int
    denied: dict[str, int]
    orders_denied: dict[str, int]
    round_trips: int
    markets: tuple[MarketSummary, ...]


class Answers:
    """What a journal can be asked. Raises ConfigError where there is no answer, with what there is instead."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.from_at = self.until_at = 0
        self.looks: list[SignalJudged] = []
        self.trips: list[RoundTripClosed] = []
        self._fills: list[FillBooked] = []
        self._denied: list[OrderDenied] = []
        self._protection: list[ProtectionChanged] = []
        self._placed: dict[str, PlaceOrder] = {}
        self._steps: defaultdict[str, list[OrderStateChanged]] = defaultdict(list)
        self._requests: defaultdict[str, list[tuple[int, ModifyOrder | CancelOrder]]] = defaultdict(list)
        takers: dict[type, Callable[[Any], None]] = {
            SignalJudged: self.looks.append, RoundTripClosed: self.trips.append, FillBooked: self._fills.append,
            OrderDenied: self._denied.append, ProtectionChanged: self._protection.append,
        }  # fmt: skip
        for at, content in entries:
            self.from_at = self.from_at or at
            self.until_at = max(self.until_at, at)
            taker = takers.get(type(content))
            if taker is not None:
                taker(content)
            elif isinstance(content, PlaceOrder):
                self._placed[content.client_id] = content
            elif isinstance(content, ReleaseOrder):
                self._placed[content.order.client_id] = content.order
            elif isinstance(content, OrderStateChanged):
                self._steps[content.client_id].append(content)
            elif isinstance(content, ModifyOrder | CancelOrder):
                self._requests[content.client_id].append((at, content))

    @property
    def symbols(self) -> tuple[str, ...]:
        """Markets that were ever judged."""
        return tuple(sorted({look.symbol for look in self.looks}))

    def at(self, moment: int, symbol: str = "") -> tuple[SignalJudged, ...]:
        """The last look at each market (or at `symbol`) up to and including `moment`, microseconds."""
        last: dict[str, SignalJudged] = {}
        for look in self.looks:
            if look.judged_at <= moment and symbol in ("", look.symbol):
                last[look.symbol] = look
        if not last:
            first = min((look.judged_at for look in self.looks if symbol in ("", look.symbol)), default=None)
            accepted = "a run (or market) in which a kline was judged" if first is None else f"not before {first} us"
            raise ConfigError("moment", moment, accepted)
        return tuple(last[name] for name in sorted(last))

    def order(self, client_id: str) -> OrderStory:
        """The story of one order of this run."""
        placed = self._placed.get(client_id)
        if placed is None:
            ids = list(self._placed)
            span = f"an order of this run, {ids[0]} to {ids[-1]}" if ids else "nothing: no order was sent in this run"
            raise ConfigError("client order id", client_id, span)
        return OrderStory(
            client_id=client_id, order=placed, signal=self._signal_of(placed), steps=tuple(self._steps[client_id]),
            requests=tuple(self._requests[client_id]),
            fills=tuple(fill for fill in self._fills if fill.client_id == client_id),
        )  # fmt: skip

    def trip(self, number: int) -> TripStory:
        """The story of one round trip; they count from 1 in the order in which they closed."""
        if not 1 <= number <= len(self.trips):
            raise ConfigError("round trip", number, f"1 to {len(self.trips)}" if self.trips else "nothing: none closed")
        trip = self.trips[number - 1]
        signal = self._entered_before(trip.symbol, trip.opened_at)
        began = trip.opened_at if signal is None else min(signal.judged_at, trip.opened_at)
        orders = [
            self.order(client_id)
            for client_id, placed in self._placed.items()
            if placed.symbol == trip.symbol and began <= self._sent_at(client_id) <= trip.closed_at
        ]
        before = max((one.closed_at for one in self.trips[: number - 1] if one.symbol == trip.symbol), default=0)
        protection = (
            change
            for change in self._protection
            if change.symbol == trip.symbol and max(before + 1, began) <= change.changed_at <= trip.closed_at
        )
        return TripStory(number=number, trip=trip, signal=signal, orders=tuple(orders), protection=tuple(protection))

    def trip_of_fill(self, fill_key: str) -> TripStory:
        """The round trip that a fill (`fill:123`, as in trades.csv) belongs to."""
        fill = next((one for one in self._fills if one.fill_key == fill_key and not one.busted), None)
        if fill is None:
            shown = ", ".join(one.fill_key for one in self._fills[-3:]) or "none"
            raise ConfigError("fill", fill_key, f"a fill of this run; the last ones: {shown}")
        for number, trip in enumerate(self.trips, 1):
            if trip.symbol == fill.symbol and trip.opened_at <= fill.filled_at <= trip.closed_at:
                return self.trip(number)
        raise ConfigError("fill", fill_key, f"a fill of a closed round trip; ask for its order, {fill.client_id}")

    def summary(self) -> Summary:
        """Denials by reason, and how near each market came."""
        markets = tuple(self._market(symbol) for symbol in self.symbols)
        denied = sum((Counter(market.denied) for market in markets), Counter[str]())
        return Summary(
            from_at=self.from_at, until_at=self.until_at, signals=sum(market.signals for market in markets),
            entered=sum(market.entered for market in markets), denied=dict(denied.most_common()),
            orders_denied=dict(Counter(one.gate.code for one in self._denied).most_common()),
            round_trips=len(self.trips), markets=markets,
        )  # fmt: skip

    def _market(self, symbol: str) -> MarketSummary:
        looks = [look for look in self.looks if look.symbol == symbol]
        signals = [look for look in looks if look.direction is not None]
        other = other_class_of(signals[-1]) if signals else FeeClass.RETAIL
        day = self.until_at // DAY_US * DAY_US
        denied = Counter(look.denied_by for look in looks if look.outcome == "denied")
        silent = Counter(look.denied_by or _why_silent(look) for look in looks if look.outcome == "none")
        return MarketSummary(
            symbol=symbol, looks=len(looks), signals=len(signals),
            entered=sum(look.outcome == "entered" for look in looks), denied=dict(denied.most_common()),
            silent=dict(silent.most_common()), nearest_miss=nearest_miss(looks), other_class=other,
            other_passes=sum(would_pass(look, other) for look in looks if look.judged_at >= day), day=day,
        )  # fmt: skip

    def _signal_of(self, order: PlaceOrder) -> SignalJudged | None:
        """The look behind an entry; a later order of the same entry (a top-up) shares it."""
        if order.role is not OrderRole.ENTRY:
            return None
        return self._entered_before(order.symbol, self._sent_at(order.client_id))

    def _entered_before(self, symbol: str, at: int) -> SignalJudged | None:
        entered = (look for look in reversed(self.looks) if look.symbol == symbol and look.outcome == "entered")
        return next((look for look in entered if look.judged_at <= at), None)

    def _sent_at(self, client_id: str) -> int:
        steps = self._steps[client_id]
        return steps[0].changed_at if steps else self.until_at


def _why_silent(look: SignalJudged) -> str:
    """Of a look that no filter ended: the strategy was not warm, or had nothing to say."""
    return "warming up" if any(reason.startswith("warming up") for reason in look.reasons) else "no condition met"


def find_run(name: str, root: Path) -> Path:
    """The folder of a run: its path, its id under `root`, or `last` for the newest. ConfigError says what there is."""
    runs = sorted((path.parent for path in root.glob(f"*/{JOURNAL}")), key=lambda folder: folder.stat().st_mtime_ns)
    if name == LAST and runs:
        return runs[-1]
    for folder in (Path(name), root / name):
        if name != LAST and (folder / JOURNAL).is_file():
            return folder
    known = ", ".join(folder.name for folder in reversed(runs[-_SHOWN_RUNS:])) or f"none under {root} yet"
    raise ConfigError("run", name, f"a run's folder, its id, or `{LAST}`; runs: {known}")


def read_answers(folder: Path) -> tuple[Metadata, Answers]:
    """A run's own words about itself and its answers. Raises JournalError on damage; a run may still be going on."""
    journal = folder / JOURNAL
    return journal_metadata(journal), Answers(read_journal(journal))
