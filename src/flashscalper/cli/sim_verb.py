"""The verb `sim` and its options; the work is done in `cli.sim`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sim(
    *,
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for REST and WebSocket; 0 takes a free one.")] = 8787,
    feed: Annotated[str, typer.Option(help="`synthetic`, or the path of a recording (.jsonl or .jsonl.gz).")] = "synthetic",
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market and of the faults.")] = 1,
    markets: Annotated[str, typer.Option(help="Symbols separated by commas; default: all that the feed has.")] = "",
    balance: Annotated[str, typer.Option(help="USDC that a new account gets.")] = "10000",
    tls: Annotated[tuple[Path, Path] | None, typer.Option(metavar="CERT KEY", help="Serve https and wss.")] = None,
    require_sbe: Annotated[bool, typer.Option("--require-sbe", help="Refuse sockets that do not ask for SBE.")] = False,
    switches: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Turn any switch of the exchange; repeatable.")
    ] = None,
    latency_ms: Annotated[
        float | None,
        typer.Option(help="How long orders and what becomes of them travel, each way; 50 for a mirror, else 0."),
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="A TOML file of faults: [[fault]] tables.")] = None,
    mirror: Annotated[
        str, typer.Option(help="Repeat a real exchange's public data instead of a feed: paradex:prod or paradex:testnet.")
    ] = "",
    state: Annotated[
        Path | None, typer.Option(help="Folder in which accounts, keys, orders and fills outlive the process.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin anew: forget what --state has.")] = False,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", help="End when standard input does.")] = False,
) -> int:
    """Run the exchange in a box: the Paradex protocol on loopback, for any client.

    Prints one JSON line with its URLs, and the token of its back door (/control), when it is ready.
    Example: flashscalper sim --port 8787 --set token_lifetime_s=20 --latency-ms 30
    """
    from flashscalper.cli.sim import SimOptions
    from flashscalper.cli.sim import sim as run_sim

    return run_sim(
        SimOptions.parse(
            host=host,
            port=port,
            feed=feed,
            seed=seed,
            markets=markets,
            balance=balance,
            tls=tls,
            switches=(*(switches or ()), *(["require_sbe=true"] if require_sbe else [])),
            latency_ms=latency_ms,
            faults=faults,
            mirror=mirror,
            state=state,
            reset=reset,
            until_stdin_closes=until_stdin_closes,
        )
    )
