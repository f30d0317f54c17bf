"""Every hard limit at its very edge, alone, and in the words that the journal keeps of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.orders import Side
from flashscalper.model.records import Gate
from flashscalper.trading.exposure import SymbolExposure
from flashscalper.trading.limits import Proposal, Surroundings, _grid_gate, limit_gates
from flashscalper.trading.settings import CorrelatedGroup, RiskLimits
from tests.trading.stage import BTC, ETH, MARKET, D

WIDE = RiskLimits(
    max_order_notional=D(10**9), max_position_notional=D(10**9), max_account_notional=D(10**9), max_leverage=100.0,
    max_margin_share=1.0, collar_bps=50.0, max_open_orders=20,
)  # fmt: skip
LARGE = msgspec.structs.replace(
    MARKET, position_limit=D(10**6), max_order_size=D(10**6), min_notional=D(10), max_open_orders=150
)
OTHER = SymbolExposure(symbol=BTC, position=D(-3), price=D(1_000), margin_rate=D("0.1"))


def gates(size: str, price: str = "100", *, market: object = LARGE, **changed: object) -> dict[str, Gate]:
    limits = {name: changed.pop(name) for name in list(changed) if name in WIDE.__struct_fields__}
    around: dict[str, object] = {
        "exposures": {ETH: SymbolExposure(symbol=ETH, price=D(100), margin_rate=D("0.02")), BTC: OTHER}, "equity": D(10_000),
        "mark": D(100), "mid": D(100), "open_orders": 0, **changed,
    }  # fmt: skip
    proposal = Proposal(symbol=ETH, side=Side.BUY, size=D(size), price=D(price))
    found = limit_gates(
        msgspec.structs.replace(WIDE, **limits), market, proposal, Surroundings(**around)  # type: ignore[arg-type]
    )  # fmt: skip
    return {gate.code: gate for gate in found}


def denied(found: dict[str, Gate]) -> set[str]:
    return {code for code, gate in found.items() if not gate.passed}


GROUP = CorrelatedGroup(name="majors", symbols=(ETH, BTC), max_notional=D(4_000))
ELSEWHERE = CorrelatedGroup(name="alts", symbols=(BTC,), max_notional=D(1))


@pytest.mark.parametrize(
    ("code", "within", "beyond", "changed"),
    [
        ("order_notional", "10", "10.001", {"max_order_notional": D(1_000)}),
        ("order_notional", "10", "10.001", {"market": msgspec.structs.replace(LARGE, max_order_size=D(10))}),
        ("min_notional", "0.1", "0.099", {}),
        ("position_limit", "10", "10.001", {"market": msgspec.structs.replace(LARGE, position_limit=D(10))}),
        ("position_notional", "10", "10.001", {"max_position_notional": D(1_000)}),
        ("account_notional", "10", "10.001", {"max_account_notional": D(4_000)}),
        ("leverage", "10", "10.001", {"max_leverage": 0.4}),
        ("margin", "10", "10.001", {"max_margin_share": 0.032}),
        ("group_majors", "10", "10.001", {"groups": (ELSEWHERE, GROUP)}),
    ],
)
def test_a_limit_is_reached_but_not_passed(code: str, within: str, beyond: str, changed: dict[str, object]) -> None:
    assert denied(gates(within, **dict(changed))) == set()  # type: ignore[arg-type]
    assert denied(gates(beyond, **dict(changed))) == {code}  # type: ignore[arg-type]


@pytest.mark.parametrize(("price", "passes"), [("100.50", True), ("99.50", True), ("100.51", False), ("99.49", False)])
@pytest.mark.parametrize("name", ["mark", "mid"])
def test_a_price_may_lie_as_far_away_as_the_collar(name: str, price: str, passes: bool) -> None:
    other = "mid" if name == "mark" else "mark"
    assert denied(gates("1", price, **{other: D(price)})) == (set() if passes else {f"collar_{name}"})


@pytest.mark.parametrize("reference", [None, D(0), D(-1)])
def test_a_reference_that_is_no_price_denies(reference: Decimal | None) -> None:
    found = gates("1", mark=reference)
    assert denied(found) == {"collar_mark"}
    assert found["collar_mark"].seen == "no price to compare with"
    assert denied(gates("1", mark=D("0.01"), mid=D(100))) == {"collar_mark"}


@pytest.mark.parametrize(("ours", "theirs", "most"), [(20, 150, 20), (20, 7, 7)])
def test_open_orders_stay_under_the_smaller_of_both_limits(ours: int, theirs: int, most: int) -> None:
    market = msgspec.structs.replace(LARGE, max_open_orders=theirs)
    assert denied(gates("1", market=market, max_open_orders=ours, open_orders=most - 1)) == set()
    found = gates("1", market=market, max_open_orders=ours, open_orders=most)
    assert denied(found) == {"open_orders"}
    assert (found["open_orders"].needed, found["open_orders"].seen) == (f"under {most}", str(most))


@pytest.mark.parametrize(
    ("size", "price"), [("0", "100"), ("-1", "100"), ("1", "0"), ("1", "-100"), ("1.0005", "100"), ("1", "100.005"),
                        ("NaN", "100"), ("1", "NaN"), ("Infinity", "100")],
)  # fmt: skip
def test_the_grid_denies_by_itself(size: str, price: str) -> None:
    proposal = Proposal(symbol=ETH, side=Side.BUY, size=D(size), price=D(price))
    assert not _grid_gate(LARGE, proposal).passed
    assert _grid_gate(LARGE, Proposal(symbol=ETH, side=Side.BUY, size=LARGE.size_step, price=LARGE.price_tick)).passed


def test_the_words_of_every_gate() -> None:
    found = gates("10", "100.10", groups=(GROUP,), max_leverage=5.0, max_margin_share=0.8)
    step, tick = LARGE.size_step.normalize(), LARGE.price_tick.normalize()
    assert {code: (gate.needed, gate.seen) for code, gate in found.items()} == {
        "grid": (f"above 0 in steps of {step} at ticks of {tick}", "10 at 100.10"),
        "order_notional": ("at most 100100000", "1001"),
        "min_notional": ("at least 10", "1001"),
        "position_limit": ("at most 1000000", "10"),
        "position_notional": ("at most 1000000000", "1001"),
        "account_notional": ("at most 1000000000", "4001"),
        "leverage": ("at most 50000", "4001"),
        "margin": ("at most 8000", "320.02"),
        "group_majors": ("at most 4000", "4001"),
        "collar_mark": ("within 50 bps", "10.00 bps"),
        "collar_mid": ("within 50 bps", "10.00 bps"),
        "open_orders": ("under 20", "0"),
    }


def test_a_figure_without_end_is_still_said() -> None:
    assert gates("10", max_position_notional=D("1E+20"))["position_notional"].needed == "at most 1E+20"
    assert gates("10", max_position_notional=D("1E+20") - 1)["position_notional"].needed == f"at most {10**20 - 1}"


def test_what_the_gate_looked_at_cannot_be_changed_nor_taken_for_something_else() -> None:
    """Size and price are both numbers: by place instead of by name they would be mixed up one day."""
    proposal = Proposal(symbol=ETH, side=Side.BUY, size=D(1), price=D(100))
    around = Surroundings(exposures={}, equity=D(1), mark=None, mid=None, open_orders=0)
    with pytest.raises(TypeError):
        Proposal(ETH, Side.BUY, D(100), D(1))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Surroundings({}, D(1), None, None, 0)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        proposal.size = D(2)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        around.equity = D(2)  # type: ignore[misc]
