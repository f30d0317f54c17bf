"""The fold over fills: worked examples by hand, laws by hypothesis, busts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.fills import FillKind
from flashscalper.simulator.facts import FillBusted, Refusal
from flashscalper.simulator.ledger import Holding, Ledger
from tests.simulator.floor import BUY, SELL, TOY, Floor

FILLS = st.lists(
    st.tuples(
        st.integers(-50, 50).filter(bool).map(lambda lots: Decimal(lots) / 10),
        st.integers(1, 100_000).map(lambda ticks: Decimal(ticks) / 100),
        st.integers(0, 10_000).map(lambda units: Decimal(units) / 10_000),
    ),
    max_size=30,
)


def booked(fills: list[tuple[Decimal, Decimal, Decimal]]) -> Ledger:
    ledger = Ledger("me", Decimal(1000))
    for number, (size, price, fee) in enumerate(fills):
        ledger.book(str(number), TOY, size=size, price=price, fee=fee, funding_index=ZERO, now=number)
    return ledger


@pytest.mark.parametrize(
    ("fills", "pnl", "size", "cost"),
    [
        ([("1", "100"), ("-1", "110")], "10", "0", "0"),
        ([("-1", "100"), ("1", "110")], "-10", "0", "0"),
        ([("1", "100"), ("1", "103"), ("-1", "103")], "1.5", "1", "101.5"),
        ([("3", "100"), ("-1", "100.1"), ("-1", "100.1"), ("-1", "100.1")], "0.3", "0", "0"),
        ([("2", "100"), ("-5", "110")], "20", "-3", "330"),
        (
            [("0.3", "100"), ("0.3", "100.01"), ("0.1", "99"), ("-0.2", "101")],
            "0.22771429",
            "0.5",
            "49.93071428571428571428571429",
        ),
    ],
)
def test_positions_are_signed_sizes_with_a_cost(fills: list[tuple[str, str]], pnl: str, size: str, cost: str) -> None:
    holding = Holding(ZERO)
    total = sum((holding.fold(Decimal(size), Decimal(price)) for size, price in fills), ZERO)
    assert (total, holding.size, holding.cost) == (Decimal(pnl), Decimal(size), Decimal(cost))


def test_realised_pnl_is_rounded_half_even_to_eight_decimals() -> None:
    holding = Holding(ZERO)
    holding.fold(Decimal(3), Decimal("0.00000001"))
    holding.fold(Decimal(3), Decimal("0.00000002"))
    assert holding.fold(Decimal(-1), Decimal("0.00000003")) == Decimal("0.00000002")  # 1.5e-8 to even


@given(FILLS)
def test_cash_is_start_plus_pnl_plus_funding_less_fees(fills: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    state = booked(fills).state()
    assert state.cash == Decimal(1000) + state.realized_pnl + state.funding - state.fees
    assert state.fees == sum((fee for _, _, fee in fills), ZERO)


@given(FILLS)
def test_nothing_is_lost_between_cash_and_cost(fills: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    """Realised PnL plus what is open at cost equals the money that changed hands, up to one rounding a fill."""
    ledger = booked(fills)
    holding = ledger.holdings.get(TOY)
    spent = sum((Fraction(size) * Fraction(price) for size, price, _ in fills), Fraction(0))
    signed_cost = Fraction(0) if holding is None else Fraction(holding.cost) * (1 if holding.size > 0 else -1)
    assert abs(Fraction(ledger.realized_pnl) - (signed_cost - spent)) <= Fraction(len(fills) + 1, 10**8)
    if holding is not None:
        assert holding.size == sum((size for size, _, _ in fills), ZERO)
        assert holding.cost >= 0
        assert (holding.cost == 0) is (holding.size == 0)


@given(FILLS.filter(bool), st.data())
def test_a_bust_leaves_the_fold_over_the_other_fills(
    fills: list[tuple[Decimal, Decimal, Decimal]], data: st.DataObject
) -> None:
    victim = data.draw(st.integers(0, len(fills) - 1))
    ledger = booked(fills)
    assert ledger.bust(str(victim)) is not None
    assert ledger.bust(str(victim)) is None
    assert ledger.state() == booked(fills[:victim] + fills[victim + 1 :]).state()


def test_funding_is_realised_at_every_change_of_the_position() -> None:
    ledger = Ledger("me", ZERO)

    def fill(number: int, size: int, index: str) -> Decimal:
        booking = ledger.book(
            str(number), TOY, size=Decimal(size), price=Decimal(1), fee=ZERO, funding_index=Decimal(index), now=number
        )
        return booking.funding

    assert fill(1, 2, "5") == 0  # the first fill starts at the index of its moment
    assert fill(2, 1, "5.25") == Decimal("-0.5")
    assert fill(3, -4, "5") == Decimal("0.75")  # a falling index pays longs
    assert fill(4, 1, "6") == Decimal(1)  # a rising one pays shorts
    assert ledger.funding == Decimal("1.25")


def test_a_busted_fill_moves_the_ledger_back_and_is_logged() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    before = floor.exchange.ledger(me)
    floor.order(me, BUY, 3)
    fill = floor.fills(me)[-1]
    assert floor.exchange.bust(fill.id, floor.now) is None
    floor.all_facts += floor.exchange.drain()
    assert floor.exchange.ledger(me) == before
    assert floor.facts(FillBusted) == [FillBusted(me, fill.id, FillKind.FILL, TOY, floor.now)]
    assert floor.exchange.busted(me) == ((fill.id, floor.now),)
    assert [key for key, _ in floor.exchange.ledger_log(me)][-2:] == [fill.key, f"bust:{fill.id}"]
    assert floor.exchange.conserved(TOY) == 0
    assert isinstance(floor.exchange.bust(fill.id, floor.now), Refusal)


def test_the_ledger_log_holds_the_state_right_after_every_fill() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 15)
    floor.order(me, SELL, 4)
    log = floor.exchange.ledger_log(me)
    assert [key for key, _ in log] == [fill.key for fill in floor.fills(me)]
    assert [[int(size) for _, size, _ in state.positions] for _, state in log] == [[10], [15], [11]]
    assert log[-1][1] == floor.exchange.ledger(me)


def test_fees_follow_liquidity_and_are_rounded_once() -> None:
    floor = Floor(price_tick=Decimal("0.01"))
    me = floor.account("me")
    floor.crowd(SELL, 100_003, 1)
    floor.order(me, BUY, 1)
    taker = floor.fills(me)[0]
    assert taker.fee == round_money(Decimal("1000.03") * Decimal("0.00045"))
    floor.order(me, SELL, 1, 1002)
    floor.crowd(BUY, 100_200, 1, taker=True)
    assert floor.fills(me)[1].fee == Decimal(1002) * Decimal("0.00003")
    assert floor.exchange.ledger(me).fees == taker.fee + Decimal("0.03006")


def test_closing_releases_the_whole_cost_whatever_division_left_behind() -> None:
    holding = Holding(ZERO)
    for size, price in (("0.7", "84.3"), ("0.1", "64"), ("0.4", "88.2"), ("-0.8", "80")):
        holding.fold(Decimal(size), Decimal(price))
    held = holding.size
    assert holding.cost * held / held != holding.cost, "the example must be one where dividing back is not exact"
    holding.fold(-held, Decimal(80))
    assert holding.size == holding.cost == 0


def test_a_busted_fill_gives_its_funding_back() -> None:
    ledger = Ledger("me", ZERO)
    for number, index in enumerate(("0", "1")):
        ledger.book(str(number), TOY, size=Decimal(2), price=Decimal(1), fee=ZERO, funding_index=Decimal(index), now=number)
    assert ledger.holdings[TOY].funding == ledger.funding == ledger.cash == -2
    ledger.bust("1")
    assert ledger.holdings[TOY].funding == ledger.funding == ledger.cash == 0
