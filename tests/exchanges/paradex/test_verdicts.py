from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from flashscalper.exchanges.base import HttpFailed, HttpResponse
from flashscalper.exchanges.paradex import wire
from flashscalper.exchanges.paradex.verdicts import judge_http, judge_rpc
from flashscalper.model.events import RequestKind, Verdict
from tests.exchanges.paradex.bench import order_json

PLACE, MODIFY, CANCEL = RequestKind.PLACE, RequestKind.MODIFY, RequestKind.CANCEL


def response(status: int, body: Any) -> HttpResponse:
    return HttpResponse(1, status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def refusal(code: str) -> dict[str, str]:
    return {"error": code, "message": "because"}


@pytest.mark.parametrize(
    ("kind", "outcome", "verdict", "code"),
    [
        (PLACE, response(201, order_json()), Verdict.ACCEPTED, ""),
        (MODIFY, response(200, order_json()), Verdict.ACCEPTED, ""),
        (CANCEL, response(204, b""), Verdict.ACCEPTED, ""),
        (CANCEL, response(200, b"<html>"), Verdict.ACCEPTED, ""),
        (PLACE, response(201, b""), Verdict.UNKNOWN, "BAD_ANSWER"),
        (PLACE, response(201, json.dumps(order_json()).encode()[:60]), Verdict.UNKNOWN, "BAD_ANSWER"),
        (PLACE, response(200, b"<html>hello</html>"), Verdict.UNKNOWN, "BAD_ANSWER"),
        (PLACE, response(400, refusal("INVALID_ORDER_SIGNATURE")), Verdict.REJECTED, "INVALID_ORDER_SIGNATURE"),
        (PLACE, response(400, refusal("VALIDATION_ERROR")), Verdict.REJECTED, "VALIDATION_ERROR"),
        (PLACE, response(400, refusal("SYSTEM_STATUS_CANCEL_ONLY")), Verdict.REJECTED, "SYSTEM_STATUS_CANCEL_ONLY"),
        (PLACE, response(403, refusal("IP_NOT_ALLOWED")), Verdict.REJECTED, "IP_NOT_ALLOWED"),
        (CANCEL, response(400, refusal("ORDER_IS_CLOSED")), Verdict.REJECTED, "ORDER_IS_CLOSED"),
        (CANCEL, response(404, refusal("ORDER_ID_NOT_FOUND")), Verdict.REJECTED, "ORDER_ID_NOT_FOUND"),
        (PLACE, response(429, b"slow down"), Verdict.REJECTED, "RATE_LIMITED"),
        (PLACE, response(400, refusal("DUPLICATED_CLIENT_ID")), Verdict.UNKNOWN, "DUPLICATED_CLIENT_ID"),
        (PLACE, response(400, refusal("INTERNAL_ERROR")), Verdict.UNKNOWN, "INTERNAL_ERROR"),
        (PLACE, response(400, refusal("SERVICE_UNAVAILABLE")), Verdict.UNKNOWN, "SERVICE_UNAVAILABLE"),
        (PLACE, response(400, refusal("SOMETHING_NEW")), Verdict.UNKNOWN, "SOMETHING_NEW"),
        (PLACE, response(400, b"<html>bad gateway</html>"), Verdict.UNKNOWN, "HTTP_400"),
        (PLACE, response(403, b"<html>cloudflare</html>"), Verdict.UNKNOWN, "HTTP_403"),
        (PLACE, response(408, refusal("VALIDATION_ERROR")), Verdict.UNKNOWN, "VALIDATION_ERROR"),
        (PLACE, response(302, b""), Verdict.UNKNOWN, "HTTP_302"),
        (PLACE, response(500, refusal("VALIDATION_ERROR")), Verdict.UNKNOWN, "VALIDATION_ERROR"),
        (PLACE, response(502, b"<html>"), Verdict.UNKNOWN, "HTTP_502"),
        (PLACE, response(503, b""), Verdict.UNKNOWN, "HTTP_503"),
        (PLACE, HttpFailed(1, sent=True, reason="reset"), Verdict.UNKNOWN, "NO_ANSWER"),
        (PLACE, HttpFailed(1, sent=False, reason="refused"), Verdict.UNSENT, "NOT_CONNECTED"),
        (PLACE, None, Verdict.UNKNOWN, "TIMEOUT"),
    ],
)
def test_only_a_documented_refusal_over_rest_proves_that_nothing_happened(
    kind: RequestKind, outcome: Any, verdict: Verdict, code: str
) -> None:
    judgement = judge_http(kind, outcome)
    assert (judgement.verdict, judgement.code) == (verdict, code)
    assert not judgement.retry_login


@pytest.mark.parametrize("body", [b"", b'{"message":"missing or malformed jwt: token is expired by 9.46s"}', b"<html>"])
def test_a_401_is_definitive_and_may_be_mended_by_a_fresh_token(body: bytes) -> None:
    judgement = judge_http(PLACE, response(401, body))
    assert judgement.verdict is Verdict.REJECTED
    assert judgement.retry_login


def envelope(**changes: Any) -> wire.Envelope:
    return msgspec.json.decode(json.dumps({"jsonrpc": "2.0", "id": 1, **changes}), type=wire.Envelope)


def error(code: int, message: str = "no", data: Any = None) -> wire.Envelope:
    return envelope(error={"code": code, "message": message, "data": data})


@pytest.mark.parametrize(
    ("kind", "outcome", "verdict"),
    [
        (PLACE, envelope(result={"order": order_json()}), Verdict.ACCEPTED),
        (CANCEL, envelope(result={"order_id": "1", "status": "QUEUED_FOR_CANCELLATION"}), Verdict.ACCEPTED),
        (PLACE, envelope(result={}), Verdict.UNKNOWN),
        (PLACE, envelope(result={"order": {"id": 5}}), Verdict.UNKNOWN),
        (PLACE, envelope(), Verdict.UNKNOWN),
        (PLACE, envelope(result=None), Verdict.UNKNOWN),
        (PLACE, None, Verdict.UNKNOWN),
        (PLACE, error(-32602, "invalid params"), Verdict.REJECTED),
        (PLACE, error(-32600), Verdict.REJECTED),
        (PLACE, error(-32601), Verdict.REJECTED),
        (PLACE, error(-32700), Verdict.REJECTED),
        (PLACE, error(42901), Verdict.REJECTED),
        (PLACE, error(40112), Verdict.REJECTED),
        (PLACE, error(-32603, "internal"), Verdict.UNKNOWN),
        (PLACE, error(100, "method error"), Verdict.UNKNOWN),
        (PLACE, error(100, "method error", "INVALID_ORDER_SIGNATURE"), Verdict.REJECTED),
        (PLACE, error(100, "method error", {"error": "INVALID_ORDER_SIZE", "message": "x"}), Verdict.REJECTED),
        (PLACE, error(100, "MARKET_NOT_FOUND: no such market"), Verdict.REJECTED),
        (PLACE, error(-32603, "internal", "INTERNAL_ERROR"), Verdict.UNKNOWN),
        (PLACE, error(-32602, "invalid params", "DUPLICATED_CLIENT_ID"), Verdict.UNKNOWN),
        (PLACE, error(31337, "new"), Verdict.UNKNOWN),
    ],
)
def test_only_a_documented_refusal_over_the_socket_proves_that_nothing_happened(
    kind: RequestKind, outcome: wire.Envelope | None, verdict: Verdict
) -> None:
    assert judge_rpc(kind, outcome).verdict is verdict


@pytest.mark.parametrize("code", [40110, 40111, 40300])
def test_a_refused_login_over_the_socket_is_definitive(code: int) -> None:
    judgement = judge_rpc(PLACE, error(code, "invalid bearer token"))
    assert judgement.verdict is Verdict.REJECTED
    assert judgement.retry_login
