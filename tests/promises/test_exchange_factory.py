"""Section 17.6 of the original's checklist: the exchange factory. One test for each of its boxes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from flashscalper import ExchangeFactory, ExchangeRestClient, ParadexRestClient
from flashscalper.model.errors import AuthError, ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.live import run_loop
from tests.promises.box import Served, in_box

KEY = "0x" + "1" * 60


async def _closed(client: ExchangeRestClient) -> ParadexRestClient:
    await client.close()
    assert isinstance(client, ParadexRestClient)
    return client


def test_create_by_type() -> None:
    async def main() -> None:
        client = await _closed(ExchangeFactory.create("paradex", variables={}))
        assert client.settings.rest_url == "https://api.testnet.paradex.trade/v1"
        prod = await _closed(ExchangeFactory.create("Paradex", environment="prod", variables={}))
        assert prod.settings.rest_url == "https://api.prod.paradex.trade/v1"

    run_loop(main())
    with pytest.raises(ConfigError, match="EXCHANGE: saw 'aster'; accepted: paradex"):
        ExchangeFactory.create("aster")
    with pytest.raises(ConfigError, match="PARADEX_ENVIRONMENT: saw 'mainnet'; accepted: testnet, prod, simulator"):
        ExchangeFactory.create("paradex", environment="mainnet", variables={})


def test_create_from_env() -> None:
    async def script(box: Served) -> None:
        async with ExchangeFactory.create_from_env(box.variables) as client:
            assert (await client.get_balance()).account_value == 10_000
            order = await client.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            assert order.filled == Decimal("0.1")

    in_box(script)


def test_create_from_env_reads_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").touch(mode=0o600)

    async def script(box: Served) -> None:
        variables = box.variables
        (tmp_path / "key").write_text(variables.pop("PARADEX_SECRET_KEY") + "\n")
        variables["PARADEX_SECRET_KEY_FILE"] = str(tmp_path / "key")
        async with ExchangeFactory.create_from_env(variables) as client:
            assert await client.get_positions() == []

    in_box(script)
    with pytest.raises(ConfigError, match="PARADEX_SECRET_KEY: saw 'both forms'"):
        ExchangeFactory.create_from_env({"PARADEX_SECRET_KEY": KEY, "PARADEX_SECRET_KEY_FILE": str(tmp_path / "key")})
    with pytest.raises(ConfigError, match=r"PARADEX_SECRET_KEY_FILE: saw '.*nowhere'"):
        ExchangeFactory.create_from_env({"PARADEX_SECRET_KEY_FILE": str(tmp_path / "nowhere")})


def test_create_from_credentials() -> None:
    async def script(box: Served) -> None:
        client = ExchangeFactory.create_from_credentials(
            "paradex", "", box.key, environment="simulator", variables=box.variables
        )
        async with client:
            assert (await client.get_balance()).account_value == 10_000
            token = client._rest.session.token(client._rest.now())  # type: ignore[attr-defined]
        reader = ExchangeFactory.create_from_credentials(
            "paradex", bearer_token=Secret(token), environment="simulator", variables=box.variables
        )
        async with reader:
            assert (await reader.get_balance()).account_value == 10_000
            with pytest.raises(AuthError, match="PARADEX_SECRET_KEY"):
                await reader.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))

    in_box(script)
    with pytest.raises(ConfigError, match="credentials"):
        ExchangeFactory.create_from_credentials("paradex", "0x123")


def test_get_supported_exchanges_and_is_supported() -> None:
    assert ExchangeFactory.supported_exchanges() == ("paradex",)
    assert ExchangeFactory.is_supported("PARADEX")
    assert not ExchangeFactory.is_supported("aster")
    assert not ExchangeFactory.is_supported("binance")


def test_runtime_switching() -> None:
    """Which exchange is traded on follows from the variables alone, at the moment of asking."""

    async def script(box: Served) -> None:
        async with ExchangeFactory.create_from_env(box.variables) as here:
            assert isinstance(here, ParadexRestClient)
            assert here.settings.rest_url == box.rest_url
        elsewhere = await _closed(ExchangeFactory.create_from_env({"EXCHANGE": "paradex"}))
        assert elsewhere.settings.rest_url != box.rest_url
        with pytest.raises(ConfigError, match="EXCHANGE: saw 'bybit'; accepted: paradex"):
            ExchangeFactory.create_from_env({**box.variables, "EXCHANGE": "bybit"})

    in_box(script)


def test_environment_and_credentials_creation_with_validation() -> None:
    loopback = {"PARADEX_REST_URL": "http://127.0.0.1:1/v1", "PARADEX_WS_URL": "ws://127.0.0.1:1/v1"}
    with pytest.raises(ConfigError, match="LIVE_ACK"):
        ExchangeFactory.create_from_env(
            {"PARADEX_ENVIRONMENT": "prod", "PARADEX_API_KEY": "0xAB", "PARADEX_SECRET_KEY": KEY}
        )
    with pytest.raises(ConfigError, match="LIVE_ACK"):
        ExchangeFactory.create("paradex", environment="prod", credentials=Credentials(secret_key=Secret(KEY)), variables={})
    with pytest.raises(ConfigError, match="PARADEX_REST_URL"):
        ExchangeFactory.create("paradex", environment="prod", variables=loopback)
    with pytest.raises(ConfigError, match="PARADEX_REST_URL"):
        ExchangeFactory.create("paradex", environment="simulator", variables={})
    with pytest.raises(ConfigError, match="PARADEX_REST_URL"):
        ExchangeFactory.create("paradex", variables={"PARADEX_REST_URL": "http://api.testnet.paradex.trade/v1"})
    with pytest.raises(ConfigError, match="PARADEX_API_KEY and PARADEX_ACCOUNT"):
        ExchangeFactory.create_from_env({"PARADEX_API_KEY": "0x1", "PARADEX_ACCOUNT": "0x2"})

    async def main() -> None:
        acknowledged = {
            "PARADEX_ENVIRONMENT": "prod", "PARADEX_API_KEY": "0xAB", "PARADEX_SECRET_KEY": KEY, "LIVE_ACK": "0x00ab",
        }  # fmt: skip
        await _closed(ExchangeFactory.create_from_env(acknowledged))

    run_loop(main())


def test_a_key_is_never_shown() -> None:
    credentials = Credentials(account="0x1", secret_key=Secret(KEY))
    assert KEY not in repr(credentials)
    with pytest.raises(ConfigError) as refused:
        ExchangeFactory.create("paradex", environment="prod", credentials=credentials, variables={"LIVE_ACK": "yes"})
    assert KEY not in str(refused.value)
