from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flashscalper.exchanges.base import HttpFailed
from flashscalper.exchanges.paradex.klines import compose
from flashscalper.model.commands import FetchKlines, QueryOrder, Reconcile, SetLeverage
from flashscalper.model.events import (
    AccountSnapshot,
    ExchangeStatus,
    ExchangeStatusChanged,
    FillBusted,
    FillReported,
    KlineHistory,
    LeverageRead,
    MarketsListed,
    OrderFound,
    Trouble,
)
from flashscalper.model.instants import HOUR_US, MINUTE_US
from flashscalper.model.klines import Kline
from tests.exchanges.paradex.bench import ETH_RULES, START, Bench, fill_json, order_json

QUERY = QueryOrder(client_id="fs-a-1", symbol="ETHUSDT")
NOT_THERE = (400, {"error": "CLIENT_ORDER_ID_NOT_FOUND", "message": "no"})


def submit(bench: Bench, command: Any, seconds: float = 0.0) -> None:
    bench.forget()
    bench.client.submit(command, bench.now)
    bench.settle()
    bench.wait(seconds)


def position_json(**changes: Any) -> dict[str, Any]:
    given = {"market": "ETH-USD-PERP", "side": "SHORT", "size": "-0.5", "status": "OPEN", "average_entry_price": "2400"}
    return {**given, "last_updated_at": START // 1000, "liquidation_price": "", **changes}


def test_a_snapshot_holds_orders_fills_positions_and_balance_of_our_markets_only() -> None:
    bench = Bench().started()
    bench.routes["/orders"] = (200, {"results": [order_json(status="OPEN"), order_json(market="DOGE-USD-PERP")]})
    bench.routes["/positions"] = (200, {"results": [position_json(), position_json(market="DOGE-USD-PERP")]})
    bench.routes["/fills"] = (200, {"results": [fill_json(), fill_json(market="DOGE-USD-PERP", id="f9")]})
    submit(bench, Reconcile(fills_since=START))
    (snapshot,) = bench.seen(AccountSnapshot)
    assert snapshot.failed == ""
    assert snapshot.asked_at == START
    assert [order.seq_no for order in snapshot.orders] == [0]
    assert [position.size for position in snapshot.positions] == [Decimal("-0.5")]
    assert [fill.id for fill in snapshot.fills] == ["f1"]


def test_a_fill_that_was_taken_back_while_nobody_listened_is_told_before_the_snapshot() -> None:
    bench = Bench().started()
    bench.routes["/tradebusts"] = (200, {"results": [{"account": "0x1", "busted_fill_id": "f7", "created_at": 5}]})
    submit(bench, Reconcile(fills_since=START))
    told = [event for event in bench.events if isinstance(event, FillBusted | AccountSnapshot)]
    assert told[0] == FillBusted("f7", 5_000)
    assert isinstance(told[1], AccountSnapshot)
    assert not told[1].failed


@pytest.mark.parametrize("path", ["/orders", "/fills", "/positions", "/account", "/tradebusts"])
@pytest.mark.parametrize(
    "answer",
    [
        (503, b"<html>"),
        (200, b"<html>"),
        (200, b'{"results":[{"id":1}]}'),
        (400, {"error": "VALIDATION_ERROR", "message": "no"}),
        HttpFailed(0, sent=True, reason="reset"),
        None,
    ],
    ids=["5xx", "html", "wrong", "refused", "reset", "silent"],
)
def test_one_failed_read_makes_the_snapshot_no_information(path: str, answer: Any) -> None:
    bench = Bench(dead_feed_s=1e6).started()
    account = bench.routes["/account/margin"]
    bench.routes[path] = answer
    bench.routes["/account/margin"] = account
    submit(bench, Reconcile(fills_since=0), 11)
    (snapshot,) = bench.seen(AccountSnapshot)
    assert snapshot.failed
    assert (snapshot.orders, snapshot.fills, snapshot.positions, snapshot.summary) == ((), (), (), None)


def test_a_read_is_repeated_after_a_lost_answer() -> None:
    bench = Bench().started()
    answers: list[Any] = [HttpFailed(0, sent=True, reason="reset"), (502, b""), (200, {"results": []})]
    bench.routes["/positions"] = lambda request: answers.pop(0)
    submit(bench, Reconcile(fills_since=0), 3)
    assert bench.seen(AccountSnapshot)[0].failed == ""
    assert answers == []


def test_a_429_on_a_read_waits_for_its_retry_after() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    answers: list[Any] = [(429, b"", {"retry-after": "4"}), (200, {"results": []})]
    bench.routes["/positions"] = lambda request: answers.pop(0)
    submit(bench, Reconcile(fills_since=0))
    bench.wait(3.9)
    assert len(answers) == 1
    bench.wait(1.1)
    assert bench.seen(AccountSnapshot)[0].failed == ""


def test_fills_are_read_over_all_pages_each_once_oldest_first() -> None:
    bench = Bench().started()
    pages = {
        "": {"results": [fill_json(id="f3", created_at=3), fill_json(id="f2", created_at=2)], "next": "c1"},
        "c1": {"results": [fill_json(id="f2", created_at=2), fill_json(id="f1", created_at=1)], "next": None},
    }
    bench.routes["/fills"] = lambda request: (200, pages[parse_qs(urlsplit(request.url).query).get("cursor", [""])[0]])
    submit(bench, Reconcile(fills_since=0))
    assert [fill.id for fill in bench.seen(AccountSnapshot)[0].fills] == ["f1", "f2", "f3"]


def test_an_open_order_is_found_with_its_fills() -> None:
    bench = Bench().started()
    bench.routes["/orders/by_client_id"] = (200, order_json(status="OPEN"))
    bench.routes["/fills"] = (200, {"results": [fill_json(), fill_json(id="x", client_id="other", order_id="other")]})
    submit(bench, QUERY)
    (found,) = bench.seen(OrderFound)
    assert found.order is not None
    assert [fill.id for fill in found.fills] == ["f1"]
    assert not found.failed


def test_a_closed_order_is_found_in_the_history() -> None:
    bench = Bench().started()
    bench.routes["/orders/by_client_id"] = NOT_THERE
    rows = [order_json(client_id="fs-a-10", status="CLOSED"), order_json(status="CLOSED", remaining_size="0")]
    bench.routes["/orders-history"] = (200, {"results": rows})
    submit(bench, QUERY)
    (found,) = bench.seen(OrderFound)
    assert found.order.client_id == "fs-a-1"
    assert found.order.filled == Decimal("0.5")


def test_no_in_open_orders_and_history_is_one_clean_negative_read() -> None:
    bench = Bench().started()
    bench.routes["/orders/by_client_id"] = NOT_THERE
    bench.routes["/orders-history"] = (200, {"results": []})
    submit(bench, QUERY)
    assert bench.seen(OrderFound) == [OrderFound("fs-a-1", None)]


def test_fills_of_an_order_that_no_list_shows_are_told_and_the_read_is_no_information() -> None:
    bench = Bench().started()
    bench.routes["/orders/by_client_id"] = NOT_THERE
    bench.routes["/orders-history"] = (200, {"results": []})
    bench.routes["/fills"] = (200, {"results": [fill_json()]})
    submit(bench, QUERY)
    (found,) = bench.seen(OrderFound)
    assert found.failed
    assert len(bench.seen(FillReported)) == 1


@pytest.mark.parametrize("path", ["/orders/by_client_id", "/orders-history", "/fills"])
@pytest.mark.parametrize("answer", [(500, b""), (400, {"error": "INTERNAL_ERROR", "message": ""}), (200, b"[]"), None])
def test_a_failed_query_is_no_information(path: str, answer: Any) -> None:
    bench = Bench(dead_feed_s=1e6).started()
    bench.routes["/orders/by_client_id"] = NOT_THERE
    bench.routes["/orders-history"] = (200, {"results": []})
    bench.routes[path] = answer
    submit(bench, QUERY, 11)
    assert bench.seen(OrderFound) == [OrderFound("fs-a-1", None, failed=True)]


def test_an_answer_about_another_order_is_no_information() -> None:
    bench = Bench().started()
    bench.routes["/orders/by_client_id"] = (200, order_json(client_id="other"))
    submit(bench, QUERY)
    assert bench.seen(OrderFound) == [OrderFound("fs-a-1", None, failed=True)]


# ---- klines ----


def kline_route(bench: Bench) -> list[dict[str, list[str]]]:
    """Flat klines of price 100 + minute, for whatever window is asked; keeps the queries."""
    queries: list[dict[str, list[str]]] = []

    def answer(request: Any) -> tuple[int, Any]:
        query = parse_qs(urlsplit(request.url).query)
        queries.append(query)
        step = int(query["resolution"][0]) * 60_000
        first, last = int(query["start_at"][0]), int(query["end_at"][0])
        opens = range(first - first % step, last + 1, step)
        return 200, {"results": [[at, 100.0, 101.5, 99.5, 100.5, 2.0] for at in opens]}

    bench.routes["/markets/klines"] = answer
    return queries


@pytest.mark.parametrize(
    ("interval", "resolution", "count"), [("1m", "1", 1440), ("3m", "3", 20), ("15m", "15", 7), ("1h", "60", 2500)]
)
def test_klines_are_asked_for_in_windows_of_at_most_a_thousand(interval: str, resolution: str, count: int) -> None:
    bench = Bench(dead_feed_s=1e6).started()
    queries = kline_route(bench)
    until = START + 90_000_000
    submit(bench, FetchKlines(symbol="ETHUSDT", interval=interval, count=count, until_at=until))
    (history,) = bench.seen(KlineHistory)
    assert len(history.klines) == count
    assert all(kline.close_at <= until and kline.closed and kline.complete for kline in history.klines)
    assert {query["resolution"][0] for query in queries} == {resolution}
    step = int(resolution) * 60_000
    assert all((int(q["end_at"][0]) - int(q["start_at"][0])) // step < 1000 for q in queries)


@pytest.mark.parametrize(("interval", "hours"), [("2h", 2), ("4h", 4), ("1d", 24)])
def test_longer_klines_are_composed_of_hours(interval: str, hours: int) -> None:
    bench = Bench(dead_feed_s=1e6).started()
    kline_route(bench)
    submit(bench, FetchKlines(symbol="ETHUSDT", interval=interval, count=3, until_at=START))
    (history,) = bench.seen(KlineHistory)
    assert [kline.volume for kline in history.klines] == [2.0 * hours] * 3
    assert history.klines[-1].close_at == START - START % (hours * HOUR_US)


def test_a_composed_kline_with_a_missing_part_is_not_complete() -> None:
    parts = [Kline("ETHUSDT", "2h", at, at + HOUR_US, 1, 2, 1, 1, 1) for at in (0, HOUR_US, 3 * HOUR_US)]
    first, second = compose(parts, "2h", 2)
    assert (first.complete, second.complete) == (True, False)
    assert second.open_at == 2 * HOUR_US


@pytest.mark.parametrize(("interval", "symbol"), [("5s", "ETHUSDT"), ("7m", "ETHUSDT"), ("1m", "DOGEUSDT")])
def test_what_is_not_served_is_named_and_the_history_is_empty(interval: str, symbol: str) -> None:
    bench = Bench().started()
    submit(bench, FetchKlines(symbol=symbol, interval=interval, count=3, until_at=START))
    assert bench.seen(KlineHistory) == [KlineHistory(symbol, interval, ())]
    assert "accepted" in bench.seen(Trouble)[0].detail


@pytest.mark.parametrize(
    "row",
    [[0, 1, 2, 3, 1, 1], [0, 1, 2, 0, 1, 1], [0, 1, 1, 1, 2, 1], [0, 1, 1, 1, 1, -1], [0, 1, 1, 1, 1], ["x", 1, 1, 1, 1, 1]],
)
def test_an_impossible_kline_is_refused(row: list[Any]) -> None:
    bench = Bench().started()
    bench.routes["/markets/klines"] = (200, {"results": [row]})
    submit(bench, FetchKlines(symbol="ETHUSDT", interval="1m", count=1, until_at=MINUTE_US))
    assert bench.seen(KlineHistory) == [KlineHistory("ETHUSDT", "1m", ())]
    assert len(bench.seen(Trouble)) == 1


# ---- rules ----


def test_a_changed_tick_size_is_told_and_used() -> None:
    bench = Bench(rules_poll_s=60.0, dead_feed_s=1e6).started()
    bench.forget()
    bench.wait(61)
    assert bench.seen(MarketsListed) == []
    bench.routes["/markets"] = (200, {"results": [{**ETH_RULES, "price_tick_size": "0.05"}]})
    bench.wait(60)
    assert bench.seen(MarketsListed)[0].markets[0].price_tick == Decimal("0.05")


def test_a_status_that_cannot_be_read_twice_counts_as_closed_until_it_is_read_again() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    bench.forget()
    bench.routes["/system/state"] = (500, b"")
    bench.wait(5.5)
    assert bench.seen(ExchangeStatusChanged) == []
    bench.wait(10)
    assert bench.seen(ExchangeStatusChanged) == [ExchangeStatusChanged(ExchangeStatus.MAINTENANCE)]
    bench.routes["/system/state"] = (200, {"status": "post_only"})
    bench.wait(6)
    assert bench.seen(ExchangeStatusChanged)[-1].status is ExchangeStatus.POST_ONLY


def test_an_unknown_status_word_counts_as_closed() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    bench.routes["/system/state"] = (200, {"status": "partying"})
    bench.wait(11)
    assert bench.seen(ExchangeStatusChanged)[-1].status is ExchangeStatus.MAINTENANCE


def test_leverage_is_set_and_read_back_even_when_setting_was_refused() -> None:
    bench = Bench().started()
    submit(bench, SetLeverage(symbol="ETHUSDT", leverage=7))
    assert bench.asked("POST", "/account/margin/ETH-USD-PERP")[0].body == b'{"leverage":7,"margin_type":"CROSS"}'
    assert bench.seen(LeverageRead) == [LeverageRead("ETHUSDT", 10, isolated=False)]
    submit(bench, SetLeverage(symbol="ETHUSDT", leverage=0))
    assert bench.requests == []
    assert bench.seen(Trouble)
