"""A 20-level book delta applied and the best bid and ask read: ours, ccxt.pro's book, nautilus_trader's.

Run: python -m benchmarks.book [--rounds N] [--json]
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.interleaved import Prepare, Work, arguments, compare, report

from flashscalper.market.book import OrderBook
from flashscalper.model.events import BookChange

COUNT = 2_000
DEPTH = 100
TICK = 0.01


def make_changes(count: int, seed: int = 1) -> list[BookChange]:
    """A snapshot of 100 levels a side, then deltas of 10 bids and 10 asks near a mid that wanders; 3 in 10 delete."""
    dice = random.Random(seed)
    mid = 200_000
    bids = tuple((round((mid - level) * TICK, 2), round(dice.uniform(0.1, 50), 3)) for level in range(1, DEPTH + 1))
    asks = tuple((round((mid + level) * TICK, 2), round(dice.uniform(0.1, 50), 3)) for level in range(1, DEPTH + 1))
    changes = [BookChange("ETHUSDT", 1, True, bids, asks, 0)]
    for number in range(2, count + 2):
        step = dice.choice((-1, 0, 0, 0, 1))
        mid += step
        changes.append(BookChange("ETHUSDT", number, False, *_levels(dice, mid, step), number * 50_000))
    return changes


Levels = tuple[tuple[float, float], ...]


def _levels(dice: random.Random, mid: int, step: int) -> tuple[Levels, Levels]:
    """Ten changed levels a side; the level that the mid moved over is deleted on the side that lost it."""
    sides = []
    for sign in (-1, 1):
        places = dice.sample(range(1, 41), 9 if step == -sign else 10)
        rows = [
            (mid + sign * place, 0.0 if place > 1 and dice.random() < 0.3 else dice.uniform(0.1, 50)) for place in places
        ]
        if step == -sign:
            rows.append((mid, 0.0))
        sides.append(tuple((round(tick * TICK, 2), round(size, 3)) for tick, size in rows))
    return sides[0], sides[1]


def ours(changes: Sequence[BookChange], seen: list[object]) -> Prepare:
    def prepare() -> Work:
        book = OrderBook("ETHUSDT")
        book.apply(changes[0])

        def stream() -> None:
            apply = book.apply
            for change in changes[1:]:
                apply(change)
                best = book.best_bid, book.best_ask
            seen.append(best)

        return stream

    return prepare


Texts = tuple[list[list[str]], list[list[str]]]


def texts_of(changes: Sequence[BookChange]) -> list[Texts]:
    """The deltas as exchanges send them in JSON: prices and sizes as text."""
    return [
        ([[f"{p:.2f}", f"{s:.3f}"] for p, s in one.bids], [[f"{p:.2f}", f"{s:.3f}"] for p, s in one.asks]) for one in changes
    ]


def ours_from_texts(changes: Sequence[BookChange], seen: list[object]) -> Prepare:
    texts = texts_of(changes[1:])

    def prepare() -> Work:
        book = OrderBook("ETHUSDT")
        book.apply(changes[0])

        def stream() -> None:
            apply = book.apply
            for number, (bids, asks) in enumerate(texts, 2):
                buying = tuple([(float(price), float(size)) for price, size in bids])
                selling = tuple([(float(price), float(size)) for price, size in asks])
                apply(BookChange("ETHUSDT", number, False, buying, selling, number))
                best = book.best_bid, book.best_ask
            seen.append(best)

        return stream

    return prepare


def ccxt_pro_from_texts(changes: Sequence[BookChange], seen: list[object]) -> Prepare:
    import ccxt.pro
    from ccxt.async_support.base.ws.order_book import OrderBook as CcxtBook

    exchange = ccxt.pro.binanceusdm()
    texts = texts_of(changes[1:])

    def prepare() -> Work:
        book = CcxtBook({"bids": [list(one) for one in changes[0].bids], "asks": [list(one) for one in changes[0].asks]})

        def stream() -> None:
            handle = exchange.handle_deltas
            for bids, asks in texts:
                handle(book["asks"], asks)
                handle(book["bids"], bids)
                best = book["bids"][0][0], book["asks"][0][0]
            seen.append(best)

        return stream

    return prepare


def ccxt_pro(changes: Sequence[BookChange], seen: list[object]) -> Prepare:
    from ccxt.async_support.base.ws.order_book import OrderBook as CcxtBook

    deltas = [([list(level) for level in change.bids], [list(level) for level in change.asks]) for change in changes[1:]]

    def prepare() -> Work:
        book = CcxtBook({"bids": [list(one) for one in changes[0].bids], "asks": [list(one) for one in changes[0].asks]})

        def stream() -> None:
            for bids, asks in deltas:
                store = book["bids"].storeArray
                for level in bids:
                    store(level)
                store = book["asks"].storeArray
                for level in asks:
                    store(level)
                best = book["bids"][0][0], book["asks"][0][0]
            seen.append(best)

        return stream

    return prepare


def nautilus(changes: Sequence[BookChange], seen: list[object]) -> Prepare:
    from nautilus_trader.model.book import OrderBook as NautilusBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.objects import Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    market = TestInstrumentProvider.ethusdt_perp_binance().id

    def delta(side: OrderSide, price: float, size: float, seq_no: int) -> OrderBookDelta:
        action = BookAction.UPDATE if size else BookAction.DELETE
        order = BookOrder(side, Price(price, 2), Quantity(size, 3), 0)
        return OrderBookDelta(market, action, order, 0, seq_no, seq_no, seq_no)

    batches = [
        OrderBookDeltas(
            market,
            [
                *(delta(OrderSide.BUY, price, size, change.seq_no) for price, size in change.bids),
                *(delta(OrderSide.SELL, price, size, change.seq_no) for price, size in change.asks),
            ],
        )
        for change in changes
    ]

    def prepare() -> Work:
        book = NautilusBook(market, BookType.L2_MBP)
        book.apply_deltas(batches[0])

        def stream() -> None:
            for batch in batches[1:]:
                book.apply_deltas(batch)
                best = book.best_bid_price(), book.best_ask_price()
            seen.append((float(best[0]), float(best[1])))

        return stream

    return prepare


def main() -> None:
    """Print what each takes per delta and how many times ours that is; all must end with the same best bid and ask."""
    asked = arguments(main.__doc__ or "")
    changes = make_changes(COUNT)
    seen: list[object] = []
    subjects: dict[str, Prepare] = {
        "flashscalper OrderBook": ours(changes, seen),
        "flashscalper, from texts": ours_from_texts(changes, seen),
    }
    missing = []
    for name, peer in (
        ("ccxt.pro OrderBook, given floats (storeArray)", ccxt_pro),
        ("ccxt.pro OrderBook, from texts (handle_deltas)", ccxt_pro_from_texts),
        ("nautilus_trader OrderBook, deltas made before", nautilus),
    ):
        try:
            subjects[name] = peer(changes, seen)
        except ImportError:
            missing.append(name)
    results = compare(subjects, COUNT, ours="flashscalper OrderBook", rounds=asked.rounds)
    if len(set(seen)) != 1:
        raise SystemExit(f"the books disagree: {set(seen)}")
    report("20-level delta applied, best bid and ask read", "delta", results, missing, as_json=asked.json)


if __name__ == "__main__":
    main()
