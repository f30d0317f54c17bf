"""The verbs around a running process and their options: `run`, `status`, `pause`, `resume`, `flatten`, `kill`, `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Account = Annotated[str, typer.Option(help="Part of the account's name, when several are traded on this machine.")]
Reason = Annotated[str, typer.Option(help="Why; it is shown in the status and stands in the journal.")]


def run(
    *,
    mode: Annotated[str, typer.Option(help="paper (the default), testnet or live.")] = "",
    profile: Annotated[str, typer.Option(help="Where settings begin: default, classic; demo on paper only.")] = "",
    config: Annotated[Path | None, typer.Option(help="Configuration file; default: flashscalper.toml here, if any.")] = None,
    markets: Annotated[str, typer.Option(help="Symbols separated by commas; default: those of the settings.")] = "",
    strategy: Annotated[
        str, typer.Option(help='`scalper`, or your own: FILE.py:CLASS; with parameters: "my.py:Cross fast=12".')
    ] = "",
    feed: Annotated[str, typer.Option(help="Paper only: `synthetic`, a recording, or `paradex:prod` (a mirror).")] = "",
    seconds: Annotated[float, typer.Option(help="Stop after so many seconds; 0 runs until it is stopped.")] = 0.0,
    allow_withdraw_key: Annotated[
        bool, typer.Option("--allow-withdraw-key", help="Live only: take the account's main key, which can withdraw.")
    ] = False,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics on this port of loopback.")] = None,
    json: Json = False,
) -> int:
    """Trade until stopped (Ctrl-C): on paper unless told otherwise.

    Example: flashscalper run --markets BTCUSDT,ETHUSDT
    """
    from flashscalper.cli.run import RunOptions
    from flashscalper.cli.run import run as run_run

    return run_run(
        RunOptions.parse(
            mode=mode, profile=profile, config=config, markets=markets, strategy=strategy, feed=feed, seconds=seconds,
            json=json, allow_withdraw_key=allow_withdraw_key, metrics_port=metrics_port,
        )
    )  # fmt: skip


def status(*, account: Account = "", json: Json = False) -> int:
    """Show what is running: state and reasons, positions and stops, nearest misses, ages of the feeds.

    Exit code 1 when nothing is running. Example: flashscalper status --json
    """
    from flashscalper.cli.control import status as show_status

    return show_status(account, json=json)


def pause(*, account: Account = "", reason: Reason = "pause", json: Json = False) -> int:
    """Open nothing more; positions go on being managed. Example: flashscalper pause --reason "news at two" """
    return _say("pause", account, reason, json=json)


def resume(
    *,
    account: Account = "",
    clear_kill: Annotated[bool, typer.Option("--clear-kill", help="Open the latch of the kill switch too.")] = False,
    json: Json = False,
) -> int:
    """Take pauses and halts away; the kill switch only with --clear-kill. Example: flashscalper resume"""
    from flashscalper.cli.control import resume as run_resume

    return run_resume(account, clear_kill=clear_kill, json=json)


def flatten(*, account: Account = "", reason: Reason = "flatten", json: Json = False) -> int:
    """Close every position of ours, reduce-only, and open nothing until `resume`. Example: flashscalper flatten"""
    return _say("flatten", account, reason, json=json)


def kill(
    *,
    account: Account = "",
    reason: Reason = "kill",
    flatten: Annotated[
        bool | None, typer.Option("--flatten/--keep-stops", help="Without a running process; default: the settings'.")
    ] = None,
    environment: Annotated[str, typer.Option(help="Without a running process: testnet or prod.")] = "",
    url: Annotated[str, typer.Option(help="Without a running process: a simulator on loopback.")] = "",
    json: Json = False,
) -> int:
    """The kill switch: cancel our orders, flatten or keep stops, latched. Works without the running process.

    Example: flashscalper kill
    """
    from flashscalper.cli.control import kill as run_kill

    return run_kill(account, reason, flatten=flatten, environment=environment, url=url, json=json)


def replay(
    run: Annotated[str, typer.Argument(help="A run's folder, its id, or `last`.")],
    *,
    runs: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    trace: Annotated[
        str, typer.Option(help="Print each hop of a client order id, a record (its number) or an event (`event:26`).")
    ] = "",
    json: Json = False,
) -> int:
    """Feed a run's tape to a fresh engine and compare with its journal, record by record.

    Exit code 1 when they differ. Example: flashscalper replay last
    """
    from flashscalper.cli.replay import replay as run_replay

    return run_replay(run, trace=trace, runs=runs, json=json)


def _say(action: str, account: str, reason: str, *, json: bool) -> int:
    from flashscalper.cli.control import say
    from flashscalper.runtime.control import Asked

    return say(action, account, Asked(reason=reason), json=json)
