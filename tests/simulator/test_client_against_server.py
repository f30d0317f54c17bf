"""The real client against the real simulated server, joined in memory: the same bytes as on sockets, no mock of either."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from flashscalper.exchanges.paradex.settings import BookFeed, OrderEntry
from flashscalper.exchanges.paradex.signing import CurveSigner, CurveVerifier
from flashscalper.model.commands import (
    CancelOrder,
    FetchKlines,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ResyncBook,
    SetLeverage,
)
from flashscalper.model.events import (
    AccountSnapshot,
    BalanceUpdate,
    BestQuote,
    BookChange,
    ExchangeStatus,
    ExchangeStatusChanged,
    FillBusted,
    FillReported,
    KlineHistory,
    LeverageRead,
    MarketsListed,
    MarkPrice,
    OrderFound,
    OrderUpdate,
    PositionUpdate,
    RequestOutcome,
    StreamChanged,
    TradeHistory,
    Trouble,
    Verdict,
)
from flashscalper.model.klines import Trade
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.secrets import Secret
from flashscalper.simulator.base import HttpAnswer, ServerOutgoing
from tests.simulator.joined import ACCOUNT, CHAIN, SECOND, START, Joined, price

ALL_STREAMS = ["account", "entries", "market", "protection"]


def limit(joined: Joined, away: float, **changes: Any) -> PlaceOrder:
    """A buy this many USD below the best bid."""
    bid = joined.quote().bid
    assert bid is not None
    given: dict[str, Any] = {
        "client_id": "fs-t-1",
        "symbol": "ETHUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "size": Decimal("0.1"),
        "price": price(bid - away),
        "role": OrderRole.ENTRY,
        "reason": "test",
    }
    return PlaceOrder(**{**given, **changes})


def market(side: Side, client_id: str, size: str = "0.1", *, reduce_only: bool = False) -> PlaceOrder:
    role = OrderRole.EXIT if reduce_only else OrderRole.ENTRY
    return PlaceOrder(
        client_id=client_id,
        symbol="ETHUSDT",
        side=side,
        type=OrderType.MARKET,
        size=Decimal(size),
        reduce_only=reduce_only,
        role=role,
        reason="test",
    )


def outcome(joined: Joined) -> RequestOutcome:
    """The last verdict."""
    return joined.seen(RequestOutcome)[-1]  # type: ignore[no-any-return]


def last_order(joined: Joined, client_id: str) -> Any:
    """The last state of an order that the stream told (reads carry no number)."""
    return [each.order for each in joined.seen(OrderUpdate) if each.order.client_id == client_id and each.order.seq_no][-1]


def ready(joined: Joined) -> list[str]:
    """Streams that became ready on this page."""
    return sorted(event.stream for event in joined.seen(StreamChanged) if event.ready)


@pytest.mark.parametrize("sbe", [True, False], ids=["sbe", "json"])
@pytest.mark.parametrize("book", [BookFeed.DELTAS, BookFeed.SNAPSHOT])
def test_a_client_logs_in_and_sees_the_market(sbe: bool, book: BookFeed) -> None:
    joined = Joined(sbe=sbe, book=book).start()
    joined.run(10)
    assert ready(joined) == ALL_STREAMS
    assert [each.symbol for each in joined.seen(MarketsListed)[0].markets] == ["ETHUSDT"]
    for kind in (Trade, BestQuote, BookChange, MarkPrice):
        assert len(joined.seen(kind)) > 5, kind
    assert not [each for each in joined.seen(Trouble) if "mark" not in each.detail]
    ids = [trade.id for trade in joined.seen(Trade)]
    assert ids == sorted(set(ids))


def test_json_and_sbe_tell_the_same_trades_quotes_books_and_marks() -> None:
    told = []
    for sbe in (True, False):
        joined = Joined(sbe=sbe).start()
        joined.run(10)
        told.append([joined.seen(kind) for kind in (Trade, BookChange, BestQuote)])
    for binary, text in zip(*told, strict=True):
        assert [_untimed(event) for event in binary] == [_untimed(event) for event in text]


def _untimed(event: Any) -> tuple[Any, ...]:
    """Without the instant: JSON says whole milliseconds, SBE microseconds."""
    return tuple(getattr(event, field) for field in event.__struct_fields__ if not field.endswith("_at"))


@pytest.mark.parametrize("entry", [OrderEntry.WEBSOCKET, OrderEntry.REST])
def test_an_order_rests_is_changed_and_is_cancelled(entry: OrderEntry) -> None:
    joined = Joined(order_entry=entry).start()
    joined.submit(limit(joined, 20, time_in_force=TimeInForce.POST_ONLY))
    joined.run(0.5)
    accepted = outcome(joined)
    assert accepted.verdict is Verdict.ACCEPTED
    order = last_order(joined, "fs-t-1")
    assert (order.status, order.remaining, order.order_id) == (OrderStatus.OPEN, Decimal("0.1"), accepted.order_id)

    changed = price(float(order.price) - 5)
    joined.submit(
        ModifyOrder(
            client_id="fs-t-1",
            order_id=order.order_id,
            symbol="ETHUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            size=Decimal("0.2"),
            price=changed,
            role=OrderRole.ENTRY,
            reason="test",
        )
    )
    joined.run(0.5)
    assert outcome(joined).verdict is Verdict.ACCEPTED
    order = last_order(joined, "fs-t-1")
    assert (order.price, order.size) == (changed, Decimal("0.2"))

    joined.submit(
        CancelOrder(client_id="fs-t-1", symbol="ETHUSDT", order_id=order.order_id, role=OrderRole.ENTRY, reason="test")
    )
    joined.run(0.5)
    assert outcome(joined).verdict is Verdict.ACCEPTED
    order = last_order(joined, "fs-t-1")
    assert (order.status, order.cancel_reason) == (OrderStatus.CLOSED, "USER_CANCELED")

    joined.submit(CancelOrder(client_id="fs-t-1", symbol="ETHUSDT", role=OrderRole.ENTRY, reason="test"))
    joined.run(0.5)
    assert outcome(joined).verdict is Verdict.REJECTED


@pytest.mark.parametrize("private_as_sbe", [False, True])
def test_a_fill_moves_order_position_and_balance(private_as_sbe: bool) -> None:
    joined = Joined(server={"private_as_sbe": private_as_sbe, "require_sbe": private_as_sbe}).start()
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.run(1)
    fills = [each.fill for each in joined.seen(FillReported)]
    assert sum(fill.size for fill in fills) == Decimal("0.1")
    assert all(fill.fee > 0 and fill.client_id == "fs-t-1" and fill.side is Side.BUY for fill in fills)
    assert last_order(joined, "fs-t-1").status is OrderStatus.CLOSED
    assert joined.seen(PositionUpdate)[-1].position.size == Decimal("0.1")
    assert joined.seen(BalanceUpdate)[-1].summary.account_value < Decimal(10_000)
    joined.submit(market(Side.SELL, "fs-t-2", reduce_only=True))
    joined.run(1)
    assert joined.seen(PositionUpdate)[-1].position.size == 0


def test_on_the_real_curve_login_order_and_change_are_signed_and_verified() -> None:
    signer = CurveSigner(ACCOUNT, Secret(f"{0x5EED:#x}"), CHAIN)
    joined = Joined(server={"verify_signatures": CurveVerifier(CHAIN)}, signer=signer).start()
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.submit(limit(joined, 20, client_id="fs-t-2"))
    joined.run(0.5)
    assert [each.verdict for each in joined.seen(RequestOutcome)] == [Verdict.ACCEPTED, Verdict.ACCEPTED]
    order = last_order(joined, "fs-t-2")
    joined.submit(
        ModifyOrder(
            client_id="fs-t-2",
            order_id=order.order_id,
            symbol="ETHUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            size=Decimal("0.2"),
            price=order.price,
            role=OrderRole.ENTRY,
            reason="test",
        )
    )
    joined.run(0.5)
    assert last_order(joined, "fs-t-2").size == Decimal("0.2")


def test_a_stop_rests_untriggered_and_survives_the_death_of_the_entries_socket_but_an_entry_does_not() -> None:
    joined = Joined().start()
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.run(1)
    bid = joined.quote().bid
    assert bid is not None
    joined.submit(
        PlaceOrder(
            client_id="fs-t-2",
            symbol="ETHUSDT",
            side=Side.SELL,
            type=OrderType.STOP_MARKET,
            size=Decimal("0.1"),
            trigger_price=price(bid * 0.9),
            reduce_only=True,
            role=OrderRole.STOP,
            reason="test",
        )
    )
    joined.submit(limit(joined, 30, client_id="fs-t-3"))
    joined.run(0.5)
    assert last_order(joined, "fs-t-2").status is OrderStatus.UNTRIGGERED
    joined.cut("entries")
    joined.run(3)
    joined.submit(Reconcile(fills_since=START))
    joined.run(1)
    snapshot = joined.seen(AccountSnapshot)[-1]
    assert snapshot.failed == ""
    assert [order.client_id for order in snapshot.orders] == ["fs-t-2"]
    assert [position.size for position in snapshot.positions if position.size] == [Decimal("0.1")]
    assert {fill.client_id for fill in snapshot.fills} == {"fs-t-1"}
    assert snapshot.summary is not None


def test_a_swallowed_answer_is_unknown_and_asking_finds_the_order_and_its_fills() -> None:
    joined = Joined(order_entry=OrderEntry.REST).start()
    joined.swallow = lambda answer: isinstance(answer, HttpAnswer) and answer.status == 201
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.run(4)
    joined.swallow = lambda _: False
    assert outcome(joined).verdict is Verdict.UNKNOWN
    joined.submit(QueryOrder(client_id="fs-t-1", symbol="ETHUSDT"))
    joined.submit(QueryOrder(client_id="fs-t-never", symbol="ETHUSDT"))
    joined.run(1)
    found, missing = joined.seen(OrderFound)
    assert (found.order.status, found.failed) == (OrderStatus.CLOSED, False)
    assert sum(fill.size for fill in found.fills) == Decimal("0.1")
    assert (missing.order, missing.fills, missing.failed) == (None, (), False)


def test_a_wrong_order_is_rejected_with_the_exchanges_code() -> None:
    joined = Joined().start()
    joined.submit(limit(joined, 20))
    joined.run(0.2)
    joined.submit(limit(joined, 21))
    joined.run(0.2)
    assert (outcome(joined).verdict, outcome(joined).code) == (Verdict.UNKNOWN, "DUPLICATED_CLIENT_ID")
    joined.submit(limit(joined, 20, client_id="fs-t-2", size=Decimal(5000)))
    joined.run(0.2)
    assert outcome(joined).verdict is Verdict.REJECTED
    assert outcome(joined).code


def test_tokens_are_renewed_in_time_and_nothing_is_refused() -> None:
    joined = Joined(rules_poll_s=30.0, busy_market="", book=BookFeed.NONE).start()
    refused: list[ServerOutgoing] = []

    def note(answer: ServerOutgoing) -> bool:
        if isinstance(answer, HttpAnswer) and answer.status >= 400:
            refused.append(answer)
        return False

    joined.swallow = note
    joined.run(400)
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.run(1)
    assert outcome(joined).verdict is Verdict.ACCEPTED
    asked = len([each for each in joined.requests if "/auth/" in each.url])
    assert asked == 4  # before onboarding, after it, and after 180 s and 360 s
    assert refused == []


@pytest.mark.parametrize("outage_s", [1.0, 20.0])
def test_after_an_outage_every_trade_is_told_exactly_once_and_the_streams_are_ready(outage_s: float) -> None:
    joined = Joined().start()
    joined.run(5)
    joined.unreachable = True
    for stream in ("market", "entries", "protection"):
        joined.cut(stream)
    joined.run(outage_s)
    joined.unreachable = False
    before = len(joined.events)
    joined.run(35)
    assert sorted({event.stream for event in joined.events[before:] if isinstance(event, StreamChanged)}) == ALL_STREAMS
    told: list[int] = []
    for event in joined.events:
        if isinstance(event, Trade):
            told.append(event.id)
        elif isinstance(event, TradeHistory):
            assert event.gapless
            told.extend(trade.id for trade in event.trades)
    printed = [trade.id for trade in joined.exchange.trades("ETHUSDT", START, joined.now + SECOND, 100_000)]
    assert told == sorted(set(told))
    assert set(told) == {each for each in printed if each >= told[0]}


def test_klines_come_for_every_interval_that_is_served_or_composed() -> None:
    joined = Joined().start()
    for interval in ("1m", "5m", "1h", "2h", "4h"):
        joined.submit(FetchKlines(symbol="ETHUSDT", interval=interval, count=4, until_at=joined.now))
    joined.run(1)
    histories = {each.interval: each.klines for each in joined.seen(KlineHistory)}
    assert {interval: len(klines) for interval, klines in histories.items()} == dict.fromkeys(histories, 4)
    for klines in histories.values():
        assert all(first.close_at == second.open_at for first, second in pairwise(klines))
        assert all(kline.complete and kline.close_at <= START for kline in klines)
    hours = {kline.open_at: kline for kline in histories["1h"]}
    two = histories["2h"][-1]
    parts = [hours[two.open_at], hours[two.open_at + 3_600 * SECOND]]
    assert (two.open, two.close, two.high) == (parts[0].open, parts[1].close, max(part.high for part in parts))


def test_leverage_is_set_and_read_back() -> None:
    joined = Joined().start()
    joined.submit(SetLeverage(symbol="ETHUSDT", leverage=5))
    joined.run(1)
    assert joined.seen(LeverageRead)[-1] == LeverageRead("ETHUSDT", 5, isolated=False)


def test_a_book_resync_brings_a_snapshot() -> None:
    joined = Joined().start()
    joined.run(2)
    joined.forget()
    joined.submit(ResyncBook(symbol="ETHUSDT", reason="test"))
    joined.run(2)
    changes = joined.seen(BookChange)
    assert changes[0].snapshot
    assert len(changes) > 1


def test_the_exchanges_modes_and_busts_arrive() -> None:
    joined = Joined().start()
    joined.submit(market(Side.BUY, "fs-t-1"))
    joined.run(1)
    joined.server.set_status(ExchangeStatus.CANCEL_ONLY, joined.now)
    joined.run(6)
    assert joined.seen(ExchangeStatusChanged)[-1].status is ExchangeStatus.CANCEL_ONLY
    fill = joined.seen(FillReported)[0].fill
    joined.server.bust(fill.id, joined.now)
    joined.run(1)
    assert [each.fill_id for each in joined.seen(FillBusted)] == [fill.id]


def test_after_stop_every_socket_is_closed_and_stays_closed() -> None:
    joined = Joined().start()
    joined.client.stop(joined.now)
    joined.run(60)
    assert joined.open == set()


def test_the_same_seeds_give_the_same_events() -> None:
    runs = []
    for _ in range(2):
        joined = Joined().start()
        joined.submit(market(Side.BUY, "fs-t-1"))
        joined.run(5)
        runs.append(joined.events)
    assert runs[0] == runs[1]
