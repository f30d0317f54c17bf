"""Switches of the simulated exchange: the documented behaviour is the default; what no source answers is marked [open]."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.instants import MILLISECOND_US, MINUTE_US, SECOND_US


class ClientIdScope(StrEnum):
    """For how long a client id blocks its reuse."""

    OPEN = "open"
    FOREVER = "forever"


class DisconnectScope(StrEnum):
    """Which orders cancel-on-disconnect touches: those of the lost socket, or all of its account."""

    CONNECTION = "connection"
    ACCOUNT = "account"


class ExchangeRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section numbers are those of the protocol page (`paradex.md`); a field report may turn a switch."""

    reduce_only_counts_untriggered: bool = False
    """6.3 [open]: do untriggered reduce-only stops use up the position like resting orders, or are they spared until they
    trigger? Counted, a resting target beside a full-size stop is canceled."""
    client_id_scope: ClientIdScope = ClientIdScope.OPEN
    """6.2 [open]: DUPLICATED_CLIENT_ID while an order with it is open, or for ever."""
    disconnect_scope: DisconnectScope = DisconnectScope.CONNECTION
    """5.2 [open]: "placed (or tracked) on that connection"."""
    disconnect_spares_untriggered: bool = False
    """5.2 [open]: does cancel-on-disconnect spare untriggered stops?"""
    leverage_raises_maintenance: bool = False
    """6.9 [open]: does a leverage lowered by the user raise the maintenance margin too?"""
    liquidation_fee: Decimal = Decimal("0.2")
    """6.10, 6.12: share of the maintenance margin of what is liquidated; `liquidation_fee` of the system config."""
    liquidation_step: Decimal = Decimal("0.2")
    """6.10: `partial_liquidation_share_increment`."""
    liquidation_target: Decimal = Decimal("0.9")
    """6.10: the margin ratio that a partial liquidation must fall under."""
    liquidation_every_us: int = 5 * SECOND_US
    """6.10."""
    funding_every_us: int = SECOND_US
    """6.7: the funding tick."""
    funding_gap_us: int = 30 * SECOND_US
    """6.7: after a longer gap the funding index does not accrue for it."""
    funding_half_life_us: int = 30 * MINUTE_US
    """6.7: half-life of the published rate."""
    speed_bump_us: int = 300 * MILLISECOND_US
    """6.6: Retail orders and cancels wait this long."""
    recv_window_us: int = 300 * SECOND_US
    """6.3: default receive window."""
    recv_window_min_us: int = 10 * MILLISECOND_US
    """6.3: shortest receive window that is accepted."""
    rpi_accounts: frozenset[str] = frozenset()
    """6.3: accounts whitelisted for RPI; others get RPI_ACCOUNT_NOT_WHITELISTED."""
    post_only_mode_band: Decimal = Decimal("0.0005")
    """6.11: in the modes between maintenance and ok, orders must be this close to the fair price."""
    trades_kept: int = 50_000
    """Public trades kept per market for REST paging."""
    klines_kept: int = 3 * 24 * 60
    """One-minute klines kept per market and price kind."""
    closed_orders_kept: int = 100_000
    """Closed orders kept per account for the history."""
