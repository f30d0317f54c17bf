"""Every documented refusal by name, over both ways, and the words that go with a verdict."""

from __future__ import annotations

import json

import msgspec
import pytest

from flashscalper.exchanges.base import HttpResponse
from flashscalper.exchanges.paradex import wire
from flashscalper.exchanges.paradex.verdicts import REFUSALS, judge_http, judge_rpc, judge_whole, rpc_words, unknown
from flashscalper.model.events import RequestKind, Verdict

PLACE = RequestKind.PLACE
DOCUMENTED = [
    "VALIDATION_ERROR",
    "BINDING_ERROR",
    "BATCH_SIZE_OUT_OF_RANGE",
    "ALGO_ID_NOT_FOUND",
    "NOT_FOUND",
    "INVALID_REQUEST_PARAMETER",
    "ORDER_ID_NOT_FOUND",
    "ORDER_IS_CLOSED",
    "ORDER_IS_NOT_OPEN",
    "INVALID_ORDER_SIZE",
    "CLIENT_ORDER_ID_NOT_FOUND",
    "INVALID_SYMBOL",
    "INVALID_TOKEN",
    "INVALID_STARKNET_ADDRESS",
    "INVALID_STARKNET_SIGNATURE",
    "STARKNET_SIGNATURE_VERIFICATION_FAILED",
    "NOT_ONBOARDED",
    "INVALID_TIMESTAMP",
    "INVALID_BLOCK_EXPIRATION",
    "ACCOUNT_NOT_FOUND",
    "INVALID_ORDER_SIGNATURE",
    "PUBLIC_KEY_INVALID",
    "UNAUTHORIZED_ERROR",
    "MARKET_NOT_FOUND",
    "GEO_IP_BLOCK",
    "MARKET_NOT_OPEN",
    "MARKET_NOT_SETTLED",
    "REQUEST_NOT_ALLOWED",
    "ISOLATED_MARKET_ACCOUNT_MISMATCH",
    "NO_ACCESS_TO_MARKET",
    "RPI_ACCOUNT_NOT_WHITELISTED",
    "SYSTEM_STATUS_POST_ONLY",
    "SYSTEM_STATUS_CANCEL_ONLY",
    "MARKET_MARGIN_RESTRICTED",
    "INVALID_SUBKEY",
    "INVALID_TOKEN_SCOPE",
    "IP_NOT_ALLOWED",
    "MMP_NOT_ENABLED",
    "ORDER_IS_NOT_OPEN_YET",
    "INVALID_PRICE_PRECISION",
    "INVALID_SIGNATURE_EXPIRATION",
    "BAD_STARKNET_REQUEST",
    "RATE_LIMITED",
]


def response(status: int, body: bytes) -> HttpResponse:
    return HttpResponse(1, status, {}, body)


@pytest.mark.parametrize("code", DOCUMENTED)
def test_each_documented_refusal_proves_that_nothing_happened_and_one_letter_more_does_not(code: str) -> None:
    def answered(word: str) -> tuple[Verdict, Verdict]:
        body = json.dumps({"error": word, "message": "because"}).encode()
        error = wire.RpcError(code=-32000, message="because", data=word)
        return judge_http(PLACE, response(400, body)).verdict, judge_rpc(PLACE, _outcome(error)).verdict

    assert answered(code) == (Verdict.REJECTED, Verdict.REJECTED)
    assert answered(f"{code}X") == (Verdict.UNKNOWN, Verdict.UNKNOWN)


def _outcome(error: wire.RpcError) -> wire.Envelope:
    return wire.Envelope(error=error)


def test_there_is_no_other_refusal() -> None:
    assert set(DOCUMENTED) == REFUSALS


def test_a_request_that_is_not_about_one_order_keeps_its_answer() -> None:
    whole = judge_whole(response(200, b"[1]"))
    assert (whole.verdict, whole.body, whole.order) == (Verdict.ACCEPTED, b"[1]", None)
    assert judge_whole(response(300, b"[1]")).verdict is Verdict.UNKNOWN
    assert judge_whole(None).verdict is Verdict.UNKNOWN


def test_a_refused_login_without_words_still_has_a_code_and_may_be_mended() -> None:
    judged = judge_http(PLACE, response(401, b""))
    assert (judged.verdict, judged.code, judged.retry_login) == (Verdict.REJECTED, "UNAUTHORIZED", True)
    named = judge_http(PLACE, response(401, b'{"error":"INVALID_TOKEN","message":"m"}'))
    assert (named.code, named.message) == ("INVALID_TOKEN", "m")


def test_an_answer_that_nobody_understands_is_unknown_with_its_first_bytes() -> None:
    judged = judge_http(PLACE, response(500, b"<" + b"x" * 200))
    assert (judged.code, judged.message) == ("HTTP_500", repr((b"<" + b"x" * 200)[:80]))
    assert judge_http(PLACE, response(500, b'{"error":"X_Y","message":"words"}')).message == "words"
    assert unknown("A", "b").retry_login is False


def test_without_an_answer_on_the_socket_nobody_knows() -> None:
    assert judge_rpc(PLACE, None).code == "NO_ANSWER"


@pytest.mark.parametrize(
    ("data", "message", "word"),
    [
        ({"error": "A_B"}, "C_D: x", "A_B"), ({"code": "A_B"}, "x", "A_B"), ("A_B: because of", "x", "A_B"),
        (None, "A_B", "A_B"),
        (None, "A_B because: of", "A_B"), ({"other": "A_B"}, "words only", ""), ("AB", "x", ""), ("a_b", "x", ""),
        ("A_B_C D", "x", "A_B_C"),
    ],
)  # fmt: skip
def test_the_code_is_found_wherever_the_exchange_puts_it(data: object, message: str, word: str) -> None:
    assert rpc_words(wire.RpcError(code=1, message=message, data=data)) == word


def test_an_error_without_a_word_has_its_number() -> None:
    for code, verdict in ((40110, Verdict.REJECTED), (-32602, Verdict.REJECTED), (7, Verdict.UNKNOWN)):
        judged = judge_rpc(PLACE, _outcome(wire.RpcError(code=code, message="because", data=None)))
        assert (judged.verdict, judged.code, judged.message) == (verdict, str(code), "because")


@pytest.mark.parametrize("kind", list(RequestKind))
def test_only_a_status_of_the_two_hundreds_is_an_acceptance(kind: RequestKind) -> None:
    for status in (199, 300):
        judged = judge_http(kind, response(status, b""))
        assert (judged.verdict, judged.code) == (Verdict.UNKNOWN, f"HTTP_{status}")
    for status in (200, 299):
        assert judge_http(RequestKind.CANCEL, response(status, b"")).verdict is Verdict.ACCEPTED


def test_a_verdict_stands() -> None:
    with pytest.raises(AttributeError):
        unknown("A", "b").verdict = Verdict.ACCEPTED  # type: ignore[misc]


def test_an_answer_that_is_no_order_is_told_as_a_bad_one_by_its_place() -> None:
    over_rest = judge_http(PLACE, response(200, b"{"))
    over_socket = judge_rpc(PLACE, wire.Envelope(result=msgspec.Raw(b"{}")))
    for judged in (over_rest, over_socket):
        assert (judged.verdict, judged.code) == (Verdict.UNKNOWN, "BAD_ANSWER")
        assert judged.message.startswith("order: ")
    nothing = judge_rpc(PLACE, wire.Envelope())
    assert (nothing.verdict, nothing.code) == (Verdict.UNKNOWN, "BAD_ANSWER")


def test_too_many_requests_has_one_name_over_both_ways_and_the_exchanges_words() -> None:
    said = judge_http(PLACE, response(429, b'{"error":"X_Y","message":"words"}'))
    bare = judge_http(PLACE, response(429, b""))
    socket = judge_rpc(PLACE, _outcome(wire.RpcError(code=42901, message="words", data="X_Y")))
    assert [(judged.code, judged.message) for judged in (said, bare, socket)] == [
        ("RATE_LIMITED", "words"), ("RATE_LIMITED", "too many requests"), ("RATE_LIMITED", "words"),
    ]  # fmt: skip
