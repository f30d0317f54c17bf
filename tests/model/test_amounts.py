from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.amounts import parse_amount, parse_float, plain, round_money
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.instants import INTERVALS_US, interval_us
from flashscalper.model.secrets import Secret


@pytest.mark.parametrize("bad", ["", "NaN", "Infinity", "-inf", None, 1.5, True, "1,5", [], "sNaN"])
def test_an_amount_that_is_no_finite_decimal_is_refused_naming_the_field(bad: object) -> None:
    with pytest.raises(ProtocolError, match="fee: saw"):
        parse_amount("fee", bad)


@pytest.mark.parametrize("bad", ["", "nan", float("inf"), None, False, "x"])
def test_a_number_that_is_not_finite_is_refused_naming_the_field(bad: object) -> None:
    with pytest.raises(ProtocolError, match="price: saw"):
        parse_float("price", bad)


def test_money_rounds_half_to_even_at_the_eighth_decimal() -> None:
    assert round_money(Decimal("0.000000005")) == Decimal(0)
    assert round_money(Decimal("0.000000015")) == Decimal("0.00000002")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_plain_text_reads_back_as_the_same_amount_without_exponent(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not text.endswith(".")


def test_an_unknown_interval_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="interval: saw '7m'; accepted: 1s, 5s"):
        interval_us("7m")
    assert all(interval_us(name) == length for name, length in INTERVALS_US.items())


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("0x0123canary")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr([secret]), repr({"key": secret})):
        assert "canary" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    assert secret.reveal() == "0x0123canary"
