"""The fast arithmetic against the plain group law: every speed trick has its plain twin as oracle."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex.signing import Backend, backend, curve
from flashscalper.exchanges.paradex.signing.arithmetic import Arithmetic, gmpy_arithmetic, python_arithmetic
from flashscalper.exchanges.paradex.signing.backends import (
    STORED_WIDTHS,
    build_tables,
    native_pedersen,
    stored_backend,
)
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER, ELEMENT_BOUND, FIELD_PRIME, GENERATOR, Point
from flashscalper.exchanges.paradex.signing.ecdsa import nonces
from flashscalper.exchanges.paradex.signing.pedersen import hash_chain, plain_pedersen
from flashscalper.exchanges.paradex.signing.tables import build_table, read_table, table_size
from flashscalper.model.errors import ConfigError

GMPY = gmpy_arithmetic()
assert GMPY is not None, "gmpy2 is one of our dependencies"
ARITHMETICS = [GMPY, python_arithmetic()]
NAMES = ["gmpy2", "python"]

felts = st.one_of(
    st.integers(0, FIELD_PRIME - 1),
    st.integers(0, 2**64),
    st.sampled_from([0, 1, 2**248 - 1, 2**248, 2**251, FIELD_PRIME - 1]),
)
hashes = st.one_of(st.integers(0, ELEMENT_BOUND - 1), st.sampled_from([0, 1, ELEMENT_BOUND - 1]))
keys = st.one_of(st.integers(1, CURVE_ORDER - 1), st.sampled_from([1, 2, CURVE_ORDER - 1]))


def points(*scalars: int) -> list[Point]:
    found = [curve.multiply(scalar, GENERATOR) for scalar in scalars]
    return [point for point in found if point is not None]


@pytest.mark.parametrize(
    "constant",
    [
        curve.GENERATOR,
        curve.PEDERSEN_SHIFT,
        curve.PEDERSEN_LEFT_LOW,
        curve.PEDERSEN_LEFT_HIGH,
        curve.PEDERSEN_RIGHT_LOW,
        curve.PEDERSEN_RIGHT_HIGH,
    ],
)
def test_constants_lie_on_the_curve(constant: Point) -> None:
    assert curve.is_on_curve(constant)
    assert curve.multiply(CURVE_ORDER, constant) is None
    assert curve.add(curve.multiply(CURVE_ORDER - 1, constant), constant) is None


def test_lifting_an_x_gives_a_point_with_it_or_says_there_is_none() -> None:
    lifted = [curve.lift_x(x) for x in range(1, 20)]
    assert all(point is None or curve.is_on_curve(point) for point in lifted)
    assert {point is None for point in lifted} == {True, False}
    assert curve.lift_x(FIELD_PRIME) is None
    assert curve.lift_x(-1) is None


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=NAMES)
def test_sums_meet_equal_and_opposite_points_without_a_wrong_answer(arithmetic: Arithmetic) -> None:
    one, two, three = points(1, 2, 3)
    for case in (
        [one, one, two],
        [one, two, three],
        [one, one, one, one],
        [two, curve.negate(two), three],
        [one, two, three, three],
    ):
        native = [arithmetic.native(point) for point in case]
        expected = curve.add_all(case)
        assert arithmetic.total(native) == expected
        if expected is not None:
            assert arithmetic.total_x(native) == expected[0]
    nothing = [arithmetic.native(point) for point in (one, two, curve.negate(three))]
    assert arithmetic.total(nothing) is None
    with pytest.raises(ArithmeticError):
        arithmetic.total_x(nothing)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=NAMES)
@pytest.mark.parametrize("width", [4, 5, 6, 8])
def test_tables_multiply_like_double_and_add_at_every_width(arithmetic: Arithmetic, width: int) -> None:
    table = build_table(GENERATOR, None, width, arithmetic)
    edges = [1, 2, 3, 2**width, 2**248 - 1, 2**248, 2**251 + 12345, CURVE_ORDER - 1, CURVE_ORDER + 1, 2**252 - 1]
    for scalar in edges:
        assert table.multiply(scalar) == curve.multiply(scalar, GENERATOR)
    assert table.multiply(0) is None
    assert table.multiply(CURVE_ORDER) is None


@pytest.mark.parametrize("width", [4, 5, 6, 8])
def test_stored_tables_are_the_same_bytes_from_both_arithmetics_and_read_back(width: int) -> None:
    first, second = (build_table(GENERATOR, None, width, arithmetic).to_bytes() for arithmetic in ARITHMETICS)
    assert first == second
    assert len(first) == table_size(width)
    for arithmetic in ARITHMETICS:
        table = read_table(first, width, arithmetic)
        assert table.to_bytes() == first
        assert table.multiply(2**200 + 7) == curve.multiply(2**200 + 7, GENERATOR)


@pytest.mark.verify
def test_the_known_checksum_is_that_of_tables_built_by_pure_python_too() -> None:
    stored_backend(b"".join(table.to_bytes() for table in build_tables(STORED_WIDTHS, python_arithmetic())))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(left=felts, right=felts)
def test_every_engine_hashes_like_the_definition_whichever_operand_is_constant(name: str, left: int, right: int) -> None:
    engine = backend(name).pedersen
    expected = plain_pedersen(left, right)
    assert engine.hash(left, right) == expected
    assert engine.with_right(right)(left) == expected
    assert engine.with_left(left)(right) == expected


def test_the_chain_of_a_list_is_closed_by_its_length_and_refuses_what_is_no_felt() -> None:
    engine = backend("gmpy2").pedersen
    assert hash_chain(engine, [7]) == engine.hash(engine.hash(0, 7), 1)
    for wrong in (-1, FIELD_PRIME):
        with pytest.raises(ValueError, match="felt"):
            hash_chain(engine, [wrong])


@settings(max_examples=15, deadline=None)
@given(key=keys, message=hashes)
def test_backends_sign_alike_and_verify_each_other(key: int, message: int) -> None:
    fast, plain = backend("gmpy2").ecdsa, backend("python").ecdsa
    r, s = fast.sign(key, message)
    public = fast.public_key_of(key)
    assert plain.sign(key, message) == (r, s)
    assert plain.public_key_of(key) == public
    assert fast.verify(public, message, r, s)
    assert plain.verify(public, message, r, s)


@settings(max_examples=15, deadline=None)
@given(key=st.sampled_from([5, 77]), message=hashes, data=st.data())
def test_a_signature_is_good_for_its_own_message_and_key_only(key: int, message: int, data: st.DataObject) -> None:
    ecdsa = backend("gmpy2").ecdsa
    r, s = ecdsa.sign(key, message)
    public = ecdsa.public_key_of(key)
    other_message = data.draw(hashes.filter(lambda value: value != message))
    assert not ecdsa.verify(public, other_message, r, s)
    assert not ecdsa.verify(ecdsa.public_key_of(78), message, r, s)
    assert not ecdsa.verify(
        public, message, data.draw(st.integers(1, ELEMENT_BOUND - 1).filter(lambda value: value != r)), s
    )
    other_s = data.draw(st.integers(1, CURVE_ORDER - 1).filter(lambda value: value not in (s, CURVE_ORDER - s)))
    assert not ecdsa.verify(public, message, r, other_s)


def test_numbers_out_of_range_do_not_verify_and_do_not_raise() -> None:
    ecdsa = backend("gmpy2").ecdsa
    public = ecdsa.public_key_of(5)
    r, s = ecdsa.sign(5, 7)
    not_an_x = next(x for x in range(100) if curve.lift_x(x) is None)
    for case in (
        (public, 7, 0, s),
        (public, 7, r, 0),
        (public, 7, r + CURVE_ORDER, s),
        (public, 7, r, s + CURVE_ORDER),
        (public, 7, -r, s),
        (public, 7, ELEMENT_BOUND, s),
        (public, ELEMENT_BOUND, r, s),
        (public, -1, r, s),
        (not_an_x, 7, r, s),
        (FIELD_PRIME + public, 7, r, s),
        (0, 7, r, s),
    ):
        assert not ecdsa.verify(*case)


def test_keys_and_hashes_out_of_range_are_refused_without_showing_them() -> None:
    ecdsa = backend("gmpy2").ecdsa
    for key in (0, -1, CURVE_ORDER, 2**255):
        for attempt in (lambda key=key: ecdsa.sign(key, 1), lambda key=key: ecdsa.public_key_of(key)):
            with pytest.raises(ValueError, match="private key") as caught:
                attempt()
            assert str(2**255) not in str(caught.value)
    for message in (-1, ELEMENT_BOUND):
        with pytest.raises(ValueError, match="message hash"):
            ecdsa.sign(1, message)


def test_a_message_hash_of_zero_signs_and_verifies() -> None:
    for name in NAMES:
        ecdsa = backend(name).ecdsa
        assert ecdsa.verify(ecdsa.public_key_of(9), 0, *ecdsa.sign(9, 0))


def test_nonces_never_repeat_across_messages_keys_or_retries() -> None:
    seen = [next(nonces(key, message)) for key in range(1, 6) for message in range(6)]
    stream = nonces(1, 0)
    seen += [next(stream) for _ in range(3)][1:]
    assert len(set(seen)) == len(seen)
    assert all(0 < nonce < CURVE_ORDER for nonce in seen)


def test_an_unknown_backend_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="gmpy2, python, native"):
        backend("rust")


def fake_wheel(monkeypatch: pytest.MonkeyPatch, function: object) -> None:
    module = ModuleType("starknet_pathfinder_crypto")
    module.pedersen_hash = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "starknet_pathfinder_crypto", module)


def test_a_native_wheel_that_agrees_is_used_and_one_that_does_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wheel(monkeypatch, plain_pedersen)
    engine = native_pedersen()
    assert engine.with_right(5)(4) == engine.with_left(4)(5) == engine.hash(4, 5) == plain_pedersen(4, 5)
    fake_wheel(monkeypatch, lambda left, right: plain_pedersen(left, right) ^ (left > 2**250))
    with pytest.raises(ConfigError, match="hashes are right"):
        native_pedersen()
    monkeypatch.setitem(sys.modules, "starknet_pathfinder_crypto", None)
    with pytest.raises(ConfigError, match="not installed"):
        native_pedersen()


def test_the_installed_native_wheel_hashes_and_signs_like_ours() -> None:
    pytest.importorskip("starknet_pathfinder_crypto", reason="the native extra is not installed")
    native: Backend = backend("native")
    ours = backend("python")
    assert native.pedersen.hash(11, 22) == ours.pedersen.hash(11, 22)
    assert native.ecdsa.sign(3, 4) == ours.ecdsa.sign(3, 4)
