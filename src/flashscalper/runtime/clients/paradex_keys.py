"""The keys of a Paradex account: whose a private key is, and subkeys registered, listed and revoked with the main key."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from flashscalper.exchanges.paradex import key_requests, requests, responses, wire
from flashscalper.exchanges.paradex.key_requests import SubkeyResult
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.exchanges.paradex.signing import (
    L1_CHAIN_IDS,
    AccountClasses,
    KeyRole,
    account_address,
    derive_stark_key,
    key_role,
)
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError, ExchangeError, TransportError
from flashscalper.model.instants import SECOND_US
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.credentials import Credentials, plain_address

MOST_NETWORKS: Final = 50
MAIN_KEY: Final = "main key"
_SUBKEY: Final = "subkey"
_EVM: Final = "accounts that an Ethereum key owns directly register subkeys in the web application; then `keys import` it"


def check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Networks a key may be used from, written in full; a bare address is a network of one. Raises ConfigError."""
    if len(networks) > MOST_NETWORKS:
        raise ConfigError("allow-cidr", f"{len(networks)} networks", f"at most {MOST_NETWORKS}")
    return tuple(_network(text) for text in networks)


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip()))
    except ValueError as error:
        raise ConfigError("allow-cidr", text, f"a network such as 203.0.113.7/32 ({error})") from None


async def role_of(rest: ParadexRest, key: Secret, account: str, *, field: str) -> KeyRole:
    """What `key` is to `account`, by the class hashes that the exchange publishes."""
    return key_role(key, account, await _classes(rest), _layer_one(rest), field=field)


async def find_main_key(rest: ParadexRest, key: Secret, account: str = "") -> Credentials:
    """The account and its Stark key from its main key, or from the Ethereum key that the main key is derived from.

    `rest` needs no credentials. Raises ConfigError when the key is not the main key of `account`, or, without `account`,
    when the exchange knows no account of it and does not open accounts by itself.
    """
    classes, layer_one = await _classes(rest), _layer_one(rest)
    if account:
        role = key_role(key, account, classes, layer_one, field=MAIN_KEY)
        if role is KeyRole.MAIN:
            return Credentials(account=account, secret_key=key)
        if role is KeyRole.ETHEREUM:
            return Credentials(account=account, secret_key=derive_stark_key(key, layer_one, field=MAIN_KEY))
        raise ConfigError(
            MAIN_KEY, key, f"the main key of account {account}, or the Ethereum key it is derived from; {_EVM}"
        )
    candidates = _candidates(key, layer_one)
    for candidate in candidates:
        body = await rest.read(key_requests.onboarded(public_key_of(candidate, field=MAIN_KEY)))
        if responses.decode("GET /onboarding", key_requests.OnboardingResult, body).exists:
            return _account_of(candidate, classes)
    if rest.settings.onboard:
        return _account_of(candidates[0], classes)
    raise ConfigError(MAIN_KEY, key, f"the main key of an account that {rest.settings.environment} knows; {_EVM}")


async def check_subkey(rest: ParadexRest, key: Secret, account: str) -> None:
    """Refuse a key that can do more than trade. Raises ConfigError."""
    role = await role_of(rest, key, account, field=_SUBKEY)
    if role is not KeyRole.OTHER:
        what = "main key, which can withdraw" if role is KeyRole.MAIN else "Ethereum key, which can do everything"
        raise ConfigError(
            _SUBKEY, key, f"a subkey; this is the account's {what}: it is not stored. `keys new` makes a subkey"
        )


class AccountKeys:
    """The subkeys of one account. Registering and revoking need `rest` to hold the main key; listing takes any key."""

    def __init__(self, rest: ParadexRest) -> None:
        self._rest = rest

    async def registered(self, *, with_revoked: bool = False) -> list[SubkeyResult]:
        """Every subkey that the exchange knows."""
        body = await self._rest.read(key_requests.subkeys(with_revoked=with_revoked))
        rows = responses.decode("GET /account/keys/subkeys", wire.Page, body).results
        return [responses.decode("GET /account/keys/subkeys", SubkeyResult, row) for row in rows]

    async def find(self, public_key: str) -> SubkeyResult | None:
        """One active subkey."""
        wanted = plain_address(public_key)
        return next((key for key in await self.registered() if plain_address(key.public_key) == wanted), None)

    async def register(self, public_key: str, name: str, networks: tuple[str, ...]) -> None:
        """Register a key. A lost answer is settled by looking whether the key is there; then it may be called again."""
        signer = await self._rest.signer()
        at_s = self._rest.exchange_now() // SECOND_US
        try:
            await self._rest.read(key_requests.register_subkey(signer, public_key, name, networks, at_s))
        except (ExchangeError, TransportError) as error:
            settled = isinstance(error, TransportError) or error.code == "NOT_UNIQUE"
            if not settled or await self.find(public_key) is None:
                raise

    async def revoke(self, public_key: str) -> None:
        """Take a key's rights away and see that they are gone."""
        await self._rest.read(key_requests.revoke_subkey(public_key))
        if await self.find(public_key) is not None:
            raise ExchangeError("NOT_REVOKED", f"the exchange still lists {public_key} as active")


async def _classes(rest: ParadexRest) -> AccountClasses:
    config = responses.decode("GET /system/config", wire.SystemConfig, await rest.read(requests.system_config()))
    rest.settings.check_chain(config.starknet_chain_id)
    if not config.paraclear_account_hash or not config.paraclear_account_proxy_hash:
        raise ConfigError("class hashes in /system/config", "none", "an exchange that says how addresses are derived")
    return AccountClasses(config.paraclear_account_hash, config.paraclear_account_proxy_hash)


def _layer_one(rest: ParadexRest) -> int:
    return L1_CHAIN_IDS["prod" if rest.settings.environment is Environment.PROD else "testnet"]


def _candidates(key: Secret, layer_one: int) -> list[Secret]:
    """What the text may mean: a Stark key as it is, or an Ethereum key to derive it from. Raises ConfigError for neither."""
    try:
        public_key_of(key, field=MAIN_KEY)
    except ConfigError:
        return [derive_stark_key(key, layer_one, field=MAIN_KEY)]
    return [key, derive_stark_key(key, layer_one, field=MAIN_KEY)]


def _account_of(key: Secret, classes: AccountClasses) -> Credentials:
    return Credentials(account=account_address(public_key_of(key, field=MAIN_KEY), classes), secret_key=key)
