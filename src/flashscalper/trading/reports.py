"""What the exchange says of our orders and fills, into lifecycle, fold, plan and money.

Every report may come late, twice, out of order or from a read instead of the stream; each is idempotent. A fill that is not
ours can still close our position (a person's click, a liquidation): that part is booked, the rest is foreign exposure.
"""

from __future__ import annotations

from collections import deque

import msgspec

from flashscalper.model.amounts import ZERO, plain, round_money
from flashscalper.model.events import FillBusted, FundingPaid, OrderFound, RequestKind, RequestOutcome, Verdict
from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.orders import Order, OrderRole
from flashscalper.model.records import FillBooked, RoundTripClosed
from flashscalper.strategies.base import PositionView, Signal
from flashscalper.trading.client_ids import is_ours
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.exits import ExitPlan
from flashscalper.trading.fees import class_is_known, class_of
from flashscalper.trading.floor import Floor
from flashscalper.trading.fold import Trip
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.orders import ANSWERS, TrackedOrder, adopted
from flashscalper.trading.positions import Booked, BookedFill, fill_key
from flashscalper.trading.protection import BUSY_CODES
from flashscalper.trading.saved import BUST_UNSEEN, FUNDING, SavedPlan

EXTERNAL = "external"


class Reports:
    """Takes reports in. `baseline_at` is, per market, since when a foreign fill is news (none before the first clean read of
    the account); `saved_plans` what the plans of an earlier run had learned."""

    def __init__(self, floor: Floor, saved_plans: dict[str, SavedPlan]) -> None:
        self._floor = floor
        self._saved_plans = saved_plans
        self.baseline_at: dict[str, int] = {}
        self._funded: deque[tuple[str, str]] = deque(maxlen=10_000)

    # Orders

    def on_outcome(self, outcome: RequestOutcome, now: int) -> None:
        """The answer to a request of ours, as far as the transport knows."""
        order = self._floor.orders.get(outcome.client_id, outcome.order_id)
        if order is None:
            self._floor.note("stray_outcome", f"{outcome.request} {outcome.verdict} for {outcome.client_id!r}", now)
            return
        self._floor.touch(order.symbol)
        detail = " ".join(word for word in (outcome.code, outcome.message) if word)
        if outcome.request is RequestKind.PLACE:
            if outcome.order_id and not order.order_id:
                order.order_id = outcome.order_id
            if outcome.verdict is Verdict.REJECTED:
                order.refusal = outcome.code
            self._floor.desk.happen(order, ANSWERS[outcome.verdict], now, detail)
        elif outcome.request is RequestKind.MODIFY:
            self._on_modify(order, outcome, detail, now)
        elif outcome.verdict is not Verdict.ACCEPTED:
            self._floor.pursuit.suspect(order)

    def _on_modify(self, order: TrackedOrder, outcome: RequestOutcome, detail: str, now: int) -> None:
        """Accepted means queued: the order itself shows the change. Refused or unsent: it is as it was. A refusal that
        speaks of the exchange's state is no reason to replace the order."""
        verdict = outcome.verdict
        if verdict in (Verdict.REJECTED, Verdict.UNSENT):
            order.modifying = None
            protection = self._floor.markets[order.symbol].protection
            if verdict is Verdict.REJECTED:
                self._floor.note("modify_refused", f"{order.client_id}: {detail}", now, order.symbol)
                self._floor.pursuit.suspect(order)
            if verdict is Verdict.REJECTED and outcome.code not in BUSY_CODES:
                protection.modify_refused(order)
            else:
                protection.modify_unsent(order, now)
        elif verdict is Verdict.UNKNOWN:
            self._floor.pursuit.suspect(order)

    def on_order(self, shown: Order, now: int) -> None:
        """The whole state of one order, from the stream or a read."""
        if shown.symbol not in self._floor.markets:
            return
        order = self._floor.orders.get(shown.client_id, shown.order_id)
        if order is None:
            if not is_ours(shown.client_id):
                return
            order = adopted(shown, now)
            self._floor.orders.add(order)
        change = self._floor.orders.show(order, shown, now)
        asked = order.modifying
        if asked is not None and (shown.size, shown.price, shown.trigger_price) == (
            asked.size,
            asked.price,
            asked.trigger_price,
        ):
            order.modifying = None
        self._floor.desk.stepped(order, change, now)

    def on_found(self, found: OrderFound, now: int) -> None:
        """The answer to a question about an order."""
        for fill in found.fills:
            self.on_fill(fill, now)
        if found.order is not None and not found.failed:
            self.on_order(found.order, now)
        order = self._floor.orders.get(found.client_id)
        if order is not None:
            self._floor.pursuit.on_answer(found, order, now)
            self._floor.touch(order.symbol)

    # Fills

    def on_fill(self, fill: Fill, now: int) -> None:
        """One execution: booked once, whoever reports it and how often."""
        key = fill_key(*fill.key)
        if fill.symbol not in self._floor.markets:
            return
        order = self._floor.orders.get(fill.client_id, fill.order_id)
        if self._floor.ledger.knows(key):
            if order is not None and self._floor.ledger.took_back(key):
                self._floor.orders.bust(order, key, fill.size, now, booked=False)
                self._floor.touch(fill.symbol)
            return
        if order is None and not is_ours(fill.client_id):
            self._on_foreign_fill(fill, now)
            return
        role, reason = (order.role, self._reason(order)) if order is not None else (None, "recovered")
        booked = self._floor.ledger.book(BookedFill(fill=fill, role=role, reason=reason))
        assert booked is not None
        if order is not None:
            self._floor.desk.stepped(order, self._floor.orders.fill(order, fill.size, now, fill_key(*fill.key)), now)
            if order.filled > order.size:
                self._floor.note("overfilled", f"{order.client_id}: {order.filled} of {order.size}", now, fill.symbol)
        self._check_figures(fill, booked, now)
        self._after_fill(booked, order, now)

    def _on_foreign_fill(self, fill: Fill, now: int) -> None:
        """Somebody else's fill. What closes our position is ours to book; the rest is foreign exposure."""
        floor, symbol = self._floor, fill.symbol
        if fill.filled_at <= self.baseline_at.get(symbol, 2**63):
            return
        signed = fill.size * fill.side.sign
        held, foreign = floor.ledger.holding(symbol).size, floor.foreign.get(symbol, ZERO)
        closes = min(abs(held), fill.size) if held and not foreign and (held > ZERO) is not (signed > ZERO) else ZERO
        if closes:
            share = closes / fill.size
            ours = msgspec.structs.replace(fill, size=closes, fee=round_money(fill.fee * share))
            reason = EXTERNAL if fill.kind is FillKind.FILL else str(fill.kind)
            booked = floor.ledger.book(BookedFill(fill=ours, reason=reason, foreign=True))
            assert booked is not None
            self._after_fill(booked, None, now)
        else:
            floor.ledger.remember(fill_key(*fill.key))
        rest = fill.size - closes
        if rest:
            floor.foreign[symbol] = foreign + rest * fill.side.sign
            floor.note("foreign_fill", f"{fill.side} {plain(rest)} is not ours", now, symbol)
        floor.touch(symbol)

    def on_bust(self, bust: FillBusted, now: int) -> None:
        """The exchange took a fill back: so do we, and the market rests until two reads agree."""
        key = fill_key(bust.kind, bust.fill_id)
        known, told = self._floor.ledger.knows(key), self._floor.ledger.took_back(key)
        booked = self._floor.ledger.bust(key)
        if booked is None:
            if not known:
                self._floor.note(BUST_UNSEEN, key, now)
            elif not told:
                text = (
                    f"{key} was taken back, but is too old to be told apart or not ours: the next reads say what it changed"
                )
                self._floor.note("bust_not_kept", text, now)
            return
        fill = booked.entry.fill
        order = self._floor.orders.get(fill.client_id, fill.order_id)
        if order is not None:
            self._floor.orders.bust(order, key, fill.size, now, booked=True)
        self._floor.markets[fill.symbol].blocks["fill_busted"] = f"{key} was taken back"
        self._tell_fill(booked, order, busted=True)
        self._follow_position(booked, order, now)
        self._floor.touch(fill.symbol)

    def on_funding(self, paid: FundingPaid, now: int) -> None:
        """A funding payment that no fill carries."""
        key = (paid.symbol, paid.id)
        if key in self._funded:
            return
        self._funded.append(key)
        self._floor.ledger.pay(round_money(paid.amount))
        self._floor.note(FUNDING, f"{paid.id} {plain(round_money(paid.amount))}", now, paid.symbol)

    def _after_fill(self, booked: Booked, order: TrackedOrder | None, now: int) -> None:
        floor, fill = self._floor, booked.entry.fill
        self._tell_fill(booked, order)
        if booked.reordered:
            cash = plain(floor.ledger.cash)
            floor.note("fill_reordered", f"{fill_key(*fill.key)} came late; cash is now {cash}", now, fill.symbol)
        for trip in booked.trips:
            self._tell_trip(fill.symbol, trip, booked.entry, now)
        self._follow_position(booked, order, now)
        state = floor.markets[fill.symbol]
        floor.shown(fill.symbol, state.on_fill, fill, now)
        floor.touch(fill.symbol)

    # The plan of the position

    def _follow_position(self, booked: Booked, order: TrackedOrder | None, now: int) -> None:
        """Open, adjust or drop the plan, and show the strategy the position."""
        symbol = booked.entry.fill.symbol
        state, after = self._floor.markets[symbol], booked.after
        turned = booked.before.direction is not after.direction
        if after.direction is None:
            state.plan = None
            self._saved_plans.pop(symbol, None)
        elif state.plan is None or turned:
            state.protection.wish = None if turned and booked.before.size else state.protection.wish
            self.open_plan(state, now, order)
        else:
            state.plan.on_fill(after.size, after.entry_price)
        self.show_position(state)

    def open_plan(self, state: MarketState, now: int, order: TrackedOrder | None = None) -> None:
        """A plan for the position as it stands: by the entry's own signal if it is known."""
        holding = self._floor.ledger.holding(state.symbol)
        assert holding.direction is not None
        entry = self._floor.entries.get(state.symbol)
        saved = self._saved_plans.pop(state.symbol, None)
        signal: Signal | None = None
        if entry is not None and order is not None and entry.owns(order):
            signal, costs = entry.signal, entry.costs
        elif saved is not None and (saved.signal is None or saved.signal.direction is holding.direction):
            signal, costs = saved.signal, saved.costs
        else:
            saved, costs = None, self._costs(state, now)
        state.plan_signal, state.plan_costs = signal, costs
        state.plan = ExitPlan(
            state.exits, state.market, holding.direction, entry_price=holding.entry_price,
            size=abs(holding.size), opened_at=holding.trip.opened_at if holding.trip else now,
            volatility=signal.volatility if signal else None, signal=signal, costs=costs,
            state=saved.state if saved is not None else None,
        )  # fmt: skip

    def forget_position(self, symbol: str) -> None:
        """The position turned out not to be ours."""
        state = self._floor.markets[symbol]
        state.plan = None
        self.show_position(state)

    def show_position(self, state: MarketState) -> None:
        """What the strategy's view and the quiet band say of the position."""
        holding = self._floor.ledger.holding(state.symbol)
        state.view.held_direction = holding.direction
        if holding.direction is None:
            state.view.position = None
        else:
            opened_at = holding.trip.opened_at if holding.trip else 0
            state.view.position = PositionView(size=holding.size, entry_price=holding.entry_price, opened_at=opened_at)
        state.refresh_band()

    def _costs(self, state: MarketState, now: int) -> CostEstimate:
        direction = self._floor.ledger.holding(state.symbol).direction
        assert direction is not None
        return self._floor.costs(state, direction, self._floor.next_class(now))

    def _reason(self, order: TrackedOrder) -> str:
        """Why a fill of this order came: a stop says which rule put it where it was."""
        plan = self._floor.markets[order.symbol].plan
        if order.role is OrderRole.STOP and plan is not None:
            return plan.stop_reason
        return order.reason

    # Checks and records

    def _check_figures(self, fill: Fill, booked: Booked, now: int) -> None:
        """Our arithmetic against the exchange's: realised PnL is noted, a wrong fee halts entries."""
        reported, computed = fill.realized_pnl, booked.entry.own_pnl
        if reported is not None and reported != computed and not booked.reordered:
            text = f"{fill_key(*fill.key)}: exchange {plain(reported)}, ours {plain(computed)}"
            self._floor.note("pnl_differs", text, now, fill.symbol)
        state = self._floor.markets[fill.symbol]
        if (
            fill.kind is FillKind.FILL
            and fill.filled_at >= self._floor.started_at
            and class_is_known(fill, self._floor.fee_class)
        ):
            self._check_fee(state, fill, now)

    def _check_fee(self, state: MarketState, fill: Fill, now: int) -> None:
        """What the fill paid against what its class pays; a dearer one is what the next order is expected to pay."""
        floor, fee_class = self._floor, class_of(fill, self._floor.fee_class)
        known = state.fees.of(fee_class)
        rate = known.maker if fill.liquidity is Liquidity.MAKER else known.taker
        detail = f"{fee_class} {fill.liquidity} fill {fill_key(*fill.key)} of {fill.symbol}"
        expected = round_money(fill.price * fill.size * rate)
        floor.risk.on_fee(paid=fill.fee, expected=expected, now=now, detail=detail)
        if state.fees.learn_from(fill, fee_class, floor.settings.risk.fee_tolerance):
            fees = state.fees.of(fee_class)
            text = f"maker {fees.maker:.6f}, taker {fees.taker:.6f} ({fee_class}), as a fill paid"
            floor.note("fees", text, now, fill.symbol)

    def _tell_fill(self, booked: Booked, order: TrackedOrder | None, *, busted: bool = False) -> None:
        entry, fill, after = booked.entry, booked.entry.fill, booked.after
        self._floor.tell(
            FillBooked(
                fill_key=fill_key(*fill.key), client_id=order.client_id if order else fill.client_id, order_id=fill.order_id,
                symbol=fill.symbol, side=fill.side, size=fill.size, price=fill.price, fee=fill.fee,
                funding=fill.funding or ZERO, realized_pnl=entry.realized_pnl, size_after=after.size,
                entry_after=after.entry_price, cash_after=self._floor.ledger.cash, role=entry.role, reason=entry.reason,
                liquidity=fill.liquidity, filled_at=fill.filled_at, busted=busted, foreign=entry.foreign,
            )
        )  # fmt: skip

    def _tell_trip(self, symbol: str, trip: Trip, entry: BookedFill, now: int) -> None:
        net = trip.pnl + trip.funding - trip.fees
        state = self._floor.markets[symbol]
        signal, plan, costs = state.plan_signal, state.plan, ZERO
        risk = ZERO
        if plan is not None and state.plan_costs is not None:
            costs = trip.left * trip.entry_price * state.plan_costs.total
            risk = trip.left * plan.levels.risk + costs
        self._floor.tell(
            RoundTripClosed(
                symbol=symbol, direction=trip.direction, size=trip.left, entry_price=trip.entry_price,
                exit_price=trip.exit_price, opened_at=trip.opened_at, closed_at=trip.closed_at, pnl=net, fees=trip.fees,
                funding=trip.funding, exit_reason=entry.reason, entry_reasons=signal.reasons if signal else (),
                risk=round_money(risk), costs=round_money(costs),
            )
        )  # fmt: skip
        self._floor.risk.on_trip(symbol, net, now)
