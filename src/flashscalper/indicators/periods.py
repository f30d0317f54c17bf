"""The periods of the scalper's set of indicators, in klines: what `machines` and `fused` are made from."""

from __future__ import annotations

import msgspec


class Periods(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Periods in klines of the main interval. `classic` uses the original's own formulas (Cutler RSI, simple ATR ...).

    `divergence` is the classic lookback; the standard divergence compares confirmed swings (`swing_wing` klines each side)
    up to `divergence_reach` klines apart and speaks for `divergence_hold` klines.
    """

    classic: bool = False
    rsi: int = 14
    ema_fast: int = 9
    ema_mid: int = 21
    ema_slow: int = 50
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    atr: int = 14
    momentum: int = 3
    roc: int = 12
    volume_recent: int = 3
    volume_usual: int = 24
    trend_fast: int = 10
    trend_slow: int = 20
    bollinger: int = 20
    stochastic: int = 14
    williams: int = 14
    divergence: int = 14
    divergence_reach: int = 60
    divergence_hold: int = 3
    swing_wing: int = 2
    levels: int = 20

    @property
    def full_after(self) -> int:
        """Klines after which every machine of the set speaks and every window of it is full."""
        wings = 2 * self.swing_wing + 1
        return 1 + max(
            self.ema_slow, self.macd_slow + self.macd_signal, self.rsi + 1 + wings, self.atr + 1, self.momentum, self.roc,
            self.volume_recent + self.volume_usual, 2 * self.trend_slow, self.bollinger, self.stochastic + 3, self.williams,
            self.levels, wings, self.rsi + 2 * self.divergence,
        )  # fmt: skip
