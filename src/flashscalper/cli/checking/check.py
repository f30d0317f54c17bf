"""`flashscalper check`: whether this machine, this key and this exchange can trade together, step by step.

Each step says what it found; one that needs another's success is skipped when that failed. The exit code is 1 when any step
failed. Orders are placed on testnet and on simulators only.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from flashscalper.cli.checking.check_account import account_kind, fees, margin_modes
from flashscalper.cli.checking.check_orders import place_and_cancel
from flashscalper.cli.checking.check_steps import (
    Bench,
    certificate,
    clock,
    environment,
    key_rights,
    listed_markets,
    rest_answers,
    sign_in,
)
from flashscalper.cli.checking.check_streams import account_stream, trades, websocket
from flashscalper.cli.checking.findings import Finding, Outcome, failed, shown
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.runtime.live import run_loop

Step = Callable[[Bench], Awaitable[Finding]]

STEPS: Final[tuple[tuple[str, Step, tuple[str, ...]], ...]] = (
    ("environment", environment, ()),
    ("tls", certificate, ()),
    ("rest", rest_answers, ("tls",)),
    ("clock", clock, ("rest",)),
    ("markets", listed_markets, ("rest",)),
    ("auth", sign_in, ("rest", "clock")),
    ("key", key_rights, ("auth",)),
    ("account", account_kind, ("auth",)),
    ("margin", margin_modes, ("auth", "markets")),
    ("fees", fees, ("auth", "markets")),
    ("websocket", websocket, ("tls", "markets")),
    ("trades", trades, ("websocket",)),
    ("account stream", account_stream, ("auth", "websocket")),
    ("order", place_and_cancel, ("auth", "key", "markets")),
)
"""Name, what does it, and which steps must not have failed before."""


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flashscalper check` was asked for, checked."""

    symbols: tuple[str, ...] = ()
    seconds: float = 10.0
    order: bool = True

    @classmethod
    def parse(cls, target: Target, *, markets: str, seconds: float, order: bool | None) -> CheckOptions:
        """Raises ConfigError naming the option. An order is placed by default wherever it costs nothing."""
        if not 0 < seconds <= 3600:
            raise ConfigError("seconds", seconds, "above 0, at most 3600")
        prod = target.environment is Environment.PROD
        if order and prod:
            raise ConfigError("--order", "prod", "testnet or a simulator: on prod no order is placed")
        symbols = tuple(name.strip() for name in markets.split(",") if name.strip())
        return cls(symbols=symbols, seconds=seconds, order=not prod if order is None else order)


def check(target: Target, options: CheckOptions, *, json: bool) -> int:
    """Run every step, print, and return the exit code."""
    findings = run_loop(run_steps(target, options))
    if json:
        good = all(finding.outcome is not Outcome.FAIL for finding in findings)
        report = {"good": good, "environment": str(target.environment), "steps": findings}
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        sys.stdout.write(shown(findings) + "\n")
    return exit_code(findings)


def exit_code(findings: list[Finding]) -> int:
    """1 when a step failed."""
    return int(any(finding.outcome is Outcome.FAIL for finding in findings))


async def run_steps(target: Target, options: CheckOptions) -> list[Finding]:
    """Every step in order; an error of ours ends its step, nothing else."""
    found: dict[str, Finding] = {}
    async with Bench.open(target, options.symbols, options.seconds, order=options.order) as bench:
        for name, step, needs in STEPS:
            missing = [need for need in needs if found[need].outcome in (Outcome.FAIL, Outcome.SKIP)]
            if missing:
                found[name] = Finding(step=name, outcome=Outcome.SKIP, detail=f"needs {', '.join(missing)}")
                continue
            try:
                found[name] = await step(bench)
            except FlashScalperError as error:
                found[name] = failed(name, error)
    return list(found.values())
