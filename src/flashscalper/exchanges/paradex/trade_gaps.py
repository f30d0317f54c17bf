"""No public trade is lost: after an interruption the gap is read from REST by trade id before the stream goes on.

While a gap is being read, the trades of the stream are held back, so that the engine gets history first, then the held
trades, each once. Reads that fail are repeated with backoff for `gap_patience_s` before the gap is given up: an exchange
that has just come back is slow. Source: `GET /trades`, newest first, pages of 1,000 (paradex.md section 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.model.errors import FlashScalperError, ProtocolError, RateLimitError, TransportError
from flashscalper.model.events import TradeHistory
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.desk import Answer, Desk, Flow, SubFlow
    from flashscalper.exchanges.paradex.rest import Rest


class _Gap:
    """One market's gap while it is being read."""

    __slots__ = ("cursor", "failed_at", "failures", "found", "held", "last", "pages", "start_at")

    def __init__(self, last: Trade) -> None:
        self.last = last.id
        self.start_at = last.traded_at
        self.cursor = ""
        self.pages = 0
        self.failures = 0
        """Reads that failed in a row, the first of them at `failed_at`."""
        self.failed_at = 0
        self.found: dict[int, Trade] = {}
        self.held: dict[int, Trade] = {}


class TradeGaps:
    """The trade streams of all markets: remembers the last trade of each and fills what is missing after it."""

    def __init__(self, desk: Desk, rest: Rest) -> None:
        self._desk = desk
        self._rest = rest
        self._last: dict[str, Trade] = {}
        self._gaps: dict[str, _Gap] = {}
        self._streamed = False

    def take(self, trade: Trade) -> None:
        """A trade of the stream: report it, or hold it back while its market's gap is open."""
        gap = self._gaps.get(trade.symbol) if self._gaps else None
        if gap is None:
            last = self._last.get(trade.symbol)
            if last is None or trade.id > last.id:
                self._last[trade.symbol] = trade
            elif trade.id == last.id:
                return
            self._desk.events.append(trade)
            return
        gap.held[trade.id] = trade
        if len(gap.held) > self._desk.settings.max_held_trades:
            self._desk.trouble("trades", f"{trade.symbol}: too many trades while reading the gap")
            self._close(trade.symbol, gap, gapless=False)

    def begin(self, symbols: Iterable[str]) -> None:
        """The stream was interrupted: hold these markets' trades back from now on. Of a market that had no trade yet nobody
        can say where its gap begins: it cannot be closed, which is said at once."""
        for symbol in symbols:
            last = self._last.get(symbol)
            if last is None:
                if self._streamed:
                    self._desk.events.append(TradeHistory(symbol, (), gapless=False))
            elif symbol not in self._gaps:
                self._gaps[symbol] = _Gap(last)

    def streams(self) -> None:
        """The stream is whole: from here on every trade counts, also the first of a market."""
        self._streamed = True

    def last_ids(self) -> dict[str, int]:
        """The newest trade reported of each market."""
        return {symbol: trade.id for symbol, trade in self._last.items()}

    def drop(self) -> None:
        """The stream broke again while filling: the last reported trades still say where the gap begins."""
        self._gaps.clear()

    @property
    def longest_s(self) -> float:
        """How long a set-up may take for filling gaps: every page at its deadline, and the patience with reads that fail."""
        settings = self._desk.settings
        return settings.read_timeout_s * (settings.max_gap_pages + 2) + settings.gap_patience_s + settings.backoff_cap_s

    def fill(self, now: int) -> SubFlow:
        """Read every open gap to its beginning and report it; a gap that cannot be closed is reported as such."""
        mine = list(self._gaps.items())
        while still := [(symbol, gap) for symbol, gap in mine if self._gaps.get(symbol) is gap]:
            answers, now = yield [
                self._rest.ask(requests.trades(self._desk.market_of[symbol], gap.start_at, gap.cursor))
                for symbol, gap in still
            ]
            for (symbol, gap), answer in zip(still, answers, strict=True):
                if self._gaps.get(symbol) is gap:
                    self._take_page(symbol, gap, answer, now)
            failures = max((gap.failures for symbol, gap in mine if self._gaps.get(symbol) is gap), default=0)
            if failures:
                _, now = yield [self._desk.pause(self._desk.backoff_s(failures))]
        return now

    def catch_up(self, now: int) -> SubFlow:
        """Without a stream: report what was traded since the last trade. A read that fails is no information, the next one
        begins where this one did; while a set-up fills the gap of a market, that market is its business."""
        mine = {symbol: _Gap(last) for symbol, last in self._last.items()}
        while mine:
            asked = list(mine.items())
            answers, now = yield [
                self._rest.ask(requests.trades(self._desk.market_of[symbol], gap.start_at, gap.cursor))
                for symbol, gap in asked
            ]
            for (symbol, gap), answer in zip(asked, answers, strict=True):
                if self._over(symbol, gap, answer):
                    del mine[symbol]
        return now

    def _over(self, symbol: str, gap: _Gap, answer: Answer) -> bool:
        """Take one page of a catching up; says whether it was the last."""
        try:
            if isinstance(answer, FlashScalperError):
                raise answer
            reached, gap.cursor = self._read_page(symbol, gap, answer)
        except FlashScalperError as error:
            self._desk.trouble("trades", f"{symbol}: not caught up: {error}")
            return True
        gap.pages += 1
        if not reached and gap.cursor and gap.pages < self._desk.settings.max_gap_pages:
            return False
        if symbol not in self._gaps:
            since = self._last[symbol].id
            trades = tuple(gap.found[trade_id] for trade_id in sorted(gap.found) if trade_id > since)
            if trades or not reached:
                self._desk.events.append(TradeHistory(symbol, trades, reached))
            if trades:
                self._last[symbol] = trades[-1]
        return True

    def refill(self, now: int) -> Flow:
        """The same as a flow of its own."""
        yield from self.fill(now)

    def _take_page(self, symbol: str, gap: _Gap, answer: Answer, now: int) -> None:
        try:
            if isinstance(answer, FlashScalperError):
                raise answer
            reached, cursor = self._read_page(symbol, gap, answer)
        except FlashScalperError as error:
            self._desk.trouble("trades", f"{symbol}: the gap could not be read: {error}")
            gap.failed_at = gap.failed_at if gap.failures else now
            gap.failures += 1
            passing = isinstance(error, TransportError | RateLimitError)
            if not passing or now - gap.failed_at >= int(self._desk.settings.gap_patience_s * SECOND_US):
                self._close(symbol, gap, gapless=False)
            return
        gap.failures = 0
        gap.pages += 1
        gap.cursor = cursor
        if reached or not cursor or gap.pages >= self._desk.settings.max_gap_pages:
            self._close(symbol, gap, gapless=reached)

    def _read_page(self, symbol: str, gap: _Gap, body: bytes) -> tuple[bool, str]:
        page = responses.decode("GET /trades", wire.Page, body)
        reached = False
        for raw in page.results:
            trade = responses.trade_from(responses.decode("GET /trades", wire.TradeResult, raw), symbol)
            if trade.id <= gap.last:
                reached = True
            else:
                gap.found[trade.id] = trade
        if page.next and page.next == gap.cursor:
            raise ProtocolError("GET /trades", "the cursor does not move")
        return reached, page.next or ""

    def _close(self, symbol: str, gap: _Gap, *, gapless: bool) -> None:
        del self._gaps[symbol]
        history = tuple(gap.found[trade_id] for trade_id in sorted(gap.found))
        self._desk.events.append(TradeHistory(symbol, history, gapless))
        after = [gap.held[trade_id] for trade_id in sorted(gap.held) if trade_id > gap.last and trade_id not in gap.found]
        self._desk.events.extend(after)
        newest = max((*history[-1:], *after[-1:]), key=lambda trade: trade.id, default=None)
        if newest is not None:
            self._last[symbol] = newest
