from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from flashscalper.cli.config import leaves, load, read_dotenv
from flashscalper.model.errors import ConfigError


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leverage: Annotated[int, msgspec.Meta(ge=1, le=50, description="set per market")] = 10
    max_notional: Decimal = Decimal(150)


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mode: Literal["paper", "testnet"] = "paper"
    symbols: tuple[str, ...] = ("BTCUSDT",)
    dry: bool = False
    limits: Limits = Limits()


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "flashscalper.toml"
    file.write_text(text)
    return file


def test_each_layer_beats_the_one_below(tmp_path: Path) -> None:
    file = _file(tmp_path, 'mode = "testnet"\n[limits]\nleverage = 3\nmax_notional = "99.5"\n')
    environment = {"SCALPER_LEVERAGE": "4", "FLASHSCALPER_SYMBOLS": "ETHUSDT, SOLUSDT", "HOME": "/nowhere"}
    settings = load(
        Schema,
        file=file,
        environment=environment,
        aliases={"SCALPER_LEVERAGE": "limits.leverage"},
        overrides={"limits.leverage": 5, "mode": None},
    )
    assert settings == Schema("testnet", ("ETHUSDT", "SOLUSDT"), False, Limits(5, Decimal("99.5")))


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(Schema, environment={"FLASHSCALPER_MODE": ""}).mode == "paper"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levrage = 3", "key in flashscalper.toml: saw 'levrage'; accepted: limits.leverage (nearest known)"),
        ("[limits]\nleverage = 0", "limits.leverage: saw 0; accepted: `int` >= 1"),
        ('[limits]\nleverage = "ten"', "limits.leverage: saw 'ten'; accepted: whole number at least 1 and at most 50"),
        ('mode = "live"', "mode: saw 'live'; accepted: "),
        ("mode = ", "configuration file flashscalper.toml: saw "),
    ],
)
def test_bad_input_is_one_line_that_names_the_key_and_what_is_accepted(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Schema, file=_file(tmp_path, text))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_misspelt_variable_of_ours_is_refused_and_foreign_ones_are_left_alone() -> None:
    with pytest.raises(ConfigError, match="FLASHSCALPER_LIMITS_LEVERAGE"):
        load(Schema, environment={"FLASHSCALPER_LIMIT_LEVERAGE": "3", "PATH": "x"})


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration file: saw .*none\.toml"):
        load(Schema, file=tmp_path / "none.toml")


def test_every_setting_is_listed_with_its_variable_type_and_default() -> None:
    listed = {leaf.key: leaf for leaf in leaves(Schema)}
    assert list(listed) == ["mode", "symbols", "dry", "limits.leverage", "limits.max_notional"]
    leverage = listed["limits.leverage"]
    assert (leverage.variable, leverage.default) == ("FLASHSCALPER_LIMITS_LEVERAGE", 10)
    assert leverage.type == "whole number at least 1 and at most 50"
    assert leverage.description == "set per market"


def test_dotenv_takes_quotes_off_and_names_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# comment\nexport A='x y'\nB=1 # why\nC=\"z\"\n\n")
    assert read_dotenv(file) == {"A": "x y", "B": "1", "C": "z"}
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(ConfigError, match=r"\.env line 2: saw 'nonsense'; accepted: NAME=value"):
        read_dotenv(file)
    assert read_dotenv(tmp_path / "absent") == {}
