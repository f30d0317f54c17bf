"""What a person sees of `flashscalper run`: the demo's table in a terminal, one line a minute elsewhere."""

from __future__ import annotations

import sys
from math import inf
from types import TracebackType
from typing import Self

from flashscalper.cli.live_view import LiveView, PlainView, View, ViewFrame
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.session import Session


class Aside:
    """Standard error as it is at the moment: while a table is painted, rich stands there and puts lines above the table."""

    def write(self, text: str) -> int:
        """Lines for a person."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """At once."""
        sys.stderr.flush()


class RunView:
    """Shows a session. `table` paints in place on standard output; otherwise lines go to standard error, each with
    `banner`, as the lines of the log beside them."""

    def __init__(self, *, table: bool, banner: str, label: str) -> None:
        self._view: View = LiveView() if table else PlainView(sys.stderr, banner)
        self._title = f"FlashScalper {banner}" if table else "FlashScalper"
        self._label = label

    def show(self, session: Session) -> None:
        """The present moment."""
        now = session.clock.now()
        self._view.show(
            ViewFrame(
                status=session.engine.status(), elapsed_s=(now - session.started_at) / SECOND_US,
                seconds=session.plan.seconds or inf, tally=session.tally, latency=session.trader.latency,
                title=self._title, label=self._label,
            )
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._view.__exit__(kind, error, trace)
