"""The filters: what forbids a trade that the score wants. Each is one function, one code and one verdict with its numbers.

All of them are asked every time (so that the nearest miss is known), every one binds, and one that is switched off is
not in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from flashscalper.model.events import BestQuote
from flashscalper.model.instants import SECOND_US
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.regime import Regime
from flashscalper.strategies.scalper_readings import Readings, Trend
from flashscalper.strategies.scalper_score import Score
from flashscalper.strategies.scalper_settings import ScalperSettings

LONG = PositionSide.LONG


class FilterCode(StrEnum):
    """Every reason for which the scalper itself refuses a trade; fixed, so that labels of metrics stay bounded."""

    SCORE = "score"
    LEAD = "lead"
    CONFIDENCE = "confidence"
    CONFLUENCE = "confluence"
    HOURS = "hours"
    RSI_RANGE = "rsi_range"
    RSI_SIDE = "rsi_side"
    VOLUME = "volume"
    MOMENTUM = "momentum"
    COUNTER_TREND = "counter_trend"
    TREND_ALIGNED = "trend_aligned"
    TREND_STRENGTH = "trend_strength"
    VOLATILITY = "volatility"
    SPREAD = "spread"
    ROOM = "room"
    REGIME = "regime"
    TIMEFRAMES = "timeframes"
    COOLDOWN = "cooldown"


_DIRECTION: Final = (FilterCode.SCORE, FilterCode.LEAD)


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the filters may look at. `side`: where the score leans; `last_signal_at`: our last tradable signal."""

    side: PositionSide
    readings: Readings
    score: Score
    confidence: float
    regime: Regime
    quote: BestQuote | None
    now: int
    last_signal_at: int | None
    settings: ScalperSettings


def judge(situation: Situation) -> tuple[Gate, ...]:
    """Every filter that is switched on, in order, with its verdict."""
    return tuple(gate for ask in FILTERS for gate in ask(situation))


def wants(gates: tuple[Gate, ...]) -> bool:
    """The score by itself is enough and clear: there is a direction, whatever the other filters say."""
    return all(gate.passed for gate in gates if gate.code in _DIRECTION)


def _score(it: Situation) -> Iterator[Gate]:
    mine = it.score.of(it.side)
    yield Gate(FilterCode.SCORE, mine >= it.settings.min_score, f"{it.settings.min_score:g} points", f"{mine:g}")


def _lead(it: Situation) -> Iterator[Gate]:
    mine, other = it.score.of(it.side), it.score.of(it.side.opposite)
    yield Gate(FilterCode.LEAD, mine > other * it.settings.lead, f"over {it.settings.lead:g} x {other:g}", f"{mine:g}")


def _confidence(it: Situation) -> Iterator[Gate]:
    least = it.settings.min_confidence
    yield Gate(FilterCode.CONFIDENCE, it.confidence >= least, f"{least:g} %", f"{it.confidence:g} %")


def _confluence(it: Situation) -> Iterator[Gate]:
    least, seen = it.settings.filters.min_confluence, it.score.pieces(it.side)
    if least:
        yield Gate(FilterCode.CONFLUENCE, seen >= least, f"{least} pieces of evidence", f"{seen}")


def _hours(it: Situation) -> Iterator[Gate]:
    hours = it.settings.filters.hours
    if hours is not None:
        start, end = hours
        hour = it.readings.hour
        inside = start <= hour < end if start < end else hour >= start or hour < end
        yield Gate(FilterCode.HOURS, inside, f"{start:02d}:00 to {end:02d}:00 UTC", f"{hour:02d} h")


def _rsi_range(it: Situation) -> Iterator[Gate]:
    low, high = it.settings.filters.rsi_lowest, it.settings.filters.rsi_highest
    yield Gate(FilterCode.RSI_RANGE, low <= it.readings.rsi <= high, f"RSI {low:g} to {high:g}", f"{it.readings.rsi:.1f}")


def _rsi_side(it: Situation) -> Iterator[Gate]:
    """No long into overbought; no short into oversold unless the market is falling already."""
    rules, rsi = it.settings.filters, it.readings.rsi
    if it.side is LONG and rules.rsi_long_max is not None:
        yield Gate(FilterCode.RSI_SIDE, rsi <= rules.rsi_long_max, f"RSI at most {rules.rsi_long_max:g}", f"{rsi:.1f}")
    elif it.side is not LONG and rules.rsi_short_min is not None:
        falling = it.readings.momentum < -0.1 or it.readings.trend is Trend.DOWN
        passed = rsi >= rules.rsi_short_min or falling
        yield Gate(FilterCode.RSI_SIDE, passed, f"RSI at least {rules.rsi_short_min:g} or a falling market", f"{rsi:.1f}")


def _volume(it: Situation) -> Iterator[Gate]:
    least = it.settings.filters.min_volume_ratio
    if least is not None:
        seen = it.readings.volume_ratio
        yield Gate(FilterCode.VOLUME, seen >= least, f"{least:g} x usual volume", f"{seen:.2f} x")


def _momentum(it: Situation) -> Iterator[Gate]:
    most = it.settings.filters.max_momentum
    if most is not None:
        seen = it.readings.momentum
        yield Gate(FilterCode.MOMENTUM, abs(seen) <= most, f"a move of at most {most:g} %", f"{seen:+.3f} %")


def _counter_trend(it: Situation) -> Iterator[Gate]:
    """Against the trend only with a divergence to our side, or very sure."""
    rules = it.settings.filters
    if rules.counter_trend and not rules.trend_aligned:
        against = it.readings.trend.direction is it.side.opposite
        excused = it.readings.divergence_side is it.side or it.confidence >= rules.counter_trend_confidence
        needed = f"with the trend, a divergence or {rules.counter_trend_confidence:g} % confidence"
        yield Gate(FilterCode.COUNTER_TREND, not against or excused, needed, f"{it.side} in trend {it.readings.trend}")


def _trend_aligned(it: Situation) -> Iterator[Gate]:
    if it.settings.filters.trend_aligned:
        passed = it.readings.trend.direction is it.side
        yield Gate(FilterCode.TREND_ALIGNED, passed, f"a trend to the {it.side} side", f"trend {it.readings.trend}")


def _trend_strength(it: Situation) -> Iterator[Gate]:
    least = it.settings.filters.min_trend_strength
    if least is not None:
        seen = it.readings.trend_strength
        yield Gate(FilterCode.TREND_STRENGTH, seen >= least, f"trend strength {least:g}", f"{seen:.2f}")


def _volatility(it: Situation) -> Iterator[Gate]:
    low, high = it.settings.filters.min_atr_bps, it.settings.filters.max_atr_bps
    if low is not None or high is not None:
        seen = it.readings.atr_fraction * 10_000
        passed = (low is None or seen >= low) and (high is None or seen <= high)
        text = " to ".join(f"{edge:g}" if edge is not None else "any" for edge in (low, high))
        yield Gate(FilterCode.VOLATILITY, passed, f"ATR {text} bps", f"{seen:.2f} bps")


def _spread(it: Situation) -> Iterator[Gate]:
    """Spread in shares of the ATR; without a two-sided quote there is nothing to trade against."""
    most = it.settings.filters.max_spread_atr
    if most is None:
        return
    quote = it.quote
    if quote is None or quote.bid is None or quote.ask is None:
        yield Gate(FilterCode.SPREAD, False, f"spread of at most {most:g} ATR", "no quote")
        return
    spread = quote.ask - quote.bid
    seen = f"{spread:.6g} of ATR {it.readings.atr:.6g}"
    yield Gate(FilterCode.SPREAD, spread <= most * it.readings.atr, f"spread of at most {most:g} ATR", seen)


def _room(it: Situation) -> Iterator[Gate]:
    """A level in the way must be some way off; a level that is not known is not in the way."""
    least = it.settings.filters.min_room_atr
    level = it.readings.resistance if it.side is LONG else it.readings.support
    if least:
        room = None if level is None else (level - it.readings.close) * it.side.sign
        passed = room is None or room < 0 or room >= least * it.readings.atr
        seen = (
            "no level in the way"
            if room is None
            else f"{room / it.readings.atr:.2f} ATR"
            if it.readings.atr
            else f"{room:g}"
        )
        yield Gate(FilterCode.ROOM, passed, f"{least:g} ATR to the next level", seen)


def _regime(it: Situation) -> Iterator[Gate]:
    forbidden = it.settings.filters.forbidden_regimes
    if forbidden:
        yield Gate(FilterCode.REGIME, it.regime not in forbidden, f"not {' or '.join(forbidden)}", it.regime)


def _timeframes(it: Situation) -> Iterator[Gate]:
    """Every confirming interval must be known and must not trend the other way."""
    if it.readings.higher:
        words = ", ".join(f"{interval} {trend or 'not warm'}" for interval, trend in it.readings.higher)
        passed = all(trend is not None and trend.direction is not it.side.opposite for _, trend in it.readings.higher)
        yield Gate(FilterCode.TIMEFRAMES, passed, f"no longer interval against {it.side}", words)


def _cooldown(it: Situation) -> Iterator[Gate]:
    least = it.settings.filters.cooldown_s
    if least:
        since = None if it.last_signal_at is None else (it.now - it.last_signal_at) / SECOND_US
        seen = "no signal before" if since is None else f"{since:.0f} s"
        yield Gate(FilterCode.COOLDOWN, since is None or since >= least, f"{least:g} s since the last signal", seen)


FILTERS: Final[tuple[Callable[[Situation], Iterator[Gate]], ...]] = (
    _score, _lead, _confidence, _confluence, _hours, _rsi_range, _rsi_side, _volume, _momentum, _counter_trend,
    _trend_aligned, _trend_strength, _volatility, _spread, _room, _regime, _timeframes, _cooldown,
)  # fmt: skip
"""Every filter in the order in which the first failing one names the refusal."""
