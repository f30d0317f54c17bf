"""What a person (or the end of the run) asks for: pause, resume, flatten, stop, kill."""

from __future__ import annotations

from typing import Final

from flashscalper.model.events import OperatorAction, OperatorAsked
from flashscalper.trading.floor import Floor
from flashscalper.trading.risk import ENDING, PAUSED, Halt

END_OF_RUN: Final = "end_of_run"
FLATTEN: Final = "flatten"
KILL: Final = "kill"
STOP: Final = "stop_requested"


class Operator:
    """Carries out what people ask. `kill` is a latch that survives restarts until `resume` with the reason `clear_kill`."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._actions = {
            OperatorAction.PAUSE: self._pause,
            OperatorAction.RESUME: self._resume,
            OperatorAction.FLATTEN: self._flatten,
            OperatorAction.STOP: self._stop,
            OperatorAction.KILL: self._kill,
        }

    def on_asked(self, asked: OperatorAsked, now: int) -> None:
        """Do it and write it down."""
        self._floor.note("operator", f"{asked.action}: {asked.reason}", now)
        self._actions[asked.action](asked.reason, now)
        for symbol in self._floor.markets:
            self._floor.touch(symbol)

    def restore(self) -> None:
        """A latched kill goes on after a restart."""
        if self._floor.risk.holds(Halt.KILLED) and self._floor.settings.protection.flatten_on_kill:
            self._floor.flattening = KILL

    def settled(self) -> None:
        """A flatten is over when nothing is held; the pause that came with it stays until `resume`."""
        if self._floor.flattening == FLATTEN and not self._floor.ledger.open_symbols():
            self._floor.flattening = ""

    def _pause(self, reason: str, now: int) -> None:
        self._floor.risk.hold(PAUSED, reason, now)

    def _resume(self, reason: str, now: int) -> None:
        self._floor.risk.resume(now, reason)
        if not self._floor.risk.holds(Halt.KILLED) and self._floor.flattening in (FLATTEN, KILL):
            self._floor.flattening = ""

    def _flatten(self, reason: str, now: int) -> None:
        self._floor.risk.hold(PAUSED, f"flatten: {reason}", now)
        self._floor.flattening = FLATTEN

    def _stop(self, reason: str, now: int) -> None:
        """No entries from here on. The end of a run closes positions; otherwise the policy decides."""
        self._floor.risk.hold(ENDING, reason, now)
        if reason == END_OF_RUN:
            self._floor.flattening = END_OF_RUN
        elif self._floor.settings.protection.flatten_on_stop:
            self._floor.flattening = STOP

    def _kill(self, reason: str, now: int) -> None:
        self._floor.risk.hold(Halt.KILLED, reason, now)
        if self._floor.settings.protection.flatten_on_kill:
            self._floor.flattening = KILL
