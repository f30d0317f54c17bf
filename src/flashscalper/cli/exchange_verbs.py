"""The verbs `check` and `markets` and their options; the work is in the modules of those names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[str, typer.Option(help="A simulator on loopback, such as http://127.0.0.1:8787.")]
Environment = Annotated[str, typer.Option(help="testnet or prod; default: PARADEX_ENVIRONMENT, or testnet.")]
Markets = Annotated[str, typer.Option(help="Symbols separated by commas; default: the seven default markets.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def check(
    *,
    url: Url = "",
    environment: Environment = "",
    markets: Markets = "",
    seconds: Annotated[float, typer.Option(help="How long to listen for trades.")] = 10.0,
    order: Annotated[
        bool | None, typer.Option(help="Place a post-only order far away and cancel it; default: yes, never on prod.")
    ] = None,
    retail: Annotated[bool, typer.Option("--retail", help="Sign in for the Retail class (interactive token).")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask the exchange what its documents leave open; small orders, two minutes.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Where --probe writes its field report.")] = None,
    json: Json = False,
) -> int:
    """Can this machine, this key and this exchange trade together? Step by step, with hints.

    Exit code 1 when a step failed. Example: flashscalper check --url http://127.0.0.1:8787
    """
    from flashscalper.cli.checking.check import CheckOptions
    from flashscalper.cli.checking.check import check as run_check
    from flashscalper.cli.target import find_target

    target = find_target(url=url, environment=environment, retail=retail)
    if probe:
        from flashscalper.cli.checking.probe import probe as run_probe

        return run_probe(target, markets.split(",")[0].strip(), report, json=json)
    return run_check(target, CheckOptions.parse(target, markets=markets, seconds=seconds, order=order), json=json)


def markets(
    *,
    url: Url = "",
    environment: Environment = "",
    markets: Annotated[str, typer.Option(help="Symbols separated by commas; default: all.")] = "",
    json: Json = False,
) -> int:
    """List the exchange's perpetual markets and their rules. Needs no key.

    Example: flashscalper markets --markets BTCUSDT,ETHUSDT --json
    """
    from flashscalper.cli.markets import markets as run_markets
    from flashscalper.cli.target import find_target

    wanted = tuple(name.strip() for name in markets.split(",") if name.strip())
    return run_markets(find_target(url=url, environment=environment), wanted, json=json)
