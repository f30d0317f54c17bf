"""What an answer to an order request proves: accepted, rejected, unknown or unsent. Plain functions.

Only a documented refusal proves that nothing happened (paradex.md appendix C). Time-outs, 5xx, bodies that are not
Paradex's, an answer about another order, unlisted codes and a socket that closed after sending prove nothing: unknown,
to be resolved by asking. A duplicate client id proves the contrary: an order with that id exists, so it is unknown too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from flashscalper.exchanges.base import HttpFailed, HttpResponse
from flashscalper.exchanges.paradex import responses, wire
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import RequestKind, Verdict

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.link import RpcOutcome
    from flashscalper.exchanges.paradex.rest import HttpOutcome

REFUSALS: Final = frozenset(
    {
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
    }
)
"""Codes after which an order request certainly did nothing."""
AUTH_RPC_CODES: Final = frozenset({40110, 40111, 40300})
"""Refused for the connection's login: nothing happened, and a fresh token may mend it."""
_PROTOCOL_RPC_CODES: Final = frozenset({-32700, -32600, -32601, -32602, 40112})
_RATE_RPC_CODE: Final = 42901


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with the exchange's words; `retry_login` marks a definitive refusal that a fresh token may mend, `body` is
    what `judge_whole` leaves to the caller."""

    verdict: Verdict
    code: str = ""
    message: str = ""
    order: wire.OrderResult | None = None
    retry_login: bool = False
    body: bytes = b""


def unknown(code: str, message: str) -> Judgement:
    """Nobody knows."""
    return Judgement(Verdict.UNKNOWN, code, message)


def judge_http(kind: RequestKind, outcome: HttpOutcome) -> Judgement:
    """The verdict on an order request over REST."""
    if outcome is None:
        return unknown("TIMEOUT", "no answer before the deadline")
    if isinstance(outcome, HttpFailed):
        if outcome.sent:
            return unknown("NO_ANSWER", outcome.reason)
        return Judgement(Verdict.UNSENT, "NOT_CONNECTED", outcome.reason)
    if 200 <= outcome.status < 300:
        return _accepted_http(kind, outcome)
    return _refused_http(outcome)


def judge_whole(outcome: HttpOutcome) -> Judgement:
    """The verdict on a request that is not about one order (a batch, a TWAP order): a good answer's body stays as it is."""
    if isinstance(outcome, HttpResponse) and 200 <= outcome.status < 300:
        return Judgement(Verdict.ACCEPTED, body=outcome.body)
    return judge_http(RequestKind.PLACE, outcome)


def _accepted_http(kind: RequestKind, response: HttpResponse) -> Judgement:
    if kind is RequestKind.CANCEL:
        return Judgement(Verdict.ACCEPTED)
    try:
        return Judgement(Verdict.ACCEPTED, order=responses.decode("order", wire.OrderResult, response.body))
    except ProtocolError as error:
        return unknown("BAD_ANSWER", str(error))


def _refused_http(response: HttpResponse) -> Judgement:
    code, message = responses.error_words(response.body)
    if response.status == 401:
        return Judgement(Verdict.REJECTED, code or "UNAUTHORIZED", message, retry_login=True)
    if response.status == 429:
        return Judgement(Verdict.REJECTED, "RATE_LIMITED", message or "too many requests")
    if 400 <= response.status < 500 and response.status != 408 and code in REFUSALS:
        return Judgement(Verdict.REJECTED, code, message)
    return unknown(code or f"HTTP_{response.status}", message or repr(response.body[:80]))


def judge_rpc(kind: RequestKind, outcome: RpcOutcome) -> Judgement:
    """The verdict on an order request over WebSocket that had left us."""
    if outcome is None:
        return unknown("NO_ANSWER", "the socket closed or the deadline passed before an answer")
    if outcome.error is not None:
        return _refused_rpc(outcome.error)
    if bytes(outcome.result) in (b"", b"null"):
        return unknown("BAD_ANSWER", "an answer without result and error")
    if kind is RequestKind.CANCEL:
        return Judgement(Verdict.ACCEPTED)
    try:
        return Judgement(Verdict.ACCEPTED, order=responses.decode("order", wire.OrderAck, outcome.result).order)
    except ProtocolError as error:
        return unknown("BAD_ANSWER", str(error))


def _refused_rpc(error: wire.RpcError) -> Judgement:
    words = rpc_words(error)
    if error.code in AUTH_RPC_CODES:
        return Judgement(Verdict.REJECTED, words or str(error.code), error.message, retry_login=True)
    if error.code == _RATE_RPC_CODE:
        return Judgement(Verdict.REJECTED, "RATE_LIMITED", error.message)
    if words in REFUSALS:
        return Judgement(Verdict.REJECTED, words, error.message)
    if error.code in _PROTOCOL_RPC_CODES and words != "DUPLICATED_CLIENT_ID":
        return Judgement(Verdict.REJECTED, words or str(error.code), error.message)
    return unknown(words or str(error.code), error.message)


def rpc_words(error: wire.RpcError) -> str:
    """The REST-style code inside a JSON-RPC error, wherever the exchange puts it; empty when there is none.

    The documents do not say where it stands: seen are `data` as an object with `error`, `data` as text, and the message.
    """
    data = error.data
    if isinstance(data, dict):
        data = data.get("error") or data.get("code")
    for text in (data, error.message):
        if isinstance(text, str):
            word = text.strip().partition(":")[0].partition(" ")[0]
            if word.isupper() and "_" in word:
                return word
    return ""
