from __future__ import annotations

from pathlib import Path

import pytest

from flashscalper.exchanges.paradex.signing import L1_CHAIN_IDS, TESTNET_CLASSES, derive_account
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.factory import ExchangeFactory
from flashscalper.runtime.credentials import Credentials, forget_secrets, paradex_credentials
from flashscalper.runtime.keystore import FileStore, StoredKey
from flashscalper.simulator.base import HttpAnswer
from tests.promises.box import Served, in_box

KEY = "0x" + "1" * 60


def _revealed(credentials: Credentials) -> tuple[str, str, str]:
    key, token = credentials.secret_key, credentials.bearer_token
    return credentials.account, key.reveal() if key else "", token.reveal() if token else ""


@pytest.mark.parametrize("account", ["PARADEX_API_KEY", "PARADEX_ACCOUNT_ADDRESS", "PARADEX_ACCOUNT"])
@pytest.mark.parametrize("key", ["PARADEX_SECRET_KEY", "PARADEX_PRIVATE_KEY"])
@pytest.mark.parametrize("as_file", [False, True])
def test_every_name_and_form_is_read(tmp_path: Path, account: str, key: str, as_file: bool) -> None:
    for proof, expected in (({key: KEY}, (KEY, "")), ({"PARADEX_BEARER_TOKEN": "a.b.c"}, ("", "a.b.c"))):
        given = {account: "0xab", **proof}
        if as_file:
            for name, value in given.items():
                (tmp_path / name).touch(mode=0o600)
                (tmp_path / name).write_text(f"{value}\n")
            given = {f"{name}_FILE": str(tmp_path / name) for name in given}
        assert _revealed(paradex_credentials(given)) == ("0xab", *expected)


@pytest.mark.parametrize("key", ["PARADEX_SECRET_KEY", "PARADEX_PRIVATE_KEY", "PARADEX_KEY_NAME"])
def test_a_key_and_a_token_together_are_refused_naming_both(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} and PARADEX_BEARER_TOKEN") as refused:
        paradex_credentials({key: KEY, "PARADEX_BEARER_TOKEN": "a.b.c"})
    assert KEY not in str(refused.value)
    with pytest.raises(ConfigError, match=r"PARADEX_SECRET_KEY.*PARADEX_BEARER_TOKEN"):
        Credentials(secret_key=Secret(KEY), bearer_token=Secret("a.b.c"))


def test_nothing_set_is_a_public_client() -> None:
    assert not paradex_credentials({"PARADEX_SECRET_KEY": " ", "PARADEX_API_KEY": ""}).private


def test_names_of_one_thing_may_agree_in_any_spelling_and_must_not_disagree(tmp_path: Path) -> None:
    agreeing = {"PARADEX_API_KEY": "0x00AB", "PARADEX_ACCOUNT_ADDRESS": "0xab", "PARADEX_SECRET_KEY": KEY}
    assert paradex_credentials({**agreeing, "PARADEX_PRIVATE_KEY": KEY}).private
    with pytest.raises(ConfigError, match="PARADEX_API_KEY and PARADEX_ACCOUNT_ADDRESS"):
        paradex_credentials({**agreeing, "PARADEX_ACCOUNT_ADDRESS": "0xac"})
    with pytest.raises(ConfigError, match="PARADEX_SECRET_KEY and PARADEX_PRIVATE_KEY") as refused:
        paradex_credentials({**agreeing, "PARADEX_PRIVATE_KEY": KEY + "2"})
    assert KEY not in str(refused.value)
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(KEY)
    both = {"PARADEX_SECRET_KEY": KEY, "PARADEX_SECRET_KEY_FILE": str(file)}
    assert paradex_credentials(both).private
    with pytest.raises(ConfigError, match="they disagree") as refused:
        paradex_credentials({**both, "PARADEX_SECRET_KEY": KEY + "3"})
    assert KEY not in str(refused.value)


def test_a_key_file_that_others_can_read_is_refused_and_an_address_file_is_not(tmp_path: Path) -> None:
    file = tmp_path / "open"
    file.write_text("0xab")
    file.chmod(0o644)
    assert paradex_credentials({"PARADEX_API_KEY_FILE": str(file)}).account == "0xab"
    with pytest.raises(ConfigError, match=r"PARADEX_SECRET_KEY_FILE: saw .*chmod 600"):
        paradex_credentials({"PARADEX_SECRET_KEY_FILE": str(file)})


def _stored(tmp_path: Path, environment: str = "testnet") -> dict[str, str]:
    file = tmp_path / "keys.json"
    key = StoredKey(name="bot", environment=environment, account="0xab", public_key="0x2")
    FileStore(file).save(key, Secret(KEY))
    return {"PARADEX_KEYSTORE": str(file), "PARADEX_KEY_NAME": "bot"}


def test_a_stored_key_brings_its_account_along(tmp_path: Path) -> None:
    variables = _stored(tmp_path)
    assert _revealed(paradex_credentials(variables)) == ("0xab", KEY, "")
    assert paradex_credentials({**variables, "PARADEX_API_KEY": "0x0AB"}).account == "0xab"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"PARADEX_SECRET_KEY": KEY}, "PARADEX_KEY_NAME and PARADEX_SECRET_KEY"),
        ({"PARADEX_API_KEY": "0xac"}, "PARADEX_API_KEY: saw '0xac'; accepted: 0xab"),
        ({"PARADEX_ENVIRONMENT": "prod"}, "a key of prod; this one was registered on testnet"),
        ({"PARADEX_KEY_NAME": "other"}, "key name: saw 'other'; accepted: bot"),
    ],
)
def test_a_stored_key_that_does_not_fit_the_rest_is_refused(tmp_path: Path, more: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        paradex_credentials({**_stored(tmp_path), **more})


def test_secrets_can_be_taken_out_of_the_environment() -> None:
    variables = {"PARADEX_SECRET_KEY": KEY, "PARADEX_PRIVATE_KEY": KEY, "PARADEX_BEARER_TOKEN": "t", "EXCHANGE": "paradex"}
    forget_secrets(variables)
    assert variables == {"EXCHANGE": "paradex"}


def test_an_ethereum_key_is_recognised_before_anything_is_signed() -> None:
    ethereum = Secret("0x" + "00" * 3 + "12" * 29)
    account = derive_account(ethereum, L1_CHAIN_IDS["testnet"], TESTNET_CLASSES).address

    async def script(box: Served) -> None:
        variables = {**box.variables, "PARADEX_API_KEY": account, "PARADEX_SECRET_KEY": ethereum.reveal()}
        async with ExchangeFactory.create_from_env(variables) as client:
            with pytest.raises(ConfigError, match=r"PARADEX_SECRET_KEY: saw \*\*\*; accepted: .*Ethereum key"):
                await client.get_balance()
        assert not [path for path in box.interposer.paths() if "POST" in path]

    in_box(script)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PARADEX_ENVIRONMENT": "testnet", "PARADEX_REST_URL": "https://api.prod.paradex.trade/v1"}, "PARADEX_REST_URL"),
        ({"PARADEX_ENVIRONMENT": "prod", "PARADEX_WS_URL": "wss://ws.api.testnet.paradex.trade/v1"}, "PARADEX_WS_URL"),
        ({"PARADEX_REST_URL": "http://api.testnet.paradex.trade/v1"}, "PARADEX_REST_URL.*https"),
        ({"PARADEX_WS_URL": "ws://ws.api.testnet.paradex.trade/v1"}, "PARADEX_WS_URL.*wss"),
        ({"PARADEX_REST_URL": "https://evil.example/v1"}, "PARADEX_REST_URL"),
        ({"PARADEX_REST_URL": "https://api.testnet.paradex.trade.evil.example/v1"}, "PARADEX_REST_URL"),
        ({"PARADEX_ENVIRONMENT": "simulator", "PARADEX_REST_URL": "https://api.prod.paradex.trade/v1"}, "simulator"),
    ],
)
def test_host_and_environment_must_agree(variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ExchangeFactory.create_from_env(variables)


def test_a_chain_of_another_environment_is_refused_before_anything_is_signed() -> None:
    async def script(box: Served) -> None:
        config = b'{"starknet_chain_id":"PRIVATE_SN_PARACLEAR_MAINNET"}'
        box.interposer.before = lambda request: (
            HttpAnswer(request.id, 200, (), config) if request.path.endswith("/system/config") else None
        )
        async with ExchangeFactory.create_from_env(box.variables) as client:
            with pytest.raises(ConfigError, match=r"starknet_chain_id .*PRIVATE_SN_PARACLEAR_MAINNET"):
                await client.get_balance()
        assert not [path for path in box.interposer.paths() if "POST" in path]

    in_box(script)
