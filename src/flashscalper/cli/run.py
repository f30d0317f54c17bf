"""`flashscalper run`: trade one account until it is stopped. Paper by default; testnet and live are asked for by name.

Composition only. What it refuses, it refuses before anything is connected: keys that do not belong to the mode, a profile
that is not for money, an account that another process trades.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec

from flashscalper.cli.at_stake import at_stake
from flashscalper.cli.feeds import SYNTHETIC, parse_symbols
from flashscalper.cli.run_view import Aside, RunView
from flashscalper.cli.settings import PaperSettings, Settings, read_settings
from flashscalper.cli.target import read_variables
from flashscalper.exchanges.paradex.settings import Environment, OrderEntry, ParadexSettings
from flashscalper.exchanges.paradex.signing import TESTNET_CLASSES, CurveSigner, account_address
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import (
    ACCOUNT_VARIABLES,
    DATABASE_VARIABLE,
    ENVIRONMENT_VARIABLE,
    KEY_NAME_VARIABLE,
    KEY_VARIABLES,
    TOKEN_VARIABLES,
    Credentials,
    check_acknowledged,
    forget_secrets,
    paradex_credentials,
    value_of,
)
from flashscalper.runtime.hosting.box import CHAIN_ID
from flashscalper.runtime.hosting.paper import MIRROR, PaperExchange, paper_key
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.logs import RunLog, banner_of
from flashscalper.runtime.preflight import Readiness, look, market_pairs
from flashscalper.runtime.recovery import recover
from flashscalper.runtime.retention import shed_old_runs
from flashscalper.runtime.session import Session, SessionPlan
from flashscalper.runtime.session_lock import AccountFolder, SessionLock, state_root
from flashscalper.runtime.store.follower import StoreTarget
from flashscalper.runtime.store.target import store_target
from flashscalper.runtime.strategy_files import StrategySource, find_strategy
from flashscalper.strategies.profiles import PROFILES, find_profile

MODES: Final = ("paper", "testnet", "live")
_CREDENTIALS: Final = (*KEY_VARIABLES, *TOKEN_VARIABLES, KEY_NAME_VARIABLE)


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flashscalper run` was asked for; the settings of all layers are in `settings`."""

    mode: str
    settings: Settings
    strategy: StrategySource
    seconds: float
    json: bool
    allow_withdraw_key: bool
    metrics_port: int | None = None

    @classmethod
    def parse(
        cls, *, mode: str, profile: str, config: Path | None, markets: str, strategy: str, feed: str, seconds: float,
        json: bool, allow_withdraw_key: bool, metrics_port: int | None = None,
    ) -> RunOptions:  # fmt: skip
        """Raises ConfigError naming the option or key, what was seen and what is accepted."""
        if mode and mode not in MODES:
            raise ConfigError("mode", mode, ", ".join(MODES))
        if not (isfinite(seconds) and seconds >= 0):
            raise ConfigError("seconds", seconds, "0 (until it is stopped) or a number of seconds")
        if metrics_port is not None and not 0 <= metrics_port <= 65_535:
            raise ConfigError("metrics-port", metrics_port, "0 (any free port) to 65535")
        overrides = {
            "mode": mode or None, "profile": profile or None, "strategy": strategy or None, "paper.feed": feed or None,
            "symbols": ",".join(parse_symbols(markets)) or None,
        }  # fmt: skip
        settings = read_settings(config, overrides)
        _check_belongs(settings.mode, feed, allow_withdraw_key=allow_withdraw_key)
        if settings.mode != "paper" and not find_profile(settings.profile).for_money:
            usable = ", ".join(name for name, one in PROFILES.items() if one.for_money)
            raise ConfigError(
                "profile", settings.profile, f"{usable} ({settings.profile} is a demonstration, for paper only)"
            )
        return cls(
            mode=settings.mode, settings=settings, strategy=find_strategy(settings.strategy), seconds=seconds, json=json,
            allow_withdraw_key=allow_withdraw_key, metrics_port=metrics_port,
        )  # fmt: skip


def _check_belongs(mode: str, feed: str, *, allow_withdraw_key: bool) -> None:
    """An option that the mode would ignore is refused: whoever gave it believes something else than what would happen."""
    if feed and mode != "paper":
        raise ConfigError("feed", feed, f"nothing with --mode {mode}, whose market is the exchange's own")
    if allow_withdraw_key and mode != "live":
        raise ConfigError("allow-withdraw-key", mode, "--mode live: no other mode asks what the key can do")


def run(options: RunOptions) -> int:
    """Trade until stopped; exit code 0 when everything that is left has its stop at the exchange."""
    variables = read_variables(Path())
    store = _store(options, variables)
    if options.mode == "paper":
        _ignore_keys(variables)
    summary = run_loop(_paper(options, store) if options.mode == "paper" else _real(options, variables, store))
    if options.json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        sys.stderr.write(f"the run's folder: {summary['artifacts']}\n")
    return 0 if summary["protected"] else 1


def _store(options: RunOptions, variables: Mapping[str, str]) -> StoreTarget | None:
    """Where the store is kept; None when the settings want none."""
    if not options.settings.store.enabled:
        return None
    return store_target(value_of(variables, DATABASE_VARIABLE), Path(options.settings.runs))


# ---- paper ----


async def _paper(options: RunOptions, store: StoreTarget | None) -> dict[str, Any]:
    key = paper_key(_market_name(options.settings.paper))
    account = account_address(CurveSigner("0x1", key, CHAIN_ID).public_key, TESTNET_CLASSES)
    folder = AccountFolder("paper", account, state_root(os.environ))
    paper, artifacts = options.settings.paper, _artifacts(options)
    with SessionLock(folder, artifacts.run_id, artifacts.folder):
        exchange = PaperExchange(
            feed=paper.feed, seed=paper.seed, balance=paper.balance, symbols=options.settings.symbols,
            state=folder.exchange, log=artifacts.folder / "exchange.log", variables=_child_variables(),
        )  # fmt: skip
        async with exchange:
            settings = _settings(options, Environment.SIMULATOR, exchange.rest_url, exchange.ws_url)
            readiness = await look(settings, Credentials(secret_key=key), options.settings.symbols, WallClock())
            return await _trade(options, settings, readiness, folder, artifacts, store=store, child=exchange)


def _market_name(paper: PaperSettings) -> str:
    """What tells one invented or mirrored market from another: each has a paper account of its own, whose positions are in
    its prices."""
    if paper.feed == SYNTHETIC:
        return f"{SYNTHETIC}/{paper.seed}"
    return paper.feed if paper.feed.startswith(MIRROR) else str(Path(paper.feed).resolve())


def _ignore_keys(variables: MutableMapping[str, str]) -> None:
    """A paper run holds no real key: what is in the environment is named, not read, and taken out of it."""
    found = [name for name in _CREDENTIALS if variables.get(name) or variables.get(f"{name}_FILE")]
    for forgotten in (variables, os.environ):
        forget_secrets(forgotten)
    if found:
        sys.stderr.write(
            f"paper: {', '.join(found)} ignored, nothing real is traded; --mode testnet or --mode live uses them\n"
        )


def _child_variables() -> dict[str, str]:
    """The environment of the paper exchange: it needs nothing of the account."""
    hidden = {*_CREDENTIALS, *ACCOUNT_VARIABLES, DATABASE_VARIABLE}
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in hidden}


# ---- testnet and live ----


async def _real(options: RunOptions, variables: Mapping[str, str], store: StoreTarget | None) -> dict[str, Any]:
    environment = _environment(options.mode, value_of(variables, ENVIRONMENT_VARIABLE))
    credentials = paradex_credentials({**variables, ENVIRONMENT_VARIABLE: environment})
    forget_secrets(os.environ)
    check_acknowledged(credentials, environment, variables.get("LIVE_ACK", ""))
    settings = _settings(
        options, environment, value_of(variables, "PARADEX_REST_URL"), value_of(variables, "PARADEX_WS_URL")
    )
    readiness = await look(settings, credentials, options.settings.symbols, WallClock())
    if options.mode == "live" and readiness.can_withdraw and not options.allow_withdraw_key:
        raise ConfigError(
            KEY_VARIABLES[0], credentials.secret_key,
            "a subkey (`flashscalper keys new`): this is the account's main key, which can withdraw; "
            "--allow-withdraw-key takes it all the same",
        )  # fmt: skip
    folder = AccountFolder(environment, readiness.account, state_root(os.environ))
    artifacts = _artifacts(options)
    with SessionLock(folder, artifacts.run_id, artifacts.folder):
        return await _trade(options, settings, readiness, folder, artifacts, store=store, secrets=_texts(credentials))


def _environment(mode: str, named: str) -> Environment:
    """Mode and environment must agree: testnet keys never trade live, live keys never by mistake."""
    accepted = {"testnet": (Environment.TESTNET, Environment.SIMULATOR), "live": (Environment.PROD,)}[mode]
    if not named:
        return accepted[0]
    if named not in tuple(accepted):
        raise ConfigError(f"{ENVIRONMENT_VARIABLE} with --mode {mode}", named, " or ".join(accepted))
    return Environment(named)


# ---- both ----


async def _trade(
    options: RunOptions, settings: ParadexSettings, readiness: Readiness, folder: AccountFolder, artifacts: RunArtifacts,
    *, store: StoreTarget | None, child: PaperExchange | None = None, secrets: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    saved = recover(folder)
    plan = SessionPlan(
        mode=options.mode, run=artifacts.run_id, settings=settings, readiness=readiness, strategy=options.strategy,
        scalper=options.settings.scalper, trading=msgspec.structs.replace(options.settings.trading, reported_pnl=True),
        seconds=options.seconds, metrics_port=options.metrics_port, store=store,
    )  # fmt: skip
    hidden = (*secrets, *(store.secrets if store is not None else ()))
    async with _logged(options, plan, folder, artifacts, hidden) as (log, view):
        for line in at_stake(plan.trading, readiness, real=folder.place == Environment.PROD):
            log.tell(line)
        if shed := shed_old_runs(WallClock().now(), artifacts.folder.parent):
            log.tell(shed)
        session = Session(plan, folder, artifacts, log, saved, child=child, view=view.show)
        artifacts.write_config({"mode": options.mode, "settings": options.settings, "account": readiness.account})
        with view:
            summary = await session.run()
        try:
            artifacts.write_trades(session.tally.booked, session.tally.round_trips)
            artifacts.write_summary(summary)
        except OSError as error:
            log.tell(f"{error.filename or artifacts.folder}: {error.strerror}; the lists of this run are not written")
        return summary


@asynccontextmanager
async def _logged(
    options: RunOptions, plan: SessionPlan, folder: AccountFolder, artifacts: RunArtifacts, secrets: Sequence[str]
) -> AsyncIterator[tuple[RunLog, RunView]]:
    """The log and the picture. Lines for people stand above a table that is painted in place."""
    table = sys.stdout.isatty() and not options.json
    banner = banner_of(folder.place, plan.readiness.account, plan.run)
    people = Aside() if table and sys.stderr.isatty() else sys.stderr
    log = RunLog(artifacts.log, banner, people=people, secrets=secrets)
    label = find_profile(options.settings.profile).label
    try:
        with log.overhearing():
            yield log, RunView(table=table, banner=banner["banner"], label=label)
    finally:
        log.close()
        await asyncio.sleep(0)


def _settings(options: RunOptions, environment: Environment, rest_url: str, ws_url: str) -> ParadexSettings:
    """The client's settings: where, which markets, and the habits of `[paradex]`."""
    if rest_url and not ws_url and rest_url.startswith("http://"):
        ws_url = rest_url.replace("http://", "ws://", 1)
    pairs, section = market_pairs(options.settings.symbols), options.settings.paradex
    settings = ParadexSettings.for_environment(environment, pairs, rest_url=rest_url, ws_url=ws_url)
    settings = msgspec.structs.replace(
        settings, interactive=section.fee_class == "retail", sbe=section.sbe, order_entry=OrderEntry(section.order_entry),
        max_reconnect_attempts=section.max_reconnect_attempts,
        recv_window_ms=round(options.settings.trading.timing.recv_window_s * 1_000),
        busy_market=settings.busy_market if environment is not Environment.SIMULATOR else pairs[0][1],
    )  # fmt: skip
    settings.validate()
    return settings


def _texts(credentials: Credentials) -> tuple[str, ...]:
    """What must not stand in any log."""
    found = [secret.reveal().strip() for secret in (credentials.secret_key, credentials.bearer_token) if secret is not None]
    return tuple(part for text in found for part in (text, text.removeprefix("0x")))


def _artifacts(options: RunOptions) -> RunArtifacts:
    run_id = f"{options.mode}-{datetime.now(tz=UTC):%Y%m%d-%H%M%S-%f}"
    return RunArtifacts(run_id, Path(options.settings.runs))
