from __future__ import annotations

import random

import pytest

from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.registry import client_constructor, supported_exchanges
from flashscalper.model.errors import ConfigError
from tests.exchanges.paradex.bench import settings, signer


def test_every_supported_exchange_can_be_constructed_by_name() -> None:
    assert supported_exchanges() == ("paradex",)
    client = client_constructor(" Paradex ")(settings(), random.Random(1), signer=signer())
    assert isinstance(client, ParadexClient)


def test_an_unknown_exchange_is_refused_naming_what_is_supported() -> None:
    with pytest.raises(ConfigError, match="paradex"):
        client_constructor("paradox")


def test_a_private_client_without_key_and_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="PARADEX_SECRET_KEY"):
        ParadexClient(settings(), random.Random(1))
