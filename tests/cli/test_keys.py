"""`flashscalper keys` as a person types it, against the exchange in a box on a real port."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flashscalper.cli.main import app
from flashscalper.exchanges.paradex.signing import L1_CHAIN_IDS, TESTNET_CLASSES, account_address, derive_account
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.factory import ExchangeFactory
from flashscalper.runtime.keystore import FileStore
from flashscalper.runtime.live import run_loop
from tests.cli.simulator import Simulator, running_simulator

MAIN_KEY = "0x5" + "43b6" * 14
ETHEREUM_KEY = "0xf8" + "e4d1d772" * 7 + "ff" * 3
ACCOUNT = account_address(public_key_of(Secret(MAIN_KEY)), TESTNET_CLASSES)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


class Cli:
    """Runs verbs in this process with a key file of their own; keeps what they printed."""

    def __init__(
        self, simulator: Simulator, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.url = simulator.url
        self.simulator = simulator
        self.file = file
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.printed = ""

    def __call__(self, *arguments: str, typed: str = "", where: bool = True) -> str:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        url = ["--url", self.url] if where else []
        try:
            assert app(["keys", *arguments, *url], standalone_mode=False) == 0
        finally:
            out = "".join(self._capsys.readouterr())
            self.printed += out
        return out

    def json(self, *arguments: str, typed: str = "", where: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*arguments, "--json", typed=typed, where=where))
        return found

    def private_key(self, name: str) -> str:
        return FileStore(self.file).load(name)[1].reveal()


@pytest.fixture
def cli(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARADEX_KEYSTORE", str(tmp_path / "keys.json"))
    for name in ("PARADEX_ENVIRONMENT", "PARADEX_SECRET_KEY", "PARADEX_API_KEY", "PARADEX_KEY_NAME"):
        monkeypatch.delenv(name, raising=False)
    return Cli(simulator, tmp_path / "keys.json", monkeypatch, capsys)


def test_a_new_key_is_registered_stored_listed_tested_used_and_revoked(cli: Cli) -> None:
    made = cli.json("new", "bot", "--allow-cidr", "127.0.0.1/32", "--allow-cidr", "::1", typed=MAIN_KEY + "\n")
    assert made["account"] == ACCOUNT
    assert made["allowed_cidrs"] == ["127.0.0.1/32", "::1/128"]
    assert made["environment"] == "simulator"
    assert stat.S_IMODE(cli.file.stat().st_mode) == 0o600

    assert [key["name"] for key in cli.json("list", where=False)["keys"]] == ["bot"]
    assert cli.json("show", "bot", where=False)["public_key"] == made["public_key"]
    tested = cli.json("test", "bot")
    assert tested["signs_in"] is True
    assert tested["state"] == "active"
    assert tested["allowed_cidrs"] == ["127.0.0.1/32", "::1/128"]
    assert tested["account_value"] == "10000"

    _trade(cli)

    secret = cli.private_key("bot")
    assert cli.json("revoke", "bot", typed=MAIN_KEY) == {"revoked": made["public_key"], "forgotten": True}
    assert cli.json("list", where=False)["keys"] == []
    with pytest.raises(AuthError):
        run_loop(_balance(cli, made["account"], secret))
    for hidden in (secret, MAIN_KEY):
        assert hidden not in cli.printed
        assert hidden.removeprefix("0x") not in cli.printed


def _trade(cli: Cli) -> None:
    """The stored key by its name alone, as a bot uses it."""

    async def script() -> None:
        async with ExchangeFactory.create_from_env(cli.simulator.variables(cli.file, "bot")) as client:
            order = await client.place_market_order("ETHUSDT", "BUY", "0.1")
            assert not order.unknown
            await client.place_market_order("ETHUSDT", "SELL", "0.1", reduce_only=True)

    run_loop(script())


async def _balance(cli: Cli, account: str, secret: str) -> None:
    variables = cli.simulator.variables(cli.file, "")
    del variables["PARADEX_KEY_NAME"]
    async with ExchangeFactory.create_from_env(
        {**variables, "PARADEX_API_KEY": account, "PARADEX_SECRET_KEY": secret}
    ) as client:
        await client.get_balance()


def test_the_text_says_how_to_go_on(cli: Cli) -> None:
    text = cli("new", "words", typed=MAIN_KEY)
    assert "flashscalper keys test words" in text
    assert "PARADEX_KEY_NAME=words" in text
    assert "not withdraw" in text
    assert "any address" in cli("show", "words", where=False)
    listed = cli("list", where=False).splitlines()
    assert listed[0].split() == ["name", "environment", "account", "public", "key", "allowed", "from"]
    assert listed[1].split()[:2] == ["words", "simulator"]
    assert "signs in" in cli("test", "words")
    cli("revoke", "words", typed=MAIN_KEY)


def test_an_ethereum_key_is_turned_into_the_main_key_here(cli: Cli) -> None:
    account = derive_account(Secret(ETHEREUM_KEY), L1_CHAIN_IDS["testnet"], TESTNET_CLASSES).address
    assert cli.json("new", "derived", typed=ETHEREUM_KEY)["account"] == account
    named = cli.json("new", "named", "--account", account, typed=ETHEREUM_KEY)
    assert named["account"] == account
    assert cli.json("revoke", named["public_key"], "--account", account, typed=ETHEREUM_KEY)["forgotten"] is False
    with pytest.raises(AuthError):
        cli("test", "named")


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (("new", "a"), "", "saw 'nothing'"),
        (("new", "a"), "not a key", "main key: saw ***; accepted: a private key as 0x"),
        (("new", "../a"), MAIN_KEY, "key name"),
        (("new", "a", "--allow-cidr", "10.0.0.1/8"), MAIN_KEY, "allow-cidr: saw '10.0.0.1/8'"),
        (("new", "a", "--account", "0x1"), MAIN_KEY, "the main key of account 0x1"),
        (("new", "a", "--account", "nonsense"), MAIN_KEY, "account: saw 'nonsense'"),
        (("import", "a", "--account", ACCOUNT), MAIN_KEY, "which can withdraw: it is not stored"),
        (("import", "a", "--account", "x"), MAIN_KEY, "account: saw 'x'"),
        (("test", "a"), "", "none are stored"),
        (("revoke", "a"), MAIN_KEY, "none are stored"),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(cli: Cli, arguments: tuple[str, ...], typed: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        cli(*arguments, typed=typed)
    assert words in str(refused.value)
    assert MAIN_KEY not in str(refused.value)
    assert not cli.file.exists()


def test_a_name_that_is_taken_is_refused_before_a_key_is_asked_for(cli: Cli) -> None:
    cli("new", "twice", typed=MAIN_KEY)
    before = cli.file.read_bytes()
    with pytest.raises(ConfigError, match="a name that is not taken"):
        cli("new", "twice", typed="")
    assert cli.file.read_bytes() == before


def test_a_registered_subkey_is_imported_after_a_login_and_a_stranger_is_not(cli: Cli) -> None:
    made = cli.json("new", "first", typed=MAIN_KEY)
    secret = cli.private_key("first")
    cli.file.unlink()
    assert cli.json("import", "again", "--account", ACCOUNT, typed=secret)["public_key"] == made["public_key"]
    assert cli.private_key("again") == secret
    with pytest.raises(AuthError, match="not registered"):
        cli("import", "stranger", "--account", ACCOUNT, typed="0x77")
    assert [key["name"] for key in cli.json("list", where=False)["keys"]] == ["again"]


def test_a_key_that_the_exchange_refuses_to_register_is_not_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashscalper.cli.keys.check_networks", lambda networks: networks)
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        cli("new", "refused", "--allow-cidr", "nowhere", typed=MAIN_KEY)
    assert cli.json("list", where=False)["keys"] == []


def test_an_allow_list_that_leaves_this_machine_out_shows_in_the_test(cli: Cli) -> None:
    cli("new", "elsewhere", "--allow-cidr", "192.0.2.1/32", typed=MAIN_KEY)
    with pytest.raises(AuthError, match="IP_NOT_ALLOWED"):
        cli("test", "elsewhere")


def test_a_key_of_another_environment_is_not_tried(cli: Cli) -> None:
    cli("new", "here", typed=MAIN_KEY)
    for verb in ("test", "revoke"):
        with pytest.raises(ConfigError, match="a key of testnet; this one is of simulator"):
            cli(verb, "here", where=False)


def test_on_prod_an_allow_list_must_be_said_before_anything_is_asked(cli: Cli) -> None:
    with pytest.raises(ConfigError, match=r"allow-cidr: saw 'none'.*0\.0\.0\.0/0"):
        cli("new", "live", "--environment", "prod", where=False)


def test_a_url_that_is_not_loopback_is_refused(cli: Cli) -> None:
    for url in ("http://example.com", "https://api.prod.paradex.trade/v1", "127.0.0.1:8787", "http://127.0.0.1/x"):
        with pytest.raises(ConfigError, match="url: saw"):
            cli("new", "a", "--url", url, typed=MAIN_KEY, where=False)
