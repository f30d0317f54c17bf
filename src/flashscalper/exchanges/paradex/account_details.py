"""What only a check reads of an account: kind, parent, margin method, tiers (paradex.md 4.3, appendix A)."""

from __future__ import annotations

import msgspec

from flashscalper.exchanges.paradex.wire import AccountFees, MarginEntry


class VolumeTier(msgspec.Struct):
    """The tier that one kind of volume (`pro`, `retail`) has reached."""

    tier: str = ""
    volume: str = ""


class AccountDetail(msgspec.Struct):
    """One account of `GET /account/info`. `isolated_market` is set for the sub-account of an isolated position."""

    account: str
    kind: str = ""
    parent_account: str = ""
    isolated_market: str = ""
    fees: AccountFees | None = None
    volume_tiers: dict[str, VolumeTier] | None = None


class MarginDetail(msgspec.Struct):
    """`GET /account/margin?market=` with the account's margin method: cross_margin or portfolio_margin."""

    configs: list[MarginEntry] = []
    margin_methodology: str = "cross_margin"
