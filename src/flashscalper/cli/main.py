"""The command line: every verb, its options and its exit codes; the work is done in the modules named after the verbs.

Exit codes: 0 done, 1 it ran and something is wrong (said on the last line), 2 bad input (one line, nothing was written),
130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flashscalper.cli import answers_verbs, bench_verb, exchange_verbs, run_verbs, sim_verb
from flashscalper.cli.keys_verbs import keys_app
from flashscalper.cli.store_verbs import store_app
from flashscalper.model.errors import ConfigError, FlashScalperError

EXIT_WRONG = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="flashscalper",
    help="Scalp perpetual futures on decentralised exchanges. Start with `flashscalper demo`: no account, no network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Seed = Annotated[
    int, typer.Option(help="Seed of the synthetic market and of the latency; the same seed gives the same run.")
]
Markets = Annotated[str, typer.Option(help="Symbols separated by commas; default: all that the feed has.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; default: flashscalper.toml here, if there is one.")
]
FeedName = Annotated[str, typer.Option("--feed", help="`synthetic`, or the path of a recording (.jsonl or .jsonl.gz).")]


def run() -> None:
    """Run the command line and turn errors into one line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except ConfigError as error:
        sys.exit(_say(str(error), EXIT_BAD_INPUT))
    except FlashScalperError as error:
        sys.exit(_say(str(error), EXIT_WRONG))
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(_say(f"{error.filename}: {error.strerror}", EXIT_WRONG))
    except typer.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if not hasattr(error, "format_message"):  # a usage error of the option parser says itself what was wrong
            raise
        sys.exit(_say(error.format_message(), EXIT_BAD_INPUT))
    sys.exit(code if isinstance(code, int) else 0)


def _say(line: str, code: int) -> int:
    sys.stderr.write(f"flashscalper: {' '.join(line.split())}\n")
    return code


@app.command()
def demo(
    *,
    seconds: Annotated[float, typer.Option(help="How many market seconds to trade.")] = 600.0,
    speed: Annotated[str, typer.Option(help="1 and 10 run over real sockets, `max` in memory as fast as it goes.")] = "10",
    feed: FeedName = "synthetic",
    seed: Seed = 1,
    markets: Markets = "",
    strategy: Annotated[
        str, typer.Option(help='`scalper`, or your own: FILE.py:CLASS; with parameters: "my.py:Cross fast=12".')
    ] = "scalper",
    profile: Annotated[str, typer.Option(help="demo trades often; default and classic as `run` would.")] = "demo",
    fee_class: Annotated[str, typer.Option(help="pro, or retail: no fee, 300 ms to wait, 1,000 orders a day.")] = "pro",
    interval: Annotated[str, typer.Option(help="Kline interval of the scalper; default: the profile's (demo: 5s).")] = "",
    runs: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = Path("runs"),
    json: Json = False,
) -> int:
    """Watch the scalper, or a strategy of yours, trade on the built-in exchange: no account, no network.

    Example: flashscalper demo --speed max --seed 7
    """
    from flashscalper.cli.demo import DemoOptions
    from flashscalper.cli.demo import demo as run_demo

    return run_demo(
        DemoOptions.parse(
            seconds=seconds, speed=speed, feed=feed, seed=seed, markets=markets, interval=interval, runs=runs, json=json,
            strategy=strategy, profile=profile, fee_class=fee_class,
        )
    )  # fmt: skip


@app.command()
def config(
    *,
    file: ConfigFile = None,
    env_example: Annotated[bool, typer.Option("--env-example", help="Print `.env.example` instead.")] = False,
) -> int:
    """Print the configuration in force, all layers merged, as JSON (secrets are no part of it).

    Example: flashscalper config
    """
    import msgspec

    from flashscalper.cli.settings import env_example as example
    from flashscalper.cli.settings import read_settings

    if env_example:
        sys.stdout.write(example())
        return 0
    settings = read_settings(file)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(settings), indent=2).decode() + "\n")
    return 0


app.add_typer(keys_app, name="keys", help="Trading keys: make, register, store, test and revoke subkeys.")
app.add_typer(store_app, name="store", help="The database beside the journals: look into it, make it anew.")
app.command()(sim_verb.sim)
app.command()(exchange_verbs.check)
app.command()(exchange_verbs.markets)
app.command()(answers_verbs.explain)
app.command()(answers_verbs.costs)
app.command()(bench_verb.bench)
app.command()(run_verbs.run)
app.command()(run_verbs.status)
app.command()(run_verbs.pause)
app.command()(run_verbs.resume)
app.command()(run_verbs.flatten)
app.command()(run_verbs.kill)
app.command()(run_verbs.replay)
