"""Every limit of the risk gate can be set from the file and from the environment, and what would be no limit is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flashscalper.cli.at_stake import at_stake
from flashscalper.cli.settings import load_settings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.errors import ConfigError
from flashscalper.model.positions import AccountSummary
from flashscalper.model.secrets import Secret
from flashscalper.runtime.hosting.box import CHAIN_ID
from flashscalper.runtime.preflight import Readiness
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.trading.settings import CorrelatedGroup, RiskLimits
from tests.cli.run import ROOT

OTHER: dict[str, Any] = {
    name: value / 2 if isinstance(value, float) else value + 1
    for name, value in msgspec.structs.asdict(RiskLimits()).items()
    if name != "groups" and value is not None
}
"""Every limit but the groups, with another value than its default."""


def risk_of(file: Path, text: str = "", **environment: str) -> RiskLimits:
    file.write_text(text)
    return load_settings(file=file, environment=environment).trading.risk


def test_every_limit_is_set_by_file_and_by_variable(tmp_path: Path) -> None:
    wanted = {**OTHER, "max_daily_loss": Decimal(7), "symbol_cooldown_s": 3.0, "symbol_loss_cooldown_s": 4.0}
    lines = "\n".join(f"{name} = {value}" for name, value in wanted.items())
    by_file = risk_of(tmp_path / "f.toml", f"[trading.risk]\n{lines}\n")
    variables = {f"FLASHSCALPER_TRADING_RISK_{name.upper()}": str(value) for name, value in wanted.items()}
    by_variable = risk_of(tmp_path / "f.toml", **variables)
    assert by_file == by_variable == RiskLimits(**wanted)


def test_groups_are_tables_of_the_file(tmp_path: Path) -> None:
    text = '[[trading.risk.groups]]\nname = "majors"\nsymbols = ["BTCUSDT", "ETHUSDT"]\nmax_notional = 1000\n'
    group = CorrelatedGroup(name="majors", symbols=("BTCUSDT", "ETHUSDT"), max_notional=Decimal(1_000))
    assert risk_of(tmp_path / "f.toml", text).groups == (group,)
    with pytest.raises(ConfigError, match=r"trading\.risk\.groups\.majors\.symbols: saw 'BTC-USD-PERP'; accepted: BTCUSDT"):
        risk_of(tmp_path / "f.toml", text.replace("BTCUSDT", "BTC-USD-PERP"))
    with pytest.raises(ConfigError, match=r"trading\.risk\.groups: .*\[\[section\]\]"):
        risk_of(tmp_path / "f.toml", FLASHSCALPER_TRADING_RISK_GROUPS="majors")


@pytest.mark.parametrize("name", ["max_daily_loss", "max_daily_loss_share", "max_drawdown_share"])
def test_a_limit_that_may_be_switched_off_says_so_and_takes_off(name: str, tmp_path: Path) -> None:
    assert getattr(risk_of(tmp_path / "f.toml", f'[trading.risk]\n{name} = "off"\n'), name) is None
    assert getattr(risk_of(tmp_path / "f.toml", **{f"FLASHSCALPER_TRADING_RISK_{name.upper()}": "off"}), name) is None
    with pytest.raises(ConfigError, match="number or `off`"):
        risk_of(tmp_path / "f.toml", f'[trading.risk]\n{name} = "none of it"\n')
    with pytest.raises(ConfigError, match=r"trading\.risk\.max_leverage"):
        risk_of(tmp_path / "f.toml", '[trading.risk]\nmax_leverage = "off"\n')


def test_what_is_at_stake_names_groups_sizes_and_markets_in_which_nothing_is_possible() -> None:
    trading = load_settings(file=None, environment={}).trading
    group = CorrelatedGroup(name="pair", symbols=("BTCUSDT", "DOGEUSDT"), max_notional=Decimal(500))
    trading = msgspec.structs.replace(trading, risk=msgspec.structs.replace(trading.risk, groups=(group,)))
    summary = AccountSummary(
        account="0x1", account_value=Decimal(4), total_collateral=Decimal(4), free_collateral=Decimal(4),
        initial_margin=Decimal(0), maintenance_margin=Decimal(0),
    )  # fmt: skip
    markets = tuple(market for market in DEFAULT_MARKETS if market.symbol in ("BTCUSDT", "ETHUSDT"))
    readiness = Readiness(
        signer=KeyedHashSigner("0x1", Secret("0x5"), CHAIN_ID), can_withdraw=False, summary=summary, markets=markets
    )
    said = "\n".join(at_stake(trading, readiness, real=False))
    assert "group pair: BTCUSDT, DOGEUSDT (not traded here) up to 500.00 USDC together" in said
    assert said.count("NOTHING CAN BE TRADED HERE") == 2
    rich = msgspec.structs.replace(readiness, summary=msgspec.structs.replace(summary, account_value=Decimal(10_000)))
    said = "\n".join(at_stake(trading, rich, real=False))
    assert "NOTHING" not in said
    assert "BTCUSDT: the exchange takes 10 USD or more in steps of 0.00001 BTC; the settings allow up to 500.00" in said
    assert "ETHUSDT: the exchange takes 10 USD or more in steps of 0.0001 ETH; the settings allow up to 20,000.00" in said


def test_the_page_of_limits_names_every_one_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "risk-limits.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("| `")]
    shown: dict[str, str] = {}
    for row in rows:
        names, defaults = row[1].replace("`", "").split(", "), row[2].split(", ")
        shown |= dict(zip(names, defaults, strict=True))
    for name, value in msgspec.structs.asdict(RiskLimits()).items():
        wanted = {"groups": "none", "max_daily_loss": "off"}.get(name) or f"{float(value):g}"
        assert shown.pop(name) == wanted, name
    assert shown == {}
