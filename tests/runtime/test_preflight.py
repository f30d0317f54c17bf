"""What is known before an account is traded, read from the exchange in a box: whose key it is, money, markets."""

from __future__ import annotations

from decimal import Decimal
from random import SystemRandom

import pytest

from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.paradex_keys import AccountKeys
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.hosting.hosted import HostedParadex
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.preflight import Readiness, look, market_pairs


def settings_of(exchange: HostedParadex) -> ParadexSettings:
    return ParadexSettings.for_environment(
        Environment.SIMULATOR, market_pairs(("ETHUSDT",)), rest_url=exchange.rest_url, ws_url=exchange.ws_url
    )


def seen(exchange: HostedParadex, credentials: Credentials) -> Readiness:
    return run_loop(look(settings_of(exchange), credentials, ("ETHUSDT",), WallClock()))


@pytest.mark.paradex_sim(balance=1234)
def test_the_main_key_can_withdraw_and_a_subkey_cannot(paradex_sim: HostedParadex) -> None:
    trader = paradex_sim.trader
    main = Credentials(account=trader.account, secret_key=Secret(trader.private_key))
    readiness = seen(paradex_sim, main)
    assert readiness.can_withdraw
    assert readiness.account == trader.account
    assert readiness.summary.account_value == Decimal(1234)
    assert [market.symbol for market in readiness.markets] == ["ETHUSDT"]

    async def register(subkey: Secret) -> None:
        rest = ParadexRest(settings_of(paradex_sim), main, WallClock(), SystemRandom())
        try:
            await AccountKeys(rest).register(public_key_of(subkey), "bot", ())
        finally:
            await rest.aclose()

    subkey = new_private_key(b"a subkey" * 4)
    run_loop(register(subkey))
    again = seen(paradex_sim, Credentials(account=trader.account, secret_key=subkey))
    assert (again.account, again.can_withdraw) == (trader.account, False)


def test_an_account_without_a_key_is_refused_by_the_variables_name(paradex_sim: HostedParadex) -> None:
    with pytest.raises(ConfigError, match="PARADEX_SECRET_KEY"):
        seen(paradex_sim, Credentials(account=paradex_sim.trader.account))
