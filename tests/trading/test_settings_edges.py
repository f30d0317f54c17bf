"""Every trading setting at its edges: the default, the smallest and the largest that is taken, and one step beyond."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nextafter
from typing import Any, Final

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.strategies.exit_policy import ExitPolicy
from flashscalper.trading.correlation import CorrelationSettings
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import (
    CorrelatedGroup,
    EntrySettings,
    MarginSettings,
    ProtectionSettings,
    RiskLimits,
    TimingSettings,
    TradingSettings,
)
from flashscalper.trading.sizing import SizingSettings

Row = tuple[object, float, float]
WEEK_S, MONTH_S = 604_800.0, 2_592_000.0
RISK: Final[dict[str, Row]] = {
    "max_leverage": (5.0, 0.01, 100.0), "max_margin_share": (0.8, 0.0001, 1.0), "collar_bps": (50.0, 0.1, 2_000.0),
    "max_open_orders": (20, 1, 1_000), "max_orders_per_second": (10, 1, 500), "max_orders_per_minute": (120, 1, 10_000),
    "reserve_share": (0.3, 0.0, 0.9), "duplicate_window_s": (1.0, 0.0, WEEK_S), "max_consecutive_rejects": (5, 1, 1_000),
    "reject_window_s": (60.0, 0.0, WEEK_S), "max_daily_loss_share": (0.05, 0.0001, 1.0),
    "max_drawdown_share": (0.15, 0.0001, 1.0), "max_consecutive_losses": (5, 1, 1_000),
    "loss_cooldown_s": (900.0, 0.0, WEEK_S), "symbol_cooldown_s": (0.0, 0.0, WEEK_S),
    "symbol_loss_cooldown_s": (60.0, 0.0, WEEK_S), "max_quote_age_s": (10.0, 0.0, WEEK_S),
    "max_mark_age_s": (30.0, 0.0, WEEK_S), "max_clock_error_s": (0.25, 0.0, WEEK_S), "fee_tolerance": (0.01, 0.0, 10.0),
}  # fmt: skip
ENTRY: Final[dict[str, Row]] = {"post_wait_s": (3.0, 0.05, 600.0), "max_slippage_bps": (5.0, 0.0, 500.0)}
PROTECTION: Final[dict[str, Row]] = {
    "naked_limit_s": (2.0, 0.05, 60.0), "stop_acts_within_s": (2.0, 0.05, 60.0),
    "modify_answers_within_s": (1.5, 0.05, 60.0), "reprice_every_s": (0.5, 0.0, 60.0), "exit_retry_s": (0.25, 0.05, 60.0),
    "exit_retry_max_s": (5.0, 0.05, 60.0),
}  # fmt: skip
TIMING: Final[dict[str, Row]] = {
    name: (default, 0.01, MONTH_S)
    for name, default in {
        "kline_delay_s": 0.25, "recv_window_s": 5.0, "dead_margin_s": 0.5, "answer_within_s": 6.0, "query_every_s": 0.5,
        "query_max_s": 5.0, "owed_after_s": 0.5, "reconcile_every_s": 15.0, "degraded_every_s": 2.0, "mismatch_apart_s": 1.0,
        "read_within_s": 12.0, "rebuild_s": 86_400.0, "fills_overlap_s": 600.0, "history_within_s": 10.0,
        "equity_every_s": 10.0,
    }.items()
}  # fmt: skip
AMOUNTS: Final = {
    "max_order_notional": Decimal(25_000), "max_position_notional": Decimal(25_000), "max_account_notional": Decimal(50_000),
    "max_daily_loss": None,
}  # fmt: skip
SECTIONS: Final[dict[str, tuple[Any, dict[str, Row], dict[str, object]]]] = {
    "risk": (RiskLimits(), RISK, {**AMOUNTS, "groups": ()}),
    "entry": (EntrySettings(), ENTRY, {"style": EntryStyle.POST_ONLY_THEN_IOC}),
    "protection": (
        ProtectionSettings(), PROTECTION,
        {"resting_target": False, "signed_ahead": True, "flatten_on_stop": False, "flatten_on_kill": True},
    ),
    "timing": (TimingSettings(), TIMING, {}),
    "margin": (MarginSettings(), {}, {"leverage": None, "isolated": False}),
}  # fmt: skip
ROWS: Final = [(section, name) for section, (_, rows, _) in SECTIONS.items() for name in rows]


def refused(section: Any, *path: str) -> str:
    """The field that a section is refused for, "" when it is taken."""
    try:
        section.validate(*path)
    except ConfigError as error:
        return error.field
    return ""


@pytest.mark.parametrize("name", SECTIONS)
def test_what_holds_when_nobody_sets_anything(name: str) -> None:
    section, rows, others = SECTIONS[name]
    assert msgspec.structs.asdict(section) == {field: row[0] for field, row in rows.items()} | others


@pytest.mark.parametrize(("section", "name"), ROWS)
def test_the_smallest_and_the_largest_are_taken_and_nothing_beyond(section: str, name: str) -> None:
    defaults, rows, _ = SECTIONS[section]
    default, low, high = rows[name]
    whole = isinstance(default, int)
    beyond = (low - 1, high + 1) if whole else (nextafter(low, -inf), nextafter(high, inf))
    if name == "reconcile_every_s":
        low = nextafter(defaults.mismatch_apart_s, inf)
    if name == "mismatch_apart_s":
        high = nextafter(defaults.reconcile_every_s, -inf)
    for value in (low, high):
        assert refused(msgspec.structs.replace(defaults, **{name: value})) == ""
    for value in beyond:
        assert refused(msgspec.structs.replace(defaults, **{name: value})) == f"{section}.{name}"


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize(
    ("amount", "taken"), [("0.01", True), ("0", False), ("-1", False), ("NaN", False), ("Infinity", False)]
)
def test_an_amount_is_finite_and_above_nothing(name: str, amount: str, taken: bool) -> None:
    limits = msgspec.structs.replace(RiskLimits(), **{name: Decimal(amount)})
    assert refused(limits) == ("" if taken else f"risk.{name}")


@pytest.mark.parametrize("name", ["max_daily_loss", "max_daily_loss_share", "max_drawdown_share"])
def test_a_limit_of_losses_can_be_switched_off(name: str) -> None:
    assert refused(msgspec.structs.replace(RiskLimits(), **{name: None})) == ""


def test_the_cap_of_every_group_is_an_amount() -> None:
    good = CorrelatedGroup(name="good", symbols=("ETHUSDT",), max_notional=Decimal(1))
    bad = msgspec.structs.replace(good, name="bad", max_notional=Decimal(0))
    assert refused(RiskLimits(groups=(good, bad))) == "risk.groups.bad.max_notional"
    assert refused(RiskLimits(groups=(good,))) == ""


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, ""), ({"name": "two words"}, "risk.groups.two words.name"), ({"symbols": ()}, "risk.groups.good.symbols"),
        ({"symbols": ("ETHUSDT", "ETH-USD-PERP")}, "risk.groups.good.symbols"), ({"name": "other"}, "risk.groups"),
    ],
)  # fmt: skip
def test_a_group_has_a_name_of_its_own_and_markets(changed: dict[str, object], field: str) -> None:
    good = CorrelatedGroup(name="good", symbols=("ETHUSDT", "BTCUSDT"), max_notional=Decimal(1))
    other = msgspec.structs.replace(good, name="other")
    assert refused(RiskLimits(groups=(msgspec.structs.replace(good, **changed), other))) == field


def test_two_looks_at_the_account_lie_further_apart_than_two_looks_at_a_difference() -> None:
    assert refused(TimingSettings(reconcile_every_s=1.0, mismatch_apart_s=1.0)) == "timing.reconcile_every_s"


@pytest.mark.parametrize(("leverage", "field"), [(1, ""), (100, ""), (0, "margin.leverage"), (101, "margin.leverage")])
def test_leverage_is_whole_and_up_to_a_hundred(leverage: int, field: str) -> None:
    assert refused(MarginSettings(leverage=leverage)) == field


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("risk", RiskLimits(max_leverage=0.0)), ("entry", EntrySettings(post_wait_s=0.0)),
        ("sizing", SizingSettings(risk_per_trade=-1.0)), ("costs", CostSettings(min_multiple=-1.0)),
        ("exits", ExitPolicy(stop_floor_costs=-1.0)), ("protection", ProtectionSettings(naked_limit_s=0.0)),
        ("timing", TimingSettings(rebuild_s=0.0)), ("margin", MarginSettings(leverage=0)),
        ("correlation", CorrelationSettings(window=0)),
    ],
)  # fmt: skip
def test_every_section_is_checked_and_named(section: str, wrong: object) -> None:
    assert refused(msgspec.structs.replace(TradingSettings(), **{section: wrong})).startswith(f"trading.{section}.")


@pytest.mark.parametrize(("kept", "field"), [(10, ""), (100_000, ""), (9, "bot.klines_kept"), (100_001, "bot.klines_kept")])
def test_klines_are_kept_in_reasonable_numbers(kept: int, field: str) -> None:
    assert refused(TradingSettings(klines_kept=kept), "bot") == field


def test_the_rest_of_what_holds_when_nobody_sets_anything() -> None:
    settings = TradingSettings()
    assert (settings.reported_pnl, settings.intervals, settings.klines_kept) == (False, (), 500)
    assert not settings.correlation.enabled


@pytest.mark.parametrize("kind", [type(section) for section, _, _ in SECTIONS.values()] + [TradingSettings, CorrelatedGroup])
def test_settings_are_named_known_and_do_not_change(kind: type[msgspec.Struct]) -> None:
    config = kind.__struct_config__
    assert (config.frozen, config.forbid_unknown_fields) == (True, True)
    with pytest.raises(TypeError):
        kind(*[None] * len(kind.__struct_fields__))
