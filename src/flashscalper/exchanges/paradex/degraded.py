"""Degraded mode: the WebSocket is refused, REST works. Trades, quotes and marks of our markets come by REST meanwhile.

The engine opens nothing without its streams, but positions are still managed: their exits need prices, klines need trades.
Our own orders, fills and positions are read by the engine itself (`Reconcile`). Polling stops when the stream is whole
again. Every answer has the stream's own form, so it is read by the stream's own reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import responses, script_requests, wire
from flashscalper.exchanges.paradex.account_feed import ACCOUNT
from flashscalper.exchanges.paradex.link import LinkState
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.events import StreamChanged

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.account_feed import AccountFeed
    from flashscalper.exchanges.paradex.desk import Answer, Desk, Flow
    from flashscalper.exchanges.paradex.market_feed import MarketFeed
    from flashscalper.exchanges.paradex.rest import Rest

FIRST_S: Final = 1.0
"""An interruption shorter than this is left to the reconnect."""
EVERY_S: Final = 2.0
_READ_TIMEOUT_S: Final = 3.0
_CALLS_A_MARKET: Final = 3
_CALLS_A_MINUTE: Final = 750
"""Half of what the exchange allows in public calls (paradex.md section 7): with many markets the polls come slower."""


class DegradedFeed:
    """Polls while the public stream is not whole."""

    def __init__(self, desk: Desk, rest: Rest, feed: MarketFeed, account: AccountFeed) -> None:
        self._desk = desk
        self._rest = rest
        self._feed = feed
        self._account = account
        self._every_s = max(EVERY_S, 60.0 * _CALLS_A_MARKET * len(desk.market_of) / _CALLS_A_MINUTE)
        self._waiting = False
        self._reading = False
        self._told_account = False
        feed.on_lost = self.watch

    def watch(self, now: int) -> None:
        """The stream is not there (yet): poll if it stays away."""
        if not self._waiting:
            self._waiting = True
            self._desk.later(now, FIRST_S, self._poll)

    def _poll(self, now: int) -> None:
        self._waiting = not self._feed.link.ready
        if not self._waiting:
            return
        self._desk.later(now, self._every_s, self._poll)
        if not self._reading and self._feed.link.state is not LinkState.SETTING_UP:
            self._reading = True
            self._desk.run(self._read(now), now)

    def _read(self, now: int) -> Flow:
        if self._account.never_ready and not self._told_account and self._desk.settings.private:
            self._told_account = True
            self._desk.events.append(StreamChanged(ACCOUNT, ready=False, reason="no connection yet"))
        markets = list(self._desk.market_of.values())
        quotes, now = yield [self._rest.ask(script_requests.best_quote(market), _READ_TIMEOUT_S) for market in markets]
        marks, now = yield [self._rest.ask(script_requests.market_summary(market), _READ_TIMEOUT_S) for market in markets]
        for market, quote, mark in zip(markets, quotes, marks, strict=True):
            self._take(f"bbo.{market}", quote)
            self._take(f"markets_summary.{market}", _row(mark))
        yield from self._feed.catch_up(now)
        self._reading = False

    def _take(self, channel: str, answer: Answer) -> None:
        """Read an answer as the push of its channel; older than a stream that has come back, it is dropped."""
        if isinstance(answer, FlashScalperError):
            self._desk.trouble("degraded", f"{channel}: {answer}")
        elif not self._feed.link.ready:
            self._feed.take_polled(b'{"params":{"channel":"%b","data":%b}}' % (channel.encode(), answer))


def _row(answer: Answer) -> Answer:
    """The one row of a page."""
    if isinstance(answer, FlashScalperError):
        return answer
    try:
        rows = responses.decode("GET /markets/summary", wire.Page, answer).results
    except FlashScalperError as error:
        return error
    return bytes(rows[0]) if len(rows) == 1 else FlashScalperError(f"GET /markets/summary: {len(rows)} rows")
