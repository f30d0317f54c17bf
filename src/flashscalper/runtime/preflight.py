"""What must be known before an account is traded: whose it is, what its key may do, its money and the markets' rules.

Read over REST once, before a journal exists and before anything can be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import SystemRandom

import msgspec

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import L1_CHAIN_IDS, AccountClasses, KeyRole, ParadexSigner, key_role
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.model.positions import AccountSummary
from flashscalper.runtime.clients.paradex_rest import KEY_VARIABLE, ParadexRest
from flashscalper.runtime.clock import Clock
from flashscalper.runtime.credentials import Credentials


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """An account that may be traded. `signer` signs for it; `can_withdraw` is True for the account's own main key."""

    signer: ParadexSigner
    can_withdraw: bool
    summary: AccountSummary
    markets: tuple[Market, ...]

    @property
    def account(self) -> str:
        """The account's address."""
        return self.signer.account


async def look(settings: ParadexSettings, credentials: Credentials, symbols: Sequence[str], clock: Clock) -> Readiness:
    """Log in and read everything. Raises ConfigError for what a person can mend, else the exchange's or transport's own."""
    if credentials.secret_key is None:
        raise ConfigError(KEY_VARIABLE, "nothing", "a Stark private key or subkey to sign orders with")
    rest = ParadexRest(settings, credentials, clock, SystemRandom())
    try:
        signer = await rest.signer()
        markets = _markets(await rest.read(requests.markets()), symbols)
        summary = responses.account_from(
            responses.decode("GET /account", wire.AccountResult, await rest.read(requests.account()))
        )
        return Readiness(
            signer=signer,
            markets=markets,
            summary=summary,
            can_withdraw=await _is_main_key(rest, credentials, signer.account),
        )
    finally:
        await rest.aclose()


def market_pairs(symbols: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Our symbols with the exchange's names. Raises ConfigError for a name that cannot be one."""
    mapper = SymbolMapper()
    return tuple((mapper.to_symbol(symbol), mapper.to_market(symbol)) for symbol in dict.fromkeys(symbols))


async def _is_main_key(rest: ParadexRest, credentials: Credentials, account: str) -> bool:
    """Whether the account's address follows from this very key: such a key can withdraw, a subkey cannot."""
    body = await rest.answer(rest.rest.ask(requests.system_config()))
    config = responses.decode("GET /system/config", wire.SystemConfig, body)
    classes = AccountClasses(config.paraclear_account_hash, config.paraclear_account_proxy_hash)
    layer_one = L1_CHAIN_IDS["prod" if rest.settings.environment is Environment.PROD else "testnet"]
    assert credentials.secret_key is not None
    return key_role(credentials.secret_key, account, classes, layer_one, field=KEY_VARIABLE) is KeyRole.MAIN


def _markets(body: bytes, symbols: Sequence[str]) -> tuple[Market, ...]:
    rows = responses.decode("GET /markets", wire.Page, body).results
    listed = {responses.decode("GET /markets", wire.MarketName, row).symbol: row for row in rows}
    found: list[Market] = []
    for symbol, name in market_pairs(symbols):
        if name not in listed:
            raise ConfigError("markets", symbol, f"a listed market: {', '.join(sorted(listed)[:20])}")
        result = responses.decode(f"GET /markets {name}", wire.MarketResult, listed[name])
        found.append(responses.market_from(result, symbol))
    return tuple(found)
