"""Books grouped by a coarser price tick, and the average price of eating into one."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.simulator.facts import Depth

Side = tuple[tuple[Decimal, Decimal], ...]


def grouped(book: Depth, tick: Decimal, depth: int) -> Depth:
    """The book with its levels summed on multiples of `tick`: bids down, asks up; the best `depth` of them."""
    bids = _grouped_side(book.bids, tick, ROUND_FLOOR)[:depth]
    asks = _grouped_side(book.asks, tick, ROUND_CEILING)[:depth]
    return Depth(bids, asks, book.seq_no, book.at)


def _grouped_side(side: Side, tick: Decimal, rounding: str) -> Side:
    sums: dict[Decimal, Decimal] = {}
    for price, size in side:
        level = (price / tick).to_integral_value(rounding=rounding) * tick
        sums[level] = sums.get(level, ZERO) + size
    return tuple(sums.items())


def impact(levels: Side, size: Decimal) -> Decimal | None:
    """Average price of taking `size` from the levels, to 8 decimals; None when they do not hold it."""
    left, paid = size, ZERO
    for price, shown in levels:
        taken = min(left, shown)
        paid += taken * price
        left -= taken
        if left == ZERO:
            return (paid / size).quantize(Decimal("0.00000001"))
    return None
