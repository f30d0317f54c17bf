"""One market of the exchange as it stands: rules, book, tape, prices, funding."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from flashscalper.model.amounts import ZERO
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.simulator.book import Book, Resting
from flashscalper.simulator.facts import Depth, FundingPoint, MarketSummary, Quote
from flashscalper.simulator.funding import Funding
from flashscalper.simulator.matching import CentralBook
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.simulator.shown import ShownBook
from flashscalper.simulator.tape import Tape

if TYPE_CHECKING:
    from flashscalper.simulator.orders import LiveOrder

Levels = list[tuple[int, int]]
_EIGHT = Decimal("0.00000001")


class Listing:
    """Mutable state of one market. `mark` and `index` are None until the feed gave them.

    `crowd_lots` is the background participants' net position, `insurance_lots` the insurance fund's; both are counted on
    matched markets only.
    """

    def __init__(self, market: Market, rules: ExchangeRules, started_at: int, *, recorded: bool) -> None:
        self.market = market
        self.symbol = market.symbol
        self.tick = market.price_tick
        self.step = market.size_step
        self.recorded = recorded
        self.shown = ShownBook() if recorded else None
        self.book: Book = self.shown or CentralBook()
        self.tape = Tape(market.symbol, rules.trades_kept, rules.klines_kept)
        self.funding = Funding(market, started_at)
        self.max_leverage = int(1 / market.initial_margin)
        self.mark: Decimal | None = None
        self.index: Decimal | None = None
        self.open_interest = ZERO
        self.at = started_at
        self.seq_no = started_at
        self.quoted: tuple[int | None, int, int | None, int] = (None, 0, None, 0)
        self.crowd: dict[int, Resting] = {}
        self.crowd_lots = 0
        self.insurance_lots = 0
        self.untriggered: dict[str, LiveOrder] = {}
        self.dirty = False

    def touched(self) -> None:
        """The API book changed by an order of ours; a recorded book never shows them."""
        self.dirty = self.dirty or not self.recorded

    def price(self, tick: int) -> Decimal:
        """A price in ticks, exactly."""
        return self.tick * tick

    def size(self, lots: int) -> Decimal:
        """A size in lots, exactly."""
        return self.step * lots

    def ticks(self, price: Decimal) -> int | None:
        """A price as whole ticks, None when it is off the grid."""
        return _whole(price / self.tick)

    def lots(self, size: Decimal) -> int | None:
        """A size as whole lots, None when it is off the grid."""
        return _whole(size / self.step)

    def bound(self, price: Decimal, side: Side) -> int:
        """The last tick that an order of `side` may pay or take when `price` is its limit."""
        return int((price / self.tick).to_integral_value(rounding=ROUND_FLOOR if side is Side.BUY else ROUND_CEILING))

    def known_mark(self) -> Decimal:
        """The mark price; a market without one takes no orders, so it is known wherever money is counted."""
        if self.mark is None:
            raise RuntimeError(f"{self.symbol} has no mark price yet")
        return self.mark

    def top(self) -> tuple[int | None, int, int | None, int]:
        """Best bid, its lots, best ask, its lots."""
        bid, ask = self.book.best(Side.BUY), self.book.best(Side.SELL)
        bid_lots = 0 if bid is None else self.book.lots_at(Side.BUY, bid)
        return bid, bid_lots, ask, 0 if ask is None else self.book.lots_at(Side.SELL, ask)

    def mid_premium(self) -> float:
        """How far the book's mid lies from the index price, as a fraction; zero without a book."""
        bid, ask = self.book.best(Side.BUY), self.book.best(Side.SELL)
        if bid is None or ask is None or self.index is None:
            return 0.0
        return (bid + ask) / 2 * float(self.tick) / float(self.index) - 1.0

    def quote(self) -> Quote:
        """The API book's best prices."""
        return self._quote(self.book.levels(Side.BUY, 1), self.book.levels(Side.SELL, 1))

    def interactive_quote(self) -> Quote:
        """The best prices a Retail taker meets."""
        return self._quote(self.book.levels_with_rpi(Side.BUY, 1), self.book.levels_with_rpi(Side.SELL, 1))

    def _quote(self, bids: Levels, asks: Levels) -> Quote:
        return Quote(
            self.price(bids[0][0]) if bids else None,
            self.size(bids[0][1]) if bids else ZERO,
            self.price(asks[0][0]) if asks else None,
            self.size(asks[0][1]) if asks else ZERO,
            self.seq_no,
            self.at,
        )

    def depth(self, depth: int) -> Depth:
        """The API book's best levels."""
        return self._depth(self.book.levels(Side.BUY, depth), self.book.levels(Side.SELL, depth))

    def interactive_depth(self, depth: int) -> Depth:
        """The best levels with RPI orders."""
        return self._depth(self.book.levels_with_rpi(Side.BUY, depth), self.book.levels_with_rpi(Side.SELL, depth))

    def _depth(self, bids: Levels, asks: Levels) -> Depth:
        sides = [tuple((self.price(tick), self.size(lots)) for tick, lots in levels) for levels in (bids, asks)]
        return Depth(sides[0], sides[1], self.seq_no, self.at)

    def summary(self, held: Decimal, now: int) -> MarketSummary:
        """The public summary; `held` is the sum of the accounts' absolute positions."""
        volume, change = self.tape.day(now)
        last = self.tape.last
        close = self.tape.last_close
        return MarketSummary(
            symbol=self.symbol,
            mark=self.mark or ZERO,
            index=self.index or ZERO,
            last=last.price if last is not None else None if close is None else _looked_at(close),
            quote=self.quote(),
            funding_rate=self.funding.rate,
            funding_index=self.funding.index,
            open_interest=self.open_interest + held / 2,
            volume_24h=_looked_at(volume),
            total_volume=_looked_at(self.tape.total_quote),
            change_24h=_looked_at(change),
            at=now,
        )

    def funding_point(self) -> FundingPoint:
        """The funding state after the last tick."""
        funding = self.funding
        return FundingPoint(self.symbol, funding.rate, funding.premium, funding.index, funding.premium_rate, funding.at)


def _whole(count: Decimal) -> int | None:
    whole = int(count)
    return whole if whole == count else None


def _looked_at(number: float) -> Decimal:
    """A float that one only looks at, as a decimal of at most 8 places."""
    return Decimal(repr(number)).quantize(_EIGHT).normalize()
