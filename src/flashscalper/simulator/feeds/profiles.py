"""How each synthetic market behaves: price level, spread, book and flow, of realistic sizes relative to each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec


class FlowProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One market's character. Basis points are of the price, notionals USD.

    `volatility_bps`: standard deviation of the fair price over one second in an ordinary moment. `gap_bps`: typical
    distance between book levels. `steps_per_s`: decisions of background participants a second. Notionals are medians.
    """

    price: float
    spread_bps: float
    gap_bps: float
    volatility_bps: float
    steps_per_s: float
    maker_notional: float
    taker_notional: float
    open_interest: float


PROFILES: Final[Mapping[str, FlowProfile]] = MappingProxyType(
    {
        "BTC": FlowProfile(
            price=95_000,
            spread_bps=0.3,
            gap_bps=0.25,
            volatility_bps=0.55,
            steps_per_s=5.0,
            maker_notional=30_000,
            taker_notional=9_000,
            open_interest=2_400,
        ),
        "ETH": FlowProfile(
            price=3_300,
            spread_bps=0.4,
            gap_bps=0.3,
            volatility_bps=0.65,
            steps_per_s=4.5,
            maker_notional=20_000,
            taker_notional=6_000,
            open_interest=31_000,
        ),
        "SOL": FlowProfile(
            price=180,
            spread_bps=0.6,
            gap_bps=0.4,
            volatility_bps=0.8,
            steps_per_s=4.0,
            maker_notional=12_000,
            taker_notional=4_000,
            open_interest=260_000,
        ),
        "XRP": FlowProfile(
            price=2.2,
            spread_bps=0.9,
            gap_bps=0.6,
            volatility_bps=0.85,
            steps_per_s=3.2,
            maker_notional=8_000,
            taker_notional=2_500,
            open_interest=9_000_000,
        ),
        "ADA": FlowProfile(
            price=0.75,
            spread_bps=1.2,
            gap_bps=0.7,
            volatility_bps=0.9,
            steps_per_s=2.8,
            maker_notional=6_000,
            taker_notional=1_800,
            open_interest=8_000_000,
        ),
        "AVAX": FlowProfile(
            price=34,
            spread_bps=1.2,
            gap_bps=0.7,
            volatility_bps=0.9,
            steps_per_s=2.8,
            maker_notional=6_000,
            taker_notional=1_800,
            open_interest=180_000,
        ),
        "LINK": FlowProfile(
            price=20,
            spread_bps=1.1,
            gap_bps=0.7,
            volatility_bps=0.9,
            steps_per_s=2.8,
            maker_notional=6_000,
            taker_notional=1_800,
            open_interest=310_000,
        ),
    }
)
