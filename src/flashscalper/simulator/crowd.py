"""How feed events move a market: background orders go through the real matching, recordings show and print."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import Side
from flashscalper.simulator.book import Resting
from flashscalper.simulator.desk import Deal, Desk
from flashscalper.simulator.facts import PublicTrade, SummaryTouched, TradePrinted
from flashscalper.simulator.feeds.base import (
    FeedEvent,
    FlowCancel,
    FlowOrder,
    FundingFixed,
    IndexMoved,
    RecordedDepth,
    RecordedQuote,
    RecordedTrade,
)
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.shown import ShownBook
from flashscalper.simulator.state import ExchangeState


class Crowd:
    """Everybody who is not an account."""

    def __init__(self, state: ExchangeState, desk: Desk) -> None:
        self._state = state
        self._desk = desk
        self._handlers: dict[type, Callable[[Any, Listing, int], None]] = {
            FlowOrder: self._order,
            FlowCancel: self._cancel,
            IndexMoved: self._index,
            FundingFixed: self._funding,
            RecordedTrade: self._trade,
            RecordedQuote: self._quote,
            RecordedDepth: self._depth,
        }

    def take(self, event: FeedEvent, now: int) -> None:
        """One feed event; a symbol that is not listed is a ConfigError."""
        self._handlers[type(event)](event, self._state.listing(event.symbol), now)

    def _order(self, event: FlowOrder, listing: Listing, now: int) -> None:
        """Match and rest, as the mode allows it: nobody trades outside OK, nobody places outside OK and post-only."""
        book, status = listing.book, self._state.status
        if status is not ExchangeStatus.OK:
            crossing = event.tick is None or book.crosses(event.side, event.tick)
            if status is not ExchangeStatus.POST_ONLY or event.taker or crossing:
                return
        order = Resting(event.id, event.side, event.tick or 0, event.lots)
        book.match(order, event.tick, None, Deal(self._desk, listing, now))
        if order.left and event.tick is not None and not event.taker:
            book.add(order)
            listing.crowd[event.id] = order
            listing.dirty = True

    def _cancel(self, event: FlowCancel, listing: Listing, now: int) -> None:  # noqa: ARG002
        order = listing.crowd.pop(event.id, None)
        if order is not None:
            listing.book.remove(order)
            listing.dirty = True

    def _index(self, event: IndexMoved, listing: Listing, now: int) -> None:
        listing.open_interest = event.open_interest
        self._moved(listing, event.mark, event.index, now)

    def _moved(self, listing: Listing, mark: Decimal, index: Decimal, now: int) -> None:
        listing.mark, listing.index = mark, index
        listing.tape.moved(float(mark), float(index), now)
        self._state.emit(SummaryTouched(listing.symbol, now))
        self._desk.run_triggers(listing, now)

    def _funding(self, event: FundingFixed, listing: Listing, now: int) -> None:
        listing.funding.fix(event.rate)
        self._state.emit(SummaryTouched(listing.symbol, now))

    def _deal(self, listing: Listing, now: int) -> Deal | None:
        """Who books fills against a recording; nobody while trading is paused."""
        return Deal(self._desk, listing, now) if self._state.status is ExchangeStatus.OK else None

    def _trade(self, event: RecordedTrade, listing: Listing, now: int) -> None:
        price, size = listing.price(event.tick), listing.size(event.lots)
        trade = PublicTrade(listing.symbol, event.id, event.side, price, size, event.traded_at)
        listing.tape.print(trade)
        self._state.emit(TradePrinted(trade))
        _shown(listing).show_trade(event, self._deal(listing, now) if event.fills else None)

    def _quote(self, event: RecordedQuote, listing: Listing, now: int) -> None:
        """A recorded quote; mark and index are its mid unless it says that they have a source of their own."""
        listing.dirty = True
        shown = _shown(listing)
        before = shown.best(Side.BUY), shown.best(Side.SELL)
        shown.show_quote(event, self._deal(listing, now))
        if event.marks and event.bid_lots and event.ask_lots and before != (event.bid, event.ask):
            mid = listing.tick * (event.bid + event.ask) / 2
            self._moved(listing, mid, mid, now)

    def _depth(self, event: RecordedDepth, listing: Listing, now: int) -> None:  # noqa: ARG002
        _shown(listing).show_depth(event)
        listing.dirty = True


def _shown(listing: Listing) -> ShownBook:
    if listing.shown is None:
        raise TypeError(f"{listing.symbol} is a matched market; recorded events go to markets named in `recorded`")
    return listing.shown
