"""What is signed, at its edges: every chain id, the longest name, numbers in 0x, the largest value of the field."""

from __future__ import annotations

import pytest

from flashscalper.exchanges.paradex.signing import parse_signature
from flashscalper.exchanges.paradex.signing.curve import FIELD_PRIME
from flashscalper.exchanges.paradex.signing.typed_data import CHAIN_IDS, check_chain_id, felt, parse_hex, short_string
from flashscalper.model.errors import ConfigError, ProtocolError


def test_the_chains_are_those_that_the_exchange_and_its_kit_know() -> None:
    assert set(CHAIN_IDS) == {
        "PRIVATE_SN_PARACLEAR_MAINNET", "PRIVATE_SN_POTC_SEPOLIA", "PRIVATE_SN_POTC_MOCK_SEPOLIA",
        "PRIVATE_SN_PARACLEAR_TESTNET",
    }  # fmt: skip
    assert [check_chain_id(one) for one in CHAIN_IDS] == list(CHAIN_IDS)


def test_a_short_string_has_31_characters_at_most() -> None:
    assert short_string("x" * 31) == int.from_bytes(b"x" * 31, "big")
    with pytest.raises(ConfigError, match="at most 31"):
        short_string("x" * 32)


def test_a_value_is_a_number_in_decimal_or_0x_and_a_text_otherwise() -> None:
    assert [felt(value) for value in (17, "17", "0x11", "a")] == [17, 17, 17, ord("a")]


def test_the_numbers_of_a_signature_may_be_as_short_as_a_digit() -> None:
    assert parse_signature('["1","0x2"]') == (1, 2)
    with pytest.raises(ProtocolError, match="signature"):
        parse_signature('["","0x2"]')


def test_a_number_in_0x_fits_the_field_and_has_64_digits_at_most() -> None:
    assert parse_hex("account", f"{FIELD_PRIME - 1:#x}") == FIELD_PRIME - 1
    assert parse_hex("account", "0x" + "0" * 63 + "1") == 1
    for wrong in (f"{FIELD_PRIME:#x}", "0x" + "0" * 64 + "1", "0x", "11", "0xg"):
        with pytest.raises(ConfigError, match="account"):
            parse_hex("account", wrong)
