from __future__ import annotations

import json
from pathlib import Path

import pytest

from flashscalper.cli.settings import ALIASES, env_example, load_settings
from flashscalper.model.errors import ConfigError
from tests.cli.run import ROOT, flashscalper


def test_the_committed_env_example_is_what_the_schema_says() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_a_profile_lies_below_every_other_layer() -> None:
    settings = load_settings(
        file=None, environment={"FLASHSCALPER_PROFILE": "demo", "FLASHSCALPER_TRADING_EXITS_STOP_VALUE": "2.5"}
    )
    assert settings.scalper.interval == "5s"
    assert (settings.trading.exits.stop.mode, settings.trading.exits.stop.value) == ("atr", 2.5)
    assert load_settings(file=None, environment={}).scalper.interval == "1m"


def test_a_part_of_the_exit_policy_can_be_switched_off() -> None:
    on = load_settings(file=None, environment={"FLASHSCALPER_PROFILE": "demo"})
    off = load_settings(file=None, environment={"FLASHSCALPER_PROFILE": "demo", "FLASHSCALPER_TRADING_EXITS_PARTIAL": "off"})
    assert on.trading.exits.partial is not None
    assert off.trading.exits.partial is None


@pytest.mark.parametrize("name", ALIASES)
def test_every_name_of_the_original_that_is_kept_reaches_a_setting(name: str) -> None:
    value = {"EXCHANGE": "paradex", "SCALPER_KLINE_INTERVAL": "3m"}.get(name, "12")
    load_settings(file=None, environment={name: value})


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"EXCHANGE": "binance"}, "exchange: saw 'binance'; accepted:"),
        ({"FLASHSCALPER_PROFILE": "yolo"}, "profile: saw 'yolo'; accepted: default, classic, demo"),
        ({"SCALPER_KLINE_INTERVAL": "7m"}, "interval: saw '7m'; accepted: 1s"),
        ({"SCALPER_RSI_PERIOD": "-4"}, "rsi"),
        ({"FLASHSCALPER_TRADING_RISK_MAX_LEVERAGE": "nan"}, "max_leverage"),
        ({"FLASHSCALPER_PAPER_BALANCE": "nan"}, "paper.balance: saw 'NaN'; accepted: an amount above 0"),
        ({"FLASHSCALPER_PAPER_BALANCE": "0"}, "paper.balance"),
    ],
)
def test_a_bad_setting_is_refused_by_name(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(file=None, environment=environment)
    assert says in str(caught.value)


def test_config_prints_what_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "flashscalper.toml").write_text('symbols = ["ETHUSDT"]\n[trading.risk]\nmax_open_orders = 7\n')
    (tmp_path / ".env").write_text("FLASHSCALPER_PROFILE=classic\n")
    result = flashscalper("config", home=tmp_path)
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["symbols"], shown["profile"], shown["trading"]["risk"]["max_open_orders"]) == (["ETHUSDT"], "classic", 7)
