"""What a client signs in with, and where it may come from: the call, environment variables, or files they name.

A variable `X` may be given as `X_FILE` instead, the path of a file with the value: containers hand secrets over that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("PARADEX_API_KEY", "PARADEX_ACCOUNT"),
    "secret_key": ("PARADEX_SECRET_KEY", "PARADEX_PRIVATE_KEY"),
    "bearer_token": ("PARADEX_BEARER_TOKEN",),
}
_MOST_BYTES: Final = 64 * 1024


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account and how it proves itself; all empty means public calls only.

    `account` is the Paradex account's address (may be left out for the account's own main key), `secret_key` a Stark private
    key or registered subkey, `bearer_token` a ready-made token, which only reads.
    """

    account: str = ""
    secret_key: Secret | None = None
    bearer_token: Secret | None = None

    @property
    def private(self) -> bool:
        """Whether there is anything to sign in with."""
        return self.secret_key is not None or self.bearer_token is not None


def paradex_credentials(environment: Mapping[str, str]) -> Credentials:
    """Credentials from variables or the files they name. Raises ConfigError for one given twice or a file not readable."""
    account = _one_of(environment, _ALIASES["account"])
    secret_key = _one_of(environment, _ALIASES["secret_key"])
    bearer_token = _one_of(environment, _ALIASES["bearer_token"])
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
    if not credentials.account or _plain(acknowledged) != _plain(credentials.account):
        raise ConfigError("LIVE_ACK", acknowledged, accepted)


def value_of(environment: Mapping[str, str], name: str) -> str:
    """The variable `name`, or the content of the file that `name_FILE` names; empty when neither is set."""
    value, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "").strip()
    if value and file:
        raise ConfigError(name, "both forms", f"either {name} or {name}_FILE")
    return _content(f"{name}_FILE", Path(file)) if file else value


def _one_of(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    given = {name: value for name in names if (value := value_of(environment, name))}
    if len(given) > 1:
        raise ConfigError(" and ".join(given), "both", "one of them; they are two names of one thing")
    return next(iter(given.values()), "")


def _content(name: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(name, str(file), f"a readable text file ({error})") from error


def _plain(address: str) -> str:
    return address.strip().lower().removeprefix("0x").lstrip("0")
