from __future__ import annotations

import asyncio

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import StreamChanged
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from flashscalper.runtime.metrics import Kept, Metrics, MetricsServer
from flashscalper.runtime.store.follower import StoreState
from tests.trading.stage import ETH, Stage


def scraped(metrics: Metrics) -> dict[str, float]:
    """Samples by name and sorted label values."""
    return {
        " ".join((sample.name.removeprefix("flashscalper_"), *sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_a_round_trip_shows_in_counters_and_gauges() -> None:
    stage = Stage()
    metrics = Metrics(lambda: (stage.engine.status(), False))
    stage.long()
    for _, output in stage.journal:
        metrics(Trade(ETH, 1, Side.BUY, 100.0, 1.0, stage.now), [output])
    seen = scraped(metrics)
    assert seen["signals_total ETHUSDT long"] == 1
    assert seen["fills_total ETHUSDT buy taker"] == 1
    assert seen["trades_processed_total ETHUSDT"] == len(stage.journal)
    assert seen["open_positions"] == 1
    assert seen["position_exposure_usd ETHUSDT"] == pytest.approx(float(stage.size) * 100.0)
    assert seen["agent_status active"] == 1
    assert seen["websocket_connected market"] == 1
    assert seen["degraded"] == 0


def test_a_stream_that_comes_back_is_a_reconnect_and_the_first_time_is_not() -> None:
    stage = Stage()
    metrics = Metrics(lambda: (stage.engine.status(), True))
    for ready in (True, False, True):
        metrics(StreamChanged("market", ready=ready), [])
    seen = scraped(metrics)
    assert seen["reconnects_total market"] == 1
    assert seen["degraded"] == 1


def test_how_it_stands_with_journal_log_and_store() -> None:
    stage = Stage()
    kept = [Kept()]
    metrics = Metrics(lambda: (stage.engine.status(), False), lambda: kept[0])
    seen = scraped(metrics)
    assert (seen["store_status off"], seen["store_status lost"], seen["journal_lost"]) == (1, 0, 0)
    lost = StoreState("there", "lost", "refused", behind_bytes=4_096, behind_s=12.5, failures=3)
    kept[0] = Kept(journal_lost=True, log_lines_lost=7, store=lost)
    for _ in range(2):
        seen = scraped(metrics)
        assert (seen["store_status off"], seen["store_status lost"], seen["store_failures_total"]) == (0, 1, 3)
        assert (seen["store_behind_bytes"], seen["store_behind_seconds"]) == (4_096, 12.5)
        assert (seen["journal_lost"], seen["log_lines_lost"]) == (1, 7)


def test_it_is_served_on_loopback_and_a_port_in_use_is_named() -> None:
    stage = Stage()
    metrics = Metrics(lambda: (stage.engine.status(), False))

    async def main() -> None:
        async with MetricsServer(metrics, 0) as server, aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{server.port}/metrics") as answer:
                assert "flashscalper_agent_equity_usd 10000.0" in await answer.text()
            with pytest.raises(ConfigError, match=f"metrics-port: saw {server.port}"):
                await MetricsServer(metrics, server.port).__aenter__()

    asyncio.run(main())
