"""`flashscalper keys`: subkeys that may trade and nothing else, made here, registered once, kept in the key store.

The main key is asked for without echo when a subkey is registered or revoked; it is not stored, not printed and not read
from a variable. No verb prints a private key.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

import msgspec

from flashscalper.cli.table import text_table
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.exchanges.paradex.signing.typed_data import parse_hex
from flashscalper.model.amounts import plain
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError, FlashScalperError, TransportError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.paradex_keys import AccountKeys, check_networks, check_subkey, find_main_key
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.keystore import Keystore, StoredKey, check_name, open_keystore
from flashscalper.runtime.live import run_loop

RIGHTS: Final = "sign in, read, place and cancel orders; not withdraw, transfer or manage keys"
_MAIN_KEY: Final = "Main private key (or the Ethereum key it comes from)"
_SUBKEY: Final = "Private key of the subkey"


class _Wanted(NamedTuple):
    """The subkey that was asked for."""

    name: str
    account: str
    networks: tuple[str, ...]


def ask_secret(what: str) -> Secret:
    """A secret typed without echo, or the first line of a pipe. Raises ConfigError when there is none."""
    text = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not text.strip():
        raise ConfigError(what, "nothing", "a key, typed or piped in")
    return Secret(text.strip())


def new(target: Target, name: str, account: str, networks: tuple[str, ...], *, json: bool) -> int:
    """Make a subkey here, register it with the main key, store it."""
    networks = _needed(target, check_networks(networks))
    store = _free(target, check_name(name))
    key = _run(_new(target, store, _Wanted(name, account, networks), ask_secret(_MAIN_KEY)))
    _tell({**msgspec.to_builtins(key), "may": RIGHTS, "stored_in": store.where}, json=json)
    if not json:
        _say(f"\nUse it:  export {target_words(target)} PARADEX_KEY_NAME={name}\nTry it:  flashscalper keys test {name}")
    return 0


def import_(target: Target, name: str, account: str, *, json: bool) -> int:
    """Store a subkey that was registered elsewhere, after a login with it."""
    parse_hex("account", account)
    store = _free(target, check_name(name))
    secret = ask_secret(_SUBKEY)
    key = _run(_import(target, store, name, account, secret))
    _tell({**msgspec.to_builtins(key), "may": RIGHTS, "stored_in": store.where}, json=json)
    return 0


def list_(target: Target, *, json: bool) -> int:
    """Every stored key, without its secret."""
    store = open_keystore(target.variables)
    found = store.stored()
    if json:
        _say(msgspec.json.encode({"stored_in": store.where, "keys": found}).decode())
        return 0
    rows = [(key.name, key.environment, key.account, key.public_key, _networks(key.allowed_cidrs)) for key in found]
    _say(text_table(("name", "environment", "account", "public key", "allowed from"), rows))
    _say(f"{len(found)} in {store.where}")
    return 0


def show(target: Target, name: str, *, json: bool) -> int:
    """One stored key, without its secret."""
    store = open_keystore(target.variables)
    key, _ = store.load(name)
    _tell({**msgspec.to_builtins(key), "may": RIGHTS, "stored_in": store.where}, json=json)
    return 0


def test(target: Target, name: str, *, json: bool) -> int:
    """Log in with a stored key and say what the exchange makes of it."""
    key, secret = open_keystore(target.variables).load(name)
    _same_environment(target, key)
    found = _run(_test(target, key, secret))
    _tell(found, json=json)
    return 0


def revoke(target: Target, name: str, account: str, *, json: bool) -> int:
    """Take a key's rights away at the exchange, then forget it here. `name` may be a public key that is not stored."""
    store = open_keystore(target.variables)
    stored = None if name.lower().startswith("0x") else store.load(name)
    if stored is not None:
        _same_environment(target, stored[0])
    public_key = stored[0].public_key if stored else f"{parse_hex('public key', name):#x}"
    secret = stored[1] if stored else None
    owner = stored[0].account if stored else account
    _run(_revoke(target, owner, public_key, secret, ask_secret(_MAIN_KEY)))
    if stored is not None:
        store.forget(name)
    _tell({"revoked": public_key, "forgotten": stored is not None}, json=json)
    return 0


async def _new(target: Target, store: Keystore, wanted: _Wanted, main_key: Secret) -> StoredKey:
    """The key is stored before it is registered, so that no registered key can be lost; a refusal takes it out again."""
    async with target.rest() as public:
        owner = await find_main_key(public, main_key, wanted.account)
    secret = new_private_key(os.urandom(32))
    key = StoredKey(
        name=wanted.name,
        environment=target.environment,
        account=owner.account,
        public_key=public_key_of(secret),
        allowed_cidrs=wanted.networks,
        created_at=WallClock().now(),
    )
    async with target.rest(owner) as rest:
        await rest.sign_in()
        store.save(key, secret)
        try:
            await AccountKeys(rest).register(key.public_key, key.name, wanted.networks)
        except TransportError as error:
            raise TransportError(
                f"{error}. Nobody knows whether {key.name} is registered: it is kept; `keys test {key.name}` finds out"
            ) from error
        except FlashScalperError:
            store.forget(key.name)
            raise
    return key


async def _import(target: Target, store: Keystore, name: str, account: str, secret: Secret) -> StoredKey:
    async with target.rest() as public:
        await check_subkey(public, secret, account)
    key = StoredKey(
        name=name,
        environment=target.environment,
        account=account,
        public_key=public_key_of(secret),
        created_at=WallClock().now(),
    )
    async with target.rest(Credentials(account=account, secret_key=secret)) as rest:
        registered = await AccountKeys(rest).find(key.public_key)
    if registered is not None:
        key = msgspec.structs.replace(key, allowed_cidrs=tuple(registered.allowed_cidrs or ()))
    store.save(key, secret)
    return key


async def _test(target: Target, key: StoredKey, secret: Secret) -> dict[str, Any]:
    clock = WallClock()
    async with target.rest(Credentials(account=key.account, secret_key=secret)) as rest:
        await rest.sign_in()
        started = clock.now()
        account = responses.decode("GET /account", wire.AccountResult, await rest.read(requests.account()))
        took_ms = (clock.now() - started) / 1000
        registered = await AccountKeys(rest).find(key.public_key)
    if registered is None:
        raise AuthError("NOT_LISTED", f"the exchange signs {key.name} in but does not list it as a subkey of {key.account}")
    summary = responses.account_from(account)
    return {
        "name": key.name,
        "environment": str(target.environment),
        "account": key.account,
        "public_key": key.public_key,
        "signs_in": True,
        "login_and_read_ms": round(took_ms, 1),
        "state": registered.state,
        "allowed_cidrs": list(registered.allowed_cidrs or ()),
        "may": RIGHTS,
        "account_value": plain(summary.account_value),
        "account_status": summary.status,
    }


async def _revoke(target: Target, account: str, public_key: str, secret: Secret | None, main_key: Secret) -> None:
    async with target.rest() as public:
        owner = await find_main_key(public, main_key, account)
    async with target.rest(owner) as rest:
        await AccountKeys(rest).revoke(public_key)
    if secret is None:
        return
    async with target.rest(Credentials(account=owner.account, secret_key=secret)) as rest:
        try:
            await rest.read(requests.account())
        except ExchangeError:
            return
    raise ExchangeError("STILL_VALID", f"{public_key} was revoked, but the exchange still signs it in")


def target_words(target: Target) -> str:
    """The variables that lead a program to where a verb went."""
    words = [f"PARADEX_ENVIRONMENT={target.environment}"]
    if target.environment is Environment.SIMULATOR:
        words += [f"PARADEX_REST_URL={target.settings.rest_url}", f"PARADEX_WS_URL={target.settings.ws_url}"]
    return " ".join(words)


def _needed(target: Target, networks: tuple[str, ...]) -> tuple[str, ...]:
    """On prod a key without an allow-list works for whoever finds it: that must be said, not forgotten."""
    if target.environment is Environment.PROD and not networks:
        raise ConfigError("allow-cidr", "none", "your server's address, such as 203.0.113.7/32; 0.0.0.0/0 for any address")
    return networks


def _free(target: Target, name: str) -> Keystore:
    """The key store, once it is certain that it can be read and that the name is free: before a key is asked for."""
    store = open_keystore(target.variables)
    if any(key.name == name for key in store.stored()):
        raise ConfigError("key name", name, f"a name that is not taken in {store.where}")
    return store


def _same_environment(target: Target, key: StoredKey) -> None:
    if key.environment != target.environment:
        raise ConfigError("key name", key.name, f"a key of {target.environment}; this one is of {key.environment}")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return run_loop(work)


def _networks(networks: tuple[str, ...]) -> str:
    return ", ".join(networks) or "any address"


def _tell(found: dict[str, Any], *, json: bool) -> None:
    """One thing's facts, as JSON or a line each."""
    if json:
        _say(msgspec.json.encode(found).decode())
        return
    width = max(len(name) for name in found)
    for name, value in found.items():
        shown = ", ".join(value) or "any address" if isinstance(value, list | tuple) else value
        _say(f"{name.replace('_', ' '):<{width}}  {shown}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
