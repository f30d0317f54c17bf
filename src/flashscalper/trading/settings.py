"""Everything that a person may set about trading, with defaults that are safe and a check that names the field.

Money is Decimal in quote units, shares are fractions (0.05 = 5 %), durations end in their unit. `None` switches a limit off
where that is offered.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import interval_us
from flashscalper.strategies.exit_policy import ExitPolicy
from flashscalper.strategies.parameters import check_range, check_whole
from flashscalper.trading.correlation import CorrelationSettings
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.sizing import SizingSettings


class CorrelatedGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets that move together: their notionals, added up without sign, stay under one cap. A group of one market is a cap
    of that market's own."""

    name: str
    symbols: tuple[str, ...]
    max_notional: Decimal

    def validate(self, field: str) -> None:
        """Raise ConfigError naming the field: a group that caps nothing would be no limit, and nobody would notice."""
        if not self.name.isidentifier():
            raise ConfigError(f"{field}.name", self.name, "a name of letters, digits and _")
        if not self.symbols:
            raise ConfigError(f"{field}.symbols", "nothing", "one symbol or more")
        for symbol in self.symbols:
            if (known := SymbolMapper().to_symbol(symbol)) != symbol:
                raise ConfigError(f"{field}.symbols", symbol, known)
        _check_amount(f"{field}.max_notional", self.max_notional)


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last gate before an order leaves. Exposure counts open positions, orders in flight and unknown orders in full.

    `max_leverage` is notional of the whole account over equity, `max_margin_share` initial margin over equity. The collar
    compares an entry's worst price with the mark and with our own mid. The order rates are never in the way of a stop or an
    exit: those count in them, and entries, which may use all but `reserve_share` of them, wait. Daily loss is realised and
    unrealised since midnight UTC, by our own fills, so transfers do not count; drawdown is from the highest equity of the
    journal. A breaker (rejects, drawdown, fee) holds until a person says `resume`; loss limits of the day end with the day,
    cooldowns by themselves.
    """

    max_order_notional: Annotated[Decimal, Meta(description="largest order, in quote units")] = Decimal(25_000)
    max_position_notional: Annotated[
        Decimal, Meta(description="largest position of a market, with everything under way")
    ] = Decimal(25_000)
    max_account_notional: Annotated[Decimal, Meta(description="all positions together, with everything under way")] = (
        Decimal(50_000)
    )
    max_leverage: Annotated[float, Meta(description="notional of the whole account over its equity")] = 5.0
    max_margin_share: Annotated[float, Meta(description="initial margin in use over equity")] = 0.8
    groups: Annotated[tuple[CorrelatedGroup, ...], Meta(description="caps of markets that move together")] = ()
    collar_bps: Annotated[float, Meta(description="how far a price may lie from the mark and from our own mid")] = 50.0
    max_open_orders: Annotated[int, Meta(description="orders at work at the same time")] = 20
    max_orders_per_second: Annotated[int, Meta(description="entries wait above it, stops and exits never do")] = 10
    max_orders_per_minute: Annotated[int, Meta(description="likewise")] = 120
    reserve_share: Annotated[float, Meta(description="share of both rates that entries leave free")] = 0.3
    duplicate_window_s: Annotated[float, Meta(description="the same order again within this is a defect")] = 1.0
    max_consecutive_rejects: Annotated[
        int, Meta(description="refused in a row within reject_window_s: halted until `resume`")
    ] = 5
    reject_window_s: Annotated[float, Meta(description="see max_consecutive_rejects")] = 60.0
    max_daily_loss: Annotated[
        Decimal | None, Meta(description="since midnight UTC, open positions included: no entries until the next")
    ] = None
    max_daily_loss_share: Annotated[float | None, Meta(description="likewise, of the equity of midnight")] = 0.05
    max_drawdown_share: Annotated[float | None, Meta(description="below the highest equity: halted until `resume`")] = 0.15
    max_consecutive_losses: Annotated[int, Meta(description="losing round trips in a row before loss_cooldown_s")] = 5
    loss_cooldown_s: Annotated[float, Meta(description="no entries for so long after a losing streak")] = 900.0
    symbol_cooldown_s: Annotated[float, Meta(description="rest of a market after every round trip")] = 0.0
    symbol_loss_cooldown_s: Annotated[float, Meta(description="rest of a market after a losing one")] = 60.0
    max_quote_age_s: Annotated[float, Meta(description="no entry on an older quote")] = 10.0
    max_mark_age_s: Annotated[
        float, Meta(description="no entry on an older mark; nothing newer from any market: none at all")
    ] = 30.0
    max_clock_error_s: Annotated[float, Meta(description="how far our clock may be from the exchange's")] = 0.25
    fee_tolerance: Annotated[float, Meta(description="share by which a fill's fee may differ before entries halt")] = 0.01

    def validate(self, field: str = "risk") -> None:
        """Raise ConfigError naming the field, what was seen and what is accepted."""
        for name in ("max_order_notional", "max_position_notional", "max_account_notional", "max_daily_loss"):
            _check_amount(f"{field}.{name}", getattr(self, name))
        for group in self.groups:
            group.validate(f"{field}.groups.{group.name}")
        if len({group.name for group in self.groups}) < len(self.groups):
            raise ConfigError(
                f"{field}.groups", ", ".join(group.name for group in self.groups), "a name of its own for each"
            )
        check_range(f"{field}.max_leverage", self.max_leverage, 0.01, 100.0)
        check_range(f"{field}.max_margin_share", self.max_margin_share, 0.0001, 1.0)
        check_range(f"{field}.collar_bps", self.collar_bps, 0.1, 2_000.0)
        check_range(f"{field}.reserve_share", self.reserve_share, 0.0, 0.9)
        for name, low, high in _WHOLE:
            check_whole(f"{field}.{name}", getattr(self, name), low, high)
        for name in _SECONDS:
            check_range(f"{field}.{name}", getattr(self, name), 0.0, 7 * 86_400)
        for name in ("max_daily_loss_share", "max_drawdown_share"):
            if getattr(self, name) is not None:
                check_range(f"{field}.{name}", getattr(self, name), 0.0001, 1.0)
        check_range(f"{field}.fee_tolerance", self.fee_tolerance, 0.0, 10.0)


_WHOLE = (
    ("max_open_orders", 1, 1_000), ("max_orders_per_second", 1, 500), ("max_orders_per_minute", 1, 10_000),
    ("max_consecutive_rejects", 1, 1_000), ("max_consecutive_losses", 1, 1_000),
)  # fmt: skip
_SECONDS = (
    "duplicate_window_s", "reject_window_s", "loss_cooldown_s", "symbol_cooldown_s", "symbol_loss_cooldown_s",
    "max_quote_age_s", "max_mark_age_s", "max_clock_error_s",
)  # fmt: skip


class EntrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an entry goes in. A post-only order rests `post_wait_s`; what is missing is then taken if the signal still stands.

    `max_slippage_bps` bounds the worst price of a taking order, measured from the best quote, and how far the price may have
    run away from the signal before the rest is left alone.
    """

    style: EntryStyle = EntryStyle.POST_ONLY_THEN_IOC
    post_wait_s: float = 3.0
    max_slippage_bps: float = 5.0

    def validate(self, field: str = "entry") -> None:
        """Raise ConfigError naming the field."""
        check_range(f"{field}.post_wait_s", self.post_wait_s, 0.05, 600.0)
        check_range(f"{field}.max_slippage_bps", self.max_slippage_bps, 0.0, 500.0)


class ProtectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How positions are protected. A position without a confirmed stop for `naked_limit_s` is closed at the market.

    `stop_acts_within_s` is how long a triggered stop may take to fill before we close ourselves. A closing order that did
    not close is tried again after `exit_retry_s`, doubling up to `exit_retry_max_s`. `resting_target` lets the take-profit
    rest as a reduce-only limit (only where the exchange spares untriggered stops). `on_stop` and `on_kill`: leave positions
    with their stops (`keep`) or close them (`flatten`). `signed_ahead` keeps a signed market order for the whole position at
    hand while it is protected, so that an exit leaves without waiting for a signature or the disk.
    """

    naked_limit_s: float = 2.0
    stop_acts_within_s: float = 2.0
    modify_answers_within_s: float = 1.5
    reprice_every_s: float = 0.5
    exit_retry_s: float = 0.25
    exit_retry_max_s: float = 5.0
    resting_target: bool = False
    signed_ahead: bool = True
    flatten_on_stop: bool = False
    flatten_on_kill: bool = True

    def validate(self, field: str = "protection") -> None:
        """Raise ConfigError naming the field."""
        for name in ("naked_limit_s", "stop_acts_within_s", "modify_answers_within_s", "exit_retry_s", "exit_retry_max_s"):
            check_range(f"{field}.{name}", getattr(self, name), 0.05, 60.0)
        check_range(f"{field}.reprice_every_s", self.reprice_every_s, 0.0, 60.0)


class TimingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When things are due. `recv_window_s` is what the client signs into every order: after it (plus clock error and
    `dead_margin_s`) an order that the exchange does not know can no longer arrive."""

    kline_delay_s: float = 0.25
    recv_window_s: float = 5.0
    dead_margin_s: float = 0.5
    answer_within_s: float = 6.0
    query_every_s: float = 0.5
    query_max_s: float = 5.0
    owed_after_s: float = 0.5
    reconcile_every_s: float = 15.0
    degraded_every_s: float = 2.0
    mismatch_apart_s: float = 1.0
    read_within_s: float = 12.0
    rebuild_s: float = 86_400.0
    fills_overlap_s: float = 600.0
    history_within_s: float = 10.0
    equity_every_s: float = 10.0

    def validate(self, field: str = "timing") -> None:
        """Raise ConfigError naming the field."""
        for name in self.__struct_fields__:
            check_range(f"{field}.{name}", getattr(self, name), 0.01, 30 * 86_400)
        if self.reconcile_every_s <= self.mismatch_apart_s:
            raise ConfigError(f"{field}.reconcile_every_s", self.reconcile_every_s, "more than mismatch_apart_s")


class MarginSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leverage and margin mode to set at the exchange before the first entry; without `leverage` nothing is set."""

    leverage: int | None = None
    isolated: bool = False

    def validate(self, field: str = "margin") -> None:
        """Raise ConfigError naming the field."""
        if self.leverage is not None:
            check_whole(f"{field}.leverage", self.leverage, 1, 100)


class TradingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the engine. `reported_pnl`: on a real exchange its realised PnL is booked, differences are noted.
    `intervals`: klines to build besides those that strategies consume; `klines_kept` closed ones are kept of each.
    """

    risk: RiskLimits = RiskLimits()
    entry: EntrySettings = EntrySettings()
    sizing: SizingSettings = SizingSettings()
    costs: CostSettings = CostSettings()
    exits: ExitPolicy = ExitPolicy()
    protection: ProtectionSettings = ProtectionSettings()
    timing: TimingSettings = TimingSettings()
    margin: MarginSettings = MarginSettings()
    correlation: CorrelationSettings = CorrelationSettings(enabled=False)
    reported_pnl: bool = False
    intervals: tuple[str, ...] = ()
    klines_kept: int = 500

    def validate(self, field: str = "trading") -> None:
        """Check every section; ConfigError names the first field that is wrong."""
        for name in ("risk", "entry", "sizing", "costs", "exits", "protection", "timing", "margin", "correlation"):
            getattr(self, name).validate(f"{field}.{name}")
        for interval in self.intervals:
            interval_us(interval)
        check_whole(f"{field}.klines_kept", self.klines_kept, 10, 100_000)


def _check_amount(field: str, value: Decimal | None) -> None:
    if value is not None and (not value.is_finite() or value <= ZERO):
        raise ConfigError(field, str(value), "an amount above 0")
