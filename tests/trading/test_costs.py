"""What a round trip costs under each entry style, and the gate whose verdict is readable arithmetic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote
from flashscalper.model.positions import PositionSide
from flashscalper.trading.costs import CostEstimate, CostSettings, EntryStyle, bps, cost_gate, estimate_costs

QUOTE = BestQuote(symbol="ETHUSDT", bid=1999.8, bid_size=1.0, ask=2000.2, ask_size=1.0, quoted_at=1)
PRO = {"maker_fee": Decimal("0.00003"), "taker_fee": Decimal("0.00045")}


def estimate(rules: CostSettings | None = None, **inputs: Any) -> CostEstimate:
    """A taker round trip of the Pro class on a spread of 2 bps with half a bp of slippage a leg."""
    asked: dict[str, Any] = {"style": EntryStyle.IOC, "direction": PositionSide.LONG, "quote": QUOTE} | PRO
    return estimate_costs(rules or CostSettings(), **(asked | inputs))


def test_a_taker_round_trip_pays_two_taker_fees_one_spread_and_slippage_twice() -> None:
    costs = estimate()
    assert costs.fees == Decimal("0.0009")
    assert costs.spread == Decimal("0.0002")
    assert costs.slippage == Decimal("0.0001")
    assert costs.total == Decimal("0.0012")
    assert costs.text == "12 bps = fees 9 + spread 2 + slippage 1 + funding 0"


def test_resting_first_pays_the_maker_fee_and_half_the_spread() -> None:
    costs = estimate(style=EntryStyle.POST_ONLY)
    assert (costs.entry_fee, costs.exit_fee) == (Decimal("0.00003"), Decimal("0.00045"))
    assert (costs.spread, costs.slippage) == (Decimal("0.0001"), Decimal("0.00005"))


def test_a_top_up_is_counted_by_its_expected_share() -> None:
    costs = estimate(CostSettings(top_up_share=0.25), style=EntryStyle.POST_ONLY_THEN_IOC)
    assert costs.entry_fee == Decimal("0.25") * PRO["taker_fee"] + Decimal("0.75") * PRO["maker_fee"]
    assert costs.spread == Decimal("0.000125")


def test_the_fees_are_those_of_the_class_that_the_next_order_gets() -> None:
    retail = estimate(maker_fee=Decimal(0), taker_fee=Decimal(0))
    assert retail.fees == 0
    assert retail.total == Decimal("0.0003")


def test_drift_during_a_speed_bump_is_slippage_of_every_taker_leg() -> None:
    assert estimate(drift=Decimal("0.0001")).slippage == Decimal("0.0003")


def test_a_rebate_and_received_funding_are_not_counted_on() -> None:
    costs = estimate(style=EntryStyle.POST_ONLY, maker_fee=Decimal("-0.0001"), funding_rate=-0.01)
    assert costs.entry_fee == 0
    assert costs.funding == 0


@pytest.mark.parametrize(("direction", "rate"), [(PositionSide.LONG, 0.008), (PositionSide.SHORT, -0.008)])
def test_funding_is_paid_for_the_expected_hold_by_the_side_that_pays(direction: PositionSide, rate: float) -> None:
    costs = estimate(CostSettings(hold_s=900), direction=direction, funding_rate=rate, funding_period_hours=8)
    assert costs.funding == Decimal("0.00025")  # a quarter of an hour at 10 bps an hour


@pytest.mark.parametrize(
    "quote",
    [
        None,
        BestQuote(symbol="E", bid=None, bid_size=0, ask=2.0, ask_size=1, quoted_at=1),
        BestQuote(symbol="E", bid=3.0, bid_size=1, ask=2.0, ask_size=1, quoted_at=1),
    ],
)
def test_without_a_sound_quote_the_configured_spread_stands_in(quote: BestQuote | None) -> None:
    assert estimate(CostSettings(default_spread_bps=4), quote=quote).spread == Decimal("0.0004")


def test_the_gate_says_what_it_needed_and_what_it_had() -> None:
    gate = cost_gate(0.00061, estimate(), CostSettings(min_multiple=0.8))
    assert not gate.passed
    assert gate.code == "cost"
    assert gate.seen == "6.1 bps"
    assert gate.needed == "9.6 bps (0.8 x 12 bps = fees 9 + spread 2 + slippage 1 + funding 0)"
    assert cost_gate(0.00097, estimate(), CostSettings(min_multiple=0.8)).passed


def test_a_signal_that_expects_nothing_cannot_pass() -> None:
    gate = cost_gate(None, estimate(), CostSettings())
    assert not gate.passed
    assert gate.seen == "no expected move"


def test_in_report_only_mode_the_gate_passes_and_says_what_it_would_have_done() -> None:
    gate = cost_gate(0.0001, estimate(), CostSettings(report_only=True))
    assert gate.passed
    assert gate.needed.endswith("report only: would deny")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(EntryStyle)),
    st.sampled_from(list(PositionSide)),
    st.decimals(min_value="-0.001", max_value="0.01", places=6),
    st.decimals(min_value="-0.001", max_value="0.01", places=6),
    st.floats(-0.02, 0.02),
)
def test_no_part_of_an_estimate_is_ever_negative(
    style: EntryStyle, direction: PositionSide, maker: Decimal, taker: Decimal, rate: float
) -> None:
    costs = estimate(style=style, direction=direction, maker_fee=maker, taker_fee=taker, funding_rate=rate)
    assert min(costs.entry_fee, costs.exit_fee, costs.spread, costs.slippage, costs.funding) >= 0
    assert costs.total == costs.fees + costs.spread + costs.slippage + costs.funding


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.00096, "9.6"), (0, "0"), (Decimal("0.01"), "100"), (-0.00005, "-0.5"), (1e-9, "0")]
)
def test_basis_points_read_naturally(fraction: float, text: str) -> None:
    assert bps(fraction) == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_multiple", 0.0),
        ("slippage_bps", float("nan")),
        ("top_up_share", 1.1),
        ("hold_s", -1.0),
        ("default_spread_bps", float("inf")),
        ("report_only", 1),
    ],
)
def test_a_bad_setting_is_refused_with_its_field_value_and_range(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^costs\.{field}: saw .*; accepted: "):
        CostSettings(**{field: value}).validate()
