"""What a person is told before real money is traded: the account, what it may lose, what an order may be."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.cli.at_stake import at_stake
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.positions import AccountSummary
from flashscalper.model.secrets import Secret
from flashscalper.runtime.preflight import Readiness
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.trading.settings import RiskLimits, TradingSettings

EQUITY = Decimal(20_000)


def told(risk: RiskLimits, *, real: bool) -> list[str]:
    summary = AccountSummary(
        account="0x123", account_value=EQUITY, total_collateral=EQUITY, free_collateral=EQUITY, initial_margin=Decimal(0),
        maintenance_margin=Decimal(0),
    )  # fmt: skip
    signer = KeyedHashSigner("0x123", Secret("0xfeed"), "PRIVATE_SN_PARACLEAR_MAINNET")
    readiness = Readiness(signer=signer, can_withdraw=False, summary=summary, markets=DEFAULT_MARKETS[:1])
    return list(at_stake(msgspec.structs.replace(TradingSettings(), risk=risk), readiness, real=real))


def test_the_smaller_of_two_limits_of_a_day_is_what_may_be_lost() -> None:
    risk = RiskLimits(max_daily_loss=Decimal(300), max_daily_loss_share=0.05, max_drawdown_share=0.15)
    account, loss, market = told(risk, real=True)
    assert account == "account 0x123: 20,000.00 USDC, real money"
    assert loss.startswith("it may lose 300.00 USDC a day and 3,000.00 USDC in all before it stops opening; ")
    assert "A stop is no guarantee" in loss
    assert market.startswith("BTCUSDT: the exchange takes 10 USD or more in steps of ")
    share = told(msgspec.structs.replace(risk, max_daily_loss=Decimal(1_500)), real=False)
    assert share[0].endswith(", no real money")
    assert share[1].startswith("it may lose 1,000.00 USDC a day")


def test_limits_that_are_switched_off_are_said_in_so_many_words() -> None:
    risk = RiskLimits(max_daily_loss=None, max_daily_loss_share=None, max_drawdown_share=None)
    assert told(risk, real=True)[1].startswith(
        "it may lose any amount a day (no limit is set) and any amount in all (no limit is set) before it stops opening"
    )
