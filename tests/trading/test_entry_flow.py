"""The life of an entry as a table: what happens to the resting order, and what is sent for it, one row each.

post -> wait -> cancel -> await its result -> take the rest, or leave it. A row is told as words; `Told` says what they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.commands import CancelOrder, PlaceOrder
from flashscalper.model.events import OperatorAction, RequestKind, RequestOutcome, Verdict
from flashscalper.model.orders import OrderRole, OrderStatus, TimeInForce
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.settings import EntrySettings
from tests.trading.stage import SETTINGS, Stage, every

TENTH = Decimal("0.1")


class Flow:
    """One entry of ten tenths, and words for what may happen to it."""

    def __init__(self, style: EntryStyle) -> None:
        entry = EntrySettings(style=style, post_wait_s=2.0, max_slippage_bps=5.0)
        self.stage = Stage(msgspec.structs.replace(SETTINGS, entry=entry))
        self.order = self.stage.enter()
        self.stage.answer(self.order)
        self.first = len(self.stage.said)
        self.filled = Decimal(0)
        if style is not EntryStyle.IOC:
            self.stage.show(self.order)

    def say(self, word: str) -> None:
        """`fill N`: N tenths more; `gone`: the order ended; `wait`; `away`: the price runs; the rest as named."""
        word, _, number = word.partition(" ")
        acts: dict[str, Callable[[], object]] = {
            "fill": lambda: self._fill(Decimal(number or 10) * TENTH),
            "gone": lambda: self._end("USER_CANCELED"),
            "crossed": lambda: self._end("POST_ONLY_WOULD_CROSS"),
            "wait": lambda: self.stage.wait(2.1),
            "quick": lambda: self.stage.wait(1.0),
            "away": lambda: self.stage.price(100.2),
            "back": lambda: self.stage.price(100.01),
            "late": lambda: self._cancel_refused("ORDER_IS_CLOSED"),
            "pause": lambda: self.stage.operator(OperatorAction.PAUSE),
        }
        acts[word]()

    def _fill(self, size: Decimal) -> None:
        size = self.stage.markets[self.order.symbol].round_size(self.order.size * size)
        self.filled += size
        for order in every(PlaceOrder, self.stage.fill(self.order, size)):
            self.stage.rest_stop(order)

    def _end(self, reason: str) -> None:
        self.stage.show(self.order, OrderStatus.CLOSED, filled=self.filled, reason=reason)

    def _cancel_refused(self, code: str) -> None:
        self.stage.tell(RequestOutcome(RequestKind.CANCEL, self.order.client_id, Verdict.REJECTED, "", code, ""))

    @property
    def sent(self) -> list[str]:
        """What went out for the entry after its first order: `cancel`, `take N` (tenths of the whole)."""
        words = []
        for output in self.stage.said[self.first :]:
            if isinstance(output, CancelOrder) and output.role is OrderRole.ENTRY:
                words.append("cancel")
            elif isinstance(output, PlaceOrder) and output.role is OrderRole.ENTRY:
                assert output.time_in_force is TimeInForce.IOC
                words.append(f"take {round(output.size / self.order.size / TENTH)}")
        return words


THEN, ONLY, AT_ONCE = EntryStyle.POST_ONLY_THEN_IOC, EntryStyle.POST_ONLY, EntryStyle.IOC

TABLE = [
    ("nothing filled: cancel, and take all of it when the cancel is known", THEN, ["wait", "gone"], ["cancel", "take 10"]),
    ("patience is not over: nothing", THEN, ["quick"], []),
    ("the cancel is not known yet: nothing is taken", THEN, ["wait", "quick"], ["cancel"]),
    ("filled in time: nothing to do", THEN, ["quick", "fill 10", "gone"], []),
    ("part filled before: the rest is taken", THEN, ["fill 4", "wait", "gone"], ["cancel", "take 6"]),
    ("part filled during the cancel: only what is missing is taken", THEN, ["wait", "fill 7", "gone"], ["cancel", "take 3"]),
    ("all filled during the cancel: nothing is taken", THEN, ["wait", "fill 10", "gone"], ["cancel"]),
    ("all filled, and the cancel comes too late", THEN, ["wait", "late", "fill 10", "gone"], ["cancel"]),
    ("filled before and during: both count", THEN, ["fill 2", "wait", "fill 3", "gone"], ["cancel", "take 5"]),
    ("the price ran away: the rest is left", THEN, ["fill 4", "wait", "away", "gone"], ["cancel"]),
    ("it ran away and came back: the rest is taken", THEN, ["wait", "away", "back", "gone"], ["cancel", "take 10"]),
    ("paused while it rested: cancel, take nothing", THEN, ["pause", "gone"], ["cancel"]),
    ("paused while it was taken back: take nothing", THEN, ["wait", "pause", "gone"], ["cancel"]),
    ("the exchange ended it at once (it would have crossed): take", THEN, ["crossed"], ["take 10"]),
    ("post only: what did not fill is left", ONLY, ["fill 4", "wait", "gone"], ["cancel"]),
    ("post only, nothing filled", ONLY, ["wait", "gone"], ["cancel"]),
    ("at once: what did not fill is left", AT_ONCE, ["fill 6", "gone"], []),
]


@pytest.mark.parametrize(("style", "happens", "sent"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_flow_of_an_entry(style: EntryStyle, happens: list[str], sent: list[str]) -> None:
    flow = Flow(style)
    for word in happens:
        flow.say(word)
    assert flow.sent == sent
    stops = [order for order in every(PlaceOrder, flow.stage.said) if order.role is OrderRole.STOP]
    assert bool(stops) is (flow.filled > 0), "a fill of the entry is protected at once, and nothing else is"
    assert flow.stage.size == flow.filled
