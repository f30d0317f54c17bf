from __future__ import annotations

from decimal import Decimal

import pytest

from flashscalper.cli.outcome import ledger_matches
from flashscalper.runtime.tally import LedgerPoint, Tally
from flashscalper.simulator.facts import LedgerState

ETH = "ETHUSDT"


def _theirs(cash: str, fees: str, size: str) -> LedgerState:
    positions = ((ETH, Decimal(size), Decimal(100)),) if Decimal(size) else ()
    return LedgerState("0x1", Decimal(cash), Decimal(fees), Decimal(0), Decimal(0), positions)


def _tally(*points: LedgerPoint) -> Tally:
    tally = Tally()
    for point in points:
        tally.points.append(point)
        tally.positions[point.symbol] = point.size_after
    return tally


def _ours(key: str, cash: str, fees: str, size: str) -> LedgerPoint:
    return LedgerPoint(key, ETH, Decimal(size), Decimal(cash), Decimal(fees), Decimal(0))


LOG = [("fill:1", _theirs("9999.9", "0.1", "1")), ("fill:2", _theirs("10001.8", "0.2", "0"))]
OURS = (_ours("fill:1", "9999.9", "0.1", "1"), _ours("fill:2", "10001.8", "0.2", "0"))


def test_equal_ledgers_match_at_every_fill() -> None:
    assert ledger_matches(_tally(*OURS), LOG, LOG[-1][1])


@pytest.mark.parametrize(
    "wrong",
    [
        (OURS[0],),
        (OURS[1], OURS[0]),
        (_ours("fill:1", "9999.90000001", "0.1", "1"), OURS[1]),
        (_ours("fill:1", "9999.9", "0.10000001", "1"), OURS[1]),
        (_ours("fill:1", "9999.9", "0.1", "1.001"), OURS[1]),
        (OURS[0], _ours("fill:2", "10001.8", "0.2", "0.001")),
    ],
    ids=["a fill missing", "another order", "cash", "fees", "position between", "position at the end"],
)
def test_the_smallest_difference_at_any_fill_is_seen(wrong: tuple[LedgerPoint, ...]) -> None:
    assert not ledger_matches(_tally(*wrong), LOG, LOG[-1][1])
