from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flashscalper.exchanges.base import Frame, SocketOpened
from flashscalper.model.commands import ResyncBook
from flashscalper.model.events import (
    BestQuote,
    BookChange,
    FillBusted,
    FillReported,
    MarkPrice,
    OrderUpdate,
    StreamChanged,
    TradeHistory,
    Trouble,
)
from flashscalper.model.klines import Trade
from tests.exchanges.paradex.bench import START, Bench, fill_json, order_json, push, trade_json, trade_push

FOR_EVER = 1e6
BOOK = "order_book.ETH-USD-PERP.deltas@15@50ms"


def book_push(seq: int, kind: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> bytes:
    levels = [{"side": "BUY", "price": p, "size": s} for p, s in bids]
    levels += [{"side": "SELL", "price": p, "size": s} for p, s in asks]
    data = {
        "market": "ETH-USD-PERP",
        "seq_no": seq,
        "last_updated_at": START // 1000,
        "update_type": kind,
        "inserts": levels,
        "updates": [],
        "deletes": [],
    }
    return push(BOOK, data)


def streams(bench: Bench) -> list[tuple[str, bool]]:
    return [(event.stream, event.ready) for event in bench.seen(StreamChanged)]


def test_all_streams_become_ready_and_cancel_on_disconnect_is_armed_before_that() -> None:
    bench = Bench().started()
    assert sorted(streams(bench)) == [("account", True), ("entries", True), ("market", True), ("protection", True)]
    methods = [message["method"] for conn, message in bench.frames if conn == bench.conn("entries")]
    assert methods[:2] == ["auth", "order.cancel_on_disconnect"]
    assert "order.cancel_on_disconnect" not in [m["method"] for c, m in bench.frames if c == bench.conn("protection")]


def test_nothing_is_ready_before_the_last_acknowledgement() -> None:
    bench = Bench()
    bench.answer_rpc = False
    bench.started()
    market = bench.conn("market")
    waiting = [message for conn, message in bench.frames if conn == market]
    for message in waiting[:-1]:
        bench.reply(market, message)
    assert streams(bench) == []
    bench.reply(market, waiting[-1])
    assert streams(bench) == [("market", True)]


def test_market_frames_become_events() -> None:
    bench = Bench().started()
    assert bench.frame("market", trade_push(9)) == [Trade("ETHUSDT", 9, "buy", 2400.5, 0.25, START)]  # type: ignore[arg-type]
    quote = {"market": "ETH-USD-PERP", "bid": "1.5", "bid_size": "2", "ask": "", "ask_size": "", "seq_no": 4}
    (event,) = bench.frame("market", push("bbo.ETH-USD-PERP", {**quote, "last_updated_at": START // 1000}))
    assert event == BestQuote("ETHUSDT", 1.5, 2.0, None, 0.0, START, 4)
    summary = {
        "symbol": "ETH-USD-PERP",
        "mark_price": "2400.1",
        "underlying_price": "2399",
        "funding_rate": "0.0001",
        "created_at": START // 1000,
        "last_traded_price": "",
        "open_interest": "7",
        "new_field": {"ignored": True},
    }
    (event,) = bench.frame("market", push("markets_summary.ETH-USD-PERP", summary))
    assert event == MarkPrice("ETHUSDT", 2400.1, 2399.0, 0.0001, START, None, 7.0)


def test_spaces_and_another_order_of_fields_make_no_difference() -> None:
    bench = Bench().started()
    message = {"params": {"data": trade_json(9), "channel": "trades.ETH-USD-PERP"}, "method": "subscription"}
    assert bench.frame("market", json.dumps(message, indent=1).encode()) == [
        Trade("ETHUSDT", 9, "buy", 2400.5, 0.25, START)  # type: ignore[arg-type]
    ]


def test_unknown_channels_and_other_markets_are_ignored() -> None:
    bench = Bench().started()
    assert list(bench.frame("market", push("rumours.ETH-USD-PERP", {"market": "ETH-USD-PERP"}))) == []
    assert list(bench.frame("market", push("transaction", {"id": 1}))) == []
    assert list(bench.frame("market", trade_push(9, market="BTC-USD-PERP"))) == []
    assert list(bench.frame("entries", push("rfq", {"id": 1}))) == []
    assert list(bench.frame("entries", push("orders.ALL", order_json(market="DOGE-USD-PERP")))) == []


def test_account_frames_become_events() -> None:
    bench = Bench().started()
    (event,) = bench.frame("entries", push("orders.ALL", order_json(status="OPEN")))
    assert isinstance(event, OrderUpdate)
    assert event.order.seq_no == 77
    (event,) = bench.frame("entries", push("fills.ALL", fill_json()))
    assert isinstance(event, FillReported)
    (event,) = bench.frame("entries", push("tradebusts", {"busted_fill_id": "f1", "created_at": 5, "account": "0x1"}))
    assert event == FillBusted("f1", 5000)


@pytest.mark.parametrize("outage_s", [0.0, 1.0, 10.0, 180.0])
def test_streams_come_back_after_an_outage_of_any_length(outage_s: float) -> None:
    bench = Bench(dead_feed_s=FOR_EVER).started()
    bench.forget()
    bench.refuse_sockets = True
    for stream in ("market", "entries", "protection"):
        bench.cut(stream)
    bench.wait(outage_s)
    bench.refuse_sockets = False
    bench.wait(30.5)
    ready = [stream for stream, up in streams(bench) if up]
    assert sorted(ready) == ["account", "entries", "market", "protection"]
    assert sorted(stream for stream, up in streams(bench) if not up) == ["account", "entries", "market", "protection"]


def test_a_socket_name_is_never_used_twice() -> None:
    bench = Bench(dead_feed_s=FOR_EVER).started()
    names = [bench.conn("market")]
    for _ in range(5):
        bench.cut("market")
        bench.wait(31)
        names.append(bench.conn("market"))
    assert len(set(names)) == 6


def test_waits_between_attempts_grow_with_full_jitter_up_to_the_cap() -> None:
    bench = Bench(private=False).started()
    bench.refuse_sockets = True
    bench.cut("market")
    bench.wait(600)
    waits = [float(t.detail.rsplit(" in ", 1)[1].split()[0]) for t in bench.seen(Trouble) if "attempt" in t.detail]
    assert len(waits) > 20
    assert all(wait <= min(30.0, 0.25 * 2.0**n) for n, wait in enumerate(waits))
    assert max(waits) > 15.0


def test_the_client_gives_up_after_max_reconnect_attempts_and_says_so() -> None:
    bench = Bench(private=False, max_reconnect_attempts=3).started()
    bench.refuse_sockets = True
    bench.cut("market")
    bench.wait(600)
    assert [t.where for t in bench.seen(Trouble) if t.where == "max_reconnect_attempts"] == ["max_reconnect_attempts"]
    bench.refuse_sockets = False
    bench.wait(600)
    assert bench.open == {}


def test_a_dead_feed_is_found_within_fifteen_seconds_although_pongs_and_acks_go_on() -> None:
    bench = Bench(private=False).started()
    first = bench.conn("market")
    for number in range(10):
        bench.frame("market", trade_push(number + 1))
        bench.wait(10)
    assert bench.conn("market") == first
    bench.wait(5.1)
    assert first in bench.closed


def test_a_quiet_account_is_kept_by_pings_and_a_half_open_one_is_found_within_fifteen_seconds() -> None:
    bench = Bench().started()
    entries = bench.conn("entries")
    for number in range(12):
        bench.frame("market", trade_push(number + 1))
        bench.wait(10)
    assert bench.conn("entries") == entries
    bench.answer_pings = False
    bench.wait(15)
    assert entries in bench.closed


def test_a_handshake_that_never_ends_is_given_up() -> None:
    bench = Bench(private=False)
    bench.answer_rpc = False
    bench.started()
    first = bench.conn("market")
    bench.frame("market", trade_push(1))
    bench.wait(10.1)
    assert first in bench.closed


def test_a_stream_that_breaks_before_it_was_whole_is_told_as_lost_if_trades_had_come() -> None:
    bench = Bench(dead_feed_s=FOR_EVER, private=False)
    bench.answer_rpc = False
    bench.started()
    bench.frame("market", trade_push(1))
    assert streams(bench) == []
    bench.cut("market")
    assert streams(bench) == [("market", False)]
    bench.settle()
    bench.wait(1)
    bench.cut("market")
    assert streams(bench) == [("market", False)]


def test_a_frame_or_handshake_of_an_old_socket_is_ignored() -> None:
    bench = Bench(private=False).started()
    old = bench.conn("market")
    bench.cut("market")
    assert list(bench.take(Frame(old, trade_push(5)))) == []
    assert list(bench.take(SocketOpened(old))) == []


def trades_route(bench: Bench, ids: list[int], page: int = 1000) -> None:
    """GET /trades over these ids, newest first, in pages."""
    newest = sorted(ids, reverse=True)

    def answer(request: Any) -> tuple[int, Any]:
        query = parse_qs(urlsplit(request.url).query)
        start = int(query.get("cursor", ["0"])[0])
        rows = [trade_json(each) for each in newest[start : start + page]]
        after = str(start + page) if start + page < len(newest) else None
        return 200, {"results": rows, "next": after, "prev": None}

    bench.routes["/trades"] = answer


@pytest.mark.parametrize("page", [1000, 3, 1])
def test_the_gap_is_filled_by_trade_id_before_ready_each_trade_once_in_order(page: int) -> None:
    bench = Bench(private=False).started()
    for each in (1, 2, 3):
        bench.frame("market", trade_push(each))
    bench.cut("market")
    trades_route(bench, list(range(1, 11)), page)
    bench.forget()
    bench.wait(1)
    (history,) = bench.seen(TradeHistory)
    assert [trade.id for trade in history.trades] == [4, 5, 6, 7, 8, 9, 10]
    assert history.gapless
    kinds = [type(event) for event in bench.events]
    assert kinds.index(TradeHistory) < kinds.index(StreamChanged)
    assert [event.id for event in bench.frame("market", trade_push(11))] == [11]  # type: ignore[union-attr]


def test_a_market_that_had_no_trade_before_the_interruption_is_said_to_have_a_gap_that_cannot_be_closed() -> None:
    """Nobody knows after which trade to read; trades of a set-up that fails must not pass for the beginning of the gap."""
    bench = Bench(dead_feed_s=FOR_EVER, private=False).started()
    bench.cut("market")
    bench.routes["/trades"] = None
    bench.forget()
    bench.wait(1)
    bench.frame("market", trade_push(5))
    bench.cut("market")
    trades_route(bench, list(range(1, 10)))
    bench.wait(31)
    assert streams(bench)[-1] == ("market", True)
    assert not all(history.gapless for history in bench.seen(TradeHistory))
    first = Bench(dead_feed_s=FOR_EVER, private=False).started()
    assert not first.seen(TradeHistory), "before the stream was whole nothing is missing"


def test_a_first_trade_that_was_damaged_is_said_to_be_missing() -> None:
    bench = Bench(private=False).started()
    bench.forget()
    bench.frame("market", trade_push(3).replace(b'"price"', b'"prise"'))
    assert [(history.trades, history.gapless) for history in bench.seen(TradeHistory)] == [((), False)]


def test_trades_of_the_new_stream_wait_until_the_gap_is_filled() -> None:
    bench = Bench(dead_feed_s=FOR_EVER, private=False).started()
    bench.frame("market", trade_push(3))
    bench.cut("market")
    held: list[Any] = []
    bench.routes["/trades"] = held.append
    bench.forget()
    bench.wait(1)
    assert list(bench.frame("market", trade_push(6))) == []
    assert list(bench.frame("market", trade_push(7))) == []
    trades_route(bench, [1, 2, 3, 4, 5, 6])
    bench.wait(20)
    told = [event for event in bench.events if isinstance(event, TradeHistory | Trade | StreamChanged)]
    (history,), trades = bench.seen(TradeHistory), bench.seen(Trade)
    assert [trade.id for trade in history.trades] == [4, 5, 6]
    assert [trade.id for trade in trades] == [7]
    assert told == [history, *trades, StreamChanged("market", True)]


def test_a_gap_that_cannot_be_closed_is_told_so() -> None:
    bench = Bench(dead_feed_s=FOR_EVER, private=False, max_gap_pages=2).started()
    bench.frame("market", trade_push(3))
    bench.cut("market")
    trades_route(bench, [10, 11, 12])
    bench.wait(1)
    assert [history.gapless for history in bench.seen(TradeHistory)] == [False]
    bench.cut("market")
    trades_route(bench, list(range(1, 30)), 3)
    bench.wait(31)
    assert [history.gapless for history in bench.seen(TradeHistory)] == [False, False]
    bench.cut("market")
    bench.routes["/trades"] = (503, b"")
    bench.wait(150)
    assert [history.gapless for history in bench.seen(TradeHistory)] == [False, False, False]
    assert streams(bench)[-1] == ("market", True)


@pytest.mark.parametrize("sick", [(503, b""), (429, {"error": "", "message": "slow down"}), None, (502, b"<html>")])
def test_a_gap_outlives_reads_that_fail_while_the_exchange_recovers(sick: Any) -> None:
    """After an outage the socket is often back before REST is: what was traded meanwhile must not be given up for that."""
    bench = Bench(dead_feed_s=FOR_EVER, private=False).started()
    bench.frame("market", trade_push(3))
    bench.cut("market")
    bench.routes["/trades"] = sick
    bench.forget()
    bench.wait(25)
    assert not bench.seen(TradeHistory)
    assert streams(bench)[-1:] != [("market", True)]
    trades_route(bench, list(range(1, 10)))
    bench.wait(25)
    (history,) = bench.seen(TradeHistory)
    assert history.gapless
    assert [trade.id for trade in history.trades] == [4, 5, 6, 7, 8, 9]
    assert streams(bench)[-1] == ("market", True)


def test_a_socket_that_dies_while_the_gap_is_read_loses_nothing() -> None:
    bench = Bench(dead_feed_s=FOR_EVER, private=False).started()
    bench.frame("market", trade_push(3))
    bench.cut("market")
    bench.routes["/trades"] = None
    bench.forget()
    bench.wait(1)
    bench.frame("market", trade_push(9))
    bench.cut("market")
    trades_route(bench, list(range(1, 10)))
    bench.wait(31)
    (history,) = bench.seen(TradeHistory)
    assert [trade.id for trade in history.trades] == [4, 5, 6, 7, 8, 9]


def test_book_changes_wait_for_a_snapshot_and_a_number_that_goes_back_resubscribes() -> None:
    bench = Bench(private=False).started()
    assert list(bench.frame("market", book_push(5, "d", [("2400", "1")], []))) == []
    assert len(bench.frame("market", book_push(6, "s", [("2400", "1")], [("2401", "1")]))) == 1
    assert len(bench.frame("market", book_push(9, "d", [("2399", "1")], []))) == 1
    assert list(bench.frame("market", book_push(9, "d", [("2399", "1")], []))) == []
    bench.forget()
    bench.frame("market", book_push(8, "d", [("2398", "1")], []))
    assert bench.seen(BookChange) == []
    assert bench.seen(Trouble)
    bench.settle()
    assert [message["params"]["channel"] for message in bench.sent("unsubscribe")] == [BOOK]
    assert [message["params"]["channel"] for message in bench.sent("subscribe")] == [BOOK]
    assert list(bench.frame("market", book_push(10, "d", [("2399", "1")], []))) == []
    assert len(bench.frame("market", book_push(3, "s", [("2400", "1")], [("2401", "1")]))) == 1


def test_a_crossed_snapshot_never_passes() -> None:
    bench = Bench(private=False).started()
    bench.frame("market", book_push(6, "s", [("2401", "1")], [("2401", "1")]))
    assert bench.seen(BookChange) == []


def test_the_engine_may_ask_for_a_new_snapshot() -> None:
    bench = Bench(private=False).started()
    bench.frame("market", book_push(6, "s", [("2400", "1")], [("2401", "1")]))
    bench.forget()
    bench.client.submit(ResyncBook(symbol="ETHUSDT", reason="crossed"), bench.now)
    bench.settle()
    assert len(bench.sent("unsubscribe")) == 1
    bench.client.submit(ResyncBook(symbol="NOSUCH", reason="x"), bench.now)
    bench.settle()
    assert len(bench.sent("unsubscribe")) == 1


def test_a_damaged_trade_frame_is_trouble_and_its_gap_is_read() -> None:
    bench = Bench(private=False).started()
    bench.frame("market", trade_push(3))
    trades_route(bench, [1, 2, 3, 4])
    bench.wait(2)
    bench.forget()
    events = bench.frame("market", trade_push(4, price="NaN"))
    assert [type(event) for event in events] == [Trouble]
    bench.settle()
    (history,) = bench.seen(TradeHistory)
    assert [trade.id for trade in history.trades] == [4]


def test_a_damaged_account_frame_reconnects_so_that_the_engine_reconciles() -> None:
    bench = Bench().started()
    bench.forget()
    bench.frame("entries", push("fills.ALL", fill_json(price="NaN")))
    assert bench.seen(FillReported) == []
    bench.wait(1)
    assert streams(bench) == [("account", False), ("entries", False), ("account", True), ("entries", True)]


def test_a_busy_market_that_is_not_there_is_no_reason_to_stay_away() -> None:
    bench = Bench(private=False, busy_market="BTC-USD-PERP")
    bench.rpc_errors["bbo.BTC-USD-PERP"] = {"code": -32600, "message": "invalid channel"}
    bench.started()
    assert streams(bench) == [("market", True)]


def test_a_refused_subscription_of_ours_is_tried_again_on_a_new_socket() -> None:
    bench = Bench(dead_feed_s=FOR_EVER, private=False)
    bench.rpc_errors["trades.ETH-USD-PERP"] = {"code": -32603, "message": "not now"}
    bench.started()
    assert streams(bench) == []
    bench.rpc_errors.clear()
    bench.wait(31)
    assert streams(bench) == [("market", True)]
