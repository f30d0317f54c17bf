"""A Retail run sees what Retail takers meet: the interactive book, its best prices as quotes, its own fees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import BestQuote, BookChange, FeeClass, FeesLearned, FillReported, RequestOutcome, Verdict
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from flashscalper.simulator.facts import NewOrder
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.joined import SECOND, Joined

ETH = "ETHUSDT"
MAKER = "0xfeed"


@pytest.fixture(params=[True, False], ids=["sbe", "json"])
def retail(request: pytest.FixtureRequest) -> Joined:
    rules = ExchangeRules(rpi_accounts=frozenset({MAKER}))
    joined = Joined(rules=rules, interactive=True, sbe=request.param).start()
    joined.exchange.open_account(MAKER, Decimal(1_000_000), joined.now)
    return joined


def improve(joined: Joined, ticks: int, side: Side = Side.BUY) -> Decimal:
    """An RPI order `ticks` above the API book's best bid."""
    bid = joined.exchange.quote(ETH).bid
    assert bid is not None
    price = bid + ticks * Decimal("0.01")
    order = NewOrder(symbol=ETH, side=side, type=OrderType.LIMIT, size=Decimal(1), price=price,
                     time_in_force=TimeInForce.RPI, signed_at=joined.now)  # fmt: skip
    joined.exchange.place(MAKER, order, joined.now)
    return price


def test_quotes_come_from_the_interactive_book_and_the_api_quote_is_not_listened_to(retail: Joined) -> None:
    channels = [str(frame["params"].get("channel")) for _, frame in retail.sent if frame["method"] == "subscribe"]
    assert "order_book.ETH-USD-PERP.interactive@15@50ms" in channels
    assert "bbo.ETH-USD-PERP" not in channels
    retail.forget()
    retail.run(3.0)
    books, quotes = retail.seen(BookChange), retail.seen(BestQuote)
    assert len(quotes) >= len(books) > 3
    assert all(book.snapshot for book in books)
    first, book = quotes[0], books[0]
    assert (first.bid, first.ask) == (max(book.bids)[0], min(book.asks)[0])


def test_an_rpi_order_is_in_the_quote(retail: Joined) -> None:
    price = improve(retail, 3)
    retail.forget()
    retail.run(0.06)
    assert float(price) in {quote.bid for quote in retail.seen(BestQuote)}


def test_a_crossed_interactive_book_is_a_crossed_quote_and_no_damage(retail: Joined) -> None:
    retail.forget()
    improve(retail, 2, Side.SELL)
    improve(retail, 4)
    retail.run(0.5)
    crossed = [quote for quote in retail.seen(BestQuote) if quote.bid and quote.ask and quote.bid >= quote.ask]
    books = [book for book in retail.seen(BookChange) if max(book.bids)[0] >= min(book.asks)[0]]
    assert books == []
    assert crossed
    assert not [frame for _, frame in retail.sent if frame["method"] == "unsubscribe"]


def test_the_fees_are_retails(retail: Joined) -> None:
    learned = retail.seen(FeesLearned)[0]
    assert (learned.maker, learned.taker, learned.fee_class) == (Decimal(0), Decimal(0), FeeClass.RETAIL)


def test_orders_beyond_retails_limits_leave_and_their_fills_say_that_they_counted_as_pro(retail: Joined) -> None:
    retail.forget()
    for number in range(6):
        side = Side.BUY if number % 2 == 0 else Side.SELL
        retail.submit(PlaceOrder(
            client_id=f"fs-a-{number}", symbol=ETH, side=side, type=OrderType.MARKET, size=Decimal("0.01"),
            reduce_only=side is Side.SELL, role=OrderRole.EXIT if side is Side.SELL else OrderRole.ENTRY, reason="test",
        ))  # fmt: skip
    retail.run(2.0)
    assert {outcome.verdict for outcome in retail.seen(RequestOutcome)} == {Verdict.ACCEPTED}
    fills = {event.fill.id: event.fill for event in retail.seen(FillReported)}
    classes = [("interactive" in fill.flags, bool(fill.fee)) for fill in fills.values()]
    assert (True, False) in classes
    assert (False, True) in classes
    assert retail.now > SECOND
