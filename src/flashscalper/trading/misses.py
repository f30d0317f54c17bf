"""How near a market came to a trade, and how often the other fee class would have traded: what shows that an honest gate is
awake. The live view keeps it for the present day; `explain --summary` computes the same from a journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flashscalper.model.events import FeeClass
from flashscalper.model.instants import DAY_US
from flashscalper.model.records import EXPECTED_BPS, Gate, SignalJudged, needed_input
from flashscalper.trading.costs import COST_GATE

MARKET_FREE: Final = "market_free"
CLASS_GATE: Final = "fee_class"
BUSY: Final = ("position_open", "entry_in_flight", "closing")
"""Blocks of a market that has a trade already."""


def failed_gates(look: SignalJudged) -> tuple[Gate, ...]:
    """Every gate that said no."""
    return tuple(gate for gate in look.gates if not gate.passed)


def is_miss(look: SignalJudged) -> bool:
    """Whether a trade was refused. A market that is busy with one already has not missed any."""
    failed = failed_gates(look)
    busy = any(gate.code == MARKET_FREE and gate.seen.startswith(BUSY) for gate in failed)
    return look.outcome != "entered" and bool(failed) and not busy


def nearness(look: SignalJudged) -> tuple[bool, int, float, int]:
    """What is nearer sorts later: a signal before silence, fewer gates against it, more confidence, the latest."""
    return (look.direction is not None, -len(failed_gates(look)), look.confidence, look.judged_at)


def nearest_miss(looks: Iterable[SignalJudged]) -> SignalJudged | None:
    """The look that came nearest to a trade and was none."""
    return max(filter(is_miss, looks), key=nearness, default=None)


def other_class_of(look: SignalJudged) -> FeeClass:
    """The class that the run did not choose: only a Retail run has the gate that tells the next order's class."""
    return FeeClass.PRO if any(gate.code == CLASS_GATE for gate in look.gates) else FeeClass.RETAIL


def would_pass(look: SignalJudged, fee_class: FeeClass) -> bool:
    """Whether costs alone forbade the trade and those of `fee_class` would not have."""
    if look.outcome == "entered" or [gate.code for gate in failed_gates(look)] != [COST_GATE]:
        return False
    inputs = dict(look.inputs)
    expected, needed = inputs.get(EXPECTED_BPS), inputs.get(needed_input(fee_class))
    return expected is not None and needed is not None and expected >= needed


def needs_text(look: SignalJudged, *, short: bool = False) -> str:
    """`cost needs 9.6 bps (...), had 6.1 bps, and volume`: the first gate that said no and its numbers, the others by code.

    `short` leaves the arithmetic in brackets out.
    """
    first, *others = failed_gates(look)
    more = f", and {', '.join(gate.code for gate in others)}" if others else ""
    needed = first.needed.partition(" (")[0] if short else first.needed
    return f"{first.code} needs {needed}, had {first.seen}{more}"


def other_class_text(fee_class: str, passes: int, when: str = "today") -> str:
    """`; Retail would have passed 14 times today`, or nothing."""
    return f"; {fee_class.capitalize()} would have passed {passes} times {when}" if passes else ""


class Misses:
    """The misses of one market on one day (UTC). `other_passes` counts trades that only the costs of our class forbade."""

    __slots__ = ("_day", "nearest", "other_class", "other_passes")

    def __init__(self) -> None:
        self._day = 0
        self.nearest: SignalJudged | None = None
        self.other_class = FeeClass.RETAIL
        self.other_passes = 0

    def take(self, look: SignalJudged) -> None:
        """One more look at a closed kline."""
        day = look.judged_at // DAY_US
        if day != self._day:
            self._day, self.nearest, self.other_passes = day, None, 0
        if look.direction is not None:
            self.other_class = other_class_of(look)
        self.other_passes += would_pass(look, self.other_class)
        if is_miss(look) and (self.nearest is None or nearness(look) >= nearness(self.nearest)):
            self.nearest = look
