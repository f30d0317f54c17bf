"""What may be configured: one typed schema, the original's variable names that still mean the same, and `.env.example`.

A profile (`classic`, `default`, `demo`) gives the values of `[scalper]` and `[trading]` to begin with; every other layer
goes on top of them.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from flashscalper.cli.config import Leaf, Tree, leaves, load, merge, read_dotenv
from flashscalper.model.errors import ConfigError
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.strategies.profiles import PROFILES, find_profile
from flashscalper.strategies.scalper_settings import ScalperSettings
from flashscalper.trading.profiles import trading_profile
from flashscalper.trading.settings import TradingSettings

FILE_NAME: Final = "flashscalper.toml"


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulated exchange that paper trading runs on."""

    feed: Annotated[str, msgspec.Meta(description="`synthetic`, or the path of a recording")] = "synthetic"
    seed: Annotated[int, msgspec.Meta(ge=0, description="seed of the synthetic market")] = 1
    balance: Annotated[Decimal, msgspec.Meta(description="USDC to begin with")] = Decimal(10_000)

    def validate(self, field: str = "paper") -> None:
        """Raise ConfigError for a balance that is no amount of money."""
        if not self.balance.is_finite() or self.balance <= 0:
            raise ConfigError(f"{field}.balance", str(self.balance), "an amount above 0")


class ParadexSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paradex's habits that are ours to choose; addresses and keys come from the environment."""

    fee_class: Annotated[
        Literal["pro", "retail"],
        msgspec.Meta(description="retail: interactive token, 300 ms speed bump, 1,000 orders a day"),
    ] = "pro"
    sbe: Annotated[bool, msgspec.Meta(description="binary public data, as Paradex asks for since 2026-09-21")] = True
    order_entry: Annotated[Literal["websocket", "rest"], msgspec.Meta(description="how orders leave")] = "websocket"
    max_reconnect_attempts: Annotated[int, msgspec.Meta(ge=0, description="0 reconnects for ever")] = 0


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The database that shows what the journals hold; where it is says DATABASE_URL."""

    enabled: Annotated[bool, msgspec.Meta(description="keep orders, fills, positions, equity and signals there")] = True


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything but secrets."""

    exchange: Annotated[Literal["paradex"], msgspec.Meta(description="which exchange")] = "paradex"
    mode: Annotated[
        Literal["paper", "testnet", "live"], msgspec.Meta(description="live also needs LIVE_ACK=<account address>")
    ] = "paper"
    profile: Annotated[str, msgspec.Meta(description="where [scalper] and [trading] begin: " + ", ".join(PROFILES))] = (
        "default"
    )
    strategy: Annotated[
        str, msgspec.Meta(description="`scalper`, or FILE.py:CLASS with its parameters: my.py:Cross fast=12")
    ] = "scalper"
    symbols: Annotated[tuple[str, ...], msgspec.Meta(description="markets to trade, our symbols")] = tuple(
        market.symbol for market in DEFAULT_MARKETS
    )
    runs: Annotated[str, msgspec.Meta(description="folder in which each run leaves its folder")] = "runs"
    paper: PaperSettings = PaperSettings()
    paradex: ParadexSection = ParadexSection()
    store: StoreSettings = StoreSettings()
    scalper: ScalperSettings = ScalperSettings()
    trading: TradingSettings = TradingSettings()


ALIASES: Final[Mapping[str, str]] = {
    "EXCHANGE": "exchange",
    "SCALPER_KLINE_INTERVAL": "scalper.interval",
    "SCALPER_LEVERAGE": "trading.margin.leverage",
    "SCALPER_MIN_SCORE": "scalper.min_score",
    "SCALPER_RSI_PERIOD": "scalper.indicators.rsi",
    "SCALPER_MOMENTUM_PERIOD": "scalper.indicators.momentum",
    "SCALPER_TREND_SMA_FAST": "scalper.indicators.trend_fast",
    "SCALPER_TREND_SMA_SLOW": "scalper.indicators.trend_slow",
    "SCALPER_MAX_MOMENTUM": "scalper.filters.max_momentum",
    "SCALPER_MIN_VOLUME_RATIO": "scalper.filters.min_volume_ratio",
}
"""The original's variables that still mean the same in the same unit."""

SECRET_VARIABLES: Final = (
    ("PARADEX_ENVIRONMENT", "testnet or prod"),
    ("PARADEX_API_KEY", "the account's address, 0x... (Paradex has no API keys of the usual kind)"),
    ("PARADEX_SECRET_KEY", "a Stark private key: better a subkey's, which cannot withdraw; never the Ethereum key"),
    ("PARADEX_KEY_NAME", "instead of the two above: the name of a key that `flashscalper keys` stored"),
    ("PARADEX_KEYSTORE", "where keys are stored: `keyring`, or the path of a file; default: the keyring if there is one"),
    ("PARADEX_BEARER_TOKEN", "a ready-made token; reads only"),
    ("PARADEX_REST_URL", "only to point at another address, for example a simulator on loopback"),
    ("PARADEX_WS_URL", "likewise"),
    ("LIVE_ACK", "the account's address again; without it nothing trades live"),
    ("DATABASE_URL", "postgresql://...: keep the store there instead of in store.sqlite3 beside the runs"),
)


_HEAD: Final = """\
# Every variable that FlashScalper reads, with its default; made from the schema by `flashscalper config --env-example`.
# Copy to .env and take the # off what you change. flashscalper.toml takes the same settings under their dotted names.
# The values of [scalper] and [trading] shown here are those of the profile `default`.

# --- Keys and addresses: from the environment, a file (NAME_FILE=/path) or the keyring, never from flashscalper.toml
"""


def load_settings(
    *, file: Path | None, environment: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> Settings:
    """All layers merged and checked; the profile that the layers name lies below them. Raises ConfigError."""
    chosen = merge(Settings, file=file, environment=environment, aliases=ALIASES, overrides=overrides).get("profile")
    base = _profile_tree(str(chosen or Settings().profile))
    settings = load(Settings, file=file, environment=environment, aliases=ALIASES, overrides=overrides, base=base)
    settings.paper.validate()
    settings.scalper.validate()
    settings.trading.validate()
    return settings


def read_settings(file: Path | None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Settings as the command line reads them: `flashscalper.toml` here unless `file` names another, `.env`, environment."""
    chosen = file if file is not None else Path(FILE_NAME) if Path(FILE_NAME).is_file() else None
    return load_settings(file=chosen, environment=read_dotenv(Path(".env")) | dict(os.environ), overrides=overrides)


def _profile_tree(name: str) -> Tree:
    trading, scalper = trading_profile(name), find_profile(name).scalper
    return {"trading": _plain(trading), "scalper": _plain(scalper)}


def _plain(struct: msgspec.Struct) -> Any:
    return msgspec.to_builtins(struct, builtin_types=(Decimal,))


def env_example() -> str:
    """The text of `.env.example`: every variable with its meaning and default, commented out."""
    lines = _HEAD.splitlines()
    for name, meaning in SECRET_VARIABLES:
        lines += [f"# {meaning}", f"#{name}="]
    section: tuple[str, ...] = ()
    defaults = load_settings(file=None, environment={})
    for leaf in leaves(Settings):
        if leaf.path[:-1] != section:
            section = leaf.path[:-1]
            lines += ["", f"# --- [{'.'.join(section)}]" if section else "# ---"]
        lines += _entry(leaf, defaults)
    lines += ["", "# --- The original's names that still mean the same"]
    lines += [f"#{name}=    # {key}" for name, key in ALIASES.items()]
    return "\n".join(lines) + "\n"


def _entry(leaf: Leaf, defaults: Settings) -> list[str]:
    value: Any = defaults
    for name in leaf.path:
        value = getattr(value, name, None)
    if isinstance(value, msgspec.Struct):
        return []
    meaning = f"{leaf.description} ({leaf.type})"
    if not leaf.description:
        return [f"#{leaf.variable}={_shown(value)}"]
    comment = textwrap.wrap(meaning, 118, initial_indent="# ", subsequent_indent="# ")
    return [*comment, f"#{leaf.variable}={_shown(value)}"]


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
