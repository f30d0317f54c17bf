"""The scalper: a readable confluence score on closed klines, filters that bind, and an answer to "why not?" at every kline.

One instance serves one market. At each closed kline of the main interval: read the indicators, weigh the evidence for both
sides, ask every filter, speak or stay silent; `judgement` holds what was seen either way.
"""

from __future__ import annotations

from typing import Final

from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.regime import Regime, RegimeWatch
from flashscalper.strategies.scalper_filters import Situation, judge, wants
from flashscalper.strategies.scalper_instruments import Instruments
from flashscalper.strategies.scalper_readings import Readings
from flashscalper.strategies.scalper_score import confidence, score
from flashscalper.strategies.scalper_settings import ScalperSettings

_REGIME_NUMBER: Final = {regime: float(number) for number, regime in enumerate(Regime)}


class Scalper:
    """The classic scalper as a `Strategy`. `settings` must have been validated; `market` is the one it serves."""

    def __init__(self, settings: ScalperSettings, market: Market) -> None:
        self._settings = settings
        self._market = market
        self._instruments = Instruments(settings)
        self._regime = RegimeWatch(settings.regime)
        self._last_signal_at: int | None = None
        self._judgement: Judgement | None = None

    @property
    def intervals(self) -> tuple[str, ...]:
        """The main interval, then the confirming ones."""
        return (self._settings.interval, *self._settings.filters.confirm)

    @property
    def warmup(self) -> int:
        """Closed klines of the main interval until every indicator speaks."""
        return self._instruments.warmup

    @property
    def judgement(self) -> Judgement | None:
        """What the last closed kline of the main interval looked like, also when no signal came of it."""
        return self._judgement

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """A kline closed. Returns a signal whenever the score has a direction; its gates say whether it may be traded."""
        kline = view.kline
        if kline.interval != self._settings.interval:
            self._instruments.confirm(kline)
            return None
        self._instruments.update(kline)
        readings = self._instruments.readings()
        if readings is None:
            self._judgement = self._not_warm()
            return None
        situation = self._situate(readings, self._regime.update(readings, kline.close_at), view)
        signal = self._speak(situation)
        if live and signal is not None and all(gate.passed for gate in signal.gates):
            self._last_signal_at = view.now
        return signal

    def _situate(self, readings: Readings, regime: Regime, view: MarketView) -> Situation:
        """Everything that the filters look at, for the side that the score leans to."""
        weighed = score(readings, self._settings)
        side = weighed.leaning
        return Situation(
            side=side,
            readings=readings,
            score=weighed,
            confidence=confidence(weighed.of(side), self._settings.full_score),
            regime=regime,
            quote=view.quote,
            now=view.now,
            last_signal_at=self._last_signal_at,
            settings=self._settings,
        )

    def _speak(self, it: Situation) -> Signal | None:
        """Remember the judgement; a signal if the score alone wants one."""
        gates = judge(it)
        points, reasons = it.score.of(it.side), it.score.reasons(it.side)
        inputs = (
            *it.readings.numbers(),
            ("long", it.score.long),
            ("short", it.score.short),
            ("regime", _REGIME_NUMBER[it.regime]),
        )
        direction = it.side if wants(gates) else None
        self._judgement = Judgement(
            score=points, confidence=it.confidence, direction=direction, reasons=reasons, gates=gates, inputs=inputs
        )
        if direction is None:
            return None
        return Signal(
            direction=direction,
            confidence=it.confidence,
            reasons=reasons,
            score=points,
            entry=self._waits_at(it),
            expected_move=it.readings.atr_fraction * self._settings.expected_atr * it.confidence / 100,
            gates=gates,
            inputs=inputs,
            volatility=it.readings.atr,
        )

    def _waits_at(self, it: Situation) -> float | None:
        """The support that a long waits at, the resistance of a short; None for the touch."""
        level = it.readings.support if it.side is PositionSide.LONG else it.readings.resistance
        if self._settings.entry_at != "level" or level is None:
            return None
        away = (it.readings.close - level) * it.side.sign
        return level if 0 < away <= self._settings.entry_reach_atr * it.readings.atr else None

    def _not_warm(self) -> Judgement:
        seen, needed = self._instruments.seen, self._instruments.warmup
        return Judgement(score=0.0, confidence=0.0, reasons=(f"warming up: {min(seen, needed)} of {needed} klines",))
