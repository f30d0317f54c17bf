"""`flashscalper sim --mirror`: another exchange's public data, repeated; the other exchange is a second simulator."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.cli.main import app
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.hosting.hosted import HostedParadex
from flashscalper.runtime.hosting.mirror import mirror_settings
from tests.cli.run import flashscalper
from tests.cli.test_sim import Running, running
from tests.cli.test_sim_state import Bot, kill

PATIENCE_S = 25.0


def until(question: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not question():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def get(sim: Running, path: str) -> Any:
    status, answer = sim.ask("GET", sim.rest + path)
    assert status == 200, answer
    return answer


def upstream(exchange: HostedParadex, sim: Running, path: str) -> Any:
    return sim.ask("GET", exchange.rest_url + path)[1]


def test_prices_trades_history_and_mode_are_the_other_exchanges(tmp_path: Path) -> None:
    with HostedParadex(markets=("ETHUSDT",)) as real, running("--mirror", real.url, home=tmp_path) as sim:
        rules = [get(sim, "/markets")["results"][0], upstream(real, sim, "/markets")["results"][0]]
        for field in ("price_tick_size", "order_size_increment", "min_notional", "max_order_size", "position_limit"):
            assert rules[0][field] == rules[1][field]
        mine, theirs = (
            float(each["bid"]) for each in (get(sim, "/bbo/ETH-USD-PERP"), upstream(real, sim, "/bbo/ETH-USD-PERP"))
        )
        assert mine == pytest.approx(theirs, rel=0.001)
        known = {trade["id"]: trade for trade in upstream(real, sim, "/trades?market=ETH-USD-PERP&page_size=100")["results"]}
        mirrored = get(sim, "/trades?market=ETH-USD-PERP&page_size=5")["results"]
        assert mirrored
        assert all(known.get(trade["id"], trade) == trade for trade in mirrored)
        end = int(time.time() * 1000) // 3_600_000 * 3_600_000 - 1
        page = f"/markets/klines?symbol=ETH-USD-PERP&resolution=60&start_at={end - 86_400_000}&end_at={end}"
        assert get(sim, page) == upstream(real, sim, page)
        assert len(get(sim, page)["results"]) >= 20
        real.fault("mode", mode="post_only")
        until(lambda: bool(get(sim, "/system/state") == {"status": "post_only"}))


def test_orders_fill_against_the_shown_book_pay_the_way_and_are_not_seen_upstream(tmp_path: Path) -> None:
    bot = Bot()
    with HostedParadex(markets=("ETHUSDT",)) as real:
        with running("--mirror", real.url, "--state", "kept", home=tmp_path) as sim:
            bot.log_in(sim)
            ask = float(get(sim, "/bbo/ETH-USD-PERP")["ask"])
            for _ in range(6):
                began = time.perf_counter()
                bot.place(sim)
                assert time.perf_counter() - began >= 0.1, "50 ms each way"
            books = bot.books(sim)
            assert [Decimal(fill["size"]) for fill in books["fills"]] == [Decimal("0.01")] * 2
            assert float(books["fills"][0]["price"]) == pytest.approx(ask, rel=0.002)
            assert real.fills() == []
            assert real.orders() == []
            kill(sim)
        with running("--mirror", real.url, "--state", "kept", home=tmp_path) as sim:
            again = bot.books(sim)
            assert [again["fills"], again["ledger"]] == [books["fills"], books["ledger"]]


def test_silence_is_maintenance_and_invents_nothing_until_something_is_heard_again(tmp_path: Path) -> None:
    with HostedParadex(markets=("ETHUSDT",)) as real, running("--mirror", real.url, home=tmp_path) as sim:
        assert get(sim, "/system/state") == {"status": "ok"}
        real.fault("drop", "*", count=0, duration_s=9)
        until(lambda: bool(get(sim, "/system/state") == {"status": "maintenance"}))
        silent = [get(sim, path) for path in ("/bbo/ETH-USD-PERP", "/orderbook/ETH-USD-PERP", "/markets/summary?market=ALL")]
        assert sim.ask("GET", f"{sim.rest}/trades?market=ETH-USD-PERP")[0] == 503
        time.sleep(1.0)
        still = [get(sim, path) for path in ("/bbo/ETH-USD-PERP", "/orderbook/ETH-USD-PERP", "/markets/summary?market=ALL")]
        for before, after in zip(silent, still, strict=True):
            assert without_stamp(after) == without_stamp(before)
        until(lambda: bool(get(sim, "/system/state") == {"status": "ok"}))


def without_stamp(answer: Any) -> Any:
    rows = answer.get("results", [answer])
    return [{name: value for name, value in row.items() if name != "created_at"} for row in rows]


def test_an_exchange_that_is_not_there_or_has_not_the_market_is_said_in_one_line(tmp_path: Path) -> None:
    with HostedParadex(markets=("ETHUSDT",)) as real:
        done = flashscalper("sim", "--port", "0", "--markets", "BTCUSDT", "--mirror", real.url, home=tmp_path, timeout_s=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be mirrored" in done.stderr
    assert "BTC-USD-PERP" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_real_exchanges_are_known_by_name_and_everything_else_is_loopback() -> None:
    assert mirror_settings("paradex:prod", ["ETHUSDT"]).rest_url == "https://api.prod.paradex.trade/v1"
    assert mirror_settings("paradex:testnet", ["ETHUSDT"]).ws_url == "wss://ws.api.testnet.paradex.trade/v1"
    assert mirror_settings("paradex:prod", ["ETHUSDT"]).private is False
    for wrong in ("prod", "paradex:main", "http://example.com", "https://127.0.0.1:1", "http://127.0.0.1:1/v1", "paradex:"):
        with pytest.raises(ConfigError, match="mirror"):
            mirror_settings(wrong, ["ETHUSDT"])
    with pytest.raises(ConfigError, match="feed"):
        app(["sim", "--mirror", "paradex:prod", "--feed", "x.jsonl"], standalone_mode=False)
