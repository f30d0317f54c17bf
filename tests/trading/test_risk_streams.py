"""Arbitrary streams of intents, fills, cancels and moving markets: what the last gate lets through never passes any cap.

What the caps are compared with is counted here a second time, from nothing but what was let through and what came of it.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.events import BestQuote, MarkPrice
from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.instants import MINUTE_US, SECOND_US
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import Side, TimeInForce
from flashscalper.trading.limits import Proposal
from flashscalper.trading.orders import Happening, TrackedOrder
from flashscalper.trading.positions import BookedFill, fill_key
from flashscalper.trading.settings import CorrelatedGroup, RiskLimits
from tests.trading.stage import MARKET, SETTINGS, D, Stage

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
GROUP = SYMBOLS[:2]
LIMITS = RiskLimits(
    max_order_notional=D(2_000), max_position_notional=D(3_000), max_account_notional=D(6_000), max_leverage=0.55,
    max_margin_share=0.11, groups=(CorrelatedGroup(name="pair", symbols=GROUP, max_notional=D(4_000)),), collar_bps=50.0,
    max_open_orders=6, max_orders_per_second=4, max_orders_per_minute=20, reserve_share=0.25, duplicate_window_s=1.0,
    max_daily_loss_share=None, max_drawdown_share=None,
)  # fmt: skip
MARGIN_RATE = D("0.2")
CAPS = {
    "order_notional", "position_notional", "account_notional", "leverage", "margin", "group_pair", "collar_mark",
    "collar_mid", "open_orders", "order_rate", "duplicate_intent", "grid", "min_notional",
}  # fmt: skip


class Gatekeeper:
    """The engine's floor with its desk, and a second set of books beside it."""

    def __init__(self) -> None:
        stage = Stage(msgspec.structs.replace(SETTINGS, risk=LIMITS), SYMBOLS)
        self.floor = stage.engine._floor
        self.now = stage.now + MINUTE_US
        self.live: list[TrackedOrder] = []
        self.position = dict.fromkeys(SYMBOLS, ZERO)
        self.paid = ZERO
        self.mark = dict.fromkeys(SYMBOLS, D(100))
        self.mid = dict.fromkeys(SYMBOLS, D(100))
        self.sent: list[tuple[int, Proposal]] = []
        self.denied: Counter[str] = Counter()
        self.fills = 0
        for symbol in SYMBOLS:
            self.floor.markets[symbol].leverage = 5
            self.move(symbol, 100.0, 100.0)

    # What happens

    def move(self, symbol: str, mark: float, mid: float) -> None:
        state = self.floor.markets[symbol]
        state.take_quote(BestQuote(symbol, mid - 0.01, 1.0, mid + 0.01, 1.0, self.now), self.now)
        state.mark, state.mark_at = MarkPrice(symbol, mark, mark, 0.0, self.now), self.now
        self.mark[symbol] = D(repr(mark))
        found = state.mid
        assert found is not None
        self.mid[symbol] = found

    def propose(self, proposal: Proposal) -> bool:
        gates = self.floor.desk.admit(MARKET, proposal, self.now)
        refused = [gate for gate in gates if not gate.passed]
        assert all(gate.needed and gate.seen for gate in gates), "every gate says its numbers"
        if refused:
            self.denied.update(gate.code for gate in refused)
            return False
        self.check(proposal)
        command = self.floor.desk.entry_command(proposal, TimeInForce.IOC, "test")
        self.live.append(self.floor.desk.send(command, self.now))
        self.sent.append((self.now, proposal))
        return True

    def fill(self, number: int, share: Decimal) -> None:
        order = self.live[number % len(self.live)]
        size = max(MARKET.round_size((order.size - order.filled) * share), MARKET.size_step)
        assert order.price is not None
        self.fills += 1
        fee = round_money(order.price * size * MARKET.taker_fee)
        fill = Fill(
            id=str(self.fills), order_id="", client_id=order.client_id, symbol=order.symbol, side=order.side,
            liquidity=Liquidity.TAKER, price=order.price, size=size, fee=fee, filled_at=self.now,
        )  # fmt: skip
        self.floor.ledger.book(BookedFill(fill=fill))
        self.floor.orders.fill(order, size, self.now, fill_key(*fill.key))
        self.position[order.symbol] += order.side.sign * size
        self.paid += order.side.sign * size * order.price + fee
        self.live = [one for one in self.live if one.live]

    def end(self, number: int, how: Happening) -> None:
        order = self.live[number % len(self.live)]
        self.floor.orders.happen(order, how, self.now)
        self.live = [one for one in self.live if one.live]

    # The second books

    @property
    def equity(self) -> Decimal:
        held = sum((size * self.mark[symbol] for symbol, size in self.position.items()), ZERO)
        return D(10_000) - self.paid + held

    def worst(self, symbol: str, proposal: Proposal) -> Decimal:
        """The largest notional that any mixture of fills may lead to."""
        ends = dict.fromkeys(Side, ZERO)
        prices = [self.mark[symbol]]
        adding = [(one.side, one.size - one.filled, one.price) for one in self.live if one.symbol == symbol]
        if proposal.symbol == symbol:
            adding.append((proposal.side, proposal.size, proposal.price))
        for side, size, price in adding:
            ends[side] += size
            prices.append(price or ZERO)
        held = self.position[symbol]
        return max(abs(held), abs(held + ends[Side.BUY]), abs(held - ends[Side.SELL])) * max(prices)

    def check(self, proposal: Proposal) -> None:
        """What was let through passes no cap."""
        notional = {symbol: self.worst(symbol, proposal) for symbol in SYMBOLS}
        total, near = sum(notional.values()), D("0.000001")
        assert proposal.size * proposal.price <= LIMITS.max_order_notional
        assert notional[proposal.symbol] <= LIMITS.max_position_notional
        assert total <= LIMITS.max_account_notional
        assert total <= self.equity * D(repr(LIMITS.max_leverage)) + near
        assert total * MARGIN_RATE <= self.equity * D(repr(LIMITS.max_margin_share)) + near
        if proposal.symbol in GROUP:
            assert notional[GROUP[0]] + notional[GROUP[1]] <= LIMITS.groups[0].max_notional
        for reference in (self.mark[proposal.symbol], self.mid[proposal.symbol]):
            assert abs(proposal.price / reference - 1) <= D("0.005")
        assert len(self.live) < LIMITS.max_open_orders
        assert sum(at > self.now - SECOND_US for at, _ in self.sent) < 3
        assert sum(at > self.now - MINUTE_US for at, _ in self.sent) < 15
        assert not any(at > self.now - SECOND_US and one == proposal for at, one in self.sent)
        assert proposal.size > ZERO
        assert proposal.size % MARKET.size_step == proposal.price % MARKET.price_tick == ZERO


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("propose"), st.sampled_from(SYMBOLS), st.sampled_from(list(Side)), st.integers(-1, 2_200),
            st.integers(-80, 80), st.booleans(),
        ),
        st.tuples(st.just("fill"), st.integers(0, 20), st.sampled_from((D("0.1"), D("0.5"), D(1)))),
        st.tuples(
            st.just("end"), st.integers(0, 20),
            st.sampled_from(
                (Happening.SHOWN_CANCELED, Happening.ANSWERED_UNKNOWN, Happening.ANSWERED_REJECTED, Happening.SHOWN_OPEN)
            ),
        ),
        st.tuples(st.just("move"), st.sampled_from(SYMBOLS), st.integers(-60, 60), st.integers(-60, 60)),
        st.tuples(st.just("wait"), st.sampled_from((1, 1_000, 300_000, SECOND_US, 20 * SECOND_US))),
    ),
    max_size=60,
)  # fmt: skip


def take(gate: Gatekeeper, step: tuple[object, ...]) -> None:
    """One step of a stream; what has no order to happen to does not happen."""
    kind, *rest = step
    if kind == "propose":
        symbol, side, hundredths, away, off_grid = rest
        assert isinstance(symbol, str)
        assert isinstance(side, Side)
        assert isinstance(hundredths, int)
        assert isinstance(away, int)
        price = MARKET.round_price(gate.mark[symbol] * (1 + D(away) / 10_000), Rounding.NEAREST)
        size = D(hundredths) / 100 + (D("0.0005") if off_grid and hundredths % 7 == 0 else ZERO)
        gate.propose(Proposal(symbol=symbol, side=side, size=size, price=price))
    elif kind == "move":
        symbol, mark, mid = rest
        assert isinstance(symbol, str)
        assert isinstance(mark, int)
        assert isinstance(mid, int)
        gate.move(symbol, 100.0 + mark / 100, 100.0 + mid / 100)
    elif kind == "wait":
        (span,) = rest
        assert isinstance(span, int)
        gate.now += span
    elif gate.live:
        number, what = rest
        assert isinstance(number, int)
        if isinstance(what, Happening):
            gate.end(number, what)
        else:
            assert isinstance(what, Decimal)
            gate.fill(number, what)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_whatever_is_asked_of_it_nothing_that_the_last_gate_lets_through_passes_a_cap(
    steps: list[tuple[object, ...]],
) -> None:
    gate = Gatekeeper()
    for step in steps:
        take(gate, step)


def test_on_the_way_every_cap_says_no_and_much_is_let_through() -> None:
    dice = Random("risk streams")
    denied: Counter[str] = Counter()
    sent = 0
    for _ in range(40):
        gate = Gatekeeper()
        for _ in range(80):
            take(gate, drawn(dice))
        denied += gate.denied
        sent += len(gate.sent)
    assert set(denied) >= CAPS
    assert sent > 200


def drawn(dice: Random) -> tuple[object, ...]:
    """A step that comes near the caps more often than an arbitrary one."""
    kind = dice.choice(("propose",) * 6 + ("fill", "fill", "end", "move", "wait"))
    if kind == "propose":
        return (kind, dice.choice(SYMBOLS), dice.choice(list(Side)), dice.choice((0, 5, 100, 700, 700, 1_900, 2_100)),
                dice.choice((0, 0, 0, 10, -10, 70)), dice.random() < 0.5)  # fmt: skip
    if kind == "fill":
        return (kind, dice.randrange(20), dice.choice((D("0.5"), D(1))))
    if kind == "end":
        return (kind, dice.randrange(20), dice.choice((Happening.SHOWN_CANCELED, Happening.ANSWERED_UNKNOWN)))
    if kind == "move":
        return (kind, dice.choice(SYMBOLS), dice.randrange(-60, 60), dice.randrange(-60, 60))
    return (kind, dice.choice((1_000, SECOND_US, 20 * SECOND_US)))


def test_a_position_in_a_market_without_a_price_yet_counts_at_what_was_paid_for_it() -> None:
    gate = Gatekeeper()
    gate.propose(Proposal(symbol=SYMBOLS[0], side=Side.BUY, size=D(10), price=D(100)))
    state = gate.floor.markets[SYMBOLS[0]]
    state.mark = state.quote = state.last_price = None
    assert gate.floor.exposure(SYMBOLS[0]).notional == D(1_000), "the order may pay its price"
    gate.fill(0, D(1))
    assert gate.floor.exposure(SYMBOLS[0]).notional == D(1_000), "and the position cost it"


def test_what_somebody_else_holds_on_the_account_counts_in_its_caps() -> None:
    gate = Gatekeeper()
    gate.floor.foreign[SYMBOLS[2]] = D(-40)
    assert not gate.propose(Proposal(symbol=SYMBOLS[0], side=Side.BUY, size=D(19), price=D(100)))
    assert set(gate.denied) == {"leverage", "margin"}
    assert gate.propose(Proposal(symbol=SYMBOLS[0], side=Side.BUY, size=D(10), price=D(100)))
