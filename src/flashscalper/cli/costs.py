"""`flashscalper costs`: what a round trip costs in each market and fee class, measured, before anybody trades."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.cli.demo import STARTED_AT
from flashscalper.cli.feeds import SYNTHETIC, open_recording, open_synthetic, parse_symbols
from flashscalper.cli.markets import read_markets
from flashscalper.cli.settings import read_settings
from flashscalper.cli.table import text_table
from flashscalper.cli.target import Target
from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder, ReleaseOrder
from flashscalper.model.errors import ConfigError, JournalError
from flashscalper.model.events import BestQuote, Event, FeeClass, FeesLearned, MarketsListed
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.runtime.answers import JOURNAL, find_run
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.journal import journal_metadata, read_journal
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.tape import read_tape
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import Quote, QuoteTouched
from flashscalper.simulator.feeds.base import Feed
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.trading.costs import CostSettings, EntryStyle, bps, estimate_costs
from flashscalper.trading.drift import DriftMeter
from flashscalper.trading.fees import RETAIL_LIMITS, SPEED_BUMP_S, Fees, MarketFees

LEAST_S: Final = 35.0
MOST_S: Final = 86_400.0
_SIMULATED: Final = ("demo", "paper")
_ORDERS: Final = (PlaceOrder, ReleaseOrder)
"""Commands that make an order leave."""
_DAY_LIMIT: Final = max(limit for limit, _ in RETAIL_LIMITS)
_HEADS: Final = ("market", "class", "maker", "taker", "spread", "drift", "orders left today", "break-even")
_FIGURES: Final = frozenset(range(2, len(_HEADS)))


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """One market in one class; fractions of the price.

    `spread` and `drift` are means of what was measured (None: too little was seen, and the settings' stand-in is used),
    `break_even` the move that pays for a round trip. `orders_left` None: no limit.
    """

    symbol: str
    fee_class: FeeClass
    maker: Decimal
    taker: Decimal
    spread: Decimal | None
    drift: Decimal | None
    orders_left: int | None
    break_even: Decimal


class Meter:
    """Spread and drift of one market from its quotes: the mean spread at the moments at which the drift is looked at."""

    def __init__(self) -> None:
        self.drift = DriftMeter(SPEED_BUMP_S)
        self._standing: BestQuote | None = None
        self._spreads = 0.0
        self._looks = 0

    def take(self, quote: BestQuote, at: int) -> None:
        """A quote as it came."""
        if at >= self.drift.due_at:
            self.drift.take(self._standing, at)
            if self._standing is not None:
                self._look(self._standing)
        self._standing = quote

    @property
    def spread(self) -> Decimal | None:
        """Mean spread as a fraction of the mid."""
        return Decimal(repr(self._spreads / self._looks)) if self._looks else None

    def _look(self, quote: BestQuote) -> None:
        bid, ask = quote.bid, quote.ask
        if bid is not None and ask is not None and 0 < bid <= ask:
            self._spreads += 2 * (ask - bid) / (ask + bid)
            self._looks += 1


class Measured:
    """Everything that the table is made of. Quotes by class, because Retail takers meet the interactive book; `source` says
    where both classes had to be measured on one book."""

    def __init__(self, markets: Sequence[Market]) -> None:
        self.fees = {market.symbol: MarketFees(market) for market in markets}
        self.meters = {fee_class: {market.symbol: Meter() for market in markets} for fee_class in FeeClass}
        self.sent = 0
        self.source = ""

    def quote(self, quote: BestQuote, at: int, classes: Iterable[FeeClass] = tuple(FeeClass)) -> None:
        """A quote that these classes meet."""
        for fee_class in classes:
            meter = self.meters[fee_class].get(quote.symbol)
            if meter is not None:
                meter.take(quote, at)

    def rows(self, settings: CostSettings, style: EntryStyle) -> list[CostRow]:
        """The table, by market, Pro before Retail."""
        return [self._row(symbol, fee_class, settings, style) for symbol in sorted(self.fees) for fee_class in FeeClass]

    def _row(self, symbol: str, fee_class: FeeClass, settings: CostSettings, style: EntryStyle) -> CostRow:
        meter, fees = self.meters[fee_class][symbol], self.fees[symbol].of(fee_class)
        retail = fee_class is FeeClass.RETAIL
        spread, drift = meter.spread, meter.drift.value if retail else ZERO
        assumed = Decimal(repr(settings.default_drift_bps)) / 10_000
        half = 1.0 if spread is None else float(spread) / 2
        costs = estimate_costs(
            settings, style=style, direction=PositionSide.LONG, maker_fee=fees.maker, taker_fee=fees.taker,
            quote=None if spread is None else BestQuote(symbol, 1 - half, 1.0, 1 + half, 1.0, 0),
            drift=assumed if drift is None else drift,
        )  # fmt: skip
        return CostRow(
            symbol=symbol, fee_class=fee_class, maker=fees.maker, taker=fees.taker, spread=spread, drift=drift,
            orders_left=max(0, _DAY_LIMIT - self.sent) if retail else None, break_even=costs.total,
        )  # fmt: skip


def costs(
    *, feed: str, seconds: float, seed: int, markets: str, run: str, runs: Path, target: Target | None, json: bool
) -> int:
    """Measure and print; exit code 0. `run` measures a run's tape, `target` an exchange, otherwise `feed` is played."""
    if not LEAST_S <= seconds <= MOST_S:
        raise ConfigError("seconds", seconds, f"{LEAST_S:g} (what the drift needs) to {MOST_S:g}")
    settings = read_settings(None).trading
    symbols = parse_symbols(markets)
    if run:
        measured = measure_run(find_run(run, runs), symbols)
    elif target is not None:
        measured = run_loop(measure_exchange(target, symbols, seconds))
        measured.sent = orders_of_today(runs, WallClock().now())
        measured.source = " Spreads are the API book's; Retail takers also meet RPI orders, so theirs is at most that."
    else:
        measured = measure_feed(feed, seed, symbols, seconds)
    rows = measured.rows(settings.costs, settings.entry.style)
    if json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return 0
    sys.stdout.write(text_table(_HEADS, [_cells(row) for row in rows], right=_FIGURES) + "\n")
    sys.stdout.write(f"{_footnote(settings.costs, settings.entry.style)}{measured.source}\n")
    return 0


def measure_feed(feed: str, seed: int, symbols: tuple[str, ...], seconds: float) -> Measured:
    """Play a feed through the exchange in a box, without an account: what both kinds of takers would have met."""
    source: Feed
    if feed == SYNTHETIC:
        source, started_at = open_synthetic(seed=seed, symbols=symbols, started_at=STARTED_AT), STARTED_AT
    else:
        recording = open_recording(feed, symbols=symbols)
        source, started_at = recording, recording.start_at
    wanted = [market for market in source.markets if not symbols or market.symbol in symbols]
    measured, exchange = Measured(wanted), Exchange.for_feed(source, ExchangeRules(), started_at)
    until = started_at + int(seconds * SECOND_US)
    while (at := source.next_at()) is not None and at <= until:
        exchange.feed(source.pop(exchange), at)
        for fact in exchange.drain():
            if isinstance(fact, QuoteTouched) and fact.symbol in measured.fees:
                measured.quote(_seen(fact.symbol, exchange.quote(fact.symbol)), at, (FeeClass.PRO,))
                measured.quote(_seen(fact.symbol, exchange.interactive_quote(fact.symbol)), at, (FeeClass.RETAIL,))
    return measured


async def measure_exchange(target: Target, symbols: tuple[str, ...], seconds: float) -> Measured:
    """Listen to the quotes of an exchange for so long. Needs no key: the fees are the exchange's list."""
    wanted = symbols or tuple(market.symbol for market in DEFAULT_MARKETS)
    measured = Measured(await read_markets(target, wanted))
    client = ParadexWebSocketClient(target.settings)

    async def listen() -> None:
        async for event in client:
            if isinstance(event, BestQuote):
                measured.quote(event, event.quoted_at)

    try:
        await client.connect()
        for symbol in measured.fees:
            await client.subscribe_best_quote(symbol)
        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(seconds)
    finally:
        await client.disconnect()
    await listening
    return measured


def measure_run(folder: Path, symbols: tuple[str, ...]) -> Measured:
    """What a run met: its tape's quotes, the fees that the account told, the orders of its last day."""
    tape, listed, learned = folder / "tape", dict[str, Market](), list[FeesLearned]()
    for recorded in read_tape(tape):
        _learn(recorded.event, listed, learned)
    wanted = [market for symbol, market in listed.items() if not symbols or symbol in symbols]
    if not wanted:
        raise ConfigError(
            "markets", ", ".join(symbols) or "none", ", ".join(listed) or "a run that got as far as its markets"
        )
    measured = Measured(wanted)
    for fees in learned:
        if fees.symbol in measured.fees:
            measured.fees[fees.symbol].learn(fees.fee_class, Fees(fees.maker, fees.taker))
    for recorded in read_tape(tape):
        if isinstance(recorded.event, BestQuote):
            measured.quote(recorded.event, recorded.at)
    chosen = learned[-1].fee_class if learned else FeeClass.PRO
    measured.source = f" Spreads are what this run met as {chosen}."
    entries = [(at, content) for at, content in read_journal(folder / JOURNAL) if isinstance(content, _ORDERS)]
    measured.sent = sum(1 for at, _ in entries if at > entries[-1][0] - DAY_US)
    return measured


def orders_of_today(runs: Path, now: int) -> int:
    """Orders that left in the last 24 hours by the journals of runs at a real exchange; what others sent nobody knows."""
    count = 0
    for journal in runs.glob(f"*/{JOURNAL}"):
        try:
            if journal_metadata(journal).get("mode") not in _SIMULATED:
                count += sum(
                    1 for at, content in read_journal(journal) if isinstance(content, _ORDERS) and at > now - DAY_US
                )
        except JournalError:
            continue
    return count


def _learn(event: Event, listed: dict[str, Market], learned: list[FeesLearned]) -> None:
    if isinstance(event, MarketsListed):
        listed.update({market.symbol: market for market in event.markets})
    elif isinstance(event, FeesLearned):
        learned.append(event)


def _footnote(settings: CostSettings, style: EntryStyle) -> str:
    share = f", {settings.top_up_share:.0%} of it taken" if style is EntryStyle.POST_ONLY_THEN_IOC else ""
    assumed = f"entry {style}{share}, exit taken, slippage {settings.slippage_bps:g} bps for each taker leg"
    return f"bps of the price; {assumed}. Beyond Retail's limits an order counts as Pro."


def _seen(symbol: str, quote: Quote) -> BestQuote:
    bid, ask = (None if price is None else float(price) for price in (quote.bid, quote.ask))
    return BestQuote(symbol, bid, float(quote.bid_size), ask, float(quote.ask_size), quote.at)


def _cells(row: CostRow) -> tuple[str, ...]:
    left = "no limit" if row.orders_left is None else f"{row.orders_left:,} of {_DAY_LIMIT:,}"
    drift = "-" if row.fee_class is FeeClass.PRO else _bps(row.drift)
    fees = _bps(row.maker), _bps(row.taker)
    return (row.symbol, str(row.fee_class), *fees, _bps(row.spread), drift, left, _bps(row.break_even))


def _bps(fraction: Decimal | None) -> str:
    return "not seen" if fraction is None else bps(fraction)
