"""The confluence score: readable pieces of evidence, each worth some points for one side. Pure arithmetic on `Readings`."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

import msgspec

from flashscalper.model.positions import PositionSide
from flashscalper.strategies.scalper_readings import Readings
from flashscalper.strategies.scalper_settings import ScalperSettings, ScoreWeights

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


class Evidence(msgspec.Struct, frozen=True):
    """One reason: the side it speaks for, its points and a short sentence."""

    side: PositionSide
    points: float
    text: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides' points and what they are made of."""

    long: float
    short: float
    evidence: tuple[Evidence, ...]

    @property
    def leaning(self) -> PositionSide:
        """The side with more points; long when they are equal."""
        return LONG if self.long >= self.short else SHORT

    def of(self, side: PositionSide) -> float:
        """Points of one side."""
        return self.long if side is LONG else self.short

    def reasons(self, side: PositionSide) -> tuple[str, ...]:
        """The sentences of one side, with their points."""
        return tuple(f"{item.text} (+{item.points:g})" for item in self.evidence if item.side is side)

    def pieces(self, side: PositionSide) -> int:
        """How many pieces of evidence speak for one side."""
        return sum(item.side is side for item in self.evidence)


def score(readings: Readings, settings: ScalperSettings) -> Score:
    """Weigh the readings. Evidence of weight zero is not counted, also not for the confluence."""
    found = [item for item in _evidence(readings, settings) if item.points > 0]
    bonus = settings.weights.confluence
    for side in (LONG, SHORT):
        extra = sum(item.side is side for item in found) - 1
        if bonus and extra > 0:
            found.append(Evidence(side, bonus * extra, f"{extra + 1} indicators agree"))
    return Score(
        long=sum(item.points for item in found if item.side is LONG),
        short=sum(item.points for item in found if item.side is SHORT),
        evidence=tuple(found),
    )


def confidence(points: float, full_score: float) -> float:
    """Points as a percentage of `full_score`, rounded half up to a whole number, at most 100."""
    return float(min(100, floor(points / full_score * 100 + 0.5)))


def _evidence(readings: Readings, settings: ScalperSettings) -> Iterator[Evidence]:
    yield from _trend_evidence(readings, settings.weights)
    yield from _macd_evidence(readings, settings.weights)
    yield from _rsi_evidence(readings, settings.weights)
    yield from _volume_evidence(readings, settings)
    yield from _shape_evidence(readings, settings)
    yield from _oscillator_evidence(readings, settings.weights)


def _trend_evidence(now: Readings, weights: ScoreWeights) -> Iterator[Evidence]:
    if now.close > now.ema_fast > now.ema_mid > now.ema_slow:
        yield Evidence(LONG, weights.ema_stack, "averages stacked upwards")
    elif now.close < now.ema_fast < now.ema_mid < now.ema_slow:
        yield Evidence(SHORT, weights.ema_stack, "averages stacked downwards")
    if now.close > now.ema_fast:
        yield Evidence(LONG, weights.ema_price, "price above its fast average")
    elif now.close < now.ema_fast:
        yield Evidence(SHORT, weights.ema_price, "price below its fast average")
    if now.trend.direction is not None:
        yield Evidence(now.trend.direction, weights.trend, f"trend {now.trend}")


def _macd_evidence(now: Readings, weights: ScoreWeights) -> Iterator[Evidence]:
    if now.macd_cross is not None:
        yield Evidence(now.macd_cross, weights.macd_cross, f"MACD crossed {'up' if now.macd_cross is LONG else 'down'}")
    if now.macd_hist != 0:
        side, word = (LONG, "positive") if now.macd_hist > 0 else (SHORT, "negative")
        yield Evidence(side, weights.macd_sign, f"MACD histogram {word}")


def _rsi_evidence(now: Readings, weights: ScoreWeights) -> Iterator[Evidence]:
    if now.rsi < 40:
        points = weights.rsi_extreme if now.rsi < 30 else weights.rsi_mild
        yield Evidence(LONG, points, f"RSI {now.rsi:.0f} low")
    elif now.rsi > 60:
        points = weights.rsi_extreme if now.rsi > 70 else weights.rsi_mild
        yield Evidence(SHORT, points, f"RSI {now.rsi:.0f} high")


def _volume_evidence(now: Readings, settings: ScalperSettings) -> Iterator[Evidence]:
    """A spike of volume speaks for the side to which the price moved with it."""
    if now.volume_ratio > settings.volume_spike and now.momentum != 0:
        side = LONG if now.momentum > 0 else SHORT
        yield Evidence(side, settings.weights.volume, f"volume {now.volume_ratio:.1f} x usual with the move")


def _shape_evidence(now: Readings, settings: ScalperSettings) -> Iterator[Evidence]:
    weights = settings.weights
    if now.pattern_side is not None:
        yield Evidence(now.pattern_side, weights.pattern, now.pattern.replace("_", " "))
    if now.bounce_side is LONG or (now.bounce_side is SHORT and settings.bounce_both_sides):
        yield Evidence(now.bounce_side, now.bounce_points * weights.bounce, "bounce off an extreme")
    if now.divergence_side is not None:
        points = weights.divergence + now.divergence_strength * weights.divergence_strength if weights.divergence else 0.0
        word = "bullish" if now.divergence_side is LONG else "bearish"
        yield Evidence(now.divergence_side, points, f"{word} divergence of price and RSI")


def _oscillator_evidence(now: Readings, weights: ScoreWeights) -> Iterator[Evidence]:
    """Evidence that the original advertised but no longer scored; weight zero unless somebody wants it."""
    for low, high, value, points, name in (
        (0.2, 0.8, now.percent_b, weights.bollinger, "Bollinger %B"),
        (20.0, 80.0, now.stoch_k, weights.stochastic, "stochastic"),
        (-80.0, -20.0, now.williams_r, weights.williams, "Williams %R"),
    ):
        if value < low:
            yield Evidence(LONG, points, f"{name} low")
        elif value > high:
            yield Evidence(SHORT, points, f"{name} high")
    if now.stoch_k != now.stoch_d:
        side = LONG if now.stoch_k > now.stoch_d else SHORT
        yield Evidence(side, weights.stochastic_cross, f"stochastic %K {'above' if side is LONG else 'below'} %D")
    if abs(now.roc) > 0.5:
        side = LONG if now.roc > 0 else SHORT
        points = weights.roc_strong if abs(now.roc) > 2 else weights.roc_mild
        yield Evidence(side, points, f"rate of change {now.roc:+.1f} %")
