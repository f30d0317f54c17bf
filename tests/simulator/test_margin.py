"""Cross margin, leverage, funding and liquidation."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.events import FeeClass
from flashscalper.model.fills import FillKind
from flashscalper.model.orders import OrderStatus
from flashscalper.simulator.facts import FillMade, FundingSettled, FundingTicked, Liquidated
from flashscalper.simulator.feeds.base import FundingFixed
from flashscalper.simulator.funding import Funding
from flashscalper.simulator.ledger import Holding
from flashscalper.simulator.liquidation import share_to_cut
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.simulator.state import ExchangeState
from tests.simulator.floor import BUY, SECOND, SELL, START, TOY, Floor, toy_market


def test_initial_margin_is_the_larger_side_times_the_mark_over_leverage() -> None:
    floor = Floor().book()
    me = floor.account("me", 10_000)
    floor.order(me, BUY, 10)
    floor.order(me, BUY, 5, 990)
    floor.order(me, SELL, 12, 1010)
    summary = floor.exchange.account_summary(me)
    provision = Decimal("0.00045") * (5 * 990 + 12 * 1010)
    assert summary.initial_margin == 15 * Decimal("0.02") * 1000 + provision
    assert summary.maintenance_margin == 10 * 1000 * (Decimal("0.01") + Decimal("0.00045"))
    value = Decimal(10_000) - floor.exchange.ledger(me).fees - 10  # bought at 1001, marked at 1000
    assert summary.account_value == value
    assert summary.free_collateral == value - summary.initial_margin


def test_orders_priced_through_the_mark_provide_for_their_opening_loss() -> None:
    floor = Floor()
    me = floor.account("me", 10_000)
    floor.order(me, BUY, 10, 1040)
    expected = 10 * 1000 * Decimal("0.02") + 10 * 40 + 10 * 1040 * Decimal("0.00045")
    assert floor.exchange.account_summary(me).initial_margin == expected


def test_leverage_raises_initial_margin_and_is_bounded_by_the_market() -> None:
    floor = Floor().book()
    me = floor.account("me", 1_010)
    for wrong in (0, 51):
        refusal = floor.exchange.set_leverage(me, TOY, wrong, False, floor.now)
        assert refusal is not None
        assert refusal.code == "VALIDATION_ERROR"
    isolated = floor.exchange.set_leverage(me, TOY, 5, True, floor.now)
    assert isolated is not None
    assert isolated.code == "MARKET_MARGIN_RESTRICTED"
    assert floor.exchange.leverage(me, TOY) == 50
    assert floor.exchange.set_leverage(me, TOY, 10, False, floor.now) is None
    assert floor.order(me, BUY, 10, 1000).status is OrderStatus.OPEN
    assert floor.order(me, BUY, 1, 1000).cancel_reason == "NOT_ENOUGH_MARGIN"


def test_an_order_that_does_not_raise_the_margin_passes_without_collateral() -> None:
    floor = Floor().book(lots=100)
    me = floor.account("me", 2_100)
    floor.order(me, BUY, 100)
    floor.mark(985)
    assert floor.exchange.account_summary(me).free_collateral < 0
    assert floor.order(me, BUY, 1, 980).cancel_reason == "NOT_ENOUGH_MARGIN"
    assert floor.order(me, SELL, 100, reduce_only=True).status is OrderStatus.CLOSED
    assert floor.size(me) == 0


def test_account_value_falls_to_maintenance_margin_at_the_liquidation_price() -> None:
    floor = Floor(price_tick=Decimal("0.00000001")).book(bid=99_900_000_000, ask=100_100_000_000)
    me = floor.account("me", 1_000)
    floor.order(me, BUY, 10)
    price = floor.exchange.positions(me)[0].liquidation_price
    assert price is not None
    assert 890 < price < 920
    floor.mark(str(price))
    summary = floor.exchange.account_summary(me)
    assert abs(summary.account_value - summary.maintenance_margin) < Decimal("0.000001")


def test_no_liquidation_price_when_collateral_covers_everything() -> None:
    floor = Floor().book()
    me = floor.account("me", 1_000_000)
    floor.order(me, BUY, 10)
    assert floor.exchange.positions(me)[0].liquidation_price is None


def test_funding_check_number_of_the_protocol_page() -> None:
    """6.7: rate 0.0003, spot 60000, 60 s on 0.5 long = -0.01875 USDC."""
    funding = Funding(toy_market(), START)
    funding.fix(Decimal("0.0003"))
    for second in range(1, 61):
        funding.tick(START + second * SECOND, 0.0, Decimal(60_000), 30 * SECOND, 1800 * SECOND)
    holding = Holding(Decimal(0))
    holding.fold(Decimal("0.5"), Decimal(60_000))
    assert funding.premium == 18
    assert holding.accrued(funding.index) == Decimal("-0.01875")


def test_funding_accrues_each_second_and_not_over_gaps() -> None:
    floor = Floor().book(bid=59_999, ask=60_001)
    floor.mark(60_000)
    floor.feed(FundingFixed(TOY, Decimal("0.0003")))
    me = floor.account("me")
    floor.order(me, BUY, 1)
    for _ in range(60):
        floor.wait(1)
    assert floor.exchange.funding(TOY).premium == 18
    assert floor.exchange.funding(TOY).index == Decimal("0.0375")
    assert floor.exchange.positions(me)[0].unrealized_funding == Decimal("-0.0375")
    assert len(floor.facts(FundingTicked)) == 60
    floor.wait(3_600)
    assert floor.exchange.funding(TOY).index == Decimal("0.0375"), "a gap above 30 s accrues nothing"
    floor.order(me, SELL, 1)
    settled = floor.facts(FundingSettled)
    assert [payment.payment for payment in settled] == [Decimal("-0.0375")]
    assert floor.fills(me)[-1].funding == floor.exchange.ledger(me).funding == Decimal("-0.0375")
    assert floor.exchange.funding_payments(me) == settled


def test_a_request_in_its_speed_bump_does_not_make_a_gap_accrue() -> None:
    floor = Floor()
    floor.feed(FundingFixed(TOY, Decimal("0.0003")))
    order = floor.order(floor.account("me"), BUY, 1, 990, fee_class=FeeClass.RETAIL)
    floor.wait(3_600)
    assert floor.again(order).status is OrderStatus.OPEN
    assert floor.exchange.funding(TOY).index == 0
    assert len(floor.facts(FundingTicked)) == 1


def test_the_published_rate_follows_the_premium_by_half_every_half_life() -> None:
    floor = Floor(ExchangeRules(funding_half_life_us=10_000_000))
    floor.mark(1000)
    floor.crowd(BUY, 1009, 1)
    floor.crowd(SELL, 1011, 1)
    raw = 0.01 - 0.0005  # premium 1 %, pulled back by the clamp
    floor.wait(10)
    assert float(floor.exchange.funding(TOY).rate) == pytest.approx(0.0001 + (raw - 0.0001) / 2, abs=1e-9)


@given(st.floats(0.0, 1e6), st.floats(0.01, 1e6))
def test_the_share_to_cut_is_the_smallest_step_that_is_enough(value: float, maintenance: float) -> None:
    state = ExchangeState([toy_market()], ExchangeRules(), START, frozenset())
    worth, needed = Decimal(repr(value)), Decimal(repr(maintenance))
    share = share_to_cut(state, worth, needed)

    def enough(cut: Decimal) -> bool:
        return (1 - cut) * needed < Decimal("0.9") * (worth - cut * Decimal("0.2") * needed)

    assert share in {Decimal("0.2"), Decimal("0.4"), Decimal("0.6"), Decimal("0.8"), Decimal(1)}
    assert share == 1 or enough(share)
    assert not any(enough(Decimal(n) / 5) for n in range(1, 5) if Decimal(n) / 5 < share)


def test_liquidation_cuts_in_twenty_percent_steps_every_five_seconds() -> None:
    floor = Floor().book(lots=100)
    me = floor.account("me", 1_100)
    floor.order(me, BUY, 50)
    resting = floor.order(me, BUY, 1, 900)
    floor.mark(988)
    floor.wait(4.9)
    assert floor.size(me) == 50
    floor.wait(0.1)
    summary = floor.exchange.account_summary(me)
    assert floor.again(resting).cancel_reason == "DELEVERAGING"
    assert floor.size(me) in {40, 30, 20, 10}
    assert summary.maintenance_margin < Decimal("0.9") * summary.account_value
    fill = floor.facts(FillMade)[-1].fill
    assert (fill.kind, fill.side, int(fill.price)) == (FillKind.LIQUIDATION, SELL, 988)
    event = floor.facts(Liquidated)[-1]
    assert event.penalty == fill.fee
    assert event.share == Decimal(50 - floor.size(me)) / 50
    assert floor.exchange.liquidations(me) == (event,)
    assert summary.status == "LIQUIDATION"
    assert floor.exchange.conserved(TOY) == 0
    floor.wait(5)
    assert floor.exchange.account_summary(me).status == "ACTIVE"


def test_a_bankrupt_account_is_liquidated_whole() -> None:
    floor = Floor().book(lots=100)
    me = floor.account("me", 1_100)
    floor.order(me, SELL, 50)
    floor.mark(1_050)
    floor.wait(5)
    assert floor.size(me) == 0
    assert floor.facts(Liquidated)[-1].share == 1
