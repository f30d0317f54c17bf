"""Fold + foreign = exchange: the account is read at the start, after every reconnect, every 15 s and on suspicion.

Fills and orders of a read go the same way as those of the stream. A position that differs is acted on only when a second
read, at least a second later, shows the same difference; a read that failed is no information. With an empty journal the
orders and fills that carry our prefix rebuild the fold; what then does not fit the exchange's position is not ours.
"""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.commands import Reconcile
from flashscalper.model.events import AccountSnapshot, BalanceUpdate, PositionUpdate
from flashscalper.model.instants import SECOND_US
from flashscalper.model.positions import AccountSummary, ExchangePosition
from flashscalper.model.records import Reconciled
from flashscalper.trading.floor import Floor
from flashscalper.trading.orders import LIVE, OrderState
from flashscalper.trading.reports import Reports
from flashscalper.trading.saved import REBUILD_DROPPED

NOT_RECONCILED = "not_reconciled"
HEALTHY = ("ACTIVE", "")
CENT = Decimal("0.01")
DIFFERS_AFTER_US = 500_000
"""How long the stream's position may differ from the fold before the account is read."""


class _Doubt:
    """A difference that one read showed: how large, since which read."""

    __slots__ = ("asked_at", "difference")

    def __init__(self, difference: Decimal, asked_at: int) -> None:
        self.difference = difference
        self.asked_at = asked_at


class Reconciler:
    """Asks for the account and compares. `fresh` is a start without a journal, `watermark` the instant up to which every
    fill is known; `starting_cash` None lets our cash start at the exchange's figure."""

    def __init__(
        self, floor: Floor, reports: Reports, *, fresh: bool, watermark: int, starting_cash: Decimal | None
    ) -> None:
        self._floor = floor
        self._reports = reports
        self._timing = floor.settings.timing
        self._fresh = fresh
        self._watermark = watermark
        self._starting_cash = starting_cash
        self._asked_at: int | None = None
        self._next_at: int | None = None
        self._cause = self._asked_cause = "start"
        self._doubts: dict[str, _Doubt] = {}
        self._cash_difference = ZERO
        self._differs_since: dict[str, int] = {}
        self.reconciled_at = 0
        floor.risk.hold(NOT_RECONCILED, "the account has not been read yet", floor.started_at)
        # What is held from before needs no stream to be looked at; usually the stream is there first.
        self.want("start", floor.started_at, at=floor.started_at + self._us(self._timing.degraded_every_s))

    # When to ask

    def want(self, cause: str, now: int, *, at: int | None = None) -> None:
        """Read the account at `at` (now, if not given) or earlier."""
        moment = now if at is None else at
        if self._next_at is None or moment < self._next_at:
            self._next_at, self._cause = moment, cause

    def on_stream(self, *, ready: bool, now: int) -> None:
        """The account stream came or went: after every return nothing is taken for granted."""
        if ready:
            self._asked_at = None
            self.want("start" if not self.reconciled_at else "reconnect", now)
        else:
            self._floor.risk.hold(NOT_RECONCILED, "the account stream was lost", now)
            self.want("no stream", now, at=now + self._us(self._timing.degraded_every_s))

    def due(self, now: int) -> None:
        """Ask if it is time; give up on an answer that did not come."""
        late = self._asked_at is not None and now >= self._asked_at + self._us(self._timing.read_within_s)
        if late:
            self._asked_at = None
            self.want("no answer", now)
        if any(now >= since + DIFFERS_AFTER_US for since in self._differs_since.values()):
            self._differs_since.clear()
            self.want("position differs", now)
        if self._asked_at is None and self._next_at is not None and now >= self._next_at:
            self._asked_at, self._next_at, self._asked_cause = now, None, self._cause
            self._floor.out.append(Reconcile(fills_since=self._fills_since()))

    def wake_at(self) -> int | None:
        """When `due` has something to do."""
        moments = [since + DIFFERS_AFTER_US for since in self._differs_since.values()]
        if self._asked_at is not None:
            moments.append(self._asked_at + self._us(self._timing.read_within_s))
        elif self._next_at is not None:
            moments.append(self._next_at)
        return min(moments, default=None)

    def _fills_since(self) -> int:
        if self._fresh and not self.reconciled_at:
            return self._floor.started_at - self._us(self._timing.rebuild_s)
        return max(0, self._watermark - self._us(self._timing.fills_overlap_s))

    # The stream's own word

    def on_position(self, update: PositionUpdate, now: int) -> None:
        """The stream's view of a position: kept, and compared after a moment in which the fill may still come."""
        position = update.position
        if position.symbol not in self._floor.markets:
            return
        self._floor.exchange_positions[position.symbol] = position
        self.compare(position.symbol, now)

    def compare(self, symbol: str, now: int) -> None:
        """Whether fold + foreign is what the stream last said; a difference that lasts leads to a read."""
        position = self._floor.exchange_positions.get(symbol)
        if position is None or position.size == self._expected(symbol):
            self._differs_since.pop(symbol, None)
        else:
            self._differs_since.setdefault(symbol, now)

    def on_balance(self, update: BalanceUpdate, now: int) -> None:
        """The exchange's margin summary. One that is not in order is a reason to look at the whole account."""
        self._floor.summary = update.summary
        if update.summary.status not in HEALTHY:
            self.want(f"account {update.summary.status}", now)

    # The read

    def on_snapshot(self, snapshot: AccountSnapshot, now: int) -> None:
        """One read of the account."""
        self._asked_at = None
        if snapshot.failed:
            self._floor.note("read_failed", snapshot.failed, now)
            self.want(self._asked_cause, now, at=now + self._us(self._timing.mismatch_apart_s))
            return
        streaming = self._floor.streams["account"]
        # What a first read shows may be from before the interruption (a replica that lags): it is read once more.
        again = streaming and self._asked_cause in ("start", "reconnect")
        every_s = self._timing.reconcile_every_s if streaming and not again else self._timing.degraded_every_s
        self.want("again" if again else "regular" if streaming else "no stream", now, at=now + self._us(every_s))
        for fill in sorted(snapshot.fills, key=lambda one: (one.filled_at, len(one.id), one.id)):
            self._reports.on_fill(fill, now)
        for order in snapshot.orders:
            self._reports.on_order(order, now)
        self._suspect_missing(snapshot)
        if snapshot.summary is not None:
            self._floor.summary = snapshot.summary
            self._compare_cash(snapshot.summary, now)
        shown = {position.symbol: position for position in snapshot.positions}
        self._forget_older(shown, snapshot.asked_at)
        differences = [
            text for symbol in self._floor.markets if (text := self._compare_read(symbol, shown.get(symbol), snapshot, now))
        ]
        self._conclude(snapshot, differences, now)

    def _forget_older(self, shown: dict[str, ExchangePosition], asked_at: int) -> None:
        """A read is newer than what the stream said before it was asked."""
        known = self._floor.exchange_positions
        for symbol in [symbol for symbol, position in known.items() if position.updated_at < asked_at]:
            if symbol in shown:
                known[symbol] = shown[symbol]
            else:
                del known[symbol]
            self._differs_since.pop(symbol, None)

    def _suspect_missing(self, snapshot: AccountSnapshot) -> None:
        """Live orders that the read does not list although they were there before it was asked. Asking is cheap: the list
        may lag; and a stop that is gone must not wait for the next read."""
        listed = {order.client_id for order in snapshot.orders} | {order.order_id for order in snapshot.orders}
        for order in self._floor.orders.all_active():
            settled_in = order.state in LIVE and order.state not in (OrderState.SENT, OrderState.UNKNOWN)
            if not settled_in or order.changed_at >= snapshot.asked_at:
                continue
            if order.client_id not in listed and order.order_id not in listed:
                self._floor.pursuit.suspect(order)

    def _compare_read(
        self, symbol: str, position: ExchangePosition | None, snapshot: AccountSnapshot, now: int
    ) -> str:  # fmt: skip
        """One market: empty when it agrees, else what differs. Acts on the second equal difference."""
        held = position.size if position is not None else ZERO
        difference = held - self._expected(symbol)
        if difference == ZERO:
            self._doubts.pop(symbol, None)
            self._agree(symbol, snapshot.asked_at)
            return ""
        doubt = self._doubts.get(symbol)
        apart = self._us(self._timing.mismatch_apart_s)
        if any(one.fill.filled_at > snapshot.asked_at for one in self._floor.ledger.position(symbol).fills):
            # Filled while it was read: the answer may be from before, and speaks neither for nor against.
            self.want("mismatch", now, at=now + apart)
            return f"{symbol}: {plain(difference)} unexplained, filled meanwhile"
        if doubt is not None and doubt.difference == difference and snapshot.asked_at >= doubt.asked_at + apart:
            del self._doubts[symbol]
            self._attribute(symbol, held, now)
            self._agree(symbol, snapshot.asked_at)
            return f"{symbol}: {plain(difference)} attributed"
        if doubt is None or doubt.difference != difference:
            self._doubts[symbol] = _Doubt(difference, snapshot.asked_at)
        if self._fresh and not self.reconciled_at:
            self._floor.unconfirmed[symbol] = held
        self._floor.markets[symbol].blocks["mismatch"] = f"the exchange holds {plain(difference)} more than we know of"
        self.want("mismatch", now, at=snapshot.asked_at + apart)
        return f"{symbol}: {plain(difference)} unexplained"

    def _compare_cash(self, summary: AccountSummary, now: int) -> None:
        """Collateral that our fills do not explain is a transfer (or a fee we do not know of): said once per amount."""
        difference = summary.total_collateral - self._floor.ledger.cash
        if not self.reconciled_at or difference == self._cash_difference:
            return
        self._cash_difference = difference
        if abs(difference) >= CENT:
            text = (
                f"the exchange holds {plain(summary.total_collateral)}, our fills explain {plain(self._floor.ledger.cash)}"
            )
            self._floor.note("cash_differs", text, now)

    def _agree(self, symbol: str, asked_at: int) -> None:
        """Fold and exchange agree: what was blocked for doubt is free, and foreign fills from here on are news."""
        state = self._floor.markets[symbol]
        state.blocks.pop("mismatch", None)
        state.blocks.pop("fill_busted", None)
        if self._floor.unconfirmed.pop(symbol, None) is not None:
            self._floor.touch(symbol)
        self._reports.baseline_at[symbol] = asked_at

    def _attribute(self, symbol: str, held: Decimal, now: int) -> None:
        """Twice the same difference: it is not ours. A rebuilt fold that the exchange contradicts is dropped altogether."""
        fold = self._floor.ledger.holding(symbol).size
        contradicted = fold != ZERO and (held == ZERO or (held > ZERO) is not (fold > ZERO) or abs(held) < abs(fold))
        if self._fresh and not self.reconciled_at and contradicted:
            self._floor.ledger.drop(symbol)
            self._reports.forget_position(symbol)
            self._floor.note(
                REBUILD_DROPPED, f"our fills sum to {plain(fold)}, the exchange holds {plain(held)}", now, symbol
            )
            fold = ZERO
        foreign = held - fold
        if foreign:
            self._floor.foreign[symbol] = foreign
        else:
            self._floor.foreign.pop(symbol, None)
        self._floor.note("foreign_exposure", f"{plain(foreign)} is not ours", now, symbol)
        self._floor.touch(symbol)

    def _conclude(self, snapshot: AccountSnapshot, differences: list[str], now: int) -> None:
        floor = self._floor
        foreign = tuple((symbol, size) for symbol, size in sorted(floor.foreign.items()) if size)
        floor.tell(Reconciled(reconciled_at=now, foreign=foreign, differences=tuple(differences), cause=self._asked_cause))
        self._watermark = max(self._watermark, snapshot.asked_at)
        if any("unexplained" in text for text in differences) and not self.reconciled_at:
            return
        if not self.reconciled_at:
            self._first_time(snapshot)
        self.reconciled_at = now
        if floor.streams["account"]:
            floor.risk.release(NOT_RECONCILED, now)

    def _first_time(self, snapshot: AccountSnapshot) -> None:
        """Cash starts where the account stands: what was rebuilt from earlier runs is in its balance already."""
        if not self._fresh:
            return
        stands = self._starting_cash
        if stands is None and snapshot.summary is not None:
            stands = snapshot.summary.total_collateral
        if stands is not None:
            self._floor.ledger.starting_cash = stands - self._floor.ledger.net
            self._floor.money_known = True

    def _expected(self, symbol: str) -> Decimal:
        return self._floor.ledger.holding(symbol).size + self._floor.foreign.get(symbol, ZERO)

    @staticmethod
    def _us(seconds: float) -> int:
        return int(seconds * SECOND_US)
