"""The verbs `explain` and `costs` and their options; the work is in the modules of those names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def explain(
    run: Annotated[str, typer.Argument(help="A run's folder, its id, or `last`.")],
    what: Annotated[
        str, typer.Argument(help="A time (UTC), a round trip's number, `fill:ID` or a client order id; default: now.")
    ] = "",
    *,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count denials by reason; the nearest miss per market.")
    ] = False,
    market: Annotated[str, typer.Option(help="Only this symbol.")] = "",
    runs: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    json: Json = False,
) -> int:
    """Why it traded, or why not: each gate, its inputs, its verdict, from the journal of any run.

    Example: flashscalper explain last --summary
    """
    from flashscalper.cli.explain import explain as run_explain

    return run_explain(run, what, summary=summary, market=market, runs=runs, json=json)


def costs(
    *,
    feed: Annotated[str, typer.Option(help="`synthetic`, or the path of a recording (.jsonl or .jsonl.gz).")] = "synthetic",
    url: Annotated[str, typer.Option(help="A simulator on loopback instead, such as http://127.0.0.1:8787.")] = "",
    environment: Annotated[str, typer.Option(help="testnet or prod instead.")] = "",
    run: Annotated[str, typer.Option(help="A run's tape instead: its folder, its id, or `last`.")] = "",
    markets: Annotated[str, typer.Option(help="Symbols separated by commas; default: all that there are.")] = "",
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 1,
    runs: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    json: Json = False,
) -> int:
    """What a round trip costs per market and class: fee, spread, drift in the speed bump, orders left, break-even move.

    Example: flashscalper costs --markets BTCUSDT,ETHUSDT
    """
    from flashscalper.cli.costs import costs as run_costs
    from flashscalper.cli.target import find_target

    target = find_target(url=url, environment=environment) if url or environment else None
    return run_costs(feed=feed, seconds=seconds, seed=seed, markets=markets, run=run, runs=runs, target=target, json=json)
