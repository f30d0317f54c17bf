"""What a client signs in with, and where it may come from: the call, environment variables, files they name, the key store.

A variable `X` may be given as `X_FILE` instead, the path of a file with the value: containers hand secrets over that way.
Several names of one thing may be set as long as they say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.keystore import open_keystore
from flashscalper.runtime.private_files import read_secret

ACCOUNT_VARIABLES: Final = ("PARADEX_API_KEY", "PARADEX_ACCOUNT_ADDRESS", "PARADEX_ACCOUNT")
"""The account's address. `PARADEX_API_KEY` is the original's name for it; Paradex has no API keys of the usual kind."""
KEY_VARIABLES: Final = ("PARADEX_SECRET_KEY", "PARADEX_PRIVATE_KEY")
"""A Stark private key: a registered subkey's, or the account's main key."""
TOKEN_VARIABLES: Final = ("PARADEX_BEARER_TOKEN",)
"""A ready-made token, which only reads."""
KEY_NAME_VARIABLE: Final = "PARADEX_KEY_NAME"
"""The name of a key that `flashscalper keys` stored; it brings its account along."""
ENVIRONMENT_VARIABLE: Final = "PARADEX_ENVIRONMENT"
DEFAULT_ENVIRONMENT: Final = "testnet"
DATABASE_VARIABLE: Final = "DATABASE_URL"
"""Where the store is kept, with the password in it; see `runtime.store`."""
_SECRET: Final = frozenset({*KEY_VARIABLES, *TOKEN_VARIABLES, DATABASE_VARIABLE})
_MOST_BYTES: Final = 64 * 1024


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account and how it proves itself; all empty means public calls only.

    `account` is the Paradex account's address (may be left out for the account's own main key), `secret_key` a Stark private
    key or registered subkey, `bearer_token` a ready-made token, which only reads. A key and a token together are refused
    with a ConfigError: one of them would be ignored, and they may belong to two accounts.
    """

    account: str = ""
    secret_key: Secret | None = None
    bearer_token: Secret | None = None

    def __post_init__(self) -> None:
        if self.secret_key is not None and self.bearer_token is not None:
            _refuse_both("secret_key (PARADEX_SECRET_KEY)", "bearer_token (PARADEX_BEARER_TOKEN)")

    @property
    def private(self) -> bool:
        """Whether there is anything to sign in with."""
        return self.secret_key is not None or self.bearer_token is not None


def paradex_credentials(environment: Mapping[str, str]) -> Credentials:
    """Credentials from variables, the files they name, or the key store.

    Raises ConfigError for names of one thing that disagree, and for a file or a stored key that cannot be used.
    """
    account = _one_of(environment, ACCOUNT_VARIABLES, plain_address)
    secret_key = _one_of(environment, KEY_VARIABLES, plain_address)
    bearer_token = _one_of(environment, TOKEN_VARIABLES, str.strip)
    key_name = value_of(environment, KEY_NAME_VARIABLE)
    if key_name and secret_key:
        raise ConfigError(f"{KEY_NAME_VARIABLE} and {KEY_VARIABLES[0]}", "both", "one of them: each is a key to sign with")
    if bearer_token and (key_name or secret_key):
        key_variable = KEY_NAME_VARIABLE if key_name else next(name for name in KEY_VARIABLES if value_of(environment, name))
        _refuse_both(key_variable, TOKEN_VARIABLES[0])
    if key_name:
        return _stored(environment, key_name, account)
    return Credentials(
        account=account,
        secret_key=Secret(secret_key) if secret_key else None,
        bearer_token=Secret(bearer_token) if bearer_token else None,
    )


def check_acknowledged(credentials: Credentials, exchange_environment: str, acknowledged: str) -> None:
    """On prod a key needs `LIVE_ACK` with its account's address: orders there move real money. Raises ConfigError."""
    if exchange_environment != "prod" or not credentials.private:
        return
    accepted = "on prod: the account's address as in PARADEX_API_KEY, because orders there move real money"
    if not credentials.account or plain_address(acknowledged) != plain_address(credentials.account):
        raise ConfigError("LIVE_ACK", acknowledged, accepted)


def value_of(environment: Mapping[str, str], name: str) -> str:
    """The variable `name`, or the content of the file that `name_FILE` names; empty when neither is set.

    The file of a secret must be private to its owner (`private_files`).
    """
    value, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "").strip()
    if not file:
        return value
    content = _content(f"{name}_FILE", Path(file), secret=name in _SECRET)
    if value and value != content:
        raise ConfigError(name, "both forms", f"either {name} or {name}_FILE; they disagree")
    return content


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Take keys and tokens out of a process environment once they were read: every child process would inherit them."""
    for name in _SECRET:
        environment.pop(name, None)


def plain_address(text: str) -> str:
    """A hexadecimal number without 0x, leading zeros and capitals, to compare two spellings."""
    return text.strip().lower().removeprefix("0x").lstrip("0")


def _refuse_both(key: str, token: str) -> NoReturn:
    raise ConfigError(f"{key} and {token}", "both", "one of them: a key makes its own tokens, a ready-made token only reads")


def _stored(environment: Mapping[str, str], key_name: str, account: str) -> Credentials:
    """A key of the key store, for the environment that it was registered in and for no other account."""
    key, secret = open_keystore(environment).load(key_name)
    chosen = value_of(environment, ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
    if key.environment != chosen:
        raise ConfigError(KEY_NAME_VARIABLE, key_name, f"a key of {chosen}; this one was registered on {key.environment}")
    if account and plain_address(account) != plain_address(key.account):
        raise ConfigError(ACCOUNT_VARIABLES[0], account, f"{key.account}, the account of the stored key {key_name!r}")
    return Credentials(account=key.account, secret_key=secret)


def _one_of(environment: Mapping[str, str], names: tuple[str, ...], normal: Callable[[str], str]) -> str:
    given = {name: value for name in names if (value := value_of(environment, name))}
    if len({normal(value) for value in given.values()}) > 1:
        raise ConfigError(
            " and ".join(given), "different values", "the same value, or one of them: they are names of one thing"
        )
    return next(iter(given.values()), "")


def _content(name: str, file: Path, *, secret: bool) -> str:
    if secret:
        return read_secret(name, file).strip()
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(name, str(file), f"a readable text file ({error})") from error
