"""What counts as the nearest miss, and what the other fee class would have let through."""

from __future__ import annotations

import msgspec

from flashscalper.model.events import FeeClass, FeesLearned
from flashscalper.model.instants import DAY_US
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate, SignalJudged
from flashscalper.trading.costs import CostSettings
from flashscalper.trading.misses import Misses, nearest_miss, would_pass
from tests.trading.stage import ETH, SETTINGS, START, D, Stage, signal


def look(*failed: str, confidence: float = 50.0, at: int = START, **more: object) -> SignalJudged:
    gates = tuple(Gate(code, passed=False, needed="more", seen="less") for code in failed)
    fields: dict[str, object] = {
        "symbol": ETH, "interval": "1m", "judged_at": at, "direction": PositionSide.LONG, "score": 50.0,
        "confidence": confidence, "reasons": (), "gates": gates, "outcome": "denied" if failed else "entered",
        "denied_by": failed[0] if failed else "",
    }  # fmt: skip
    return SignalJudged(**{**fields, **more})  # type: ignore[arg-type]


def costly(**more: object) -> SignalJudged:
    inputs = (("expected_bps", 6.1), ("needed_pro_bps", 9.6), ("needed_retail_bps", 1.2))
    return look("cost", inputs=inputs, **more)  # type: ignore[arg-type]


def test_nearest_is_a_signal_before_silence_then_fewer_gates_then_more_confidence_then_the_latest() -> None:
    silent = look("score", direction=None, outcome="none", confidence=90.0)
    two = look("rsi_side", "volume", confidence=80.0)
    one = look("volume", confidence=60.0)
    surer, later = look("spread", confidence=70.0), look("spread", confidence=70.0, at=START + 1)
    assert nearest_miss([silent]) is silent
    assert nearest_miss([two, silent]) is two
    assert nearest_miss([one, two, silent]) is one
    assert nearest_miss([surer, one]) is surer
    assert nearest_miss([later, surer]) is later


def test_a_trade_and_a_market_that_is_busy_with_one_are_no_miss() -> None:
    gate = Gate("market_free", passed=False, needed="nothing in the way", seen="position_open: a position is open")
    assert nearest_miss([look(), look("x", gates=(gate,))]) is None


def test_the_other_class_would_pass_when_costs_alone_forbade_it() -> None:
    assert would_pass(costly(), FeeClass.RETAIL)
    assert not would_pass(costly(), FeeClass.PRO)
    assert not would_pass(look("cost", "volume", inputs=costly().inputs), FeeClass.RETAIL)
    assert not would_pass(look("cost"), FeeClass.RETAIL)


def test_misses_are_of_today() -> None:
    misses = Misses()
    for number in range(3):
        misses.take(costly(at=START + number))
    assert (misses.other_passes, misses.nearest) == (3, costly(at=START + 2))
    misses.take(look(at=START + DAY_US))
    assert (misses.other_passes, misses.nearest) == (0, None)


def test_the_status_says_how_often_retail_would_have_passed() -> None:
    stage = Stage(msgspec.structs.replace(SETTINGS, costs=CostSettings(min_multiple=1.0)))
    stage.tell(FeesLearned(ETH, D("0.00003"), D("0.00045"), FeeClass.PRO))
    for _ in range(2):
        stage.told[ETH].next.append(signal(expected_move=0.0006))
        stage.kline()
    market = stage.engine.status().markets[0]
    assert (market.other_class, market.other_passes) == (FeeClass.RETAIL, 2)
    assert market.nearest_miss is not None
    assert market.nearest_miss.denied_by == "cost"
