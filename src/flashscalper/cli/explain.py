"""`flashscalper explain`: why it traded, or why not, in lines that a person reads, from any run's journal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.cli.table import text_table
from flashscalper.model.amounts import plain
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.model.records import FillBooked, OrderStateChanged, SignalJudged
from flashscalper.runtime.answers import (
    Answers,
    MarketSummary,
    OrderStory,
    Summary,
    TripStory,
    find_run,
    read_answers,
)
from flashscalper.runtime.clock import WallClock
from flashscalper.trading.misses import needs_text, other_class_text

_WHAT: Final = (
    "a time (UTC, `2026-01-01 12:00:05` or `12:00:05`), a round trip (`3`), a fill (`fill:1`) or a client order id"
)
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_IN_A_LINE: Final = 4

Answer = tuple[SignalJudged, ...] | OrderStory | TripStory | Summary


def explain(run: str, what: str, *, summary: bool, market: str, runs: Path, json: bool) -> int:
    """Print the answer; exit code 0. Raises ConfigError for a run, moment, trade or order that does not exist."""
    if summary and what:
        raise ConfigError("explain", f"{what} and --summary", "one of them")
    folder = find_run(run, runs)
    _, answers = read_answers(folder)
    symbol = market.strip().upper()
    if symbol and symbol not in answers.symbols:
        raise ConfigError("market", market, ", ".join(answers.symbols) or "nothing: no kline was judged in this run yet")
    answer: Answer = answers.summary() if summary else find_answer(answers, what, symbol)
    if json:
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        return 0
    for line in (f"run {folder.name}", *lines_of(answer)):
        sys.stdout.write(f"{line}\n")
    return 0


def find_answer(answers: Answers, what: str, symbol: str = "") -> Answer:
    """What a person asked for: nothing means the last look at each market."""
    text = what.strip()
    if not text:
        return answers.at(answers.until_at, symbol)
    if text.removeprefix("#").isdecimal():
        return answers.trip(int(text.removeprefix("#")))
    if text.startswith("fs-"):
        return answers.order(text)
    kind, colon, number = text.partition(":")
    if colon and kind.isidentifier() and number.isalnum():
        return answers.trip_of_fill(text)
    return answers.at(parse_moment(text, answers), symbol)


def parse_moment(text: str, answers: Answers) -> int:
    """A time as microseconds UTC. A time of day belongs to the run's only day; ConfigError says what is accepted."""
    try:
        if _CLOCK.fullmatch(text):
            return _on_its_day(time.fromisoformat(text.zfill(len(text) + (text.index(":") == 1))), answers)
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError("explain", text, _WHAT) from None
    if not 1970 <= stamp.year <= 2200:
        raise ConfigError("explain", text, _WHAT)
    aware = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    moment = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return moment if len(text) > len("2026-01-01") else moment + DAY_US - 1


def _on_its_day(clock: time, answers: Answers) -> int:
    first, last = answers.from_at // DAY_US, answers.until_at // DAY_US
    if first != last:
        raise ConfigError("explain", clock.isoformat(), "a date with the time, because this run had more than one day")
    seconds = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
    return first * DAY_US + seconds // timedelta(microseconds=1)


def lines_of(answer: Answer) -> Iterator[str]:
    """An answer as lines."""
    if isinstance(answer, Summary):
        yield from _summary_lines(answer)
    elif isinstance(answer, TripStory):
        yield from _trip_lines(answer)
    elif isinstance(answer, OrderStory):
        yield from _order_lines(answer)
        if answer.signal is not None:
            yield ""
            yield from _look_lines(answer.signal)
    else:
        for number, look in enumerate(answer):
            if number:
                yield ""
            yield from _look_lines(look)


# One look


def _look_lines(look: SignalJudged) -> Iterator[str]:
    side = "no direction" if look.direction is None else str(look.direction)
    verdict = {"entered": f"entered as {look.client_id}", "denied": f"denied by {look.denied_by}"}.get(look.outcome)
    verdict = verdict or (f"no signal ({look.denied_by})" if look.denied_by else "no signal")
    yield f"{stamp(look.judged_at)}  {look.symbol} {look.interval}  {verdict}"
    yield f"  {side}, score {look.score:g}, confidence {look.confidence:g} %"
    if look.reasons:
        yield f"  because: {'; '.join(look.reasons)}"
    if look.gates:
        rows = [("yes" if gate.passed else "NO", gate.code, gate.needed, gate.seen) for gate in look.gates]
        yield from _indented(text_table(("", "gate", "needed", "seen"), rows))
    for group in _grouped([f"{name} {value:g}" for name, value in look.inputs]):
        yield f"  {', '.join(group)}"


def _grouped(parts: list[str]) -> Iterator[list[str]]:
    width = 2 * _IN_A_LINE
    for start in range(0, len(parts), width):
        yield parts[start : start + width]


# Orders and round trips


def _order_lines(story: OrderStory) -> Iterator[str]:
    order = story.order
    price = order.trigger_price if order.trigger_price is not None else order.price
    where = "" if price is None else f" {'at the trigger' if order.trigger_price is not None else 'at'} {plain(price)}"
    extra = ", reduce-only" if order.reduce_only else ""
    yield (
        f"{story.client_id}  {order.role}: {order.side} {plain(order.size)} {order.symbol}{where} "
        f"({order.type}, {order.time_in_force}{extra}), {order.reason}"
    )
    yield from (line for _, line in sorted(_order_moments(story), key=lambda moment: moment[0]))


def _order_moments(story: OrderStory) -> Iterator[tuple[int, str]]:
    for step in story.steps:
        yield step.changed_at, f"  {clock(step.changed_at)}  {_step_text(step)}"
    for at, request in story.requests:
        kind = type(request).__name__.removesuffix("Order").lower()
        yield at, f"  {clock(at)}  asked to {kind}: {request.reason}"
    for fill in story.fills:
        yield fill.filled_at, f"  {clock(fill.filled_at)}  {_fill_text(fill)}"


def _step_text(step: OrderStateChanged) -> str:
    detail = f" ({step.detail})" if step.detail else ""
    return f"{step.before} -> {step.after}: {step.cause}{detail}"


def _fill_text(fill: FillBooked) -> str:
    taken = " TAKEN BACK" if fill.busted else ""
    return (
        f"{fill.fill_key}{taken} {fill.side} {plain(fill.size)} at {plain(fill.price)} as {fill.liquidity}, "
        f"fee {plain(fill.fee)}, {fill.reason}; position {plain(fill.size_after)}"
    )


def _trip_lines(story: TripStory) -> Iterator[str]:
    trip = story.trip
    yield (
        f"round trip {story.number}: {trip.symbol} {trip.direction} {plain(trip.size)} from {plain(trip.entry_price)} to "
        f"{_short(trip.exit_price)}, left by {trip.exit_reason}"
    )
    yield f"  {stamp(trip.opened_at)} to {clock(trip.closed_at)} ({(trip.closed_at - trip.opened_at) / SECOND_US:.1f} s)"
    gross = trip.pnl + trip.fees - trip.funding
    yield f"  net {plain(trip.pnl)} = price {plain(gross)} - fees {plain(trip.fees)} + funding {plain(trip.funding)}"
    if trip.risk:
        yield f"  stated before: risk {plain(trip.risk)}, of it costs {plain(trip.costs)}"
    if story.signal is not None:
        yield ""
        yield from _look_lines(story.signal)
    for order in story.orders:
        yield ""
        yield from _order_lines(order)
    if story.protection:
        yield ""
        yield "protection"
    for change in story.protection:
        stop = (
            ""
            if change.stop_price is None
            else f", stop {plain(change.stop_size or Decimal(0))} at {plain(change.stop_price)}"
        )
        detail = f" ({change.detail})" if change.detail else ""
        yield f"  {clock(change.changed_at)}  {change.before} -> {change.after}{stop}{detail}"


# The summary


def _summary_lines(found: Summary) -> Iterator[str]:
    yield f"  {stamp(found.from_at)} to {stamp(found.until_at)}"
    looks = sum(market.looks for market in found.markets)
    counts = f"{found.signals} signals, {found.entered} entered, {found.round_trips} round trips closed"
    yield f"  {looks} closed klines judged, {counts}"
    yield from _counted("signals denied by", found.denied)
    silent: dict[str, int] = {}
    for market in found.markets:
        for code, count in market.silent.items():
            silent[code] = silent.get(code, 0) + count
    yield from _counted("no signal because of", dict(sorted(silent.items(), key=lambda item: -item[1])))
    yield from _counted("orders denied by", found.orders_denied)
    yield ""
    yield "nearest miss"
    for market in found.markets:
        yield f"  {market.symbol}: {miss_text(market)}"


def _counted(title: str, counts: dict[str, int]) -> Iterator[str]:
    if counts:
        yield f"  {title}: {', '.join(f'{code} {count}' for code, count in counts.items())}"


def miss_text(market: MarketSummary) -> str:
    """`cost needs 9.6 bps, had 6.1 bps`, and what the other fee class would have let through."""
    look = market.nearest_miss
    text = "nothing was refused" if market.looks else "nothing judged yet"
    if look is not None:
        side = f"{look.direction or 'no direction'}, {look.confidence:g} %, {stamp(look.judged_at)}"
        text = f"{needs_text(look)} ({side})"
    return text + other_class_text(market.other_class, market.other_passes, _day(market.day))


def _day(day: int) -> str:
    if day == WallClock().now() // DAY_US * DAY_US:
        return "today"
    return f"on {_date(day).isoformat()}"


# Words


def stamp(at: int) -> str:
    """An instant as people read it: UTC, to the millisecond."""
    return f"{_date(at).isoformat()} {clock(at)}"


def clock(at: int) -> str:
    """The time of day of an instant, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at / SECOND_US, UTC)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _date(at: int) -> date:
    return datetime.fromtimestamp(at / SECOND_US, UTC).date()


def _indented(table: str) -> Iterable[str]:
    return (f"  {line}" for line in table.splitlines())


def _short(price: Decimal) -> str:
    """An average price may have 28 digits; eight places are enough to read."""
    return plain(price.quantize(Decimal("0.00000001")).normalize())
