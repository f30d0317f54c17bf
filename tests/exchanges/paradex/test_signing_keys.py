"""Reading keys, deriving them, and telling a Stark key from an Ethereum key; no error ever repeats a key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex.signing import (
    TESTNET_CLASSES,
    AccountClasses,
    KeyRole,
    account_address,
    derive_account,
    derive_stark_key,
    eth_address_of,
    evm_account_address,
    key_role,
    new_private_key,
    parse_private_key,
)
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret

# The first account of the official SDK's own tests: public, never to be funded.
ETH_KEY = Secret("0xf8e4d1d772cdd44e5e77615ad11cc071c94e4c06dc21150d903f28e6aa6abdff")
ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
TESTNET = 11155111


@settings(max_examples=40)
@given(st.integers(1, CURVE_ORDER - 1))
def test_keys_are_read_as_0x_text_of_any_length_and_as_bare_text_of_full_length(value: int) -> None:
    assert parse_private_key("key", Secret(f"{value:#x}")) == value
    assert parse_private_key("key", Secret(f" 0x{value:064X}\n")) == value
    assert parse_private_key("key", Secret(f"{value:064x}")) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x0",
        "hunter2hunter2",
        "0xhunter2",
        "123456789",
        f"0x{CURVE_ORDER:x}",
        f"0x{2**256 - 1:x}",
        "0x" + "1" * 65,
        "1" * 75,
        "0x-5",
        "0x1_000",
        "0x１２",
    ],
)
def test_anything_else_is_refused_by_field_name_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^PARADEX_SECRET_KEY: saw \*\*\*; accepted: ") as caught:
        parse_private_key("PARADEX_SECRET_KEY", Secret(text))
    shown = f"{caught.value} {caught.value!r} {caught.value.seen!r} {caught.value.args}"
    assert len(text) < 4 or text not in shown


def test_a_key_too_large_for_the_curve_is_called_an_ethereum_key() -> None:
    with pytest.raises(ConfigError, match="Ethereum"):
        parse_private_key("PARADEX_SECRET_KEY", ETH_KEY)


def test_a_derived_account_hides_its_key_when_printed() -> None:
    derived = derive_account(ETH_KEY, TESTNET, TESTNET_CLASSES)
    assert derived.private_key.reveal()[2:] not in repr(derived)
    assert derived.address == ACCOUNT


def test_derivation_depends_on_the_chain_and_on_nothing_else() -> None:
    testnet, prod = derive_stark_key(ETH_KEY, TESTNET).reveal(), derive_stark_key(ETH_KEY, 1).reveal()
    assert testnet != prod
    assert derive_stark_key(ETH_KEY, TESTNET).reveal() == testnet


def test_what_a_key_is_to_an_account_is_found_by_deriving() -> None:
    derived = derive_account(ETH_KEY, TESTNET, TESTNET_CLASSES)
    evm_account = evm_account_address(derived.eth_address, TESTNET_CLASSES)
    stranger = Secret("0x33f1ba30ce6f5489a38709ae775341f674f1264be21c5362a834dd4034ea71f")
    assert key_role(derived.private_key, ACCOUNT, TESTNET_CLASSES, TESTNET) is KeyRole.MAIN
    assert key_role(ETH_KEY, ACCOUNT, TESTNET_CLASSES, TESTNET) is KeyRole.ETHEREUM
    assert key_role(ETH_KEY, evm_account, TESTNET_CLASSES, TESTNET) is KeyRole.EVM_OWNER
    assert key_role(stranger, ACCOUNT, TESTNET_CLASSES, TESTNET) is KeyRole.OTHER
    assert key_role(ETH_KEY, ACCOUNT, TESTNET_CLASSES, 1) is KeyRole.OTHER
    assert key_role(Secret("0x" + "f" * 64), ACCOUNT, TESTNET_CLASSES, TESTNET) is KeyRole.OTHER


def test_a_small_ethereum_key_that_would_also_fit_the_curve_is_recognised() -> None:
    small = Secret("0x" + "07" * 31)
    derived = derive_account(small, TESTNET, TESTNET_CLASSES)
    assert key_role(small, derived.address, TESTNET_CLASSES, TESTNET) is KeyRole.ETHEREUM


def test_new_keys_come_from_the_entropy_handed_in_and_are_in_range() -> None:
    first, second = new_private_key(bytes(32)), new_private_key(bytes(31) + b"\x01")
    assert first.reveal() != second.reveal()
    assert first.reveal() == new_private_key(bytes(32)).reveal()
    assert 0 < parse_private_key("key", first) < CURVE_ORDER
    with pytest.raises(ConfigError, match="at least 32 bytes"):
        new_private_key(bytes(31))


def test_addresses_that_are_no_numbers_of_the_field_are_refused_by_name() -> None:
    public_key = public_key_of(Secret("0x5"))
    with pytest.raises(ConfigError, match="paraclear_account_proxy_hash"):
        account_address(public_key, AccountClasses("0x1", "proxy"))
    with pytest.raises(ConfigError, match="public key"):
        account_address("5", TESTNET_CLASSES)
    with pytest.raises(ConfigError, match="ethereum private key"):
        eth_address_of(Secret("0x" + "f" * 64))
