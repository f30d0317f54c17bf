"""The verbs below `flashscalper store` and their options; the work is in `store`, which is loaded when one of them runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

store_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Runs = Annotated[Path | None, typer.Option(help="The folder of runs; default: that of the settings.")]
Url = Annotated[str, typer.Option(help="postgresql://...; default: DATABASE_URL, or store.sqlite3 in the folder of runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@store_app.command()
def rebuild(
    *,
    runs: Runs = None,
    url: Url = "",
    anew: Annotated[
        bool, typer.Option("--anew", help="Drop everything in the store first, runs of other machines too.")
    ] = False,
    json: Json = False,
) -> int:
    """Make the store anew from the journals: they are the truth, it is a view of them.

    Example: flashscalper store rebuild
    """
    from flashscalper.cli.store import rebuild as run_rebuild

    return run_rebuild(runs, url, anew=anew, json=json)


@store_app.command()
def show(*, runs: Runs = None, url: Url = "", json: Json = False) -> int:
    """Show what the store holds: accounts, positions, equity.

    Example: flashscalper store show --json
    """
    from flashscalper.cli.store import show as run_show

    return run_show(runs, url, json=json)
