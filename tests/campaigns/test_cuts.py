"""The WebSocket is cut at every message of a session, one connection or all of them: the same end as without it.

The message that would have come next is lost with everything behind it in that connection, as when a cable is pulled. The
market goes the same way in every run, so the klines must be those of the undisturbed one, and the position must be left for
the same reason (one whose stop could not be confirmed in time because of the cut is left as naked); everything else is the
laws' business.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from flashscalper.exchanges.base import Frame, Incoming
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.records import FillBooked, ProtectionChanged, RoundTripClosed
from flashscalper.trading.protection import ProtectionState
from tests.campaigns.scenarios import SCENARIOS, Play, Scenario
from tests.campaigns.storm import FOLDER, START

SESSIONS = [
    one
    for one in SCENARIOS
    if one.name in {"a stop that is hit", "a trailing stop", "a take-profit where untriggered stops count"}
]
KLINES = (START + 5 * SECOND_US, START + 10 * SECOND_US)
"""Klines in here are compared: whether the very first ones are whole depends on when the connection was there."""
SAMPLE = 5


class Session(Play):
    """A play in which message number `cut_at` (from 1; 0 for none) never comes, nor its connection again."""

    def __init__(self, scenario: Scenario, folder: Path, cut_at: int, *, everything: bool) -> None:
        self.messages = 0
        self.entered_with = 0
        self._cut_at = cut_at
        self._everything = everything
        super().__init__(scenario, folder)

    def _for_this_life(self, message: Incoming) -> Incoming | None:
        mine = super()._for_this_life(message)
        if not isinstance(message, Frame) or mine is None:
            return mine
        self.messages += 1
        if self.messages != self._cut_at:
            return mine
        for conn in sorted(self.wire._pipes) if self._everything else (message.conn,):
            self.note("cut", self.now)
            self.wire.cut(conn, self.now)
        return None


class End(NamedTuple):
    """What a session came to."""

    messages: int
    exits: tuple[str, ...]
    entry_filled: bool
    was_protected: bool
    klines: dict[str, list[Kline]]


def lived(scenario: Scenario, cut_at: int = 0, *, everything: bool = False) -> End:
    """The session to its end, with every law looked at."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = Session(scenario, Path(folder), cut_at, everything=everything)
        try:
            world.run()
            messages = world.messages
            world.settle()
            contents = [entry.content for entry in world.journal.entries()]
            builder = world.engine._floor.markets[world.markets[0].symbol].builder
            assert builder is not None
            klines = {
                interval: [
                    kline
                    for kline in builder.get_klines(interval)
                    if kline.open_at >= KLINES[0] and kline.close_at <= KLINES[1]
                ]
                for interval in builder.intervals
            }
        finally:
            world.journal.close()
    exits = tuple(content.exit_reason for content in contents if isinstance(content, RoundTripClosed))
    was_protected = any(
        isinstance(content, ProtectionChanged) and content.after == ProtectionState.PROTECTED for content in contents
    )
    return End(messages, exits, any(isinstance(content, FillBooked) for content in contents), was_protected, klines)


def check(scenario: Scenario, calm: End, cut_at: int, *, everything: bool) -> None:
    """One cut; what breaks says which."""
    where = f"{scenario.name!r}, {'all' if everything else 'one'} cut at message {cut_at} of {calm.messages}"
    try:
        end = lived(scenario, cut_at, everything=everything)
    except AssertionError as broken:
        raise AssertionError(f"{where}: {broken}") from broken
    assert end.klines == calm.klines, where
    wanted = calm.exits if end.was_protected else ("naked",) if end.entry_filled else ()
    assert end.exits == wanted, where


def test_a_session_cut_at_some_messages_ends_the_same() -> None:
    for scenario in SESSIONS:
        calm = lived(scenario)
        assert calm.exits
        for cut_at in range(9, calm.messages, calm.messages // SAMPLE):
            check(scenario, calm, cut_at, everything=cut_at % 2 == 0)


@pytest.mark.verify
@pytest.mark.parametrize("everything", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("scenario", SESSIONS, ids=[scenario.name for scenario in SESSIONS])
def test_a_session_cut_at_every_message_ends_the_same(scenario: Scenario, *, everything: bool) -> None:
    calm = lived(scenario)
    for cut_at in range(1, calm.messages + 1):
        check(scenario, calm, cut_at, everything=everything)
