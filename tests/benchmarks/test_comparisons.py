"""The comparisons run and what they compare agrees; how fast anybody is, is `make bench`'s business.

The peers are not installed with the test tools: here it is ours and naive Python, `make bench` holds all against each other.
"""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.market.book import OrderBook
from flashscalper.model.klines import Trade

ROOT = Path(__file__).resolve().parents[2]


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def test_klines_of_ours_and_of_naive_python_agree() -> None:
    klines = module("klines")
    trades = klines.make_trades(6_000)
    assert "naive Python" in klines.check_agreement(trades)
    assert len(klines.closed_by_ours(trades)["1m"]) > 5


def test_klines_that_differ_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    klines = module("klines")
    right = klines.closed_by_naive

    def wrong(trades: list[Trade]) -> Any:
        rows = right(trades)
        at, *prices = rows["1m"][0]
        return rows | {"1m": [(at, *prices[:-1], prices[-1] + 1.0), *rows["1m"][1:]]}

    monkeypatch.setattr(klines, "closed_by_naive", wrong)
    with pytest.raises(SystemExit, match="naive Python disagrees on 1m"):
        klines.check_agreement(klines.make_trades(2_000))


def test_every_kline_subject_runs_and_is_timed() -> None:
    interleaved, klines = module("interleaved"), module("klines")
    trades = klines.make_trades(200)
    subjects = {"ours": klines.ours(trades, klines.INTERVALS, timer=True), "naive": klines.naive(trades)}
    results = interleaved.compare(subjects, 200, ours="ours", rounds=2)
    assert [result.name for result in results] == ["ours", "naive"]
    assert results[0].ratio == 1.0
    assert all(0 < result.ratio_low <= result.ratio <= result.ratio_high for result in results)


def test_the_book_of_the_benchmark_ends_as_a_plain_one_does() -> None:
    book = module("book")
    changes = book.make_changes(300)
    seen: list[object] = []
    for subject in (book.ours, book.ours_from_texts):
        subject(changes, seen)()()
    bids, asks = dict(changes[0].bids), dict(changes[0].asks)
    for change in changes[1:]:
        bids.update(change.bids)
        asks.update(change.asks)
    best = max(price for price, size in bids.items() if size), min(price for price, size in asks.items() if size)
    assert seen == [best, best]


def test_frames_that_everybody_is_sent_reach_us_as_trades_and_books() -> None:
    server, throughput = module("websocket_server"), module("websocket_throughput")
    frames = server.Frames().make("mixed", 40)
    read = MarketFrames({server.MARKET: "ETHUSDT"}).read_json
    events = [read(frame) for frame in frames]
    assert [type(event).__name__ for event in events[:2]] == ["Trade", "BookChange"]
    last = events[-1]
    assert isinstance(last, Trade)
    assert last.price == throughput.LAST_PRICE
    book = OrderBook("ETHUSDT")
    for event in events:
        if not isinstance(event, Trade):
            book.apply(event)  # type: ignore[arg-type]
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert book.best_bid < book.best_ask
    framed = server.framed(frames[0])
    assert framed.endswith(frames[0])
    assert len(framed) == len(frames[0]) + 4


def test_naive_klines_of_the_peers_programs_are_klines() -> None:
    naive = module("websocket_throughput").Naive({"1s": 1, "5s": 5})
    for at_ms, price in ((5_000, 10.0), (5_400, 12.0), (5_900, 9.0), (6_000, 11.0)):
        naive.add(at_ms, price, 1.0)
    assert naive.rows == {"1s": [6_000, 11.0, 11.0, 11.0, 11.0, 1.0], "5s": [5_000, 10.0, 12.0, 9.0, 11.0, 4.0]}


def test_many_markets_are_decoded_taped_and_handled() -> None:
    many = module("many_markets")
    outcome = many.run(many.Load(3, 10.0, seconds=1.0), paced=False)
    assert outcome.messages == 60
    assert outcome.cpu_us_per_message > 0


def test_a_line_is_fitted_and_drawn() -> None:
    growth = module("growth")
    series = growth.fit("x", "y", [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)])
    assert (series.slope, series.intercept, series.explained) == (2.0, 1.0, 1.0)
    bent = growth.fit("x", "y", [(1.0, 1.0), (2.0, 4.0), (3.0, 9.0), (4.0, 16.0)])
    assert bent.explained < 0.99
    assert growth.chart([series, bent]).count("<circle") == 7


def test_every_script_of_the_run_is_there_and_prints_json() -> None:
    for script in module("run").SCRIPTS:
        source = (ROOT / "benchmarks" / f"{script.name}.py").read_text()
        assert "--json" in source or "arguments(" in source, script.name


def result(name: str, ratio: float) -> dict[str, Any]:
    return {"name": name, "median_ns": 1.0, "ratio": ratio, "ratio_low": ratio * 0.9, "ratio_high": ratio * 1.1}


@pytest.mark.parametrize(("ratio", "verdict"), [(6.5, "| met |"), (5.5, "**short**: 20 levels")])
def test_the_page_says_what_is_met_what_is_short_and_why_and_what_was_not_measured(ratio: float, verdict: str) -> None:
    results = module("results")
    rows = [result("flashscalper OrderBook", 1.0), result("ccxt.pro OrderBook, given floats (storeArray)", ratio)]
    book = results.Ran(
        "book", "python -m benchmarks.book", [{"title": "book", "unit": "delta", "rows": rows}], "", 1.0, 0.01
    )
    lost = results.Ran("memory", "python -m benchmarks.memory", [], "not done within 60 s", 60.0, None)
    page = results.page([book, lost], datetime(2026, 1, 1, tzinfo=UTC), 61.0)
    line = next(line for line in page.splitlines() if line.startswith("| 20-level"))
    assert verdict in line
    assert "at least 6.00x" in line
    assert next(line for line in page.splitlines() if line.startswith("| memory")).endswith("not measured here | | |")
    assert "It failed: not done within 60 s" in page


def test_ratios_to_one_reference_divide() -> None:
    rows = module("rows")
    signing = [result("ours, gmpy2", 1.0), result("ours, native Pedersen wheel", 0.5), result("official SDK", 8.0)]
    answers = json.loads(json.dumps({"signing": [{"rows": signing}]}))
    figure = rows.times("signing", "official SDK", "ours, native Pedersen wheel")(answers)
    assert figure.value == 16.0
    assert figure.low < 16.0 < figure.high
    assert rows.times("signing", "official SDK", "ours, gmpy2")(answers).value == 8.0
    assert rows.times("signing", "ccxt", "ours, gmpy2")(answers) is None
