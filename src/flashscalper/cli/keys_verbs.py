"""The verbs below `flashscalper keys` and their options; the work is in `keys`, which is loaded when one of them runs."""

from __future__ import annotations

from typing import Annotated

import typer

keys_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Name = Annotated[str, typer.Argument(help="What you call the key: letters, digits, '.', '-', '_'.")]
Url = Annotated[str, typer.Option(help="A simulator on loopback, such as http://127.0.0.1:8787.")]
Environment = Annotated[str, typer.Option(help="testnet or prod; default: PARADEX_ENVIRONMENT, or testnet.")]
Account = Annotated[str, typer.Option(help="The account's address, 0x...; default: the one of the main key.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@keys_app.command()
def new(
    name: Name,
    *,
    account: Account = "",
    allow_cidr: Annotated[
        list[str] | None, typer.Option(help="A network the key may be used from; may be repeated. Needed on prod.")
    ] = None,
    environment: Environment = "",
    url: Url = "",
    json: Json = False,
) -> int:
    """Make a subkey on this machine, register it, store it. Asks for the main key once, without echo.

    Example: flashscalper keys new bot --allow-cidr 203.0.113.7/32
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.new(find_target(url=url, environment=environment), name, account, tuple(allow_cidr or ()), json=json)


@keys_app.command("import")
def import_(
    name: Name,
    *,
    account: Annotated[str, typer.Option(help="The account that registered the key, 0x...")],
    environment: Environment = "",
    url: Url = "",
    json: Json = False,
) -> int:
    """Store a subkey that was registered elsewhere. Asks for its private key without echo and logs in with it first.

    Example: flashscalper keys import bot --account 0x129c...
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.import_(find_target(url=url, environment=environment), name, account, json=json)


@keys_app.command("list")
def list_(*, json: Json = False) -> int:
    """Show every stored key, without its secret.

    Example: flashscalper keys list --json
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.list_(find_target(), json=json)


@keys_app.command()
def show(name: Name, *, json: Json = False) -> int:
    """Show one stored key, without its secret.

    Example: flashscalper keys show bot
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.show(find_target(), name, json=json)


@keys_app.command("test")
def try_out(name: Name, *, environment: Environment = "", url: Url = "", json: Json = False) -> int:
    """Log in with a stored key: does the exchange take it, from where, and what may it do.

    Example: flashscalper keys test bot
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.test(find_target(url=url, environment=environment), name, json=json)


@keys_app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A stored key's name, or the public key (0x...) of any subkey.")],
    *,
    account: Account = "",
    environment: Environment = "",
    url: Url = "",
    json: Json = False,
) -> int:
    """Take a key's rights away at the exchange and forget it here. Asks for the main key, without echo.

    Example: flashscalper keys revoke bot
    """
    from flashscalper.cli import keys
    from flashscalper.cli.target import find_target

    return keys.revoke(find_target(url=url, environment=environment), name, account, json=json)
