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
