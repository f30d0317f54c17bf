"""What a round trip will cost, before it is made, and the gate that compares it with the expected move.

All figures are fractions of the price (0.0001 = 1 bps) of one round trip. Fees are those that the *next* order will pay:
the caller hands in what the account or the fills report for the class it trades in.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote, FeeClass
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.parameters import check_range

_BPS: Final = Decimal(10_000)
_TWO: Final = Decimal(2)
COST_GATE: Final = "cost"


class EntryStyle(StrEnum):
    """How an entry goes in: rest only, rest and then take what is missing, or take at once."""

    POST_ONLY = "post_only"
    POST_ONLY_THEN_IOC = "post_only_then_ioc"
    IOC = "ioc"


_TAKER_SHARE: Final = {EntryStyle.POST_ONLY: ZERO, EntryStyle.IOC: Decimal(1)}


class CostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cost gate and the assumptions behind the estimate.

    `min_multiple`: the expected move must be at least this many times the costs. `report_only` writes the arithmetic down
    and denies nothing (profile `demo`). `slippage_bps` is expected per taker leg beyond half the spread. `top_up_share` is
    the part of a post-only-then-IOC entry that is expected to end as taker: all of it, unless your own fills say otherwise.
    `hold_s` is the expected holding time for funding. `default_spread_bps` stands in while no quote is known,
    `default_drift_bps` while the drift of a speed bump has not been measured for long enough.
    """

    min_multiple: float = 1.5
    report_only: bool = False
    slippage_bps: float = 0.5
    top_up_share: float = 1.0
    hold_s: float = 600.0
    default_spread_bps: float = 2.0
    default_drift_bps: float = 0.5

    def validate(self, field: str = "costs") -> None:
        """Raise ConfigError naming the field, what was seen and the range."""
        check_range(f"{field}.min_multiple", self.min_multiple, 0.1, 100.0)
        check_range(f"{field}.slippage_bps", self.slippage_bps, 0.0, 500.0)
        check_range(f"{field}.top_up_share", self.top_up_share, 0.0, 1.0)
        check_range(f"{field}.hold_s", self.hold_s, 0.0, 30 * 86_400)
        check_range(f"{field}.default_spread_bps", self.default_spread_bps, 0.0, 500.0)
        check_range(f"{field}.default_drift_bps", self.default_drift_bps, 0.0, 500.0)
        if not isinstance(self.report_only, bool):
            raise ConfigError(f"{field}.report_only", self.report_only, "true or false")


class CostEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Expected costs of one round trip as fractions of the price; every part is zero or more."""

    entry_fee: Decimal
    exit_fee: Decimal
    spread: Decimal
    slippage: Decimal
    funding: Decimal

    @property
    def fees(self) -> Decimal:
        """Both fees."""
        return self.entry_fee + self.exit_fee

    @property
    def total(self) -> Decimal:
        """Everything: how far the price must move for the trade to come out even."""
        return self.entry_fee + self.exit_fee + self.spread + self.slippage + self.funding

    @property
    def text(self) -> str:
        """The sum as people read it: `9.6 bps = fees 9 + spread 0.1 + slippage 0.5 + funding 0`."""
        return (
            f"{bps(self.total)} bps = fees {bps(self.fees)} + spread {bps(self.spread)}"
            f" + slippage {bps(self.slippage)} + funding {bps(self.funding)}"
        )


def bps(fraction: Decimal | float) -> str:
    """A fraction of the price as basis points with at most two decimals: 0.00096 -> '9.6'."""
    text = f"{float(fraction) * 10_000:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def estimate_costs(
    settings: CostSettings,
    *,
    style: EntryStyle,
    direction: PositionSide,
    maker_fee: Decimal,
    taker_fee: Decimal,
    quote: BestQuote | None,
    funding_rate: float = 0.0,
    funding_period_hours: int = 8,
    drift: Decimal = ZERO,
) -> CostEstimate:
    """What a round trip that enters by `style` and leaves as a taker is expected to cost.

    `maker_fee` and `taker_fee` are fractions of our next order's class (negative: a rebate, which is counted as zero
    because a plan must not live on it). Each taker leg pays half the spread, the expected slippage and `drift` (what the
    price moves against us during the exchange's speed bump, a fraction per leg; zero without a bump). Funding that
    we would receive counts as zero.
    """
    taker_share = _TAKER_SHARE.get(style, Decimal(repr(settings.top_up_share)))
    maker_fee, taker_fee = max(maker_fee, ZERO), max(taker_fee, ZERO)
    taker_legs = taker_share + 1
    hours = Decimal(repr(settings.hold_s)) / 3600
    funding = Decimal(repr(funding_rate)) * direction.sign * hours / funding_period_hours
    return CostEstimate(
        entry_fee=taker_share * taker_fee + (1 - taker_share) * maker_fee,
        exit_fee=taker_fee,
        spread=spread_fraction(quote, settings) / _TWO * taker_legs,
        slippage=(Decimal(repr(settings.slippage_bps)) / _BPS + max(drift, ZERO)) * taker_legs,
        funding=max(funding, ZERO),
    )


def least_costs(settings: CostSettings, style: EntryStyle, market: Market, fee_class: FeeClass) -> Decimal:
    """What a round trip costs by the exchange's list, without spread, drift and funding: known before anything is seen."""
    retail = fee_class is FeeClass.RETAIL
    return estimate_costs(
        settings, style=style, direction=PositionSide.LONG, quote=BestQuote(market.symbol, 1.0, 1.0, 1.0, 1.0, 0),
        maker_fee=market.retail_maker_fee if retail else market.maker_fee,
        taker_fee=market.retail_taker_fee if retail else market.taker_fee,
    ).total  # fmt: skip


def spread_fraction(quote: BestQuote | None, settings: CostSettings) -> Decimal:
    """Spread over mid of a two-sided, uncrossed quote; otherwise the configured stand-in."""
    if quote is None or quote.bid is None or quote.ask is None or not 0 < quote.bid <= quote.ask:
        return Decimal(repr(settings.default_spread_bps)) / _BPS
    bid, ask = Decimal(repr(quote.bid)), Decimal(repr(quote.ask))
    return (ask - bid) * _TWO / (ask + bid)


def cost_gate(expected_move: float | None, costs: CostEstimate, settings: CostSettings) -> Gate:
    """Does the expected move (a fraction of the price) pay for the trade? The verdict carries the arithmetic.

    A signal that states no expected move cannot pass. With `report_only` the gate passes and says what it would have done.
    """
    needed = float(costs.total) * settings.min_multiple
    passed = expected_move is not None and expected_move >= needed
    seen = "no expected move" if expected_move is None else f"{bps(expected_move)} bps"
    text = f"{bps(needed)} bps ({settings.min_multiple:g} x {costs.text})"
    if settings.report_only:
        text += ", report only" if passed else ", report only: would deny"
    return Gate(code=COST_GATE, passed=passed or settings.report_only, needed=text, seen=seen)
