"""What every part of the Paradex client shares: the outbox, the events to report, deadlines, names and settings.

It also runs flows. A flow is a generator that yields the questions it wants asked at once and gets their answers together
with the time, so that a sequence of requests reads from top to bottom although nothing ever waits:

    answers, now = yield [rest.ask(requests.system_config())]
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from flashscalper.exchanges.paradex.alarms import Alarm, Alarms
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.events import Event, Trouble
from flashscalper.model.instants import SECOND_US

if TYPE_CHECKING:
    from flashscalper.exchanges.base import Outgoing
    from flashscalper.exchanges.paradex.settings import ParadexSettings
    from flashscalper.model.dice import Dice
    from flashscalper.model.markets import Market

Answer = bytes | FlashScalperError
"""What a question got: the body of a good answer, or why there is none."""

Done = Callable[[Answer, int], None]
Ask = Callable[[int, Done], None]
"""A question: called with the time and with what to call when the answer is known (exactly once)."""

Flow = Generator[Sequence[Ask], tuple[list[Answer], int], None]
SubFlow = Generator[Sequence[Ask], tuple[list[Answer], int], int]
"""A part of a flow (`now = yield from part`); it returns the time at its end."""


class Desk:
    """Shared state of one client. Parts write `out` and `events`; the client drains them."""

    def __init__(self, settings: ParadexSettings, dice: Dice) -> None:
        self.settings = settings
        self.dice = dice
        self.out: list[Outgoing] = []
        self.events: list[Event] = []
        self.alarms = Alarms()
        self.stopped = False
        self.market_of = dict(settings.markets)
        self.symbol_of = {market: symbol for symbol, market in settings.markets}
        self.rules: dict[str, Market] = {}
        self._ids = 0

    def next_id(self) -> int:
        """A number for a request; never the same twice."""
        self._ids += 1
        return self._ids

    def trouble(self, where: str, detail: object) -> None:
        """Report something worth a log line."""
        self.events.append(Trouble(where, str(detail)))

    def later(self, now: int, delay_s: float, call: Callable[[int], None]) -> Alarm:
        """Set a deadline `delay_s` from `now`."""
        return self.alarms.at(now + int(delay_s * SECOND_US), call)

    def pause(self, delay_s: float) -> Ask:
        """A question for a flow that time answers: nothing, `delay_s` later."""
        return lambda now, done: self._pause(now, delay_s, done)

    def _pause(self, now: int, delay_s: float, done: Done) -> None:
        self.later(now, delay_s, lambda at: done(b"", at))

    def backoff_s(self, attempt: int) -> float:
        """Full jitter: uniform between 0 and the capped exponential of `attempt` (0 is the first)."""
        ceiling = min(self.settings.backoff_cap_s, self.settings.backoff_base_s * 2.0 ** min(attempt, 30))
        return self.dice.random() * ceiling

    def run(self, flow: Flow, now: int) -> None:
        """Start a flow; it goes on by itself as answers come in."""
        self._step(flow, None, now)

    def _step(self, flow: Flow, answers: list[Answer] | None, now: int) -> None:
        try:
            asks = next(flow) if answers is None else flow.send((answers, now))
        except StopIteration:
            return
        _Round(self, flow, asks, now)

    def go_on(self, flow: Flow, answers: list[Answer], now: int) -> None:
        """Hand a flow its answers; nothing happens after the client stopped."""
        if not self.stopped:
            self._step(flow, answers, now)


class _Round:
    """The questions of one yield, until the last of them is answered."""

    __slots__ = ("_answers", "_desk", "_flow", "_left")

    def __init__(self, desk: Desk, flow: Flow, asks: Sequence[Ask], now: int) -> None:
        self._desk = desk
        self._flow = flow
        self._answers: list[Answer] = [b""] * len(asks)
        self._left = len(asks)
        if not asks:
            desk.go_on(flow, [], now)
        for place, ask in enumerate(asks):
            ask(now, self._taker(place))

    def _taker(self, place: int) -> Done:
        def take(answer: Answer, now: int) -> None:
            self._answers[place] = answer
            self._left -= 1
            if self._left == 0:
                self._desk.go_on(self._flow, self._answers, now)

        return take
