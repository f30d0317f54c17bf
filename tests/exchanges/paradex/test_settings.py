from __future__ import annotations

import pytest

from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.model.errors import ConfigError
from tests.exchanges.paradex.bench import settings

ETH = (("ETHUSDT", "ETH-USD-PERP"),)


def test_the_environments_bring_their_own_addresses() -> None:
    testnet = ParadexSettings.for_environment("testnet", ETH)
    assert testnet.rest_url == "https://api.testnet.paradex.trade/v1"
    assert testnet.socket_url == "wss://ws.api.testnet.paradex.trade/v1?sbeSchemaId=1&sbeSchemaVersion=2"
    assert ParadexSettings.for_environment("prod", ETH).onboard is False


@pytest.mark.parametrize(
    ("environment", "rest", "ws", "named"),
    [
        ("mainnet", "", "", "PARADEX_ENVIRONMENT"),
        ("simulator", "", "", "PARADEX_REST_URL"),
        ("testnet", "http://api.testnet.paradex.trade/v1", "", "PARADEX_REST_URL"),
        ("testnet", "", "ws://ws.api.testnet.paradex.trade/v1", "PARADEX_WS_URL"),
        ("testnet", "https://api.prod.paradex.trade/v1", "", "PARADEX_REST_URL"),
        ("prod", "", "wss://ws.api.testnet.paradex.trade/v1", "PARADEX_WS_URL"),
        ("prod", "http://127.0.0.1:8787/v1", "", "PARADEX_REST_URL"),
        ("prod", "https://api.prod.paradex.trade.evil.example/v1", "", "PARADEX_REST_URL"),
        ("prod", "https://evilparadex.trade/v1", "", "PARADEX_REST_URL"),
        ("simulator", "https://api.prod.paradex.trade/v1", "ws://127.0.0.1:1/v1", "PARADEX_REST_URL"),
        ("simulator", "http://10.0.0.5:8787/v1", "ws://127.0.0.1:1/v1", "PARADEX_REST_URL"),
        ("simulator", "http://127.0.0.1:8787/v1", "ws://sim.example/v1", "PARADEX_WS_URL"),
        ("testnet", "https://user:secret@api.testnet.paradex.trade/v1", "", "PARADEX_REST_URL"),
        ("testnet", "ftp://api.testnet.paradex.trade/v1", "", "PARADEX_REST_URL"),
        ("testnet", "https:///v1", "", "PARADEX_REST_URL"),
    ],
)
def test_addresses_that_do_not_fit_the_environment_are_refused_by_name(
    environment: str, rest: str, ws: str, named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        ParadexSettings.for_environment(environment, ETH, rest_url=rest, ws_url=ws)
    assert refused.value.field == named
    assert "secret" not in str(refused.value)


def test_a_simulator_on_loopback_needs_no_tls_and_elsewhere_it_does() -> None:
    ParadexSettings.for_environment("simulator", ETH, rest_url="http://[::1]:1/v1", ws_url="ws://localhost:1/v1")
    ParadexSettings.for_environment("simulator", ETH, rest_url="https://sim.example/v1", ws_url="wss://sim.example/v1")


@pytest.mark.parametrize(
    ("environment", "chain", "fits"),
    [
        (Environment.PROD, "PRIVATE_SN_PARACLEAR_MAINNET", True),
        (Environment.PROD, "PRIVATE_SN_POTC_SEPOLIA", False),
        (Environment.TESTNET, "PRIVATE_SN_POTC_SEPOLIA", True),
        (Environment.TESTNET, "PRIVATE_SN_PARACLEAR_MAINNET", False),
        (Environment.SIMULATOR, "PRIVATE_SN_PARACLEAR_MAINNET", False),
        (Environment.SIMULATOR, "PRIVATE_SN_POTC_SEPOLIA", True),
    ],
)
def test_the_chain_must_be_the_environments(environment: Environment, chain: str, fits: bool) -> None:
    checked = ParadexSettings(environment=environment, rest_url="", ws_url="", markets=ETH)
    if fits:
        checked.check_chain(chain)
        return
    with pytest.raises(ConfigError, match="PARADEX_ENVIRONMENT"):
        checked.check_chain(chain)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"markets": ()}, "markets"),
        ({"markets": (("ETHUSDT", "ETH-USD-PERP"), ("ETHUSD", "ETH-USD-PERP"))}, "markets"),
        ({"recv_window_ms": 9}, "recv_window_ms"),
        ({"order_timeout_s": 0.0}, "order_timeout_s"),
        ({"dead_feed_s": float("nan")}, "dead_feed_s"),
        ({"sbe_version": 1}, "sbe_version"),
        ({"token_refresh_s": 295.0}, "token_refresh_s"),
        ({"max_reconnect_attempts": -1}, "max_reconnect_attempts"),
    ],
)
def test_senseless_numbers_are_refused_by_name(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(**changes).validate()
    assert refused.value.field == named
