"""Public channels: trades, quotes, books by difference and by snapshot, summaries, funding; JSON and SBE."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from flashscalper.exchanges.paradex.sbe import (
    SbeAccount,
    SbeBbo,
    SbeBook,
    SbeFill,
    SbeFunding,
    SbeOrder,
    SbePosition,
    SbeSummary,
    SbeTrade,
)
from flashscalper.model.orders import Side, TimeInForce
from flashscalper.simulator.feeds.base import FundingFixed
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.paradex_server.bench import Bench, Socket, keyed_signer

BTC = "BTC-USD-PERP"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_market()
    bench.pass_time(1_000_000)
    return bench


def shuffle_book(bench: Bench, rng: random.Random, steps: int) -> None:
    """Background traders come, go and trade."""
    ids: list[int] = []
    for _ in range(steps):
        side = rng.choice((Side.BUY, Side.SELL))
        away = Decimal(rng.randrange(-30, 200)) / 10
        price = Decimal(65000) - away if side is Side.BUY else Decimal(65000) + away
        ids.append(bench.flow("BTCUSDT", side, price, Decimal(rng.randrange(1, 500)) / 1000))
        if rng.random() < 0.4:
            bench.unflow("BTCUSDT", ids.pop(rng.randrange(len(ids))))
        bench.pass_time(rng.randrange(1, 60_000))


def applied(book: dict[str, dict[str, str]], data: dict[str, Any]) -> None:
    """What a client does with an order book message."""
    if data["update_type"] == "s":
        book["BUY"].clear()
        book["SELL"].clear()
    for level in data["inserts"]:
        assert level["price"] not in book[level["side"]]
        book[level["side"]][level["price"]] = level["size"]
    for level in data["updates"]:
        assert book[level["side"]][level["price"]] != level["size"]
        book[level["side"]][level["price"]] = level["size"]
    for level in data["deletes"]:
        assert level["size"] == "0"
        del book[level["side"]][level["price"]]


def rest_book(bench: Bench, depth: int = 15) -> dict[str, dict[str, str]]:
    answer = bench.get(f"/orderbook/{BTC}", depth=depth).json
    return {"BUY": dict(answer["bids"]), "SELL": dict(answer["asks"])}


@pytest.mark.parametrize("seed", range(5))
def test_deltas_rebuild_the_book_for_early_and_late_listeners(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    channel = f"order_book.{BTC}.deltas@15@50ms"
    early, late = bench.connect(), bench.connect()
    early.subscribe(channel)
    shuffle_book(bench, rng, 40)
    late.subscribe(channel)
    shuffle_book(bench, rng, 40)
    bench.pass_time(200_000)
    for socket in (early, late):
        book: dict[str, dict[str, str]] = {"BUY": {}, "SELL": {}}
        pushes = [push["data"] for push in socket.pushes(channel)]
        assert [push["update_type"] for push in pushes] == ["s"] + ["d"] * (len(pushes) - 1)
        numbers = [push["seq_no"] for push in pushes]
        assert numbers == sorted(numbers)
        for push in pushes:
            applied(book, push)
        assert book == rest_book(bench)


@pytest.mark.parametrize(("rate", "us"), [("50ms", 50_000), ("100ms", 100_000)])
def test_book_messages_keep_the_rate(bench: Bench, rate: str, us: int) -> None:
    socket = bench.connect()
    socket.subscribe(f"order_book.{BTC}.snapshot@15@{rate}")
    socket.take()
    stamps = []
    for _ in range(60):
        bench.flow("BTCUSDT", Side.BUY, Decimal("64995.3"), Decimal("0.001"))
        bench.pass_time(7_000)
        stamps += [bench.now] * len(socket.pushes())
    assert 60 * 7_000 // us - 1 <= len(stamps) <= 60 * 7_000 // us + 1


def test_a_snapshot_channel_sends_the_best_fifteen_levels(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe(f"order_book.{BTC}.snapshot@15@100ms")
    data = socket.pushes()[0]["data"]
    assert (data["update_type"], len(data["inserts"]), data["updates"], data["deletes"]) == ("s", 30, [], [])
    assert data["inserts"][0] == {"side": "BUY", "price": "64999.5", "size": "1"}


def test_a_quiet_book_sends_nothing(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe(f"order_book.{BTC}.snapshot@15@50ms", f"order_book.{BTC}.deltas@15@50ms")
    socket.take()
    bench.pass_time(900_000)
    assert socket.pushes() == []


def test_grouped_books_sum_levels_away_from_the_market(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe(f"order_book.{BTC}.snapshot@15@100ms@1")
    levels = socket.pushes()[0]["data"]["inserts"]
    assert levels[0] == {"side": "BUY", "price": "64999", "size": "2"}
    assert next(each for each in levels if each["side"] == "SELL") == {"side": "SELL", "price": "65001", "size": "2"}


def test_the_interactive_book_shows_rpi_orders_and_the_api_book_does_not() -> None:
    signer = keyed_signer("alice")
    bench = Bench(rules=ExchangeRules(rpi_accounts=frozenset({signer.account})))
    bench.open_market()
    signer, token = bench.trader("alice")
    assert bench.place(signer, token, price="64999.9", instruction="RPI", size="0.1").status == 201
    socket = bench.connect()
    socket.subscribe(f"order_book.{BTC}.interactive@15@100ms", f"order_book.{BTC}.snapshot@15@100ms")
    interactive, api = (push["data"] for push in socket.pushes())
    assert interactive["inserts"][0]["price"] == "64999.9"
    assert interactive["best_bid_interactive"] == {"side": "BUY", "price": "64999.9", "size": "0.1"}
    assert interactive["best_bid_api"]["price"] == api["inserts"][0]["price"] == "64999.5"
    assert bench.get(f"/bbo/{BTC}").json["bid"] == "64999.5"
    assert bench.get(f"/bbo/{BTC}/interactive").json["bid"] == "64999.9"
    assert bench.get(f"/orderbook/{BTC}/interactive").json["bids"][0][0] == "64999.9"


def test_accounts_that_are_not_whitelisted_get_no_rpi(bench: Bench) -> None:
    signer, token = bench.trader()
    assert (
        bench.place(signer, token, instruction=TimeInForce.RPI.value.upper()).json["error"] == "RPI_ACCOUNT_NOT_WHITELISTED"
    )


def test_trades_reach_market_and_all_channels_in_order(bench: Bench) -> None:
    one, everything = bench.connect(), bench.connect()
    one.subscribe(f"trades.{BTC}")
    everything.subscribe("trades.ALL")
    bench.flow("BTCUSDT", Side.BUY, None, Decimal("2.5"))
    bench.flow("ETHUSDT", Side.SELL, None, Decimal(1))
    mine = one.pushes()
    assert [push["data"]["price"] for push in mine] == ["65000.5", "65001", "65001.5"]
    assert [push["data"]["market"] for push in everything.pushes()] == [BTC, BTC, BTC, "ETH-USD-PERP"]
    listed = bench.get("/trades", market=BTC).json["results"]
    assert listed == [push["data"] for push in reversed(mine)]


def test_rest_trades_page_backwards_without_gap_or_repetition(bench: Bench) -> None:
    for _ in range(7):
        bench.flow("BTCUSDT", Side.BUY, Decimal("65000.5"), Decimal("0.01"))
    ids, cursor = [], None
    while True:
        page = bench.get("/trades", market=BTC, page_size=3, **({"cursor": cursor} if cursor else {})).json
        ids += [each["id"] for each in page["results"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(ids) == len(set(ids)) == 7
    assert ids == sorted(ids, key=int, reverse=True)


def test_the_best_quote_is_pushed_on_change_and_at_once(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe(f"bbo.{BTC}")
    assert socket.pushes()[0]["data"]["bid"] == "64999.5"
    bench.flow("BTCUSDT", Side.BUY, Decimal("64999.7"), Decimal("0.1"))
    bench.flow("BTCUSDT", Side.BUY, Decimal(60000), Decimal("0.1"))
    assert [(push["data"]["bid"], push["data"]["bid_size"]) for push in socket.pushes()] == [("64999.7", "0.1")]


def test_an_empty_side_is_empty_text_and_null() -> None:
    bench = Bench()
    bench.mark("BTCUSDT", "65000")
    text, binary = bench.connect(), bench.connect("sbeSchemaId=1&sbeSchemaVersion=2")
    for socket in (text, binary):
        socket.subscribe(f"bbo.{BTC}")
        socket.take()
    bench.flow("BTCUSDT", Side.BUY, Decimal(64000), Decimal(1))
    data = text.pushes()[0]["data"]
    assert (data["bid"], data["ask"], data["ask_size"]) == ("64000", "", "0")
    quote = binary.binary()[0]
    assert isinstance(quote, SbeBbo)
    assert (quote.bid, quote.ask, quote.ask_size) == (64000.0, None, None)


def test_summaries_are_held_to_their_rate_and_the_last_one_counts(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe(f"markets_summary.{BTC}")
    socket.take()
    for number in range(20):
        bench.mark("BTCUSDT", f"{65000 + number}")
        bench.pass_time(10_000)
    bench.pass_time(1_000_000)
    marks = [push["data"]["mark_price"] for push in socket.pushes()]
    assert marks == ["65000", "65019"]


def test_scoped_summaries_follow_their_filter(bench: Bench) -> None:
    socket = bench.connect()
    assert "error" in socket.call("modify_subscription", {"channel": "markets_summary", "add": [BTC]})
    socket.call("subscribe", {"channel": "markets_summary", "markets": ["ETH-USD-PERP"]})
    socket.take()

    def moved() -> list[str]:
        bench.pass_time(1_000_000)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            bench.mark(symbol, str(bench.exchange.summary(symbol).mark + 1))
        return [push["data"]["symbol"] for push in socket.pushes("markets_summary")]

    assert moved() == ["ETH-USD-PERP"]
    changed = socket.call("modify_subscription", {"channel": "markets_summary", "add": [BTC], "remove": ["ETH-USD-PERP"]})
    assert changed["result"] == {"channel": "markets_summary", "add": [BTC], "remove": ["ETH-USD-PERP"]}
    assert moved() == [BTC]


def test_bare_all_and_market_summaries_all_work(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe("markets_summary", "markets_summary.ALL", f"markets_summary.{BTC}")
    assert [push["channel"] for push in socket.pushes()] == ["markets_summary"] * 2 + ["markets_summary.ALL"] * 2 + [
        f"markets_summary.{BTC}"
    ]


def test_funding_comes_every_second(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe("funding_data", f"funding_data.{BTC}")
    bench.pass_time(3_000_000)
    pushes = socket.pushes()
    assert [each["channel"] for each in pushes].count(f"funding_data.{BTC}") == 3
    assert len(pushes) == 9


def sbe_socket(bench: Bench, version: int) -> Socket:
    socket = bench.connect(f"sbeSchemaId=1&sbeSchemaVersion={version}")
    assert socket.status == 101
    return socket


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_sbe_says_the_same_as_json(bench: Bench, version: int) -> None:
    channels = (
        f"trades.{BTC}",
        f"bbo.{BTC}",
        f"markets_summary.{BTC}",
        f"funding_data.{BTC}",
        f"order_book.{BTC}.snapshot@15@50ms",
    )
    text, binary = bench.connect(), sbe_socket(bench, version)
    for socket in (text, binary):
        socket.subscribe(*channels)
        socket.take()
    bench.flow("BTCUSDT", Side.BUY, None, Decimal("0.25"))
    bench.pass_time(1_000_000)
    bench.mark("BTCUSDT", "65001.3")
    json_pushes = {push["channel"]: push["data"] for push in text.pushes()}
    frames = {type(frame): frame for frame in binary.binary()}
    trade, quote, summary = frames[SbeTrade], frames[SbeBbo], frames[SbeSummary]
    funding, book = frames[SbeFunding], frames[SbeBook]
    assert isinstance(trade, SbeTrade)
    assert isinstance(quote, SbeBbo)
    assert isinstance(summary, SbeSummary)
    assert isinstance(funding, SbeFunding)
    assert isinstance(book, SbeBook)
    said = json_pushes[f"trades.{BTC}"]
    assert (trade.price, trade.size, trade.side.value.upper()) == (float(said["price"]), float(said["size"]), said["side"])
    assert trade.trade_id == (said["id"] if version >= 2 else "")
    said = json_pushes[f"bbo.{BTC}"]
    assert (quote.bid, quote.ask, quote.ask_size, quote.seq_no) == (
        *(float(said[name]) for name in ("bid", "ask", "ask_size")),
        said["seq_no"],
    )
    said = json_pushes[f"markets_summary.{BTC}"]
    assert (summary.mark_price, summary.funding_rate) == (float(said["mark_price"]), float(said["funding_rate"]))
    said = json_pushes[f"funding_data.{BTC}"]
    assert funding.funding_premium == Decimal(said["funding_premium"])
    said = json_pushes[f"order_book.{BTC}.snapshot@15@50ms"]
    levels = [("BUY", *level) for level in book.bids] + [("SELL", *level) for level in book.asks]
    assert levels == [(each["side"], float(each["price"]), float(each["size"])) for each in said["inserts"]]


@pytest.mark.parametrize("seed", range(3))
def test_sbe_deltas_rebuild_the_book(bench: Bench, seed: int) -> None:
    socket = sbe_socket(bench, 2)
    socket.subscribe(f"order_book.{BTC}.deltas@15@50ms")
    shuffle_book(bench, random.Random(seed), 40)
    bench.pass_time(200_000)
    sides: dict[str, dict[float, float]] = {"BUY": {}, "SELL": {}}
    for frame in socket.binary():
        assert isinstance(frame, SbeBook)
        if frame.snapshot:
            sides = {"BUY": {}, "SELL": {}}
        for side, levels in (("BUY", frame.bids), ("SELL", frame.asks)):
            sides[side].update(levels)
            sides[side] = {price: size for price, size in sides[side].items() if size}
    expected = rest_book(bench)
    assert sides == {
        side: {float(price): float(size) for price, size in levels.items()} for side, levels in expected.items()
    }


@pytest.mark.parametrize(
    "query",
    [
        "sbeSchemaId=1&sbeSchemaVersion=4",
        "sbeSchemaId=2&sbeSchemaVersion=1",
        "sbeSchemaId=1",
        "sbeSchemaVersion=2",
        "sbeSchemaId=1&sbeSchemaVersion=x",
    ],
)
def test_unsupported_encodings_are_refused_at_the_handshake(query: str) -> None:
    assert Bench().connect(query).status == 400


def test_sbe_can_be_required() -> None:
    bench = Bench(require_sbe=True)
    assert bench.connect().status == 400
    assert bench.connect("sbeSchemaId=1&sbeSchemaVersion=1").status == 101


def test_the_socket_lives_at_one_path() -> None:
    assert Bench().connect(path="/v2").status == 404


@pytest.mark.parametrize("as_sbe", [False, True])
def test_account_channels_are_json_unless_the_switch_says_sbe(*, as_sbe: bool) -> None:
    bench = Bench(private_as_sbe=as_sbe)
    bench.open_market()
    signer, token = bench.trader()
    socket = sbe_socket(bench, 2)
    socket.login(token)
    socket.subscribe("orders.ALL", "fills.ALL", "positions", "account")
    bench.place(signer, token, type="MARKET", price=None, side="SELL", size="0.1")
    raw = socket.take()
    socket.inbox += raw
    kinds = {type(frame) for frame in socket.binary()}
    assert kinds == ({SbeOrder, SbeFill, SbePosition, SbeAccount} if as_sbe else set())
    assert any(frame[:1] == b"{" for frame in raw) is not as_sbe


def test_a_market_without_a_price_is_told_nothing_about_and_never_one_of_zero() -> None:
    bench = Bench()
    socket = bench.connect()
    socket.subscribe("markets_summary", "markets_summary.ALL", "markets_summary.BTC-USD-PERP")
    bench.feed(FundingFixed("BTCUSDT", Decimal("0.0003")))
    bench.pass_time(2_000_000)
    assert socket.pushes() == []
    assert bench.get("/markets/summary", market="ALL").json["results"] == []
    bench.mark("BTCUSDT", "65000")
    assert {push["data"]["mark_price"] for push in socket.pushes()} == {"65000"}
    [row] = bench.get("/markets/summary", market="ALL").json["results"]
    assert (row["symbol"], row["mark_price"], row["created_at"]) == ("BTC-USD-PERP", "65000", bench.now // 1000)
