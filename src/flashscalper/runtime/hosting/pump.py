"""The market feed on its way into a simulated exchange: whoever holds the clock releases one event after the other."""

from __future__ import annotations

from flashscalper.simulator.base import ExchangeServer
from flashscalper.simulator.feeds.base import ExchangeView, Feed


class FeedPump:
    """A feed bound to the exchange that it moves: `view` is what the background participants see when they decide."""

    def __init__(self, feed: Feed, view: ExchangeView, server: ExchangeServer) -> None:
        self._feed = feed
        self._view = view
        self._server = server
        self._released = 0

    @property
    def released(self) -> int:
        """Events released so far."""
        return self._released

    def next_at(self) -> int | None:
        """When the next event happens; None after the last one."""
        return self._feed.next_at()

    def release(self, now: int) -> None:
        """Hand the next event to the exchange; its consequences are then in the server's `outgoing`."""
        self._released += 1
        self._server.feed(self._feed.pop(self._view), now)
