"""Public REST: system, markets, klines, books, funding; what is asked wrongly is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flashscalper.model.klines import Kline
from flashscalper.model.orders import Side
from tests.simulator.paradex_server.bench import CHAIN, T0, Bench

BTC = "BTC-USD-PERP"
MINUTE_MS = 60_000


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    rows = [
        Kline("BTCUSDT", "1m", at, at + 60_000_000, 100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n, 2.0, 200.0, 5)
        for n, at in enumerate(range(T0 - 120 * 60_000_000, T0, 60_000_000))
    ]
    bench.exchange.seed_history("BTCUSDT", rows)
    bench.open_market()
    return bench


def test_config_has_everything_that_signing_needs(bench: Bench) -> None:
    config = bench.get("/system/config").json
    assert (config["starknet_chain_id"], config["l1_chain_id"], config["paraclear_decimals"]) == (CHAIN, "11155111", 8)
    assert set(config["bridged_tokens"][0]) == {
        *("name", "symbol", "decimals", "l1_token_address", "l1_bridge_address", "l2_token_address", "l2_bridge_address")
    }


def test_time_is_a_text_and_state_a_word(bench: Bench) -> None:
    assert bench.get("/system/time").json == {"server_time": str(T0 // 1000)}
    assert bench.get("/system/state").json == {"status": "ok"}


def test_markets_are_listed_with_texts_for_decimals(bench: Bench) -> None:
    everything = bench.get("/markets").json["results"]
    assert [each["symbol"] for each in everything] == [BTC, "ETH-USD-PERP"]
    one = bench.get("/markets", market=BTC).json["results"][0]
    assert (one["price_tick_size"], one["order_size_increment"], one["asset_kind"]) == ("0.1", "0.00001", "PERP")
    assert one["fee_config"]["api_fee"]["taker_fee"]["fee"] == "0.00045"
    assert bench.get("/markets", market="X").status == 404


def test_summaries_want_a_market_or_all(bench: Bench) -> None:
    assert len(bench.get("/markets/summary", market="ALL").json["results"]) == 2
    assert bench.get("/markets/summary", market=BTC).json["results"][0]["mark_price"] == "65000"
    assert bench.get("/markets/summary").status == 400
    assert bench.get("/markets/summary", market="X").json["error"] == "MARKET_NOT_FOUND"


@pytest.mark.parametrize(("resolution", "minutes"), [("1", 1), ("3", 3), ("5", 5), ("15", 15), ("30", 30), ("60", 60)])
def test_klines_are_numbers_oldest_first(bench: Bench, resolution: str, minutes: int) -> None:
    start, end = T0 // 1000 - 60 * MINUTE_MS, T0 // 1000 - 1
    rows = bench.get("/markets/klines", symbol=BTC, resolution=resolution, start_at=start, end_at=end).json["results"]
    assert [row[0] for row in rows] == list(range(start, end, minutes * MINUTE_MS))
    opened, high, low, close, volume = rows[0][1:]
    assert (opened, high, low, close, volume) == (160.0, 160.0 + minutes, 159.0, 159.5 + minutes, 2.0 * minutes)


@pytest.mark.parametrize(
    "changes",
    [
        {"resolution": "2"},
        {"resolution": "1D"},
        {"symbol": "X"},
        {"start_at": ""},
        {"start_at": "x"},
        {"end_at": 1},
        {"price_kind": "bid"},
    ],
)
def test_bad_kline_requests_are_refused(bench: Bench, changes: dict[str, Any]) -> None:
    query: dict[str, Any] = {"symbol": BTC, "resolution": "1", "start_at": T0 // 1000 - 600_000, "end_at": T0 // 1000}
    assert bench.get("/markets/klines", **(query | changes)).status == 400


def test_mark_and_underlying_klines_exist(bench: Bench) -> None:
    for kind in ("last", "mark", "underlying"):
        query: dict[str, Any] = {
            "symbol": BTC,
            "resolution": "1",
            "start_at": T0 // 1000 - 600_000,
            "end_at": T0 // 1000,
            "price_kind": kind,
        }
        assert len(bench.get("/markets/klines", **query).json["results"]) >= 10


def test_a_huge_kline_range_is_answered_with_what_there_is(bench: Bench) -> None:
    rows = bench.get("/markets/klines", symbol=BTC, resolution="1", start_at=0, end_at=T0 // 1000).json["results"]
    assert rows[0][0] == T0 // 1000 - 120 * MINUTE_MS


def test_books_have_the_asked_depth_and_grouping(bench: Bench) -> None:
    assert len(bench.get(f"/orderbook/{BTC}").json["bids"]) == 20
    assert len(bench.get(f"/orderbook/{BTC}", depth=3).json["asks"]) == 3
    grouped = bench.get(f"/orderbook/{BTC}", price_tick="1", depth=1).json
    assert (grouped["bids"], grouped["asks"]) == ([["64999", "2"]], [["65001", "2"]])
    for query in ({"depth": 0}, {"depth": "x"}, {"price_tick": "-1"}, {"price_tick": "x"}):
        assert bench.get(f"/orderbook/{BTC}", **query).status == 400
    assert bench.get("/orderbook/X").json["error"] == "MARKET_NOT_FOUND"


def test_the_impact_price_is_the_average_over_the_book(bench: Bench) -> None:
    path = f"/orderbook/{BTC}/impact-price"
    assert bench.get(path, size="2").json["impact_price"] == "65000.75"
    assert bench.get(path, size="2", side="SELL").json["impact_price"] == "64999.25"
    assert bench.get(path, size="1000").json["impact_price"] == ""
    assert bench.get(path).status == 400
    assert bench.get(path, size="0").status == 400


def test_small_public_lists_answer(bench: Bench) -> None:
    for path in ("/system/announcements", "/system/volume-tiers", "/jwks.json", "/insurance", "/markets/history"):
        assert bench.get(path).status == 200
    assert bench.get("/trades", baseAsset="BTC").json["results"] == []
    assert bench.get("/trades").status == 400


def test_funding_data_pages_through_the_ticks(bench: Bench) -> None:
    bench.pass_time(5_000_000)
    first = bench.get("/funding/data", market=BTC, page_size=3).json
    rest = bench.get("/funding/data", market=BTC, page_size=3, cursor=first["next"]).json
    stamps = [each["created_at"] for page in (first, rest) for each in page["results"]]
    assert stamps == [(bench.now // 1_000_000 - second) * 1000 for second in range(5)]
    assert rest["next"] is None
    assert bench.get("/funding/data", market=BTC, end_at=T0 // 1000 - 1).json["results"] == []


def test_trades_can_be_limited_in_time(bench: Bench) -> None:
    bench.flow("BTCUSDT", Side.BUY, Decimal("65000.5"), Decimal("0.1"))
    middle = bench.now // 1000
    bench.pass_time(1_000_000)
    bench.flow("BTCUSDT", Side.BUY, Decimal("65000.5"), Decimal("0.2"))
    late = bench.get("/trades", market=BTC, start_at=middle + 1).json["results"]
    early = bench.get("/trades", market=BTC, end_at=middle).json["results"]
    assert ([each["size"] for each in late], [each["size"] for each in early]) == (["0.2"], ["0.1"])


def test_private_lists_without_content_answer(bench: Bench) -> None:
    _, token = bench.trader()
    for path in (
        "/account/summary",
        "/account/info",
        "/account/subaccounts",
        "/transactions",
        "/transfers",
        "/liquidations",
    ):
        assert bench.get(path, token).status == 200
    assert bench.get("/account", token, subaccount_address="0x1").json["error"] == "ACCOUNT_NOT_FOUND"


def test_a_liquidation_is_listed_and_shown(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, type="MARKET", price=None, size="5")
    bench.mark("BTCUSDT", "63500")
    bench.pass_time(10_000_000)
    liquidations = bench.get("/liquidations", token).json["results"]
    assert liquidations
    fills = bench.get("/fills", token).json["results"]
    assert "LIQUIDATION" in {each["fill_type"] for each in fills}
    assert bench.get("/liquidations", token, to=1).json["results"] == []
