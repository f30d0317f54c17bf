"""The verb `bench` and its options; the work is in `flashscalper.cli.bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    *,
    orders: Annotated[int, typer.Option(help="How many orders each way is measured on.")] = 100,
    rate: Annotated[float, typer.Option(help="Market frames a second while orders are measured.")] = 500.0,
    runs: Annotated[Path, typer.Option(help="Where the journal is synced while it is measured: a real disk.")] = Path(
        "runs"
    ),
    url: Annotated[
        str, typer.Option(help="Round trips to a simulator on loopback too, such as http://127.0.0.1:8787.")
    ] = "",
    environment: Annotated[str, typer.Option(help="Round trips to testnet or prod too; needs --network.")] = "",
    network: Annotated[
        bool, typer.Option("--network", help="Yes, ask the real exchange: twenty public requests, no account.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> int:
    """Measure this machine: signing, decoding, tick to order on the built-in exchange, and round trips if asked.

    Touches no network unless told to. Example: flashscalper bench --orders 200
    """
    from flashscalper.cli.bench import BenchOptions
    from flashscalper.cli.bench import bench as run_bench

    return run_bench(
        BenchOptions.parse(orders=orders, rate=rate, runs=runs, url=url, environment=environment, network=network), json=json
    )
