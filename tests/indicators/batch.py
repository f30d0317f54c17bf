"""Every indicator written plainly over the whole series: slow, without state, the oracle of the incremental ones.

Each function takes all klines so far and says what the indicator must say now.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum
from statistics import fmean, pstdev

from flashscalper.indicators.oscillators import RSI
from flashscalper.model.instants import DAY_US
from flashscalper.model.klines import Kline

Klines = Sequence[Kline]


def closes(klines: Klines) -> list[float]:
    return [kline.close for kline in klines]


def sma(klines: Klines, period: int) -> float | None:
    return fmean(closes(klines)[-period:]) if len(klines) >= period else None


def _smoothed(numbers: Sequence[float], weight: float, seed: int) -> list[float]:
    values = [fmean(numbers[:seed])] if len(numbers) >= seed else []
    for number in numbers[seed:]:
        values.append(values[-1] * (1.0 - weight) + number * weight)
    return values


def ema(klines: Klines, period: int, *, classic: bool) -> float | None:
    values = _smoothed(closes(klines), 2.0 / (period + 1), 1 if classic else period)
    return values[-1] if values else None


def rsi(klines: Klines, period: int, *, classic: bool) -> float | None:
    changes = [after - before for before, after in pairwise(closes(klines))]
    if len(changes) < period:
        return None
    gains, losses = [max(change, 0.0) for change in changes], [max(-change, 0.0) for change in changes]
    if classic:
        gain, loss = fmean(gains[-period:]), fmean(losses[-period:])
        return 100.0 if loss == 0.0 else 100.0 - 100.0 / (1.0 + gain / loss)
    gain, loss = _smoothed(gains, 1.0 / period, period)[-1], _smoothed(losses, 1.0 / period, period)[-1]
    if loss == 0.0:
        return 100.0 if gain else 50.0
    return 100.0 - 100.0 / (1.0 + gain / loss)


def macd(klines: Klines, fast: int, slow: int, signal: int, *, classic: bool) -> tuple[float | None, float | None]:
    """The line and its signal."""
    numbers = closes(klines)
    if classic:
        quick, calm = _smoothed(numbers, 2 / (fast + 1), 1), _smoothed(numbers, 2 / (slow + 1), 1)
    else:
        quick, calm = _smoothed(numbers[slow - fast :], 2 / (fast + 1), fast), _smoothed(numbers, 2 / (slow + 1), slow)
    line = [a - b for a, b in zip(quick[len(quick) - len(calm) :], calm, strict=True)] if calm else []
    signals = _smoothed(line, 2 / (signal + 1), 1 if classic else signal)
    return (line[-1] if line else None), (signals[-1] if signals else None)


def atr(klines: Klines, period: int, *, classic: bool) -> float | None:
    ranges = [max(now.high, before.close) - min(now.low, before.close) for before, now in pairwise(klines)]
    if len(ranges) < period:
        return None
    return fmean(ranges[-period:]) if classic else _smoothed(ranges, 1.0 / period, period)[-1]


def bollinger(klines: Klines, period: int) -> tuple[float, float] | None:
    last = closes(klines)[-period:]
    return (fmean(last), pstdev(last)) if len(last) == period else None


def stochastic(klines: Klines, period: int) -> float | None:
    if len(klines) < period:
        return None
    high, low = max(k.high for k in klines[-period:]), min(k.low for k in klines[-period:])
    return 100.0 * (klines[-1].close - low) / (high - low) if high > low else 50.0


def change(klines: Klines, period: int) -> tuple[float, float] | None:
    """(difference, percent) over `period` klines."""
    if len(klines) <= period:
        return None
    now, before = klines[-1].close, klines[-1 - period].close
    return now - before, (now / before - 1.0) * 100.0


def volume_ratio(klines: Klines, recent: int, usual: int, *, classic: bool) -> float | None:
    volumes = [kline.volume for kline in klines]
    if classic:
        volumes = [volume for volume in volumes[-60:] if volume > 0.0]
        if len(volumes) < recent + usual:
            return 1.0
    elif len(volumes) < recent + usual:
        return None
    base = fmean(volumes[-recent - usual : -recent])
    return fmean(volumes[-recent:]) / base if base > 0.0 else 1.0


def _typical(klines: Klines) -> float | None:
    volume = fsum(kline.volume for kline in klines)
    money = fsum((kline.high + kline.low + kline.close) / 3 * kline.volume for kline in klines)
    return money / volume if volume > 0.0 else None


def session_vwap(klines: Klines) -> float | None:
    today = klines[-1].open_at // DAY_US
    return _typical([kline for kline in klines if kline.open_at // DAY_US == today])


def rolling_vwap(klines: Klines, period: int) -> float | None:
    """None while it is not warm; otherwise of the newest window that had volume."""
    for end in range(len(klines), period - 1, -1):
        value = _typical(klines[end - period : end])
        if value is not None:
            return value
    return None


def trend(klines: Klines, fast: int, slow: int) -> float | None:
    quick, calm = sma(klines, fast), sma(klines, slow)
    if quick is None or calm is None:
        return None
    price = klines[-1].close
    return 1.0 if price > quick > calm else -1.0 if price < quick < calm else 0.0


def efficiency(klines: Klines, period: int) -> float | None:
    numbers = closes(klines)[-period - 1 :]
    if len(numbers) <= period:
        return None
    walked = fsum(abs(after - before) for before, after in pairwise(numbers))
    return abs(numbers[-1] - numbers[0]) / walked if walked else 0.0


def classic_strength(klines: Klines, period: int) -> float | None:
    numbers = closes(klines)
    if len(numbers) < 2 * period:
        return None
    near, far, price = fmean(numbers[-period:]), fmean(numbers[-2 * period :]), numbers[-1]
    returns = [after / before - 1.0 for before, after in pairwise(numbers)][-period:]
    alike = sum((one > 0) - (one < 0) == (returns[-1] > 0) - (returns[-1] < 0) for one in returns) / len(returns)
    mean = fmean(abs(one) for one in returns)
    return min(1.0, 10 * (0.3 * abs(price - near) / near + 0.3 * abs(price - far) / far + 0.2 * mean + 0.2 * alike))


def swings(numbers: Sequence[float], wing: int, sign: int) -> list[tuple[int, float]]:
    """(place, number) of every confirmed swing."""
    found = []
    for place in range(wing, len(numbers) - wing):
        around = [*numbers[place - wing : place], *numbers[place + 1 : place + wing + 1]]
        if all(other * sign < numbers[place] * sign for other in around):
            found.append((place, numbers[place]))
    return found


def swing_levels(klines: Klines, lookback: int, wing: int, *, classic: bool) -> tuple[float | None, float | None]:
    """Support and resistance."""
    since, close = len(klines) - lookback, klines[-1].close
    lows = [price for place, price in swings([k.low for k in klines], wing, -1) if place >= since]
    highs = [price for place, price in swings([k.high for k in klines], wing, 1) if place >= since]
    if classic:
        return max(min([klines[-1].low, *lows]), 0.99 * close), min(max([klines[-1].high, *highs]), 1.01 * close)
    return (
        max((price for price in lows if price < close), default=None),
        min((price for price in highs if price > close), default=None),
    )


def classic_divergence(klines: Klines, lookback: int, period: int) -> float | None:
    rsis = [value for end in range(1, len(klines) + 1) if (value := rsi(klines[:end], period, classic=True)) is not None]
    prices = closes(klines)[-len(rsis) :] if rsis else []
    if len(rsis) < 2 * lookback:
        return None
    for sign in (-1, 1):
        best = max if sign > 0 else min
        price_now, price_before = best(prices[-lookback:]), best(prices[-2 * lookback : -lookback])
        rsi_now, rsi_before = best(rsis[-lookback:]), best(rsis[-2 * lookback : -lookback])
        ages = [prices[::-1].index(price_now), rsis[::-1].index(rsi_now)]
        weaker = (rsi_before - rsi_now) * sign
        if (price_now - price_before) * sign > 0 and weaker > 0 and min(ages) >= 3:
            return -sign * (min(100.0, weaker / rsi_before * 200.0) if rsi_before else 100.0)
    return 0.0


def divergence(klines: Klines, period: int, wing: int, reach: int) -> float | None:
    """Of the last two confirmed swings of each side; the RSI is the machine's, so that equals are equal to the bit."""
    machine, pairs = RSI(period), []
    for kline in klines:
        machine.update(kline)
        if machine.value is not None:
            pairs.append((kline.close, machine.value))
    prices, found = [price for price, _ in pairs], 0.0
    for sign in (-1, 1):
        last = swings(prices, wing, sign)[-2:]
        if len(last) < 2 or last[1][0] != len(prices) - 1 - wing or last[1][0] - last[0][0] > reach:
            continue
        before, now = (pairs[place][1] for place, _ in last)
        weaker = (before - now) * sign
        if (last[1][1] - last[0][1]) * sign > 0 and weaker > 0:
            found = -sign * (min(100.0, weaker / before * 200.0) if before else 100.0)
    return found if pairs else None


def wilder(klines: Klines, period: int) -> float | None:
    values = _smoothed(closes(klines), 1 / period, period)
    return values[-1] if values else None


def obv(klines: Klines) -> float:
    """The first kline's volume counts, as in TA-Lib."""
    moves = pairwise(klines)
    return klines[0].volume + sum(((b.close > a.close) - (b.close < a.close)) * b.volume for a, b in moves)


def adx(klines: Klines, period: int) -> float | None:
    """Wilder's sums begun with `period` - 1 moves; a market that does not move at all leaves the average as it is."""
    ups = [(b.high - a.high, a.low - b.low, max(b.high, a.close) - min(b.low, a.close)) for a, b in pairwise(klines)]
    moves = [(up if up > max(down, 0) else 0.0, down if down > max(up, 0) else 0.0, reach) for up, down, reach in ups]
    sums = [fsum(move[part] for move in moves[: period - 1]) for part in range(3)]
    strengths: list[float] = []
    average: float | None = None
    for move in moves[period - 1 :]:
        sums = [total * (1 - 1 / period) + part for total, part in zip(sums, move, strict=True)]
        plus, minus = (100 * total / sums[2] if sums[2] else 0.0 for total in sums[:2])
        if plus + minus > 0:
            strengths.append(100 * abs(plus - minus) / (plus + minus))
            values = _smoothed(strengths, 1 / period, period)
            average = values[-1] if values else None
        elif average is not None:
            strengths.append(average)
    return average


def pivot(klines: Klines, length: int) -> float | None:
    """Of the last period before the present one that has klines."""
    before = [kline for kline in klines if kline.open_at // length < klines[-1].open_at // length]
    if not before:
        return None
    last = [kline for kline in before if kline.open_at // length == before[-1].open_at // length]
    return (max(k.high for k in last) + min(k.low for k in last) + last[-1].close) / 3
