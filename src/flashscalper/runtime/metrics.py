"""Prometheus metrics of a running process, on loopback: `GET /metrics`. The original's names where they still mean the same.

Labels are symbols, sides, intervals and fixed words only, so their number has a limit. Counters count what happened in this
run; gauges are taken from the engine when somebody scrapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, NamedTuple

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import Event, StreamChanged
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.records import FillBooked, KlineClosed, OrderDenied, RoundTripClosed, SignalJudged
from flashscalper.runtime.journal import Output
from flashscalper.runtime.store.follower import STATES as STORE_STATES
from flashscalper.runtime.store.follower import StoreState
from flashscalper.trading.status import EngineStatus

PREFIX: Final = "flashscalper_"
HOST: Final = "127.0.0.1"
_PNL_BUCKETS: Final = (-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100)
_DURATION_BUCKETS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600)
_STATES: Final = ("active", "reducing", "halted")


class Kept(NamedTuple):
    """How it stands with what a run writes: whether its journal cannot be written any more, lines that its log lost, and
    the store."""

    journal_lost: bool = False
    log_lines_lost: int = 0
    store: StoreState = StoreState("", "off")


class Metrics:
    """An observer of the trader. `look` gives the engine's status and whether the run is degraded."""

    def __init__(self, look: Callable[[], tuple[EngineStatus, bool]], kept: Callable[[], Kept] = Kept) -> None:
        self._look = look
        self._kept = kept
        self._registry = CollectorRegistry()
        self._ready: set[str] = set()
        self._count_trading()
        self._count_market()
        self._measure()
        self._measure_kept()

    def _count_trading(self) -> None:
        self._trips = self._counter("trades", "Round trips closed", "symbol", "side", "result")
        self._signals = self._counter("signals", "Signals with a direction", "symbol", "direction")
        self._rejected = self._counter("signals_rejected", "Signals that a gate refused", "symbol", "reason")
        self._denied = self._counter("orders_denied", "Orders that our own risk gate refused", "symbol")
        self._fills = self._counter("fills", "Fills booked", "symbol", "side", "liquidity")
        self._pnl = self._histogram("trade_pnl_usd", "Net result of a round trip", _PNL_BUCKETS, "symbol")
        self._held = self._histogram("trade_duration_seconds", "How long a round trip took", _DURATION_BUCKETS, "symbol")

    def _count_market(self) -> None:
        self._trades = self._counter("trades_processed", "Public trades taken in", "symbol")
        self._klines = self._counter("klines_built", "Klines closed", "symbol", "interval")
        self._reconnects = self._counter("reconnects", "Streams that came back", "stream")

    def _measure(self) -> None:
        self._connected = self._gauge("websocket_connected", "1 when a stream is ready", "stream")
        self._degraded = self._gauge("degraded", "1 when a stream is gone and REST carries on")
        self._state = self._gauge("agent_status", "1 for the state that holds", "status")
        self._equity = self._gauge("agent_equity_usd", "Equity by our own fold")
        self._realized = self._gauge("realized_pnl_usd", "Realised PnL of this account's journal, gross of fees")
        self._paid = self._gauge("fees_usd", "Fees paid")
        self._unrealized = self._gauge("unrealized_pnl_usd", "Open result at the mark", "symbol")
        self._exposure = self._gauge("position_exposure_usd", "Notional of the open position", "symbol")
        self._open = self._gauge("open_positions", "Positions held")
        self._unknown = self._gauge("orders_unknown", "Orders of this run whose answer did not come")

    def _measure_kept(self) -> None:
        self._journal_lost = self._gauge("journal_lost", "1 when the journal cannot be written and nothing is opened")
        self._log_lost = self._gauge("log_lines_lost", "Lines that the log could not take")
        self._store = self._gauge("store_status", "1 for the state that the store is in", "status")
        self._store_bytes = self._gauge("store_behind_bytes", "Bytes of the journal that are not in the store")
        self._store_seconds = self._gauge("store_behind_seconds", "Since the store held the whole journal; 0 while it does")
        self._store_failed = self._counter("store_failures", "Times that the database did not do what was asked")
        self._store_failures = 0

    def __call__(self, event: Event, outputs: Sequence[Output]) -> None:
        """Count one event and what the engine answered."""
        if type(event) is Trade:
            self._trades.labels(event.symbol).inc()
        elif type(event) is StreamChanged:
            self._on_stream(event)
        for output in outputs:
            if type(output) is KlineClosed:
                if not output.revised:
                    self._klines.labels(output.kline.symbol, output.kline.interval).inc()
            elif type(output) is SignalJudged:
                self._on_signal(output)
            elif type(output) is FillBooked and not output.busted:
                self._fills.labels(output.symbol, output.side, output.liquidity).inc()
            elif type(output) is RoundTripClosed:
                self._on_trip(output)
            elif type(output) is OrderDenied:
                self._denied.labels(output.symbol).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' format, gauges as of now."""
        seen, degraded = self._look()
        self._equity.set(float(seen.equity))
        self._realized.set(float(seen.realized_pnl))
        self._paid.set(float(seen.fees))
        self._degraded.set(degraded)
        self._unknown.set(seen.unknown)
        for state in _STATES:
            self._state.labels(state).set(seen.state == state)
        for stream, ready in seen.streams:
            self._connected.labels(stream).set(ready)
        self._open.set(sum(market.position is not None for market in seen.markets))
        for market in seen.markets:
            position = market.position
            price = market.mark or market.last_price or 0.0
            self._unrealized.labels(market.symbol).set(float(position.unrealized_pnl) if position else 0.0)
            self._exposure.labels(market.symbol).set(abs(float(position.size)) * price if position else 0.0)
        self._set_kept(self._kept())
        return generate_latest(self._registry)

    def _set_kept(self, kept: Kept) -> None:
        self._journal_lost.set(kept.journal_lost)
        self._log_lost.set(kept.log_lines_lost)
        for state in STORE_STATES:
            self._store.labels(state).set(kept.store.state == state)
        self._store_bytes.set(kept.store.behind_bytes)
        self._store_seconds.set(kept.store.behind_s)
        self._store_failed.inc(kept.store.failures - self._store_failures)
        self._store_failures = kept.store.failures

    def _on_stream(self, change: StreamChanged) -> None:
        if change.ready and change.stream in self._ready:
            self._reconnects.labels(change.stream).inc()
        if change.ready:
            self._ready.add(change.stream)

    def _on_signal(self, judged: SignalJudged) -> None:
        if judged.direction is not None:
            self._signals.labels(judged.symbol, judged.direction).inc()
            if judged.denied_by:
                self._rejected.labels(judged.symbol, judged.denied_by).inc()

    def _on_trip(self, trip: RoundTripClosed) -> None:
        self._trips.labels(trip.symbol, trip.direction, "win" if trip.pnl > 0 else "loss").inc()
        self._pnl.labels(trip.symbol).observe(float(trip.pnl))
        self._held.labels(trip.symbol).observe((trip.closed_at - trip.opened_at) / SECOND_US)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[int, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)


class MetricsServer:
    """`GET /metrics` on loopback for as long as the `async with` block lasts. Raises ConfigError for a port in use."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        self._metrics = metrics
        self._port = port
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(application, access_log=None)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> MetricsServer:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError("metrics-port", self._port, f"a free port ({error.strerror})") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
